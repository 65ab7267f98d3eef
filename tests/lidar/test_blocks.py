"""Rasters over files: the same whether in one piece or block by block, and refused before memory runs out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

import lidar.blocks
from gis.bounds import BoundingBox
from gis.crs import normalise
from gis.errors import BadCrs, BadParameter, UnreadableFile
from gis.grid import Grid
from gis.raster import Raster
from lidar.blocks import Survey, grid_over, look_at, raster_over
from lidar.point_cloud import Class, PointCloud
from lidar.terrain import dsm, dtm
from lidar.write import write_laz

CRS = normalise("EPSG:9210+5727")
EAST, NORTH = 600_000.0, 1_190_000.0


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """Two files side by side, 320 × 240 m, ground with a bank and houses, 1 point/m²."""
    rng = np.random.default_rng(2)
    x, y = rng.uniform(0, 320, 76_800), rng.uniform(0, 240, 76_800)
    z = 3 + 0.01 * x + np.clip(y - 100, 0, 4) + rng.normal(0, 0.03, len(x))
    house = (x % 40 < 14) & (y % 50 < 20)
    code = np.where(house, Class.BUILDING, Class.GROUND).astype(np.uint8)
    cloud = PointCloud.from_xyz(EAST + x, NORTH + y, z + 7 * house, CRS, classification=code)
    folder = tmp_path_factory.mktemp("survey")
    for name, side in (("west.laz", x < 150), ("east.laz", x >= 150)):
        write_laz(cloud.subset(side), folder / name)
    return folder / "west.laz", folder / "east.laz"


@pytest.mark.parametrize("make", [dtm, dsm])
def test_blocks_do_not_show(
    files: tuple[Path, ...], make: Callable[[PointCloud, Grid], Raster], monkeypatch: pytest.MonkeyPatch
) -> None:
    survey = look_at(files)
    grid = grid_over(survey.bounds, 1.0)
    whole = raster_over(survey, grid, make, keep_classes=True)
    monkeypatch.setattr(lidar.blocks, "BLOCK_POINTS", 1000)
    pieces: list[Grid] = []

    def seen(blocks: list[Grid]) -> Iterable[Grid]:
        pieces.extend(blocks)
        return reversed(blocks)

    joined = raster_over(survey, grid, make, keep_classes=True, tracked=seen)
    assert len(pieces) > 4
    assert np.array_equal(whole.values, joined.values, equal_nan=True)
    assert whole.bands.keys() == joined.bands.keys()
    assert all(np.array_equal(whole.bands[name], joined.bands[name], equal_nan=True) for name in whole.bands)
    assert np.isfinite(whole.values).mean() > 0.9


def test_a_survey_is_all_its_files_and_folders(files: tuple[Path, ...]) -> None:
    survey = look_at([files[0].parent])
    assert set(survey.paths) == set(files)
    assert survey.point_count == 76_800
    assert survey.bounds.width == pytest.approx(320, abs=0.1)
    assert survey.crs == CRS


def test_a_raster_that_does_not_fit_is_refused_with_what_would(files: tuple[Path, ...]) -> None:
    city = BoundingBox(0, 0, 60_000, 40_000, normalise(9210))
    with pytest.raises(BadParameter, match=r"GB of memory.*diaba lidar add, then diaba lidar build") as refused:
        grid_over(city, 0.5)
    enough = float(str(refused.value).split("--resolution ")[1].split()[0])
    assert 0.5 < enough < 10
    assert grid_over(city, enough).rows * grid_over(city, enough).columns < 1e8


def test_what_cannot_be_one_raster_is_refused(files: tuple[Path, ...], tmp_path: Path) -> None:
    other = tmp_path / "dutch.laz"
    x = np.arange(10.0)
    write_laz(PointCloud.from_xyz(85_000 + x, 447_000 + x, x, normalise(28992)), other)
    with pytest.raises(BadCrs, match="different CRS"):
        look_at([files[0], other])
    with pytest.raises(UnreadableFile):
        look_at([files[0], tmp_path / "absent.laz"])
    with pytest.raises(BadParameter, match="no LAS or LAZ"):
        look_at([tmp_path / "empty"] if (tmp_path / "empty").mkdir() is None else [])


def test_the_survey_names_what_it_holds(files: tuple[Path, ...]) -> None:
    survey = look_at(files[:1])
    assert isinstance(survey, Survey)
    assert survey.records[0].sha256

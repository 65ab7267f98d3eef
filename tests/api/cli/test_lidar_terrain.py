"""`diaba lidar terrain` and `diaba lidar contours` on files: every product whole, described and drawn."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import matplotlib.image
import numpy as np
import pyogrio
import pytest
import rasterio
from click.testing import CliRunner, Result
from shapely.geometry import LineString

from api.cli.main import diaba
from api.cli.products import PRODUCTS
from gis.crs import normalise
from gis.errors import DiabaError
from gis.raster import read_raster
from lidar.hillshade import hillshade
from lidar.point_cloud import Class, PointCloud
from lidar.write import write_laz

CRS = normalise("EPSG:9210+5727")
EAST, NORTH, SIZE = 600_000.0, 1_190_000.0, 60


@pytest.fixture(scope="module")
def tile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A slope of 1:10 to the east with a house on it, 6 points/m², classified."""
    rng = np.random.default_rng(1)
    x, y = rng.uniform(0, SIZE, (2, 6 * SIZE * SIZE))
    house = (np.abs(x - 30) < 6) & (np.abs(y - 30) < 5)
    code = np.where(house, Class.BUILDING, Class.GROUND).astype(np.uint8)
    path = tmp_path_factory.mktemp("tile") / "tile.laz"
    write_laz(PointCloud.from_xyz(EAST + x, NORTH + y, 2 + x / 10 + 6 * house, CRS, classification=code), path)
    return path


@pytest.fixture(scope="module")
def dtm(tile: Path) -> Path:
    path = tile.with_name("dtm.tif")
    assert run("terrain", tile, path, "--keep-classes").exit_code == 0
    return path


def run(*words: object) -> Result:
    return CliRunner().invoke(diaba, ["lidar", *map(str, words)])


EXPECTED = {"dtm": 5.0, "dsm": 5.0, "ndsm": 0.0, "slope": 5.711, "aspect": 270.0, "density": 6.0, "gaps": 0.0}
"""Median of each product on that slope."""


@pytest.mark.parametrize("product", list(PRODUCTS))
def test_every_product_is_whole_described_and_drawn(tile: Path, tmp_path: Path, product: str) -> None:
    target, picture = tmp_path / "out.tif", tmp_path / "out.png"
    done = run("terrain", tile, target, "--product", product, "--keep-classes", "--png", picture, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    with rasterio.open(target) as source:
        assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert source.descriptions[0] == product
        assert (source.units[0] or "") == PRODUCTS[product].unit == told["unit"]
        assert source.crs.to_epsg() == 9210 or "Hon Dau" in source.crs.to_wkt()
    raster = read_raster(target)
    assert raster.grid.resolution == told["resolution"] == (1.0 if product == "density" else 0.5)
    assert raster.grid.bounds.tuple == pytest.approx((EAST, NORTH, EAST + SIZE, NORTH + SIZE), abs=1)
    if product in EXPECTED:
        assert np.nanmedian(raster.values) == pytest.approx(EXPECTED[product], rel=0.05, abs=0.1)
    assert told["empty"] < 0.05
    drawn = matplotlib.image.imread(picture)
    assert min(drawn.shape[:2]) > 400
    assert len(np.unique(drawn.reshape(-1, drawn.shape[-1]), axis=0)) > 10


def test_the_shape_of_the_ground_has_no_rim_where_ground_is_around(tile: Path, dtm: Path, tmp_path: Path) -> None:
    assert run("terrain", tile, tmp_path / "s.tif", "--product", "slope", "--keep-classes").exit_code == 0
    slope, ground = read_raster(tmp_path / "s.tif"), read_raster(dtm)
    assert slope.grid == ground.grid
    assert np.isfinite(slope.values[1:-1, 1:-1]).all()
    # Along the edges as much as the ground reaches one cell farther than the points.
    assert np.isfinite(slope.values).mean() > np.isfinite(slope.values[1:-1, 1:-1]).sum() / slope.values.size


def test_slope_aspect_and_shade_are_made_of_a_dtm_too(dtm: Path, tmp_path: Path) -> None:
    for product in ("slope", "aspect", "hillshade"):
        assert run("terrain", dtm, tmp_path / f"{product}.tif", "--product", product).exit_code == 0
    shade = read_raster(tmp_path / "hillshade.tif")
    assert np.array_equal(np.nan_to_num(shade.values), hillshade(read_raster(dtm)))


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--product", "slope", "--engine", "pdal"), "PDAL makes dtm, dsm, ndsm"),
        (("--resolution", "0.0001"), "diaba lidar build"),
        (("--product", "gaps", "--resolution", "0.0001"), "diaba lidar build"),
        (("--resolution", "-1"), "positive"),
    ],
)
def test_what_cannot_be_made_is_refused_and_nothing_left(
    tile: Path, tmp_path: Path, words: tuple[str, ...], why: str
) -> None:
    done = run("terrain", tile, tmp_path / "out.tif", *words)
    assert isinstance(done.exception, DiabaError)
    assert why in str(done.exception)
    assert list(tmp_path.iterdir()) == []


def test_a_dtm_gives_no_surface_and_no_density(dtm: Path, tmp_path: Path) -> None:
    for product in ("dsm", "density"):
        done = run("terrain", dtm, tmp_path / "out.tif", "--product", product)
        assert "made of points" in str(done.exception)
    assert "alone" in str(run("contours", dtm, dtm, tmp_path / "c.gpkg").exception)


def test_contours_come_out_of_points_and_out_of_a_dtm(tile: Path, dtm: Path, tmp_path: Path) -> None:
    for name, source in (("points", tile), ("dtm", dtm)):
        target = tmp_path / f"{name}.gpkg"
        done = run("contours", source, target, "--keep-classes", "--resolution", "0.5", "--json")
        assert done.exit_code == 0, done.output
        told = json.loads(done.stdout)
        lines = pyogrio.read_dataframe(target, layer="contours")
        assert sorted(lines.height.unique()) == pytest.approx(np.arange(2.5, 8, 0.5)) or lines.height.min() == 2.0
        assert told["lines"] == len(lines)
        assert set(lines.height[lines.is_index]) == {2.5, 5.0, 7.5}
        assert len(pyogrio.read_dataframe(target, layer="contour_labels")) == told["labels"] >= 3
        assert lines.crs.to_epsg() == 9210
        assert lines.vertical_datum.str.contains("Hon Dau").all()
        west = lines.geometry.bounds.minx
        assert np.abs(west - (EAST + (lines.height - 2) * 10))[lines.height > 2.2].max() < 0.5


def test_contours_that_reach_no_step_say_so(dtm: Path, tmp_path: Path) -> None:
    done = run("contours", dtm, tmp_path / "c.gpkg", "--interval", "50")
    assert done.exit_code == 0
    assert "smaller --interval" in done.output
    assert "gpkg" in str(run("contours", dtm, tmp_path / "c.shp").exception)


def test_along_a_given_river_water_never_rises(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    x, y = 100 * rng.random(9_600) + 100 * (np.arange(9_600) % 3), rng.uniform(0, 60, 9_600)
    wet = np.abs(y - 30) < 8
    z = np.where(wet, np.array([1.0, 1.2, 0.7])[(x // 100).astype(int)], 3.0)
    code = np.where(wet, Class.WATER, Class.GROUND).astype(np.uint8)
    river, lines, plain, fallen = (tmp_path / name for name in ("river.laz", "lines.gpkg", "plain.tif", "fallen.tif"))
    write_laz(PointCloud.from_xyz(EAST + x, NORTH + y, z, CRS, classification=code), river)
    middle = LineString([(EAST, NORTH + 30), (EAST + 300, NORTH + 30)])
    gpd.GeoDataFrame(geometry=[middle], crs=9210).to_file(lines)
    for target, more in ((plain, ()), (fallen, ("--rivers", lines))):
        assert run("terrain", river, target, "--keep-classes", *more).exit_code == 0
    before, after = (read_raster(path).values[60, 10:-10] for path in (plain, fallen))
    assert (np.diff(before) > 0).any()
    assert (np.diff(after) <= 0).all()
    assert after[0] == pytest.approx(1.1, abs=0.05)
    refused = run("terrain", river, tmp_path / "dsm.tif", "--product", "dsm", "--rivers", lines)
    assert isinstance(refused.exception, DiabaError)

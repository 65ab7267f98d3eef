from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from shapely import affinity, box

from gis.bounds import BoundingBox
from gis.grid import Grid
from lidar.catalog import scan, tiles_over
from lidar.footprints import Footprints
from lidar.pipeline import DEFAULT_BUFFER, TileProducts, process_tile
from lidar.scheduler import run
from lidar.tile import Tile
from lidar.write import write_laz

from .buildings_samples import CRS, scanned

WEST, SOUTH, SIZE = 603000.0, 1191000.0, 120.0
HOUSES = [
    affinity.rotate(box(WEST + x, SOUTH + y, WEST + x + w, SOUTH + y + d), turn)
    for x, y, w, d, turn in (
        (10, 12, 9, 14, 12), (52, 20, 16, 10, 12), (56, 53, 11, 13, 31), (90, 58, 8, 12, 0), (15, 80, 22, 14, 45),
        (86, 92, 12, 9, 20),
    )
]  # fmt: skip
HEIGHTS = [8.0, 11.5, 9.0, 14.0, 7.0, 6.5]


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unclassified points of six houses on level ground, in four files."""
    folder = tmp_path_factory.mktemp("survey")
    extent = (WEST, SOUTH, WEST + SIZE - 0.05, SOUTH + SIZE - 0.05)
    points = scanned(extent, list(zip(HOUSES, HEIGHTS, strict=True)), density=10)
    points = points.with_classification(np.zeros(len(points), dtype=np.uint8))
    for i in range(2):
        for j in range(2):
            inside = (points.x // 60 - WEST // 60 == i) & (points.y // 60 - SOUTH // 60 == j)
            write_laz(points.subset(inside), folder / f"{i}{j}.laz")
    return folder


def known() -> Footprints:
    """All houses but the third and the last."""
    return Footprints.of([(f"h{i}", h) for i, h in enumerate(HOUSES) if i not in (2, 5)], CRS)


def made(tile: Tile) -> TileProducts:
    return process_tile(tile, known(), Grid.covering(tile.bounds, 0.5))


def test_known_houses_are_reconstructed_and_missing_ones_found(survey: Path) -> None:
    (tile,) = tiles_over(scan([survey]), 600, DEFAULT_BUFFER, BoundingBox(WEST, SOUTH, WEST + 1, SOUTH + 1, CRS))
    products = made(tile)
    heights = {b.uid: b.height for b in products.buildings}
    for i in (0, 1, 3, 4):
        assert heights[f"h{i}"] == pytest.approx(HEIGHTS[i] - 2.0, abs=0.15)
    derived = [b for b in products.buildings if b.attributes["footprint_source"] == "derived"]
    assert len(derived) == 2
    for building, i in zip(sorted(derived, key=lambda b: b.footprint.centroid.y), (2, 5), strict=True):
        common = building.footprint.intersection(HOUSES[i]).area
        assert common / building.footprint.union(HOUSES[i]).area > 0.8
        assert building.height == pytest.approx(HEIGHTS[i] - 2.0, abs=0.15)
    assert products.statistics["points"] == len(products.points)


def test_tiles_join_without_seam_gap_or_overlap(survey: Path) -> None:
    records = scan([survey])
    (whole,) = tiles_over(records, 600, DEFAULT_BUFFER)
    single = made(whole)
    tiles = tiles_over(records, 60, DEFAULT_BUFFER)
    parts = {tile.key: result for tile, result in run(tiles, made, scheduler="synchronous")}
    assert len(parts) == 4
    assert all(isinstance(p, TileProducts) for p in parts.values())
    results = [p for p in parts.values() if isinstance(p, TileProducts)]
    values = {b.uid: (b.height, b.sigma_height, b.footprint.wkt) for b in single.buildings}
    assert {b.uid: (b.height, b.sigma_height, b.footprint.wkt) for p in results for b in p.buildings} == values
    assert sum(len(p.buildings) for p in results) == len(single.buildings)
    assert sum(len(p.points) for p in results) == len(single.points)
    for part in results:
        window = part.terrain.dtm.grid.window_in(single.terrain.dtm.grid)
        assert np.array_equal(part.terrain.dtm.values, single.terrain.dtm.values[window], equal_nan=True)


def test_outlines_parted_at_parcel_lines_are_the_same_in_any_tiling(survey: Path) -> None:
    # The unknown third house, in the north-east tile alone, stands on two lots; the line between reaches all tiles.
    lots = Footprints.of(
        [("a", box(WEST, SOUTH, WEST + 61, SOUTH + 120)), ("b", box(WEST + 61, SOUTH, WEST + 120, SOUTH + 120))], CRS
    )
    records = scan([survey])

    def parted(tile: Tile) -> TileProducts:
        return process_tile(tile, known(), Grid.covering(tile.bounds, 0.5), lots)

    (whole,) = tiles_over(records, 600, DEFAULT_BUFFER)
    single = {b.uid: b.footprint.wkt for b in parted(whole).buildings}
    tiles = tiles_over(records, 60, DEFAULT_BUFFER)
    assert {b.uid: b.footprint.wkt for tile in tiles for b in parted(tile).buildings} == single
    assert len(single) == len(made(whole).buildings) + 1


def test_a_building_wider_than_the_buffer_is_whole(survey: Path) -> None:
    tile = Tile(
        "small",
        BoundingBox(WEST + 60, SOUTH + 20, WEST + 70, SOUTH + 30, CRS),
        tuple(sorted(survey.iterdir())),
        CRS,
        4.0,
    )
    (building,) = made(tile).buildings
    assert building.uid == "h1"
    assert building.height == pytest.approx(HEIGHTS[1] - 2.0, abs=0.15)

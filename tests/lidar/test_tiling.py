"""A tiled survey is the untiled one: every class, confidence, cell and building, to the last bit, in any tiling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gis.bounds import BoundingBox
from gis.grid import Grid
from lidar.catalog import FileRecord, scan, tiles_over
from lidar.footprints import Footprints, read_footprints
from lidar.pipeline import CONTEXT, DEFAULT_BUFFER, TileProducts, process_tile
from lidar.point_cloud import PointCloud
from lidar.read import read_many
from lidar.scene.make import make_scene
from lidar.scene.recipe import read_recipe
from lidar.scheduler import SYNCHRONOUS, run
from lidar.write import write_laz

RESOLUTION = 0.5
COPIES = 5
"""Of a scene of 200 m in a row: 1 km, so that the tiles at one end do not see the other."""


@dataclass(frozen=True)
class City:
    """What all tiles of a tiling make together."""

    points: NDArray[Any]
    """Every column of every point, sorted."""
    rasters: dict[str, NDArray[np.float32]]
    buildings: dict[str, tuple[Any, ...]]


def built(
    records: Sequence[FileRecord], size: float, grid: Grid, known: Footprints | None = None, seed: int = 0
) -> City:
    """The tiles of a size, in an order of chance, put together on a grid."""
    tiles = tiles_over(records, size, DEFAULT_BUFFER)
    tiles = [tiles[i] for i in np.random.default_rng(seed).permutation(len(tiles))]
    rasters = {name: np.full(grid.shape, np.nan, dtype=np.float32) for name in ("dtm", "sigma", "dsm", "ndsm")}
    rows, buildings = [], {}
    for _, made in run(
        tiles, lambda t: process_tile(t, known, Grid.covering(t.bounds, RESOLUTION)), scheduler=SYNCHRONOUS
    ):
        assert isinstance(made, TileProducts), made
        rows.append(as_rows(made.points))
        for name, raster in rasters.items():
            part = made.terrain.dtm if name == "sigma" else getattr(made.terrain, name)
            put(raster, grid, part.bands["sigma"] if name == "sigma" else part.values, part.grid)
        for building in made.buildings:
            assert building.uid not in buildings, "a building of two tiles"
            solid = None if building.solid is None else repr(building.solid)
            figures = (building.height, building.sigma_height, building.ground_height, building.roof_height_max)
            buildings[building.uid] = (building.footprint.wkb, *figures, building.attributes, solid)
    points = np.concatenate(rows)
    return City(points[np.lexsort([points[name] for name in points.dtype.names])], rasters, buildings)


def as_rows(points: PointCloud) -> NDArray[Any]:
    columns = points.columns()
    return np.rec.fromarrays(list(columns.values()), names=list(columns))


def put(whole: NDArray[np.float32], grid: Grid, part: NDArray[np.float32], of: Grid) -> None:
    """Copy the cells of a tile that lie in the grid."""
    top, left = grid.first_row + grid.rows - of.first_row - of.rows, of.first_column - grid.first_column
    rows = slice(max(top, 0), min(top + of.rows, grid.rows))
    columns = slice(max(left, 0), min(left + of.columns, grid.columns))
    whole[rows, columns] = part[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]


def assert_same(tiled: City, whole: City) -> None:
    assert len(tiled.points) == len(whole.points)
    for name in whole.points.dtype.names:
        differ = np.flatnonzero(tiled.points[name] != whole.points[name])
        assert len(differ) == 0, (name, len(differ), whole.points[differ[:3]], tiled.points[differ[:3]])
    for name, values in whole.rasters.items():
        other = tiled.rasters[name]
        assert np.array_equal(np.isnan(other), np.isnan(values)), name
        assert np.isfinite(values).any(), name
        assert np.nanmax(np.abs(other - values)) == 0.0, name
    assert tiled.buildings == whole.buildings


@pytest.fixture(scope="module")
def ign(shared_data: Path) -> list[FileRecord]:
    """150 × 100 m at 24 to 34 points/m², in six files; a seventh file there is of another place."""
    return scan(sorted((shared_data / "ign_six_tiles").glob("test_data_*.laz")))


@pytest.fixture(scope="module")
def ign_whole(ign: list[FileRecord]) -> City:
    return built(ign, 500.0, ign_grid(ign))


def ign_grid(records: list[FileRecord]) -> Grid:
    return Grid.covering(BoundingBox(770_500, 6_277_500, 770_650, 6_277_600, records[0].bounds.crs), RESOLUTION)  # type: ignore[union-attr]


@pytest.mark.parametrize("size", [50.0, 37.5])
def test_real_points_come_out_the_same_in_any_tiling(ign: list[FileRecord], ign_whole: City, size: float) -> None:
    tiled = built(ign, size, ign_grid(ign))
    assert_same(tiled, ign_whole)
    assert len(np.unique(ign_whole.points["classification"])) > 3


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[FileRecord], Footprints]:
    """A simulated scene, set five times in a row; a base map of the first."""
    folder = tmp_path_factory.mktemp("street")
    make_scene(folder / "scene", read_recipe("alley"), 3, density=4.0)
    scene = read_many(sorted((folder / "scene" / "lidar").glob("*.laz")))
    for i in range(COPIES):
        columns = {**scene.columns(), "x": scene.x + 200.0 * i}
        write_laz(PointCloud(**columns, crs=scene.crs), folder / f"{i}.laz")
    return scan(sorted(folder.glob("*.laz"))), read_footprints(folder / "scene" / "registers.gpkg", layer="footprints")


def test_a_street_longer_than_the_buffer_comes_out_the_same_in_any_tiling(
    street: tuple[list[FileRecord], Footprints],
) -> None:
    records, known = street
    crs = records[0].bounds.crs  # type: ignore[union-attr]
    grid = Grid.covering(BoundingBox(603_000, 1_191_000, 603_000 + 200 * COPIES, 1_191_200, crs), RESOLUTION)
    assert 200 * COPIES > DEFAULT_BUFFER + 250, "the tile at one end sees all"
    assert CONTEXT < DEFAULT_BUFFER
    whole = built(records, 3000.0, grid, known)
    assert {6, 2} <= set(np.unique(whole.points["classification"]))
    assert len(whole.buildings) > COPIES
    assert_same(built(records, 250.0, grid, known, seed=1), whole)


@pytest.mark.slow
def test_a_ward_comes_out_the_same_in_any_tiling(tmp_path: Path) -> None:
    """A strip of 200 × 800 m with a river, a bridge, trees and hundreds of houses, in two tiles."""
    recipe = read_recipe("ward")
    # As long as it must be for a tile at one end not to see the other.
    recipe = replace(recipe, extent=replace(recipe.extent, size_m=800.0, tile_m=200.0))
    make_scene(tmp_path, recipe, 11, density=2.0)
    records = scan(sorted((tmp_path / "lidar").glob("tile_603400_*.laz")))
    bounds = BoundingBox(603_400, 1_191_000, 603_600, 1_191_800, records[0].bounds.crs)  # type: ignore[union-attr]
    # Of an outline without points the heights are NaN, which equal nothing.
    known = read_footprints(tmp_path / "registers.gpkg", layer="footprints").within(bounds)
    grid = Grid.covering(bounds, RESOLUTION)
    size = 1071.0  # m: of the grids from the CRS's origin, one with the whole strip in one cell
    assert len(tiles_over(records, size, DEFAULT_BUFFER)) == 1
    whole = built(records, size, grid, known)
    assert {2, 6, 9, 17} <= set(np.unique(whole.points["classification"]))
    southern, northern = sorted(tile.bounds.min_y for tile in tiles_over(records, 720.0, DEFAULT_BUFFER))
    assert northern - DEFAULT_BUFFER > bounds.min_y >= southern
    assert_same(built(records, 720.0, grid, known, seed=1), whole)

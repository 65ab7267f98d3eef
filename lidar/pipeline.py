"""One tile from files to products: the flow of the whole system, readable in one place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import shapely

from gis.bounds import BoundingBox
from gis.city_model.building import Building
from gis.grid import Grid
from gis.raster import Raster
from lidar.classify import REACH as CLASSIFY_REACH
from lidar.classify import classify
from lidar.derive_footprints import derive_footprints
from lidar.footprints import Footprints
from lidar.ground import REACH as GROUND_REACH
from lidar.ground import classify_ground
from lidar.known import Known
from lidar.noise import REACH as NOISE_REACH
from lidar.noise import mark_noise
from lidar.parcel_lines import parted_at_parcels
from lidar.point_cloud import PointCloud
from lidar.read import ATTRIBUTES, read_many
from lidar.reconstruct import reconstruct_all
from lidar.supplement import supplement
from lidar.terrain import REACH as TERRAIN_REACH
from lidar.terrain import Terrain, rasterise
from lidar.tile import LARGEST_BUFFER, Tile

RESOLUTION = 0.5
"""m per cell of a terrain, where nothing else is asked for."""
CONTEXT = NOISE_REACH + GROUND_REACH + CLASSIFY_REACH + TERRAIN_REACH
"""m: how far a product's value may depend on points: with as much read around it, it is the same in any tiling."""
BUILDING_ROOM = 60.0
"""m: the part of a buffer, beyond the context, that lets a building at the tile's edge be whole."""
DEFAULT_BUFFER = CONTEXT + BUILDING_ROOM
"""m to read beyond a tile; a tile with a larger building at its edge reads more."""


@dataclass(frozen=True, slots=True)
class TileProducts:
    """What a tile yields. Tiles of one grid join without seam, gap or overlap."""

    terrain: Terrain
    """On the grid asked for."""
    buildings: tuple[Building, ...]
    """Those whose representative point is in the tile, whole."""
    points: PointCloud
    """The classified points inside the tile's half-open bounds."""
    statistics: Mapping[str, float | int]


def process_tile(
    tile: Tile, footprints: Footprints | None, grid: Grid, parcels: Footprints | None = None
) -> TileProducts:
    """Points, terrain and buildings of one tile: files and arrays in, values out, nothing kept.

    A tile without a point or a known outline of its own yields nothing, whatever its neighbours have.

    Args:
        tile: what to read.
        footprints: known outlines, of the whole city or around the tile; where they miss a building, or there are
            none, outlines are derived from the points.
        grid: of the terrain to return; inside or equal to the tile's bounds.
        parcels: land parcels; derived outlines are parted at their lines (`parted_at_parcels`).

    Raises:
        DiabaError: a file cannot be read, or is in another CRS.
    """
    points = read(tile)
    if not _inside(points, tile.bounds).any() and not _known_in(footprints, tile.bounds):
        return nothing(tile, grid, points)
    points = classified(points, within=tile.bounds.buffered(room(tile) + TERRAIN_REACH + CLASSIFY_REACH))
    surroundings = rasterise(points, grid.buffered(room(tile)))
    outlines = outlines_of(tile, footprints, points, surroundings, parcels)
    if outlines is None:
        return process_tile(widened(tile), footprints, grid, parcels)
    buildings = reconstruct_all(outlines, points, surroundings)
    return products(tile, grid, surroundings, buildings, points)


def read(tile: Tile, attributes: frozenset[str] = ATTRIBUTES) -> PointCloud:
    """The points of a tile and its buffer, with those attributes."""
    return read_many(tile.needed, tile.bounds.buffered(tile.buffer), tile.crs, attributes=attributes)


def classified(
    points: PointCloud,
    known: Known | None = None,
    on_step: Callable[[], None] = lambda: None,
    *,
    within: BoundingBox | None = None,
) -> PointCloud:
    """The points under the classes the chain finds: noise, ground, then what stands on it.

    Args:
        points: as they came in.
        known: of the same points; nothing unless given.
        on_step: called after each of the three.
        within: what lies outside is left out after the ground is found: it has served its purpose by then.
    """
    known = known or Known.nothing(points)
    quiet = known.hidden(mark_noise(points))
    on_step()
    ground = known.restored(classify_ground(quiet))
    on_step()
    if within is not None:
        chosen = _inside(ground, within)
        ground = ground.subset(chosen)
        known = Known(known.classes[chosen], known.fixed[chosen], known.inside[chosen])
    made = classify(ground, known)
    on_step()
    return made


def outlines_of(
    tile: Tile,
    footprints: Footprints | None,
    points: PointCloud,
    surroundings: Terrain,
    parcels: Footprints | None = None,
) -> Footprints | None:
    """The outlines that belong to the tile, known and derived; None if one of them reaches beyond what was read."""
    extent = surroundings.dtm.grid.bounds
    known = Footprints.none(extent.crs) if footprints is None else footprints.to(extent.crs).touching(extent)
    derived = derive_footprints(points, surroundings, known, within=tile.bounds)
    if parcels is not None:
        derived = parted_at_parcels(derived, parcels.to(extent.crs).touching(extent).polygons)
    both = supplement(known, derived)
    own = both.within(tile.bounds)
    if tile.buffer >= LARGEST_BUFFER:
        return own
    cut = both.subset(~both.complete).touching(tile.bounds)
    whole = shapely.contains_properly(extent.polygon, own.polygons) if len(own) else np.empty(0, dtype=bool)
    return own if len(cut) == 0 and bool(np.all(whole)) else None


def room(tile: Tile) -> float:
    """How far beyond a tile's bounds its buildings may reach: what its buffer has beyond the context, at least 60 m.

    With a buffer below `DEFAULT_BUFFER`, points near the buffer's edge are classified with less context, so that
    products at the edges of tiles may differ in rare cells.
    """
    return float(min(max(tile.buffer - CONTEXT, BUILDING_ROOM), tile.buffer))


def widened(tile: Tile) -> Tile:
    """The tile with twice the room for buildings, up to the largest buffer."""
    return replace(tile, buffer=min(tile.buffer + max(room(tile), BUILDING_ROOM), LARGEST_BUFFER))


def products(
    tile: Tile, grid: Grid, surroundings: Terrain, buildings: tuple[Building, ...], points: PointCloud
) -> TileProducts:
    """What is the tile's own of all that was made."""
    own = points.subset(_inside(points, tile.bounds))
    cropped = Terrain(surroundings.dtm.cropped(grid), surroundings.dsm.cropped(grid), surroundings.ndsm.cropped(grid))
    statistics: dict[str, float | int] = {
        "points": len(own),
        "density_per_m2": round(len(own) / tile.bounds.area, 3),
        "buffer_m": tile.buffer,
        "buildings": len(buildings),
        "solids": sum(b.solid is not None for b in buildings),
        "derived_footprints": sum(b.attributes["footprint_source"] == "derived" for b in buildings),
        "terrain_share": round(float(np.isfinite(cropped.dtm.values).mean()), 4),
    }
    return TileProducts(cropped, buildings, own, statistics)


def nothing(tile: Tile, grid: Grid, points: PointCloud) -> TileProducts:
    """The products of a tile that holds nothing."""
    empty = Raster(np.full(grid.shape, np.nan, dtype=np.float32), grid)
    ground = replace(empty, bands={"sigma": empty.values})
    return products(tile, grid, Terrain(ground, empty, empty), (), points)


def _known_in(footprints: Footprints | None, bounds: BoundingBox) -> bool:
    return footprints is not None and len(footprints.to(bounds.crs).within(bounds)) > 0


def _inside(points: PointCloud, bounds: BoundingBox) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return (
        (points.x >= bounds.min_x) & (points.x < bounds.max_x) & (points.y >= bounds.min_y) & (points.y < bounds.max_y)
    )

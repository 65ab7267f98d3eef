"""What is computed when it is asked for: earth moved between two surveys, land under water at a level.

The service's routes and a notebook beside the store (`gis.client`) ask here, each in a transaction of its own, so that
both see what they may see and get the same.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection

from api.change import check_epochs, pair_of, registration_of
from gis.bounds import BoundingBox
from gis.crs import horizontal
from gis.errors import BadParameter, NotFound
from gis.grid import Grid
from gis.raster import read_over
from gis.settings import City
from gis.store import building_changes, parcels
from gis.store.coverage import rasters_to_read
from gis.store.items import Item
from lidar.change.earth import EarthMoved, earth_moved
from lidar.change.registration import register
from lidar.flood import Inundation, inundate, outer_water, water_areas
from lidar.levelling import covered

AROUND = 100.0
"""m around an area in which errors and offset of two surveys are seen as well."""
FLOOD_AROUND = 250.0
"""m around a box in which the way of the water is followed: a dike further away is not known to it."""
SMALLEST_WATER = 4.0
"""m²: smaller puddles are left out."""
CELLS_MOST, FILES_MOST = 6_000_000, 64
"""Of what is computed at once: 1.5 km² of cells of half a metre, the surroundings included."""
LOTS_MOST = 20_000


def earth(
    connection: Connection,
    city: City,
    from_epoch: str,
    to_epoch: str,
    area: BaseGeometry,
    *,
    files_most: int = FILES_MOST,
    cells_most: int = CELLS_MOST,
) -> EarthMoved:
    """Volumes between two surveys over a polygon in the city's CRS.

    By how much the surveys differ where nothing changed is taken from their comparison, or seen around the polygon.

    Raises:
        NotFound: an epoch is not known, or has no terrain there.
        BadParameter: it is the same epoch twice, the area is too large, or the terrains' cells differ.
    """
    check_epochs(connection, from_epoch, to_epoch)
    wide = BoundingBox(*area.bounds, crs=horizontal(city.crs)).buffered(AROUND)
    pair = (from_epoch, to_epoch)
    terrains = pair_of(connection, city, "dtm", pair, wide, files_most, cells_most)
    try:
        registration = registration_of(building_changes.comparison_of(connection, *pair))
    except NotFound:
        try:
            registration = register(*pair_of(connection, city, "ndsm", pair, wide, files_most, cells_most), terrains)
        except NotFound:
            return earth_moved(*terrains, area)
    return earth_moved(*terrains, area, registration=registration)


def flooded(
    connection: Connection,
    city: City,
    level: float,
    bounds: BoundingBox,
    *,
    sigma_level: float = 0.0,
    epoch: str | None = None,
    files_most: int = FILES_MOST,
    cells_most: int = CELLS_MOST,
) -> list[Item]:
    """What a water level puts under water: areas of water (`water-1`, …), and the lots they touch, by uid.

    Args:
        connection: a transaction that may read; it decides which lots are seen.
        city: its CRS and files.
        level: m above the city's vertical datum.
        bounds: in the city's horizontal CRS.
        sigma_level: 1σ of the level, m.
        epoch: of this survey's terrain; of the newest that knows without it.
        files_most: files read at most.
        cells_most: cells worked on at most, the surroundings included.

    Raises:
        NotFound: no terrain is known there.
        BadParameter: the level makes no sense, or the box is too large.
    """
    files, grid = rasters_to_read(
        connection,
        city,
        "dtm",
        bounds.buffered(FLOOD_AROUND),
        epoch=epoch,
        files_most=files_most,
        cells_most=cells_most,
    )
    terrain = read_over(files, grid)
    found = inundate(terrain, level, sigma_level=sigma_level, sources=outer_water(terrain))
    inner = grid.meeting(Grid.covering(bounds, grid.resolution))
    if inner is None:
        raise NotFound("terrain", "in this box")
    window = inner.window_in(grid)
    seen = Inundation(inner, found.threshold[window], found.depth[window], found.probability[window])
    frame = parcels.current(connection, bounds=bounds)
    if len(frame) > LOTS_MOST:
        raise BadParameter("bbox", bounds.tuple, f"holds more than {LOTS_MOST} lots; ask for a smaller area")
    lots = [_lot(uid, shape, seen) for uid, shape in zip(frame["uid"], frame.geometry, strict=True)]
    return [*_waters(seen), *(lot for lot in lots if lot is not None)]


def _waters(found: Inundation) -> list[Item]:
    size = found.grid.resolution
    return [
        Item(
            f"water-{number}",
            # Steps of cells become lines; no line moves by a cell.
            shapely.simplify(area, 0.75 * size),
            {"kind": "water", "area": round(float(area.area), 1), "depth": round(depth, 3), "volume": round(volume, 1)},
        )
        for number, (area, depth, volume) in enumerate(water_areas(found, least_area=SMALLEST_WATER), start=1)
    ]


def _lot(uid: str, shape: Polygon, found: Inundation) -> Item | None:
    """A lot of which something is under water, or as likely as not will be."""
    part = covered(shape, found.grid)
    if part is None:
        return None
    grid, shares = part
    window = grid.window_in(found.grid)
    depth, chance = found.depth[window], found.probability[window]
    known = shares * np.isfinite(depth)
    if not known.sum() > 0:
        return None
    wet = known * (depth > 0)
    probability = float((known * _filled(chance)).sum() / known.sum())
    if not wet.any() and probability < 0.5:
        return None
    return Item(
        uid,
        shape,
        {
            "kind": "lot",
            "uid": uid,
            "share": round(float(wet.sum() / known.sum()), 4),
            "depth": round(float((wet * _filled(depth)).sum() / wet.sum()), 3) if wet.any() else 0.0,
            "deepest": round(float(_filled(depth)[shares > 0].max()), 3),
            "probability": round(probability, 4),
        },
    )


def _filled(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.nan_to_num(values)

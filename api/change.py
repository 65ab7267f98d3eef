"""Two surveys out of the store, held against each other block by block, and what changed back into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from shapely import Polygon, STRtree
from sqlalchemy import Connection

from gis.access.roles import Role
from gis.bounds import BoundingBox
from gis.errors import BadParameter, NotFound
from gis.raster import Raster, read_over
from gis.settings import City
from gis.store import building_changes, buildings, catalog, parcels
from gis.store.building_changes import Comparison
from gis.store.coverage import extents_of, rasters_to_read
from gis.store.database import Database
from lidar.change.buildings import BuildingChange, ChangeParameters, Measured, Surfaces
from lidar.change.buildings import building_changes as changes_of
from lidar.change.registration import Registration, register

BLOCK = 1000.0
"""m: side of the squares that are worked on at once."""
MARGIN = 60.0
"""m around a block: buildings that reach into it are seen whole."""
MOSTLY_GROUND = 0.5
"""Share of an outline's cells in which the ground was measured, above which no building stands there."""
LOWEST = 2.0
"""m above ground: nothing lower is a building."""
REGISTERED_IN = 6
"""Blocks in which the surveys are laid upon each other; the others lie as these do."""
FILES_MOST, CELLS_MOST = 10_000, 64_000_000
Advance = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Found:
    """What changed between two epochs."""

    comparison: Comparison
    changes: tuple[BuildingChange, ...]
    parcels: tuple[str | None, ...]
    """Of each change, the parcel that holds most of it."""


def check_epochs(connection: Connection, from_epoch: str, to_epoch: str) -> None:
    """Raises NotFound or BadParameter unless both epochs are there and are not the same."""
    if from_epoch == to_epoch:
        raise BadParameter("to", to_epoch, "is the same survey as the one to compare it with")
    known = list(catalog.campaigns(connection)["epoch"])
    for epoch in (from_epoch, to_epoch):
        if epoch not in known:
            raise NotFound("epoch", f"{ascii(epoch)[1:-1]}; there are {', '.join(known) or 'none yet'}")


def compare_epochs(
    database: Database,
    city: City,
    from_epoch: str,
    to_epoch: str,
    *,
    area: BoundingBox | None = None,
    parameters: ChangeParameters | None = None,
    advance: Advance = lambda done, total: None,
) -> Found:
    """Compare the buildings of two epochs and keep what changed.

    Args:
        database: of the city.
        city: its CRS and files.
        from_epoch: the earlier survey.
        to_epoch: the later one.
        area: only what touches this, in the city's horizontal CRS.
        parameters: what the office chooses.
        advance: told of blocks done and blocks in all.

    Raises:
        NotFound: an epoch is not known, or its rasters are not there.
        BadParameter: both are the same, or their rasters do not fit.
    """
    parameters = parameters or ChangeParameters()
    with database.open(Role.WRITER) as connection:
        check_epochs(connection, from_epoch, to_epoch)
        before, after = (_measured(buildings.current(connection, epoch)) for epoch in (from_epoch, to_epoch))
        lots = parcels.current(connection)
        # Seen on all of the city, so that a comparison of a part finds the same there.
        everywhere = list(_blocks(connection, city, from_epoch, None))
        blocks = everywhere if area is None else list(_blocks(connection, city, from_epoch, area))
    total = len(blocks) + min(len(everywhere), REGISTERED_IN)
    pair = (from_epoch, to_epoch)
    registration, done = _registered(database, city, pair, everywhere, lambda done: advance(done, total))
    plots, uids = list(lots.geometry), list(lots["uid"])
    tree = STRtree(plots)
    found: list[BuildingChange] = []
    for block in blocks:
        wide = block.buffered(MARGIN)
        surfaces = _surfaces(database, city, pair, wide, registration)
        if surfaces is not None:
            near = [plots[i] for i in sorted(tree.query(wide.polygon).tolist())]
            measured = (_touching(before, wide), _touching(after, wide))
            found += [
                change
                for change in changes_of(*measured, surfaces, registration, parameters, near)
                if _is_own(change.place, block) and (area is None or change.place.intersects(area.polygon))
            ]
        done += 1
        advance(done, total)
    held = tuple(_parcel_of(change.place, plots, uids, tree) for change in found)
    comparison = _comparison(from_epoch, to_epoch, registration, parameters)
    with database.open(Role.WRITER) as connection:
        rows = [_row(change, parcel) for change, parcel in zip(found, held, strict=True)]
        building_changes.save(connection, comparison, rows, within=area)
    return Found(comparison, tuple(found), held)


def _comparison(from_epoch: str, to_epoch: str, found: Registration, parameters: ChangeParameters) -> Comparison:
    spread = (found.sigma_east, found.sigma_north, found.sigma_up)
    known = (sigma if isfinite(sigma) else None for sigma in spread)
    rate = parameters.false_alarm_rate
    return Comparison(from_epoch, to_epoch, rate, found.east, found.north, found.up, *known)


def registration_of(comparison: Comparison) -> Registration:
    """How the surveys lie, as it was found when they were compared."""
    told = (comparison.sigma_east, comparison.sigma_north, comparison.sigma_up)
    return Registration(
        comparison.east, comparison.north, comparison.up, *(inf if sigma is None else sigma for sigma in told)
    )


def _measured(frame: gpd.GeoDataFrame) -> list[Measured]:
    found = []
    for row in frame.rename_geometry("geometry").itertuples():
        gone = row.attributes.get("ground_fraction", 0.0) > MOSTLY_GROUND
        found.append(
            Measured(
                uid=row.uid,
                footprint=row.geometry,
                roof=float(row.roof_height_70p),
                height=float(row.height),
                sigma_height=float(row.sigma_height),
                # An area's error is the perimeter's share of the edges' errors.
                sigma_outline=float(row.sigma_area) * 2**0.5 / row.geometry.length,
                # An unknown height is NaN and compares false.
                standing=bool(not gone and row.height >= LOWEST),
                known=row.attributes.get("footprint_source") != "derived",
            )
        )
    return found


def _blocks(connection: Connection, city: City, epoch: str, area: BoundingBox | None) -> Iterator[BoundingBox]:
    """Squares that cover what the earlier survey's rasters cover, and the area if one is asked for."""
    extents = extents_of(connection, "ndsm", city.crs)
    if not extents:
        raise NotFound("raster", f"ndsm of {epoch}; it is made by: diaba lidar build")
    whole = extents[0]
    for extent in extents[1:]:
        whole = whole.union(extent)
    if area is not None:
        if not whole.intersects(area):
            raise BadParameter("area", area.tuple, f"lies outside of what was surveyed, {whole.tuple}")
        whole = _common(whole, area)
    for y in np.arange(np.floor(whole.min_y / BLOCK), np.ceil(whole.max_y / BLOCK)):
        for x in np.arange(np.floor(whole.min_x / BLOCK), np.ceil(whole.max_x / BLOCK)):
            block = BoundingBox(x * BLOCK, y * BLOCK, (x + 1) * BLOCK, (y + 1) * BLOCK, whole.crs)
            if any(block.intersects(extent) for extent in extents):
                yield _common(block, whole)


def _common(one: BoundingBox, other: BoundingBox) -> BoundingBox:
    """The rectangle that two which meet have in common."""
    corners = (max, max, min, min)
    west, south, east, north = (f(a, b) for f, a, b in zip(corners, one.tuple, other.tuple, strict=True))
    return BoundingBox(west, south, east, north, one.crs)


def read_pair(
    database: Database, city: City, product: str, epochs: tuple[str, str], area: BoundingBox
) -> tuple[Raster, Raster]:
    """A product of both epochs over an area.

    Raises:
        NotFound: one of them has none there.
        BadParameter: their cells differ in size.
    """
    with database.open(Role.READER) as connection:
        return pair_of(connection, city, product, epochs, area, FILES_MOST, CELLS_MOST)


def pair_of(
    connection: Connection,
    city: City,
    product: str,
    epochs: tuple[str, str],
    area: BoundingBox,
    files_most: int,
    cells_most: int,
) -> tuple[Raster, Raster]:
    """As `read_pair`, in a transaction of the caller's and with the caller's limits."""
    read = []
    for epoch in epochs:
        files, grid = rasters_to_read(
            connection, city, product, area, epoch=epoch, files_most=files_most, cells_most=cells_most
        )
        read.append((files, grid))
    if read[0][1] != read[1][1]:
        sizes = [grid.resolution for _, grid in read]
        raise BadParameter("epoch", epochs, f"their {product} has cells of {sizes[0]:g} m and {sizes[1]:g} m")
    earlier, later = (read_over([Path(file) for file in files], grid) for files, grid in read)
    return earlier, later


def _registered(
    database: Database,
    city: City,
    epochs: tuple[str, str],
    blocks: Sequence[BoundingBox],
    advance: Callable[[int], None],
) -> tuple[Registration, int]:
    """The mean of what some blocks say, strewn over all, each by its weight; and how many were looked at."""
    chosen = [blocks[i] for i in np.unique(np.linspace(0, len(blocks) - 1, REGISTERED_IN).round().astype(int))]
    found = []
    for done, block in enumerate(chosen, start=1):
        try:
            above = read_pair(database, city, "ndsm", epochs, block)
            found.append(register(*above, read_pair(database, city, "dtm", epochs, block)))
        except NotFound:
            pass  # one of the surveys does not reach there
        advance(done)
    if not found:
        raise NotFound("place", f"that both surveys, {epochs[0]} and {epochs[1]}, cover")
    values = np.array([[one.east, one.north, one.up] for one in found])
    spread = np.array([[one.sigma_east, one.sigma_north, one.sigma_up] for one in found])
    weights = 1.0 / np.maximum(spread, 1e-4) ** 2
    total = weights.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(total > 0, (weights * values).sum(axis=0) / total, 0.0)
        sigma = np.where(total > 0, 1.0 / np.sqrt(total), np.inf)
    return Registration(*mean.tolist(), *sigma.tolist()), len(chosen)


def _surfaces(
    database: Database, city: City, epochs: tuple[str, str], area: BoundingBox, registration: Registration
) -> Surfaces | None:
    """The rasters over an area; None where one of the surveys has none."""
    try:
        roofs = read_pair(database, city, "dsm", epochs, area)
        above = read_pair(database, city, "ndsm", epochs, area)
    except NotFound:
        return None
    later = registration.put_back(roofs[1]), registration.put_back(above[1], heights=False)
    return Surfaces(roofs[0], later[0], above[0], later[1])


def _touching(measured: Sequence[Measured], area: BoundingBox) -> list[Measured]:
    tree = STRtree([one.footprint for one in measured])
    return [measured[i] for i in sorted(tree.query(area.polygon).tolist())]


def _is_own(place: Polygon, block: BoundingBox) -> bool:
    """Whether a change is this block's and no other's."""
    point = shapely.point_on_surface(place)
    return block.min_x <= point.x < block.max_x and block.min_y <= point.y < block.max_y


def _parcel_of(place: Polygon, plots: Sequence[Polygon], uids: Sequence[str], tree: STRtree) -> str | None:
    shares = [
        (float(shapely.area(shapely.intersection(place, plots[i]))), uids[i])
        for i in tree.query(place, predicate="intersects").tolist()
    ]
    area, uid = max(shares, default=(0.0, ""))
    return uid if area > 0.1 * place.area else None


def _row(change: BuildingChange, parcel: str | None) -> dict[str, object]:
    return {
        "building_uid": change.uid,
        "parcel_uid": parcel,
        "change": change.change.value,
        "delta": change.delta,
        "unit": change.unit,
        "sigma": change.sigma,
        "confidence": change.confidence,
        "evidence": dict(change.evidence),
        "geom": change.place,
    }

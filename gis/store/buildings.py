"""Measured buildings: saved a tile at a time, read as a frame or as solids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, and_, func, literal, select
from sqlalchemy.dialects.postgresql import insert

from gis import crs as reference
from gis.bounds import BoundingBox
from gis.city_model.building import Building, Solid
from gis.store import frames, versions
from gis.store.geometry import (
    checked_polygon,
    city_crs,
    decode_solid,
    encode,
    encode_solid,
    surface_letters,
    touches,
)
from gis.store.schema import building, building_version, lidar_campaign
from gis.store.versions import Saved, at, since

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

MEASURED = "measured"
"""Status of a building that a survey found."""
UNKNOWN_BEGIN = date(1, 1, 1)
"""Begin of the valid time when the campaign does not say when it was flown."""


def save(
    connection: Connection,
    tile_key: str,
    epoch: str,
    buildings: Sequence[Building],
    *,
    source: str = "lidar",
) -> Saved:
    """Make these the tile's buildings of an epoch; its former ones with other content, or absent now, are closed.

    A building that another tile held before is this tile's from now on.

    Args:
        connection: The caller's transaction.
        tile_key: The tile they belong to; it is known to `runs`.
        epoch: The campaign that measured them; they are valid from its first day on.
        buildings: All of the tile's, heights in the city's vertical datum, footprints in its horizontal CRS.
        source: What they were measured from.

    Raises:
        BadGeometry: a footprint is no valid polygon; the building is named.
        Conflict: the tile or the epoch is not known.
    """
    srid = reference.srid(city_crs(connection))
    flown = connection.scalar(select(lidar_campaign.c.flown_from).where(lidar_campaign.c.epoch == epoch))
    valid = since(flown or UNKNOWN_BEGIN)
    footprints = encode([checked_polygon(f"building {one.uid}", one.footprint) for one in buildings], srid)
    rows = [
        {**_row(one, srid), "footprint": shape, "tile_key": tile_key, "epoch": epoch, "source": source, "valid": valid}
        for one, shape in zip(buildings, footprints, strict=True)
    ]
    if rows:
        anchors = insert(building).on_conflict_do_nothing()
        connection.execute(anchors, [{"uid": uid} for uid in sorted(one.uid for one in buildings)])
    of_tile = and_(building_version.c.epoch == epoch, building_version.c.tile_key == tile_key)
    return versions.record(connection, building_version, rows, instead_of=of_tile)


def current(
    connection: Connection,
    epoch: str,
    *,
    bounds: BoundingBox | None = None,
    known_at: datetime | None = None,
) -> GeoDataFrame:
    """The buildings of an epoch, by uid, geometry `footprint`, as the register knows (knew) them; without solids.

    Unknown heights are NaN. `attributes` holds mappings.
    """
    table = building_version
    knew = func.upper_inf(table.c.recorded) if known_at is None else table.c.recorded.op("@>")(known_at)
    condition = and_(table.c.epoch == epoch, knew)
    if bounds is not None:
        condition = and_(condition, touches(table.c.footprint, bounds, connection))
    return frames.read(connection, list(table.columns), condition, [table.c.uid], geometry="footprint")


def of_day(connection: Connection, as_of: date | None = None, known_at: datetime | None = None) -> GeoDataFrame:
    """Each building as the last campaign before the end of a day (today) measured it."""
    table = building_version
    latest_first = (func.lower(table.c.valid).desc(), table.c.epoch.desc())
    rank = func.row_number().over(partition_by=table.c.uid, order_by=latest_first).label("rank")
    keys = [table.c[name] for name in ("uid", "epoch", "version")]
    ranked = select(*keys, rank).where(at(table, as_of, known_at)).subquery()
    newest = and_(ranked.c.rank == 1, *(key == ranked.c[key.name] for key in keys))
    source = table.join(ranked, newest)
    return frames.read(
        connection, list(table.columns), literal(True), [table.c.uid], source=source, geometry="footprint"
    )


def solids(connection: Connection, epoch: str, uids: Sequence[str] | None = None) -> Iterator[tuple[str, Solid]]:
    """Solids of an epoch's buildings by uid, those that have one; all of them, or the named."""
    table = building_version
    condition = and_(table.c.epoch == epoch, func.upper_inf(table.c.recorded), table.c.solid.is_not(None))
    if uids is not None:
        condition = and_(condition, table.c.uid.in_(list(uids)))
    shell = func.ST_AsEWKB(table.c.solid, "NDR", type_=None)
    statement = select(table.c.uid, shell, table.c.solid_surfaces).where(condition).order_by(table.c.uid)
    for uid, ewkb, letters in connection.execute(statement):
        yield uid, decode_solid(bytes(ewkb), letters)


def models(
    connection: Connection, epoch: str, uids: Sequence[str] | None = None
) -> Iterator[tuple[str, dict[str, Solid]]]:
    """All models of an epoch's buildings by uid and level of detail, the coarsest first; of all, or of the named."""
    table = building_version
    condition = and_(table.c.epoch == epoch, func.upper_inf(table.c.recorded))
    if uids is not None:
        condition = and_(condition, table.c.uid.in_(list(uids)))
    best = func.ST_AsEWKB(table.c.solid, "NDR", type_=None)
    columns = (table.c.uid, table.c.lod, best, table.c.solid_surfaces, table.c.coarser)
    for uid, lod, ewkb, letters, coarser in connection.execute(select(*columns).where(condition).order_by(table.c.uid)):
        found = {own: decode_solid(bytes.fromhex(one["solid"]), one["surfaces"]) for own, one in coarser.items()}
        if ewkb is not None:
            found[lod] = decode_solid(bytes(ewkb), letters)
        yield uid, {own: found[own] for own in sorted(found, key=float)}


def _row(one: Building, srid: int) -> Mapping[str, Any]:
    return {
        "uid": one.uid,
        "status": MEASURED,
        "solid": None if one.solid is None else encode_solid(one.solid, srid),
        "solid_surfaces": None if one.solid is None else surface_letters(one.solid),
        "ground_height": float(one.ground_height),
        "roof_height_min": float(one.roof_height_min),
        "roof_height_50p": float(one.roof_height_50p),
        "roof_height_70p": float(one.roof_height_70p),
        "roof_height_max": float(one.roof_height_max),
        "height": float(one.height),
        "sigma_height": float(one.sigma_height),
        "area": float(one.area),
        "sigma_area": float(one.sigma_area),
        "lod": one.lod,
        "point_count": int(one.point_count),
        "point_density": float(one.point_density),
        "no_data_fraction": float(one.no_data_fraction),
        "reason": str(one.reason),
        "attributes": dict(one.attributes),
        "coarser": {
            lod: {"solid": encode_solid(solid, srid), "surfaces": surface_letters(solid)}
            for lod, solid in one.coarser.items()
        },
    }

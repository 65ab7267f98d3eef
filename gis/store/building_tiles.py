"""What the tiles of the 3D city hold: which buildings are in a square, their models, and where there are any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from typing import Any

import numpy as np
import shapely
from pyproj import CRS
from sqlalchemy import Connection, text

from gis.bounds import BoundingBox
from gis.city_model.tiles3d.levels import DISTRICT_SIDE, LEAF, Address
from gis.crs import horizontal, srid
from gis.store.case_verdicts import NONE, RANK, STANDING, verdict_sql
from gis.store.collections import NOW, Moment, known, so_on_day
from gis.store.coverage import extent

LOOKED_AT = 16_384
"""Squares of level 0 that are looked up one by one: a country of 500 km; of a city spread wider all rows are read."""
_PLACE = "v.footprint && ST_MakeEnvelope(:west, :south, :east, :north, :srid)"
_MIDDLE = tuple(f"(ST_{axis}Min(v.footprint) + ST_{axis}Max(v.footprint)) / 2.0" for axis in "XY")
_INSIDE = f"{_MIDDLE[0]} >= :west AND {_MIDDLE[0]} < :east AND {_MIDDLE[1]} >= :south AND {_MIDDLE[1]} < :north"
"""The middle of a building's rectangle lies in a square; who is there fulfils `_PLACE` too."""
_TALL = "(:least <= 0 OR v.height >= :least)"
_NEWEST = (
    "SELECT DISTINCT ON (v.uid) v.* FROM diaba.building_version v "  # noqa: S608  constants of this project
    f"WHERE v.uid = ANY(ARRAY(SELECT v.uid FROM diaba.building_version v WHERE {_PLACE} AND {_TALL})) "
    f"AND {so_on_day('v')} AND {known('v')} ORDER BY v.uid, lower(v.valid) DESC, v.epoch DESC"
)
"""Of all buildings that were ever in a square and tall enough, what the last campaign measured, wherever that is. One
scan by place and one by key: a look-up for each building took several times as long."""
_PERMITS = (
    "SELECT p.permit_no, p.issued, ST_AsBinary(l.geom) FROM diaba.permit_limit l JOIN diaba.permit p "  # noqa: S608
    "ON p.permit_no = l.permit_no AND p.version = l.version "
    "WHERE l.geom && ST_MakeEnvelope(:west, :south, :east, :north, :srid) AND p.permit_no = ANY(ARRAY("
    "SELECT l.permit_no FROM diaba.permit_limit l WHERE l.geom && ST_MakeEnvelope(:west, :south, :east, :north, :srid)"
    f")) AND p.status = 'valid' AND {known('p')} "
    "AND (p.issued IS NULL OR p.issued <= COALESCE(CAST(:day AS date), CURRENT_DATE)) "
    "ORDER BY p.issued DESC NULLS LAST, p.permit_no"
)
"""Permits in force in a rectangle, the newest first."""
_VERDICTS = (
    f"SELECT d.building_uid, d.epoch, {verdict_sql(f'min({RANK})')} FROM diaba.discrepancy d "  # noqa: S608  constants
    f"WHERE d.building_uid = ANY(CAST(:uids AS text[])) AND {STANDING} AND {known('d')} GROUP BY 1, 2"
)


@dataclass(frozen=True, slots=True)
class TileRow:
    """One building of a tile, without its model."""

    uid: str
    epoch: str
    version: int
    properties: dict[str, Any]
    """By the names of `gis.city_model.tiles3d.properties`."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What one square of the lowest level holds."""

    address: Address
    bounds: BoundingBox
    """Of the footprints, in the city's CRS."""
    low: float
    high: float
    """Metres above the vertical datum, of all models."""
    tallest: float
    """Metres above ground; −inf where no height is known."""
    count: int


@dataclass(frozen=True, slots=True)
class Mark:
    """While it stays the same, so do all tiles of a caller."""

    day: date
    changes: tuple[int, ...]
    """Of the registers that tiles are made of."""
    differences: str
    """Where the caller sees differences to be inspected: in `all` wards, in `some`, or `none`."""
    by_ward: bool
    """Whether the city shows permits by ward."""


def mark(connection: Connection) -> Mark:
    """The state of the registers, and of what the caller may see of them.

    Read it before the rows: what is recorded meanwhile is then noticed the next time.
    """
    rows = connection.execute(
        text(
            "SELECT CURRENT_DATE, diaba.reach('differences'), row_security_active('diaba.permit'), changes "
            "FROM diaba.register_mark ORDER BY register"
        )
    ).all()
    day, differences, by_ward, _ = rows[0]
    return Mark(day, tuple(row[3] for row in rows), differences, by_ward)


def tile_rows(
    connection: Connection, city: CRS, address: Address, moment: Moment = NOW, *, differences: str, most: int
) -> list[TileRow]:
    """The buildings of a tile by uid; of more than `most` the tallest.

    Args:
        connection: the caller's.
        city: the city's CRS.
        address: the tile.
        moment: when it was so, and was known.
        differences: where the caller sees those to be inspected (`Mark`); that there is none is told to who sees all.
        most: buildings of one tile.
    """
    lod = "v.lod" if address.level.is_detailed else "CASE WHEN v.coarser ? '1.2' THEN '1.2' ELSE v.lod END"
    sql = (
        f"SELECT v.uid, v.epoch, v.version, v.height, v.sigma_height, v.attributes ->> 'roof_type' AS roof_type, "  # noqa: S608
        f"{lod} AS lod, ST_AsBinary(v.footprint) AS footprint FROM ({_NEWEST}) v "
        f"WHERE v.solid IS NOT NULL AND {_INSIDE} AND {_TALL} "
        "ORDER BY v.height DESC NULLS LAST, v.uid LIMIT :most"
    )
    values = _values(city, address.bounds(city), moment)
    more = {"least": address.level.least_height, "most": most}
    rows = sorted(connection.execute(text(sql), values | more), key=lambda row: str(row.uid))
    if not rows:
        return []
    permits = _permits(connection, city, moment, [bytes(row.footprint) for row in rows])
    uids = [row.uid for row in rows]
    verdicts: dict[tuple[str, str], str] = {}
    otherwise = NONE if differences == "all" else None
    if differences != "none":
        found = connection.execute(text(_VERDICTS), {"uids": uids, "known_at": moment.known_at})
        verdicts = {(row[0], row[1]): row[2] for row in found}
    return [
        TileRow(
            row.uid,
            row.epoch,
            row.version,
            {
                **{name: getattr(row, name) for name in ("uid", "epoch", "height", "sigma_height", "roof_type", "lod")},
                "permit": permit,
                **({} if differences == "none" else {"verdict": verdicts.get((row.uid, row.epoch), otherwise)}),
            },
        )
        for row, permit in zip(rows, permits, strict=True)
    ]


def _permits(connection: Connection, city: CRS, moment: Moment, footprints: list[bytes]) -> list[str | None]:
    """For each footprint the newest permit in force in whose outline it stands."""
    places = shapely.point_on_surface(shapely.from_wkb(footprints))
    west, south, east, north = shapely.total_bounds(places).tolist()
    bounds = BoundingBox(west, south, east, north, horizontal(city))
    permits = connection.execute(text(_PERMITS), _values(city, bounds, moment)).all()
    found: list[str | None] = [None] * len(footprints)
    if permits:
        tree = shapely.STRtree(shapely.from_wkb([bytes(row[2]) for row in permits]))
        place, permit = tree.query(places, predicate="intersects")
        # The newest is first; of several pairs of a place the last one written stays.
        for one in np.lexsort((-permit, place)):
            found[place[one]] = permits[permit[one]][0]
    return found


def fingerprint(rows: Sequence[TileRow]) -> bytes:
    """The same for the same content of a tile: versions are never changed, the rest is told in full."""
    told = blake2b(digest_size=16)
    for one in rows:
        told.update(repr((one.version, *one.properties.values())).encode())
    return told.digest()


def tile_models(connection: Connection, rows: Sequence[TileRow], *, is_detailed: bool) -> tuple[list[bytes], list[str]]:
    """The solids of a tile's buildings as extended well-known binary, and the letters of their faces, in their order.

    Args:
        connection: in the transaction the rows are of.
        rows: of the tile.
        is_detailed: the best models; else blocks of LoD 1.2 where there are any.
    """
    solid = "ST_AsEWKB(v.solid, 'NDR')"
    letters = "v.solid_surfaces"
    if not is_detailed:
        solid = f"COALESCE(decode(v.coarser #>> '{{1.2,solid}}', 'hex'), {solid})"
        letters = f"COALESCE(v.coarser #>> '{{1.2,surfaces}}', {letters})"
    found = connection.execute(
        text(
            f"SELECT {solid}, {letters} FROM unnest(CAST(:uids AS text[]), CAST(:epochs AS text[]), "  # noqa: S608
            "CAST(:versions AS int[])) WITH ORDINALITY AS k(uid, epoch, version, place) "
            "JOIN diaba.building_version v ON v.uid = k.uid AND v.epoch = k.epoch AND v.version = k.version "
            "ORDER BY k.place"
        ),
        {
            "uids": [one.uid for one in rows],
            "epochs": [one.epoch for one in rows],
            "versions": [one.version for one in rows],
        },
    ).all()
    return [bytes(row[0]) for row in found], [row[1] for row in found]


def cells(connection: Connection, city: CRS, district: Address, moment: Moment = NOW) -> list[Cell]:
    """The squares of the lowest level in a square of level 0 that hold buildings, by column and row.

    Whether a later campaign measured a building again is not asked, which would take long: what a square holds may be
    somewhat less than it says, or nothing.
    """
    side = Address(LEAF, 0, 0).side
    sql = (
        f"SELECT floor({_MIDDLE[0]} / :side) AS x, floor({_MIDDLE[1]} / :side) AS y, count(*) AS buildings, "  # noqa: S608
        "min(ST_XMin(v.footprint)) AS west, min(ST_YMin(v.footprint)) AS south, max(ST_XMax(v.footprint)) AS east, "
        "max(ST_YMax(v.footprint)) AS north, min(v.model_low) AS low, max(v.model_high) AS high, "
        f"max(v.height) AS tallest FROM diaba.building_version v "
        f"WHERE {_PLACE} AND {_INSIDE} AND v.solid IS NOT NULL AND {so_on_day('v')} AND {known('v')} "
        "GROUP BY 1, 2 ORDER BY 1, 2"
    )
    bounds = district.bounds(city)
    return [
        Cell(
            Address(LEAF, int(row.x), int(row.y)),
            BoundingBox(row.west, row.south, row.east, row.north, bounds.crs),
            row.low,
            row.high,
            float("-inf") if row.tallest is None else row.tallest,
            row.buildings,
        )
        for row in connection.execute(text(sql), _values(city, bounds, moment) | {"side": side})
    ]


def districts(connection: Connection, city: CRS) -> tuple[list[Address], BoundingBox | None, float, float]:
    """Squares of level 0 that buildings touch, at any time; how far all buildings reach, and between which heights.

    Quick for any number of buildings: each square is one look into the spatial index, the heights are two into theirs.
    """
    reach = extent(connection, city, [("building_version", "footprint")])
    low, high = connection.execute(text("SELECT min(model_low), max(model_high) FROM diaba.building_version")).one()
    if reach is None or low is None:
        return [], None, 0.0, 0.0
    west, south = int(reach.min_x // DISTRICT_SIDE), int(reach.min_y // DISTRICT_SIDE)
    columns, lines = int(reach.max_x // DISTRICT_SIDE) + 1 - west, int(reach.max_y // DISTRICT_SIDE) + 1 - south
    squares = (
        f"generate_series({west}, {west + columns - 1}) x, generate_series({south}, {south + lines - 1}) y"
        if columns * lines <= LOOKED_AT
        else f"(SELECT DISTINCT floor({_MIDDLE[0]} / :side) AS x, floor({_MIDDLE[1]} / :side) AS y "  # noqa: S608
        "FROM diaba.building_version v) squares"
    )
    found = connection.execute(
        text(
            f"SELECT x, y FROM {squares} WHERE EXISTS (SELECT 1 FROM diaba.building_version v "  # noqa: S608  numbers
            "WHERE v.footprint && ST_MakeEnvelope(x * :side, y * :side, (x + 1) * :side, (y + 1) * :side, :srid) "
            "OFFSET 0) ORDER BY 1, 2"
        ),
        {"side": DISTRICT_SIDE, "srid": srid(city)},
    )
    return [Address(0, int(x), int(y)) for x, y in found], reach, float(low), float(high)


def _values(city: CRS, bounds: BoundingBox, moment: Moment) -> dict[str, Any]:
    return {
        "day": moment.first_day,
        "known_at": moment.known_at,
        "srid": srid(city),
        **dict(zip(("west", "south", "east", "north"), bounds.tuple, strict=True)),
    }

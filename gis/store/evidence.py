"""All that the registers and the survey hold about one building and what was flagged at it, for an evidence sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import shapely
from shapely import Polygon
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection, text

from gis.bounds import BoundingBox
from gis.city_model.building import Solid
from gis.crs import horizontal, srid
from gis.errors import BadParameter, NotFound
from gis.settings import City
from gis.store import buildings

AROUND: Final = 18.0
"""Metres around building and parcel that the map shows."""
SIDE_MOST: Final = 400.0
"""Metres a building or its parcel may measure along a side: larger ones are no house, and fill no sheet."""
NEAR_MOST: Final = 400
"""Parcels, buildings and roads of one sheet, each."""
COVERED: Final = 0.5
"""Share of a building, or of the permitted footprint, that both have in common where a permit is the building's."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A row of a register with its geometry."""

    key: str
    geometry: BaseGeometry
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FileOf:
    """A file of the catalogue that the sheet rests on."""

    path: str
    sha256: str
    density: float | None = None
    """Points per m², of a survey's file."""


@dataclass(frozen=True, slots=True)
class Step:
    """A state of the case as the register knew it from a moment on."""

    since: datetime
    status: str
    outcome: str | None = None
    """Of the inspection that made it; None where something else did."""
    inspected_on: date | None = None
    measured: float | None = None
    """On the ground, in the case's unit."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What one sheet is made of. Geometry in the city's horizontal CRS, metres."""

    finding: Mapping[str, Any] | None
    """The row of `discrepancy`; None: the sheet is of a building alone."""
    false_alarm_rate: float | None
    """Chosen for the newest run of the survey; None where none was recorded."""
    steps: tuple[Step, ...]
    building: Shape
    solid: Solid | None
    flown: tuple[date | None, date | None]
    parcel: Shape | None
    permit: Shape | None
    """Its geometry is the permitted footprint; an empty polygon where it has none."""
    parcels: tuple[Shape, ...]
    buildings: tuple[Shape, ...]
    roads: tuple[Shape, ...]
    zones: tuple[Shape, ...]
    points: tuple[FileOf, ...]
    surveys: tuple[FileOf, ...]
    open_cases: int | None
    """Differences at the building in this survey that nobody dismissed; None for who may not know."""
    is_demo: bool

    @property
    def footprint(self) -> Polygon:
        """The building's outline as measured."""
        return outline_of(self.building)

    @property
    def stamp(self) -> tuple[Any, ...]:
        """All that decides what the sheet shows: equal stamps give equal sheets."""
        rows = [row for row in (self.building, self.parcel, self.permit) if row is not None]
        near = (*rows, *self.parcels, *self.buildings, *self.roads, *self.zones)
        return (
            None if self.finding is None else (self.finding["id"], self.finding["version"], self.finding["status"]),
            tuple((row.key, row.facts["version"]) for row in near),
            tuple(one.sha256 for one in (*self.points, *self.surveys)),
            self.flown,
            self.false_alarm_rate,
            self.steps,
            self.open_cases,
            self.is_demo,
        )


def outline_of(building: Shape) -> Polygon:
    """Its geometry as the polygon that it is.

    Raises:
        NotFound: it has none.
    """
    if not isinstance(building.geometry, Polygon):
        raise NotFound("outline of the building", building.key)
    return building.geometry


def facts_of_case(connection: Connection, city: City, case_id: str) -> Facts:
    """The facts of a case, as the registers know them now.

    Raises:
        NotFound: the caller sees no such case, or its building was not measured.
        BadParameter: the building or its parcel is too large for a sheet.
    """
    row = connection.execute(
        text(f"SELECT {_FINDING} FROM diaba.discrepancy WHERE id = :id AND upper_inf(recorded)"),  # noqa: S608
        {"id": case_id},
    ).one_or_none()
    if row is None:
        raise NotFound("case", case_id)
    finding = dict(row._mapping)
    if finding["building_uid"] is None:
        raise NotFound("measured building of the case", case_id)
    return _gathered(connection, city, finding["building_uid"], finding["epoch"], finding)


def facts_of_building(connection: Connection, city: City, uid: str, epoch: str | None = None) -> Facts:
    """The facts of a building, flagged or not, as a survey (the newest) measured it.

    Raises:
        NotFound: it was not measured.
        BadParameter: the building or its parcel is too large for a sheet.
    """
    return _gathered(connection, city, uid, epoch, None)


_FINDING: Final = (
    "id, version, kind, building_uid, parcel_uid, permit_no, epoch, actual, limit_value, unit, delta, sigma, "
    "confidence, status, evidence, encode(digest, 'hex') AS digest"
)


def _gathered(
    connection: Connection, city: City, uid: str, epoch: str | None, finding: Mapping[str, Any] | None
) -> Facts:
    building = _building(connection, uid, epoch)
    epoch = building.facts["epoch"]
    parcel = _parcel(connection, building.geometry, None if finding is None else finding["parcel_uid"])
    permit = _permit(connection, building.geometry, parcel, finding)
    shown = building.geometry if parcel is None else building.geometry.union(parcel.geometry)
    west, south, east, north = shown.bounds
    if max(east - west, north - south) > SIDE_MOST:
        raise BadParameter("case", uid, f"the building or its parcel is more than {SIDE_MOST:g} m long")
    middle, half = ((west + east) / 2, (south + north) / 2), max(east - west, north - south) / 2 + AROUND
    x, y = middle
    box = BoundingBox(x - half, y - half, x + half, y + half, horizontal(city.crs))
    area = {"epoch": epoch, "srid": srid(city.crs), "most": NEAR_MOST} | dict(
        zip(("west", "south", "east", "north"), box.tuple, strict=True)
    )
    return Facts(
        finding=finding,
        false_alarm_rate=connection.scalar(text(_RATE), {"epoch": epoch}),
        steps=() if finding is None else _steps(connection, finding["id"]),
        building=building,
        solid=dict(buildings.solids(connection, epoch, [uid])).get(uid),
        flown=(building.facts["flown_from"], building.facts["flown_to"]),
        parcel=parcel,
        permit=permit,
        parcels=_shapes(connection, _NEAR_PARCELS, area),
        buildings=tuple(one for one in _shapes(connection, _NEAR_BUILDINGS, area) if one.key != uid),
        roads=_shapes(connection, _NEAR_ROADS, area),
        zones=_shapes(connection, _NEAR_ZONES, area | {"shape": shapely.to_wkb(building.geometry.centroid)}),
        points=_files(connection, _POINTS, area),
        surveys=_files(connection, _SURVEYS, area | {"shape": shapely.to_wkb(building.geometry)}),
        open_cases=_open_cases(connection, uid, epoch),
        is_demo=bool(connection.scalar(text("SELECT is_demo FROM diaba.city"))),
    )


def _building(connection: Connection, uid: str, epoch: str | None) -> Shape:
    found = _shapes(connection, _BUILDING, {"uid": uid, "epoch": epoch, "most": 1})
    if not found:
        raise NotFound("building", uid)
    outline_of(found[0])
    return found[0]


def _parcel(connection: Connection, footprint: BaseGeometry, uid: str | None) -> Shape | None:
    """The parcel of the case, or the one that most of the building stands on."""
    found = _shapes(connection, _PARCEL, {"uid": uid, "shape": shapely.to_wkb(footprint), "most": 1})
    return found[0] if found else None


def _permit(
    connection: Connection, footprint: BaseGeometry, parcel: Shape | None, finding: Mapping[str, Any] | None
) -> Shape | None:
    """The permit of the case; of a building alone the one in force on its parcel that most of it stands under."""
    if finding is not None and finding["permit_no"] is None:
        return None
    asked = {
        "number": None if finding is None else finding["permit_no"],
        "parcel": None if parcel is None else parcel.key,
        "shape": shapely.to_wkb(footprint),
        "most": 20,
    }
    found = [one for one in _shapes(connection, _PERMIT, asked) if one.geometry is not None]
    if finding is not None:
        return found[0] if found else None

    def common(one: Shape) -> float:
        least = min(float(footprint.area), float(one.geometry.area))
        return float(footprint.intersection(one.geometry).area) / least if least else 0.0

    best = max(found, key=common, default=None)
    return best if best is not None and common(best) >= COVERED else None


def _steps(connection: Connection, case_id: str) -> tuple[Step, ...]:
    return tuple(Step(*row) for row in connection.execute(text(_STEPS), {"id": case_id}))


def _open_cases(connection: Connection, uid: str, epoch: str) -> int | None:
    count, reach = connection.execute(
        text(
            "SELECT (SELECT count(*) FROM diaba.discrepancy WHERE building_uid = :uid AND epoch = :epoch "
            "AND upper_inf(recorded) AND status NOT IN ('dismissed', 'resolved')), diaba.reach('differences')"
        ),
        {"uid": uid, "epoch": epoch},
    ).one()
    return int(count) if count or reach == "all" else None


def _shapes(connection: Connection, statement: str, asked: Mapping[str, Any]) -> tuple[Shape, ...]:
    """Rows of `key`, `shape` (WKB) and further facts."""
    found = []
    for row in connection.execute(text(statement), asked):
        facts = dict(row._mapping)
        told = facts.pop("shape")
        found.append(Shape(facts.pop("key"), Polygon() if told is None else shapely.from_wkb(bytes(told)), facts))
    return tuple(found)


def _files(connection: Connection, statement: str, asked: Mapping[str, Any]) -> tuple[FileOf, ...]:
    rows: Sequence[Any] = connection.execute(text(statement), asked).all()
    return tuple(FileOf(row[0], row[1], row[2]) for row in rows)


# An inspection keeps the version of the case that it made.
_STEPS: Final = """
SELECT lower(d.recorded), d.status, i.outcome, i.inspected_on, i.measured_value
FROM diaba.discrepancy d LEFT JOIN diaba.inspection i ON i.case_id = d.id AND i.version = d.version
WHERE d.id = :id ORDER BY d.version
"""
_RATE: Final = "SELECT false_alarm_rate FROM diaba.compliance_run WHERE epoch = :epoch ORDER BY id DESC LIMIT 1"
_BOX: Final = "ST_MakeEnvelope(:west, :south, :east, :north, :srid)"
_BUILDING: Final = """
SELECT b.uid AS key, ST_AsBinary(b.footprint) AS shape, b.version, b.epoch, b.ground_height, b.roof_height_min,
    b.roof_height_50p, b.roof_height_70p, b.roof_height_max, b.height, b.sigma_height, b.area, b.sigma_area, b.lod,
    b.point_count, b.point_density, b.no_data_fraction, b.reason, b.source, b.attributes, c.flown_from, c.flown_to,
    encode(b.digest, 'hex') AS digest
FROM diaba.building_version b JOIN diaba.lidar_campaign c USING (epoch)
WHERE b.uid = :uid AND (CAST(:epoch AS text) IS NULL OR b.epoch = :epoch) AND upper_inf(b.recorded)
ORDER BY c.flown_to DESC NULLS LAST, b.epoch DESC LIMIT :most
"""
_PARCEL: Final = """
SELECT p.uid AS key, ST_AsBinary(p.geom) AS shape, p.version, p.ward_code, p.sheet_no, p.parcel_no, p.land_use,
    p.area_legal, p.area_measured, p.address, encode(p.digest, 'hex') AS digest
FROM diaba.parcel_version p
WHERE upper_inf(p.recorded) AND p.valid @> current_date
    AND CASE WHEN CAST(:uid AS text) IS NULL
        THEN ST_Intersects(p.geom, ST_SetSRID(ST_GeomFromWKB(:shape), (SELECT srid FROM diaba.city)))
        ELSE p.uid = :uid END
ORDER BY ST_Area(ST_Intersection(p.geom, ST_SetSRID(ST_GeomFromWKB(:shape), (SELECT srid FROM diaba.city)))) DESC,
    p.uid LIMIT :most
"""
_PERMIT: Final = """
SELECT p.permit_no AS key, ST_AsBinary(l.geom) AS shape, p.version, p.type, p.status, p.issued, p.expires, p.use,
    p.superseded_by, l.ground_area_m2, l.gross_floor_area_m2, l.floors, l.basements, l.height_m, l.setback_front_m,
    l.setback_rear_m, l.ground_level_m, encode(p.digest, 'hex') AS digest
FROM diaba.permit p LEFT JOIN diaba.permit_limit l USING (permit_no, version)
WHERE upper_inf(p.recorded)
    AND CASE WHEN CAST(:number AS text) IS NULL
        THEN p.parcel_uid = CAST(:parcel AS text) AND p.status = 'valid' AND l.geom IS NOT NULL
        ELSE p.permit_no = :number END
ORDER BY p.permit_no LIMIT :most
"""
_NEAR_PARCELS: Final = f"""
SELECT uid AS key, ST_AsBinary(geom) AS shape, version, sheet_no, parcel_no FROM diaba.parcel_version
WHERE geom && {_BOX} AND upper_inf(recorded) AND valid @> current_date ORDER BY uid LIMIT :most
"""  # noqa: S608  names of this file
_NEAR_BUILDINGS: Final = f"""
SELECT uid AS key, ST_AsBinary(footprint) AS shape, version, ground_height, height FROM diaba.building_version
WHERE footprint && {_BOX} AND epoch = :epoch AND upper_inf(recorded) ORDER BY uid LIMIT :most
"""  # noqa: S608
_NEAR_ROADS: Final = f"""
SELECT uid AS key, ST_AsBinary(geom) AS shape, version, name, reserve_width_m FROM diaba.road
WHERE ST_DWithin(geom, {_BOX}, coalesce(reserve_width_m, 0) / 2) AND upper_inf(recorded) AND valid @> current_date
ORDER BY uid LIMIT :most
"""  # noqa: S608
_NEAR_ZONES: Final = """
SELECT uid AS key, ST_AsBinary(geom) AS shape, version, level, land_use, density_pct, far, floors_max, height_max_m,
    decision
FROM diaba.planning_zone
WHERE ST_Intersects(geom, ST_SetSRID(ST_GeomFromWKB(:shape), :srid)) AND upper_inf(recorded) AND valid @> current_date
ORDER BY uid LIMIT :most
"""
_POINTS: Final = f"""
SELECT path, sha256, CAST(NULL AS double precision) FROM diaba.point_product
WHERE epoch = :epoch AND extent && {_BOX} ORDER BY tile_key LIMIT :most
"""  # noqa: S608
_SURVEYS: Final = """
SELECT path, sha256, density FROM diaba.lidar_tile
WHERE epoch = :epoch AND ST_Intersects(extent, ST_SetSRID(ST_GeomFromWKB(:shape), :srid)) ORDER BY path LIMIT :most
"""

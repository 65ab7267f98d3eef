"""From the facts of the store and the points of its files to the value of an evidence sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from math import ceil, isfinite
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from api.evidence import geometry, sheet
from api.evidence.compared import comparisons
from api.evidence.limits import Applied, applied
from api.evidence.sheet import Drawing, EvidenceSheet, Place
from gis.bounds import BoundingBox
from gis.crs import horizontal, name_of, vertical_label
from gis.errors import UnreadableFile
from gis.settings import City
from gis.store.evidence import Facts, Shape, Step
from lidar.point_cloud import NOISE, Class, PointCloud
from lidar.read import read

HALF_WIDTH: Final = 0.75
"""Metres on both sides of a section's line of which points are shown: at 4 points/m², six on each metre."""
SECTION_MOST: Final = 4_000
CLOUD_MOST: Final = 2_500
"""Points in the section and around the model; of more every n-th is shown."""
CLOUD_AROUND: Final = 2.0
"""Metres around the building of which points are shown with the model."""
COARSE: Final = 0.2
"""Metres between points that are read of a denser survey, about: finer ones change no picture."""


def sheet_of(facts: Facts, city: City, software: str, holders: Sequence[str] | None = None) -> EvidenceSheet:
    """The sheet of a building.

    Args:
        facts: As the registers have them.
        city: The city, in whose folder the files lie.
        software: Version of the program.
        holders: Who has a right in the land, for readers who may see people.

    Raises:
        UnreadableFile: a point file of the catalogue is missing or damaged.
    """
    limits = applied(facts, city)
    measured = _measured(facts.building)
    permit = None if facts.permit is None else _permit(facts.permit)
    drawing = _drawing(facts, city, limits)
    return EvidenceSheet(
        software=software,
        city=city.name,
        invented=facts.is_demo,
        crs=name_of(horizontal(city.crs)),
        vertical=vertical_label(city.crs),
        finding=None if facts.finding is None else _finding(facts.finding),
        open_cases=facts.open_cases,
        measured=measured,
        comparisons=comparisons(facts, measured, limits.front),
        limits=limits.limits,
        parcel=None if facts.parcel is None else _parcel(facts.parcel),
        holders=None if holders is None else tuple(holders),
        permit=permit,
        survey=_survey(facts),
        history=tuple(_step(step) for step in facts.steps),
        inputs=_inputs(facts),
        drawing=drawing,
    )


def _finding(row: Mapping[str, Any]) -> sheet.Finding:
    return sheet.Finding(
        case=row["id"],
        kind=row["kind"],
        status=row["status"],
        actual=_rounded(row["actual"]),
        limit=_rounded(row["limit_value"]),
        unit=row["unit"],
        delta=_rounded(row["delta"]),
        sigma=_rounded(row["sigma"]),
        confidence=_rounded(row["confidence"], 5),
        evidence={name: _plain(value) for name, value in sorted(row["evidence"].items())},
    )


def _step(step: Step) -> sheet.Step:
    return sheet.Step(
        since=step.since.isoformat(timespec="seconds"),
        status=step.status,
        outcome=step.outcome,
        inspected_on=_day(step.inspected_on),
        measured=_rounded(step.measured),
    )


def _measured(building: Shape) -> sheet.Measured:
    facts, extra = building.facts, building.facts["attributes"]
    height, ground = _rounded(facts["height"]), _rounded(facts["ground_height"])
    sigma_area = _rounded(facts["sigma_area"])
    return sheet.Measured(
        building=building.key,
        height=height,
        sigma_height=_rounded(facts["sigma_height"]),
        ground_height=ground,
        roof_height=None if height is None or ground is None else round(ground + height, 3),
        roof_height_max=_rounded(facts["roof_height_max"]),
        area=_rounded(facts["area"]),
        sigma_area=sigma_area,
        sigma_outline=None if sigma_area is None else _rounded(sigma_area / _walls(building)),
        storeys=_whole(extra.get("storeys")),
        storeys_least=_whole(extra.get("storeys_least")),
        storeys_most=_whole(extra.get("storeys_most")),
        level_of_detail=facts["lod"],
        points=facts["point_count"],
        density=_rounded(facts["point_density"], 2),
        no_data_share=_rounded(facts["no_data_fraction"]),
        outline="derived" if extra.get("footprint_source") == "derived" else "known",
    )


def _walls(building: Shape) -> float:
    """√(Σ l²) of the outline's sides, m: the area's σ is that of a wall times it (`lidar.reconstruct`)."""
    sides = np.diff(shapely.get_coordinates(shapely.get_exterior_ring(building.geometry)), axis=0)
    return float(np.sqrt((sides**2).sum()))


def _parcel(parcel: Shape) -> sheet.Parcel:
    facts = parcel.facts
    return sheet.Parcel(
        uid=parcel.key,
        ward=facts["ward_code"],
        sheet=facts["sheet_no"],
        number=facts["parcel_no"],
        land_use=facts["land_use"],
        area_legal=_rounded(facts["area_legal"], 2),
        area_measured=round(facts["area_measured"], 2),
        address=facts["address"],
    )


def _permit(permit: Shape) -> sheet.Permit:
    facts = permit.facts
    return sheet.Permit(
        number=permit.key,
        type=facts["type"],
        status=facts["status"],
        issued=_day(facts["issued"]),
        expires=_day(facts["expires"]),
        use=facts["use"],
        floors=facts["floors"],
        height=_rounded(facts["height_m"]),
        ground_area=_rounded(facts["ground_area_m2"], 2),
        floor_area=_rounded(facts["gross_floor_area_m2"], 2),
        setback_front=_rounded(facts["setback_front_m"]),
        setback_rear=_rounded(facts["setback_rear_m"]),
        ground_level=_rounded(facts["ground_level_m"]),
    )


def _survey(facts: Facts) -> sheet.Survey:
    extra = facts.building.facts["attributes"]
    densities = [file.density for file in facts.surveys if file.density is not None]
    return sheet.Survey(
        epoch=facts.building.facts["epoch"],
        first_day=_day(extra.get("survey_first_day") or facts.flown[0]),
        last_day=_day(extra.get("survey_last_day") or facts.flown[1]),
        density=_rounded(min(densities), 2) if densities else None,
        point_noise=_rounded(extra.get("point_noise_m")),
        files=len(facts.surveys),
    )


def _inputs(facts: Facts) -> tuple[sheet.Input, ...]:
    shapes: list[tuple[Literal["building", "parcel", "permit"], Shape | None]] = [
        ("building", facts.building),
        ("parcel", facts.parcel),
        ("permit", facts.permit),
    ]
    found = []
    if (row := facts.finding) is not None:
        found.append(sheet.Input(what="case", name=row["id"], version=row["version"], sha256=row["digest"]))
    found += [
        sheet.Input(what=what, name=one.key, version=one.facts["version"], sha256=one.facts["digest"])
        for what, one in shapes
        if one is not None
    ]
    found += [sheet.Input(what="points", name=_name(f.path), version=None, sha256=f.sha256) for f in facts.points]
    found += [sheet.Input(what="survey", name=_name(f.path), version=None, sha256=f.sha256) for f in facts.surveys]
    return tuple(found)


def _name(path: str) -> str:
    """The file's name and the folder it is in: where folders lie is nobody's business."""
    return "/".join(path.replace("\\", "/").split("/")[-2:])


def _drawing(facts: Facts, city: City, limits: Applied) -> Drawing:
    footprint = facts.footprint
    parcel = None if facts.parcel is None else facts.parcel.geometry
    shown = footprint if parcel is None else footprint.union(parcel)
    origin, half = _frame(shown)
    frame = shapely.box(*origin, origin[0] + 2 * half, origin[1] + 2 * half)
    permitted = Polygon() if facts.permit is None else facts.permit.geometry
    cut = geometry.section_line(footprint, _allowed(facts, permitted, parcel), parcel)
    corners, faces = geometry.mesh(facts.solid)
    points = _points(facts, city, shapely.union(frame, cut))
    return Drawing(
        origin=origin,
        half_side=100 * half,
        parcel=geometry.area(parcel, origin) if isinstance(parcel, Polygon) else None,
        footprint=geometry.area(footprint, origin),
        permitted=geometry.areas(permitted, origin),
        setback=() if limits.setback is None else geometry.lines(limits.setback.intersection(frame), origin),
        parcels=tuple(
            sheet.Neighbour(label=one.facts["parcel_no"] or "", area=area)
            for one in facts.parcels
            if facts.parcel is None or one.key != facts.parcel.key
            for area in geometry.areas(one.geometry.intersection(frame), origin)
        ),
        buildings=tuple(
            sheet.Neighbour(label="", area=area, low=_cm(one.facts["ground_height"]), high=_top(one.facts))
            for one in facts.buildings
            for area in geometry.areas(one.geometry.intersection(frame), origin)
        ),
        roads=tuple(road for one in facts.roads if (road := _road(one, frame, origin)) is not None),
        section=_section(facts, cut, points, origin, corners, faces, permitted, parcel),
        corners=tuple(
            (*place, _cm(float(z)) or 0)
            for place, z in zip(geometry.to_cm(corners, origin), corners[:, 2], strict=True)
        ),
        triangles=tuple((int(a), int(b), int(c)) for a, b, c in faces),
        cloud=_cloud(points, footprint, origin),
    )


def _frame(shown: BaseGeometry) -> tuple[Place, int]:
    """South-western corner and half a side, in whole metres, of a square with the neighbours and the road in it."""
    west, south, east, north = shown.bounds
    side = max(east - west, north - south)
    half = ceil(side / 2 + float(np.clip(0.4 * side, 8.0, 16.0)))
    return (round((west + east) / 2) - half, round((south + north) / 2) - half), half


def _allowed(facts: Facts, permitted: BaseGeometry, parcel: BaseGeometry | None) -> BaseGeometry | None:
    """What the building must not stand out of, where that is what the case is about."""
    kind = None if facts.finding is None else facts.finding["kind"]
    if kind in ("footprint", "setback"):
        return permitted
    return parcel if kind in ("parcel_line", "reserve") else None


def _road(road: Shape, frame: Polygon, origin: Place) -> sheet.Road | None:
    width = road.facts["reserve_width_m"]
    axis = road.geometry.intersection(frame)
    reserve = road.geometry.buffer((width or 0.0) / 2, cap_style="flat").intersection(frame)
    longest = max(geometry.lines(axis, origin), key=len, default=())
    if not longest and reserve.is_empty:
        return None
    return sheet.Road(
        label=road.facts["name"] or road.key, width=width, axis=longest, reserve=geometry.areas(reserve, origin)
    )


def _section(
    facts: Facts,
    cut: LineString,
    points: PointCloud | None,
    origin: Place,
    corners: NDArray[np.float64],
    faces: NDArray[np.int64],
    permitted: BaseGeometry,
    parcel: BaseGeometry | None,
) -> sheet.Section:
    footprint = facts.footprint
    start, end = geometry.line(cut, origin)
    return sheet.Section(
        start=start,
        end=end,
        half_width=round(HALF_WIDTH * 100),
        points=_slice(points, cut, footprint),
        footprint=geometry.crossings(cut, footprint),
        permitted=geometry.crossings(cut, permitted),
        parcel=() if parcel is None else geometry.crossings(cut, parcel),
        profile=tuple(geometry.profile(cut, corners, faces)),
    )


def _points(facts: Facts, city: City, area: BaseGeometry) -> PointCloud | None:
    """The points of the catalogue's files over an area, without noise; None where there is no file."""
    bounds = BoundingBox(*area.bounds, crs=horizontal(city.crs))
    clouds = []
    for file in facts.points:
        path = city.folder / file.path
        if not path.exists():
            raise UnreadableFile(file.path, "a point file of the catalogue is not there")
        clouds.append(_read(path, bounds))
    if not clouds:
        return None
    cloud = PointCloud.concatenated(clouds)
    return cloud.subset(~np.isin(cloud.classification, NOISE))


def _read(path: Path, bounds: BoundingBox) -> PointCloud:
    resolution = COARSE if path.name.endswith(".copc.laz") else None
    return read(path, bounds=bounds, resolution=resolution, attributes=frozenset())


def _slice(
    points: PointCloud | None, cut: LineString, footprint: Polygon
) -> tuple[tuple[int, int, Literal[0, 1, 2]], ...]:
    if points is None:
        return ()
    (x0, y0), (x1, y1) = cut.coords
    along, across = np.array([x1 - x0, y1 - y0]) / cut.length, np.array([y0 - y1, x1 - x0]) / cut.length
    shifted = np.stack([points.x - x0, points.y - y0], axis=1)
    distance, side = shifted @ along, shifted @ across
    chosen = (abs(side) <= HALF_WIDTH) & (distance >= 0) & (distance <= cut.length)
    places = np.stack([points.x, points.y], axis=1)[chosen]
    on_roof = shapely.contains_xy(footprint, places) & (points.classification[chosen] == Class.BUILDING)
    code = np.where(points.classification[chosen] == Class.GROUND, 1, np.where(on_roof, 2, 0))
    rows = np.stack([np.rint(distance[chosen] * 100), np.rint(points.z[chosen] * 100), code], axis=1).astype(int)
    return tuple((int(d), int(z), c) for d, z, c in _thinned(rows, SECTION_MOST))


def _cloud(points: PointCloud | None, footprint: Polygon, origin: Place) -> tuple[tuple[int, int, int], ...]:
    if points is None:
        return ()
    places = np.stack([points.x, points.y], axis=1)
    near = shapely.contains_xy(footprint.buffer(CLOUD_AROUND), places)
    rows = np.column_stack([geometry.to_cm(places[near], origin) or np.empty((0, 2)), np.rint(points.z[near] * 100)])
    return tuple((int(x), int(y), int(z)) for x, y, z in _thinned(rows.astype(int), CLOUD_MOST))


def _thinned(rows: NDArray[np.int_], most: int) -> NDArray[np.int_]:
    """Rows in one order whatever the files' was, evenly thinned out to the most that is shown."""
    ordered = rows[np.lexsort(rows.T[::-1])]
    return ordered[:: -(-len(ordered) // most)] if len(ordered) > most else ordered


def _top(facts: Mapping[str, Any]) -> int | None:
    ground, height = facts["ground_height"], facts["height"]
    return None if ground is None or height is None else _cm(ground + height)


def _cm(value: float | None) -> int | None:
    return None if value is None or not isfinite(value) else round(value * 100)


def _rounded(value: Any, digits: int = 3) -> float | None:
    return None if value is None or not isfinite(value) else round(float(value), digits)


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)


def _day(value: date | str | None) -> str | None:
    return value.isoformat() if isinstance(value, date) else value


def _plain(value: Any) -> str | int | float | bool | None:
    if isinstance(value, float):
        return _rounded(value)
    return value if value is None or isinstance(value, str | int) else str(value)

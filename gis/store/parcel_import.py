"""Parcels of files into the register: checked against what it has, then all of them or nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from shapely import Polygon
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection, text

from gis import crs as reference
from gis.errors import BadInput, MissingCrs
from gis.land.exchange.checks import (
    MAP_SCALE,
    Neighbourhood,
    Placed,
    check_area,
    check_numbers,
)
from gis.land.exchange.placement import check_placement
from gis.land.exchange.problems import Kind, Problem
from gis.land.exchange.record import Incoming, ParcelRecord
from gis.land.exchange.report import ImportReport
from gis.land.exchange.shapes import moved, single
from gis.land.land_use import adds_up, documents, main_use, of_documents, parsed, total, written
from gis.store import parcel_versions, parcels
from gis.store.geometry import city_crs, encode
from gis.store.parcel_versions import ATTRIBUTES, Bounds, KnownVersion
from gis.store.versions import Saved, since

SAME_CORNER = 0.0005
"""m; outlines whose corners moved by less are the same, so that a way through another CRS changes nothing."""
CORNERS_OF = 20_000
"""Parcels of the register whose corners a file is held against."""
Step = Callable[[str], None]
"""Is told what is being done."""


@dataclass(frozen=True, slots=True)
class ParcelImport:
    """Files that were checked: the report, and the rows that would be recorded."""

    report: ImportReport
    rows: tuple[Mapping[str, Any], ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A record whose parcel is known, or is new."""

    record: ParcelRecord
    polygon: Polygon | None
    incoming: Incoming
    versions: tuple[KnownVersion, ...]
    start: date
    end: date | None

    @property
    def base(self) -> KnownVersion | None:
        """The version whose values stand where the file has no such column: that of the first day, else the last."""
        meeting = [known for known in self.versions if known.meets(self.start, self.end)]
        return meeting[0] if meeting else (self.versions[-1] if self.versions else None)


def check(
    connection: Connection,
    files: Sequence[Incoming],
    *,
    valid_from: date,
    scale: int = MAP_SCALE,
    step: Step = lambda _: None,
) -> ParcelImport:
    """Hold the files against the register; nothing is written.

    Other imports wait until the caller's transaction ends, so that what is checked still holds when it is saved.

    Args:
        connection: The caller's transaction.
        files: What was read.
        valid_from: Since when it is so, of records that do not say.
        scale: Denominator of the cadastral map's scale, by which areas may differ.
        step: Is told what is being done.

    Raises:
        MissingCrs: a file does not say its CRS.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('diaba.parcel_version', 0))"))
    prepared = prepare(connection, files, valid_from=valid_from, scale=scale, step=step)
    step("neighbours")
    whole = prepared.part(slice(0, len(prepared)))
    return ParcelImport(prepared.report([whole]), whole.rows)


def prepare(
    connection: Connection,
    files: Sequence[Incoming],
    *,
    valid_from: date,
    scale: int = MAP_SCALE,
    step: Step = lambda _: None,
) -> Prepared:
    """Put the files' parcels in their place, match them with the register's, and find what is wrong with their numbers.

    What takes long is left to `Prepared.part`. Arguments and errors are those of `check`.
    """
    city = reference.horizontal(city_crs(connection))
    step("place")
    placed, problems = _in_city(connection, files, city)
    records = [record for incoming in placed for record in incoming.records]
    problems += check_numbers(records)
    candidates: list[_Candidate] = []
    step("match")
    known = _Register.of(connection, records)
    reported = {(problem.record, problem.kind) for problem in problems}
    for incoming in placed:
        for record in incoming.records:
            candidate, wrong = _candidate(incoming, record, known, valid_from)
            candidates.append(candidate)
            # A ring that could not even be read has been told of already.
            problems += [p for p in wrong if p.kind is not Kind.NO_GEOMETRY or not _is_told(record, reported)]
    candidates = _with_uids(connection, candidates)
    srid = reference.srid(city)
    return Prepared(
        tuple(str(incoming.path) for incoming in files),
        tuple(candidates),
        tuple(problems),
        _neighbourhood(connection, candidates, srid),
        srid,
        scale,
    )


@dataclass(frozen=True, slots=True)
class Part:
    """What was found of some of the records of an import, and the rows to record of them."""

    problems: tuple[Problem, ...]
    new: int
    changed: int
    unchanged: int
    rows: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Prepared:
    """An import whose records are matched with the register; its parts may be checked one after another."""

    files: tuple[str, ...]
    candidates: tuple[_Candidate, ...] = field(repr=False)
    problems: tuple[Problem, ...]
    """What is wrong so far."""
    neighbourhood: Neighbourhood = field(repr=False)
    srid: int
    scale: int

    def __len__(self) -> int:
        """Records."""
        return len(self.candidates)

    def part(self, part: slice) -> Part:
        """Check records against their neighbours and the register, and make their rows; together all are all."""
        candidates = self.candidates[part]
        before = sum(map(_is_drawn, self.candidates[: part.start]))
        drawn = slice(before, before + sum(map(_is_drawn, candidates)))
        problems = [*self.neighbourhood.overlaps(drawn), *self.neighbourhood.gaps(drawn)]
        problems += [p for c in candidates if c.polygon and (p := check_area(c.record, c.polygon.area, self.scale))]
        rows: list[dict[str, Any]] = []
        outlines: list[Polygon] = []
        new = unchanged = 0
        for candidate in candidates:
            row = _row(candidate)
            if row is not None:
                problems += _check_uses(candidate, row[0])
                rows.append(row[0])
                outlines.append(row[1])
                new += not candidate.versions
                problems += _later_change(candidate)
            elif candidate.polygon is not None:
                unchanged += 1
        for values, outline in zip(rows, encode(outlines, self.srid), strict=True):
            values["geom"] = outline
        return Part(tuple(problems), new, len(rows) - new, unchanged, tuple(rows))

    def report(self, parts: Sequence[Part]) -> ImportReport:
        """What was found in all, errors first."""
        problems = [*self.problems, *(problem for part in parts for problem in part.problems)]
        return ImportReport(
            self.files,
            tuple(replace(one.record, shape=one.polygon or one.record.shape) for one in self.candidates),
            tuple(sorted(problems, key=lambda problem: not problem.is_error)),
            sum(part.new for part in parts),
            sum(part.changed for part in parts),
            sum(part.unchanged for part in parts),
        )

    @property
    def bounds(self) -> Bounds | None:
        """The rectangle around the outlines, in the city's CRS; None where there is none."""
        outlines = [one.polygon for one in self.candidates if one.polygon is not None]
        if not outlines:
            return None
        west, south, east, north = (float(edge) for edge in shapely.total_bounds(np.array(outlines, dtype=object)))
        return west, south, east, north

    @property
    def uids(self) -> list[str]:
        """The parcels' names."""
        return [one.record.uid for one in self.candidates if one.record.uid is not None]

    @property
    def numbers(self) -> list[str]:
        """Sheet and parcel numbers, "12/345"."""
        return ["/".join(one.record.number[1:]) for one in self.candidates if one.record.number is not None]


def save(connection: Connection, checked: ParcelImport) -> Saved:
    """Record what was checked, in the same transaction.

    Raises:
        BadInput: the check found errors.
    """
    if checked.report.errors:
        first = checked.report.errors[0]
        raise BadInput(f"{first.record}: {first.en}")
    return parcels.save(connection, checked.rows)


@dataclass(frozen=True, slots=True)
class _Register:
    """What the register knows of the parcels that come in."""

    by_uid: Mapping[str, Sequence[KnownVersion]]
    by_number: Mapping[tuple[str, str], Sequence[KnownVersion]]
    coming: frozenset[str]
    """The uids that come in."""

    @classmethod
    def of(cls, connection: Connection, records: Sequence[ParcelRecord]) -> _Register:
        numbers = {record.number[1:] for record in records if record.number is not None}
        of_numbers = parcel_versions.of_numbers(connection, numbers)
        coming = {record.uid for record in records if record.uid is not None}
        asked = coming | {version.uid for version in of_numbers}
        by_uid: dict[str, list[KnownVersion]] = defaultdict(list)
        by_number: dict[tuple[str, str], list[KnownVersion]] = defaultdict(list)
        for version in parcel_versions.of_uids(connection, asked):
            by_uid[version.uid].append(version)
            number = (str(version.values["sheet_no"]), str(version.values["parcel_no"]))
            by_number[number].append(version)
        for versions in by_uid.values():
            versions.sort(key=lambda version: version.start or date.min)
        return cls(by_uid, by_number, frozenset(coming))

    def with_number(self, record: ParcelRecord, start: date, end: date | None) -> list[str]:
        """The parcels that have the record's number at its time."""
        if record.number is None:
            return []
        ward, sheet, parcel = record.number
        return sorted(
            {
                version.uid
                for version in self.by_number.get((sheet, parcel), ())
                if version.meets(start, end) and (not ward or version.values["ward_code"] in (None, ward))
            }
        )


def _candidate(
    incoming: Incoming, record: ParcelRecord, known: _Register, valid_from: date
) -> tuple[_Candidate, list[Problem]]:
    start, end = record.valid_from or valid_from, record.valid_to
    holders = known.with_number(record, start, end)
    problems: list[Problem] = []
    if record.uid is None and len(holders) == 1 and holders[0] not in known.coming:
        record = replace(record, uid=holders[0])
    for holder in holders:
        if holder != record.uid and holder not in known.coming:
            facts = {"number": f"{record.sheet_no}/{record.parcel_no}", "uid": holder}
            problems.append(Problem(Kind.NUMBER_TAKEN, record.name, facts, record.shape))
    versions = tuple(known.by_uid.get(record.uid, ())) if record.uid is not None else ()
    candidate = _Candidate(record, None, incoming, versions, start, end)
    if not incoming.has_shapes:
        base = candidate.base
        if base is None and record.uid is None and record.number is None:
            return candidate, problems
        if base is None:
            number = record.uid or f"{record.sheet_no}/{record.parcel_no}"
            return candidate, [*problems, Problem(Kind.NOT_IN_REGISTER, record.name, {"number": number})]
        return replace(candidate, polygon=base.shape), problems
    polygon, wrong = single(record.name, record.shape)
    return replace(candidate, polygon=polygon), [*problems, *([wrong] if wrong else [])]


def _is_told(record: ParcelRecord, reported: set[tuple[str, Kind]]) -> bool:
    grounds = (Kind.INVALID_RING, Kind.OPEN_BOUNDARY, Kind.BROKEN_RECORD)
    return any((name, kind) in reported for name in (record.source, record.name) for kind in grounds)


def _in_city(connection: Connection, files: Sequence[Incoming], city: CRS) -> tuple[list[Incoming], list[Problem]]:
    """The files with their shapes in the city's CRS, and what is wrong with them so far."""
    placed: list[Incoming] = []
    problems: list[Problem] = []
    srid = reference.srid(city)
    for incoming in files:
        if not incoming.has_shapes:
            placed.append(incoming)
            problems += incoming.problems
            continue
        shapes = np.array([record.shape for record in incoming.records], dtype=object)
        problem, hint = check_placement(
            incoming.path.name,
            shapely.get_coordinates(shapes),
            incoming.crs,
            city,
            lambda bounds: parcel_versions.corners(connection, bounds, srid, CORNERS_OF),
        )
        if incoming.crs is None:
            raise MissingCrs(incoming.path, f"its coordinates say {hint.removeprefix('they ')}" if hint else "")
        if problem is not None:
            problems.append(problem)
        places = _moved(np.array([p.shape for p in incoming.problems], dtype=object), incoming.crs, city)
        problems += [replace(p, shape=shape) for p, shape in zip(incoming.problems, places, strict=True)]
        records = tuple(
            record if shape is record.shape else replace(record, shape=shape)
            for record, shape in zip(incoming.records, _moved(shapes, incoming.crs, city), strict=True)
        )
        placed.append(replace(incoming, records=records))
    return placed, problems


def _moved(shapes: NDArray[np.object_], source: CRS, city: CRS) -> NDArray[np.object_]:
    found = moved(shapes, source, city).copy()
    # What is beyond the projection becomes infinite, which no file can hold.
    bounds = shapely.bounds(found)
    found[np.isinf(bounds).any(axis=1)] = None
    return found


def _with_uids(connection: Connection, candidates: Sequence[_Candidate]) -> list[_Candidate]:
    """Give new parcels without a uid one made of their number, which no other parcel has or ever had."""
    wanted = {_uid(c.record) for c in candidates if c.record.uid is None and c.record.number}
    taken = parcel_versions.named(connection, wanted)
    taken |= {c.record.uid for c in candidates if c.record.uid is not None}
    given: list[_Candidate] = []
    for candidate in candidates:
        record = candidate.record
        if record.uid is None and record.number is not None:
            uid, count = _uid(record), 1
            while uid in taken:
                count += 1
                uid = f"{_uid(record)}_{count}"
                taken |= parcel_versions.named(connection, [uid])
            taken.add(uid)
            record = replace(record, uid=uid)
        given.append(replace(candidate, record=record))
    return given


def _uid(record: ParcelRecord) -> str:
    return "-".join(part for part in (record.ward_code, record.sheet_no, record.parcel_no) if part)


def _is_drawn(candidate: _Candidate) -> bool:
    return candidate.incoming.has_shapes and candidate.polygon is not None


def _neighbourhood(connection: Connection, candidates: Sequence[_Candidate], srid: int) -> Neighbourhood:
    """The parcels that come in, and the register's around them."""
    drawn = [(c, c.polygon) for c in candidates if _is_drawn(c) and c.polygon is not None]
    if not drawn:
        return Neighbourhood((), (), Placed())
    polygons = [polygon for _, polygon in drawn]
    names = [candidate.record.name for candidate, _ in drawn]
    x0, y0, x1, y1 = shapely.total_bounds(np.array(polygons, dtype=object))
    coming = [candidate.record.uid for candidate, _ in drawn if candidate.record.uid is not None]
    start = min(candidate.start for candidate, _ in drawn)
    there = parcel_versions.within(connection, (x0 - 1, y0 - 1, x1 + 1, y1 + 1), srid, coming)
    # Of a parcel with several versions in that time the last is held against the file.
    there.sort(key=lambda version: version.start or date.min)
    last = {version.uid: version for version in there if version.meets(start, None)}
    around = Placed(tuple(last), tuple(version.shape for version in last.values()))
    times = [(one.start, one.end) for one, _ in drawn] + [(one.start, one.end) for one in last.values()]
    return Neighbourhood(names, polygons, around, times)


def _row(candidate: _Candidate) -> tuple[dict[str, Any], Polygon] | None:
    """What is to be recorded, and its outline; None where the parcel is known just so."""
    record, polygon, base = candidate.record, candidate.polygon, candidate.base
    if polygon is None or record.uid is None:
        return None
    columns = candidate.incoming.columns | {"uid"}
    values: dict[str, Any] = {
        name: getattr(record, name) if name in columns or base is None else base.values[name] for name in ATTRIBUTES
    }
    uses = parsed(values["land_uses"])
    values["land_use"] = values["land_use"] or main_use(uses)
    for version in candidate.versions:
        if version.values == values and _is_same(version.shape, polygon):
            same_time = (version.start, version.end) == (candidate.start, candidate.end)
            if same_time or (record.valid_from is None and version.meets(candidate.start, candidate.end)):
                return None
    if base is not None and _is_same(base.shape, polygon):
        polygon = base.shape
    del values["land_uses"]
    if uses:
        values["land_uses"] = documents(uses)
    return values | {"area_measured": polygon.area, "valid": since(candidate.start, candidate.end)}, polygon


def _check_uses(candidate: _Candidate, row: Mapping[str, Any]) -> list[Problem]:
    """Whether land uses told with areas are the parcel's area together, and its main use one of them."""
    uses = of_documents(row.get("land_uses"))
    legal = row["area_legal"]
    area = float(row["area_measured"] if legal is None else legal)
    if not uses or (adds_up(uses, area) and row["land_use"] in {one.code for one in uses}):
        return []
    facts = {"uses": written(uses), "total_m2": total(uses), "area_m2": area, "use": row["land_use"]}
    return [Problem(Kind.LAND_USES, candidate.record.name, facts, candidate.polygon)]


def _later_change(candidate: _Candidate) -> list[Problem]:
    """A version that began after the record's own time did, and would end by it."""
    later = [v.start for v in candidate.versions if v.start is not None and v.start > candidate.start]
    undone = [day for day in later if candidate.end is None or day < candidate.end]
    if not undone:
        return []
    facts = {"uid": candidate.record.uid, "day": min(undone).isoformat()}
    return [Problem(Kind.LATER_CHANGE, candidate.record.name, facts, candidate.polygon)]


def _is_same(one: BaseGeometry, other: BaseGeometry) -> bool:
    """Whether two outlines have the same corners, wherever they begin and whichever way they turn."""
    if shapely.get_num_coordinates(one) != shapely.get_num_coordinates(other):
        return False
    if shapely.equals_exact(one, other, SAME_CORNER):
        return True
    if np.abs(shapely.bounds(one) - shapely.bounds(other)).max() > SAME_CORNER:
        return False
    return bool(shapely.hausdorff_distance(one.boundary, other.boundary) < SAME_CORNER)

"""Cases as offices work through them: differences of the register, what was seen of each, and whose turn it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from json import loads
from typing import Any

from sqlalchemy import Connection, Row, text

from gis.construction.case_statistics import TARGET, JudgedCase, KindStatistics, statistics
from gis.construction.inspections import CaseStatus
from gis.errors import NotFound
from gis.store.collections import COLLECTIONS, KNOWN_AT, NOW, Collection, Moment, known
from gis.store.cql2 import Condition
from gis.store.items import Form, Item, ItemQuery, Page, SortKey, counted, find_item, find_page

SUREST_FIRST = (SortKey("confidence", descending=True),)
"""The order of a list that asks for none."""
_ISO = "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
_BEFORE = f"recorded_at <= {KNOWN_AT}"


def _key_is(alias: str, **key: str) -> str:
    """SQL of a condition that a row of versions has a key, written so that the primary key's index finds it.

    As equality it would be looked up in the index that keeps versions apart, which took sixty times as long.
    """
    row, wanted = ", ".join(f"{alias}.{name}" for name in key), ", ".join(key.values())
    return f"({row}, {alias}.version) >= ({wanted}, 0) AND ({row}, {alias}.version) <= ({wanted}, 2147483647)"


def _newest_of_parcel(column: str) -> str:
    """SQL of what is known of a case's parcel, also of one that has ended."""
    return (
        f"(SELECT v.{column} FROM diaba.parcel_version v WHERE {_key_is('v', uid='d.parcel_uid')} AND {known('v')} "  # noqa: S608
        "ORDER BY lower(v.valid) DESC NULLS LAST, v.version DESC LIMIT 1)"
    )


def _last_of(table: str, column: str) -> str:
    """SQL of a column of the last row about a case."""
    return (
        f"(SELECT r.{column} FROM diaba.{table} r WHERE r.case_id = d.id AND r.{_BEFORE} "  # noqa: S608
        "ORDER BY r.number DESC LIMIT 1)"
    )


WARD = _newest_of_parcel("ward_code")
# Of the parcels that were ever known in the ward, those whose newest says so: found once, not anew for every case.
_OF_WARD = (
    "d.parcel_uid IN (SELECT p.uid FROM (SELECT DISTINCT ON (v.uid) v.uid, v.ward_code FROM diaba.parcel_version v "  # noqa: S608
    f"WHERE v.uid IN (SELECT w.uid FROM diaba.parcel_version w WHERE w.ward_code = :of_ward) AND {known('v')} "
    "ORDER BY v.uid, lower(v.valid) DESC NULLS LAST, v.version DESC) p WHERE p.ward_code = :of_ward)"
)
ASSIGNED_TO = _last_of("case_assignment", "assignee")
CASES = Collection(
    # Of whose number some may not be told more than what they see (`gis.store.changes.reaches`).
    id="discrepancies",
    version="d.version",
    title="Hồ sơ kiểm tra · Cases",
    description="Differences to inspect, and what inspections found.",
    # What is beside the difference itself is looked up where it is asked for: most cases of a list are not on its page.
    source="diaba.discrepancy d",
    key="d.id",
    geometry="COALESCE((SELECT b.footprint FROM diaba.building_version b "  # noqa: S608  constants
    f"WHERE {_key_is('b', uid='d.building_uid', epoch='d.epoch')} AND {known('b')} LIMIT 1), "
    f"{_newest_of_parcel('geom')})",
    known=known("d"),
    properties={
        **COLLECTIONS["discrepancies"].properties,
        "ward_code": WARD,
        "assigned_to": ASSIGNED_TO,
        "assigned_until": _last_of("case_assignment", "until"),
        "inspections": f"COALESCE({_last_of('inspection', 'number')}, 0)",
        "outcome": _last_of("inspection", "outcome"),
        "inspected_on": _last_of("inspection", "inspected_on"),
        "flagged_at": f"(SELECT {_ISO.format('lower(f.recorded)')} FROM diaba.discrepancy f "  # noqa: S608  constants
        "WHERE f.id = d.id AND f.version = 1)",
        "changed_at": _ISO.format("lower(d.recorded)"),
    },
)
_EVER = replace(
    CASES,
    known="d.version = (SELECT max(n.version) FROM diaba.discrepancy n WHERE n.id = d.id "  # noqa: S608  constants
    f"AND lower(n.recorded) <= {KNOWN_AT})",
    properties={
        **CASES.properties,
        # In the row itself, so that nobody is told of another version than he is shown.
        "version": "d.version",
        # What ended later was not known to end.
        "closed_at": f"CASE WHEN upper(d.recorded) <= {KNOWN_AT} THEN {_ISO.format('upper(d.recorded)')} END",
    },
)
"""Cases whether the newest run found them again or not."""


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """Which cases; what is empty asks for nothing."""

    kinds: Sequence[str] = ()
    statuses: Sequence[str] = ()
    ward: str | None = None
    epoch: str | None = None
    min_confidence: float | None = None
    building: str | None = None
    parcel: str | None = None
    assigned_to: str | None = None

    @property
    def condition(self) -> Condition | None:
        """The same for the query of a page."""
        asked = {
            "kinds": ("d.kind = ANY(CAST(:of_kinds AS text[]))", list(self.kinds) or None),
            "statuses": ("d.status = ANY(CAST(:of_statuses AS text[]))", list(self.statuses) or None),
            "ward": (_OF_WARD, self.ward),
            "epoch": ("d.epoch = :of_epoch", self.epoch),
            "min_confidence": ("d.confidence >= :of_min_confidence", self.min_confidence),
            "building": ("d.building_uid = :of_building", self.building),
            "parcel": ("d.parcel_uid = :of_parcel", self.parcel),
            "assigned_to": (f"{ASSIGNED_TO} = :of_assigned_to", self.assigned_to),
        }
        given = {name: one for name, one in asked.items() if one[1] is not None}
        if not given:
            return None
        return Condition(
            " AND ".join(sql for sql, _ in given.values()), {f"of_{name}": value for name, (_, value) in given.items()}
        )


@dataclass(frozen=True, slots=True)
class CasePage:
    """Some cases, and how many there are in all."""

    page: Page
    matched: int


@dataclass(frozen=True, slots=True)
class Case:
    """One case, and all that happened to it."""

    item: Item
    version: int
    inspections: tuple[dict[str, Any], ...]
    """The oldest first, as the table has them."""
    assignments: tuple[dict[str, Any], ...]
    other_surveys: tuple[dict[str, Any], ...]
    """Cases of other surveys about the same: id, epoch, status."""


def find(connection: Connection, query: ItemQuery, form: Form) -> CasePage:
    """A page of the cases known at a moment, in the order asked for, and their exact number.

    Which cases are on the page is found out first, with no more of each than that takes; then what is shown of them.
    """
    where = CASES if query.area is not None else replace(CASES, geometry="CAST(NULL AS geometry)")
    chosen = find_page(connection, where, query, replace(form, properties=("id",), with_geometry=False))
    ids = [loads(one)["id"] for one in chosen.features]
    on_page = Condition("d.id = ANY(CAST(:on_page AS text[]))", {"on_page": ids})
    shown = find_page(connection, CASES, ItemQuery(max(1, len(ids)), moment=query.moment, where=on_page), form)
    by_id = {loads(one)["id"]: one for one in shown.features}
    # One that a run has closed meanwhile is not shown.
    page = replace(chosen, features=tuple(by_id[one] for one in ids if one in by_id))
    return CasePage(page, counted(connection, where, query) if page.matched is None else page.matched)


def case(connection: Connection, case_id: str, moment: Moment = NOW) -> Case:
    """A case by its id, as it was known at a moment; also one that no run finds any more.

    Raises:
        NotFound: there is none, or it is not the caller's to see.
    """
    item = find_item(connection, _EVER, case_id, moment)
    if item is None:
        raise NotFound("case", case_id)
    values = {"id": case_id, "known_at": moment.known_at}
    return Case(
        item,
        int(item.properties.pop("version")),
        _rows(connection, _INSPECTIONS, values),
        _rows(connection, _ASSIGNMENTS, values),
        _rows(connection, _OTHER_SURVEYS, values),
    )


_INSPECTIONS = (
    "SELECT number, version, inspected_on, outcome, measured_value, note, actor, recorded_at FROM diaba.inspection "  # noqa: S608
    f"WHERE case_id = :id AND {_BEFORE} ORDER BY number"
)
_ASSIGNMENTS = (
    "SELECT number, version, assignee, until, note, actor, recorded_at FROM diaba.case_assignment "  # noqa: S608
    f"WHERE case_id = :id AND {_BEFORE} ORDER BY number"
)
_OTHER_SURVEYS = (
    "SELECT DISTINCT ON (o.epoch, o.id) o.id, o.epoch, o.status FROM diaba.discrepancy d "  # noqa: S608
    "JOIN diaba.discrepancy o ON o.kind = d.kind AND o.epoch <> d.epoch AND (o.building_uid = d.building_uid "
    "OR d.building_uid IS NULL AND o.building_uid IS NULL AND o.parcel_uid = d.parcel_uid) "
    "AND o.parcel_uid IS NOT DISTINCT FROM d.parcel_uid "
    f"WHERE d.id = :id AND d.version = 1 AND lower(o.recorded) <= {KNOWN_AT} "
    "ORDER BY o.epoch, o.id, o.version DESC"
)


def kind_statistics(
    connection: Connection, epoch: str | None = None, *, target: float = TARGET
) -> tuple[list[KindStatistics], float | None]:
    """What inspections say of each kind the caller sees, and the false-alarm rate that was used, where one was.

    Args:
        connection: The caller's.
        epoch: Of one survey; all without it.
        target: Share of real ones a recommended rate must have.
    """
    values = {"epoch": epoch}
    judged = [
        JudgedCase(row.kind, CaseStatus(row.status), row.confidence, not row.is_known)
        for row in connection.execute(text(_JUDGED), values)
    ]
    used = connection.scalars(text(_RATES), values).all()
    rate = float(used[0]) if len(set(used)) == 1 else None
    return statistics(judged, false_alarm_rate=rate, target=target), rate


# Whoever looked judged the newest figures; those of a case that is closed are its last.
_JUDGED = (
    "SELECT d.kind, d.status, d.confidence, upper_inf(d.recorded) AS is_known FROM diaba.discrepancy d "
    "JOIN (SELECT id, max(version) AS version FROM diaba.discrepancy GROUP BY id) n USING (id, version) "
    "WHERE CAST(:epoch AS text) IS NULL OR d.epoch = :epoch"
)
_RATES = (
    "SELECT DISTINCT ON (epoch) false_alarm_rate FROM diaba.compliance_run "
    "WHERE CAST(:epoch AS text) IS NULL OR epoch = :epoch ORDER BY epoch, id DESC"
)


def _rows(connection: Connection, sql: str, values: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    return tuple(map(_plain, connection.execute(text(sql), values)))


def _plain(row: Row[Any]) -> dict[str, Any]:
    return {name: _iso(value) if isinstance(value, datetime) else value for name, value in row._mapping.items()}


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

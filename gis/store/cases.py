"""Cases as offices work through them: differences of the register, what was seen of each, and whose turn it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
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

CASES = Collection(
    # Of whose number some may not be told more than what they see (`gis.store.changes.reaches`).
    id="discrepancies",
    version="d.version",
    title="Hồ sơ kiểm tra · Cases",
    description="Differences to inspect, and what inspections found.",
    source="diaba.discrepancy d "  # noqa: S608  constants
    f"LEFT JOIN diaba.building_version b ON b.uid = d.building_uid AND b.epoch = d.epoch AND {known('b')} "
    "LEFT JOIN LATERAL (SELECT v.ward_code, v.geom FROM diaba.parcel_version v "
    f"WHERE v.uid = d.parcel_uid AND {known('v')} ORDER BY lower(v.valid) DESC NULLS LAST, v.version DESC LIMIT 1) p "
    "ON TRUE "
    "LEFT JOIN LATERAL (SELECT a.assignee, a.until FROM diaba.case_assignment a "
    f"WHERE a.case_id = d.id AND a.{_BEFORE} ORDER BY a.number DESC LIMIT 1) a ON TRUE "
    "LEFT JOIN LATERAL (SELECT i.number, i.outcome, i.inspected_on FROM diaba.inspection i "
    f"WHERE i.case_id = d.id AND i.{_BEFORE} ORDER BY i.number DESC LIMIT 1) i ON TRUE "
    "LEFT JOIN diaba.discrepancy first ON first.id = d.id AND first.version = 1",
    key="d.id",
    geometry="COALESCE(b.footprint, p.geom)",
    known=known("d"),
    properties={
        **COLLECTIONS["discrepancies"].properties,
        "ward_code": "p.ward_code",
        "assigned_to": "a.assignee",
        "assigned_until": "a.until",
        "inspections": "COALESCE(i.number, 0)",
        "outcome": "i.outcome",
        "inspected_on": "i.inspected_on",
        "flagged_at": _ISO.format("lower(first.recorded)"),
        "changed_at": _ISO.format("lower(d.recorded)"),
    },
)
_EVER = replace(
    CASES,
    known="d.version = (SELECT max(n.version) FROM diaba.discrepancy n WHERE n.id = d.id "  # noqa: S608  constants
    f"AND lower(n.recorded) <= {KNOWN_AT})",
    properties={
        **CASES.properties,
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
            "ward": ("p.ward_code = :of_ward", self.ward),
            "epoch": ("d.epoch = :of_epoch", self.epoch),
            "min_confidence": ("d.confidence >= :of_min_confidence", self.min_confidence),
            "building": ("d.building_uid = :of_building", self.building),
            "parcel": ("d.parcel_uid = :of_parcel", self.parcel),
            "assigned_to": ("a.assignee = :of_assigned_to", self.assigned_to),
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
    earlier: tuple[dict[str, Any], ...]
    """Cases of other surveys about the same: id, epoch, status."""


def find(connection: Connection, query: ItemQuery, form: Form) -> CasePage:
    """A page of the cases known at a moment, and their exact number."""
    page = find_page(connection, CASES, query, form)
    return CasePage(page, counted(connection, CASES, query) if page.matched is None else page.matched)


def case(connection: Connection, case_id: str, moment: Moment = NOW) -> Case:
    """A case by its id, as it was known at a moment; also one that no run finds any more.

    Raises:
        NotFound: there is none, or it is not the caller's to see.
    """
    item = find_item(connection, _EVER, case_id, moment)
    if item is None:
        raise NotFound("case", case_id)
    values = {"id": case_id, "known_at": moment.known_at}
    version = connection.execute(text(_VERSION), values).scalar_one()
    return Case(
        item,
        int(version),
        _rows(connection, _INSPECTIONS, values),
        _rows(connection, _ASSIGNMENTS, values),
        _rows(connection, _EARLIER, values),
    )


_VERSION = f"SELECT max(d.version) FROM diaba.discrepancy d WHERE d.id = :id AND lower(d.recorded) <= {KNOWN_AT}"  # noqa: S608  constants
_INSPECTIONS = (
    "SELECT number, version, inspected_on, outcome, measured_value, note, actor, recorded_at FROM diaba.inspection "  # noqa: S608
    f"WHERE case_id = :id AND {_BEFORE} ORDER BY number"
)
_ASSIGNMENTS = (
    "SELECT number, version, assignee, until, note, actor, recorded_at FROM diaba.case_assignment "  # noqa: S608
    f"WHERE case_id = :id AND {_BEFORE} ORDER BY number"
)
_EARLIER = (
    "SELECT DISTINCT ON (o.epoch, o.id) o.id, o.epoch, o.status FROM diaba.discrepancy d "  # noqa: S608
    "JOIN diaba.discrepancy o ON o.building_uid = d.building_uid AND o.kind = d.kind AND o.epoch <> d.epoch "
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
    "SELECT DISTINCT ON (id) kind, status, confidence, upper_inf(recorded) AS is_known FROM diaba.discrepancy "
    "WHERE CAST(:epoch AS text) IS NULL OR epoch = :epoch ORDER BY id, version DESC"
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

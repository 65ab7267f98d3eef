"""Dossiers of building permits: what may happen to one after what, the chain of its events, and its clock.

A dossier is its events. Each event carries the SHA-256 of the one before it and of its own content, so that a changed,
missing or inserted event is found (`verify`). Nothing here touches the store.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from gis.calendar import WorkingCalendar
from gis.construction.procedure import Clock, Event, Pause, Procedure, ProcedureVersion, run_clock
from gis.errors import BadParameter, Conflict

OFFICE = re.compile(r"[A-Z0-9]{1,16}", re.ASCII)
RECEIPT = re.compile(r"[A-Z0-9]{1,16}-[0-9]{4}-[0-9]{6,9}", re.ASCII)
"""What a receipt number looks like."""
EVENTS_MOST = 200
"""Events before a dossier is to be decided; the supplements among them stay below what a clock takes as pauses."""
TEXT_MOST = 2_000
"""Characters of a note."""
ACTOR_MOST = 200
"""Characters of the name of who acts."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


class DossierType(StrEnum):
    """What is to be built."""

    NEW = "new"
    RENOVATION = "renovation"
    RELOCATION = "relocation"
    TEMPORARY = "temporary"
    BY_STAGE = "by_stage"
    DEMOLITION_NOTICE = "demolition_notice"


class Status(StrEnum):
    """Where a dossier stands."""

    FILED = "filed"
    EXAMINED = "examined"
    SUPPLEMENT_REQUESTED = "supplement_requested"
    SUPPLEMENTED = "supplemented"
    CONSULTING = "consulting"
    CONSULTED = "consulted"
    GRANTED = "granted"
    REFUSED = "refused"
    ISSUED = "issued"
    REVOKED = "revoked"
    WITHDRAWN = "withdrawn"


class Action(StrEnum):
    """What happens to a dossier."""

    FILED = "filed"
    EXAMINED = "examined"
    SUPPLEMENT_REQUESTED = "supplement_requested"
    SUPPLEMENTED = "supplemented"
    CONSULTATION_SENT = "consultation_sent"
    CONSULTATION_ANSWERED = "consultation_answered"
    CONSULTED = "consulted"
    CLOCK_EXTENDED = "clock_extended"
    GRANTED = "granted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    ISSUED = "issued"
    ADJUSTED = "adjusted"
    EXTENDED = "extended"
    REISSUED = "reissued"
    REVOKED = "revoked"


class ClockEffect(StrEnum):
    """What an action does to the clock."""

    STARTS = "starts"
    STOPS = "stops"
    RESUMES = "resumes"
    EXTENDS = "extends"
    ENDS = "ends"


OPEN = frozenset(
    {
        Status.FILED,
        Status.EXAMINED,
        Status.SUPPLEMENT_REQUESTED,
        Status.SUPPLEMENTED,
        Status.CONSULTING,
        Status.CONSULTED,
    }
)
"""Nothing is decided yet."""
_READY = (Action.SUPPLEMENT_REQUESTED, Action.CONSULTATION_SENT, Action.GRANTED, Action.REFUSED)
_OF_PERMIT = (Action.ADJUSTED, Action.EXTENDED, Action.REISSUED, Action.REVOKED)
ALLOWED: Mapping[Status, frozenset[Action]] = MappingProxyType(
    {
        Status.FILED: frozenset({Action.EXAMINED}),
        Status.EXAMINED: frozenset(_READY),
        Status.SUPPLEMENT_REQUESTED: frozenset({Action.SUPPLEMENTED, Action.REFUSED}),
        Status.SUPPLEMENTED: frozenset(_READY),
        Status.CONSULTING: frozenset({Action.CONSULTATION_SENT, Action.CONSULTATION_ANSWERED, Action.CONSULTED}),
        Status.CONSULTED: frozenset(_READY),
        Status.GRANTED: frozenset({Action.ISSUED, *_OF_PERMIT}),
        Status.ISSUED: frozenset(_OF_PERMIT),
    }
)
"""Actions by status, besides withdrawal and an extension of the clock, which every open dossier may have."""
_LEADS_TO: Mapping[Action, Status] = MappingProxyType(
    {
        **{action: Status(action.value) for action in Action if action.value in {status.value for status in Status}},
        Action.CONSULTATION_SENT: Status.CONSULTING,
    }
)
"""Status after an action; an action that is not here leaves the status as it is."""
_EFFECTS: Mapping[Action, ClockEffect] = MappingProxyType(
    {
        Action.FILED: ClockEffect.STARTS,
        Action.SUPPLEMENT_REQUESTED: ClockEffect.STOPS,
        Action.SUPPLEMENTED: ClockEffect.RESUMES,
        Action.CLOCK_EXTENDED: ClockEffect.EXTENDS,
        Action.GRANTED: ClockEffect.ENDS,
        Action.REFUSED: ClockEffect.ENDS,
        Action.WITHDRAWN: ClockEffect.ENDS,
    }
)


@dataclass(frozen=True, slots=True)
class DossierEvent:
    """Something that happened to a dossier, sealed."""

    seq: int
    action: Action
    status: Status
    """Of the dossier after it."""
    happened_on: date
    recorded_at: datetime
    actor: str
    clock_effect: ClockEffect | None
    clock_days: int | None
    """Days by which the clock was extended."""
    permit_no: str | None
    detail: str
    """Further facts as canonical JSON; the text itself is sealed."""
    prev_hash: bytes
    hash: bytes

    @property
    def facts(self) -> dict[str, Any]:
        """`detail` as values."""
        found: dict[str, Any] = json.loads(self.detail)
        return found


@dataclass(frozen=True, slots=True)
class Consultation:
    """An agency that was asked, and what it said."""

    number: int
    agency: str
    sent: date
    due: date
    replied: date | None
    agrees: bool | None
    """Its answer; of a silent agency whether silence is consent, None where the law does not say."""
    is_deemed: bool
    """It kept silent beyond its time."""

    @property
    def is_open(self) -> bool:
        """Whether it may still answer."""
        return self.replied is None and not self.is_deemed


@dataclass(frozen=True, slots=True)
class Dossier:
    """A dossier as the store holds it."""

    receipt_no: str
    office: str
    procedure: Procedure
    law: str
    type: DossierType
    filed_on: date
    parcel_uid: str | None
    of_permit: str | None
    """The permit it is to adjust, extend or reissue."""
    status: Status
    events: tuple[DossierEvent, ...]
    consultations: tuple[Consultation, ...]

    @property
    def permit_no(self) -> str | None:
        """The permit it led to, by its newest number."""
        return next((event.permit_no for event in reversed(self.events) if event.permit_no is not None), None)


@dataclass(frozen=True, slots=True)
class Broken:
    """The first place where the chain of a dossier does not hold."""

    seq: int
    why: str


def after(status: Status, action: Action, receipt_no: str) -> Status:
    """The status an action leads to.

    Raises:
        Conflict: it may not happen now.
    """
    allowed = set(ALLOWED.get(status, frozenset()))
    if status in OPEN:
        allowed |= {Action.WITHDRAWN, Action.CLOCK_EXTENDED}
    if action not in allowed:
        now = ", ".join(sorted(allowed)) or "nothing any more"
        raise Conflict(f"dossier {receipt_no} is {status}: it cannot be {action}; what can happen: {now}")
    return _LEADS_TO.get(action, status)


def next_event(
    dossier: Dossier,
    action: Action,
    *,
    on: date,
    at: datetime,
    actor: str,
    facts: Mapping[str, Any] = MappingProxyType({}),
    permit_no: str | None = None,
    clock_days: int | None = None,
) -> DossierEvent:
    """The event that follows, sealed.

    Args:
        dossier: As it is now.
        action: What happens.
        on: The day it happens.
        at: The moment it is recorded, with its time zone.
        actor: Who says so.
        facts: Further facts, plain values.
        permit_no: The permit it is about.
        clock_days: Days by which the clock is extended.

    Raises:
        Conflict: it may not happen now, or the dossier has so many events that only a decision may follow.
        BadParameter: it is before the event before it, or a text is too long or has control characters.
    """
    last = dossier.events[-1]
    status = after(dossier.status, action, dossier.receipt_no)
    if last.seq >= EVENTS_MOST and status in OPEN:
        raise Conflict(f"dossier {dossier.receipt_no} has {EVENTS_MOST} events already")
    if on < last.happened_on:
        raise BadParameter("on", on.isoformat(), f"the event before it, {last.action}, was on {last.happened_on}")
    effect = _EFFECTS.get(action)
    event = DossierEvent(
        last.seq + 1, action, status, on, at, actor, effect, clock_days, permit_no, canonical(facts), last.hash, b""
    )
    return _sealed(dossier.receipt_no, event, facts)


def first_event(receipt_no: str, *, on: date, at: datetime, actor: str, facts: Mapping[str, Any]) -> DossierEvent:
    """The filing, with all that was filed.

    Raises:
        BadParameter: a text is too long or has control characters.
    """
    effect, before = _EFFECTS[Action.FILED], genesis(receipt_no)
    event = DossierEvent(
        1, Action.FILED, Status.FILED, on, at, actor, effect, None, None, canonical(facts), before, b""
    )
    return _sealed(receipt_no, event, facts)


def genesis(receipt_no: str) -> bytes:
    """What the first event of a dossier has as the hash before it."""
    return hashlib.sha256(f"diaba dossier {receipt_no}".encode()).digest()


def digest(receipt_no: str, event: DossierEvent) -> bytes:
    """The hash an event must have: over the hash before it and its canonical content."""
    content = {
        "receipt_no": receipt_no,
        "seq": event.seq,
        "action": event.action,
        "status": event.status,
        "happened_on": event.happened_on.isoformat(),
        "recorded_at": event.recorded_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": event.actor,
        "clock_effect": event.clock_effect,
        "clock_days": event.clock_days,
        "permit_no": event.permit_no,
        "detail": event.detail,
    }
    return hashlib.sha256(event.prev_hash + canonical(content).encode()).digest()


def canonical(content: Mapping[str, Any]) -> str:
    """Values as JSON in one way only: names in order, no spaces."""
    return json.dumps(dict(content), sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def verify(receipt_no: str, events: Iterable[DossierEvent], count: int, head: bytes) -> Broken | None:
    """The first event that is not what was recorded; None when all are.

    Args:
        receipt_no: Of the dossier.
        events: In the order they are stored.
        count: How many the dossier says it has.
        head: The hash the dossier says its last event has.
    """
    before, seq, status = genesis(receipt_no), 0, Status.FILED
    for event in events:
        seq += 1
        if event.seq != seq:
            return Broken(seq, "it is missing")
        if event.prev_hash != before:
            return Broken(seq, "it does not follow the event before it")
        if event.hash != digest(receipt_no, event):
            return Broken(seq, "its content is not what was sealed")
        try:
            status = Status.FILED if seq == 1 else after(status, event.action, receipt_no)
        except Conflict:
            return Broken(seq, "it may not follow the event before it")
        if event.status is not status or (seq == 1) is not (event.action is Action.FILED):
            return Broken(seq, "its status does not follow from what happened")
        before = event.hash
    if seq != count or before != head:
        return Broken(seq + 1, f"the dossier says it has {count} events")
    return None


def clock(dossier: Dossier, version: ProcedureVersion, calendar: WorkingCalendar, today: date) -> Clock:
    """The clock of a dossier: pauses, extension and examination as its events say.

    While the applicant supplements, the due date is the one it would have if the supplement came in today.
    """
    pauses = tuple(_pauses(dossier.events, today))
    dates: dict[Event, date] = {}
    for event in dossier.events:
        if event.action is Action.EXAMINED:
            dates[Event.EXAMINED] = event.happened_on
        if event.action is Action.SUPPLEMENTED:
            again = Event.SUPPLEMENTED_AGAIN if Event.SUPPLEMENTED in dates else Event.SUPPLEMENTED
            dates[again] = event.happened_on
    return run_clock(version, dossier.filed_on, calendar, pauses, extended_days(dossier), dates)


def extended_days(dossier: Dossier) -> int:
    """Days by which the office extended the clock."""
    return sum(event.clock_days or 0 for event in dossier.events)


def office_code(text: str) -> str:
    """The code of an office as it stands in receipt numbers.

    Raises:
        BadParameter: it is none.
    """
    code = text.strip().upper()
    if not OFFICE.fullmatch(code):
        raise BadParameter("office", text[:40], "give 1 to 16 letters and digits, such as 760 or 26734")
    return code


def receipt_number(office: str, year: int, number: int) -> str:
    """The receipt number: office, year, and the dossier's number in both."""
    return f"{office}-{year}-{number:06d}"


def plain_text(name: str, text: str, most: int = TEXT_MOST) -> str:
    """A text that may be stored.

    Raises:
        BadParameter: it is empty, too long, or has control characters.
    """
    if not 0 < len(text.strip()) <= most or _CONTROL.search(text):
        raise BadParameter(
            name, ascii(text[:40])[1:-1], f"give 1 to {most} characters, none of them control characters"
        )
    return text.strip()


def _sealed(receipt_no: str, event: DossierEvent, facts: Mapping[str, Any]) -> DossierEvent:
    plain_text("actor", event.actor, ACTOR_MOST)
    for name, value in facts.items():
        if isinstance(value, str):
            plain_text(name, value)
    return replace(event, hash=digest(receipt_no, event))


def _pauses(events: Sequence[DossierEvent], today: date) -> Iterable[Pause]:
    since: date | None = None
    for event in events:
        if event.clock_effect is ClockEffect.STOPS:
            since = event.happened_on
        elif since is not None and event.clock_effect in (ClockEffect.RESUMES, ClockEffect.ENDS):
            yield Pause(since, event.happened_on)
            since = None
    if since is not None:
        yield Pause(since, max(since, today))

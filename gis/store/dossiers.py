"""Dossiers of building permits: filed under a receipt number without gaps, continued by events, looked up by secret."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, bindparam, func, insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from gis.access.roles import READABLE_COLUMNS
from gis.calendar import WorkingCalendar, vietnam
from gis.construction.dossier import (
    ACTOR_MOST,
    RECEIPT,
    Action,
    Broken,
    ClockEffect,
    Consultation,
    Dossier,
    DossierEvent,
    DossierType,
    Status,
    clock,
    extended_days,
    first_event,
    genesis,
    next_event,
    office_code,
    plain_text,
    receipt_number,
    verify,
)
from gis.construction.procedure import (
    Clock,
    Procedure,
    ProcedureVersion,
    version_in_force,
)
from gis.construction.procedure_tables import procedures
from gis.errors import BadParameter, NotFound
from gis.store.coverage import is_demo
from gis.store.schema import consultation, dossier, dossier_event, parcel, party, permit, receipt_counter

LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Of a secret, after Crockford: no letter is taken for a digit."""
LENGTH = 16
"""80 bits: neither guessed on the line nor from a stolen hash."""
_TYPED = re.compile(r"[A-Za-z0-9 -]{1,40}", re.ASCII)
"""A secret as people may type it."""
_GIVEN = re.compile(f"[{LETTERS}]{{{LENGTH}}}")
_MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})
UNKNOWN = ("dossier", "of that receipt number and secret")
"""What the public look-up says does not exist: it never tells a wrong secret from an unknown number."""
OF_A_PERMIT = frozenset({Procedure.ADJUSTMENT, Procedure.EXTENSION, Procedure.REISSUE})
"""Procedures about a permit there is."""


@dataclass(frozen=True, slots=True)
class Filing:
    """What an applicant files."""

    office: str
    procedure: Procedure
    type: DossierType
    filed_on: date
    parcel_uid: str | None = None
    applicant_uid: str | None = None
    of_permit: str | None = None
    papers: tuple[str, ...] = ()
    """Items of the procedure's checklist."""
    proposal_sha256: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an applicant takes home. The secret is told here and never again."""

    receipt_no: str
    secret: str
    clock: Clock
    missing: tuple[str, ...]
    """Required papers that were not filed."""


def file(connection: Connection, filing: Filing, *, actor: str, secret: str | None = None) -> Receipt:
    """File a dossier in the caller's transaction.

    The receipt number is the office's next one of the year. Filings at one office wait for each other until they are
    committed, so that one that fails leaves no gap.

    Args:
        connection: A writer's.
        filing: What is filed.
        actor: Who takes it.
        secret: Of the receipt, 16 of `LETTERS`; drawn by lot without it. Only in an invented city, whose receipts
            stand in examples.

    Raises:
        BadParameter: no procedure is in force on the day, or a value cannot be used.
        NotFound: there is no such parcel, party or permit.
    """
    office = office_code(filing.office)
    version = version_in_force(procedures(), filing.procedure, filing.filed_on)
    missing = _missing_papers(version, filing.papers)
    _check_references(connection, filing)
    if secret is not None and not (_GIVEN.fullmatch(secret) and is_demo(connection)):
        raise BadParameter("secret", "…", f"{LENGTH} of {LETTERS}, and only an invented city takes one")
    # Whatever may be refused is checked before: a caller who goes on after an error leaves no gap either.
    plain_text("actor", actor, ACTOR_MOST)
    if filing.note is not None:
        plain_text("note", filing.note)
    year = filing.filed_on.year
    number = connection.execute(
        upsert(receipt_counter)
        .values(office=office, year=year, last=1)
        .on_conflict_do_update(index_elements=["office", "year"], set_={"last": receipt_counter.c.last + 1})
        .returning(receipt_counter.c.last)
    ).scalar_one()
    receipt_no = receipt_number(office, year, number)
    secret = secret or "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
    salt = secrets.token_bytes(16)
    filed = {
        "receipt_no": receipt_no,
        "office": office,
        "year": year,
        "number": number,
        "procedure": str(filing.procedure),
        "law": version.law.name,
        "type": str(filing.type),
        "filed_on": filing.filed_on,
        "parcel_uid": filing.parcel_uid,
        "of_permit": filing.of_permit,
        "applicant_uid": filing.applicant_uid,
        "secret_salt": salt,
        "secret_hash": hashlib.sha256(salt + _first_hash(receipt_no, secret)).digest(),
    }
    facts = {
        **{name: filed[name] for name in _SEALED},
        "papers": sorted(filing.papers),
        "proposal_sha256": filing.proposal_sha256,
        "note": filing.note,
    }
    event = first_event(receipt_no, on=filing.filed_on, at=_moment(connection), actor=actor, facts=facts)
    connection.execute(insert(dossier).values(**filed, status=str(Status.FILED), events=0, head=genesis(receipt_no)))
    _add(connection, receipt_no, event)
    made = find(connection, receipt_no)
    return Receipt(receipt_no, _grouped(secret), clock_of(made, filing.filed_on), missing)


def record(
    connection: Connection,
    receipt_no: str,
    action: Action,
    *,
    on: date,
    actor: str,
    facts: Mapping[str, Any] = MappingProxyType({}),
    permit_no: str | None = None,
    clock_days: int | None = None,
) -> Dossier:
    """Continue a dossier by an event. Two that do so at once come one after the other.

    Returns:
        The dossier after it.

    Raises:
        NotFound: there is no such dossier.
        Conflict: that may not happen to it now.
        BadParameter: a value cannot be used.
    """
    before = lock(connection, receipt_no)
    event = next_event(
        before,
        action,
        on=on,
        at=_moment(connection),
        actor=actor,
        facts=facts,
        permit_no=permit_no,
        clock_days=clock_days,
    )
    _add(connection, receipt_no, event)
    return find(connection, receipt_no)


def extend_clock(connection: Connection, receipt_no: str, days: int, *, on: date, actor: str, reason: str) -> Dossier:
    """Extend the clock of a dossier, as often as the law's days last.

    Raises:
        BadParameter: more days than the law has, or the due date is past.
    """
    before = lock(connection, receipt_no)
    if days < 1:
        raise BadParameter("days", days, "extend by at least one day")
    total = extended_days(before) + days
    version, due = version_of(before), clock_of(before, on).due
    if total > version.extension_most:
        why = f"{version.law.title} has at most {version.extension_most} days of extension for {version.procedure}"
        raise BadParameter("days", days, why)
    if on > due:
        raise BadParameter("on", on.isoformat(), f"the dossier was due on {due}")
    return record(
        connection, receipt_no, Action.CLOCK_EXTENDED, on=on, actor=actor, facts={"reason": reason}, clock_days=days
    )


def find(connection: Connection, receipt_no: str) -> Dossier:
    """A dossier with all its events, for the writer.

    Raises:
        NotFound: there is none of that number.
    """
    return _dossier(connection, receipt_no, list(dossier_event.columns))


def public(connection: Connection, receipt_no: str, secret: str) -> Dossier:
    """A dossier for whoever has its receipt, for the reader: without who acted and what was noted.

    Raises:
        NotFound: there is none of that number, or the secret is another; nothing tells which.
    """
    if not RECEIPT.fullmatch(receipt_no) or not _TYPED.fullmatch(secret):
        raise NotFound(*UNKNOWN)
    fits = connection.scalar(
        text("SELECT diaba.dossier_secret_fits(:receipt_no, :first_hash)"),
        {"receipt_no": receipt_no, "first_hash": _first_hash(receipt_no, secret)},
    )
    if fits is not True:
        raise NotFound(*UNKNOWN)
    columns = [dossier_event.c[name] for name in READABLE_COLUMNS["dossier_event"]]
    return _dossier(connection, receipt_no, columns)


def lock(connection: Connection, receipt_no: str) -> Dossier:
    """A dossier that nobody else continues before the caller's transaction ends.

    Raises:
        NotFound: there is none of that number.
    """
    connection.execute(select(dossier.c.receipt_no).where(dossier.c.receipt_no == receipt_no).with_for_update())
    return find(connection, receipt_no)


def version_of(found: Dossier) -> ProcedureVersion:
    """The version of its procedure that governs a dossier."""
    return version_in_force(procedures(), found.procedure, found.filed_on)


def clock_of(found: Dossier, today: date, calendar: WorkingCalendar | None = None) -> Clock:
    """The clock of a dossier on a day."""
    return clock(found, version_of(found), calendar or vietnam(), today)


def verified(connection: Connection, receipt_no: str) -> Broken | None:
    """The first place where a dossier is not what was recorded; None when all is.

    Raises:
        NotFound: there is none of that number.
    """
    row = connection.execute(select(dossier).where(dossier.c.receipt_no == receipt_no)).mappings().one_or_none()
    if row is None:
        raise NotFound("dossier", receipt_no)
    events = _events(connection, receipt_no, list(dossier_event.columns))
    broken = verify(receipt_no, events, row["events"], bytes(row["head"]))
    if broken is not None:
        return broken
    filed = events[0].facts
    differing = [name for name in _SEALED if filed.get(name) != row[name]]
    if differing or events[0].happened_on != row["filed_on"]:
        return Broken(1, f"the dossier is not as filed: {', '.join(differing) or 'filed_on'}")
    if events[-1].status != row["status"]:
        return Broken(events[-1].seq, f"the dossier says it is {row['status']}")
    return None


def receipts(connection: Connection, after: str = "", most: int = 10_000) -> list[str]:
    """Receipt numbers in order, those after a given one."""
    rows = connection.scalars(
        select(dossier.c.receipt_no).where(dossier.c.receipt_no > after).order_by(dossier.c.receipt_no).limit(most)
    )
    return list(rows)


def receipt_of_permit(connection: Connection, permit_no: str) -> str | None:
    """The dossier a permit came from; None for a permit from before the dossiers."""
    made = (Action.GRANTED, Action.REISSUED)
    found: str | None = connection.scalar(
        select(dossier_event.c.receipt_no)
        .join(dossier, dossier.c.receipt_no == dossier_event.c.receipt_no)
        .where(
            dossier_event.c.permit_no == permit_no,
            dossier_event.c.action.in_([str(action) for action in made]),
            dossier.c.procedure.not_in([str(procedure) for procedure in OF_A_PERMIT]),
        )
        .order_by(dossier_event.c.receipt_no)
        .limit(1)
    )
    return found


_SEALED = ("procedure", "law", "type", "parcel_uid", "of_permit", "applicant_uid")
"""Columns of a dossier that its first event repeats under its seal."""


def _dossier(connection: Connection, receipt_no: str, columns: list[Any]) -> Dossier:
    listed = [dossier.c[name] for name in READABLE_COLUMNS["dossier"]]
    row = connection.execute(select(*listed).where(dossier.c.receipt_no == receipt_no)).mappings().one_or_none()
    if row is None:
        raise NotFound("dossier", receipt_no)
    asked = connection.execute(
        select(consultation).where(consultation.c.receipt_no == receipt_no).order_by(consultation.c.number)
    ).mappings()
    return Dossier(
        row["receipt_no"],
        row["office"],
        Procedure(row["procedure"]),
        row["law"],
        DossierType(row["type"]),
        row["filed_on"],
        row["parcel_uid"],
        row["of_permit"],
        Status(row["status"]),
        tuple(_events(connection, receipt_no, columns)),
        tuple(Consultation(**{name: value for name, value in one.items() if name != "receipt_no"}) for one in asked),
    )


def _events(connection: Connection, receipt_no: str, columns: list[Any]) -> list[DossierEvent]:
    rows = connection.execute(
        select(*columns).where(dossier_event.c.receipt_no == receipt_no).order_by(dossier_event.c.seq)
    ).mappings()
    return [_event(row) for row in rows]


def _event(row: RowMapping) -> DossierEvent:
    return DossierEvent(
        row["seq"],
        Action(row["action"]),
        Status(row["status"]),
        row["happened_on"],
        row["recorded_at"],
        row.get("actor", ""),
        None if row["clock_effect"] is None else ClockEffect(row["clock_effect"]),
        row["clock_days"],
        row["permit_no"],
        row.get("detail", "{}"),
        bytes(row["prev_hash"]),
        bytes(row["hash"]),
    )


def _add(connection: Connection, receipt_no: str, event: DossierEvent) -> None:
    values = {
        column.name: getattr(event, column.name) for column in dossier_event.columns if column.name != "receipt_no"
    }
    connection.execute(insert(dossier_event).values(receipt_no=receipt_no, **values))


def _moment(connection: Connection) -> datetime:
    moment: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return moment


def _missing_papers(version: ProcedureVersion, papers: tuple[str, ...]) -> tuple[str, ...]:
    known = {item.item for item in version.checklist}
    strange = next((paper for paper in papers if paper not in known), None)
    if strange is not None:
        raise BadParameter("paper", strange[:40], f"the checklist has {', '.join(sorted(known))}")
    return tuple(item.item for item in version.checklist if item.required and item.item not in papers) if papers else ()


def _check_references(connection: Connection, filing: Filing) -> None:
    if (filing.procedure in OF_A_PERMIT) is not (filing.of_permit is not None):
        why = "name the permit it is about" if filing.of_permit is None else "a new permit is about no permit there is"
        raise BadParameter("of_permit", filing.of_permit, f"{filing.procedure}: {why}")
    for kind, table, name, key in (
        ("parcel", parcel, "uid", filing.parcel_uid),
        ("party", party, "uid", filing.applicant_uid),
        ("permit", permit, "permit_no", filing.of_permit),
    ):
        if key is not None and not _exists(connection, table, name, key):
            raise NotFound(kind, plain_text(kind, key, 200))


def _exists(connection: Connection, table: Table, name: str, key: str) -> bool:
    plain_text(name, key, 200)
    return connection.scalar(select(table.c[name]).where(table.c[name] == bindparam("key", key)).limit(1)) is not None


def _first_hash(receipt_no: str, secret: str) -> bytes:
    """What of a secret reaches the database: never the secret itself, which a log of statements would keep."""
    read = secret.upper().translate(_MISREAD)
    return hashlib.sha256(f"{receipt_no}\n{read}".encode()).digest()


def _grouped(secret: str) -> str:
    return "-".join(secret[place : place + 4] for place in range(0, len(secret), 4))

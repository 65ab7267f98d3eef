"""Consultations of a dossier: which agencies were asked, what they answered, and what their silence means."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import Connection, insert, update

from gis.calendar import vietnam
from gis.construction.dossier import Action, Dossier, plain_text
from gis.construction.procedure import CONSULTATION, deemed_consent, step_due
from gis.errors import Conflict, NotFound
from gis.store import dossiers
from gis.store.schema import consultation


def consult(connection: Connection, receipt_no: str, agency: str, *, on: date, actor: str) -> Dossier:
    """Ask an agency; its time is the law's.

    Raises:
        Conflict: the procedure knows no consultation, the agency is being asked already, or it may not happen now.
    """
    name = plain_text("agency", agency, 200)
    before = dossiers.lock(connection, receipt_no)
    version = dossiers.version_of(before)
    step = version.step(CONSULTATION)
    if step is None:
        raise Conflict(f"{version.law.title} knows no consultation in the procedure {version.procedure}")
    if any(asked.agency == name and asked.is_open for asked in before.consultations):
        raise Conflict(f"dossier {receipt_no}: {name} is being asked already")
    due = step_due(step, on, version.law, vietnam())
    number = len(before.consultations) + 1
    facts = {"agency": name, "number": number, "due": due.isoformat()}
    dossiers.record(connection, receipt_no, Action.CONSULTATION_SENT, on=on, actor=actor, facts=facts)
    values = {"receipt_no": receipt_no, "number": number, "agency": name, "sent": on, "due": due, "is_deemed": False}
    connection.execute(insert(consultation).values(**values))
    return dossiers.find(connection, receipt_no)


def answer(
    connection: Connection, receipt_no: str, agency: str, agrees: bool, *, on: date, actor: str, note: str | None = None
) -> Dossier:
    """Note what an agency answered.

    Raises:
        NotFound: it is not being asked.
        Conflict: silence counted as its consent already.
    """
    before = dossiers.lock(connection, receipt_no)
    asked = next((one for one in before.consultations if one.agency == agency and one.is_open), None)
    if asked is None:
        raise NotFound("open consultation", f"of {agency[:200]} in dossier {receipt_no}")
    step = dossiers.version_of(before).step(CONSULTATION)
    if step is not None and deemed_consent(step, asked.due, on, on):
        raise Conflict(f"dossier {receipt_no}: {agency} had until {asked.due}; its silence was its consent")
    facts = {"agency": agency, "number": asked.number, "agrees": agrees, "note": note}
    dossiers.record(connection, receipt_no, Action.CONSULTATION_ANSWERED, on=on, actor=actor, facts=facts)
    _close(connection, receipt_no, asked.number, replied=on, agrees=agrees)
    return dossiers.find(connection, receipt_no)


def end_consultation(connection: Connection, receipt_no: str, *, on: date, actor: str) -> Dossier:
    """Go on when all agencies answered or let their time go by; silence is what the law says it is.

    Raises:
        Conflict: an agency still has time, or it may not happen now.
    """
    before = dossiers.lock(connection, receipt_no)
    step = dossiers.version_of(before).step(CONSULTATION)
    silent: list[dict[str, Any]] = []
    for asked in before.consultations:
        if asked.is_open and step is not None:
            consent = deemed_consent(step, asked.due, None, on)
            if consent is False:
                raise Conflict(f"dossier {receipt_no}: {asked.agency} may answer until the end of {asked.due}")
            silent.append({"agency": asked.agency, "number": asked.number, "silence_is_consent": consent})
    dossiers.record(connection, receipt_no, Action.CONSULTED, on=on, actor=actor, facts={"silent": silent})
    for one in silent:
        _close(connection, receipt_no, one["number"], agrees=one["silence_is_consent"], is_deemed=True)
    return dossiers.find(connection, receipt_no)


def _close(connection: Connection, receipt_no: str, number: int, **values: Any) -> None:
    mine = (consultation.c.receipt_no == receipt_no, consultation.c.number == number)
    connection.execute(update(consultation).where(*mine).values(**values))

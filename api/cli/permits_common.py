"""What the commands on dossiers share: days, pauses, and how a clock is told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from api.cli.common import existing_city
from gis.access.audit import account
from gis.errors import BadParameter
from gis.tables import iso_day

if TYPE_CHECKING:
    from gis.construction.dossier import Dossier
    from gis.construction.procedure import Clock, Pause, StepDue
    from gis.store.database import Database

receipt_argument = click.argument("receipt")
on_option = click.option("--on", metavar="DATE", help="The day it happened; today by default.")
by_option = click.option("--by", "actor", metavar="NAME", help="Who says so; DIABA_ACTOR or the account by default.")
note_option = click.option("--note", metavar="TEXT", help="Anything to keep with it.")


def store() -> Database:
    """The city's database, started."""
    from gis.settings import Settings
    from gis.store.database import Database

    return Database.of(existing_city(), Settings.from_environment(), start=True)


def who(actor: str | None) -> str:
    """Who acts: as said, or as the audit log names him."""
    return account() if actor is None else actor


def number(receipt: str) -> str:
    """A receipt number as it stands in the store.

    Raises:
        BadParameter: it does not look like one.
    """
    from gis.construction.dossier import RECEIPT

    found = receipt.strip().upper()
    if not RECEIPT.fullmatch(found):
        raise BadParameter("receipt", ascii(receipt[:40])[1:-1], "give a receipt number such as 760-2026-000001")
    return found


def day(name: str, text: str) -> date:
    """A day as YYYY-MM-DD.

    Raises:
        BadParameter: it is none.
    """
    try:
        return iso_day(text)
    except ValueError:
        raise BadParameter(name, text[:40], "give a day such as 2026-07-01") from None


def past_day(name: str, text: str | None) -> date:
    """A day that is not in the future; today in Vietnam where none is given.

    Raises:
        BadParameter: it is no day, or it is still to come.
    """
    from gis.calendar import today

    now = today()
    found = now if text is None else day(name, text)
    if found > now:
        raise BadParameter(name, found.isoformat(), f"it is still to come; today is {now}")
    return found


def pause(text: str) -> Pause:
    """A pause as FROM:TO, both days included.

    Raises:
        BadParameter: it is none, or it ends before it begins.
    """
    from gis.construction.procedure import Pause

    start, colon, end = text.partition(":")
    if not colon:
        raise BadParameter("pause", text[:40], "give two days such as 2026-07-06:2026-07-10")
    return Pause(day("pause", start), day("pause", end))


def dossier_document(dossier: Dossier) -> dict[str, Any]:
    """A dossier as the office sees it: what the public sees, and what happened, by whom."""
    from api.dossiers import public_document
    from gis.calendar import today

    return {
        **public_document(dossier, today()),
        "office": dossier.office,
        "procedure": str(dossier.procedure),
        "type": str(dossier.type),
        "parcel": dossier.parcel_uid,
        "of_permit": dossier.of_permit,
        "permit": dossier.permit_no,
        "consultations": [
            {
                "agency": asked.agency,
                "sent": asked.sent.isoformat(),
                "due": asked.due.isoformat(),
                "replied": None if asked.replied is None else asked.replied.isoformat(),
                "agrees": asked.agrees,
                "deemed": asked.is_deemed,
            }
            for asked in dossier.consultations
        ],
        "events": [
            {
                "seq": event.seq,
                "action": str(event.action),
                "status": str(event.status),
                "on": event.happened_on.isoformat(),
                "by": event.actor,
                "clock": None if event.clock_effect is None else str(event.clock_effect),
                "facts": {name: value for name, value in event.facts.items() if value not in (None, [])},
                "hash": event.hash.hex(),
            }
            for event in dossier.events
        ],
    }


def tell_dossier(document: Mapping[str, Any]) -> None:
    """Print a dossier for a person."""
    click.echo(f"{document['receipt']}: {document['status']} · {document['status_vi']}")
    click.echo(f"filed {document['filed']}, due {document['due']} (clock {document['clock']}), {document['law']}")
    if (coming := document["next_step"]) is not None:
        until = f" until {coming['due']}" if coming["due"] else ""
        click.echo(f"next: {coming['title_en']} · {coming['title_vi']}, by the {coming['role']}{until}")
    if document.get("permit"):
        click.echo(f"permit {document['permit']}")
    for event in document.get("events", ()):
        click.echo(f"  {event['seq']:3} {event['on']}  {event['action']:22} {event['by']}")
    for asked in document.get("consultations", ()):
        silent = "silent" if asked["deemed"] else f"asked, until {asked['due']}"
        said = (
            silent if asked["replied"] is None else f"{'agrees' if asked['agrees'] else 'objects'} {asked['replied']}"
        )
        click.echo(f"  {asked['agency']}: {said}")
    for doubt in document["doubt"]:
        click.echo(f"  {doubt}")


def clock_document(clock: Clock) -> dict[str, Any]:
    """A clock as JSON."""
    version = clock.version
    return {
        "due": clock.due.isoformat(),
        "law": version.law.title,
        "law_citation": version.law.citation,
        "procedure": str(version.procedure),
        "filed": clock.filed.isoformat(),
        "extended_days": clock.extended_days,
        "pauses": [{"from": p.start.isoformat(), "to": p.end.isoformat()} for p in clock.pauses],
        "steps": [_step(entry) for entry in clock.steps],
        "doubt": list(clock.doubt),
    }


def tell_clock(clock: Clock) -> None:
    """Print a clock for a person."""
    click.echo(f"due {clock.due:%a %Y-%m-%d} under {clock.version.law.title} ({clock.version.law.citation})")
    for entry in clock.steps:
        step = entry.step
        unit = ("working day" if step.unit == "working_days" else "day") + ("s" if step.duration > 1 else "")
        after = f"{step.duration} {unit} after {step.after} {entry.start}{' (planned)' if entry.is_planned else ''}"
        if step.name == "decide" and clock.extended_days:
            after += f", and {clock.extended_days} days of extension"
        click.echo(f"  {step.name:24} {entry.due:%a %Y-%m-%d}  {after}")
    doubts = dict.fromkeys([*clock.doubt, *(text for entry in clock.steps for text in entry.doubt)])
    for text in doubts:
        click.echo(f"  {text}")


def _step(entry: StepDue) -> dict[str, Any]:
    step = entry.step
    return {
        "step": step.name,
        "due": entry.due.isoformat(),
        "citation": step.citation,
        "title": step.title,
        "title_vi": step.title_vi,
        "role": step.role,
        "after": str(step.after),
        "from": entry.start.isoformat(),
        "planned": entry.is_planned,
        "duration": step.duration,
        "unit": str(step.unit),
        "silence_is_consent": step.silence_is_consent,
        "doubt": list(entry.doubt),
    }

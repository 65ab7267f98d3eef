"""What the commands on dossiers share: days, pauses, and how a clock is told."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import click

from gis.errors import BadParameter

if TYPE_CHECKING:
    from gis.construction.procedure import Clock, Pause, StepDue


def day(name: str, text: str) -> date:
    """A day as YYYY-MM-DD.

    Raises:
        BadParameter: it is none.
    """
    try:
        if len(text) != len("2026-07-01"):
            raise ValueError
        return date.fromisoformat(text)
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
        unit = "working days" if step.unit == "working_days" else "days"
        after = f"{step.duration} {unit} after {step.after} {entry.start}{' (planned)' if entry.is_planned else ''}"
        if step.name == "decide" and clock.extended_days:
            after += f", and {clock.extended_days} days of extension"
        click.echo(f"  {step.name:24} {entry.due:%a %Y-%m-%d}  {after}")
    doubts = dict.fromkeys([*clock.doubt, *(text for entry in clock.steps for text in entry.doubt)])
    for text in doubts:
        click.echo(f"  {text if text.startswith('?') else f'? {text}'}")


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

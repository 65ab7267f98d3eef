"""What the commands on cases share: the store, and how a case is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from api.cli.common import existing_city

if TYPE_CHECKING:
    from gis.store.database import Database

OUTCOMES = ("confirmed", "within_limits", "register_wrong", "not_accessible")
case_argument = click.argument("case")
note_option = click.option("--note", metavar="TEXT", help="Anything to keep with it; no names of people, please.")
version_option = click.option(
    "--if-version", type=int, metavar="N", help="Only if the case is at this version still, as `show` told it."
)


def store() -> Database:
    """The city's database, started."""
    from gis.settings import Settings
    from gis.store.database import Database

    return Database.of(existing_city(), Settings.from_environment(), start=True)


def only_survey(database: Database, epoch: str | None) -> str:
    """The survey that is named, or the only one there is."""
    from api.survey import only_epoch

    return epoch or only_epoch(database)


def tell_case(document: Mapping[str, Any]) -> None:
    """Print a case for a person."""
    click.echo(f"{document['id']}: {document['kind']}, {document['status']} (version {document['version']})")
    if document["closed_at"]:
        click.echo(f"  closed {document['closed_at']}: a later run did not find it again")
    place = f"building {document['building_uid'] or '–'}, parcel {document['parcel_uid'] or '–'}"
    click.echo(f"  {place}, permit {document['permit_no'] or '–'}, ward {document['ward_code'] or '–'}")
    click.echo(f"  {figures(document)}, confidence {number(document['confidence'], 4)}, survey {document['epoch']}")
    for one in document["assignments"]:
        note = f": {one['note']}" if one["note"] else ""
        click.echo(f"  assigned to {one['assignee']} until {one['until']} by {one['actor']}{note}")
    for one in document["inspections"]:
        value = (
            "" if one["measured_value"] is None else f", measured {one['measured_value']:g} {document['unit'] or ''}"
        )
        note = f": {one['note']}" if one["note"] else ""
        click.echo(f"  {one['number']:3} {one['inspected_on']}  {one['outcome']:15} by {one['actor']}{value}{note}")
    for one in document["other_surveys"]:
        click.echo(f"  in the survey {one['epoch']}: {one['status']} ({one['id']})")
    if document["next"]:
        click.echo(f"  next: {', '.join(document['next'])}")


def figures(case: Mapping[str, Any]) -> str:
    """`15.0 against 11.6 m, +3.4 ± 0.1`."""
    actual, limit, delta, sigma = (number(case[name]) for name in ("actual", "limit_value", "delta", "sigma"))
    sign = "+" if case["delta"] is not None and case["delta"] >= 0 else ""
    return f"{actual} against {limit} {case['unit'] or ''}, {sign}{delta} ± {sigma}"


def number(value: float | None, decimals: int = 1) -> str:
    """A number, or a dash."""
    return "–" if value is None else f"{value:.{decimals}f}"


def percent(value: float | None) -> str:
    """A share as percent, or a dash."""
    return "–" if value is None else f"{100 * value:.0f} %"

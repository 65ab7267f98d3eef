"""What the commands for land changes share: their options, and how a change is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from pyproj import CRS

from api.cli.common import crs_option, emit, existing_city, json_option
from api.cli.times import DayType

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry
    from sqlalchemy import Connection

    from gis.access.roles import Role
    from gis.land.draft import Part
    from gis.land.land_change import LandChange
    from gis.land.parcel import Parcel
    from gis.store.database import Database
    from gis.store.land_changes import Done, Order

F = TypeVar("F", bound=Callable[..., Any])


line_option = click.option(
    "--line", type=click.Path(path_type=Path), metavar="LINE.geojson", help="The new boundary, as lines."
)
into_option = click.option(
    "--into",
    type=click.Path(path_type=Path),
    metavar="PARTS.geojson",
    help="The new parcels, as polygons; each may have uid, parcel_no, land_use, land_uses, area_legal and address.",
)
zone_option = click.option(
    "--zone",
    type=click.Choice(["inner", "outer_urban", "rural"]),
    help="For the minima; known from the ward's code for wards of before July 2025.",
)
survey_crs_option = crs_option


def change_options(command: F) -> F:
    """The options of every land change."""
    options = (
        click.option("--valid-from", type=DayType(), metavar="DAY", help="First day of the change; today by default."),
        click.option("--approved-at", type=DayType(), metavar="DAY", help="The day it was approved."),
        click.option("--legal-ref", metavar="TEXT", help="The decision or article it rests on."),
        click.option("--dossier", metavar="TEXT", help="Number of its dossier."),
        click.option(
            "--if-version",
            "if_version",
            multiple=True,
            metavar="[UID=]N",
            help="The version you looked at; another one is a conflict. May be given for each parcel.",
        ),
        click.option("--dry-run", is_flag=True, help="Say what it would do, and write nothing."),
        json_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


def order_of(told: Mapping[str, Any], uids: Sequence[str]) -> Order:
    """The order of a command's options."""
    from gis.errors import BadParameter
    from gis.land.land_change import Basis
    from gis.land.subdivision import Zone
    from gis.store.land_changes import Order

    expected: dict[str, int] = {}
    for text in told["if_version"]:
        uid, _, number = text.rpartition("=")
        if not number.isdigit() or (not uid and len(uids) != 1) or (uid and uid not in uids):
            raise BadParameter(
                "if-version", text, "give UID=N with a parcel that is named, or N where there is one only"
            )
        expected[uid or uids[0]] = int(number)
    return Order(
        valid_from=told["valid_from"] or datetime.now(UTC).date(),
        basis=Basis(told["approved_at"], told["legal_ref"], told["dossier"]),
        if_version=expected,
        zone=Zone(told["zone"]) if told.get("zone") else None,
        jurisdiction=existing_city().jurisdiction,
        dry_run=told["dry_run"],
    )


def cut_of(line: Path | None, into: Path | None, crs: CRS | None) -> BaseGeometry | list[Part]:
    """What `--line` or `--into` holds, in the city's CRS."""
    from gis.land import survey_file

    if (line is None) == (into is None):
        raise click.UsageError("give either --line or --into")
    target = existing_city().crs
    if line is not None:
        return survey_file.read_lines(line, target, crs)
    return survey_file.read_parts(Path(str(into)), target, crs)


def database() -> Database:
    """The city's store, running."""
    from gis.settings import Settings
    from gis.store.database import Database

    return Database.of(existing_city(), Settings.from_environment(), start=True)


def role_of(order: Order) -> Role:
    """A dry run has no need to be able to write."""
    from gis.access.roles import Role

    return Role.READER if order.dry_run else Role.WRITER


def carry_out(order: Order, change: Callable[[Connection], Done], as_json: bool) -> None:
    """Do a change in one transaction and tell it."""
    with database().open(role_of(order)) as connection:
        done = change(connection)
    document = told(done)
    emit(document, as_json, lambda: _say(document))


def told(done: Done) -> dict[str, Any]:
    """A change or its draft as a document."""
    from gis.land import topology
    from gis.store.land_register import Recorded

    drawn = done.draft if isinstance(done, Recorded) else done
    return {
        "recorded": isinstance(done, Recorded),
        "change": done.change.id if isinstance(done, Recorded) else None,
        "kind": drawn.kind.value,
        "valid_from": drawn.valid_from,
        "area_before_m2": drawn.area_before,
        "area_after_m2": drawn.area_after,
        "difference_m2": round(drawn.difference, 7),
        "parents": [parcel_told(parcel) for parcel in drawn.parents],
        "children": [parcel_told(parcel) for parcel in drawn.children],
        "neighbours": [
            {
                "uid": after.uid,
                "version": after.version or None,
                "valid_from": after.valid_from,
                "points_added": len(after.polygon.exterior.coords) - len(before.polygon.exterior.coords),
                "area_difference_m2": round(topology.area(after.polygon) - topology.area(before.polygon), 7),
            }
            for before, after in drawn.neighbours
        ],
        "checks": [
            {
                "uid": check.uid,
                "quantity": check.quantity,
                "limit": check.limit,
                "actual": check.actual,
                "unit": check.unit,
                "margin": check.actual - check.limit,
                "verdict": "pass" if check.holds else "fail",
                "citation": check.citation,
                "doubt": check.doubt,
            }
            for check in drawn.checks
        ],
        "problems": list(drawn.problems),
        "notes": list(drawn.notes),
    }


def parcel_told(parcel: Parcel) -> dict[str, Any]:
    """A version of a parcel as a document, without its outline."""
    from gis.land import topology
    from gis.land.parcel import ATTRIBUTES

    return {
        "uid": parcel.uid,
        "version": parcel.version or None,
        "valid_from": parcel.valid_from,
        "valid_to": parcel.valid_to,
        **{name: getattr(parcel, name) for name in ATTRIBUTES},
        "land_uses": [
            {"code": one.code, "area_m2": one.area, "term_end": one.term_end, "origin": one.origin}
            for one in parcel.uses
        ],
        "area_outline": topology.area(parcel.polygon),
    }


def change_told(change: LandChange) -> dict[str, Any]:
    """A change of the register as a document."""
    return {
        "id": change.id,
        "kind": change.kind.value,
        "valid_from": change.valid_from,
        "approved_at": change.basis.approved_at,
        "legal_ref": change.basis.legal_ref,
        "dossier": change.basis.dossier,
        "area_before_m2": change.area_before,
        "area_after_m2": change.area_after,
        "difference_m2": round(change.difference, 7),
        "undoes": change.undoes,
        "undone_by": change.undone_by,
        "recorded_at": change.recorded_at,
    }


def number_of(parcel: Mapping[str, Any]) -> str:
    """Sheet and parcel number for a person."""
    return f"{parcel['sheet_no'] or '–'}/{parcel['parcel_no'] or '–'}"


def uses_of(parcel: Mapping[str, Any]) -> str:
    """Several land uses, or one with a term or an origin, for a person; nothing where the code says all."""
    from gis.land.land_use import LandUsePortion, written

    uses = [LandUsePortion(one["code"], one["area_m2"], one["term_end"], one["origin"]) for one in parcel["land_uses"]]
    plain = len(uses) < 2 and all(use.kind[1:] == (None, None) for use in uses)
    return "" if plain else written(uses) or ""


def _say(document: Mapping[str, Any]) -> None:
    begun = f"change {document['change']}" if document["recorded"] else "dry run, nothing is written"
    click.echo(f"{begun}: {document['kind'].replace('_', ' ')} from {document['valid_from']}")
    for side, parcels in (("from", document["parents"]), ("to", document["children"])):
        for parcel in parcels:
            use, area = parcel["land_use"] or "–", parcel["area_outline"]
            line = f"  {side:4}  {parcel['uid']:20} {number_of(parcel):>10}  {use:4} {area:12.3f} m²"
            click.echo(f"{line}  {uses_of(parcel)}".rstrip())
    for neighbour in document["neighbours"]:
        difference = f"{neighbour['area_difference_m2']:+.6f} m²"
        click.echo(f"  neighbour {neighbour['uid']}: points added {neighbour['points_added']}, outline {difference}")
    click.echo(f"  area {document['area_before_m2']:.3f} → {document['area_after_m2']:.3f} m²")
    if document["difference_m2"]:
        click.echo(f"  difference {document['difference_m2']:+.7f} m²")
    for check in document["checks"]:
        figures = f"{check['actual']:.2f} {check['unit']}, at least {check['limit']:g}"
        doubt = f" [{check['doubt']}]" if check["doubt"] else ""
        click.echo(f"  {check['verdict']}  {check['uid']} {check['quantity']} {figures} ({check['citation']}){doubt}")
    for problem in document["problems"]:
        click.echo(f"  problem: {problem}")
    for note in document["notes"]:
        click.echo(f"  note: {note}")

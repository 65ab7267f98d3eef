"""`diaba compliance`: the registered city against the measured city."""

from __future__ import annotations

import click

from api.cli import (
    compliance_assign,
    compliance_change,
    compliance_inspect,
    compliance_list,
    compliance_show,
    compliance_statistics,
)
from api.cli.common import emit, existing_city, json_option, progress, rectangle
from api.cli.compliance_evidence import evidence, verify


@click.group("compliance")
def command() -> None:
    """Registered city against measured city.

    \b
    Examples:
      diaba compliance run
      diaba compliance run --false-alarm-rate 0.05 --json
      diaba compliance list --status flagged
      diaba compliance change --from 2025 --to 2027
    """


for _module in (
    compliance_assign,
    compliance_change,
    compliance_inspect,
    compliance_list,
    compliance_show,
    compliance_statistics,
):
    command.add_command(_module.command)


@command.command("run")
@click.option("--epoch", metavar="NAME", help="Which survey; the only one there is by default.")
@click.option(
    "--area",
    metavar="X0,Y0,X1,Y1|WARD",
    help="Only buildings in this rectangle of the city's CRS, or in the rectangle around a ward's parcels.",
)
@click.option(
    "--false-alarm-rate",
    type=click.FloatRange(1e-6, 0.5),
    default=0.01,
    show_default=True,
    help="Accepted share of legal buildings that are flagged.",
)
@json_option
def run(epoch: str | None, area: str | None, false_alarm_rate: float, as_json: bool) -> None:
    """Compare every measured building with permits, parcels, roads and zones, and flag what a person should inspect.

    Findings that are not found again are closed; with an area, only those there.

    \b
    Examples:
      diaba compliance run
      diaba compliance run --epoch 2014 --json
      diaba compliance run --area 603000,1191000,603500,1191500
      diaba compliance run --area 27260
    """
    from collections import Counter

    from api.compliance import run_compliance, ward_bounds
    from api.survey import only_epoch
    from gis.access.roles import Role
    from gis.construction.compliance import ComplianceParameters
    from gis.crs import horizontal
    from gis.settings import Settings
    from gis.store.database import Database
    from gis.store.discrepancies import identity

    city = existing_city()
    database = Database.of(city, Settings.from_environment(), start=True)
    epoch = epoch or only_epoch(database)
    parameters = ComplianceParameters(false_alarm_rate=false_alarm_rate)
    with database.open(Role.WRITER) as connection, progress("buildings", None) as advance:
        bounds = rectangle(area, horizontal(city.crs)) if area and "," in area else None
        if area and bounds is None:
            bounds = ward_bounds(connection, area)
        found = run_compliance(
            connection,
            epoch,
            parameters,
            area=bounds,
            progress=lambda done, total: advance(min(done, 1), total),
        )
    counts = Counter(difference.kind.value for difference in found)
    document = {
        "epoch": epoch,
        "area": area,
        "false_alarm_rate": false_alarm_rate,
        "flagged": len(found),
        "by_kind": dict(sorted(counts.items())),
        "differences": [
            {
                "id": identity(epoch, d.kind.value, d.building_uid, d.parcel_uid, d.permit_no),
                "kind": d.kind.value,
                "building": d.building_uid,
                "parcel": d.parcel_uid,
                "permit": d.permit_no,
                "actual": d.actual,
                "limit": d.limit,
                "unit": d.unit,
                "delta": d.delta,
                "sigma": d.sigma,
                "confidence": d.confidence,
                "evidence": dict(d.evidence),
            }
            for d in found
        ],
    }

    def text() -> None:
        click.echo(
            f"{len(found)} differences to inspect in epoch {epoch}, at a false-alarm rate of {false_alarm_rate:g}"
        )
        for d in found:
            place = f"building {d.building_uid or '–'}  parcel {d.parcel_uid or '–'}  permit {d.permit_no or '–'}"
            figures = f"{d.actual:.1f} against {d.limit:.1f} {d.unit}, {d.delta:+.1f} ± {d.sigma:.1f}"
            click.echo(f"{d.kind.value:12} {place}  {figures}")

    emit(document, as_json, text)


command.add_command(evidence)
command.add_command(verify)

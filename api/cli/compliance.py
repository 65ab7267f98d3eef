"""`diaba compliance`: the registered city against the measured city."""

from __future__ import annotations

import click

from api.cli import (
    compliance_assign,
    compliance_inspect,
    compliance_list,
    compliance_show,
    compliance_statistics,
)
from api.cli.common import emit, existing_city, json_option


@click.group("compliance")
def command() -> None:
    """Registered city against measured city.

    \b
    Examples:
      diaba compliance run
      diaba compliance run --false-alarm-rate 0.05 --json
      diaba compliance list --status flagged
    """


for _module in (
    compliance_assign,
    compliance_inspect,
    compliance_list,
    compliance_show,
    compliance_statistics,
):
    command.add_command(_module.command)


@command.command("run")
@click.option("--epoch", metavar="NAME", help="Which survey; the only one there is by default.")
@click.option(
    "--false-alarm-rate",
    type=click.FloatRange(1e-6, 0.5),
    default=0.01,
    show_default=True,
    help="Accepted share of legal buildings that are flagged.",
)
@json_option
def run(epoch: str | None, false_alarm_rate: float, as_json: bool) -> None:
    """Compare every measured building with permits, parcels and roads, and flag what a person should inspect.

    \b
    Examples:
      diaba compliance run
      diaba compliance run --epoch 2014 --json
    """
    from collections import Counter

    from api.build import only_epoch
    from api.compliance import run_compliance
    from gis.access.roles import Role
    from gis.construction.compliance import ComplianceParameters
    from gis.settings import Settings
    from gis.store.database import Database

    city = existing_city()
    database = Database.of(city, Settings.from_environment(), start=True)
    epoch = epoch or only_epoch(database)
    with database.open(Role.WRITER) as connection:
        found = run_compliance(connection, epoch, ComplianceParameters(false_alarm_rate=false_alarm_rate))
    counts = Counter(difference.kind.value for difference in found)
    document = {
        "epoch": epoch,
        "false_alarm_rate": false_alarm_rate,
        "flagged": len(found),
        "by_kind": dict(sorted(counts.items())),
        "differences": [
            {
                "id": d.uid,
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
            }
            for d in found
        ],
    }

    def text() -> None:
        click.echo(
            f"{len(found)} differences to inspect in epoch {epoch}, at a false-alarm rate of {false_alarm_rate:g}"
        )
        for d in found:
            place = f"building {d.building_uid}  parcel {d.parcel_uid or '–'}  permit {d.permit_no or '–'}"
            figures = f"{d.actual:.1f} against {d.limit:.1f} {d.unit}, {d.delta:+.1f} ± {d.sigma:.1f}"
            click.echo(f"{d.kind.value:12} {place}  {figures}")

    emit(document, as_json, text)

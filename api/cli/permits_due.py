"""`diaba permits due`: when an application is due, without a dossier and without a store."""

from __future__ import annotations

import click

from api.cli.common import emit, json_option
from api.cli.permits_common import clock_document, day, pause, tell_clock

PROCEDURES = ("single_house", "works", "adjustment", "extension", "reissue")


@click.command("due")
@click.option("--procedure", type=click.Choice(PROCEDURES), required=True, help="What is applied for.")
@click.option("--filed", metavar="DATE", required=True, help="Day the complete dossier was filed, YYYY-MM-DD.")
@click.option(
    "--pause",
    "pauses",
    metavar="FROM:TO",
    multiple=True,
    help="Days the applicant supplements, both included: none of them counts. Overlapping pauses count once.",
)
@click.option("--extended-days", type=int, default=0, metavar="N", help="Days by which the office extended the clock.")
@json_option
def command(procedure: str, filed: str, pauses: tuple[str, ...], extended_days: int, as_json: bool) -> None:
    """When an application is due, and each step on the way, under the law in force on the filing date.

    The day of filing does not count; what is due on a day is due at its end.

    \b
    Examples:
      diaba permits due --procedure single_house --filed 2026-07-01
      diaba permits due --procedure works --filed 2026-03-02 --pause 2026-03-09:2026-03-13 --extended-days 10 --json
    """
    from gis.calendar import vietnam
    from gis.construction.procedure import Procedure, run_clock, version_in_force
    from gis.construction.procedure_tables import procedures

    filed_on = day("filed", filed)
    version = version_in_force(procedures(), Procedure(procedure), filed_on)
    clock = run_clock(version, filed_on, vietnam(), [pause(text) for text in pauses], extended_days)
    emit(clock_document(clock), as_json, lambda: tell_clock(clock))

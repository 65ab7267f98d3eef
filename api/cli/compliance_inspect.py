"""`diaba compliance inspect`: what somebody saw on the ground."""

from __future__ import annotations

import click

from api.cli.common import emit, json_option
from api.cli.compliance_common import (
    OUTCOMES,
    note_option,
    only_survey,
    store,
    tell_case,
    version_option,
)
from api.cli.permits_common import on_option, past_day


@click.command("inspect")
@click.argument("case", required=False)
@click.option("--outcome", type=click.Choice(OUTCOMES), required=True, help="What was found.")
@click.option("--value", type=float, metavar="X", help="What was measured on the ground, in the case's unit.")
@click.option("--building", metavar="UID", help="Instead of a case: a building of a sample that was not flagged.")
@click.option("--epoch", metavar="NAME", help="Of --building: the survey the sample is of.")
@on_option
@note_option
@version_option
@json_option
def command(
    case: str | None,
    outcome: str,
    value: float | None,
    building: str | None,
    epoch: str | None,
    on: str | None,
    note: str | None,
    if_version: int | None,
    as_json: bool,
) -> None:
    """Record an inspection. It is kept for ever; a later one may say otherwise. DIABA_ACTOR says who looked.

    `confirmed`: it is as it was measured. `within_limits`: it is not; or, of a case confirmed before, it was put right
    or legalised. `register_wrong`: the permit's or the parcel's data were wrong or missing. `not_accessible`: nobody
    got in.

    \b
    Examples:
      diaba compliance inspect 3f2a9c0d1b7e4a55b1c2d3e4f5a6b7c8 --outcome confirmed --value 15.1
      diaba compliance inspect 3f2a9c0d1b7e4a55b1c2d3e4f5a6b7c8 --outcome within_limits --note "mái tôn" --json
      diaba compliance inspect --building b-000123 --epoch 2025 --outcome within_limits
    """
    from api.cases import document
    from gis.access.roles import Role
    from gis.construction.inspections import Inspection, Outcome
    from gis.store import audit_samples, case_changes, cases

    if (case is None) == (building is None):
        raise click.UsageError("give either a CASE or --building")
    seen, database = Inspection(past_day("on", on), Outcome(outcome), value, note), store()
    if building is not None:
        survey = only_survey(database, epoch)
        with database.open(Role.WRITER) as connection:
            number = audit_samples.inspect(connection, survey, building, seen)
        made = {"building": building, "epoch": survey, "number": number, "outcome": outcome}
        emit(made, as_json, lambda: click.echo(f"{building}: {outcome}, inspection {number} in the survey {survey}"))
        return
    with database.open(Role.WRITER) as connection:
        case_changes.inspect(connection, str(case), seen, if_version=if_version)
    with database.open(Role.READER) as connection:
        told = document(cases.case(connection, str(case)))
    emit(told, as_json, lambda: tell_case(told))

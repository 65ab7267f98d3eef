"""`diaba compliance assign`: who is to look at a case, and until when."""

from __future__ import annotations

import click

from api.cli.common import emit, json_option
from api.cli.compliance_common import case_argument, note_option, store, tell_case, version_option
from api.cli.permits_common import day


@click.command("assign")
@case_argument
@click.option("--to", "assignee", required=True, metavar="NAME", help="Who is to look.")
@click.option("--until", required=True, metavar="DATE", help="The last day for it, YYYY-MM-DD.")
@note_option
@version_option
@json_option
def command(case: str, assignee: str, until: str, note: str | None, if_version: int | None, as_json: bool) -> None:
    """Say who is to look at a case and until when. Earlier assignments are kept, the last one counts.

    \b
    Examples:
      diaba compliance assign 3f2a9c0d1b7e4a55b1c2d3e4f5a6b7c8 --to lan --until 2026-04-01
    """
    from api.cases import document
    from gis.access.roles import Role
    from gis.construction.inspections import Assignment
    from gis.store import case_changes, cases

    given, database = Assignment(assignee, day("until", until), note), store()
    with database.open(Role.WRITER) as connection:
        case_changes.assign(connection, case, given, if_version=if_version)
    with database.open(Role.READER) as connection:
        told = document(cases.case(connection, case))
    emit(told, as_json, lambda: tell_case(told))

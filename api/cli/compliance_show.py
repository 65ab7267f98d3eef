"""`diaba compliance show`: one case with all that happened to it."""

from __future__ import annotations

from datetime import datetime

import click

from api.cli.common import emit, json_option
from api.cli.compliance_common import case_argument, store, tell_case
from api.cli.times import known_at_option


@click.command("show")
@case_argument
@known_at_option
@json_option
def command(case: str, known_at: datetime | None, as_json: bool) -> None:
    """A case: its figures, who was to look, what was seen, and what may happen next; also one that is closed.

    \b
    Examples:
      diaba compliance show 3f2a9c0d1b7e4a55b1c2d3e4f5a6b7c8
      diaba compliance show 3f2a9c0d1b7e4a55b1c2d3e4f5a6b7c8 --known-at 2026-03-01T00:00:00Z --json
    """
    from api.cases import document
    from gis.access.roles import Role
    from gis.store import cases
    from gis.store.collections import Moment

    with store().open(Role.READER) as connection:
        told = document(cases.case(connection, case, Moment(known_at=known_at)))
    emit(told, as_json, lambda: tell_case(told))

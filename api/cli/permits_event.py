"""`diaba permits event`: what happens to a dossier between its filing and its decision, and to its permit after."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from api.cli.common import emit, json_option
from api.cli.permits_common import (
    by_option,
    dossier_document,
    note_option,
    number,
    on_option,
    past_day,
    receipt_argument,
    store,
    tell_dossier,
    who,
)
from gis.errors import BadParameter

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy import Connection

    from gis.construction.dossier import Dossier

ACTIONS = (
    *("examined", "supplement_requested", "supplemented", "consultation_sent", "consultation_answered", "consulted"),
    *("clock_extended", "withdrawn", "issued", "revoked"),
)


@click.command("event")
@receipt_argument
@click.argument("action", type=click.Choice(ACTIONS))
@click.option("--agency", metavar="NAME", help="The agency that is asked, or that answered.")
@click.option("--agrees/--objects", default=None, help="What the agency answered.")
@click.option("--days", type=int, metavar="N", help="Days by which the clock is extended.")
@on_option
@note_option
@by_option
@json_option
def command(
    receipt: str,
    action: str,
    agency: str | None,
    agrees: bool | None,
    days: int | None,
    on: str | None,
    note: str | None,
    actor: str | None,
    as_json: bool,
) -> None:
    """Note what happened to a dossier. What may not happen now is refused, saying what may.

    The clock stands from `supplement_requested` to `supplemented`. `consulted` ends the consultation: every agency
    answered, or let its time go by. `revoked` and `clock_extended` need a reason, `--note`.

    \b
    Examples:
      diaba permits event 760-2026-000001 examined
      diaba permits event 760-2026-000001 supplement_requested --note "bản vẽ mặt đứng"
      diaba permits event 760-2026-000001 consultation_answered --agency PCCC --agrees --json
    """
    from gis.access.roles import Role

    day = past_day("on", on)
    with store().open(Role.WRITER) as connection:
        found = _note(connection, number(receipt), action, day, who(actor), agency, agrees, days, note)
    document = dossier_document(found)
    emit(document, as_json, lambda: tell_dossier(document))


def _note(
    connection: Connection,
    receipt: str,
    action: str,
    on: date,
    actor: str,
    agency: str | None,
    agrees: bool | None,
    days: int | None,
    note: str | None,
) -> Dossier:
    from gis.construction.dossier import Action
    from gis.store import consultations, dossiers, permit_decisions

    if action == "consultation_sent":
        return consultations.consult(connection, receipt, _given("agency", agency), on=on, actor=actor)
    if action == "consultation_answered":
        said = _given("agency", agency)
        if agrees is None:
            raise BadParameter("agrees", None, "say --agrees or --objects")
        return consultations.answer(connection, receipt, said, agrees, on=on, actor=actor, note=note)
    if action == "consulted":
        return consultations.end_consultation(connection, receipt, on=on, actor=actor)
    if action == "clock_extended":
        if days is None:
            raise BadParameter("days", None, "say by how many days")
        return dossiers.extend_clock(connection, receipt, days, on=on, actor=actor, reason=_given("note", note))
    if action == "revoked":
        return permit_decisions.revoke(connection, receipt, _given("note", note), on=on, actor=actor)
    return dossiers.record(connection, receipt, Action(action), on=on, actor=actor, facts={"note": note})


def _given(name: str, value: str | None) -> str:
    if value is None:
        raise BadParameter(name, None, f"this needs --{name}")
    return value

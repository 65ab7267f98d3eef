"""`diaba permits replay`: whether kept verdicts still follow from what they were made of."""

from __future__ import annotations

import click

from api.cli.common import emit, existing_city, json_option


@click.command("replay")
@click.argument("receipt")
@json_option
def command(receipt: str, as_json: bool) -> None:
    """Make the verdicts kept for RECEIPT again, each from its own proposal and rules, and compare them to the byte.

    \b
    Examples:
      diaba permits replay H79-2026-00017
    """
    from gis.access.roles import Role
    from gis.construction.verdicts import replay
    from gis.errors import NotFound
    from gis.settings import Settings
    from gis.store import check_results
    from gis.store.database import Database

    database = Database.of(existing_city(), Settings.from_environment(), start=True)
    with database.open(Role.READER) as connection:
        found = check_results.of_dossier(connection, receipt)
    if not found:
        raise NotFound("kept verdict for", receipt)
    told = []
    for one in found:
        again = replay(one.kept)
        told.append(
            {
                "id": one.id,
                "recorded": one.recorded.isoformat(),
                "verdict": one.verdict,
                "rules_digest": one.kept.rules_digest,
                "same": again.same,
                "difference": again.why,
            }
        )

    def text() -> None:
        for row in told:
            state = "the same to the byte" if row["same"] else f"DIFFERENT {row['difference']}"
            click.echo(f"{row['id']}  {row['recorded']}  {row['verdict']}  {state}")

    emit({"receipt_no": receipt, "verdicts": told}, as_json, text)

"""`diaba permits verify`: proves that dossiers are what was recorded."""

from __future__ import annotations

from collections.abc import Iterator

import click

from api.cli.common import EXIT_FAILED, emit, json_option
from api.cli.permits_common import number, store


@click.command("verify")
@click.argument("receipts", nargs=-1, metavar="[RECEIPT]…")
@json_option
def command(receipts: tuple[str, ...], as_json: bool) -> None:
    """Check the chain of events of these dossiers, of all without any. Ends with code 1 where a link is broken.

    \b
    Examples:
      diaba permits verify
      diaba permits verify 760-2026-000001 --json
    """
    from gis.access.roles import Role
    from gis.store import dossiers

    def asked() -> Iterator[str]:
        if receipts:
            yield from map(number, receipts)
            return
        last = ""
        while page := dossiers.receipts(connection, last):
            yield from page
            last = page[-1]

    checked, broken = 0, []
    with store().open(Role.WRITER) as connection:
        for receipt in asked():
            checked += 1
            if (found := dossiers.verified(connection, receipt)) is not None:
                broken.append({"receipt": receipt, "seq": found.seq, "why": found.why})

    def text() -> None:
        click.echo(f"{checked} dossiers checked, {len(broken)} broken")
        for one in broken:
            click.echo(f"{one['receipt']}: event {one['seq']}: {one['why']}")

    emit({"checked": checked, "broken": broken}, as_json, text)
    if broken:
        click.get_current_context().exit(EXIT_FAILED)

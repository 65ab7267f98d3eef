"""`diaba db audit`: who changed what in the registers, and when."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from api.cli.common import EXIT_FAILED, emit, existing_city, json_option
from api.cli.times import MomentType


@click.command("audit")
@click.option("--since", type=MomentType(), metavar="MOMENT", help="From this moment on, e.g. 2026-03-02T08:00.")
@click.option("--actor", metavar="NAME", help="Of one actor.")
@click.option("--table", metavar="TABLE", help="Of one register, e.g. rrr.")
@click.option("--key", metavar="KEY", help="Of one parcel, party, right, dossier …, by its key.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="So many, the newest.")
@click.option("--verify", "is_verifying", is_flag=True, help="Follow the chain of hashes instead.")
@click.option("--head", metavar="HEX", help="With --verify: a head noted earlier, which must be in the chain.")
@json_option
def command(
    since: datetime | None,
    actor: str | None,
    table: str | None,
    key: str | None,
    limit: int,
    is_verifying: bool,
    head: str | None,
    as_json: bool,
) -> None:
    """List who changed what in the registers, the newest first: one entry for each statement.

    With --verify the chain is followed from its beginning; its head, noted elsewhere from time to time, proves later
    that nothing before it was taken away. Ends with code 1 where the chain is broken.

    \b
    Examples:
      diaba db audit --limit 20
      diaba db audit --table rrr --since 2026-03-02
      diaba db audit --verify --json
    """
    from gis.access.roles import Role
    from gis.errors import BadParameter
    from gis.settings import Settings
    from gis.store import audit_log
    from gis.store.database import Database

    if head is not None and not is_verifying:
        raise click.UsageError("--head goes with --verify")
    try:
        noted = None if head is None else bytes.fromhex(head)
    except ValueError:
        raise BadParameter("head", head or "", "give the 64 hexadecimal digits that --verify printed") from None
    database = Database.of(existing_city(), Settings.from_environment(), start=True)
    with database.open(Role.WRITER) as connection:
        if is_verifying:
            found = audit_log.verified(connection, noted)
        else:
            entries = audit_log.entries(connection, since=since, actor=actor, table=table, key=key, most=limit)
    if is_verifying:
        document = {"entries": found.entries, "head": found.head.hex(), "broken": found.broken}
        line = f"{found.entries} entries, head {found.head.hex()}"
        emit(document, as_json, lambda: click.echo(line if found.broken is None else f"{line}\n{found.broken}"))
        if found.broken is not None:
            click.get_current_context().exit(EXIT_FAILED)
        return
    listed: list[dict[str, Any]] = [
        {
            "seq": one.seq,
            "at": one.at,
            "actor": one.actor,
            "through": one.through,
            "login": one.login,
            "operation": one.operation,
            "table": one.table,
            "rows": one.rows,
            "keys": list(one.keys),
        }
        for one in entries
    ]

    def text() -> None:
        for one in listed:
            keys = ", ".join(one["keys"][:3]) + (" …" if one["rows"] > 3 else "")
            when = one["at"].isoformat(timespec="seconds")
            click.echo(
                f"{one['seq']:6} {when}  {one['actor']:12} {one['through']:28} {one['operation']:6} "
                f"{one['table']:20} {one['rows']:6}  {keys}"
            )

    emit({"entries": listed}, as_json, text)

"""`diaba permits status`: where a dossier stands."""

from __future__ import annotations

import click

from api.cli.common import emit, json_option
from api.cli.permits_common import dossier_document, number, receipt_argument, store, tell_dossier


@click.command("status")
@receipt_argument
@click.option("--secret", metavar="S", help="Answer what the public look-up answers to the receipt's holder.")
@json_option
def command(receipt: str, secret: str | None, as_json: bool) -> None:
    """Where a dossier stands, when it is due, and what comes next.

    Without a secret it is the office's view: everything that happened and who said so.

    \b
    Examples:
      diaba permits status 760-2026-000001
      diaba permits status 760-2026-000001 --secret K7QF-3M2X-9TRA-5DWE --json
    """
    from api.dossiers import public_document
    from gis.access.roles import Role
    from gis.calendar import today
    from gis.store import dossiers

    database = store()
    if secret is None:
        with database.open(Role.WRITER) as connection:
            document = dossier_document(dossiers.find(connection, number(receipt)))
    else:
        with database.open(Role.READER) as connection:
            document = public_document(dossiers.public(connection, number(receipt), secret), today())
    emit(document, as_json, lambda: tell_dossier(document))

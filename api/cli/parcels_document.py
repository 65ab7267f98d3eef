"""`diaba parcels document`: source documents with their files, and whether a file is still what it was."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from api.cli.common import EXIT_BAD_INPUT, emit, existing_city, json_option
from api.cli.times import DayType

STATUSES = ("unsigned", "signed", "verified", "invalid")


@click.group("document")
def command() -> None:
    """Source documents: the papers that rights stand on.

    \b
    Examples:
      diaba parcels document add contract.pdf --uid hd-12-2026 --kind notarised_contract
      diaba parcels document check
    """


@command.command("add")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--uid", required=True, help="The name rights refer to it by.")
@click.option("--kind", required=True, help="E.g. notarised_contract, judgment, decision.")
@click.option("--number", help="Its number.")
@click.option("--date", "day", type=DayType(), metavar="DAY", help="Its day.")
@click.option("--signature", type=click.Choice(STATUSES), help="As the office found it; unsigned by default.")
@click.option("--signed-by", help="Who signed it.")
@json_option
def add(
    file: Path,
    uid: str,
    kind: str,
    number: str | None,
    day: date | None,
    signature: str | None,
    signed_by: str | None,
    as_json: bool,
) -> None:
    """Copy a file into the city's folder, closed to others, and record it with its SHA-256.

    \b
    Examples:
      diaba parcels document add contract.pdf --uid hd-12-2026 --kind notarised_contract --number 12/2026
    """
    from api.cli.rights_answers import paper_document
    from gis.access.roles import Role
    from gis.land.sources import SignatureStatus, SourceDocument
    from gis.settings import Settings
    from gis.store import sources
    from gis.store.database import Database

    city = existing_city()
    database = Database.of(city, Settings.from_environment(), start=True)
    with database.open(Role.WRITER) as connection:
        # What is not told stays as it is known.
        known = next(iter(sources.of_uids(connection, [uid])), SourceDocument(uid, kind))
        told = SourceDocument(
            uid,
            kind,
            number or known.number,
            day or known.date,
            signature_status=SignatureStatus(signature) if signature else known.signature_status,
            signed_by=signed_by or known.signed_by,
        )
        kept = sources.add_file(connection, city.folder, file, told)
    emit(paper_document(kept), as_json, lambda: click.echo(f"{kept.uid}: sha256 {kept.sha256}"))


@command.command("check")
@json_option
@click.pass_context
def check(ctx: click.Context, as_json: bool) -> None:
    """Read every document's file and compare it with the SHA-256 of the day it came; ends with 3 if one is not intact.

    \b
    Examples:
      diaba parcels document check
      diaba parcels document check --json
    """
    from gis.access.roles import Role
    from gis.settings import Settings
    from gis.store import sources
    from gis.store.database import Database

    city = existing_city()
    database = Database.of(city, Settings.from_environment(), start=True)
    with database.open(Role.WRITER) as connection:
        found = sources.check_files(connection, city.folder)
    bad = [one for one in found if one.state is not sources.FileState.INTACT]
    document = {
        "checked": len(found),
        "not_intact": [
            {"uid": one.document.uid, "state": one.state.value, "sha256": one.document.sha256, "found": one.found}
            for one in bad
        ],
    }

    def text() -> None:
        click.echo(f"{len(found)} documents, {len(found) - len(bad)} intact")
        for one in bad:
            click.echo(
                f"  {one.document.uid}: {one.state.value}, sha256 {one.document.sha256}, found {one.found or '–'}"
            )

    emit(document, as_json, text)
    if bad:
        ctx.exit(EXIT_BAD_INPUT)

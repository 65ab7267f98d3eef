"""`diaba permits file`: a dossier is filed, and the applicant gets a receipt."""

from __future__ import annotations

from pathlib import Path

import click

from api.cli.common import emit, json_option
from api.cli.permits_common import by_option, clock_document, note_option, past_day, store, tell_clock, who
from api.cli.permits_due import PROCEDURES

TYPES = ("new", "renovation", "relocation", "temporary", "by_stage", "demolition_notice")


@click.command("file")
@click.option("--office", required=True, metavar="CODE", help="The office that takes it: letters and digits, as 760.")
@click.option("--procedure", type=click.Choice(PROCEDURES), required=True, help="What is applied for.")
@click.option("--type", "kind", type=click.Choice(TYPES), default="new", show_default=True, help="What is to be built.")
@click.option("--filed", metavar="DATE", help="Day the complete dossier was filed; today by default.")
@click.option("--parcel", metavar="UID", help="The parcel it is about.")
@click.option("--applicant", metavar="UID", help="The party that applies, of the register of parties.")
@click.option("--of-permit", metavar="NO", help="The permit to adjust, extend or reissue.")
@click.option("--paper", "papers", multiple=True, metavar="ITEM", help="A paper of the checklist that was filed.")
@click.option(
    "--proposal", type=click.Path(path_type=Path, dir_okay=False), help="The proposal; its SHA-256 is sealed with it."
)
@note_option
@by_option
@json_option
def command(
    office: str,
    procedure: str,
    kind: str,
    filed: str | None,
    parcel: str | None,
    applicant: str | None,
    of_permit: str | None,
    papers: tuple[str, ...],
    proposal: Path | None,
    note: str | None,
    actor: str | None,
    as_json: bool,
) -> None:
    """File a dossier. Prints its receipt number, its secret for the public look-up, and when it is due.

    The secret is told once: the store keeps only a salted hash of it.

    \b
    Examples:
      diaba permits file --office 760 --procedure single_house --parcel p-000001
      diaba permits file --office 760 --procedure extension --of-permit GPXD-760-2026-000001 --filed 2026-07-01 --json
    """
    from gis.access.roles import Role
    from gis.construction.dossier import DossierType
    from gis.construction.procedure import Procedure
    from gis.store import dossiers
    from gis.store.dossiers import Filing

    filing = Filing(
        office,
        Procedure(procedure),
        DossierType(kind),
        past_day("filed", filed),
        parcel,
        applicant,
        of_permit,
        papers,
        None if proposal is None else _sha256(proposal),
        note,
    )
    with store().open(Role.WRITER) as connection:
        receipt = dossiers.file(connection, filing, actor=who(actor))
    document = {
        "receipt": receipt.receipt_no,
        "secret": receipt.secret,
        "status": "filed",
        "missing": list(receipt.missing),
        **clock_document(receipt.clock),
    }

    def text() -> None:
        click.echo(f"receipt {receipt.receipt_no}   secret {receipt.secret}")
        if receipt.missing:
            click.echo(f"missing: {', '.join(receipt.missing)}")
        tell_clock(receipt.clock)

    emit(document, as_json, text)


def _sha256(path: Path) -> str:
    import hashlib

    from gis.errors import UnreadableFile

    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UnreadableFile(path, error.strerror or "it cannot be read") from error

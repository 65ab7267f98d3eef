"""`diaba compliance evidence` and `verify`: a sheet for an inspector and a judge, and whether one is what it says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.cli.common import EXIT_BAD_INPUT, emit, existing_city, json_option

if TYPE_CHECKING:
    from api.evidence.verify import Report

LOCAL = "http://127.0.0.1:8000"
"""Where `diaba serve` answers by default."""


@click.command("evidence")
@click.argument("words", metavar="[CASE] OUT", nargs=-1, required=True)
@click.option("--building", metavar="UID", help="Of a building, flagged or not, instead of a case.")
@click.option("--epoch", metavar="NAME", help="With --building: which survey; the newest by default.")
@click.option("--lang", type=click.Choice(["vi", "en"]), default="vi", show_default=True, help="Language of the pages.")
@click.option("--names", is_flag=True, help="Print who has a right in the land: for readers who may see people.")
@click.option(
    "--url", metavar="URL", help="Address of the service that verifies it; DIABA_PUBLIC_URL, or this machine's."
)
@json_option
def evidence(
    words: tuple[str, ...],
    building: str | None,
    epoch: str | None,
    lang: str,
    names: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Write the evidence sheet of CASE to OUT, a .pdf or .html; it is entered into the register of sheets.

    The PDF is signed where DIABA_SIGNING_KEY names a key.

    \b
    Examples:
      diaba compliance evidence 40bf1b8af0044fe25ad443db8f6ac5f0 sheet.pdf
      diaba compliance evidence 40bf1b8af0044fe25ad443db8f6ac5f0 sheet.html --lang en
      diaba compliance evidence --building b-000149 sheet.pdf --json
    """
    from api.evidence import build
    from api.evidence.gather import sheet_of
    from api.settings import ServiceSettings
    from gis.access.audit import account
    from gis.access.roles import Role
    from gis.files import written_whole
    from gis.settings import Settings
    from gis.store import evidence_sheets, extracts
    from gis.store.database import Database
    from gis.store.evidence import facts_of_building, facts_of_case

    if len(words) != (1 if building else 2):
        raise click.UsageError("give a case and the file to write, or --building UID and the file")
    out = Path(words[-1])
    form = out.suffix.lower().removeprefix(".")
    if form not in ("pdf", "html"):
        raise click.UsageError(f"{out}: a sheet is a .pdf or a .html")
    if epoch and not building:
        raise click.UsageError("a case is of one survey; --epoch goes with --building")
    base = (url or ServiceSettings.from_environment().public_url or LOCAL).rstrip("/")
    city = existing_city()
    database = Database.of(city, Settings.from_environment(), start=True)
    signer = build.signer_of_installation()
    with database.open(Role.READER) as connection:
        facts = (
            facts_of_building(connection, city, building, epoch)
            if building
            else facts_of_case(connection, city, words[0])
        )
    holders: list[str] | None = None
    if names and facts.parcel is not None:
        with database.open(Role.WRITER) as connection:
            found = extracts.extract(connection, facts.parcel.key)
        holders = sorted({found.parties[one.party].name for one in found.rights if one.party in found.parties})
    sheet = sheet_of(facts, city, build.software(), holders)
    of_sheet = None if facts.parcel is None else facts.parcel.key
    parcel = of_sheet if facts.finding is None else facts.finding["parcel_uid"]
    with database.open(Role.WRITER) as connection:
        made_at = evidence_sheets.save(connection, build.row_of(sheet, parcel, account()))
    how = build.Printed("en" if lang == "en" else "vi", "pdf" if form == "pdf" else "html", base)
    with written_whole(out) as part:
        part.write_bytes(build.printed(sheet, how, made_at, signer))
    is_signed = signer is not None and form == "pdf"
    document = {
        "file": str(out),
        "digest": sheet.digest,
        "case": None if sheet.finding is None else sheet.finding.case,
        "building": sheet.measured.building,
        "address": how.edition(sheet.digest, made_at).address,
        "made_at": made_at.isoformat(timespec="seconds"),
        "signed": is_signed,
    }
    emit(document, as_json, lambda: click.echo(f"{out}: {sheet.digest}{', signed' if is_signed else ''}"))


@click.command("verify")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--trust", multiple=True, type=click.Path(path_type=Path), help="A certificate whose signatures are believed."
)
@click.option("--register", "ask", is_flag=True, help="Ask this city's register too, whether it made the sheet.")
@json_option
def verify(file: Path, trust: tuple[Path, ...], ask: bool, as_json: bool) -> None:
    """Judge the PDF of an evidence sheet: its hash, every word and picture, its signature. Needs no database.

    The pages are made anew from the content attached to FILE. Whoever makes a sheet of his own passes this: whether the
    register made it is told by --register, by the page its QR code leads to, or by a signature with --trust. The exit
    code is 0 where all agrees, and 3 else.

    \b
    Examples:
      diaba compliance verify sheet.pdf
      diaba compliance verify sheet.pdf --register --trust office.pem --json
    """
    from api.evidence.verify import verify as judge
    from gis.errors import BadInput

    for path in trust:
        if not path.is_file():
            raise BadInput(f"{path}: there is no such certificate")
    report = judge(file, trust)
    known = _known(report.digest) if ask else None
    problems = [*report.problems, *(["the register of this city has made no such sheet"] if known is False else [])]
    document = {
        "file": str(file),
        "good": not problems,
        "digest": report.digest,
        "building": report.sheet.measured.building,
        "case": None if report.sheet.finding is None else report.sheet.finding.case,
        "language": report.edition.language,
        "address": report.edition.address,
        "problems": problems,
        "known_to_register": known,
        "signatures": [
            {"signer": one.signer, "intact": one.is_intact, "trusted": one.is_trusted} for one in report.signatures
        ],
        "notes": list(report.notes),
    }
    emit(document, as_json, lambda: _tell(file, report, problems, known))
    if problems:
        click.get_current_context().exit(EXIT_BAD_INPUT)


def _known(digest: str) -> bool:
    from gis.access.roles import Role
    from gis.settings import Settings
    from gis.store import evidence_sheets
    from gis.store.database import Database

    database = Database.of(existing_city(), Settings.from_environment(), start=True)
    with database.open(Role.READER) as connection:
        return evidence_sheets.look_up(connection, digest) is not None


def _tell(file: Path, report: Report, problems: list[str], known: bool | None) -> None:
    click.echo(f"{file}: {'good' if not problems else 'NOT good'}, content {report.digest}")
    for problem in problems:
        click.echo(f"  {problem}")
    for one in report.signatures:
        trusted = {True: "believed", False: "not believed", None: "by nobody named with --trust"}[one.is_trusted]
        click.echo(f"  signed by {one.signer}: {'intact' if one.is_intact else 'broken'}, {trusted}")
    if not report.signatures:
        click.echo("  not signed")
    if known is None:
        click.echo(f"  whether the register made it: {report.edition.address}")
    elif known:
        click.echo("  the register made it")
    for note in report.notes:
        click.echo(f"  {note}")

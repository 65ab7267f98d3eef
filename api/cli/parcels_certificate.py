"""`diaba parcels certificate`: a certificate by serial or number in the book, and steps of its life."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import click

from api.cli.common import emit, existing_city, json_option
from api.cli.times import DayType, as_of_option, known_at_option
from gis.errors import BadInput, NotFound

STATUSES = ("draft", "issued", "replaced", "revoked", "lost")


@click.command("certificate")
@click.argument("number")
@click.option("--set", "status", type=click.Choice(STATUSES), help="Record that it has this status from --on on.")
@click.option("--on", "day", type=DayType(), metavar="DAY", help="First day of the status.")
@click.option("--unit", metavar="UID", help="Of a new certificate: the unit it is of.")
@click.option("--book-no", metavar="NO", help="Of a new certificate: its number in the book.")
@click.option("--party", metavar="UID", help="Of a new certificate: whose copy it is.")
@click.option("--replaced-by", metavar="SERIAL", help="With --set replaced: the certificate that took its place.")
@click.option("--source", metavar="UID", help="The paper of this step.")
@as_of_option
@known_at_option
@json_option
def command(
    number: str,
    status: str | None,
    day: date | None,
    unit: str | None,
    book_no: str | None,
    party: str | None,
    replaced_by: str | None,
    source: str | None,
    as_of: date | None,
    known_at: datetime | None,
    as_json: bool,
) -> None:
    """Certificates of this serial or number in the book, with their parcels and their lives; --set records a step.

    \b
    Examples:
      diaba parcels certificate "BA 123456"
      diaba parcels certificate "BA 123456" --as-of 2014-06-30 --json
      diaba parcels certificate "DA 000777" --set issued --on 2026-03-02 --unit p-000001 --book-no "CS 00012"
      diaba parcels certificate "BA 123456" --set replaced --on 2026-03-02 --replaced-by "DA 000777"
    """
    from api.cli.rights_answers import certificate_document
    from gis.access.roles import Role
    from gis.land.certificates import Certificate, CertificateStatus, certificate_life
    from gis.lifecycle import Stage
    from gis.settings import Settings
    from gis.store import certificates, units
    from gis.store.database import Database

    if (status is None) != (day is None):
        raise click.UsageError("--set and --on go together")
    database = Database.of(existing_city(), Settings.from_environment(), start=True)
    with database.open(Role.WRITER) as connection:
        if status is not None:
            last = certificates.newest(connection, number)
            if last is None and unit is None:
                raise BadInput(f"certificate {number}: it is new; say of which unit it is with --unit")
            last = last or Certificate(number, str(unit), CertificateStatus.DRAFT, None)
            step = CertificateStatus(status)
            issued = last.issued or (day if step is CertificateStatus.ISSUED else None)
            told = replace(
                last, status=step, start=day, end=None, issued=issued, replaced_by=replaced_by, source=source
            )
            certificates.save(connection, [replace(told, book_no=book_no or last.book_no, party=party or last.party)])
        found = certificates.find(connection, number, as_of, known_at=known_at)
        if not found:
            raise NotFound("certificate with the serial or book number", number)
        lives = {one.serial: certificates.life(connection, one.serial, known_at) for one in found}
        parcels = {one.unit: units.current(connection, one.unit, as_of, known_at=known_at) for one in found}
    life = certificate_life()
    document = [
        {
            **certificate_document(one),
            "parcels": list(of.parcels) if (of := parcels[one.unit]) else [],
            "life": [{"status": step.status.value, "since": step.start, "to": step.end} for step in lives[one.serial]],
            "doubts": [
                {"from": step.before, "to": step.after, "source": step.source, "article": step.article}
                for step in life.doubts([Stage(step.status, step.start, step.end) for step in lives[one.serial]])
            ],
        }
        for one in found
    ]

    def text() -> None:
        for one in document:
            click.echo(
                f"{one['serial']}  book no. {one['book_no'] or '–'}  unit {one['unit']}: {', '.join(one['parcels'])}"
            )
            for step in one["life"]:
                after = (
                    f"  replaced by {one['replaced_by']}" if step["status"] == "replaced" and one["replaced_by"] else ""
                )
                click.echo(f"  {step['status']:9} {step['since'] or '–'} to {step['to'] or 'now'}{after}")

    emit({"number": number, "as_of": as_of, "known_at": known_at, "certificates": document}, as_json, text)

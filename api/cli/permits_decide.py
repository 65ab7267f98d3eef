"""`diaba permits decide`: a dossier is granted or refused."""

from __future__ import annotations

from pathlib import Path

import click

from api.cli.common import emit, json_option
from api.cli.permits_common import (
    by_option,
    day,
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


@click.command("decide")
@receipt_argument
@click.option("--grant", "is_granted", is_flag=True, help="Grant it, and write the permit.")
@click.option("--refuse", "reason", metavar="REASON", help="Refuse it, and why.")
@click.option(
    "--limits",
    type=click.Path(path_type=Path, dir_okay=False),
    help="GeoJSON in the city's CRS whose one feature of role footprint says what is permitted: floors, height_m, "
    "and any of basements, gross_floor_area_m2, ground_area_m2, setback_front_m, setback_rear_m, ground_level_m.",
)
@click.option("--permit-no", metavar="NO", help="Number of the permit; made from the receipt's by default.")
@click.option("--expires", metavar="DATE", help="Day the permit ends.")
@click.option("--use", metavar="TEXT", help="What the building is for.")
@on_option
@note_option
@by_option
@json_option
def command(
    receipt: str,
    is_granted: bool,
    reason: str | None,
    limits: Path | None,
    permit_no: str | None,
    expires: str | None,
    use: str | None,
    on: str | None,
    note: str | None,
    actor: str | None,
    as_json: bool,
) -> None:
    """Grant a dossier, which writes its permit with its limits in the same transaction, or refuse it.

    A new permit and an adjustment need `--limits`, an extension needs `--expires`; a reissue needs neither.

    \b
    Examples:
      diaba permits decide 760-2026-000001 --grant --limits house.geojson --expires 2027-07-10
      diaba permits decide 760-2026-000002 --refuse "ngoài chỉ giới xây dựng" --json
    """
    from gis.access.roles import Role
    from gis.store import permit_decisions
    from gis.store.geometry import city_crs
    from gis.store.permit_decisions import Grant

    if is_granted is (reason is not None):
        raise click.UsageError("say either --grant or --refuse REASON")
    decided = past_day("on", on)
    ends = None if expires is None else day("expires", expires)
    with store().open(Role.WRITER) as connection:
        if reason is not None:
            found = permit_decisions.refuse(connection, number(receipt), reason, on=decided, actor=who(actor))
        else:
            allowed = None
            if limits is not None:
                from api.cli.permits_limits import read_limits

                allowed = read_limits(limits, city_crs(connection))
            grant = Grant(allowed, permit_no, ends, use, note)
            found = permit_decisions.grant(connection, number(receipt), grant, on=decided, actor=who(actor))
    document = dossier_document(found)
    emit(document, as_json, lambda: tell_dossier(document))

"""`diaba compliance list`: the cases to work through, and samples by lot."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from api.cli.common import emit, json_option
from api.cli.compliance_common import figures, number, only_survey, store
from api.cli.times import known_at_option

if TYPE_CHECKING:
    from gis.store.audit_samples import Sample

STATUSES = ("flagged", "assigned", "confirmed", "dismissed", "resolved")
LIMIT_MOST = 100_000


@click.command("list")
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help="Only this kind; may be given several times.")
@click.option("--status", "statuses", multiple=True, type=click.Choice(STATUSES), help="Only of this status; several.")
@click.option("--ward", metavar="CODE", help="Only in this ward.")
@click.option("--epoch", metavar="NAME", help="Only of this survey.")
@click.option("--assigned-to", metavar="NAME", help="Only those last assigned to somebody.")
@click.option("--min-confidence", type=click.FloatRange(0, 1), metavar="P", help="Only with at least this confidence.")
@click.option("--sort", default="-confidence", show_default=True, metavar="NAMES", help="With - what descends.")
@click.option("--limit", type=click.IntRange(1, LIMIT_MOST), default=100, show_default=True, help="Cases at most.")
@click.option("--sample", type=int, metavar="N", help="Draw N buildings by lot instead, half of them not flagged.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of --sample: the same seed is the same lot.")
@known_at_option
@json_option
def command(
    kinds: tuple[str, ...],
    statuses: tuple[str, ...],
    ward: str | None,
    epoch: str | None,
    assigned_to: str | None,
    min_confidence: float | None,
    sort: str,
    limit: int,
    sample: int | None,
    seed: int,
    known_at: datetime | None,
    as_json: bool,
) -> None:
    """The cases to work through, the surest first.

    With --sample it draws buildings by lot and keeps the sample: half flagged, half not. Only when both are inspected
    is it known how many flags are false and how much is missed; `statistics --sample` tells it then.

    \b
    Examples:
      diaba compliance list --status flagged --kind storeys
      diaba compliance list --ward 26734 --sort -delta --limit 20 --json
      diaba compliance list --sample 50 --seed 1
    """
    if sample is not None:
        _sample(epoch, sample, seed, as_json)
        return
    from api.cases import listed
    from api.query import sort_keys
    from gis.access.roles import Role
    from gis.store import cases
    from gis.store.collections import Moment
    from gis.store.items import Form, ItemQuery
    from gis.store.property_types import queryables

    order = sort_keys(sort, queryables(cases.CASES.properties), parameter="sort")
    only = cases.CaseFilter(kinds, statuses, ward, epoch, min_confidence, assigned_to=assigned_to)
    query = ItemQuery(limit, where=only.condition, sort=order, moment=Moment(known_at=known_at))
    with store().open(Role.READER) as connection:
        page = cases.find(connection, query, Form(4326, 8, with_geometry=False))
    found = [{name: value for name, value in one.items() if name != "geometry"} for one in listed(page)]

    def text() -> None:
        for one in found:
            whose = f"  {one['assigned_to']} until {one['assigned_until']}" if one["assigned_to"] else ""
            click.echo(
                f"{one['id']}  {one['kind']:12} {one['status']:10} {one['building_uid'] or '–':12} "
                f"{one['ward_code'] or '–':7} {figures(one)}  {number(one['confidence'], 4)}{whose}"
            )
        left = page.matched - len(found)
        click.echo(f"{page.matched} cases" + (f", {left} not shown; give --limit" if left else ""))

    emit({"matched": page.matched, "cases": found}, as_json, text)


def _sample(epoch: str | None, size: int, seed: int, as_json: bool) -> None:
    from gis.access.roles import Role
    from gis.construction.audit_sample import SampleName
    from gis.store import audit_samples

    database = store()
    name = SampleName(only_survey(database, epoch), size, seed)
    with database.open(Role.WRITER) as connection:
        drawn = audit_samples.draw(connection, name)
    emit(_document(drawn), as_json, lambda: _tell(drawn))


def _document(drawn: Sample) -> dict[str, Any]:
    return {
        "epoch": drawn.name.epoch,
        "size": drawn.name.size,
        "seed": drawn.name.seed,
        "flagged": drawn.flagged,
        "unflagged": drawn.unflagged,
        "buildings": [
            {
                "building": one.building_uid,
                "is_flagged": one.is_flagged,
                "cases": list(one.cases),
                "is_real": one.is_real,
            }
            for one in drawn.buildings
        ],
    }


def _tell(drawn: Sample) -> None:
    words = {True: "a difference", False: "none", None: "to be inspected"}
    for one in drawn.buildings:
        flag = "flagged" if one.is_flagged else "not flagged"
        click.echo(f"{one.building_uid:12} {flag:12} {words[one.is_real]:16} {' '.join(one.cases)}")
    where = f"survey {drawn.name.epoch}: {drawn.flagged} buildings flagged, {drawn.unflagged} not"
    click.echo(f"{len(drawn.buildings)} buildings by lot, seed {drawn.name.seed}, of the {where}")

"""`diaba parcels history`: all versions of a parcel, and what it came from and became."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import click

from api.cli.common import emit, json_option
from api.cli.parcels_change import change_told, database, number_of, parcel_told
from api.cli.times import known_at_option

if TYPE_CHECKING:
    from gis.store.lineage import Family


@click.command("history")
@click.argument("uid")
@known_at_option
@json_option
def command(uid: str, known_at: datetime | None, as_json: bool) -> None:
    """List the versions of a parcel, and draw its lineage: ancestors, descendants, and the changes between them.

    \b
    Examples:
      diaba parcels history p-000001
      diaba parcels history p-000001~2 --json
    """
    from gis.access.roles import Role
    from gis.store import lineage

    with database().open(Role.READER) as connection:
        versions = lineage.history(connection, uid, known_at=known_at)
        family = lineage.family(connection, uid, known_at=known_at)
    document = {
        "uid": uid,
        "versions": [
            parcel_told(version.parcel)
            | {
                "recorded_from": version.recorded_from,
                "recorded_to": version.recorded_to,
                "change": version.change,
            }
            for version in versions
        ],
        "changes": [change_told(change) for change in family.changes],
        "lineage": [
            {
                "change": number,
                "parent": {"uid": edge.parent_uid, "version": edge.parent_version},
                "child": {"uid": edge.child_uid, "version": edge.child_version},
                "area_m2": edge.area,
            }
            for number, edge in family.edges
        ],
    }

    def text() -> None:
        for version in versions:
            parcel = parcel_told(version.parcel)
            until = "" if version.recorded_to is None else f" to {version.recorded_to.isoformat(timespec='seconds')}"
            known = f"known {version.recorded_from.isoformat(timespec='seconds')}{until}"
            times = f"{parcel['valid_from'] or '…'} to {parcel['valid_to'] or '…'}"
            by = "" if version.change is None else f"  change {version.change}"
            figures = f"{parcel['area_measured']:.3f} m² {parcel['land_use'] or '–'}"
            click.echo(f"v{parcel['version']}  {times}  {number_of(parcel)}  {figures}  {known}{by}")
        for line in tree(family, uid):
            click.echo(line)

    emit(document, as_json, text)


def tree(family: Family, uid: str) -> Iterator[str]:
    """The lineage as lines: each change once, its parcels indented below; the one asked for is marked."""
    begun: dict[str, int] = {}
    came: dict[str, int] = {}
    for number, edge in family.edges:
        begun.setdefault(edge.parent_uid, number)
        if edge.parent_uid != edge.child_uid:
            came.setdefault(edge.child_uid, number)
    roots = sorted(name for name, number in begun.items() if number <= came.get(name, number))
    told = {change.id: change for change in family.changes}
    drawn: set[int] = set()

    def below(name: str, after: int, depth: int) -> Iterator[str]:
        yield f"{'  ' * depth}{name}{'  ←' if name == uid else ''}"
        for number in sorted({n for n, edge in family.edges if edge.parent_uid == name and n > after}):
            change = told[number]
            undone = f", undone by {change.undone_by}" if change.undone_by else ""
            undoes = f", undoes {change.undoes}" if change.undoes else ""
            title = f"change {number}: {change.kind.value.replace('_', ' ')}, {change.valid_from}{undoes}{undone}"
            if number in drawn:
                yield f"{'  ' * depth}  → {title} (above)"
                break
            drawn.add(number)
            yield f"{'  ' * depth}  → {title}"
            others = {edge.child_uid for n, edge in family.edges if n == number}
            for child in sorted(others - {name}):
                yield from below(child, number, depth + 2)
            if name not in others:
                break

    for root in roots:
        yield from below(root, 0, 0)

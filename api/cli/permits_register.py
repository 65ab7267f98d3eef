"""`diaba permits register`: high-rise and crowded public buildings, how complete it is, lives of buildings."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import click

from api.cli.common import emit, existing_city, json_option
from api.cli.times import DayType, as_of_option, known_at_option


@click.group("register")
def command() -> None:
    """The register of high-rise and crowded public buildings, and the lives of buildings.

    \b
    Examples:
      diaba permits register load buildings.csv
      diaba permits register completeness
      diaba permits register life b-000001 --set in_use --on 2026-03-02
    """


@command.command("load")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
def load(file: Path, as_json: bool) -> None:
    """Record buildings from a CSV.

    Its columns: building, category, ward_code, valid_from, name, address, capacity, digitised, checked.

    \b
    Examples:
      diaba permits register load buildings.csv
    """
    from gis.access.roles import Role
    from gis.construction.register_files import read_buildings
    from gis.settings import Settings
    from gis.store import building_registers
    from gis.store.database import Database

    told = read_buildings(file)
    database = Database.of(existing_city(), Settings.from_environment(), start=True)
    with database.open(Role.WRITER) as connection:
        saved = building_registers.save(connection, told)
    emit(saved.counts, as_json, lambda: click.echo(f"{saved.added} recorded, {saved.unchanged} known already"))


@command.command("targets")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@json_option
def targets(file: Path | None, as_json: bool) -> None:
    """Record how many buildings there are, from a CSV: ward_code, category, target, valid_from, source, doubt.

    Without a file, the figures of the report of 2014 that come with diaba.

    \b
    Examples:
      diaba permits register targets
      diaba permits register targets targets.csv
    """
    from gis.access.roles import Role
    from gis.construction.register_files import read_targets
    from gis.resources import resource
    from gis.settings import Settings
    from gis.store import building_registers
    from gis.store.database import Database

    told = read_targets(file or resource("registers", "targets.csv"))
    database = Database.of(existing_city(), Settings.from_environment(), start=True)
    with database.open(Role.WRITER) as connection:
        saved = building_registers.save_targets(connection, told)
    emit(saved.counts, as_json, lambda: click.echo(f"{saved.added} recorded, {saved.unchanged} known already"))


@command.command("completeness")
@as_of_option
@known_at_option
@json_option
def completeness(as_of: date | None, known_at: datetime | None, as_json: bool) -> None:
    """How many of the buildings there are stand in the register, digitised and checked, by ward and category.

    \b
    Examples:
      diaba permits register completeness
      diaba permits register completeness --as-of 2014-12-31 --json
    """
    from gis.access.roles import Role
    from gis.settings import Settings
    from gis.store import building_registers
    from gis.store.database import Database

    database = Database.of(existing_city(), Settings.from_environment(), start=True)
    with database.open(Role.READER) as connection:
        found = building_registers.how_complete(connection, as_of, known_at=known_at)
        lives = building_registers.count_by_status(connection, as_of, known_at=known_at)
    document = {
        "as_of": as_of,
        "known_at": known_at,
        "completeness": [
            {
                "ward_code": one.target.ward,
                "category": one.target.category,
                "target": one.target.target,
                "registered": one.registered,
                "digitised": one.digitised,
                "checked": one.checked,
                "missing": one.missing,
                "fraction": one.fraction,
                "source": one.target.source,
                "doubt": one.target.doubt,
            }
            for one in found
        ],
        "statuses": lives,
    }

    def text() -> None:
        for one in found:
            fraction = "–" if one.fraction is None else f"{one.fraction:.1%}"
            doubt = f" {one.target.doubt}" if one.target.doubt else ""
            click.echo(
                f"ward {one.target.ward:8} {one.target.category:15} {one.digitised} of {one.target.target}{doubt} "
                f"digitised ({fraction}), {one.registered} registered, {one.checked} checked"
            )
        if not found:
            click.echo("no targets; record them with: diaba permits register targets")
        for status, count in lives.items():
            click.echo(f"{status:25} {count}")

    emit(document, as_json, text)


@command.command("life")
@click.argument("building")
@click.option("--set", "status", metavar="STATUS", help="Record that it has this status from --on on.")
@click.option("--on", "day", type=DayType(), metavar="DAY", help="First day of the status.")
@click.option("--until", type=DayType(), metavar="DAY", help="To correct: first day after.")
@click.option("--permit", metavar="NO", help="The permit of this step.")
@click.option("--source", metavar="UID", help="The paper of this step.")
@known_at_option
@json_option
def life(
    building: str,
    status: str | None,
    day: date | None,
    until: date | None,
    permit: str | None,
    source: str | None,
    known_at: datetime | None,
    as_json: bool,
) -> None:
    """A building's statuses over time, as in the Dutch BAG; --set records a step, which must be a legal one.

    \b
    Examples:
      diaba permits register life b-000001
      diaba permits register life b-000001 --set under_construction --on 2026-03-02 --permit GPXD-0001
    """
    from gis.access.roles import Role
    from gis.construction.register import BuildingStatus, building_life
    from gis.settings import Settings
    from gis.store import building_registers
    from gis.store.database import Database

    if (status is None) != (day is None):
        raise click.UsageError("--set and --on go together")
    if status is not None and status not in set(BuildingStatus):
        raise click.UsageError(f"--set {status}: there are {', '.join(BuildingStatus)}")
    database = Database.of(existing_city(), Settings.from_environment(), start=True)
    with database.open(Role.WRITER if status else Role.READER) as connection:
        if status is not None and day is not None:
            building_registers.set_status(
                connection, building, BuildingStatus(status), day, until, permit_no=permit, source=source
            )
        stages = building_registers.life(connection, building, known_at=known_at)
    doubts = building_life().doubts(stages)
    document = {
        "building": building,
        "life": [{"status": one.status, "since": one.start, "to": one.end} for one in stages],
        "next": list(building_life().following(stages[-1].status)),
        "doubts": [
            {"from": one.before, "to": one.after, "source": one.source, "article": one.article} for one in doubts
        ],
    }

    def text() -> None:
        for one in stages:
            click.echo(f"{one.status:25} {one.start or '–'} to {one.end or 'now'}")

    emit(document, as_json, text)

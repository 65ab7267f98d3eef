"""`diaba db`: the store is started, brought to a version, backed up and restored."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from pyproj import CRS

from api.cli.common import CrsType, current_city, emit, json_option
from api.cli.db_audit import command as audit
from api.cli.db_key import command as key
from gis.access.openness import Parcels
from gis.access.roles import Role
from gis.crs import name_of
from gis.errors import BadCrs, BadParameter
from gis.settings import CITY_FILE, Settings

if TYPE_CHECKING:
    from gis.store.database import Database

role_option = click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.READER.value,
    show_default=True,
    help="Whose login.",
)


@click.group()
def command() -> None:
    """The store: a private PostGIS cluster, or the server DIABA_DATABASE_URL names.

    \b
    Examples:
      diaba db start
      diaba db status --json
      diaba db backup city.diaba
    """


@command.command()
@click.option(
    "--crs", type=CrsType(), metavar="EPSG", help="CRS of a new city, e.g. EPSG:5899+5727 or EPSG:28992+5709."
)
@json_option
def start(crs: CRS | None, as_json: bool) -> None:
    """Start the cluster; make the city's database and bring it to the newest version.

    \b
    Examples:
      diaba db start
      diaba --city delft db start --crs EPSG:28992+5709
    """
    city = current_city()
    if crs is not None and crs != city.crs:
        if (city.folder / CITY_FILE).exists():
            raise BadCrs(f"the city {city.name} is in {name_of(city.crs)} already, not in {name_of(crs)}")
        city = replace(city, crs=crs)
    database = _database(city_crs=city.crs)
    database.prepare()
    if not city.exists:
        city.save()
    emit(_status(database), as_json, lambda: click.echo(f"{database.where} is running"))


@command.command()
@json_option
def stop(as_json: bool) -> None:
    """Stop the private cluster, of all cities; sessions are ended, what was committed is safe.

    \b
    Examples:
      diaba db stop
    """
    from gis.store.server import Server

    cluster = Server.of(Settings.from_environment()).cluster
    if cluster is None:
        raise BadParameter("DIABA_DATABASE_URL", "…", "that server is not diaba's to stop")
    ran = cluster.stop()
    emit({"stopped": ran}, as_json, lambda: click.echo("stopped" if ran else "was not running"))


@command.command()
@json_option
def status(as_json: bool) -> None:
    """Whether the store runs, where it is, and which version its schema has.

    \b
    Examples:
      diaba db status
      diaba db status --json
    """
    found = _status(_database())

    def text() -> None:
        for name, value in found.items():
            click.echo(f"{name}: {'-' if value is None else value}")

    emit(found, as_json, text)


@command.command()
@role_option
@json_option
def url(role: str, as_json: bool) -> None:
    """Print the address of the city's database with its password, for psql, QGIS or a pool.

    \b
    Examples:
      diaba db url
      diaba db url --role writer
    """
    from gis.store.server import dsn

    address = dsn(_database().url(Role(role)))
    emit({"role": role, "url": address}, as_json, lambda: click.echo(address))


@command.command()
@click.option("--to", default="head", show_default=True, metavar="REV", help="A version, head, or base for none.")
@json_option
def migrate(to: str, as_json: bool) -> None:
    """Bring the schema to a version; all of it or nothing. Going down deletes what only the newer version holds.

    \b
    Examples:
      diaba db migrate
      diaba db migrate --to 0001
    """
    database = _started()
    revision = database.migrate(to)
    if not database.city.exists:
        database.city.save()
    document = {"database": database.name, "revision": revision}
    emit(document, as_json, lambda: click.echo(f"{database.where} is at version {revision or 'base'}"))


@command.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
def backup(file: Path, as_json: bool) -> None:
    """Write the city's database to one file.

    The key of identity numbers is not in it: it lies in the installation's secrets and is to be kept apart.

    \b
    Examples:
      diaba db backup city.diaba
    """
    from gis.store.backup import backup as write

    made = write(_started(), file)
    emit(asdict(made), as_json, lambda: click.echo(f"{made.path}: {made.size / 1e6:.1f} MB, sha256 {made.sha256}"))


@command.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
def restore(file: Path, as_json: bool) -> None:
    """Put a backup in the place of the city's database; a bad file changes nothing.

    \b
    Examples:
      diaba db restore city.diaba
    """
    from gis.store.backup import restore as read

    database = _database()
    city = read(database, file)
    document = {"database": database.name, "city": city.name, "crs": name_of(city.crs), "revision": database.revision()}
    emit(document, as_json, lambda: click.echo(f"{database.where} is restored from {file}"))


@command.command()
@click.option(
    "--parcels", type=click.Choice([one.value for one in Parcels]), help="Show parcels and permits so from now on."
)
@json_option
def access(parcels: str | None, as_json: bool) -> None:
    """How the city shows its parcels and permits: to all, or each ward's to those who work for it.

    \b
    Examples:
      diaba db access
      diaba db access --parcels by-ward
    """
    from gis.store import openness

    database = _started()
    with database.open(Role.OWNER) as connection:
        if parcels is not None:
            openness.show(connection, Parcels(parcels))
        shown, fast = openness.shown(connection), openness.keeps_index(connection)
    document = {"city": database.city.name, "parcels": str(shown), "index_under_policies": fast}
    emit(document, as_json, lambda: click.echo(f"{database.city.name} shows its parcels {shown}"))


command.add_command(key)


@command.command("rotate-key")
@json_option
def rotate_key(as_json: bool) -> None:
    """Encrypt all identity numbers with a new key; the old one stays beside it, for older backups.

    Interrupted, it is run again and does what is left. Delete the old key's file when no backup needs it.

    \b
    Examples:
      diaba db rotate-key
      diaba db rotate-key --json
    """
    count, fingerprint = _started().rotate_key()
    document = {"numbers": count, "key": fingerprint}
    emit(document, as_json, lambda: click.echo(f"{count} identity numbers are encrypted with the key {fingerprint}"))


command.add_command(audit)


def _database(*, city_crs: CRS | None = None) -> Database:
    from gis.store.database import Database

    city = current_city()
    return Database.of(city if city_crs is None else replace(city, crs=city_crs), Settings.from_environment())


def _started() -> Database:
    """The database with its server running."""
    database = _database()
    if database.server.cluster is not None:
        database.server.cluster.start()
    return database


def _status(database: Database) -> dict[str, object]:
    from gis.store.migrate import newest

    cluster = database.server.cluster
    found: dict[str, object] = {
        "city": database.city.name,
        "crs": name_of(database.city.crs),
        "database": database.name,
    }
    if cluster is not None:
        state = cluster.status()
        found |= {
            "running": state.running,
            "pid": state.pid,
            "postgresql": state.version,
            "data": str(state.data),
            "socket": str(state.socket),
            "account": state.account,
        }
    else:
        found |= {"running": True, "server": database.server.where}
    exists = bool(found["running"]) and database.server.exists(database.name)
    return {**found, "revision": database.revision() if exists else None, "newest_revision": newest()}

"""Brings a city's database to a version of the schema and back, from the package's own files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text

from gis import crs
from gis.errors import BadCrs, BadParameter, StoreUnreachable
from gis.settings import City
from gis.store import (
    access_tables,
    audit_log,
    case_tables,
    evidence_tables,
    generalised_tables,
    grants,
    import_tables,
    reference_systems,
    rights_tables,
)

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

HEAD = "head"
BASE = "base"
TABLES_ELSEWHERE = (
    *rights_tables.TABLES,
    *import_tables.STAGED,
    audit_log.audit_log,
    audit_log.audit_pending,
    *access_tables.TABLES,
    *case_tables.TABLES,
    *generalised_tables.TABLES,
    evidence_tables.evidence_sheet,
)
"""Named here so that whoever migrates knows the models of all tables."""
_SCRIPTS = Path(__file__).parent / "migrations"


def revision(connection: Connection) -> str | None:
    """The version the database is at; None before the first migration."""
    # Every command asks: Alembic itself, which takes 0.2 s to load, is for those that migrate.
    if connection.execute(text("SELECT to_regclass('diaba.alembic_version')")).scalar_one() is None:
        return None
    found = connection.execute(text("SELECT version_num FROM diaba.alembic_version")).scalar_one_or_none()
    return None if found is None else str(found)


def newest() -> str:
    """The newest version this installation knows: that of the last file, whose name begins with it."""
    return max(path.name for path in (_SCRIPTS / "versions").glob("[0-9]*_*.py")).partition("_")[0]


def check_version(connection: Connection) -> None:
    """Refuse a database that is at another version of the schema than this installation.

    Raises:
        StoreUnreachable: it is.
    """
    found = revision(connection)
    if found != newest():
        raise StoreUnreachable(
            "of the city", f"its schema is at version {found}, this program's at {newest()}; run: diaba db migrate"
        )


def migrate(connection: Connection, city: City, database: str, to: str = HEAD) -> str | None:
    """Bring the database up or down to a version, all steps in the caller's transaction. Returns the version.

    Args:
        connection: A session of the owner.
        city: Its settings; the SRID of all geometry is its CRS's.
        database: The database's name, which names its logins.
        to: A version, "head" or "base".

    Raises:
        BadParameter: no such version.
        BadCrs: the database was made for another CRS.
    """
    from alembic import command
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    srid = crs.srid(city.crs)
    config = _config()
    config.attributes.update(connection=connection, srid=srid)
    scripts = ScriptDirectory.from_config(config)
    try:
        target = scripts.get_current_head() if to == HEAD else None if to == BASE else _known(scripts, to)
        current = revision(connection)
        if current is not None:
            _known(scripts, current)
            check_crs(connection, city)
    except CommandError as error:
        raise BadParameter("revision", to, str(error)) from error
    reference_systems.complete(connection, city.crs)
    if target is None or (current is not None and target < current):
        command.downgrade(config, target or BASE)
    else:
        command.upgrade(config, target)
    if target is not None:
        _set_city(connection, city, srid)
    grants.apply(connection, database)
    return revision(connection)


def check_crs(connection: Connection, city: City) -> None:
    """Refuse to work on a database whose geometry is in another CRS than the city's settings say.

    Raises:
        BadCrs: it is.
    """
    stored = connection.execute(text("SELECT crs, srid FROM diaba.city")).one_or_none()
    if stored is not None and stored.srid != crs.srid(city.crs):
        raise BadCrs(f"the store of {city.name} is in {stored.crs}, its settings say {crs.name_of(city.crs)}")


def _set_city(connection: Connection, city: City, srid: int) -> None:
    height = crs.vertical(city.crs)
    connection.execute(
        text(
            "INSERT INTO diaba.city (name, crs, srid, vertical) VALUES (:name, :crs, :srid, :vertical) "
            "ON CONFLICT ((true)) DO UPDATE SET name = excluded.name, migrated_at = now()"
        ),
        {
            "name": city.name,
            "crs": crs.name_of(city.crs),
            "srid": srid,
            "vertical": crs.name_of(height) if height is not None else None,
        },
    )


def _known(scripts: ScriptDirectory, to: str) -> str:
    script = scripts.get_revision(to)
    if script is None:
        raise BadParameter("revision", to, "no such version of the schema")
    return str(script.revision)


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    # Alembic reads % as the start of a variable.
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config

"""A demonstration's database, made anew each time; a real city's is never touched."""

from __future__ import annotations

from psycopg import sql
from sqlalchemy import text

from gis.access.roles import Role
from gis.errors import Conflict
from gis.store.database import Database
from gis.store.schema import SCHEMA


def make_demo(database: Database) -> None:
    """Make the city's database empty, at the newest version, and marked as a demonstration.

    Raises:
        Conflict: the database holds a city that is no demonstration.
        StoreUnreachable: the server does not answer, or the login may not do this.
    """
    server = database.server
    if server.cluster is not None:
        server.cluster.start()
    if server.exists(database.name):
        _refuse_a_real_city(database)
        for role in Role:
            database.engine(role).dispose()
        if server.given_database is None:
            with server.administrate() as session:
                session.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database.name)))
        else:
            with server.administrate(database.name) as session:
                session.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(SCHEMA)))
    database.migrate()
    with database.open(Role.OWNER) as connection:
        connection.execute(text("UPDATE diaba.city SET is_demo = true"))


def _refuse_a_real_city(database: Database) -> None:
    with database.server.administrate(database.name) as session:
        table = session.execute("SELECT to_regclass('diaba.city')").fetchone()
        if table is None or table[0] is None:
            return
        row = session.execute("SELECT name, is_demo FROM diaba.city").fetchone()
    if row is not None and not row[1]:
        raise Conflict(
            f"the database {database.name} holds the city {row[0]}, which is no demonstration; "
            "give the demo another name: diaba --city NAME demo"
        )

"""What each login of a city's database may do, told to PostgreSQL; may be told again at any time."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql
from sqlalchemy import Connection, text

from gis.access.roles import (
    HIDDEN,
    OWNERS_FUNCTIONS,
    READABLE_COLUMNS,
    WRITER_PRIVILEGES,
    WRITERS_FUNCTIONS,
    Role,
)
from gis.store.schema import SCHEMA


def apply(connection: Connection, database: str) -> None:
    """Give writer and reader what `gis.access.roles` says on all tables there are; takes away anything else.

    Functions of the schema may be called by both, but for those `gis.access.roles` names and those of triggers.

    Args:
        connection: A session of the owner.
        database: Whose logins.
    """
    tables = connection.execute(
        text(
            "SELECT c.relname, c.relkind, (SELECT array_agg(a.attname::text) FROM pg_attribute a "
            "WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) "
            "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = :schema AND c.relkind IN ('r', 'p', 'v') ORDER BY 1"
        ),
        {"schema": SCHEMA},
    ).all()
    writer, reader = (sql.Identifier(role.login(database)) for role in (Role.WRITER, Role.READER))
    schema = sql.Identifier(SCHEMA)
    statements: list[sql.Composed] = [
        sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA {} FROM PUBLIC, {}, {}").format(schema, writer, reader),
        sql.SQL("REVOKE ALL ON SCHEMA {} FROM PUBLIC").format(schema),
        sql.SQL("GRANT USAGE ON SCHEMA {} TO {}, {}").format(schema, writer, reader),
        sql.SQL("REVOKE ALL ON ALL ROUTINES IN SCHEMA {} FROM PUBLIC, {}, {}").format(schema, writer, reader),
        *_calls(connection, writer, reader),
    ]
    for name, kind, present in tables:
        if name in HIDDEN:
            continue
        table = sql.Identifier(SCHEMA, name)
        usual = ("SELECT",) if kind == "v" else ("SELECT", "INSERT", "UPDATE")
        privileges = sql.SQL(", ").join(map(sql.SQL, WRITER_PRIVILEGES.get(name, usual)))
        statements.append(sql.SQL("GRANT {} ON {} TO {}").format(privileges, table, writer))
        columns = READABLE_COLUMNS.get(name)
        if columns is None:
            statements.append(sql.SQL("GRANT SELECT ON {} TO {}").format(table, reader))
            continue
        # An older version of the schema may lack some.
        if seen := [sql.Identifier(column) for column in columns if column in present]:
            shown = sql.SQL(", ").join(seen)
            statements.append(sql.SQL("GRANT SELECT ({}) ON {} TO {}").format(shown, table, reader))
    session = connection.connection.driver_connection
    if session is None:
        return
    for statement in statements:
        session.execute(statement)


def _calls(connection: Connection, writer: sql.Identifier, reader: sql.Identifier) -> Iterator[sql.Composed]:
    """Who may call which function. Triggers work without: that right is asked for when one is made."""
    functions = connection.execute(
        text(
            "SELECT p.proname, pg_get_function_identity_arguments(p.oid) FROM pg_proc p "
            "JOIN pg_namespace n ON n.oid = p.pronamespace "
            "WHERE n.nspname = :schema AND p.prorettype <> 'trigger'::regtype ORDER BY 1, 2"
        ),
        {"schema": SCHEMA},
    )
    for name, arguments in functions:
        if name not in OWNERS_FUNCTIONS:
            callers = [writer] if name in WRITERS_FUNCTIONS else [writer, reader]
            yield sql.SQL("GRANT EXECUTE ON ROUTINE {}({}) TO {}").format(
                sql.Identifier(SCHEMA, name), sql.SQL(arguments), sql.SQL(", ").join(callers)
            )

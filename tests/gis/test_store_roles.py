"""Each login may do what it is for and nothing else: shown by trying."""

from __future__ import annotations

import stat
from collections.abc import Callable

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gis.access.roles import HIDDEN, READABLE_COLUMNS, Role
from gis.errors import StoreUnreachable
from gis.store import parties
from gis.store.database import Database
from gis.store.server import dsn


def _try(database: Database, role: Role, statement: str) -> str:
    """The SQLSTATE a statement ends with, under a login that first frees itself of what is only a setting."""
    with psycopg.connect(dsn(database.url(role))) as session:
        session.execute("SET default_transaction_read_only = off")
        session.commit()
        try:
            session.execute(statement)
        except psycopg.Error as error:
            return str(error.sqlstate)
        finally:
            session.rollback()
        return "done"


DENIED = "42501"

SHAPING = [
    "CREATE TABLE diaba.mine (a int)",
    "CREATE TABLE public.mine (a int)",
    "CREATE SCHEMA mine",
    "CREATE TEMPORARY TABLE mine (a int)",
    "ALTER TABLE diaba.parcel ADD COLUMN a int",
    "DROP TABLE diaba.permit_limit",
    "TRUNCATE diaba.permit_limit",
    "CREATE INDEX ON diaba.parcel (uid)",
    "ALTER ROLE current_user SUPERUSER",
    "CREATE EXTENSION dblink",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "SELECT pg_read_file('postgresql.conf')",
    "DELETE FROM diaba.parcel_version",
    "DELETE FROM diaba.party",
    "UPDATE diaba.alembic_version SET version_num = 'x'",
]


@pytest.mark.parametrize("statement", SHAPING)
@pytest.mark.parametrize("role", [Role.WRITER, Role.READER])
def test_neither_writer_nor_reader_can_shape_or_delete(shared_database: Database, role: Role, statement: str) -> None:
    assert _try(shared_database, role, statement) == DENIED


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO diaba.parcel VALUES ('x')",
        "UPDATE diaba.city SET is_demo = true",
        "UPDATE diaba.permit SET status = 'valid'",
        "DELETE FROM diaba.raster_product",
        "INSERT INTO public.spatial_ref_sys (srid) VALUES (1)",
        "SELECT * FROM diaba.party",
        "SELECT name FROM diaba.party",
        "SELECT id_no_encrypted FROM diaba.party",
        "SELECT id_no_hash FROM diaba.party",
        "SELECT digest FROM diaba.party",
        "SELECT count(*) FROM diaba.party WHERE id_no_hash IS NULL",
        "COPY diaba.party TO STDOUT",
    ],
)
def test_reader_can_neither_write_nor_see_who_a_party_is(shared_database: Database, statement: str) -> None:
    assert _try(shared_database, Role.READER, statement) == DENIED


def test_reader_sees_all_registers_and_all_current_views(shared_database: Database) -> None:
    with shared_database.open(Role.READER) as connection:
        names = connection.scalars(
            text(
                "SELECT table_name FROM information_schema.tables "
                "WHERE table_schema = 'diaba' AND table_name <> ALL (:restricted)"
            ),
            {"restricted": [*READABLE_COLUMNS, *HIDDEN]},
        ).all()
        assert {"parcel_version", "building_version", "current_parcel", "current_permit", "current_party"} <= set(names)
        for name in names:
            connection.execute(text(f'TABLE diaba."{name}"'))
        for name, columns in READABLE_COLUMNS.items():
            if not columns:
                assert not connection.scalar(text(f"SELECT has_any_column_privilege('diaba.{name}', 'SELECT')"))
                continue
            connection.execute(text(f"SELECT {', '.join(columns)} FROM diaba.{name}"))  # noqa: S608  names of ours


def test_writer_and_reader_own_nothing(shared_database: Database) -> None:
    with shared_database.open(Role.OWNER) as connection:
        owners = connection.scalars(
            text("SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'diaba'::regnamespace")
        ).all()
    assert owners == [Role.OWNER.login(shared_database.name)]


def test_a_city_s_logins_cannot_enter_another_city_s_database(make_database: Callable[..., Database]) -> None:
    one, other = make_database(), make_database()
    strange = other.server.url(Role.READER.login(one.name), other.name)
    with pytest.raises(psycopg.OperationalError, match="CONNECT privilege"):
        psycopg.connect(dsn(strange))


def test_a_wrong_password_is_refused(shared_database: Database) -> None:
    wrong = shared_database.url(Role.READER).set(password="guess")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(dsn(wrong))


def test_a_runaway_query_ends_by_itself(shared_database: Database) -> None:
    with shared_database.open(Role.READER) as connection:
        assert connection.scalar(text("SHOW statement_timeout")) == "30s"
        connection.execute(text("SET LOCAL statement_timeout = '50ms'"))
        with pytest.raises(DBAPIError, match="statement timeout"):
            connection.execute(text("SELECT pg_sleep(5)"))
        connection.rollback()
    for role in Role:
        with shared_database.open(role) as connection:
            assert connection.scalar(text("SHOW idle_in_transaction_session_timeout")) != "0"


def test_secrets_are_closed_files_and_stay_out_of_texts(shared_database: Database) -> None:
    folder = shared_database.server.secrets
    shared_database.url(Role.READER)
    for file in folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    password = str(shared_database.url(Role.READER).password)
    for shown in (str(shared_database.url(Role.READER)), repr(shared_database), shared_database.where):
        assert password not in shown


def test_identity_numbers_are_closed_to_a_connection_without_the_key(shared_database: Database) -> None:
    with shared_database.open(Role.READER) as connection, pytest.raises(StoreUnreachable, match="writer's login"):
        parties.find(connection, "079000000001")

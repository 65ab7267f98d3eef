"""The server that holds the cities' databases: the private cluster, or the one DIABA_DATABASE_URL names."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from gis.access.roles import SETTINGS, Role
from gis.errors import BadParameter, StoreUnreachable
from gis.settings import City, Settings
from gis.store import secret_files
from gis.store.cluster import PORT, SUPERUSER, Cluster
from gis.store.schema import SCHEMA

EXTENSIONS = ("postgis", "btree_gist", "pgcrypto", "pg_trgm", "unaccent")
CONNECT_SECONDS = 10
LEAKPROOF = "ALTER FUNCTION public.geometry_overlaps(geometry, geometry) LEAKPROOF"
"""Lets `&&` use the spatial index under row-level security; see `gis.store.openness`."""
DRIVER = "postgresql+psycopg"
AdminSession = psycopg.Connection[tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Server:
    """Where databases are made, and under which administrating login."""

    admin: URL
    """Login that may make logins and databases, in the server's maintenance database."""
    secrets: Path
    cluster: Cluster | None
    """The private cluster, when it is that."""
    given_database: str | None = None
    """The database DIABA_DATABASE_URL names; it is the city's then."""

    @classmethod
    def of(cls, settings: Settings) -> Server:
        """The server the settings name.

        Raises:
            BadParameter: DIABA_DATABASE_URL is not a PostgreSQL URL.
        """
        if settings.database_url is None:
            cluster = Cluster(settings.home)
            admin = URL.create(
                DRIVER,
                username=SUPERUSER,
                database="postgres",
                query={"host": str(cluster.socket), "port": str(PORT)},
            )
            return cls(admin, cluster.secrets, cluster)
        try:
            given = make_url(settings.database_url)
        except (ArgumentError, ValueError):
            given = None
        if given is None or not re.match(r"postgres(ql)?(\+psycopg)?$", given.drivername):
            why = "not a PostgreSQL URL such as postgresql://user@host:5432"
            raise BadParameter("DIABA_DATABASE_URL", "…", why) from None
        place = f"{given.host}:{given.port}/{given.query}"
        folder = settings.home / "servers" / hashlib.sha256(place.encode()).hexdigest()[:16]
        # Not the city's own database: one cannot rename the database one is in.
        admin = given.set(drivername=DRIVER, database="postgres")
        return cls(admin, folder, None, given.database)

    @property
    def where(self) -> str:
        """For messages: the address without the password."""
        return str(self.admin.query.get("host")) if self.cluster else self.admin.render_as_string(hide_password=True)

    def database_of(self, city: City) -> str:
        """Name of a city's database here."""
        return self.given_database or city.database

    def url(self, login: str, database: str) -> URL:
        """Address of a database under a login, with its password."""
        return self.admin.set(username=login, password=secret_files.password(self.secrets, login), database=database)

    @contextmanager
    def administrate(self, database: str | None = None) -> Iterator[AdminSession]:
        """A session of the administrating login, each statement its own transaction.

        Raises:
            StoreUnreachable: the server does not answer, or does not let the login do what it takes.
        """
        admin = self.admin
        if self.cluster is not None:
            admin = admin.set(password=self.cluster.password(SUPERUSER))
        try:
            with psycopg.connect(dsn(admin, database), autocommit=True, connect_timeout=CONNECT_SECONDS) as session:
                yield session
        except psycopg.errors.InsufficientPrivilege as error:
            raise StoreUnreachable(self.where, f"{admin.username} may not do this: {first_line(error)}") from error
        except psycopg.OperationalError as error:
            raise StoreUnreachable(self.where, first_line(error)) from error

    def exists(self, database: str) -> bool:
        """Whether there is a database of that name."""
        with self.administrate() as session:
            found = session.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone()
        return found is not None

    def make(self, database: str, logins_of: str | None = None) -> None:
        """Make the database, its three logins, its extensions and its empty schema; what is there already stays.

        Args:
            database: The database.
            logins_of: The database whose logins these are, when it is made to take that one's place.

        Raises:
            StoreUnreachable: the login may not; the text says which SQL an administrator has to run.
        """
        owner_of = logins_of or database
        logins = {role: role.login(owner_of) for role in Role}
        try:
            with self.administrate() as session:
                # Logins are the whole server's: of two processes that make them one waits for the other.
                session.execute("SELECT pg_advisory_lock(hashtextextended('diaba make', 0))")
                for login in logins.values():
                    self._make_login(session, login)
                if session.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone() is None:
                    session.execute(
                        sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(
                            sql.Identifier(database)
                        )
                    )
                with self.administrate(database) as inside, inside.transaction():
                    _furnish(inside, database, logins)
        except StoreUnreachable as error:
            if not isinstance(error.__cause__, psycopg.errors.InsufficientPrivilege):
                raise
            raise StoreUnreachable(self.where, self._what_to_run(database, logins)) from error

    def _make_login(self, session: AdminSession, login: str) -> None:
        """Make a login; in the private cluster, where the password file rules, set its password again."""
        known = session.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (login,)).fetchone() is not None
        if known and self.cluster is None:
            return
        verb = sql.SQL("ALTER" if known else "CREATE")
        # The password's hash is made here, so that the password itself is in no statement and no log.
        word = secret_files.password(self.secrets, login).encode()
        hashed = session.pgconn.encrypt_password(word, login.encode(), b"scram-sha-256").decode()
        session.execute(
            sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {}").format(
                verb, sql.Identifier(login), sql.Literal(hashed)
            )
        )

    def _what_to_run(self, database: str, logins: dict[Role, str]) -> str:
        roles = " ".join(
            f'CREATE ROLE "{login}" LOGIN{" BYPASSRLS" if role is Role.WRITER else ""};'
            for role, login in logins.items()
        )
        extensions = " ".join(f"CREATE EXTENSION {name};" for name in EXTENSIONS)
        owner = logins[Role.OWNER]
        for login in logins.values():
            secret_files.password(self.secrets, login)
        return (
            f"{self.admin.username} may not make logins, databases or extensions here; ask an administrator to run: "
            f'{roles} CREATE DATABASE "{database}"; and in it: {extensions} CREATE SCHEMA {SCHEMA} AUTHORIZATION '
            f'"{owner}"; GRANT SELECT, INSERT, UPDATE ON spatial_ref_sys TO "{owner}"; {LEAKPROOF}; '
            f"and to give each login the password in the file of its name in {self.secrets}"
        )


def _furnish(session: AdminSession, database: str, logins: dict[Role, str]) -> None:
    """Extensions, schema, settings and the right to enter; leaves alone what a plain login finds already done."""
    owner, writer, reader = (sql.Identifier(logins[role]) for role in (Role.OWNER, Role.WRITER, Role.READER))
    name, schema = sql.Identifier(database), sql.Identifier(SCHEMA)
    present = {row[0] for row in session.execute("SELECT extname FROM pg_extension")}
    for extension in EXTENSIONS:
        if extension not in present:
            session.execute(sql.SQL("CREATE EXTENSION {} SCHEMA public").format(sql.Identifier(extension)))
    if session.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (SCHEMA,)).fetchone() is None:
        session.execute(sql.SQL("CREATE SCHEMA {} AUTHORIZATION {}").format(schema, owner))
    rights = session.execute("SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user").fetchone()
    if rights is None or not any(rights):
        # The administrator has prepared all; a plain login cannot and need not tell it again.
        return
    for statement in (
        sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name),
        sql.SQL("GRANT CONNECT ON DATABASE {} TO {}, {}, {}").format(name, owner, writer, reader),
        sql.SQL("REVOKE CREATE ON SCHEMA public FROM PUBLIC"),
        sql.SQL("GRANT USAGE ON SCHEMA public TO {}, {}, {}").format(owner, writer, reader),
        sql.SQL("GRANT SELECT, INSERT, UPDATE ON public.spatial_ref_sys TO {}").format(owner),
    ):
        session.execute(statement)
    if rights[0]:
        # The writer records for all wards, and copies many rows at once.
        session.execute(sql.SQL("ALTER ROLE {} BYPASSRLS").format(writer))
        session.execute(LEAKPROOF)
    for role, login in logins.items():
        settings = {"search_path": f"{SCHEMA}, public", "TimeZone": "UTC", **SETTINGS[role]}
        for setting, value in settings.items():
            given = sql.SQL("{}, public").format(schema) if setting == "search_path" else sql.Literal(value)
            session.execute(
                sql.SQL("ALTER ROLE {} IN DATABASE {} SET {} = {}").format(
                    sql.Identifier(login), name, sql.Identifier(setting), given
                )
            )


def dsn(url: URL, database: str | None = None) -> str:
    """The address as libpq takes it."""
    plain = url.set(drivername="postgresql", database=database or url.database)
    return plain.render_as_string(hide_password=False)


def first_line(error: BaseException) -> str:
    """The first line of what the server or the driver says."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__

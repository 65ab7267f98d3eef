"""A city's database: opened here, under one of its logins, one transaction at a time."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry

from gis.access.roles import SETTINGS, Role
from gis.access.scope import EVERYTHING, NOTHING_MORE, Scope
from gis.errors import BadInput, Conflict, DiabaError, StoreUnreachable
from gis.settings import City, Settings
from gis.store import audit_log, migrate, row_scope, secret_files
from gis.store.identity_keys import KEY_OPTION, fingerprint, rotate, stored_fingerprint
from gis.store.schema import SCHEMA
from gis.store.server import CONNECT_SECONDS, Server, first_line

POOL_SIZE = 8
ASKED_AFTER = 30.0
"""Seconds without use after which a session is asked whether it still lives: a network may fail without a word."""
_LOST = (
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
)
"""What the server says to the one of two writers that has to begin again."""


@dataclass(frozen=True, slots=True)
class Database:
    """The database of one city."""

    city: City
    server: Server
    name: str
    scope: Scope = field(default=EVERYTHING, repr=False)
    """What the reader's transactions see; who works here holds the city's secrets. A service takes `as_public`."""
    reader: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Settings of the reader's sessions, besides those of every reader."""

    @classmethod
    def of(cls, city: City, settings: Settings | None = None, *, start: bool = False) -> Database:
        """The city's database.

        Args:
            city: The city.
            settings: The installation's; read from the environment when not given.
            start: Start the private cluster, make the database and bring it to the newest version, as needed.

        Raises:
            StoreUnreachable: with `start`, the server does not come up or does not answer.
        """
        server = Server.of(settings or Settings.from_environment())
        database = cls(city, server, server.database_of(city))
        if start:
            database.prepare()
        return database

    def prepare(self) -> None:
        """Start the private cluster, make the database and bring it to the newest version; does only what is left."""
        if self.server.cluster is not None:
            self.server.cluster.start()
        if not self.server.exists(self.name) or self.revision() != migrate.newest():
            self.migrate()

    def migrate(self, to: str = migrate.HEAD) -> str | None:
        """Bring the schema to a version, in one transaction, making the database first where there is none.

        Returns:
            The version it is at now.

        Raises:
            BadParameter: no such version.
            BadCrs: the database is in another CRS than the city's settings.
        """
        self.server.make(self.name)
        with self.open(Role.OWNER) as connection:
            # Of two processes that migrate at once the second waits and finds the work done.
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('diaba migrate', 0))"))
            revision = migrate.migrate(connection, self.city, self.name, to)
            self.tell_scope_key(connection)
            return revision

    def analyse(self) -> None:
        """Tell the planner how the tables have changed; worth it after much was written at once."""
        with self.open(Role.OWNER) as connection:
            connection.execute(text("ANALYZE"))

    def revision(self) -> str | None:
        """The version of the schema the database is at."""
        with self.open(Role.OWNER) as connection:
            return migrate.revision(connection)

    def url(self, role: Role) -> URL:
        """Address under a login, for `sqlalchemy.create_engine`; as a string it hides its password."""
        return self.server.url(role.login(self.name), self.name)

    def engine(self, role: Role) -> Engine:
        """The pool of sessions of a login, one for a process."""
        login = role.login(self.name)
        reader = self.reader if role is Role.READER else ()
        # Asked for at each transaction; to read the password and to write the address takes longer than a small query.
        written = secret_files.written_at(self.server.secrets, login)
        key = (self.server.secrets, login, reader, written, os.getpid())
        engine = _engines.get(key)
        if engine is None:
            engine = _engines[key] = self._made_engine(role)
        return engine

    def _made_engine(self, role: Role) -> Engine:
        # Where an administrator prepared the logins, they have no settings of their own.
        settings = {"search_path": f"{SCHEMA},public", "TimeZone": "UTC", **SETTINGS[role]}
        if role is Role.READER:
            settings |= dict(self.reader)
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        return _engine(self.url(role), options, os.getpid())

    @contextmanager
    def open(self, role: Role, *, transaction: bool = True) -> Iterator[Connection]:
        """One transaction: committed at the end, rolled back by an exception.

        Args:
            role: Whose login.
            transaction: False for a reader's single statements, each of a moment of its own: to begin and to commit are
                two messages to the server, as long as a small query. What has a scope begins one all the same.

        Raises:
            StoreUnreachable: the server does not answer, or goes away meanwhile.
            Conflict: what was written contradicts what the registers hold.
            BadInput: a value is not of its column's kind.
        """
        told = self.signed(self.scope) if role is Role.READER else ""
        if role is Role.READER and not transaction and not told:
            with self._told(), self.engine(role).connect() as connection:
                yield connection.execution_options(isolation_level="AUTOCOMMIT")
            return
        with self._told(), self.engine(role).begin() as connection:
            if told:
                row_scope.take(connection, told)
            yield self._writing(connection) if role is Role.WRITER else connection

    @contextmanager
    def statements(self, role: Role) -> Iterator[Connection]:
        """Each statement a transaction of its own, which the server ends even where its sender is gone meanwhile.

        The session is closed at the end, with whatever was set in it.

        Raises:
            DiabaError: as `open` does.
        """
        with self._told(), self.engine(role).connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").detach()
            audit_log.tell(connection, local=False)
            yield connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What the server or the driver says becomes an error of ours."""
        try:
            yield
        except (DBAPIError, PoolTimeout, psycopg.Error) as error:
            raised = self._as_ours(error)
            if raised is None:
                raise
            raise raised from error

    def _as_ours(self, error: DBAPIError | PoolTimeout | psycopg.Error) -> DiabaError | None:
        """Our name for what the server or the driver says; None for what only a mistake in the code can cause."""
        cause = (error.orig or error) if isinstance(error, DBAPIError) else error
        why = first_line(cause)
        if isinstance(cause, psycopg.errors.IntegrityError):
            return Conflict(why)
        if isinstance(cause, _LOST):
            return Conflict(f"another change is being recorded ({why}); try again")
        if isinstance(cause, psycopg.errors.DataError):
            return BadInput(why)
        if isinstance(cause, psycopg.errors.UndefinedTable | psycopg.errors.InvalidSchemaName):
            return StoreUnreachable(self.where, f"{why}; run: diaba db migrate")
        if isinstance(cause, psycopg.errors.InsufficientPrivilege):
            return StoreUnreachable(self.where, why)
        gone = isinstance(error, DBAPIError) and error.connection_invalidated
        if gone or isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError | PoolTimeout):
            cluster = self.server.cluster
            stopped = cluster is not None and not cluster.status().running
            return StoreUnreachable(self.where, "it does not run; run: diaba db start" if stopped else why)
        return None

    def _writing(self, connection: Connection) -> Connection:
        """Tell in whose name is written; hand over the key of identity numbers, which the database itself never has."""
        audit_log.tell(connection)
        key = secret_files.key(self.server.secrets, self._key_file)
        return connection.execution_options(**{KEY_OPTION: key})

    def as_public(self, **reader: str) -> Database:
        """The same database as the public sees it, but for the transactions that take a scope of their own.

        Args:
            reader: Settings of the reader's sessions.
        """
        return replace(self, scope=NOTHING_MORE, reader=tuple(sorted(reader.items())))

    def signed(self, scope: Scope) -> str:
        """A scope as the database believes it (`row_scope.take`)."""
        return row_scope.signed(self._scope_key, scope) if scope.grants else ""

    def tell_scope_key(self, connection: Connection) -> None:
        """Make the database believe the scopes this installation signs; the connection is the owner's."""
        row_scope.save_key(connection, self._scope_key)

    def rotate_key(self) -> tuple[int, str]:
        """Encrypt all identity numbers with a new key and put it in the old one's place, whose file is kept beside it.

        The old key opens older backups. Interrupted at any point it can be run again: numbers and key then agree.

        Returns:
            How many numbers were encrypted anew, and the new key's fingerprint.

        Raises:
            IdentityClosed: the installation has not the key the numbers are encrypted with.
        """
        folder, name = self.server.secrets, self._key_file
        new = secret_files.key(folder, f"{name}.next")
        with self.open(Role.WRITER) as connection:
            # What an interrupted run has left to do is only the change of files.
            count = 0 if stored_fingerprint(connection) == fingerprint(new) else rotate(connection, new)
        old = secret_files.key(folder, name)
        # Of two runs at once the second finds the files changed.
        if old != new:
            secret_files.replace(folder, name, f"{name}.next", kept=f"{name}.{fingerprint(old)}")
        return count, fingerprint(new)

    @property
    def _scope_key(self) -> bytes:
        return _scope_key(self.server.secrets, f"{self.name}_scope.key")

    @property
    def _key_file(self) -> str:
        return f"{self.name}_identity.key"

    @property
    def where(self) -> str:
        """For messages: the database's name and server, without a password."""
        return f"{self.name} at {self.server.where}"


@lru_cache(maxsize=32)
def _scope_key(folder: Path, name: str) -> bytes:
    # Read once: a service signs each request's scope.
    return secret_files.key(folder, name)


_engines: dict[tuple[object, ...], Engine] = {}


@lru_cache(maxsize=32)
def _engine(url: URL, options: str, process: int) -> Engine:
    # The process is part of the key: a forked child must not talk on its parent's sessions.
    engine = create_engine(
        url,
        pool_size=POOL_SIZE,
        # Identity numbers and their key are parameters: no message of an error may show them.
        hide_parameters=True,
        connect_args={"connect_timeout": CONNECT_SECONDS, "application_name": "diaba", "options": options},
    )
    # A session may have died with a restart of the server. To ask each takes as long as a small query.
    event.listen(engine, "checkin", _put_back)
    event.listen(engine, "checkout", lambda session, record, _: _taken(engine, session, record))
    return engine


def _put_back(_: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
    record.info["used"] = time.monotonic()


def _taken(engine: Engine, session: Any, record: ConnectionPoolEntry) -> None:
    """Whether a session can be used again; what lies there to be read, before anything was asked, is its end."""
    used = record.info.get("used")
    if used is None:
        return
    if time.monotonic() - used < ASKED_AFTER and not select.select([session.fileno()], (), (), 0)[0]:
        return
    try:
        engine.dialect.do_ping(session)
    except engine.dialect.loaded_dbapi.Error as error:
        # All of the pool are opened anew.
        raise InvalidatePoolError from error

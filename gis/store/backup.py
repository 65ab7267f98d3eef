"""A city's database as one file, and back from it: whole or not at all."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError

from gis import crs as reference
from gis.access.roles import Role
from gis.errors import BadInput, NotFound, ProgramFailed, StoreUnreachable, UnreadableFile
from gis.files import written_whole
from gis.settings import City
from gis.store import migrate, programs
from gis.store.database import Database
from gis.store.schema import SCHEMA
from gis.store.server import AdminSession, dsn, first_line

MAGIC = b"PGDMP"
"""First bytes of pg_dump's custom format."""
SEAL = b"\ndiaba-backup-sha256 %s\n"
"""Last line of a backup: the digest of all before it. pg_restore does not read that far."""
SEAL_LENGTH = len(SEAL % bytes(64))
SWAP_TRIES = 20


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup file."""

    path: Path
    size: int
    """In bytes."""
    sha256: str
    """Of the content, as its last line says."""


def backup(database: Database, path: Path | str) -> Backup:
    """Write the database with its city's settings to a file, as of one moment, while others go on working.

    Passwords and the key of identity numbers are not in it; they lie in the installation's secrets.

    Raises:
        NotFound: the database holds nothing yet.
        ProgramFailed: pg_dump failed; no file is left.
        StoreUnreachable: the server does not answer.
    """
    if database.revision() is None:
        raise NotFound("store of the city", database.city.name)
    with written_whole(Path(path)) as part:
        programs.run(
            [
                programs.program("pg_dump"),
                *("--format", "custom"),
                *("--schema", SCHEMA),
                "--no-owner",
                "--no-privileges",
                # Of this installation alone; the one that restores has a key of its own.
                *("--exclude-table-data", f"{SCHEMA}.scope_key"),
                *("--file", part.resolve()),
                *("--dbname", _address(database, database.name)),
            ],
            extra=_password(database),
        )
        digest = _digest(part, part.stat().st_size)
        with part.open("ab") as file:
            file.write(SEAL % digest.encode())
    return Backup(Path(path), Path(path).stat().st_size, digest)


def restore(database: Database, path: Path | str) -> City:
    """Put a backup in the place of the database; what was there stays until the new one is complete.

    An older backup is brought to the newest version of the schema. The city takes the backup's CRS.

    Returns:
        The city with its settings as restored.

    Raises:
        UnreadableFile: it is no backup, or it is truncated or damaged; the database is unchanged.
        StoreUnreachable: the server does not answer or does not let the login do this.
    """
    file = Path(path)
    check(file)
    server, name = database.server, database.name
    if server.cluster is not None:
        server.cluster.start()
    new, old = f"{name}_restoring", f"{name}_replaced"
    with server.administrate() as session:
        # Of two restores at once one waits for the other; the lock ends with the session.
        session.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", (new,))
        _drop(session, new)
        try:
            server.make(new, logins_of=name)
            city = _fill(database, new, file)
            for role in Role:
                database.engine(role).dispose()
            _swap(session, name, new, old)
        except BaseException:
            _drop(session, new)
            raise
        city.save()
        _drop(session, old)
    return city


def check(path: Path) -> str:
    """The digest of a whole, undamaged backup.

    Raises:
        UnreadableFile: it is not that.
    """
    if not path.is_file():
        raise UnreadableFile(path, "there is no such file")
    length = path.stat().st_size - SEAL_LENGTH
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise UnreadableFile(path, "not a backup of diaba")
        file.seek(max(length, 0))
        seal = file.read()
    digest = _digest(path, max(length, 0))
    if seal != SEAL % digest.encode():
        raise UnreadableFile(path, "the backup is truncated or damaged: its content does not match its digest")
    return digest


def _fill(database: Database, new: str, file: Path) -> City:
    """Load the file into the new database and bring it up to date."""
    try:
        programs.run(
            [
                programs.program("pg_restore"),
                "--single-transaction",
                "--exit-on-error",
                "--no-owner",
                "--no-privileges",
                *("--schema", SCHEMA),
                *("--dbname", _address(database, new)),
                file.resolve(),
            ],
            extra=_password(database),
        )
    except ProgramFailed as error:
        raise UnreadableFile(file, f"the backup cannot be restored: {error.why}") from error
    # The logins keep the name of the database whose place this one takes.
    engine = create_engine(database.server.url(Role.OWNER.login(database.name), new), poolclass=NullPool)
    try:
        with engine.begin() as connection:
            stored = connection.execute(text("SELECT crs FROM diaba.city")).one_or_none()
            if stored is None:
                raise UnreadableFile(file, "the backup holds no city")
            city = replace(database.city, crs=reference.normalise(stored.crs))
            migrate.migrate(connection, city, database.name)
            database.tell_scope_key(connection)
            connection.execute(text("ANALYZE"))
        return city
    except (DBAPIError, BadInput) as error:
        why = first_line(error.orig or error) if isinstance(error, DBAPIError) else str(error)
        raise UnreadableFile(file, f"the backup cannot be used here: {why}") from error
    finally:
        engine.dispose()


def _swap(session: AdminSession, name: str, new: str, old: str) -> None:
    """Rename both in one transaction: at no moment, not even after a crash, is there no database of that name."""
    _drop(session, old)
    identifier = sql.Identifier
    for _ in range(SWAP_TRIES):
        session.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = ANY(%s) AND pid <> pg_backend_pid()",
            ([name, new],),
        )
        try:
            with session.transaction():
                found = session.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
                if found is not None:
                    session.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(identifier(name), identifier(old)))
                session.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(identifier(new), identifier(name)))
        except psycopg.errors.ObjectInUse:
            # Somebody came back between the two statements.
            continue
        return
    raise StoreUnreachable(name, "others keep using it; close their sessions and restore again")


def _drop(session: AdminSession, name: str) -> None:
    session.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _address(database: Database, name: str) -> str:
    url = database.url(Role.OWNER).set(password=None)
    return dsn(url, name)


def _password(database: Database) -> dict[str, str]:
    """In the environment, because the arguments of a program are seen by all."""
    return {"PGPASSWORD": str(database.url(Role.OWNER).password)}


def _digest(path: Path, length: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while length > 0 and (chunk := file.read(min(length, 2**20))):
            digest.update(chunk)
            length -= len(chunk)
    return digest.hexdigest()

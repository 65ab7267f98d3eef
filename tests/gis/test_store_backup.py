"""Backup and restore: whole or not at all."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from gis.access.roles import Role
from gis.errors import BadInput, NotFound, UnreadableFile
from gis.store import backup, parcels, programs, registers
from gis.store.database import Database
from gis.store.server import dsn
from tests.gis.store_samples import register_layers, write_registers


@pytest.fixture(scope="module")
def city(make_database: Callable[..., Database], tmp_path_factory: pytest.TempPathFactory) -> Database:
    """A city with registers."""
    database = make_database()
    file = write_registers(tmp_path_factory.mktemp("registers") / "registers.gpkg", register_layers(20))
    with database.open(Role.WRITER) as connection:
        registers.import_registers(connection, file)
    return database


@pytest.fixture(scope="module")
def saved(city: Database, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return backup.backup(city, tmp_path_factory.mktemp("backup") / "a city.diaba").path


def _content(database: Database) -> list[object]:
    with database.open(Role.WRITER) as connection:
        rows = connection.execute(text("SELECT p::text FROM parcel_version p ORDER BY 1")).all()
        more = connection.execute(
            text("SELECT p::text, l::text FROM permit p JOIN permit_limit l USING (permit_no)")
        ).all()
        return [*rows, *more, *connection.execute(text("SELECT p::text FROM party p ORDER BY 1")).all()]


def test_a_backup_brings_back_what_was_there_and_takes_away_what_came_since(city: Database, saved: Path) -> None:
    before = _content(city)
    with city.open(Role.WRITER) as connection:
        connection.execute(text("UPDATE parcel_version SET recorded = tstzrange(lower(recorded), now())"))
    idle = psycopg.connect(dsn(city.url(Role.READER)))
    restored = backup.restore(city, saved)
    assert restored == city.city
    assert _content(city) == before
    # Logins, their rights and their settings are those of before.
    with city.open(Role.READER) as connection:
        assert connection.scalar(text("SHOW statement_timeout")) == "30s"
        assert len(parcels.current(connection)) == 20
    with pytest.raises(psycopg.errors.InsufficientPrivilege), psycopg.connect(dsn(city.url(Role.READER))) as session:
        session.execute("SELECT name FROM diaba.party")
    idle.close()
    with city.server.administrate() as session:
        names = session.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", (city.name,)
        ).fetchall()
    assert names == [(city.name,)]


def test_another_installation_gets_the_city_with_its_crs(make_database: Callable[..., Database], saved: Path) -> None:
    other = make_database("EPSG:28992+5709")
    city = backup.restore(other, saved)
    assert city.crs.to_wkt() != other.city.crs.to_wkt()
    again = Database.of(city, None) if other.server.cluster is None else Database(city, other.server, other.name)
    with again.open(Role.READER) as connection:
        assert connection.execute(text("SELECT name, srid FROM city")).one() == (city.name, 9210)
        assert len(parcels.current(connection)) == 20


def _damaged(whole: bytes) -> dict[str, bytes]:
    dice = random.Random(1836)  # noqa: S311  damage, no secret
    contents = {f"cut at {share}": whole[: int(len(whole) * share)] for share in (0, 0.1, 0.5, 0.99)}
    contents["without its last byte"] = whole[:-1]
    contents["longer"] = whole + b"x"
    contents["random"] = dice.randbytes(3000)
    contents["only the first bytes"] = b"PGDMP"
    for _ in range(20):
        flipped = bytearray(whole)
        place = dice.randrange(len(whole))
        flipped[place] ^= 1 << dice.randrange(8)
        contents[f"bit flipped at {place}"] = bytes(flipped)
    return contents


def test_no_damaged_file_touches_the_database(city: Database, saved: Path, tmp_path: Path) -> None:
    before = _content(city)
    bad = tmp_path / "bad.diaba"
    for damage, content in _damaged(saved.read_bytes()).items():
        bad.write_bytes(content)
        with pytest.raises(UnreadableFile) as raised:
            backup.restore(city, bad)
        assert "\n" not in str(raised.value), damage
    assert _content(city) == before


def test_a_sealed_file_that_pg_restore_cannot_read_leaves_no_trace(city: Database, saved: Path, tmp_path: Path) -> None:
    whole = saved.read_bytes()[: -backup.SEAL_LENGTH]
    bad = tmp_path / "bad.diaba"
    bad.write_bytes(whole[: len(whole) // 2])
    digest = backup._digest(bad, bad.stat().st_size)
    with bad.open("ab") as file:
        file.write(backup.SEAL % digest.encode())
    before = _content(city)
    with pytest.raises(UnreadableFile, match="cannot be restored"):
        backup.restore(city, bad)
    assert _content(city) == before
    assert not city.server.exists(f"{city.name}_restoring")


def test_what_a_killed_restore_left_is_no_obstacle(city: Database, saved: Path) -> None:
    before = _content(city)
    with city.server.administrate() as session:
        for ending in ("restoring", "replaced"):
            session.execute(f'CREATE DATABASE "{city.name}_{ending}"')  # type: ignore[arg-type]
    backup.restore(city, saved)
    assert _content(city) == before
    assert not city.server.exists(f"{city.name}_replaced")


def test_pg_restore_itself_can_list_a_backup(saved: Path) -> None:
    listed = programs.run([programs.program("pg_restore"), "--list", saved])
    assert "TABLE DATA diaba parcel_version" in listed


def test_a_failing_backup_leaves_the_old_file(
    city: Database, make_database: Callable[..., Database], saved: Path, tmp_path: Path
) -> None:
    target = tmp_path / "city.diaba"
    target.write_bytes(b"what was there")
    empty = make_database()
    empty.migrate("base")
    with pytest.raises(NotFound):
        backup.backup(empty, target)
    assert target.read_bytes() == b"what was there"
    assert list(tmp_path.iterdir()) == [target]


def test_a_missing_file_is_bad_input(city: Database, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        backup.restore(city, tmp_path / "none.diaba")

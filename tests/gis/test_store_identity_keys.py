"""Identity numbers: nowhere in clear, under one key, which can be changed and whose change can be interrupted."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gis.access.roles import Role
from gis.errors import StoreUnreachable
from gis.store import backup, identity_keys, parties, programs, registers, secret_files
from gis.store.database import Database
from gis.store.server import dsn
from tests.gis.store_samples import register_layers, write_registers

COUNT = 20


@pytest.fixture
def city(make_database: Callable[..., Database], tmp_path: Path) -> Database:
    """A city with registers."""
    database = make_database()
    with database.open(Role.WRITER) as connection:
        registers.import_registers(connection, write_registers(tmp_path / "r.gpkg", register_layers(COUNT)))
    return database


def _numbers(database: Database) -> dict[str, str | None]:
    with database.open(Role.WRITER) as connection:
        return {f"o-{n:04d}": parties.identity_number(connection, f"o-{n:04d}") for n in range(COUNT)}


EXPECTED = {f"o-{n:04d}": f"079{n:09d}" if n % 5 else None for n in range(COUNT)}


def _dump(database: Database, target: Path) -> str:
    """All of the database as plain SQL, the whole cluster's programs' own way."""
    url = database.url(Role.OWNER)
    programs.run(
        [
            programs.program("pg_dump"),
            *("--format", "plain", "--inserts"),
            *("--file", target),
            *("--dbname", dsn(url.set(password=None))),
        ],
        extra={"PGPASSWORD": str(url.password)},
    )
    return target.read_text(encoding="utf-8")


def test_a_dump_holds_no_identity_number_in_clear(city: Database, tmp_path: Path) -> None:
    dumped = _dump(city, tmp_path / "dump.sql")
    # What is not secret is there, so the dump is whole.
    assert "Nguyễn Thị 3 (hư cấu)" in dumped
    assert len(re.findall(r"INSERT INTO diaba\.party ", dumped)) == COUNT
    bytes_of = [bytes.fromhex(one) for one in re.findall(r"'\\x([0-9a-f]+)'", dumped)]
    assert len(bytes_of) > COUNT
    for number in filter(None, EXPECTED.values()):
        for form in (number, number.encode().hex()):
            assert form not in dumped
        assert not any(number.encode() in one for one in bytes_of)
    assert secret_files.key(city.server.secrets, f"{city.name}_identity.key").hex() not in dumped


def test_a_new_key_takes_the_old_one_s_place_and_changes_nothing_else(city: Database, tmp_path: Path) -> None:
    layers = register_layers(COUNT)
    layers["parties"].loc[1, "id_no"] = "079999999999"
    with city.open(Role.WRITER) as connection:
        registers.import_registers(connection, write_registers(tmp_path / "changed.gpkg", layers))
        before = connection.execute(
            text("SELECT uid, version, kind, name, recorded::text FROM party ORDER BY 1, 2")
        ).all()
        secrets = connection.scalars(text("SELECT id_no_encrypted FROM party WHERE id_no_encrypted IS NOT NULL")).all()
    folder, name = city.server.secrets, f"{city.name}_identity.key"
    old = secret_files.key(folder, name)
    count, fingerprint = city.rotate_key()
    assert count == len(secrets) == COUNT * 4 // 5 + 1
    new = secret_files.key(folder, name)
    assert new != old
    assert identity_keys.fingerprint(new) == fingerprint
    assert secret_files.key(folder, f"{name}.{identity_keys.fingerprint(old)}") == old
    assert _numbers(city) == EXPECTED | {"o-0001": "079999999999"}
    with city.open(Role.WRITER) as connection:
        after = connection.execute(
            text("SELECT uid, version, kind, name, recorded::text FROM party ORDER BY 1, 2")
        ).all()
        assert after == before
        kept = set(
            map(bytes, connection.scalars(text("SELECT id_no_encrypted FROM party WHERE id_no_hash IS NOT NULL")))
        )
        assert kept.isdisjoint(map(bytes, secrets))
        assert [one.uid for one in parties.find(connection, "079999999999")] == ["o-0001"]
        # The same file again is still known as it is: digests followed the key.
        again = registers.import_registers(connection, tmp_path / "changed.gpkg")
        assert again["parties"].counts == {"added": 0, "closed": 0, "unchanged": COUNT}


@pytest.mark.parametrize("reached", ["before the numbers", "before the file"])
def test_an_interrupted_change_of_the_key_is_finished_by_running_it_again(
    city: Database, monkeypatch: pytest.MonkeyPatch, reached: str
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        if reached == "before the numbers":
            patch.setattr(identity_keys, "_rotate", die)
        else:
            patch.setattr(secret_files, "replace", die)
        with pytest.raises(Killed):
            city.rotate_key()
    if reached == "before the numbers":
        assert _numbers(city) == EXPECTED
    else:
        with pytest.raises(StoreUnreachable, match="rotate-key again"):
            _numbers(city)
    count, _ = city.rotate_key()
    assert count == (COUNT * 4 // 5 if reached == "before the numbers" else 0)
    assert _numbers(city) == EXPECTED


def test_another_installation_s_key_neither_opens_nor_mixes(
    city: Database, make_database: Callable[..., Database]
) -> None:
    other = make_database()
    with other.open(Role.WRITER) as connection:
        parties.save(connection, [{"uid": "x", "kind": "person", "name": "x", "id_no": "1"}])
    folder = city.server.secrets
    own = folder / f"{city.name}_identity.key"
    shutil.copy(own, folder / "kept")
    own.write_bytes((folder / f"{other.name}_identity.key").read_bytes())
    for use in (
        lambda c: parties.identity_number(c, "o-0001"),
        lambda c: parties.find(c, "079000000001"),
        lambda c: parties.save(c, [{"uid": "y", "kind": "person", "name": "y", "id_no": "2"}]),
    ):
        with pytest.raises(StoreUnreachable, match="encrypted with the key"), city.open(Role.WRITER) as connection:
            use(connection)
    with pytest.raises(StoreUnreachable, match="encrypted with the key"):
        city.rotate_key()
    (folder / "kept").replace(own)
    assert _numbers(city) == EXPECTED


def test_a_database_from_before_fingerprints_is_not_taken_by_a_wrong_key(city: Database) -> None:
    with city.open(Role.OWNER) as connection:
        connection.execute(text("DELETE FROM identity_key"))
    with city.open(Role.WRITER) as connection:
        wrong = connection.execution_options(**{identity_keys.KEY_OPTION: bytes(32)})
        with pytest.raises(StoreUnreachable, match="encrypted with another key"):
            parties.save(wrong, [{"uid": "y", "kind": "person", "name": "y", "id_no": "2"}])
    assert _numbers(city) == EXPECTED


def test_no_error_shows_the_key_or_a_number(city: Database) -> None:
    wrong = b"\x5a" * 32
    with city.open(Role.WRITER) as connection:
        secret = bytes(connection.scalar(text("SELECT id_no_encrypted FROM party WHERE uid = 'o-0001'")) or b"")
        with pytest.raises(StoreUnreachable, match="encrypted with another key") as raised:
            identity_keys.decrypt(connection, secret, wrong)
        failing = text("SELECT public.pgp_sym_encrypt(:number, :key, 'no-such-option=1')")
        with pytest.raises(DBAPIError, match="Illegal argument") as failed:
            connection.execute(failing.bindparams(number="079000000001", key=wrong.hex()))
        connection.rollback()
    for error in (raised.value.__cause__, failed.value):
        assert wrong.hex() not in str(error)
        assert "079000000001" not in str(error)


def test_a_backup_carries_the_fingerprint_and_is_read_with_its_key(city: Database, tmp_path: Path) -> None:
    file = backup.backup(city, tmp_path / "b.diaba").path
    old = secret_files.key(city.server.secrets, f"{city.name}_identity.key")
    city.rotate_key()
    backup.restore(city, file)
    with pytest.raises(StoreUnreachable, match=f"encrypted with the key {identity_keys.fingerprint(old)}"):
        _numbers(city)
    folder = city.server.secrets
    shutil.copy(
        folder / f"{city.name}_identity.key.{identity_keys.fingerprint(old)}", folder / f"{city.name}_identity.key"
    )
    assert _numbers(city) == EXPECTED

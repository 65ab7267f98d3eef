"""The audit log: one entry for each statement that changes a register, by the database alone, in a chain."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from datetime import UTC, date
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from gis.access.audit import Acting, acting
from gis.access.roles import Role
from gis.store import audit_log, land_changes, parcels, registers
from gis.store.database import Database
from gis.store.land_changes import Order
from gis.store.server import dsn
from tests.gis.land_samples import lot_row, lots, register
from tests.gis.store_samples import register_layers, write_registers

LAN = Acting("lan", "diaba parcels use")


@pytest.fixture(scope="module")
def database(make_database: Callable[..., Database]) -> Database:
    """A city of nine lots, registered by lan."""
    made = make_database()
    with acting(LAN), made.open(Role.WRITER) as connection:
        register(connection, lots())
    return made


def all_entries(database: Database) -> list[Any]:
    with database.open(Role.WRITER) as connection:
        return list(connection.execute(text("SELECT * FROM diaba.audit_log ORDER BY seq")).all())


def test_each_change_says_who_by_what_when_and_which(database: Database) -> None:
    before = len(all_entries(database))
    with acting(lambda: Acting("minh", "PUT /parcels")), database.open(Role.WRITER) as connection:
        moment = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        land_changes.change_use(connection, ["p-22", "p-21"], "TMD", Order(date(2020, 5, 1)))
    found = all_entries(database)[before:]
    assert {(one.actor, one.through, one.login) for one in found} == {
        ("minh", "PUT /parcels", Role.WRITER.login(database.name))
    }
    told = [(one.operation, one.table_name, one.row_count, sorted(one.keys)) for one in found]
    both = ["p-21", "p-22"]
    # Two versions end; they are kept for the days before; two begin.
    assert told[:3] == [
        ("UPDATE", "parcel_version", 2, both),
        ("INSERT", "parcel_version", 2, both),
        ("INSERT", "parcel_version", 2, both),
    ]
    assert told[3] == ("INSERT", "land_change", 1, ["1"])
    assert all(moment <= one.at for one in found)
    with database.open(Role.WRITER) as connection:
        assert [one.seq for one in audit_log.entries(connection, key="p-22", actor="minh")] == [
            before + 3,
            before + 2,
            before + 1,
        ]
        assert audit_log.entries(connection, table="rrr") == []


def test_what_is_rolled_back_and_what_is_only_read_leaves_no_entry(database: Database) -> None:
    before = all_entries(database)
    with database.open(Role.WRITER) as connection:
        parcels.save(connection, [lot_row("p-00", lots()["p-00"], 1, date(2021, 1, 1), land_use="CLN")])
        connection.rollback()
    with database.open(Role.WRITER) as connection:
        parcels.current(connection)
        register(connection, {})
    assert all_entries(database) == before
    with database.open(Role.WRITER) as connection:
        assert connection.scalar(text("SELECT count(*) FROM diaba.audit_pending")) == 0


def test_the_chain_is_what_anyone_can_compute(database: Database) -> None:
    previous = hashlib.sha256(b"diaba audit log").digest()
    for seq, row in enumerate(all_entries(database), start=1):
        at = row.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        content = [seq, at, *row[2:8], list(row[8])]
        assert row.prev_hash == previous
        previous = hashlib.sha256(previous + json.dumps(content, ensure_ascii=False).encode()).digest()
        assert row.hash == previous
    with database.open(Role.WRITER) as connection:
        found = audit_log.verified(connection, previous)
    assert (found.head, found.broken, found.has_noted) == (previous, None, True)


def test_odd_names_are_chained_too(database: Database) -> None:
    odd = 'Trần "Văn" \\ Bình\t\u2028😀\x7f' + "x" * 300
    with acting(Acting(odd, "")), database.open(Role.WRITER) as connection:
        parcels.save(connection, [lot_row('p "22\\', lots(9, 9)["p-88"], 99)])
    last = all_entries(database)[-1]
    assert (last.actor[:14], last.through, last.keys) == ('Trần "Văn" \\ B', "unknown", ['p "22\\'])
    assert len(last.actor) == 200
    with database.open(Role.WRITER) as connection:
        assert audit_log.verified(connection).broken is None


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        (role, statement)
        for role in (Role.WRITER, Role.READER)
        for statement in (
            "INSERT INTO diaba.audit_log SELECT * FROM diaba.audit_log",
            "INSERT INTO diaba.audit_pending (at, actor, through, login, operation, table_name, row_count, keys) "
            "VALUES (now(), 'x', 'x', 'x', 'INSERT', 'rrr', 1, '{}')",
            "UPDATE diaba.audit_log SET actor = 'x'",
            "DELETE FROM diaba.audit_log",
            "DELETE FROM diaba.audit_pending",
            "TRUNCATE diaba.audit_log",
            "DROP TRIGGER parcel_version_insert_is_audited ON diaba.parcel_version",
            "ALTER TABLE diaba.parcel_version DISABLE TRIGGER parcel_version_insert_is_audited",
            "SET session_replication_role = replica",
        )
    ]
    + [(Role.READER, "SELECT actor FROM diaba.audit_log")],
)
def test_no_login_of_the_house_writes_or_shortens_it(database: Database, role: Role, statement: str) -> None:
    with psycopg.connect(dsn(database.url(role))) as session:
        session.execute("SET default_transaction_read_only = off")
        session.commit()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(statement)


@pytest.mark.parametrize(
    "statement", ["UPDATE diaba.audit_log SET actor = 'x'", "DELETE FROM diaba.audit_log", "TRUNCATE diaba.audit_log"]
)
def test_the_owner_is_refused_too(database: Database, statement: str) -> None:
    with psycopg.connect(dsn(database.url(Role.OWNER))) as session, pytest.raises(psycopg.errors.IntegrityError):
        session.execute(statement)


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        ("UPDATE diaba.audit_log SET actor = 'nobody' WHERE seq = 2", "entry 2 is not what was recorded"),
        ("UPDATE diaba.audit_log SET row_count = 8 WHERE seq = 1", "entry 1 is not what was recorded"),
        ("DELETE FROM diaba.audit_log WHERE seq = 2", "entry 2 is missing"),
        (
            "UPDATE diaba.audit_log SET prev_hash = sha256('x'), hash = sha256('y') WHERE seq = 3",
            "entry 3 does not follow the one before it",
        ),
        ("DELETE FROM diaba.audit_log WHERE seq >= 3", "the noted head is not in the chain: entries were left out"),
    ],
)
def test_harm_by_who_can_take_the_guards_away_is_found(database: Database, harm: str, why: str) -> None:
    head = all_entries(database)[-1].hash
    with database.open(Role.OWNER) as connection:
        connection.execute(text("ALTER TABLE diaba.audit_log DISABLE TRIGGER USER"))
        connection.execute(text(harm))
        assert audit_log.verified(connection, head).broken == why
        connection.rollback()


def test_many_writers_at_once_make_one_chain_without_gaps(database: Database) -> None:
    before = len(all_entries(database))

    def file(number: int) -> None:
        with acting(Acting(f"writer {number}", "test")), database.open(Role.WRITER) as connection:
            # Registers of their own: these writers do not wait for each other elsewhere.
            table = ("road", "planning_zone")[number % 2]
            connection.execute(
                text(
                    f"INSERT INTO diaba.{table} (uid, version, geom, valid, recorded, digest) VALUES (:uid, 1, "  # noqa: S608
                    f"ST_SetSRID(ST_GeomFromText('{SHAPES[number % 2]}'), 9210), '[,)', tstzrange(now(), NULL), '')"
                ),
                {"uid": f"x-{number}"},
            )

    threads = [threading.Thread(target=file, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = all_entries(database)
    assert {one.actor for one in found[before:]} == {f"writer {number}" for number in range(12)}
    assert [one.seq for one in found] == list(range(1, before + 13))
    with database.open(Role.WRITER) as connection:
        assert audit_log.verified(connection).broken is None


SHAPES = ("LINESTRING(0 0, 1 1)", "POLYGON((0 0, 1 0, 1 1, 0 0))")


def test_rights_permits_and_parties_are_audited_without_a_word_of_their_own(database: Database, tmp_path: Any) -> None:
    layers = register_layers(3)
    layers["parcels"] = layers["parcels"].assign(
        uid=[f"q-{n}" for n in range(3)], geometry=layers["parcels"].translate(5_000, 0)
    )
    for name in ("rights", "permits"):
        layers[name] = layers[name].assign(parcel_uid=[f"q-{n}" for n in range(3)])
    before = len(all_entries(database))
    with acting(Acting("import", "diaba demo")), database.open(Role.WRITER) as connection:
        registers.import_registers(connection, write_registers(tmp_path / "all.gpkg", layers))
    found = {one.table_name: one.row_count for one in all_entries(database)[before:] if one.operation == "INSERT"}
    assert found == {
        **{"parcel_version": 3, "party": 3, "rrr": 3, "ba_unit_parcel": 3, "road": 1, "planning_zone": 1},
        **{"permit": 3, "permit_limit": 3, "identity_key": 1},
    }

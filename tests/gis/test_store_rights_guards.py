"""What the database itself holds rights to, whoever writes, and several who write at once."""

from __future__ import annotations

import threading
from fractions import Fraction

import psycopg
import pytest
from sqlalchemy import Connection, text

from gis.access.roles import Role
from gis.errors import Conflict
from gis.land.transfer_document import NewMortgage
from gis.land.transfers import Transfer
from gis.store import rights, transfers
from gis.store.database import Database
from gis.store.server import dsn
from gis.store.versions import since
from tests.gis.rights_samples import DAY, LAND, check_every_point, holders, settle, transfer

HALF = Fraction(1, 2)


def test_the_database_keeps_a_mortgage_within_the_right_it_stands_on(database: Database) -> None:
    with database.open(Role.WRITER) as connection:
        settle(connection, {"p": {"A": "1"}}, ["B", "Bank"])
        transfers.mortgage(connection, NewMortgage("p", LAND, "A", "Bank", DAY, None, None, None, None))
    sold = transfer({"A": "1"}, {"B": "1"}, 20)
    with pytest.raises(Conflict, match=r"the mortgage [0-9a-f]{32} outlasts the right"):
        _write_changes_unchecked(database, sold)


def _write_changes_unchecked(database: Database, what: Transfer) -> None:
    """As the register writes, without any check in Python of mortgages."""
    with database.open(Role.WRITER) as connection:
        held = [right for right in rights.of_all_days(connection, what.unit) if right.type == LAND]
        new = [transfers._after(what, one, held) for one in what.applied(held) if one.share]
        gone = [
            ((rights.identity(what.unit, one.party, LAND),), since(one.start, one.end))
            for one in what.applied(held)
            if not one.share
        ]
        rights.write(connection, new, gone)


def test_of_twenty_that_sell_the_same_share_at_once_one_wins(database: Database) -> None:
    buyers = [f"N{number:02d}" for number in range(20)]
    with database.open(Role.WRITER) as connection:
        settle(connection, {"p": {"A": "1/2", "B": "1/2"}}, buyers)
    barrier = threading.Barrier(20)
    outcome: dict[str, Exception | None] = {}

    def sell(buyer: str) -> None:
        barrier.wait()
        try:
            with database.open(Role.WRITER) as connection:
                transfers.transfer(connection, transfer({"A": "1/2"}, {buyer: "1/2"}, 30))
            outcome[buyer] = None
        except Exception as error:  # noqa: BLE001  told to the test
            outcome[buyer] = error

    threads = [threading.Thread(target=sell, args=(buyer,)) for buyer in buyers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won = [buyer for buyer, error in outcome.items() if error is None]
    assert len(won) == 1
    lost = [error for error in outcome.values() if error is not None]
    assert len(lost) == 19
    for error in lost:
        assert isinstance(error, Conflict)
        assert "A holds 0 on 2010-01-31" in str(error)
    with database.open(Role.WRITER) as connection:
        assert holders(rights.of_all_days(connection, "p"), 30) == {"B": HALF, won[0]: HALF}
        check_every_point(connection)


INSERT = (
    "INSERT INTO diaba.rrr (id, version, ba_unit_uid, party_uid, type, share_num, share_den, valid, recorded, digest) "
    "VALUES (%s, 1, 'p', %s, 'land_use_right', 1, 2, daterange(%s, NULL), tstzrange(now(), NULL), 'x')"
)


def test_two_sessions_that_pass_by_the_register_cannot_make_two_wholes(database: Database) -> None:
    """Each alone is right, two halves; together they would make two wholes."""
    with database.open(Role.WRITER) as connection:
        settle(connection, {"p": {}}, ["A", "B", "C"])
        connection.execute(text("INSERT INTO ba_unit VALUES ('p') ON CONFLICT DO NOTHING"))
    address = dsn(database.url(Role.WRITER))
    with psycopg.connect(address) as one, psycopg.connect(address) as two:
        one.execute(INSERT, ("a", "A", DAY))
        one.execute(INSERT, ("b", "B", DAY))
        two.execute(INSERT, ("c", "C", DAY))
        two.execute(INSERT, ("d", "D", DAY))
        outcomes: list[str] = []

        def commit(session: psycopg.Connection[tuple[object, ...]]) -> None:
            try:
                session.commit()
                outcomes.append("done")
            except psycopg.Error as error:
                outcomes.append(str(error.sqlstate))
                session.rollback()

        threads = [threading.Thread(target=commit, args=(session,)) for session in (one, two)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(outcomes) == ["23514", "done"]


def test_the_second_of_two_waits_and_sees_what_the_first_wrote(database: Database) -> None:
    with database.open(Role.WRITER) as connection:
        settle(connection, {"p": {}}, ["A", "B"])
        connection.execute(text("INSERT INTO ba_unit VALUES ('p') ON CONFLICT DO NOTHING"))
    address = dsn(database.url(Role.WRITER))
    with psycopg.connect(address) as one, psycopg.connect(address) as two:
        for session, names in ((one, ("a", "b")), (two, ("c", "d"))):
            for name in names:
                session.execute(INSERT, (name, name.upper(), DAY))
        # The first has checked, holds the unit and has not committed yet.
        one.execute("SET CONSTRAINTS ALL IMMEDIATE")
        failed: list[str | None] = []

        def commit() -> None:
            try:
                two.commit()
            except psycopg.Error as error:
                failed.append(error.sqlstate)
                two.rollback()

        second = threading.Thread(target=commit)
        second.start()
        second.join(0.5)
        assert second.is_alive()
        one.commit()
        second.join()
    assert failed == ["23514"]


def test_a_snapshot_that_cannot_see_the_others_may_not_write_rights(database: Database) -> None:
    with database.open(Role.WRITER) as connection:
        settle(connection, {"p": {"A": "1"}})
    with psycopg.connect(dsn(database.url(Role.WRITER))) as session:
        session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        session.execute(INSERT, ("z", "Z", DAY))
        with pytest.raises(psycopg.errors.InvalidTransactionState, match="READ COMMITTED or SERIALIZABLE"):
            session.commit()


TAMPERING = [
    "UPDATE diaba.rrr SET share_den = 2",
    "UPDATE diaba.rrr SET party_uid = 'B'",
    "UPDATE diaba.rrr SET valid = daterange(NULL, NULL)",
    "UPDATE diaba.rrr SET recorded = tstzrange('2001-01-01', NULL)",
    "UPDATE diaba.ba_unit_parcel SET valid = daterange('2001-01-01', NULL)",
]


@pytest.mark.parametrize("statement", TAMPERING)
def test_what_was_recorded_cannot_be_changed_even_by_the_owner(writer: Connection, statement: str) -> None:
    settle(writer, {"p": {"A": "1"}}, ["B"])
    with pytest.raises(Exception, match="what was recorded is not changed"):
        writer.execute(text(statement))


def test_a_right_cannot_just_end_for_one_of_two(database: Database) -> None:
    with database.open(Role.WRITER) as connection:
        settle(connection, {"p": {"A": "1/3", "B": "2/3"}})
    with pytest.raises(
        Conflict, match=r"unit p: the shares of land_use_right add up to 2/3, not to 1, from 2010-01-01 on"
    ):
        _close(database, "A")
    _close(database, "A", "B")


def _close(database: Database, *names: str) -> None:
    with database.open(Role.WRITER) as connection:
        connection.execute(
            text("UPDATE rrr SET recorded = tstzrange(lower(recorded), now()) WHERE party_uid = ANY(:names)"),
            {"names": list(names)},
        )

"""Rights: shares add up to one on every day, as known at every moment, whoever writes; and transfers in their times."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from gis.access.roles import Role
from gis.errors import BadInput, Conflict, NotFound
from gis.land.rights import BAUnit, Group, Member, PartyKind
from gis.land.sources import SourceDocument
from gis.land.transfer_document import NewMortgage, NewParty, TransferDocument
from gis.land.transfers import Transfer
from gis.store import groups, parties, rights, sources, transfers, units
from gis.store.database import Database
from gis.store.server import dsn
from gis.store.versions import since
from tests.gis.rights_samples import DAY, LAND, holders, settle, transfer

HALF = Fraction(1, 2)


def _now(connection: Connection) -> datetime:
    moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return moment


def test_a_sale_ends_and_begins_rights_on_its_day(writer: Connection) -> None:
    settle(writer, {"p": {"A": "1/2", "B": "1/2"}}, ["C"])
    then = _now(writer)
    done = transfers.transfer(writer, transfer({"A": "1/2"}, {"C": "1/2"}, 100))
    assert [(one.party, one.share) for one in done.changes] == [("A", 0), ("C", HALF)]
    assert [right.party for right in rights.of_units(writer, ["p"], DAY + timedelta(days=99))] == ["A", "B"]
    assert [right.party for right in rights.of_units(writer, ["p"], DAY + timedelta(days=100))] == ["B", "C"]
    before = rights.of_units(writer, ["p"], DAY + timedelta(days=100), known_at=then)
    assert [right.party for right in before] == ["A", "B"]
    frame = rights.current(writer, DAY + timedelta(days=100))
    assert list(zip(frame.parcel_uid, frame.party_uid, strict=True)) == [("p", "B"), ("p", "C")]


def test_a_part_is_sold_and_a_holder_s_share_grows_in_one_right(writer: Connection) -> None:
    settle(writer, {"p": {"A": "2/3", "B": "1/3"}}, ["C"])
    sources.save(writer, [SourceDocument("hd-1", "notarised_contract", "1/2010")])
    first = transfer({"A": "1/6"}, {"B": "1/6"}, 10)
    transfers.transfer(writer, Transfer(first.kind, "p", LAND, first.day, first.givers, first.takers, source="hd-1"))
    found = {right.party: right for right in rights.of_units(writer, ["p"], DAY + timedelta(days=10))}
    assert (found["A"].share, found["A"].source) == (HALF, None)
    assert (found["B"].share, found["B"].source) == (HALF, "hd-1")


def test_a_transfer_told_late_goes_through_what_was_recorded_for_later_days(writer: Connection) -> None:
    settle(writer, {"p": {"A": "1"}}, ["B", "C"])
    transfers.transfer(writer, transfer({"A": "1/2"}, {"B": "1/2"}, 100))
    transfers.transfer(writer, transfer({"A": "1/4"}, {"C": "1/4"}, 50))
    held = rights.of_all_days(writer, "p")
    quarter = Fraction(1, 4)
    assert holders(held, 49) == {"A": Fraction(1)}
    assert holders(held, 50) == {"A": Fraction(3, 4), "C": quarter}
    assert holders(held, 100) == {"A": quarter, "B": HALF, "C": quarter}
    with pytest.raises(Conflict, match="A gives 1/2 and holds 1/4 from 2010-04-11 on, by what was recorded"):
        transfers.transfer(writer, transfer({"A": "1/2"}, {"C": "1/2"}, 60))


@pytest.mark.parametrize(
    ("givers", "takers", "kind", "why"),
    [
        ({"A": "1/2"}, {"C": "1/3"}, "sale", "1/2 is given and 1/3 is got"),
        ({"A": "1/2"}, {"A": "1/2"}, "sale", "A gives and gets"),
        ({}, {"C": "1/2"}, "gift", "nobody gives"),
        ({"A": "1/2", "B": "1/2"}, {"C": "1"}, "inheritance", "one dies at a time"),
        ({"A": "1/2"}, {"C": "1/2"}, "division", "C had no part in what is divided"),
    ],
)
def test_what_no_register_could_allow_is_bad_input(
    writer: Connection, givers: dict[str, str | None], takers: dict[str, str], kind: str, why: str
) -> None:
    settle(writer, {"p": {"A": "1/2", "B": "1/2"}}, ["C"])
    with pytest.raises(BadInput, match=why):
        transfers.transfer(writer, transfer(givers, takers, 1, kind=kind))


@pytest.mark.parametrize(
    ("givers", "kind", "day", "why"),
    [
        ({"A": "2/3"}, "sale", 1, "A holds 1/2 on 2010-01-02, not 2/3"),
        ({"C": None}, "sale", 1, "C holds 0 on 2010-01-02, not anything"),
        ({"A": "1/2"}, "sale", -1, "A holds 0 on 2009-12-31"),
        ({"A": "1/4"}, "inheritance", 1, "A leaves 1/2, all of which goes to the heirs, not 1/4"),
    ],
)
def test_nobody_gives_what_he_does_not_hold(
    writer: Connection, givers: dict[str, str | None], kind: str, day: int, why: str
) -> None:
    settle(writer, {"p": {"A": "1/2", "B": "1/2"}}, ["C", "D"])
    with pytest.raises(Conflict, match=why):
        transfers.transfer(writer, transfer(givers, {"D": next(iter(givers.values())) or "1/2"}, day, kind=kind))


def test_an_unknown_unit_party_or_paper_is_not_found(writer: Connection) -> None:
    settle(writer, {"p": {"A": "1"}}, ["B"])
    with pytest.raises(NotFound, match="no unit q"):
        transfers.transfer(writer, transfer({"A": "1"}, {"B": "1"}, unit="q"))
    with pytest.raises(NotFound, match="no party X"):
        transfers.transfer(writer, transfer({"A": "1"}, {"X": "1"}))
    plain = transfer({"A": "1"}, {"B": "1"})
    with pytest.raises(NotFound, match="no source document none"):
        transfers.transfer(writer, Transfer(plain.kind, "p", LAND, DAY, plain.givers, plain.takers, source="none"))


def test_a_group_divides_what_it_holds_among_its_members(writer: Connection) -> None:
    settle(writer, {"p": {"G": "1"}}, ["A", "B", "C"])
    with pytest.raises(BadInput, match="give each member a share, or none"):
        groups.save(writer, Group("G", (Member("A", HALF), Member("B", None))), DAY)
    groups.save(writer, Group("G", (Member("A", HALF), Member("B", HALF))), DAY)
    groups.save(writer, Group("G", (Member("A", None), Member("C", None))), DAY + timedelta(days=30))
    assert [one.party for one in groups.of_parties(writer, ["G"], DAY)["G"].members] == ["A", "B"]
    with pytest.raises(BadInput, match="B had no part"):
        transfers.transfer(writer, transfer({"G": None}, {"A": "1/2", "B": "1/2"}, 40, kind="division"))
    transfers.transfer(writer, transfer({"G": None}, {"A": "1/2", "C": "1/2"}, 40, kind="division"))
    assert holders(rights.of_all_days(writer, "p"), 40) == {"A": HALF, "C": HALF}


def test_a_group_of_a_person_or_of_nobody_known_is_refused(writer: Connection) -> None:
    settle(writer, {"p": {"A": "1"}}, ["G"])
    with pytest.raises(BadInput, match="of the kind person, not a group"):
        groups.save(writer, Group("A", (Member("G", None),)), DAY)
    with pytest.raises(BadInput, match="the party X is not known"):
        groups.save(writer, Group("G", (Member("X", None),)), DAY)
    with pytest.raises(BadInput, match="it has no members"):
        groups.save(writer, Group("G", ()), DAY)


def test_one_right_is_held_over_several_parcels(writer: Connection) -> None:
    settle(writer, {"p": {"A": "1"}, "q": {"A": "1"}, "r": {"A": "1"}})
    units.compose(writer, [BAUnit("farm", ("p", "q"))], DAY)
    then = _now(writer)
    units.compose(writer, [BAUnit("farm", ("q", "r"))], DAY + timedelta(days=10))
    row = {
        "ba_unit_uid": "farm",
        "party_uid": "A",
        "type": "lease",
        "share_num": 1,
        "share_den": 1,
        "valid": since(DAY),
    }
    rights.save(writer, [row])
    for day, known_at, expected in ((9, None, ["p", "q"]), (10, None, ["q", "r"]), (10, then, ["p", "q"])):
        when = DAY + timedelta(days=day)
        unit = units.current(writer, "farm", when, known_at=known_at)
        assert unit is not None
        assert list(unit.parcels) == expected
        frame = rights.current(writer, when)
        if known_at is None:
            assert frame[frame.type == "lease"].parcel_uid.tolist() == expected
    assert [unit.uid for unit in units.of_parcel(writer, "r", DAY + timedelta(days=10))] == ["farm", "r"]
    with pytest.raises(BadInput, match="none is not known"):
        units.compose(writer, [BAUnit("farm", ("none",))], DAY)


def test_a_mortgaged_right_goes_over_only_when_it_is_freed(writer: Connection) -> None:
    settle(writer, {"p": {"A": "1/2", "B": "1/2"}}, ["C", "Bank", "Bank2"])

    def lend(creditor: str, **more: object) -> str:
        loan = NewMortgage("p", LAND, "A", creditor, DAY + timedelta(days=10), None, None, None, None)
        return transfers.mortgage(writer, replace(loan, **more)).id  # type: ignore[arg-type]

    first, second = lend("Bank", amount_vnd=2_000_000_000), lend("Bank2")
    ranks = {right.party: right.mortgage.rank for right in rights.of_units(writer, ["p"]) if right.mortgage}
    assert ranks == {"Bank": 1, "Bank2": 2}
    with pytest.raises(Conflict, match="the rank 1 is taken"):
        lend("C", rank=1)
    with pytest.raises(Conflict, match="C holds no land_use_right"):
        lend("Bank", debtor="C")
    with pytest.raises(Conflict, match="mortgaged to Bank"):
        transfers.transfer(writer, transfer({"A": "1/2"}, {"C": "1/2"}, 20))
    # The other half is free.
    transfers.transfer(writer, transfer({"B": "1/2"}, {"C": "1/2"}, 20))
    transfers.discharge(writer, [second], DAY + timedelta(days=15))
    with pytest.raises(Conflict, match="not in force"):
        transfers.discharge(writer, [second], DAY + timedelta(days=16))
    with pytest.raises(NotFound, match="no mortgage none"):
        transfers.discharge(writer, ["none"], DAY)
    transfers.transfer(writer, transfer({"A": "1/2"}, {"C": "1/2"}, 30, discharged=(first,)))
    held = rights.of_all_days(writer, "p")
    assert holders(held, 30) == {"C": Fraction(1)}
    assert {right.party: right.end for right in held if right.mortgage} == {
        "Bank": DAY + timedelta(days=30),
        "Bank2": DAY + timedelta(days=15),
    }


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


def test_transfers_stop_at_a_ban(writer: Connection) -> None:
    settle(writer, {"p": {"A": "1"}}, ["B", "Court"])
    ban = {"ba_unit_uid": "p", "party_uid": "Court", "type": "transfer_ban", "share_num": 1, "share_den": 1}
    rights.save(writer, [{**ban, "valid": since(DAY + timedelta(days=5), DAY + timedelta(days=9))}])
    with pytest.raises(Conflict, match="transfers are banned from 2010-01-06 to 2010-01-10"):
        transfers.transfer(writer, transfer({"A": "1"}, {"B": "1"}, 6))
    transfers.transfer(writer, transfer({"A": "1"}, {"B": "1"}, 9))


SHARES = ["1/6", "1/4", "1/3", "1/2", "1"]
STEPS = st.lists(
    st.tuples(
        st.sampled_from("ABCD"),
        st.sampled_from("ABCD"),
        st.sampled_from(SHARES),
        st.integers(0, 12),
        st.sampled_from(["sale", "gift", "inheritance"]),
    ),
    min_size=1,
    max_size=7,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_random_transfers_equal_a_plain_table_of_days_and_leave_past_answers_as_they_were(
    writer: Connection, steps: list[tuple[str, str, str, int, str]]
) -> None:
    """Against a brute-force model: shares of each day in a table, changed from the transfer's day on, or refused."""
    savepoint = writer.begin_nested()
    settle(writer, {"p": {"A": "1/2", "B": "1/2"}}, ["C", "D"])
    model = {day: {"A": HALF, "B": HALF} for day in range(15)}
    answers: list[tuple[datetime, dict[int, dict[str, Fraction]]]] = [(_now(writer), _copy(model))]
    for giver, taker, share, day, kind in steps:
        refused = _refused(model, giver, taker, Fraction(share), day, kind)
        try:
            transfers.transfer(writer, transfer({giver: share}, {taker: share}, day, kind=kind))
        except (BadInput, Conflict):
            assert refused
            continue
        assert not refused
        for later in range(day, 15):
            shares = model[later]
            shares[giver] -= Fraction(share)
            shares[taker] = shares.get(taker, Fraction(0)) + Fraction(share)
            model[later] = {party: one for party, one in shares.items() if one}
        answers.append((_now(writer), _copy(model)))
    for moment, expected in answers:
        held = rights.of_all_days(writer, "p", moment)
        for day in range(15):
            assert holders(held, day) == expected[day]
            assert sum(expected[day].values()) == 1
    _check_every_point(writer)
    savepoint.rollback()


def _copy(model: dict[int, dict[str, Fraction]]) -> dict[int, dict[str, Fraction]]:
    return {day: dict(shares) for day, shares in model.items()}


def _refused(
    model: dict[int, dict[str, Fraction]], giver: str, taker: str, share: Fraction, day: int, kind: str
) -> bool:
    if giver == taker or any(model[later].get(giver, Fraction(0)) < share for later in range(day, 15)):
        return True
    return kind == "inheritance" and model[day][giver] != share


def _check_every_point(connection: Connection) -> None:
    """The sum of shares is one at every pair of event points of valid and recorded time, whatever they are."""
    rows = connection.execute(
        text(
            "SELECT share_num, share_den, lower(valid), upper(valid), lower(recorded), upper(recorded) "
            "FROM rrr WHERE ba_unit_uid = 'p' AND NOT isempty(recorded)"
        )
    ).all()
    days = {day for row in rows for day in row[2:4] if day is not None}
    moments = {moment for row in rows for moment in row[4:6] if moment is not None}
    assert days
    for day in days:
        for moment in moments:
            at = [
                Fraction(row[0], row[1])
                for row in rows
                if row[2] <= day and (row[3] is None or day < row[3])
                if row[4] <= moment and (row[5] is None or moment < row[5])
            ]
            assert sum(at) == 1


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
        _check_every_point(connection)


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


def test_an_unknown_type_of_right_is_refused(writer: Connection) -> None:
    settle(writer, {"p": {"A": "1"}})
    row = {"parcel_uid": "p", "party_uid": "A", "type": "x", "share_num": 1, "share_den": 1, "valid": since(DAY)}
    with pytest.raises(BadInput, match="x: no such type of right; there are ownership"):
        rights.save(writer, [row])


def test_a_party_told_in_full_must_be_told_as_it_is_known(writer: Connection) -> None:
    settle(writer, {"p": {"A": "1"}}, ["B"])
    number = parties.identity_number(writer, "B")

    def sold_to(name: str, id_no: str | None) -> TransferDocument:
        new = NewParty("B", PartyKind.PERSON, name, id_no)
        return TransferDocument(transfer({"A": "1"}, {"B": "1"}, 1), (new,), None)

    with pytest.raises(BadInput, match="under another name or kind"):
        transfers.carry_out(writer, sold_to("Bà C", number))
    with pytest.raises(BadInput, match="knows another identity number"):
        transfers.carry_out(writer, sold_to("Bà B", "079999999999"))
    transfers.carry_out(writer, sold_to("Bà B", None))
    assert parties.identity_number(writer, "B") == number
    assert holders(rights.of_all_days(writer, "p"), 1) == {"B": Fraction(1)}

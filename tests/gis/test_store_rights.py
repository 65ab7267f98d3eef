"""Rights: shares add up to one on every day, as known at every moment, whoever writes; and transfers in their times."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from gis.errors import BadInput, Conflict, NotFound
from gis.land.document_fields import NewParty
from gis.land.rights import BAUnit, Group, Member, PartyKind
from gis.land.sources import SourceDocument
from gis.land.transfer_document import NewMortgage, TransferDocument
from gis.land.transfers import Transfer
from gis.store import groups, parties, rights, sources, transfers, units
from gis.store.versions import since
from tests.gis.rights_samples import DAY, LAND, check_every_point, holders, settle, transfer

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
    check_every_point(writer)
    savepoint.rollback()


def _copy(model: dict[int, dict[str, Fraction]]) -> dict[int, dict[str, Fraction]]:
    return {day: dict(shares) for day, shares in model.items()}


def _refused(
    model: dict[int, dict[str, Fraction]], giver: str, taker: str, share: Fraction, day: int, kind: str
) -> bool:
    if giver == taker or any(model[later].get(giver, Fraction(0)) < share for later in range(day, 15)):
        return True
    return kind == "inheritance" and model[day][giver] != share


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

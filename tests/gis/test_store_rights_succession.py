"""Rights follow the land through splits, merges and their undoing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from fractions import Fraction

import pytest
from shapely import LineString
from sqlalchemy import Connection

from gis.access.roles import Role
from gis.errors import BadInput, Conflict, NotFound
from gis.land.rights import BAUnit
from gis.land.transfer_document import NewMortgage
from gis.land.transfers import Part, Transfer, TransferKind
from gis.store import land_changes, parties, rights, transfers, unit_parting, units
from gis.store.database import Database
from gis.store.land_changes import Order
from gis.store.land_register import Recorded
from gis.store.versions import since
from tests.gis.land_samples import lots, place, register

LAND = "land_use_right"
BEGIN, DAY, LATER = date(2010, 1, 1), date(2020, 5, 1), date(2021, 6, 1)
ORDER = Order(DAY)


def settle(connection: Connection, held: Mapping[str, Mapping[str, str]]) -> None:
    """Nine lots, and who holds which share of some of them."""
    register(connection, lots(), ward_code=None)
    names = sorted({party for shares in held.values() for party in shares} | {"bank"})
    parties.save(connection, [{"uid": one, "kind": "person", "name": f"Bà {one}", "id_no": None} for one in names])
    rights.save(
        connection,
        [
            {"parcel_uid": uid, "party_uid": party, "type": LAND, "valid": since(BEGIN)}
            | dict(zip(("share_num", "share_den"), Fraction(share).as_integer_ratio(), strict=True))
            for uid, shares in held.items()
            for party, share in shares.items()
        ],
    )


def holders(connection: Connection, parcel: str, day: date) -> dict[str, Fraction]:
    """Who holds a parcel's land on a day."""
    mine = [unit.uid for unit in units.of_parcel(connection, parcel, day)]
    return {right.party: right.share for right in rights.of_units(connection, mine, day)}


def halved(connection: Connection, order: Order = ORDER) -> Recorded:
    done = land_changes.split(connection, "p-11", LineString([place(30, 25), place(30, 65)]), order)
    assert isinstance(done, Recorded)
    return done


def test_after_a_split_the_same_rights_hold_over_all_pieces(database: Database) -> None:
    with database.open(Role.WRITER) as connection:
        settle(connection, {"p-11": {"an": "1/3", "ba": "2/3"}})
        halved(connection)
        shares = {"an": Fraction(1, 3), "ba": Fraction(2, 3)}
        assert holders(connection, "p-11~1", DAY) == holders(connection, "p-11~2", DAY) == shares
        assert holders(connection, "p-11", date(2019, 1, 1)) == shares
        assert holders(connection, "p-11", DAY) == {}
        (unit,) = units.of_parcel(connection, "p-11~1", DAY)
        assert unit.parcels == ("p-11~1", "p-11~2")


def test_an_undone_split_gives_the_parcel_its_rights_back(database: Database) -> None:
    with database.open(Role.WRITER) as connection:
        settle(connection, {"p-11": {"an": "1"}})
        change = halved(connection).change.id
    with database.open(Role.WRITER) as connection:
        land_changes.undo(connection, change, Order(LATER))
        assert holders(connection, "p-11", LATER) == {"an": 1}
        assert holders(connection, "p-11~1", DAY) == {"an": 1}
        assert holders(connection, "p-11~1", LATER) == {}


def test_parcels_of_the_same_holders_are_merged_into_one_unit(database: Database) -> None:
    with database.open(Role.WRITER) as connection:
        settle(connection, {"p-10": {"an": "1/2", "ba": "1/2"}, "p-11": {"ba": "1/2", "an": "1/2"}})
        done = land_changes.merge(connection, ["p-10", "p-11"], ORDER)
        assert isinstance(done, Recorded)
        (child,) = done.draft.children
        assert holders(connection, child.uid, DAY) == {"an": Fraction(1, 2), "ba": Fraction(1, 2)}
        assert len(units.of_parcel(connection, child.uid, DAY)) == 1
        assert holders(connection, "p-11", date(2019, 1, 1)) == {"an": Fraction(1, 2), "ba": Fraction(1, 2)}
        # Rights are in one unit alone: nobody holds the land twice.
        assert len(rights.of_units(connection, ["p-10", "p-11"], DAY)) == 2


@pytest.mark.parametrize(
    "held",
    [
        {"p-10": {"an": "1"}, "p-11": {"ba": "1"}},
        {"p-10": {"an": "1/2", "ba": "1/2"}, "p-11": {"an": "1/3", "ba": "2/3"}},
    ],
)
def test_parcels_with_different_rights_are_not_merged(
    database: Database, held: Mapping[str, Mapping[str, str]]
) -> None:
    with database.open(Role.WRITER) as connection:
        settle(connection, held)
    with pytest.raises(Conflict, match="are not the same"), database.open(Role.WRITER) as connection:
        land_changes.merge(connection, ["p-10", "p-11"], ORDER)
    with database.open(Role.WRITER) as connection:
        for uid, shares in held.items():
            assert holders(connection, uid, DAY) == {party: Fraction(share) for party, share in shares.items()}


def test_a_mortgaged_right_does_not_vanish_in_a_merge(database: Database) -> None:
    with database.open(Role.WRITER) as connection:
        settle(connection, {"p-10": {"an": "1"}, "p-11": {"an": "1"}})
        for uid in ("p-10", "p-11"):
            transfers.mortgage(connection, NewMortgage(uid, LAND, "an", "bank", BEGIN, None, None, 1_000_000, None))
    with pytest.raises(Conflict, match="mortgaged"), database.open(Role.WRITER) as connection:
        land_changes.merge(connection, ["p-10", "p-11"], ORDER)


def test_land_without_rights_is_changed_as_before(database: Database) -> None:
    with database.open(Role.WRITER) as connection:
        settle(connection, {"p-00": {"an": "1"}})
        halved(connection)
        assert holders(connection, "p-11~1", DAY) == {}
        assert holders(connection, "p-00", DAY) == {"an": 1}


def test_a_piece_is_parted_from_its_unit_and_then_sold_alone(database: Database) -> None:
    shares = {"an": Fraction(1, 3), "ba": Fraction(2, 3)}
    with database.open(Role.WRITER) as connection:
        settle(connection, {"p-11": {"an": "1/3", "ba": "2/3"}})
        halved(connection)
        done = unit_parting.part(connection, "p-11", ["p-11~2"], LATER)
        assert (done.kept.parcels, done.new) == (("p-11~1",), BAUnit("p-11~2", ("p-11~2",)))
        assert {right.party: right.share for right in done.rights} == shares
    with database.open(Role.WRITER) as connection:
        sale = Transfer(
            TransferKind.SALE, "p-11~2", LAND, date(2022, 1, 1), (Part("an", None),), (Part("ca", Fraction(1, 3)),)
        )
        parties.save(connection, [{"uid": "ca", "kind": "person", "name": "Bà Ca", "id_no": None}])
        transfers.transfer(connection, sale)
        for uid in ("p-11~1", "p-11~2"):
            # Before the parting one unit held both; nobody held the land twice on any day.
            assert holders(connection, uid, DAY) == holders(connection, uid, LATER) == shares
            assert len(units.of_parcel(connection, uid, DAY)) == len(units.of_parcel(connection, uid, LATER)) == 1
        assert holders(connection, "p-11~2", date(2022, 1, 1)) == {"ca": Fraction(1, 3), "ba": Fraction(2, 3)}
        assert holders(connection, "p-11~1", date(2022, 1, 1)) == shares


def test_what_cannot_be_parted_is_named(database: Database) -> None:
    with database.open(Role.WRITER) as connection:
        settle(connection, {"p-11": {"an": "1"}, "p-10": {"an": "1"}})
        halved(connection)
    cases: list[tuple[str, list[str], date, str | None, type[Exception], str]] = [
        ("p-12", ["p-12"], LATER, None, NotFound, "p-12 on 2021-06-01"),
        ("p-11", ["p-10"], LATER, None, BadInput, "p-10 is not of unit p-11"),
        ("p-11", ["p-11~1", "p-11~2"], LATER, "x", BadInput, "name some of them, not all"),
        ("p-11", ["p-11~2"], LATER, "p-10", Conflict, "p-10: there is or was one already"),
        ("p-11", ["p-11"], date(2019, 1, 1), None, BadInput, "not all"),
    ]
    for unit, parcels, day, into, kind, why in cases:
        with pytest.raises(kind, match=why), database.open(Role.WRITER) as connection:
            unit_parting.part(connection, unit, parcels, day, into)
    with database.open(Role.WRITER) as connection:
        transfers.mortgage(connection, NewMortgage("p-11", LAND, "an", "bank", DAY, None, None, 1_000_000, None))
    with pytest.raises(Conflict, match="is mortgaged"), database.open(Role.WRITER) as connection:
        unit_parting.part(connection, "p-11", ["p-11~2"], LATER)
    with database.open(Role.WRITER) as connection:
        assert holders(connection, "p-11~2", LATER) == {"an": 1, "bank": 1}

"""First rights in parcels that had none: all of a document or nothing, and only where nothing is known yet."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import orjson
import pytest
from shapely import LineString
from sqlalchemy import Connection, text

from gis.access.audit import Acting, acting
from gis.access.roles import Role
from gis.errors import BadInput, Conflict, NotFound, SharesDoNotAddUp, UnreadableFile
from gis.land.first_rights import parse_first_rights, read_first_rights
from gis.land.transfer_document import parse_document
from gis.store import certificates, first_rights, groups, land_changes, parties, rights, transfers, unit_parting, units
from gis.store.database import Database
from gis.store.land_changes import Order
from tests.gis.land_samples import BEGIN, lots, place, register

LAND, HOUSE = "land_use_right", "house_ownership"
DAY = date(2020, 5, 1)
HALF = Fraction(1, 2)
TABLES = ("party", "group_member", "source_document", "ba_unit", "ba_unit_parcel", "rrr", "certificate")


def person(uid: str, **more: object) -> dict[str, object]:
    return {"uid": uid, "kind": "person", "name": f"Bà {uid} (hư cấu)", **more}


def right(party: object, share: str | None = "1", kind: str = LAND) -> dict[str, object]:
    return {"type": kind, "party": party, "share": share}


def document(**told: object) -> dict[str, object]:
    """Two hold p-11 from DAY on, by a decision."""
    return {
        "parcels": ["p-11"],
        "day": DAY.isoformat(),
        "rights": [right(person("A", id_no="079123456789"), "1/2"), right(person("B"), "1/2")],
        "source": {"uid": "qd-7", "kind": "decision", "number": "7/2020", "date": "2020-04-28"},
    } | told


def grant(connection: Connection, **told: object) -> first_rights.Granted:
    return first_rights.grant(connection, parse_first_rights(document(**told)))


def kept(database: Database) -> list[list[Any]]:
    """Every row of the tables of rights."""
    with database.open(Role.WRITER) as connection:
        return [
            list(connection.execute(text(f"SELECT * FROM diaba.{name} ORDER BY 1, 2 NULLS FIRST, 3")))  # noqa: S608  names of this file
            if name != "ba_unit"
            else list(connection.execute(text("SELECT * FROM diaba.ba_unit ORDER BY 1")))
            for name in TABLES
        ]


def test_a_parcel_of_the_import_gets_its_holders_and_each_may_sell(writer: Connection) -> None:
    register(writer, lots())
    done = grant(writer, certificate={"serial": "DA 1", "book_no": "CS 1", "party": "A"})
    assert (done.unit.uid, done.unit.parcels) == ("p-11", ("p-11",))
    assert [(one.party, one.share, one.start, one.end) for one in done.rights] == [
        ("A", HALF, DAY, None),
        ("B", HALF, DAY, None),
    ]
    assert {one.source for one in done.rights} == {"qd-7"}
    assert units.of_parcel(writer, "p-11", date(2020, 4, 30)) == []
    assert rights.of_units(writer, ["p-11"], date(2020, 4, 30)) == []
    (paper,) = certificates.of_units(writer, ["p-11"], DAY)
    assert (paper.serial, paper.book_no, paper.status, paper.issued, paper.party) == (
        "DA 1",
        "CS 1",
        "issued",
        DAY,
        "A",
    )
    sale = {
        "kind": "sale",
        "unit": "p-11",
        "type": LAND,
        "day": "2021-01-01",
        "from": [{"party": "A", "share": "all"}],
        "to": [{"party": person("N"), "share": "1/2"}],
    }
    transfers.carry_out(writer, parse_document(sale))
    assert {one.party for one in rights.of_units(writer, ["p-11"], date(2021, 1, 1))} == {"B", "N"}


def test_the_identity_number_is_kept_encrypted_and_found(writer: Connection) -> None:
    register(writer, lots())
    grant(writer)
    secret = writer.execute(text("SELECT id_no_encrypted, id_no_hash FROM diaba.party WHERE uid = 'A'")).one()
    assert b"079123456789" not in bytes(secret[0]) + bytes(secret[1])
    assert [one.uid for one in parties.find(writer, "079123456789")] == ["A"]
    assert parties.identity_number(writer, "A") == "079123456789"


def test_a_unit_of_several_parcels_with_a_house_and_a_lease_can_be_parted(writer: Connection) -> None:
    register(writer, lots())
    grant(
        writer,
        unit="farm",
        parcels=["p-12", "p-11"],
        rights=[right(person("A")), right("A", "1", HOUSE), right(person("L"), None, "lease")],
    )
    assert [one.uid for one in units.of_parcel(writer, "p-12", DAY)] == ["farm"]
    assert {(one.party, one.type) for one in rights.of_units(writer, ["farm"], DAY)} == {
        ("A", LAND),
        ("A", HOUSE),
        ("L", "lease"),
    }
    parted = unit_parting.part(writer, "farm", ["p-12"], date(2021, 1, 1))
    assert (parted.kept.parcels, parted.new.parcels) == (("p-11",), ("p-12",))


def test_a_couple_holds_as_a_group_that_the_document_forms(writer: Connection) -> None:
    register(writer, lots())
    couple = {
        "uid": "G",
        "kind": "group",
        "name": "Ông A, bà B (hư cấu)",
        "members": [{"party": person("B")}, {"party": person("A")}],
    }
    grant(writer, rights=[right(couple)])
    assert [(one.party, one.share) for one in groups.of_parties(writer, ["G"], DAY)["G"].members] == [
        ("A", None),
        ("B", None),
    ]
    # Told again as it is known, for another parcel.
    grant(writer, parcels=["p-12"], rights=[right(couple)])
    with pytest.raises(BadInput, match="group G: the register knows other members of it on 2020-05-01"):
        grant(writer, parcels=["p-10"], rights=[right(couple | {"members": [{"party": "A"}]})])
    with pytest.raises(BadInput, match="give each member a share, or none"):
        grant(writer, rights=[right(couple | {"members": [{"party": "A", "share": "1/2"}, {"party": "B"}]})])


@pytest.mark.parametrize(
    ("told", "error", "why"),
    [
        ({"parcels": ["p-99"]}, NotFound, "no parcel p-99"),
        ({"day": "2009-02-28"}, Conflict, "parcel p-11: it is not valid on 2009-02-28, and rights in it are told from"),
        ({"rights": [right("nobody")]}, NotFound, "no party nobody"),
        ({"unit": "p-10"}, BadInput, "that is the name of a parcel which is not of the unit"),
        ({"parcels": ["p-11", "p-12"], "unit": "u"}, Conflict, r"parcel p-12: it is of unit p-12 from 2015-01-01 on"),
        ({"unit": "p-12", "parcels": ["p-12"]}, Conflict, "parcel p-12: it is of unit p-12"),
        ({"unit": "p-21"}, BadInput, "that is the name of a parcel"),
        ({"unit": "farm"}, Conflict, "unit farm: the register has one of this name from 2020-05-01 on"),
        ({"certificate": {"serial": "DA 0"}}, Conflict, "certificate DA 0: the register has it already"),
        (
            {"rights": [right({**person("Z"), "name": "another"})]},
            BadInput,
            "party Z: the register knows this uid under another name",
        ),
    ],
)
def test_what_the_register_does_not_allow_is_refused_and_leaves_nothing(
    refusing: Database, told: dict[str, Any], error: type[Exception], why: str
) -> None:
    before = kept(refusing)
    with pytest.raises(error, match=why), refusing.open(Role.WRITER) as connection:
        grant(connection, **told)
    assert kept(refusing) == before


@pytest.fixture(scope="module")
def refusing(make_database: Callable[..., Database]) -> Database:
    """Nine lots; p-12 and the unit `farm` of p-22 are held."""
    made = make_database()
    with made.open(Role.WRITER) as connection:
        register(connection, lots())
        grant(connection, parcels=["p-12"], day="2015-01-01", rights=[right(person("Z"))])
        grant(connection, unit="farm", parcels=["p-22"], rights=[right("Z")], certificate={"serial": "DA 0"})
    return made


def test_rights_of_the_past_end_where_the_parcel_ends(writer: Connection) -> None:
    register(writer, lots(), ward_code=None)
    land_changes.split(writer, "p-11", LineString([place(30, 25), place(30, 65)]), Order(DAY))
    long_ago = date(2012, 1, 1)
    with pytest.raises(Conflict, match="parcel p-11: it is not valid on 2020-05-01"):
        grant(writer, day="2012-01-01")
    with pytest.raises(Conflict, match="parcel p-11: it is not valid on 2020-05-01"):
        grant(writer, day="2012-01-01", until="2020-05-02")
    with pytest.raises(Conflict, match=r"parcel p-11~1: it is not valid on 2012-01-01"):
        grant(writer, parcels=["p-11~1"], day="2012-01-01")
    grant(writer, day="2012-01-01", until=DAY.isoformat())
    assert {one.party for one in rights.of_units(writer, ["p-11"], long_ago)} == {"A", "B"}
    assert rights.of_units(writer, ["p-11"], DAY) == []
    # Before and after, the same parcel and its pieces are free.
    grant(writer, day=BEGIN.isoformat(), until="2012-01-01", rights=[right("A")])
    grant(writer, parcels=["p-11~1"])
    for day, holders in ((BEGIN, {"A"}), (long_ago, {"A", "B"})):
        assert {one.party for one in rights.of_units(writer, ["p-11"], day)} == holders


def test_of_two_that_register_the_same_parcel_at_once_one_is_told(database: Database) -> None:
    with database.open(Role.WRITER) as connection:
        register(connection, lots())
    start, told = threading.Barrier(2), []

    def first(uid: str) -> None:
        start.wait(30)
        try:
            with database.open(Role.WRITER) as connection:
                grant(connection, rights=[right(person(uid))])
            told.append(uid)
        except Conflict as error:
            told.append(str(error))

    threads = [threading.Thread(target=first, args=(uid,)) for uid in ("C", "D")]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    (winner,) = [one for one in told if len(one) == 1]
    (loser,) = [one for one in told if len(one) > 1]
    assert loser.startswith("parcel p-11: it is of unit p-11 from 2020-05-01 on")
    with database.open(Role.WRITER) as connection:
        assert [one.party for one in rights.of_units(connection, ["p-11"], DAY)] == [winner]
        assert connection.execute(text("SELECT uid FROM diaba.party")).scalars().all() == [winner]


def test_the_audit_log_says_who_registered_which_rights(database: Database) -> None:
    with database.open(Role.WRITER) as connection:
        register(connection, lots())
    with database.open(Role.WRITER) as connection:
        before: int = connection.scalar(text("SELECT count(*) FROM diaba.audit_log")) or 0
    with acting(Acting("lan", "diaba parcels grant")), database.open(Role.WRITER) as connection:
        grant(connection, certificate={"serial": "DA 1"})
    with database.open(Role.WRITER) as connection:
        entries = connection.execute(
            text("SELECT actor, through, operation, table_name, row_count, keys FROM diaba.audit_log WHERE seq > :seq"),
            {"seq": before},
        ).all()
    assert {(one.actor, one.through, one.operation) for one in entries} == {("lan", "diaba parcels grant", "INSERT")}
    told: dict[str, tuple[int, set[str]]] = {}
    for one in entries:
        rows, keys = told.get(one.table_name, (0, set()))
        told[one.table_name] = (rows + one.row_count, keys | set(one.keys))
    # The first identity number of a city brings the fingerprint of its key.
    assert {name: rows for name, (rows, _) in told.items()} == {
        "identity_key": 1,
        "party": 2,
        "source_document": 1,
        "ba_unit_parcel": 1,
        "rrr": 2,
        "certificate": 1,
    }
    assert told["party"][1] == {"A", "B"}
    assert "079123456789" not in str(entries)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"rights": [right("A", "1/2"), right("B", "1/3")]}, "5/6"),
    ({"rights": [right("A"), right("B", "1/3")]}, "4/3"),
    ({"rights": [right("A"), right("A", "1/2", HOUSE)]}, "house_ownership"),
    ({"rights": [right("A", "1/2"), right("A", "1/2")]}, "A holds land_use_right twice"),
    ({"rights": [right("A", None)]}, r"rights\[1\]: share is missing"),
    ({"rights": [right("A", "0.5")]}, "write it as a fraction"),
    ({"rights": [right("A", None, "lease")]}, "say who holds all of it: none of lease"),
    ({"rights": [right("A"), right("B", "1", "mortgage")]}, "mortgage is no first right"),
    ({"rights": [right("A"), right("B", "1", "transfer_ban")]}, "transfer_ban is no first right"),
    ({"rights": [right("A", "1", "x")]}, "x: no such type of right"),
    ({"rights": []}, "rights: give a list"),
    ({"rights": [right("\x00")]}, "party: an object"),
    ({"rights": [{**right("A"), "x": 1}]}, r"rights\[1\]: x is not known here"),
    ({"parcels": []}, "at least one parcel"),
    ({"parcels": ["p\x00"]}, "parcels is a list"),
    ({"parcels": ["p", "q"]}, "several parcels need a name"),
    ({"parcels": ["p", "p"], "unit": "u"}, "parcel p is named twice"),
    ({"until": "2020-05-01"}, "end on 2020-05-01, before they have begun"),
    ({"source": None}, "source is missing"),
    ({"certificate": {"book_no": "1"}}, "certificate: serial is missing"),
    ({"certificate": {"serial": "1", "issued": "2020-04-30"}}, "before the rights of 2020-05-01"),
    ({"certificate": {"serial": "1", "party": "C"}}, "C holds none of the rights"),
    ({"certificate": {"serial": "1"}, "until": "2021-01-01"}, "of rights that have ended"),
    ({"typo": 1}, "document: typo is not known here"),
]


@pytest.mark.parametrize(("told", "why"), BAD)
def test_a_bad_document_of_first_rights_is_said_in_one_line(told: dict[str, Any], why: str) -> None:
    with pytest.raises(BadInput, match=why) as raised:
        parse_first_rights(document(**told))
    assert "\n" not in str(raised.value)


def test_shares_that_do_not_add_up_keep_their_facts() -> None:
    with pytest.raises(SharesDoNotAddUp, match="p-11"):
        parse_first_rights(document(rights=[right("A", "1/2"), right("B", "1/3")]))


def test_a_document_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "first.json"
    with pytest.raises(UnreadableFile):
        read_first_rights(file)
    file.write_bytes(orjson.dumps(document()))
    assert read_first_rights(file) == parse_first_rights(document())

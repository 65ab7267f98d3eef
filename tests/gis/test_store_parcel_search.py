"""Search of parcels, held against a filter over all versions in plain Python."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from gis.access.roles import Role
from gis.crs import normalise, transformer
from gis.errors import BadParameter
from gis.land.exchange.record import Incoming, ParcelRecord
from gis.land.number_forms import ParcelNumber, parse
from gis.store import parcel_import
from gis.store.database import Database
from gis.store.parcel_search import FoundBy, When, find, find_at, find_by_address, find_by_number
from tests.gis.exchange_samples import EAST, NORTH, lot

CITY = normalise(9210)
STREETS = (
    "Nguyễn Trãi",
    "Nguyễn Thị Minh Khai",
    "Đường số 12",
    "Lê Lợi",
    "Trần Hưng Đạo",
    "Hẻm 99/7 Lê Văn Sỹ",
    "Le Loi",
    "Điện Biên Phủ",
)
CHANGED, RENUMBERED = date(2015, 7, 1), date(2020, 1, 1)


@dataclass(frozen=True)
class Version:
    """A parcel in a time, as the test knows it."""

    record: ParcelRecord
    start: date
    end: date | None
    known_from: datetime
    known_to: datetime | None


def first(number: int) -> ParcelRecord:
    return ParcelRecord(
        f"{number}",
        lot(number),
        uid=f"p-{number:04d}",
        ward_code="26734" if number % 2 else "26737",
        sheet_no=str(11 + number % 3),
        parcel_no=str(1 + number // 3),
        address=f"{number + 1}{'A' if number % 5 == 0 else ''} {STREETS[number % len(STREETS)]}, P. Bến Nghé",
        valid_from=date(2009, 3, 1),
    )


@pytest.fixture(scope="module")
def register(make_database: Callable[..., Database]) -> Database:
    return make_database()


@pytest.fixture(scope="module")
def known(register: Database) -> list[Version]:
    """Sixty parcels; later some have other addresses, others other numbers, and one address is corrected."""
    moments: list[datetime] = []

    def save(records: list[ParcelRecord]) -> None:
        columns = frozenset({"uid", "ward_code", "sheet_no", "parcel_no", "old_sheet_no", "old_parcel_no", "address"})
        incoming = Incoming(Path("given"), CITY, tuple(records), columns | {"valid_from"})
        with register.open(Role.WRITER) as connection:
            checked = parcel_import.check(connection, [incoming], valid_from=date(2009, 3, 1))
            assert checked.report.errors == ()
            parcel_import.save(connection, checked)
        with register.open(Role.WRITER) as connection:
            moments.append(connection.scalar(text("SELECT clock_timestamp()")))

    original = [first(n) for n in range(60)]
    moved = [replace(r, address=f"{r.address}, Q.1", valid_from=CHANGED) for r in original[::4]]
    renumbered = [
        replace(
            r,
            old_sheet_no=r.sheet_no,
            old_parcel_no=r.parcel_no,
            sheet_no="1" + str(r.sheet_no),
            parcel_no=str(100 + int(str(r.parcel_no))),
            valid_from=RENUMBERED,
        )
        for r in original[1::4]
    ]
    corrected = [replace(original[2], address="3 Hàm Nghi")]
    for batch in (original, moved, renumbered, corrected):
        save(batch)
    with register.open(Role.WRITER) as connection:
        rows = connection.execute(
            text(
                "SELECT uid, ward_code, sheet_no, parcel_no, old_sheet_no, old_parcel_no, address, lower(valid), "
                "upper(valid), lower(recorded), upper(recorded) FROM diaba.parcel_version"
            )
        ).all()
    shapes = {record.uid: record.shape for record in original}
    found = [
        Version(
            ParcelRecord(row[0], shapes[row[0]], row[0], row[1], row[2], row[3], row[4], row[5], None, row[6]), *row[7:]
        )
        for row in rows
    ]
    # 60 first ones; 30 changed from a day on keep what was before (closed, kept, added); one corrected for all time.
    assert len(found) == 60 + 2 * 30 + 1
    return found


@pytest.fixture
def reader(register: Database, known: list[Version]) -> Iterator[Connection]:
    with register.open(Role.READER) as connection:
        yield connection


def at(known: list[Version], when: When) -> list[ParcelRecord]:
    """What was so, by comparing every version."""
    day = when.as_of or date.today()
    moment = when.known_at or datetime.now(UTC)
    return [
        v.record
        for v in known
        if v.start <= day
        and (v.end is None or day < v.end)
        and v.known_from <= moment
        and (v.known_to is None or moment < v.known_to)
    ]


def plain_words(given: str) -> list[str]:
    folded = unicodedata.normalize("NFD", given.lower()).replace("đ", "d")
    letters = "".join(letter for letter in folded if not unicodedata.combining(letter))
    return re.findall("[a-z0-9]+", letters)


def by_address(records: list[ParcelRecord], asked: str) -> set[str]:
    words = plain_words(asked)
    return {
        str(r.uid)
        for r in records
        if words and all(any(fits(word, part) for part in plain_words(r.address or "")) for word in words)
    }


def fits(asked: str, word: str) -> bool:
    return word == asked if asked[0] in "0123456789" else word.startswith(asked)


TIMES = [
    When(),
    When(date(2010, 1, 1)),
    When(date(2008, 1, 1)),
    When(CHANGED),
    When(date(2015, 6, 30)),
    When(RENUMBERED),
    When(date(2019, 12, 31)),
]
ASKED = [
    "Nguyễn Trãi",
    "nguyen trai",
    "NGUYỄN",
    "duong so 12",
    "Đường số",
    "đường SỐ 12",
    "trai nguyen 1",
    "le loi",
    "Lê Lợi",
    "99/7 le van sy",
    "1A nguyen trai",
    "1 nguyen trai",
    "q.1 nguyen thi",
    "q.1 ben nghe",
    "p",
    "hem",
    "ham nghi",
    "dien bien phu q 1",
    unicodedata.normalize("NFD", "Nguyễn Trãi"),
    unicodedata.normalize("NFD", "ĐIỆN BIÊN"),
]


@pytest.mark.parametrize("when", TIMES, ids=str)
@pytest.mark.parametrize("asked", ASKED)
def test_an_address_is_found_with_and_without_accents_at_any_date(
    reader: Connection, known: list[Version], asked: str, when: When
) -> None:
    found = find_by_address(reader, asked, when, limit=200)
    told = {parcel.uid for parcel in found.parcels if parcel.by is FoundBy.ADDRESS}
    assert told == by_address(at(known, when), asked)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asked=st.lists(
        st.sampled_from(["nguyễn", "TRAI", "lê", "l", "12", "7", "đ", "so", "x'", "%", "_"]), min_size=1, max_size=8
    ),
    day=st.dates(date(2008, 1, 1), date(2026, 1, 1)),
)
def test_any_words_at_any_day_are_found_as_a_plain_filter_finds_them(
    reader: Connection, known: list[Version], asked: list[str], day: date
) -> None:
    when = When(day)
    found = find_by_address(reader, " ".join(asked), when, limit=200)
    told = {parcel.uid for parcel in found.parcels if parcel.by is FoundBy.ADDRESS}
    assert told == by_address(at(known, when), " ".join(asked))


@pytest.mark.parametrize("when", TIMES, ids=str)
def test_numbers_old_and_new_are_found_at_any_date(reader: Connection, known: list[Version], when: When) -> None:
    records = at(known, when)
    numbers = {(v.record.sheet_no, v.record.parcel_no) for v in known}
    for sheet, parcel in sorted(numbers):
        found = find_by_number(reader, str(sheet), str(parcel), when, limit=200)
        now = {r.uid for r in records if (r.sheet_no, r.parcel_no) == (sheet, parcel)}
        old = {r.uid for r in records if (r.old_sheet_no, r.old_parcel_no) == (sheet, parcel)}
        assert {p.uid for p in found.parcels if p.by is FoundBy.NUMBER} == now
        assert {p.uid for p in found.parcels if p.by is FoundBy.OLD_NUMBER} == old - now
        kinds = [p.by for p in found.parcels]
        assert kinds == sorted(kinds)


def test_what_was_believed_before_a_correction_is_still_found(reader: Connection, known: list[Version]) -> None:
    corrected = next(v for v in known if v.record.address == "3 Hàm Nghi")
    before = next(v for v in known if v.record.uid == corrected.record.uid and v.known_to is not None)
    earlier = When(date(2012, 1, 1), before.known_from)
    assert "p-0002" in {p.uid for p in find_by_address(reader, "3 duong so 12", earlier).parcels}
    assert find_by_address(reader, "ham nghi", When(date(2012, 1, 1))).parcels[0].uid == "p-0002"
    assert FoundBy.ADDRESS not in {p.by for p in find_by_address(reader, "ham nghi", earlier).parcels}


def test_what_is_typed_with_its_accents_comes_first(reader: Connection) -> None:
    for asked in ("Lê Lợi", "Le Loi"):
        found = find_by_address(reader, asked, limit=200).parcels
        fits = [asked in str(p.attributes["address"]) for p in found]
        assert fits == sorted(fits, reverse=True)
        assert {True, False} == set(fits)


def test_a_slip_of_the_finger_finds_what_is_most_alike(reader: Connection) -> None:
    found = find_by_address(reader, "Nguyen Tri Minh Khoi").parcels
    assert {p.by for p in found} == {FoundBy.SIMILAR_ADDRESS}
    assert all("Minh Khai" in str(p.attributes["address"]) for p in found[:5])


@pytest.mark.parametrize("code", [9210, 4326, 4756, 3405])
def test_a_place_is_found_in_any_crs(reader: Connection, known: list[Version], code: int) -> None:
    for record in at(known, When()):
        point = record.shape.representative_point()
        x, y = transformer(CITY, code).transform(point.x, point.y)
        found = find_at(reader, x, y, normalise(code))
        assert [p.uid for p in found.parcels] == [record.uid]
        assert found.parcels[0].shape.equals(record.shape)


def test_a_boundary_is_on_both_sides_and_a_street_on_none(reader: Connection) -> None:
    assert [p.uid for p in find_at(reader, EAST + 5, NORTH + 5).parcels] == ["p-0000", "p-0001"]
    assert find_at(reader, EAST - 5, NORTH - 5).parcels == ()
    assert find_at(reader, EAST + 5, NORTH + 5, when=When(date(2008, 1, 1))).parcels == ()


def test_degrees_are_not_taken_for_metres(reader: Connection) -> None:
    with pytest.raises(BadParameter, match="look like degrees"):
        find_at(reader, 106.7, 10.77)
    with pytest.raises(BadParameter, match="longitude"):
        find_at(reader, EAST, NORTH, normalise(4326))
    with pytest.raises(BadParameter, match="outside"):
        find_at(reader, float("inf"), 1.0)


FORMS: list[tuple[str, ParcelNumber | None]] = [
    ("12/345", ParcelNumber("12", "345")),
    ("12-345", ParcelNumber("12", "345")),
    (" 12 / 345a ", ParcelNumber("12", "345A")),
    ("tờ 12 thửa 345", ParcelNumber("12", "345")),
    ("Tờ bản đồ số 12, thửa đất số 345", ParcelNumber("12", "345")),
    ("thửa 345, tờ 12", ParcelNumber("12", "345")),
    ("thua dat so: 345; to ban do so: 12", ParcelNumber("12", "345")),
    ("TỜ 12 THỬA 345", ParcelNumber("12", "345")),
    (unicodedata.normalize("NFD", "tờ 12 thửa 345"), ParcelNumber("12", "345")),
    ("sheet 12 parcel 345", ParcelNumber("12", "345")),
    ("12/345 Lê Lợi", None),
    ("12", None),
    ("12/345/6", None),
    ("tờ thửa", None),
    ("", None),
    ("1" * 300, None),
]


@pytest.mark.parametrize(("given_text", "number"), FORMS)
def test_a_number_is_read_in_its_forms(given_text: str, number: ParcelNumber | None) -> None:
    assert parse(given_text) == number


def test_one_text_finds_by_key_number_or_address(reader: Connection) -> None:
    assert [(p.uid, p.by) for p in find(reader, "p-0003").parcels] == [("p-0003", FoundBy.UID)]
    assert {p.by for p in find(reader, "tờ 11 thửa 3").parcels} == {FoundBy.NUMBER}
    assert {p.by for p in find(reader, "011/003").parcels} == {FoundBy.NUMBER}
    # No parcel has that number, but it is in addresses.
    assert {p.by for p in find(reader, "99/7").parcels} == {FoundBy.ADDRESS}
    assert {p.by for p in find(reader, "tran hung dao").parcels} == {FoundBy.ADDRESS}


def test_more_than_the_limit_is_said(reader: Connection) -> None:
    found = find_by_address(reader, "ben nghe", limit=7)
    assert (len(found.parcels), found.has_more) == (7, True)
    assert not find_by_address(reader, "ben nghe", limit=200).has_more
    for limit in (0, 201, -1):
        with pytest.raises(BadParameter, match="limit"):
            find(reader, "ben nghe", limit=limit)


HOSTILE = [
    "'; DROP TABLE diaba.parcel_version; --",
    "' OR '1'='1",
    "%' OR true --",
    "%%%",
    "_",
    "\\",
    "$x1",
    ":uid",
    "12/345' UNION SELECT 1 --",
    "{by}",
    "%(uid)s",
    "\u202e12/345",
    "()",
]


@pytest.mark.parametrize("asked", HOSTILE)
def test_hostile_texts_find_nothing_and_break_nothing(
    register: Database, reader: Connection, known: list[Version], asked: str
) -> None:
    exact = [p for p in find(reader, asked, limit=200).parcels if p.by is not FoundBy.SIMILAR_ADDRESS]
    assert {p.uid for p in exact} == by_address(at(known, When()), asked) == set()
    assert find_by_number(reader, asked, asked, ward=asked).parcels == ()
    with register.open(Role.WRITER) as connection:
        assert connection.scalar(text("SELECT count(*) FROM diaba.parcel_version")) == len(known)


@pytest.mark.parametrize("asked", ["", "   ", "a" * 201, "a\x00b", "a\nb", "\ud800"])
def test_texts_that_cannot_be_asked_are_refused(reader: Connection, asked: str) -> None:
    with pytest.raises(BadParameter, match="text"):
        find(reader, asked)


def test_the_indexes_serve_the_searches(register: Database, known: list[Version]) -> None:
    with register.open(Role.WRITER) as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        for where, index in (
            ("parcel_no = '1' AND sheet_no = '11'", "parcel_version_number"),
            ("old_parcel_no = '1' AND old_sheet_no = '11'", "parcel_version_old_number"),
            ("address_key LIKE '% nguyen%'", "parcel_version_address"),
        ):
            asked = f"EXPLAIN SELECT uid FROM diaba.parcel_version WHERE {where}"  # noqa: S608  conditions from above
            plan = connection.scalars(text(asked)).all()
            assert index in "\n".join(plan)

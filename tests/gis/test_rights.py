"""Values of rights: shares, groups, transfers, documents and the tables that come with them."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Mapping
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.errors import BadInput, Conflict, SharesDoNotAddUp, UnreadableFile
from gis.land.certificates import CertificateStatus, certificate_life
from gis.land.right_types import RightClass, right_types
from gis.land.rights import RRR, Group, Member, Mortgage, check_shares, parse_share
from gis.land.transfer_document import Discharge, NewMortgage, parse_document, read_document
from gis.land.transfers import Transfer, TransferKind
from gis.resources import resource
from tests.gis.rights_samples import DAY, LAND, transfer


@pytest.mark.parametrize(("text", "share"), [("1", Fraction(1)), ("1/1", Fraction(1)), ("2/6", Fraction(1, 3))])
def test_a_share_is_read_exactly(text: str, share: Fraction) -> None:
    assert parse_share(text) == share


@pytest.mark.parametrize(
    "text", ["0", "0/1", "2", "3/2", "1/0", "-1/2", "1/-2", "0.5", "1/2/3", "", "½", "1/2000000", "a", "1e0"]
)
def test_what_is_no_share_is_said(text: str) -> None:
    with pytest.raises(BadInput, match="share"):
        parse_share(text)


def test_shares_that_do_not_add_up_are_named_with_unit_period_and_sum() -> None:
    third = Fraction(1, 3)
    held = [(third, None, date(2012, 1, 1)), (third, date(2010, 1, 1), None), (third, date(2010, 1, 1), None)]
    with pytest.raises(
        SharesDoNotAddUp, match="unit p: the shares of ownership add up to 1/3, not to 1, from the beginning"
    ):
        check_shares("p", "ownership", held)
    with pytest.raises(SharesDoNotAddUp) as raised:
        check_shares("p", "ownership", [(third, date(2010, 1, 1), end) for _, _, end in held])
    assert (raised.value.start, raised.value.end, raised.value.total) == (date(2012, 1, 1), None, Fraction(2, 3))
    assert isinstance(raised.value, BadInput)
    assert isinstance(raised.value, Conflict)
    # A lease has no whole that its shares would make.
    check_shares("p", "lease", held)


HELD = st.lists(
    st.tuples(
        st.sampled_from([Fraction(1), Fraction(1, 2), Fraction(1, 3), Fraction(2, 3)]),
        st.one_of(st.none(), st.integers(0, 6)),
        st.one_of(st.none(), st.integers(7, 12)),
    ),
    max_size=4,
)


@given(HELD)
def test_shares_are_checked_on_every_day(held: list[tuple[Fraction, int | None, int | None]]) -> None:
    """Against a loop over days."""
    sums = [
        sum(share for share, start, end in held if (start is None or start <= day) and (end is None or day < end))
        for day in range(-1, 14)
    ]
    right = all(total in (0, 1) for total in sums)
    told = [
        (
            share,
            None if start is None else DAY + timedelta(days=start),
            None if end is None else DAY + timedelta(days=end),
        )
        for share, start, end in held
    ]
    if right:
        check_shares("p", LAND, told)
    else:
        with pytest.raises(SharesDoNotAddUp):
            check_shares("p", LAND, told)


def test_a_right_that_cannot_be_is_refused() -> None:
    good = {"unit": "p", "party": "A", "type": LAND, "share": Fraction(1), "start": DAY}
    RRR(**good).check()  # type: ignore[arg-type]
    loan = Mortgage("x", 1)
    for wrong, why in (
        ({"share": Fraction(0)}, "more than 0"),
        ({"share": Fraction(3, 2)}, "at most 1"),
        ({"share": Fraction(1, 10**7)}, "in parts of"),
        ({"end": DAY}, "before it has begun"),
        ({"type": "none"}, "no such type"),
        ({"mortgage": loan}, "no other right does"),
        ({"type": "mortgage"}, "names the right it encumbers"),
        ({"type": "mortgage", "mortgage": Mortgage("x", 0)}, "first rank is 1"),
    ):
        with pytest.raises(BadInput, match=why):
            RRR(**{**good, **wrong}).check()  # type: ignore[arg-type]


def test_a_group_has_all_shares_or_none() -> None:
    half = Fraction(1, 2)
    Group("G", (Member("A", half), Member("B", half))).check()
    Group("G", (Member("A", None), Member("B", None))).check()
    for members in (
        (),
        (Member("A", half), Member("A", half)),
        (Member("A", half), Member("B", None)),
        (Member("A", half), Member("B", Fraction(1, 3))),
        (Member("G", None),),
    ):
        with pytest.raises(BadInput, match="group G"):
            Group("G", members).check()


@pytest.mark.parametrize("kind", list(TransferKind))
def test_a_transfer_conserves_the_sum_and_names_only_who_changed(kind: TransferKind) -> None:
    held = [RRR("p", party, LAND, Fraction(share), DAY) for party, share in (("A", "1/2"), ("B", "1/3"), ("C", "1/6"))]
    takers = {"B": "1/4", "A" if kind is TransferKind.DIVISION else "D": "1/4"}
    givers: dict[str, str | None] = {"A": None}
    circle = frozenset({"B"})
    changes = transfer(givers, takers, 5, kind=kind).applied(held, circle)
    after = {right.party: right.share for right in held} | {one.party: one.share for one in changes}
    assert sum(after.values()) == 1
    assert "C" not in {one.party for one in changes}


def _document(**more: Any) -> dict[str, Any]:
    return {
        "kind": "sale",
        "unit": "p",
        "type": LAND,
        "day": "2026-03-02",
        "from": [{"party": "A", "share": "1/2"}],
        "to": [{"party": {"uid": "N", "kind": "person", "name": "Bà N", "id_no": "079"}, "share": "1/2"}],
        "source": {"uid": "hd", "kind": "contract", "number": "1", "date": "2026-02-27"},
        **more,
    }


def test_a_document_is_read_into_values() -> None:
    found = parse_document(_document())
    assert isinstance(found.what, Transfer)
    assert (found.what.kind, found.what.day, found.what.source) == ("sale", date(2026, 3, 2), "hd")
    assert [(one.uid, one.id_no) for one in found.parties] == [("N", "079")]
    assert found.source is not None
    assert found.source.date == date(2026, 2, 27)
    loan = {"kind": "mortgage", "unit": "p", "type": LAND, "debtor": "A", "creditor": "B", "day": "2026-03-02"}
    assert parse_document({**loan, "amount_vnd": 5}).what == NewMortgage(
        "p", LAND, "A", "B", date(2026, 3, 2), None, None, 5, None
    )
    freed = {"kind": "discharge", "mortgages": ["x"], "day": "2026-03-02"}
    assert parse_document(freed).what == Discharge(("x",), date(2026, 3, 2))


BAD: list[tuple[Mapping[str, Any] | list[Any], str]] = [
    ([], "document: an object"),
    (_document(kind="theft"), "kind 'theft'"),
    (_document(day="2026-02-30"), "day '2026-02-30' is no day"),
    (_document(unit=None), "unit is missing"),
    (_document(unit=7), "unit is a text"),
    (_document(unit="\x00"), "unit is a text"),
    (_document(**{"from": []}), "from: give a list"),
    (_document(**{"from": [{"party": "A", "share": 0.5}]}), r"from\[1\]: share is a text"),
    (_document(**{"from": [{"party": "A", "share": "0.5"}]}), "write it as a fraction"),
    (_document(**{"from": [{"party": "A", "share": "1/2", "x": 1}]}), r"from\[1\]: x is not known here"),
    (_document(to=[{"party": "N", "share": "all"}]), "say how much each party gets"),
    (_document(to=[{"party": {"uid": "N"}, "share": "1/2"}]), "party: kind is missing"),
    (_document(typo=1), "document: typo is not known here"),
    (_document(source={"uid": "hd", "kind": "c", "sha256": "x"}), "64 digits"),
    (_document(source={"uid": "hd", "kind": "c", "signature_status": "good"}), "signature_status 'good'"),
    (_document(discharged="x"), "discharged is a list"),
    (_document(type="mortgage"), "has no shares that could go over"),
    (
        {
            "kind": "mortgage",
            "unit": "p",
            "type": LAND,
            "debtor": "A",
            "creditor": "B",
            "day": "2026-03-02",
            "rank": -1,
        },
        "rank",
    ),
]


@pytest.mark.parametrize(("given_document", "why"), BAD)
def test_a_bad_document_is_said_in_one_line(given_document: object, why: str) -> None:
    with pytest.raises(BadInput, match=why) as raised:
        parse_document(given_document)
    assert "\n" not in str(raised.value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["kind", "unit", "from", "to", "day", "party", "share"]), inner, max_size=5
            )
        ),
        max_leaves=12,
    )
)
def test_no_document_ends_in_another_error(given_document: object) -> None:
    with pytest.raises(BadInput):
        parse_document(given_document)


def test_a_file_that_is_no_document_is_said(tmp_path: Path) -> None:
    file = tmp_path / "t.json"
    with pytest.raises(UnreadableFile):
        read_document(file)
    file.write_bytes(b'{"kind": ')
    with pytest.raises(UnreadableFile, match="not JSON"):
        read_document(file)
    file.write_bytes(b" " * (2**20 + 1))
    with pytest.raises(UnreadableFile, match="larger than 1 MB"):
        read_document(file)
    file.write_bytes(orjson.dumps(_document()))
    assert read_document(file) == parse_document(_document())


def test_the_tables_are_whole_and_cite_their_sources() -> None:
    for types in right_types().values():
        assert types.vi
        assert types.en
        assert types.source
        assert types.article
    assert {one.kind for one in right_types().values()} == set(RightClass)
    life = certificate_life()
    assert set(life.statuses) == set(CertificateStatus)
    assert [status for status in CertificateStatus if not life.following(status)] == ["replaced", "revoked"]
    for name in ("rights/right_types.csv", "rights/certificate_transitions.csv", "registers/building_transitions.csv"):
        with resource(*name.split("/")).open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert all(row["doubt"] in ("", "?") and row["source"] and row["verified_by"] == "" for row in rows)
        assert len({tuple(itertools.islice(row.values(), 2)) for row in rows}) == len(rows)

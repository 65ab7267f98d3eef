"""Several land uses of one parcel: their text, their sums, and what becomes of them when land changes hands."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.errors import BadInput
from gis.land.land_use import (
    LandUsePortion,
    adds_up,
    changed,
    combined,
    documents,
    fitted,
    main_use,
    of_documents,
    parsed,
    total,
    written,
)

ORIGINS = st.text(st.characters(exclude_characters=";", exclude_categories=("C", "Z")), min_size=1, max_size=20)
PORTION = st.builds(
    LandUsePortion,
    st.sampled_from(["ODT", "CLN", "LUC", "NTS"]),
    st.integers(1, 10**8).map(lambda cents: cents / 100),
    st.none() | st.dates(date(2000, 1, 1), date(2099, 12, 31)),
    st.none() | ORIGINS,
)
PORTIONS = st.lists(PORTION, max_size=6).map(tuple)


@given(PORTIONS)
def test_text_and_store_tell_the_same_uses_again(portions: tuple[LandUsePortion, ...]) -> None:
    assert parsed(written(portions)) == portions
    assert of_documents(documents(portions)) == portions


def test_uses_are_written_as_people_write_them() -> None:
    portions = parsed("ODT 60;CLN 140.50 until 2050-12-31 (Nhà nước giao đất (2001))")
    assert portions == (
        LandUsePortion("ODT", 60.0),
        LandUsePortion("CLN", 140.5, date(2050, 12, 31), "Nhà nước giao đất (2001)"),
    )
    assert written(portions) == "ODT 60; CLN 140.5 until 2050-12-31 (Nhà nước giao đất (2001))"
    assert (total(portions), main_use(portions)) == (200.5, "CLN")


@pytest.mark.parametrize(
    "wrong",
    [
        "ODT",
        "odt 60",
        "ODT -1",
        "ODT 0",
        "ODT 60 until 2050-02-30",
        "ODT 60, CLN 1",
        "ODT 1e5",
        "; ".join(["ODT 1"] * 21),
    ],
)
def test_what_is_no_list_of_uses_is_refused(wrong: str) -> None:
    with pytest.raises(BadInput):
        parsed(wrong)


@given(PORTIONS, PORTIONS)
def test_together_they_have_the_area_of_each_use(
    one: tuple[LandUsePortion, ...], other: tuple[LandUsePortion, ...]
) -> None:
    both = combined([*one, *other])
    assert len({portion.kind for portion in both}) == len(both)
    for code in ("ODT", "CLN", "LUC", "NTS"):
        # In whole square centimetres, by themselves.
        expected = sum(round(100 * portion.area) for portion in (*one, *other) if portion.code == code)
        assert sum(round(100 * portion.area) for portion in both if portion.code == code) == expected


@given(PORTIONS.filter(bool), st.floats(0.5, 2.0))
def test_uses_of_another_area_keep_their_proportions(portions: tuple[LandUsePortion, ...], factor: float) -> None:
    area = factor * total(portions) + 1.0
    found = fitted(portions, area)
    assert adds_up(found, area)
    assert [portion.kind for portion in found] == [portion.kind for portion in portions]
    if not adds_up(portions, area):
        for before, after in zip(portions, found, strict=True):
            assert abs(after.area - before.area * area / total(portions)) <= 0.01 * len(portions) + 0.01


def test_a_part_under_another_use_leaves_the_rest() -> None:
    garden = LandUsePortion("CLN", 140.0, date(2050, 12, 31))
    before = (LandUsePortion("ODT", 60.0), garden)
    house = LandUsePortion("ODT", 40.0)
    assert written(changed(before, "CLN", house)) == "ODT 100; CLN 100 until 2050-12-31"
    assert written(changed(before, "CLN", LandUsePortion("ODT", 140.0))) == "ODT 200"
    assert written(changed(before, "ODT", LandUsePortion("TMD", 20.0, None, "thuê"))) == (
        "ODT 40; CLN 140 until 2050-12-31; TMD 20 (thuê)"
    )
    with pytest.raises(BadInput, match=r"140\.5 m² of CLN were to change, there are 140 m²"):
        changed(before, "CLN", LandUsePortion("ODT", 140.5))

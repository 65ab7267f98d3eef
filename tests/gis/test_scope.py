"""Grants as text add up to what somebody may see and change, and to no more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.access.scope import CHANGES, EVERYTHING, NOTHING_MORE, SEES, Department, Subject, scope_of, scope_within
from gis.errors import BadParameter

DISTRICTS = {"760": frozenset({"26734", "26737"})}


def test_the_public_sees_and_changes_nothing_more() -> None:
    assert NOTHING_MORE.key == "public"
    assert NOTHING_MORE.document() == ""
    assert not any(NOTHING_MORE.wards(subject) for subject in Subject)
    assert not any(NOTHING_MORE.may_change(collection, "26734") for collection in CHANGES)


def test_a_department_sees_what_its_work_needs_in_its_wards_alone() -> None:
    scope = scope_of(["inspection:26734"])
    assert scope.wards(Subject.DIFFERENCES) == {"26734"}
    assert scope.wards(Subject.RIGHTS) == scope.wards(Subject.DOSSIERS) == frozenset()
    assert scope.document() == "differences=26734;land=26734"


def test_a_district_is_all_its_wards_and_every_ward_swallows_the_others() -> None:
    scope = scope_of(["land:760", "planning:*", "planning:26734"], DISTRICTS)
    assert scope.wards(Subject.RIGHTS) == {"26734", "26737"}
    assert scope.wards(Subject.DIFFERENCES) == {"*"}


def test_who_may_change_is_the_one_department_in_the_ward_of_the_feature() -> None:
    scope = scope_of(["land:26734:change", "construction:26737:change", "land:26737"])
    assert scope.may_change("parcels", "26734")
    assert not scope.may_change("parcels", "26737")
    assert not scope.may_change("permits", "26734")
    assert scope.may_change("permits", "26737")
    # Measured buildings are nobody's to change; a feature of no ward is changed by who may in all.
    for collection in ("buildings", "lidar_tiles", "nothing"):
        assert not EVERYTHING.may_change(collection, "26734")
    assert not scope.may_change("parcels", None)
    assert scope_of(["land:*:change"]).may_change("parcels", None)


def test_to_change_a_ward_whose_code_is_a_star_needs_every_ward() -> None:
    assert not scope_of(["land:26734:change"]).may_change("parcels", "*")


@given(st.lists(st.sampled_from([f"{d}:{w}" for d in Department for w in ("1", "2", "3", "*")]), max_size=6))
def test_the_key_names_what_is_seen(texts: list[str]) -> None:
    """By brute force: equal keys if and only if every subject is seen in the same wards."""
    one, other = scope_of(texts), scope_of(reversed(texts))
    assert one.key == other.key
    for text in texts:
        department, ward = text.split(":")
        for subject in SEES[Department(department)]:
            assert ward in one.wards(subject) or one.wards(subject) == {"*"}
    fewer = scope_of(texts[1:])
    same = all(one.wards(subject) == fewer.wards(subject) for subject in Subject)
    assert (one.key == fewer.key) is same


@pytest.mark.parametrize(
    "text",
    [
        *("", "land", "land:", ":26734", "sea:26734", "land:26734:write", "land:26734:change:x", "land:a b", "land:é"),
        *("land:1;differences=*", "land:1,2", "land:*=", "LAND:1", "land:" + "9" * 33, "land:1\n"),
    ],
)
def test_what_is_no_grant_is_refused_and_among_groups_of_others_gives_nothing(text: str) -> None:
    with pytest.raises(BadParameter):
        scope_of([text])
    assert scope_within([text, "offline_access", 7, None, {"a": 1}]) == NOTHING_MORE

"""Every kind of difference makes a sheet that says what is so: figures, limit and what it is written in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from html import escape
from math import isnan

import pytest
from shapely import LineString, box

from api.evidence.page import Edition, conclusion, page
from api.evidence.sheet import EvidenceSheet, Finding
from api.evidence.texts import LANGUAGES, WORDS
from api.evidence.texts_en import ENGLISH
from gis.construction.compliance import Difference, Kind, Observation, Parcel, Permit, Zone, differences
from gis.construction.proposal import Road
from tests.api.test_evidence_pictures import sheet

NAN = float("nan")
PARCEL = Parcel("p1", box(0, 0, 5, 20))
STREET = Road("South Street", LineString([(-50, -5), (100, -5)]), 8.0)
PERMIT = Permit("GP1", "p1", box(0, 2, 5, 18), height=13.6, floors=4, setback_front=2.0)
HOUSE = Observation(
    "b1", box(0, 2, 5, 18), height=13.6, sigma_height=0.1, sigma_outline=0.15, known=True, surveyed=date(2024, 7, 1)
)
ZONE = Zone("z1", box(-20, -20, 40, 40), floors=NAN, height=NAN, density=60.0, far=NAN, decision="12/QĐ-UBND")
NOTICE = Permit("TB9", "p1", None, NAN, 0, NAN, type="demolition_notice", issued=date(2024, 1, 1))
DUE = replace(PERMIT, expires=date(2024, 6, 1))
CITED = {
    Kind.NO_PERMIT: "",
    Kind.ZONE: "12/QĐ-UBND",
    Kind.PARCEL_LINE: "p1",
    Kind.RESERVE: "South Street",
    Kind.STANDING: "TB9",
}
"""What the difference rests on, where it is not the permit."""
SCENES: dict[Kind, tuple[Observation, tuple[Permit, ...], tuple[Zone, ...]]] = {
    Kind.NO_PERMIT: (HOUSE, (), ()),
    Kind.STOREYS: (replace(HOUSE, height=17.0), (PERMIT,), ()),
    Kind.FOOTPRINT: (replace(HOUSE, footprint=box(0, 2, 5, 20)), (PERMIT,), ()),
    Kind.PARCEL_LINE: (replace(HOUSE, footprint=box(0, 2, 6, 18)), (PERMIT,), ()),
    Kind.SETBACK: (replace(HOUSE, footprint=box(0, 0.5, 5, 18)), (PERMIT,), ()),
    Kind.RESERVE: (replace(HOUSE, footprint=box(0, -3, 5, 18)), (PERMIT,), ()),
    Kind.ZONE: (HOUSE, (), (ZONE,)),
    Kind.GROUND_LEVEL: (replace(HOUSE, ground=1.8, sigma_ground=0.05), (replace(PERMIT, ground_level=2.5),), ()),
    Kind.DEMOLISHED: (replace(HOUSE, height=NAN, ground_share=0.95), (PERMIT,), ()),
    Kind.STANDING: (HOUSE, (PERMIT, NOTICE), ()),
    Kind.UNFINISHED: (replace(HOUSE, height=6.0), (DUE,), ()),
}


def found(kind: Kind) -> Difference:
    house, permits, zones = SCENES[kind]
    told = differences([house], permits, [PARCEL], [STREET], zones=zones)
    return next(one for one in told if one.kind is kind)


def sheet_of(one: Difference) -> EvidenceSheet:
    finding = Finding(
        case="c1",
        kind=one.kind,
        status="flagged",
        actual=one.actual,
        limit=None if isnan(one.limit) else one.limit,
        unit=one.unit,
        delta=one.delta,
        sigma=one.sigma,
        confidence=one.confidence,
        evidence=dict(one.evidence),
    )
    return sheet().model_copy(update={"finding": finding})


def test_there_is_a_scene_of_every_kind() -> None:
    assert set(SCENES) == set(Kind)


@pytest.mark.parametrize("kind", SCENES)
def test_a_sheet_says_figures_limit_and_citation_of_its_kind(kind: Kind) -> None:
    one = found(kind)
    whole = sheet_of(one)
    written = page(whole, Edition("en", "https://example.org/evidence/0", datetime(2025, 1, 1, tzinfo=UTC)))
    assert f"{one.actual:.2f} ± {one.sigma:.2f}" in written
    assert CITED.get(kind, "GP1") in written
    assert escape(ENGLISH[f"kind.{kind}"]) in written
    if one.limit:
        assert f"{one.limit:.2f}" in conclusion(whole, WORDS["en"])
    # No code of the program is left where words should be, in neither language.
    for language in LANGUAGES:
        texts = WORDS[language].texts
        assert {f"evidence.{name}" for name in one.evidence} <= set(texts), kind


def test_what_falls_short_is_not_told_as_more() -> None:
    said = {kind: conclusion(sheet_of(found(kind)), WORDS["en"]) for kind in Kind}
    assert "short of it by 0.70 ± " in said[Kind.GROUND_LEVEL]
    assert "measured 1.80 ± " in said[Kind.GROUND_LEVEL]
    assert "by the permit 13.60 m; short of it by 7.60 ± 0.10 m" in said[Kind.UNFINISHED]
    assert "short of it by 1.50 ± " in said[Kind.SETBACK]
    assert "95.00 ± " in said[Kind.DEMOLISHED]
    assert "% ground" in said[Kind.DEMOLISHED]
    assert said[Kind.STANDING].endswith("it stood 13.60 ± 0.10 m high.")
    assert "(density): measured 80.00 ± " in said[Kind.ZONE]
    assert "limit 60.00 %; difference +20.00 ± " in said[Kind.ZONE]
    for kind in (Kind.GROUND_LEVEL, Kind.UNFINISHED, Kind.SETBACK, Kind.DEMOLISHED, Kind.STANDING):
        assert "+" not in said[kind], kind


def test_days_and_codes_are_told_in_the_language_and_a_stranger_s_nonsense_as_it_is() -> None:
    whole = sheet_of(found(Kind.STANDING))
    how = Edition("vi", "https://example.org/evidence/0", datetime(2025, 1, 1, tzinfo=UTC))
    written = page(whole, how)
    assert "thời hạn: 01/01/2024; ngày đo: 01/07/2024; loại giấy phép: thông báo phá dỡ" in written
    assert whole.finding is not None
    strange = whole.finding.model_copy(update={"evidence": {"due": "2024-02-31", "side": "<b>", "other": None}})
    assert "thời hạn: 2024-02-31; phía: &lt;b&gt;" in page(whole.model_copy(update={"finding": strange}), how)

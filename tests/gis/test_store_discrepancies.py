"""Findings of a run: the same again changes nothing, and a person's decision stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

from shapely.affinity import translate
from sqlalchemy import Connection

from gis.bounds import BoundingBox
from gis.construction.inspections import Inspection, Outcome
from gis.store import buildings, case_changes, catalog, discrepancies, runs
from tests.gis.store_samples import building
from tests.gis.test_store_buildings import BOUNDS

EPOCH = "2014"


def _finding(number: int, delta: float = 3.3) -> dict[str, object]:
    return {
        "kind": "storeys",
        "building_uid": f"b-{number:04d}",
        "permit_no": "GPXD-1",
        "epoch": EPOCH,
        "actual": 15.0,
        "limit_value": 15.0 - delta,
        "unit": "m",
        "delta": delta,
        "sigma": 0.1,
        "confidence": 0.999,
        "evidence": {"points": 800, "share": float("nan")},
    }


def _prepare(connection: Connection) -> None:
    catalog.save_campaign(connection, EPOCH)
    runs.plan(connection, EPOCH, [runs.PlannedTile("t1", BOUNDS, "h")])
    buildings.save(connection, "t1", EPOCH, [building(n) for n in range(4)])


def test_findings_of_the_next_run_replace_those_of_the_epoch(writer: Connection) -> None:
    _prepare(writer)
    first = discrepancies.save(writer, [_finding(0), _finding(1), _finding(2)], epoch=EPOCH)
    looked_at = discrepancies.identity(EPOCH, "storeys", "b-0000", None, "GPXD-1")
    case_changes.inspect(writer, looked_at, Inspection(date(2026, 3, 2), Outcome.WITHIN_LIMITS))
    second = discrepancies.save(writer, [_finding(0), _finding(1, 4.0)], epoch=EPOCH)
    assert first.counts == {"added": 3, "closed": 0, "unchanged": 0}
    assert second.counts == {"added": 1, "closed": 2, "unchanged": 1}
    now = discrepancies.current(writer, EPOCH)
    assert now.building_uid.tolist() == ["b-0000", "b-0001"]
    assert now.status.tolist() == ["dismissed", "flagged"]
    assert now.delta.tolist() == [3.3, 4.0]
    assert now.evidence.iloc[0] == {"points": 800, "share": None}
    assert discrepancies.current(writer, "2024").empty


def test_the_identity_is_that_of_the_finding(writer: Connection) -> None:
    name: Callable[..., str] = discrepancies.identity
    assert name(EPOCH, "storeys", "b", None, None) == name(EPOCH, "storeys", "b", None, None)
    assert name(EPOCH, "storeys", "b", None, None) != name(EPOCH, "storeys", None, "b", None)


def test_findings_of_an_area_replace_only_those_on_its_buildings(writer: Connection) -> None:
    _prepare(writer)
    discrepancies.save(writer, [_finding(0), _finding(1), _finding(2)], epoch=EPOCH)
    first = buildings.current(writer, EPOCH).set_index("uid").geometry["b-0000"].bounds
    area = BoundingBox(*first, BOUNDS.crs)
    second = discrepancies.save(writer, [], epoch=EPOCH, area=area)
    assert second.counts == {"added": 0, "closed": 1, "unchanged": 0}
    assert discrepancies.current(writer, EPOCH).building_uid.tolist() == ["b-0001", "b-0002"]


def test_where_a_building_was_held_to_be_before_closes_no_finding(writer: Connection) -> None:
    _prepare(writer)
    before = buildings.current(writer, EPOCH).set_index("uid").geometry["b-0000"]
    moved = replace(building(0), footprint=translate(before, 500.0, 0.0))
    buildings.save(writer, "t1", EPOCH, [moved, *(building(n) for n in range(1, 3))])
    discrepancies.save(writer, [_finding(0), _finding(3)], epoch=EPOCH)
    there = BoundingBox(*before.bounds, BOUNDS.crs)
    assert discrepancies.save(writer, [], epoch=EPOCH, area=there).counts["closed"] == 0
    # b-0003 is no building any more: whoever looks where it was last closes what was found at it.
    gone = BoundingBox(*building(3).footprint.bounds, BOUNDS.crs)
    assert discrepancies.save(writer, [], epoch=EPOCH, area=gone).counts["closed"] == 1
    assert discrepancies.current(writer, EPOCH).building_uid.tolist() == ["b-0000"]

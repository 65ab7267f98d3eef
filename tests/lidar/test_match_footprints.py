"""Given outlines against points: the simulated alley its map true, shifted, half wrong, or with houses left out."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from shapely import affinity, box

from gis.crs import normalise
from gis.grid import Grid
from lidar.derive_footprints import derive_footprints
from lidar.footprints import Footprints, read_footprints
from lidar.match_footprints import Finding, Outcome, Shift, map_shift, match_footprints
from lidar.read import read_many
from lidar.scene.make import make_scene
from lidar.scene.recipe import read_recipe
from lidar.terrain import rasterise

CRS = normalise(9210)


def outlines(*polygons: shapely.Polygon, name: str = "g") -> Footprints:
    return Footprints.of([(f"{name}{i}", p) for i, p in enumerate(polygons)], CRS)


def moved(footprints: Footprints, dx: float, dy: float) -> Footprints:
    return Footprints.of(
        [(u, affinity.translate(p, dx, dy)) for u, p in zip(footprints.uids, footprints.polygons, strict=True)], CRS
    )


def matched(given: Footprints, derived: Footprints) -> tuple[Shift, tuple[Finding, ...]]:
    """The shift of the first block, which holds all that the points show, and the findings."""
    match = match_footprints(given, derived)
    return next(iter(match.shifts.values())), match.findings


@pytest.fixture(scope="module")
def alley(tmp_path_factory: pytest.TempPathFactory) -> tuple[Footprints, Footprints]:
    """The true outlines, and those derived from the points under their true classes."""
    folder = tmp_path_factory.mktemp("alley")
    make_scene(folder, read_recipe("alley"), 5, density=8.0)
    points = read_many(sorted((folder / "truth").rglob("*.laz")))
    terrain = rasterise(points, Grid.covering(points.bounds, 0.5))
    true = read_footprints(folder / "truth" / "buildings.gpkg")
    return true, derive_footprints(points, terrain)


def test_a_true_map_is_not_shifted(alley: tuple[Footprints, Footprints]) -> None:
    true, derived = alley
    shift, findings = matched(true, derived)
    assert np.hypot(*shift.measured) < 0.15
    assert (shift.dx, shift.dy) == (0.0, 0.0)
    outcomes = [f.outcome for f in findings[: len(true)]]
    assert outcomes.count(Outcome.MATCHED) > 0.6 * len(true)
    assert outcomes.count(Outcome.MISSING) < 0.1 * len(true)


def test_a_shift_of_a_metre_is_found_with_its_sigma(alley: tuple[Footprints, Footprints]) -> None:
    true, derived = alley
    at_rest = map_shift(true.polygons, derived.polygons).measured
    shift, findings = matched(moved(true, 0.8, -0.6), derived)
    assert (shift.dx + 0.8, shift.dy - 0.6) == pytest.approx(at_rest, abs=0.08)
    assert all(0.0 < s < 0.15 for s in shift.sigma)
    _, right = matched(true, derived)
    same = [a.outcome == b.outcome for a, b in zip(right[: len(true)], findings[: len(true)], strict=True)]
    assert np.mean(same) > 0.9


def test_blocks_of_a_map_are_shifted_each_its_own_way() -> None:
    row = [box(30 * i + 5, 20 * i, 30 * i + 15, 20 * i + 12) for i in range(8)]
    east = [affinity.translate(house, 250.0, 0.0) for house in row]
    given = outlines(
        *(affinity.translate(house, 1.0, 0.0) for house in row),
        *(affinity.translate(house, -0.9, -1.2) for house in east),
    )
    match = match_footprints(given, outlines(*row, *east, name="d"))
    assert list(match.shifts) == [(0.0, 0.0), (250.0, 0.0)]
    (first, second) = match.shifts.values()
    assert (first.dx, first.dy, second.dx, second.dy) == pytest.approx((-1.0, 0.0, 0.9, 1.2), abs=0.001)
    assert match.counts == {"matched": 16, "changed": 0, "shifted": 0, "missing": 0, "extra": 0, "unseen": 0}
    assert all(a.equals_exact(b, 0.002) for a, b in zip(match.moved.polygons, [*row, *east], strict=True))
    assert match.given is given


def test_houses_of_which_a_few_only_lie_better_do_not_move_a_map() -> None:
    row = [box(30 * i, 0, 30 * i + 10, 12) for i in range(8)]
    for moved, believed in ((8, True), (4, False)):
        given = outlines(*(affinity.translate(h, 0.9 * (i < moved), 0.9 * (i < moved)) for i, h in enumerate(row)))
        (shift,) = match_footprints(given, outlines(*row, name="d")).shifts.values()
        assert bool(shift.dx) == believed
    few = outlines(*(affinity.translate(house, 0.9, 0.9) for house in row[:6]))
    (shift,) = match_footprints(few, outlines(*row, name="d")).shifts.values()
    assert (shift.dx, shift.measured[0]) == (0.0, pytest.approx(-0.9, abs=0.01))


def test_a_house_in_a_row_that_the_map_lacks_is_not_missing() -> None:
    given = outlines(box(20, 0, 25, 14))
    _, findings = matched(given, outlines(box(0, 0, 60, 14), name="d"))
    assert findings[0].outcome is Outcome.CHANGED


def test_an_outline_beyond_the_points_is_unseen_not_missing() -> None:
    given = outlines(box(0, 0, 10, 12), box(50, 0, 60, 12), box(90, 0, 100, 12))
    match = match_footprints(given, outlines(box(0, 0, 10, 12), name="d"), np.array([True, True, False]))
    assert [f.outcome for f in match.findings] == [Outcome.MATCHED, Outcome.MISSING, Outcome.UNSEEN]


def test_a_shift_of_two_metres_is_believed_and_one_of_three_is_not() -> None:
    row = [box(40 * i, 0, 40 * i + 10, 12) for i in range(6)]
    for away, believed in ((2.0, True), (3.0, False)):
        given = outlines(*(affinity.translate(house, 0.6 * away, 0.8 * away) for house in row))
        assert bool(map_shift(given.polygons, outlines(*row).polygons).dx) == believed


def test_houses_that_stand_elsewhere_are_missing_and_the_shift_stays(alley: tuple[Footprints, Footprints]) -> None:
    true, derived = alley
    half = np.arange(len(true)) % 2 == 0
    away = [affinity.translate(p, 5000.0, 0.0) if h else p for p, h in zip(true.polygons, half, strict=True)]
    shift, findings = matched(Footprints.of(list(zip(true.uids, away, strict=True)), true.crs), derived)
    assert {f.outcome for f, h in zip(findings, half, strict=False) if h} == {Outcome.MISSING}
    assert np.hypot(*shift.measured) < 0.25


def test_houses_the_map_lacks_are_extra(alley: tuple[Footprints, Footprints]) -> None:
    true, derived = alley
    west = shapely.get_x(shapely.centroid(true.polygons)) < np.median(shapely.get_x(shapely.centroid(true.polygons)))
    _, findings = matched(true.subset(west), derived)
    extra = {f.uid for f in findings if f.outcome is Outcome.EXTRA}
    known = shapely.union_all(true.polygons[west])
    apart = {u for u, p in zip(derived.uids, derived.polygons, strict=True) if p.disjoint(known)}
    assert len(apart) > 0
    assert apart <= extra


def test_a_house_that_was_enlarged_is_changed_and_one_drawn_aside_is_shifted() -> None:
    # The others hold the map in place.
    row = [box(40 * i, 0, 40 * i + 10, 12) for i in range(6)]
    given = outlines(*row, box(0, 60, 10, 70), affinity.translate(box(60, 60, 70, 72), 1.6, 1.2))
    derived = outlines(*row, box(0, 60, 10, 90), box(60, 60, 70, 72), name="d")
    shift, findings = matched(given, derived)
    assert (shift.dx, shift.dy) == (0.0, 0.0)
    assert [f.outcome for f in findings] == [*[Outcome.MATCHED] * 6, Outcome.CHANGED, Outcome.SHIFTED]
    assert (findings[7].dx, findings[7].dy) == pytest.approx((-1.6, -1.2), abs=0.01)


def test_nothing_is_said_from_nothing() -> None:
    none = Footprints.none(CRS)
    assert match_footprints(none, none).findings == ()
    shift, findings = matched(outlines(box(0, 0, 9, 9)), none)
    assert (shift.dx, shift.dy, shift.sides) == (0.0, 0.0, 0)
    assert [f.outcome for f in findings] == [Outcome.MISSING]

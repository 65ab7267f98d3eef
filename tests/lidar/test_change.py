"""Two surveys of a simulated ward against what was changed in it, and earth moved against volumes that are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely
from scipy.ndimage import gaussian_filter
from shapely import box
from shapely.affinity import translate

from gis.crs import normalise
from gis.errors import BadParameter
from gis.grid import Grid
from gis.raster import Raster
from lidar.change.buildings import BuildingChange, ChangeParameters, Surfaces, building_changes
from lidar.change.earth import earth_moved
from lidar.change.registration import Registration, moved, register

from .later_samples import TwoDates, on_the_map, two_dates
from .test_flood import raster

RESOLVED = 8.0
"""m² of a part of a house that cells of half a metre show beyond chance, strips along a wall aside."""


@pytest.fixture(scope="module")
def dates() -> TwoDates:
    return two_dates()


@pytest.fixture(scope="module")
def registration(dates: TwoDates) -> Registration:
    before, after = dates.earlier.terrain, dates.later.terrain
    return register(before.ndsm, after.ndsm, (before.dtm, after.dtm))


def found_in(dates: TwoDates, registration: Registration, by_map: bool) -> list[BuildingChange]:
    before, after = dates.earlier.terrain, dates.later.terrain
    surfaces = Surfaces(
        before.dsm,
        registration.put_back(after.dsm),
        before.ndsm,
        registration.put_back(after.ndsm, heights=False),
    )
    earlier, later = dates.earlier.buildings, dates.later.buildings
    if by_map:
        later = on_the_map(later, earlier)
        earlier = [replace(one, known=True) for one in earlier]
    return building_changes(earlier, later, surfaces, registration, plots=list(dates.parcels.values()))


def test_how_the_surveys_lie_is_found_and_its_sigma_holds(dates: TwoDates, registration: Registration) -> None:
    true = dates.changes["shift_m"]
    assert abs(registration.east - true["east"]) < 3 * registration.sigma_east + 0.02
    assert abs(registration.north - true["north"]) < 3 * registration.sigma_north + 0.02
    # Which strip a cell's points are of differs from place to place: 2.5 cm of each strip remain.
    assert registration.up == pytest.approx(true["up"], abs=0.03)
    assert registration.sigma_east < 0.03


@pytest.mark.parametrize("by_map", [False, True])
def test_changes_that_can_be_seen_are_found_and_no_others(
    dates: TwoDates, registration: Registration, by_map: bool
) -> None:
    true = {(row["parcel_uid"], row["change"]): row for row in dates.changes["buildings"]}
    found = found_in(dates, registration, by_map)
    plots = dates.parcels
    hits = set()
    for one in found:
        plot = max(plots, key=lambda uid: shapely.area(plots[uid].intersection(one.place)))
        assert (plot, one.change.value) in true, one
        row = true[plot, one.change.value]
        hits.add((plot, one.change.value))
        if one.change in ("taller", "lower"):
            rise = row["roof_after"] - row["roof_before"]
            assert abs(one.delta - rise) < 4 * one.sigma + 0.1, one
    grown = {key: abs((row["area_after"] or 0) - (row["area_before"] or 0)) for key, row in true.items()}
    large = {key for key in true if key[1] not in ("extended", "reduced") or grown[key] > RESOLVED}
    assert not large - hits
    assert {one.change.value for one in found} == {"new", "demolished", "taller", "lower", "extended", "reduced"}


def test_nothing_changes_between_two_flights_over_the_same_city(dates: TwoDates) -> None:
    """The earlier register and rasters with other noise: all that is flagged is a false alarm."""
    random = np.random.default_rng(8)
    before = dates.earlier
    shaken = [
        replace(
            one,
            roof=one.roof + random.normal(0, one.sigma_height),
            footprint=translate(one.footprint, *random.normal(0, one.sigma_outline / 2, 2)),
        )
        for one in before.buildings
    ]
    noisy = [
        Raster(r.values + random.normal(0, 0.03, r.grid.shape).astype(np.float32), r.grid)
        for r in (before.terrain.dsm, before.terrain.ndsm)
    ]
    surfaces = Surfaces(before.terrain.dsm, noisy[0], before.terrain.ndsm, noisy[1])
    assert building_changes(before.buildings, shaken, surfaces, parameters=ChangeParameters(0.01)) == []


def test_order_of_the_registers_does_not_matter(dates: TwoDates, registration: Registration) -> None:
    first = found_in(dates, registration, True)
    turned = replace(
        dates,
        earlier=replace(dates.earlier, buildings=dates.earlier.buildings[::-1]),
        later=replace(dates.later, buildings=dates.later.buildings[::-1]),
    )
    assert [(one.uid, one.change, one.delta) for one in found_in(turned, registration, True)] == [
        (one.uid, one.change, one.delta) for one in first
    ]


def test_earth_moved_is_what_was_moved(dates: TwoDates, registration: Registration) -> None:
    before, after = dates.earlier.terrain.dtm, dates.later.terrain.dtm
    for row in dates.changes["earth"]["plots"]:
        found = earth_moved(before, after, dates.parcels[row["parcel_uid"]], registration=registration)
        rim = 0.05 * (row["fill"] + row["cut"]) ** 0.5  # its slopes are steeper than cells
        assert abs(found.fill.volume - row["fill"]) < 3 * found.fill.sigma + rim, row
        assert abs(found.cut.volume - row["cut"]) < 3 * found.cut.sigma + rim, row
    whole = earth_moved(before, after, registration=registration)
    assert whole.net.volume == pytest.approx(whole.fill.volume - whole.cut.volume)
    assert np.nansum(whole.difference.bands["detected"]) * 0.25 == whole.net.area


def surface(seed: int, size: int = 160) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return 2 + gaussian_filter(np.random.default_rng(seed).normal(size=(size, size)), 12) * 6


def correlated(seed: int, size: int = 160) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(size, size)), 3)
    return 0.05 * noise / noise.std()


def test_sigma_of_volumes_is_their_spread_over_many_surveys() -> None:
    truth = surface(1)
    dug = truth.copy()
    dug[60:100, 50:90] -= 0.8
    pit = box(603025, 1191030, 603045, 1191050)
    errors, sigmas = [], []
    for seed in range(40):
        before, after = truth + correlated(2 * seed + 10), dug + correlated(2 * seed + 11) + 0.07
        found = earth_moved(raster(before, 0.05), raster(after, 0.05), pit)
        errors.append(found.net.volume + 0.8 * 400)
        sigmas.append(found.net.sigma)
        assert found.up == pytest.approx(0.07, abs=0.02)
    ratio = float(np.std(errors) / np.mean(sigmas))
    assert 0.6 < ratio < 1.5
    assert abs(np.mean(errors)) < 3 * np.std(errors) / 40**0.5 + 1


def test_nothing_is_detected_where_nothing_was_moved() -> None:
    truth = surface(2)
    found = earth_moved(raster(truth + correlated(3), 0.05), raster(truth + correlated(4), 0.05))
    assert found.cut.area + found.fill.area < 0.01 * truth.size * 0.25
    assert abs(found.net_of_all.volume) < 3 * found.net_of_all.sigma


def test_a_level_of_detection_is_as_wide_as_the_false_alarm_rate_asks() -> None:
    random = np.random.default_rng(5)
    truth = surface(3)
    before, after = (raster(truth + random.normal(0, 0.05, truth.shape), 0.05) for _ in range(2))
    for rate in (0.2, 0.05):
        found = earth_moved(before, after, registration=Registration(), false_alarm_rate=rate, patch_least=0.0)
        assert found.difference.bands["detected"].mean() == pytest.approx(rate, rel=0.15)


def test_a_picture_that_was_moved_is_put_back() -> None:
    z = surface(4).astype(np.float32)
    there = moved(z, -3.0, -2.0)
    np.testing.assert_allclose(moved(there, 3.0, 2.0)[5:-5, 5:-5], z[5:-5, 5:-5], atol=1e-5)
    hole = z.copy()
    hole[80, 80] = np.nan
    assert np.isnan(moved(hole, 1.0, 0.0)).sum() == 1 + 160


def test_what_cannot_be_compared_is_refused_with_its_reason() -> None:
    z = surface(5)
    one = raster(z, 0.05)
    with pytest.raises(BadParameter, match="same survey"):
        earth_moved(one, one)
    with pytest.raises(BadParameter, match="1 m"):
        earth_moved(raster(z, resolution=1.0), one)
    far = replace(one, grid=replace(one.grid, first_row=one.grid.first_row + 5000))
    with pytest.raises(BadParameter, match="no place in common"):
        earth_moved(one, far)
    other = Grid(normalise("EPSG:5899"), 0.5, one.grid.first_column, one.grid.first_row, 160, 160)
    with pytest.raises(BadParameter, match="transform"):
        earth_moved(one, replace(one, grid=other))
    with pytest.raises(BadParameter, match="lies outside"):
        earth_moved(one, raster(z + 0.1, 0.05), box(0, 0, 1, 1))
    with pytest.raises(BadParameter, match="false_alarm_rate"):
        earth_moved(one, raster(z + 0.1), false_alarm_rate=1.5)
    with pytest.raises(BadParameter, match="false_alarm_rate"):
        ChangeParameters(false_alarm_rate=0.7)


def test_a_later_scene_says_what_changed(dates: TwoDates) -> None:
    rows = dates.changes["buildings"]
    assert {row["change"] for row in rows} == {"new", "demolished", "taller", "lower", "extended", "reduced"}
    for row in rows:
        if row["change"] == "taller":
            assert row["roof_after"] > row["roof_before"] + 2.5
        if row["change"] == "extended":
            assert row["area_after"] > row["area_before"] + 4
    earlier = {one.uid for one in dates.earlier.buildings}
    later = {one.uid for one in dates.later.buildings}
    assert later - earlier == {row["building_uid"] for row in rows if row["change"] == "new"}
    assert earlier - later == {row["building_uid"] for row in rows if row["change"] == "demolished"}

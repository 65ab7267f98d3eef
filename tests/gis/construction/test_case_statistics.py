"""Shares and their intervals against scipy and by enumeration of every sample there can be."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.optimize import isotonic_regression
from scipy.stats import binom, binomtest, hypergeom

from gis.construction.audit_sample import Stratum, achieved, parts_of, ticket
from gis.construction.case_statistics import (
    RATES,
    JudgedCase,
    Share,
    inspections_needed,
    isotonic,
    statistics,
)
from gis.construction.inspections import CaseStatus


@pytest.mark.parametrize(("confirmed", "inspected"), [(0, 1), (1, 1), (3, 3), (0, 40), (50, 60), (83, 100), (1, 2000)])
def test_the_interval_is_wilson_s(confirmed: int, inspected: int) -> None:
    expected = binomtest(confirmed, inspected).proportion_ci(0.95, method="wilson")
    assert Share(confirmed, inspected).interval == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_the_interval_holds_the_truth_in_about_95_of_100_samples() -> None:
    """By all outcomes of 30 inspections; Wilson's is right on average over the true share."""
    n = 30
    intervals = [Share(k, n).interval for k in range(n + 1)]
    truths = np.linspace(0.02, 0.98, 193)
    held = [
        sum(binom.pmf(k, n, p) for k, (low, high) in enumerate(intervals) if low <= p <= high) for p in truths.tolist()
    ]
    assert 0.945 < float(np.mean(held)) < 0.965
    assert min(held) > 0.83


def test_isotonic_shares_are_scipy_s() -> None:
    generator = np.random.default_rng(1)
    for _ in range(200):
        sizes = generator.integers(1, 9, generator.integers(1, 8))
        shares = [Share(int(generator.integers(0, size + 1)), int(size)) for size in sizes]
        expected = isotonic_regression([one.value for one in shares], weights=[one.inspected for one in shares]).x
        assert isotonic(shares) == pytest.approx(list(expected), abs=1e-12)
    told = isotonic([Share(1, 2), Share(0, 0), Share(1, 4)])
    assert told[0] == told[2] == pytest.approx(1 / 3)
    assert math.isnan(told[1])


def cases_by_chance(count: int) -> list[JudgedCase]:
    generator = np.random.default_rng(7)
    made = []
    for number in range(count):
        confidence = 1 - 10 ** -generator.uniform(2, 7)
        real = generator.random() < 0.5 + (math.log10(1 / (1 - confidence)) - 2) / 10
        status = (CaseStatus.CONFIRMED if number % 5 else CaseStatus.RESOLVED) if real else CaseStatus.DISMISSED
        if number % 3 == 0:
            status = (CaseStatus.FLAGGED, CaseStatus.ASSIGNED)[number % 2]
        made.append(JudgedCase(("storeys", "setback")[number % 4 == 0], status, confidence, number % 11 == 0))
    made.append(JudgedCase("storeys", CaseStatus.CONFIRMED, None))
    return made


def test_statistics_are_counts_of_a_loop() -> None:
    cases = cases_by_chance(600)
    found = {one.kind: one for one in statistics(cases, false_alarm_rate=0.01, target=0.5)}
    assert list(found) == ["setback", "storeys"]
    for kind, one in found.items():
        own = [case for case in cases if case.kind == kind]
        real = [case for case in own if case.status in (CaseStatus.CONFIRMED, CaseStatus.RESOLVED)]
        dismissed = [case for case in own if case.status is CaseStatus.DISMISSED]
        assert (one.flagged, one.share, one.dismissed) == (
            len(own),
            Share(len(real), len(real) + len(dismissed)),
            len(dismissed),
        )
        assert one.closed == sum(case.is_closed for case in own)
        undecided = {CaseStatus.FLAGGED, CaseStatus.ASSIGNED}
        assert one.open == sum(case.status in undecided and not case.is_closed for case in own)
        assert [each.false_alarm_rate for each in one.by_rate] == [rate for rate in RATES if rate <= 0.01]
        for each in one.by_rate:
            flagged = [
                case for case in own if case.confidence is not None and case.confidence >= 1 - each.false_alarm_rate
            ]
            assert each.flagged == len(flagged)
            assert each.share.confirmed == sum(case in real for case in flagged)
        # The loosest rate whose lower end is high enough, and no looser one.
        reaching = [each for each in one.by_rate if each.share.inspected and each.share.interval[0] >= 0.5]
        assert one.recommended == max(reaching, key=lambda each: each.false_alarm_rate)
        # Every case of a confidence is in one bin, and a higher confidence is never less often real.
        assert sum(each.share.inspected for each in one.by_confidence) == sum(
            case.confidence is not None and case.status not in undecided for case in own
        )
        values = [each.real for each in one.by_confidence if not math.isnan(each.real)]
        assert values == sorted(values)
        assert 0 <= one.further_inspections <= one.open
    assert statistics(cases, target=0.99)[0].recommended is None


def test_as_many_inspections_as_are_needed_make_the_interval_narrow_enough() -> None:
    assert inspections_needed(Share(0, 0)) == 385
    for share in (0.5, 0.8, 0.9):
        told = inspections_needed(Share(round(share * 1000), 1000))
        low, high = Share(round(share * told), told).interval
        assert 0.097 < high - low < 0.1015


def test_lots_are_half_and_half_as_far_as_there_are_so_many() -> None:
    for size, flagged, unflagged in itertools.product(range(2, 9), range(7), range(7)):
        first, second = parts_of(size, flagged, unflagged)
        assert first <= flagged
        assert second <= unflagged
        assert first + second == min(size, flagged + unflagged)
        if flagged >= size and unflagged >= size:
            assert (first, second) == (size // 2, size - size // 2)
    assert ticket(1, "b") != ticket(2, "b")


def test_the_rates_of_a_sample_hold_the_truth_in_all_but_5_of_100_samples() -> None:
    """Every sample of a small city that can be drawn, with its probability: nothing is drawn by chance here."""
    flagged, unflagged, drawn = 12, 30, 8
    for real, missed in ((9, 2), (6, 6), (11, 1), (0, 3)):
        true_misses = missed / (real + missed)
        true_alarms = (flagged - real) / (flagged - real + unflagged - missed)
        held_misses = held_alarms = 0.0
        for seen, unseen in itertools.product(range(drawn + 1), repeat=2):
            chance = hypergeom.pmf(seen, flagged, real, drawn) * hypergeom.pmf(unseen, unflagged, missed, drawn)
            if chance == 0:
                continue
            told = achieved(Stratum(flagged, drawn, seen), Stratum(unflagged, drawn, unseen))
            held_misses += chance * (told.misses.low <= true_misses <= told.misses.high)
            held_alarms += chance * (told.false_alarms.low <= true_alarms <= told.false_alarms.high)
            if seen + unseen:
                estimate = unflagged * unseen / (unflagged * unseen + flagged * seen)
                assert told.misses.value == pytest.approx(estimate)
        assert held_misses >= 0.95
        assert held_alarms >= 0.95


def test_a_sample_nobody_looked_at_says_that_anything_may_be() -> None:
    told = achieved(Stratum(10, 0, 0), Stratum(20, 0, 0))
    for rate in (told.misses, told.false_alarms):
        assert math.isnan(rate.value)
        assert (rate.low, rate.high) == (0.0, 1.0)
    nothing_flagged = achieved(Stratum(0, 0, 0), Stratum(20, 10, 1))
    assert nothing_flagged.misses.value == 1.0
    assert nothing_flagged.false_alarms.value == 0.0

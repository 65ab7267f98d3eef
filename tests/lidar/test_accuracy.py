from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.errors import BadParameter
from lidar.accuracy import confidence_table, ground_errors


def test_errors_of_a_table_worked_by_hand() -> None:
    true = np.array([True] * 50 + [False] * 50)
    predicted = np.array([True] * 45 + [False] * 5 + [True] * 10 + [False] * 40)
    errors = ground_errors(predicted, true)
    assert (errors.total, errors.type_i, errors.type_ii) == pytest.approx((0.15, 0.10, 0.20))
    assert errors.kappa == pytest.approx((0.85 - 0.5) / 0.5)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_kappa_is_agreement_beyond_what_independent_labels_give(pairs: list[tuple[bool, bool]]) -> None:
    predicted, true = np.array([p for p, _ in pairs]), np.array([t for _, t in pairs])
    errors = ground_errors(predicted, true)
    agreement = np.mean(predicted == true)
    chance = predicted.mean() * true.mean() + (1 - predicted.mean()) * (1 - true.mean())
    assert errors.total == pytest.approx(1 - agreement)
    if chance < 1 - 1e-9:
        assert errors.kappa == pytest.approx((agreement - chance) / (1 - chance))
    else:
        assert np.isnan(errors.kappa)


def test_no_ground_gives_no_type_i_error() -> None:
    errors = ground_errors(np.array([True, False]), np.array([False, False]))
    assert np.isnan(errors.type_i)
    assert errors.type_ii == pytest.approx(0.5)


def test_masks_of_different_length_are_refused() -> None:
    with pytest.raises(BadParameter):
        ground_errors(np.array([True]), np.array([True, False]))


def test_no_point_is_refused() -> None:
    with pytest.raises(BadParameter):
        ground_errors(np.zeros(0, dtype=bool), np.zeros(0, dtype=bool))


def test_confidences_are_held_against_what_is_right() -> None:
    percent = np.array([0, 9, 10, 55, 95, 100, 100], dtype=np.uint8)
    right = np.array([False, True, True, False, True, True, False])
    (low, low_share), (middle, middle_share), (high, high_share) = confidence_table(
        percent, right, np.array([0, 50, 90, 100])
    )
    assert (low, middle, high) == (3, 1, 3)
    np.testing.assert_allclose((low_share, middle_share, high_share), (2 / 3, 0, 2 / 3))
    assert np.isnan(confidence_table(percent[:1], right[:1], np.array([0, 50, 100]))[1][1])

"""Products with one rounding, against fractions."""

from fractions import Fraction

import numpy as np

from lidar.fused import along


def test_a_place_along_a_direction_is_rounded_once() -> None:
    rows = np.random.default_rng(1).normal(size=(200, 4)).tolist()
    exact = [float(Fraction(x) * Fraction(u) + Fraction(y * v)) for x, y, u, v in rows]
    assert [along(*row) for row in rows] == exact
    assert exact != [x * u + y * v for x, y, u, v in rows]

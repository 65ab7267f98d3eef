"""Roofs of exact shape and points strewn over them, for tests."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from shapely import Polygon, contains_xy

Points = NDArray[np.float64]
Height = Callable[[Points, Points], Points]
UNIT = 1e-4


def segments(corners: list[tuple[float, float]]) -> NDArray[np.int64]:
    """(n, 4) edges of a ring in units of 0.1 mm."""
    xy = np.rint(np.array(corners) / UNIT).astype(np.int64)
    return np.concatenate([xy, np.roll(xy, -1, axis=0)], axis=1)


def strewn(outline: Polygon, height: Height, density: float = 8.0, noise: float = 0.02, seed: int = 0) -> Points:
    """(n, 3) points at random places over an outline, heights with normal noise."""
    rng = np.random.default_rng(seed)
    west, south, east, north = outline.bounds
    count = int(density * (east - west) * (north - south))
    x, y = rng.uniform(west, east, count), rng.uniform(south, north, count)
    inside = contains_xy(outline, x, y)
    x, y = x[inside], y[inside]
    return np.column_stack([x, y, height(x, y) + rng.normal(0.0, noise, len(x))])


def hip(x: Points, y: Points) -> Points:
    """Over a rectangle of 12 by 8 m: eaves at 6 m, ridge at 10 m, slopes of 45°."""
    return 6.0 + np.minimum(np.minimum(x, 12.0 - x), np.minimum(y, 8.0 - y))


def pyramid(x: Points, y: Points) -> Points:
    """Over a square of 10 m: eaves at 5 m, top at 9 m."""
    return 5.0 + 0.8 * np.minimum(np.minimum(x, 10.0 - x), np.minimum(y, 10.0 - y))


def saw_tooth(x: Points, y: Points) -> Points:
    """Teeth of 5 m that rise from 6 to 8 m along x."""
    return 6.0 + 0.4 * np.mod(x, 5.0)


def two_levels(x: Points, y: Points) -> Points:
    """Flat: 9 m west of x = 6, 5.5 m east of it."""
    return np.where(x < 6.0, 9.0, 5.5)


def l_shaped_hip(x: Points, y: Points) -> Points:
    """Over an L of wings 6 m wide (12 by 12 m, without the north-east 6 by 6): eaves 5 m, ridges 8 m, one valley."""
    along = np.minimum(np.minimum(x, 12.0 - x), np.minimum(y, 6.0 - y))
    across = np.minimum(np.minimum(x, 6.0 - x), np.minimum(y, 12.0 - y))
    return 5.0 + np.maximum(along, across)

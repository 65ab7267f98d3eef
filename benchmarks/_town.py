"""A simulated town whose ground is known: gentle relief, kerbs, banks, walls, and what stands on it."""

from __future__ import annotations

import numpy as np
from pyproj import CRS

from lidar.point_cloud import Class, PointCloud

CITY = CRS.from_epsg(9210)
EAST, NORTH = 600_000.0, 1_190_000.0
NOISE = 0.03
"""Metres, 1σ, of a return."""
LOW, HIGH = 2e-4, 1e-4
"""Share of returns that are multipath below the ground, and birds."""
TREE_PITCH, CROWN = 14.0, 3.5
"""Metres between trees along the streets, and the radius of a crown; four in ten pulses get through."""


def ground(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Heights of the ground, metres; positions from the town's corner."""
    relief = 3.0 + 0.4 * np.sin(x / 60) * np.cos(y / 45) + 0.004 * x
    across = y % 280 + 0.5 * np.sin(x / 20)
    kerb = -0.15 * ((across % 70 > 62.5) & (across % 70 < 68.5))
    bank = 1.5 * (np.clip((across - 133) / 4, 0, 1) - np.clip((across - 203) / 4, 0, 1))
    wall = 0.8 * (((y + 4) // 280) % 2)
    return relief + kerb + bank + wall


def under_building(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Whether a building stands there: rows of four sizes, 5–60 m wide, 10 m of street between the rows."""
    hidden = np.zeros(np.shape(x), dtype=bool)
    for band, width in enumerate((5.0, 12.0, 25.0, 60.0)):
        pitch = 1.7 * width
        inside = ((y % 280) // 70 == band) & (y % 70 < 60)
        hidden |= inside & (x % pitch < width) & ((y % 70) % pitch < width)
    return hidden


def ground_points(points: int, density: float) -> tuple[PointCloud, float]:
    """About so many returns from the ground, so many a square metre where it is seen; and the town's edge length."""
    random = np.random.default_rng(7)
    probe_x, probe_y = random.uniform(0, 840, (2, 200_000))
    size = 10 * round(np.sqrt(points / density / (1 - under_building(probe_x, probe_y).mean())) / 10)
    x, y = random.uniform(0, size, (2, int(density * size * size)))
    seen = ~under_building(x, y)
    x, y = x[seen], y[seen]
    flown = np.lexsort((x, np.floor(y)))  # in scan lines, as a file holds them; startinpy walks from point to point
    x, y = x[flown], y[flown]
    z = ground(x, y) + random.normal(0, NOISE, len(x))
    x, y = np.round(x + EAST, 3), np.round(y + NORTH, 3)
    return PointCloud.from_xyz(x, y, z, CITY, classification=np.full(len(x), Class.GROUND, dtype=np.uint8)), size


def survey(points: int, density: float) -> tuple[PointCloud, float]:
    """All returns of so many pulses: ground (class 2), and roofs, trees, cars and noise (class 1); the edge length."""
    random = np.random.default_rng(8)
    size = 10 * round(np.sqrt(points / density / 1.05) / 10)
    x, y = random.uniform(0, size, (2, int(density * size * size)))
    x, y = (a[np.lexsort((x, np.floor(y)))] for a in (x, y))
    z, is_ground = ground(x, y), ~under_building(x, y)
    storeys = 1 + (np.floor(x / 17) * 7 + np.floor(y / 70) * 3) % 6
    z[~is_ground] += 3.3 * storeys[~is_ground]
    car = is_ground & (y % 70 > 64) & (y % 70 < 65.8) & (x % 19 < 4.5)
    z[car] += 1.5
    is_ground &= ~car
    off_x, off_y = x % TREE_PITCH - TREE_PITCH / 2, (y % 70) - 60.0
    crown = (np.hypot(off_x, off_y) < CROWN) & is_ground
    through = crown & (random.random(len(x)) < 0.4)
    top = ground(x, y) + 6.0 + np.sqrt(np.maximum(CROWN**2 - off_x**2 - off_y**2, 0)) - random.exponential(0.8, len(x))
    number, total = np.ones((2, len(x)), dtype=np.uint8)
    number[through], total[through] = 2, 2
    z[crown & ~through] = top[crown & ~through]
    is_ground &= ~(crown & ~through)
    z += random.normal(0, NOISE, len(x))
    stray = random.random(len(x))
    low, high = stray < LOW, stray > 1 - HIGH
    z[low] -= random.uniform(2, 30, low.sum())
    z[high] += random.uniform(20, 120, high.sum())
    is_ground &= ~(low | high)
    first = np.flatnonzero(through & ~low & ~high)
    returns = np.argsort(np.r_[np.arange(len(x)), first - 0.5], kind="stable")
    x, y = (np.round(np.r_[a, a[first]][returns] + b, 3) for a, b in ((x, EAST), (y, NORTH)))
    classes = np.where(np.r_[is_ground, np.zeros(len(first), dtype=bool)][returns], Class.GROUND, Class.UNCLASSIFIED)
    cloud = PointCloud.from_xyz(
        x,
        y,
        np.round(np.r_[z, top[first]][returns], 3),
        CITY,
        classification=classes.astype(np.uint8),
        return_number=np.r_[number, np.ones(len(first), dtype=np.uint8)][returns],
        number_of_returns=np.r_[total, total[first]][returns],
    )
    return cloud, size

"""Noise is held against a plain loop over all pairs, and against points planted into real surveys."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gis.crs import normalise
from lidar import noise
from lidar.morphology import SMALL
from lidar.noise import REACH, mark_noise, remove_noise
from lidar.point_cloud import Class, PointCloud
from lidar.read import read_many

CITY = normalise(9210)
DUTCH = normalise(28992)


def cloud(*parts: NDArray[np.float64]) -> PointCloud:
    x, y, z = np.concatenate(parts).T
    return PointCloud.from_xyz(x, y, z, CITY)


def ground(density: float, size: float = 80.0, slope: float = 0.0, seed: int = 1) -> NDArray[np.float64]:
    """(n, 3): a plane with 3 cm of noise."""
    rng = np.random.default_rng(seed)
    n = int(density * size**2)
    x, y = rng.uniform(0, size, n), rng.uniform(0, size, n)
    return np.c_[x, y, 5.0 + slope * x + rng.normal(0, 0.03, n)]


def classes_of(points: PointCloud, count: int) -> list[int]:
    """Classes given to the last so many points."""
    return mark_noise(points).classification[-count:].tolist()


@pytest.mark.parametrize("density", [0.2, 1.0, 4.0, 15.0, 35.0])
@pytest.mark.parametrize("slope", [0.0, 0.3])
def test_points_below_ground_and_birds_are_found_at_any_density(density: float, slope: float) -> None:
    level = 5.0 + slope * np.array([22.0, 40.0, 58.0, 31.0, 49.0])
    strange = np.c_[
        [22.0, 40.0, 58.0, 31.0, 49.0], [30.0, 50.0, 22.0, 58.0, 41.0], level + np.array([-4, -8, -15, 60, 120])
    ]
    base = ground(density, slope=slope)
    points = cloud(base, strange)
    assert classes_of(points, 5) == [7, 7, 7, 18, 18]
    assert (mark_noise(points).classification[:-5] == 0).all()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_clusters_of_up_to_three_are_noise(count: int) -> None:
    low = np.array([[40.0, 40.0, 2.0], [40.2, 40.1, 1.7], [39.9, 40.2, 2.2]])[:count]
    high = np.array([[20.0, 20.0, 70.0], [20.3, 20.1, 70.2], [20.1, 19.8, 69.9]])[:count]
    assert classes_of(cloud(ground(15.0), low, high), 2 * count) == [7] * count + [18] * count


@pytest.mark.parametrize("density", [1.0, 4.0, 15.0])
def test_pits_ditches_and_canals_stay(density: float) -> None:
    base = ground(density)
    x, y = base[:, 0], base[:, 1]
    pit = (np.abs(x - 30) < 3) & (np.abs(y - 30) < 3)
    canal = np.abs(y - 60) < 2
    base[pit, 2] -= 5
    base[canal, 2] -= 2
    assert (mark_noise(cloud(base)).classification == 0).all()


def test_lone_hits_on_the_water_of_a_canal_stay() -> None:
    base = ground(12.0)
    base = base[np.abs(base[:, 1] - 40) > 5]
    water = np.c_[np.linspace(4, 76, 21), 40 + 3 * np.sin(np.arange(21)), np.full(21, 3.2)]
    assert classes_of(cloud(base, water), 21) == [0] * 21


def test_ground_under_trees_stays() -> None:
    rng = np.random.default_rng(3)
    base = ground(12.0)
    seen = rng.random(len(base)) < 0.03
    crowns = base[~seen] + np.c_[np.zeros((int((~seen).sum()), 2)), rng.uniform(6, 14, int((~seen).sum()))]
    assert (mark_noise(cloud(base[seen], crowns)).classification[: int(seen.sum())] == 0).all()


def test_wires_masts_and_tree_tops_stay() -> None:
    wire_x = np.arange(5.0, 75.0, 1.7)
    wire = np.c_[wire_x, 0.2 * wire_x + 20, 24 + 0.002 * (wire_x - 40) ** 2]
    mast = np.c_[np.full(13, 60.0), np.full(13, 60.0), np.linspace(5.0, 29.0, 13)]
    tip = np.array([[20.0, 60.0, 12.0], [20.4, 60.2, 11.0], [19.5, 59.9, 10.2], [20.1, 60.6, 9.4], [20.2, 59.4, 8.6]])
    assert classes_of(cloud(ground(12.0), wire, mast, tip), len(wire) + 18) == [0] * (len(wire) + 18)


def test_noise_is_taken_out_and_what_came_marked_with_it() -> None:
    points = cloud(ground(8.0), np.array([[40.0, 40.0, -6.0], [30.0, 30.0, 90.0]]))
    marked = points.with_classification(np.r_[[Class.HIGH_NOISE], np.full(len(points) - 1, 2)].astype(np.uint8))
    left = remove_noise(marked)
    assert len(left) == len(points) - 3
    assert set(left.classification.tolist()) == {2}


def test_the_input_is_not_changed() -> None:
    points = cloud(ground(8.0), np.array([[40.0, 40.0, -6.0]]))
    mark_noise(points)
    assert not points.classification.any()


def test_a_few_points_and_none_at_all_are_no_noise() -> None:
    few = cloud(np.array([[0.0, 0.0, 0.0], [100.0, 0.0, 50.0], [0.0, 100.0, -50.0]]))
    assert mark_noise(few).classification.tolist() == [0, 0, 0]
    assert len(mark_noise(few.subset(slice(0, 0)))) == 0


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.3, 1.0, 3.0]), st.floats(-1e6, 1e6))
def test_a_plain_loop_over_all_pairs_agrees(seed: int, density: float, shift: float) -> None:
    rng = np.random.default_rng(seed)
    base = ground(density, size=45.0, slope=rng.uniform(-0.3, 0.3), seed=seed)
    base[rng.random(len(base)) < 0.1, 2] += 7
    wild = np.c_[rng.uniform(0, 45, (12, 2)), rng.uniform(-15, 60, 12)]
    x, y, z = np.concatenate([base, wild]).T
    points = PointCloud.from_xyz(x + round(shift), y - round(shift), z, CITY)
    np.testing.assert_array_equal(mark_noise(points).classification, by_plain_loop(points))


def by_plain_loop(points: PointCloud) -> NDArray[np.uint8]:
    """The rules of `lidar.noise`, written down without any index or kernel."""
    x, y, z = points.x, points.y, points.z
    cell_x, cell_y = np.floor(x), np.floor(y)
    cells: dict[tuple[float, float], list[float]] = {}
    for column, row, height in zip(cell_x, cell_y, z, strict=True):
        cells.setdefault((column, row), []).append(height)
    middle = np.array(list(cells)) + 0.5
    lowest, highest = np.array([min(one) for one in cells.values()]), np.array([max(one) for one in cells.values()])
    block_x, block_y = np.floor(x / noise.BLOCK), np.floor(y / noise.BLOCK)
    found = np.zeros(len(x), dtype=np.uint8)
    reach = [reaches(points, block_x, block_y, i) for i in range(len(x))]

    def companions(i: int, is_low: bool) -> NDArray[np.int64]:
        radius, depth, wide, gap = reach[i]
        away = (x - x[i]) ** 2 + (y - y[i]) ** 2
        alike = (away <= radius**2) & (z <= z[i] + depth) if is_low else (away <= wide**2) & (z >= z[i] - gap)
        alike[i] = False
        return np.flatnonzero(alike)

    def is_end(i: int, is_low: bool) -> bool:
        others = companions(i, is_low)
        few = len(others) <= noise.COMPANIONS
        return few and all(len(companions(int(j), is_low)) <= noise.COMPANIONS for j in others)

    for i in range(len(x)):
        radius, depth, wide, _ = reach[i]
        dx, dy = middle[:, 0] - x[i], middle[:, 1] - y[i]
        square = dx**2 + dy**2
        window = np.maximum(np.abs(middle[:, 0] - 0.5 - cell_x[i]), np.abs(middle[:, 1] - 0.5 - cell_y[i]))
        context = (square <= noise.CONTEXT**2) & (window <= noise.CONTEXT)
        outside = context & (square >= (radius + 0.71) ** 2)
        if is_end(i, True) and lies_below(z[i], middle, dx, dy, lowest, outside, radius, depth):
            found[i] = 7
        elif is_end(i, False):
            around = context & (square >= (wide + 0.71) ** 2)
            sag = noise.WIRE_SAG[0] + noise.WIRE_SAG[1] * np.sqrt(square)
            at_height = int((around & (np.abs(highest - z[i]) <= sag)).sum())
            cloudy = z[i] - lowest[context].min() > noise.TALLEST
            if around.sum() >= noise.SUPPORT and (at_height < noise.WIRE_CELLS or cloudy):
                found[i] = 18
    return found


def reaches(
    points: PointCloud, block_x: NDArray[np.float64], block_y: NDArray[np.float64], i: int
) -> tuple[float, float, float, float]:
    near = (np.abs(block_x - block_x[i]) <= 1) & (np.abs(block_y - block_y[i]) <= 1)
    blocks = len(set(zip(block_x[near], block_y[near], strict=True)))
    s = float(np.clip(np.sqrt(blocks * noise.BLOCK**2 / near.sum()), *noise.SPACING))
    wide = max(noise.HIGH_RADIUS[0], noise.HIGH_RADIUS[1] * s)
    return noise.LOW_RADIUS * s, max(noise.LOW_DEPTH[0], noise.LOW_DEPTH[1] * s), wide, max(noise.HIGH_GAP, wide)


def lies_below(
    z: float,
    middle: NDArray[np.float64],
    dx: NDArray[np.float64],
    dy: NDArray[np.float64],
    lowest: NDArray[np.float64],
    around: NDArray[np.bool_],
    radius: float,
    depth: float,
) -> bool:
    level = 0
    for k in np.flatnonzero(around & (np.abs(lowest - z) <= noise.LEVEL)):
        close = np.abs(middle - middle[k]).max(axis=1) <= np.ceil(radius) + 1
        level += (close & (lowest <= lowest[k] + depth)).sum() - 1 <= noise.LONE_CELLS
    if level >= noise.LEVEL_CELLS:
        return False
    sector = np.floor(np.arctan2(dy, dx) / (np.pi / 4)).astype(int) % 8
    third: dict[int, tuple[float, float]] = {}
    for one in range(8):
        inside = np.flatnonzero(around & (sector == one))
        if len(inside) >= 3:
            chosen = inside[np.argsort(lowest[inside], kind="stable")[2]]
            third[one] = (lowest[chosen], float(np.hypot(dx[chosen], dy[chosen])))
    lines = [(third[a], third[a + 4]) for a in range(4) if a in third and a + 4 in third]
    for (height_a, to_a), (height_b, to_b) in lines:
        if height_a + to_a / (to_a + to_b) * (height_b - height_a) - z < depth:
            return False
    return bool(lines) or (len(third) >= 3 and min(height for height, _ in third.values()) - z >= depth)


@pytest.mark.shared_data
def test_tiles_with_a_buffer_give_what_the_whole_gives(shared_data: Path) -> None:
    whole = with_planted_noise(read_many(sorted((shared_data / "ign_six_tiles").glob("test_data_*.laz"))), 2)[0]
    at_once = mark_noise(whole).classification
    assert (at_once == 7).sum() > 30
    west, south = whole.bounds.min_x, whole.bounds.min_y
    for left in np.arange(west, whole.bounds.max_x, 37.0):
        for low in np.arange(south, whole.bounds.max_y, 41.0):
            inner = (whole.x >= left) & (whole.x < left + 37) & (whole.y >= low) & (whole.y < low + 41)
            near = (
                (whole.x >= left - REACH)
                & (whole.x < left + 37 + REACH)
                & (whole.y >= low - REACH)
                & (whole.y < low + 41 + REACH)
            )
            tile = mark_noise(whole.subset(near)).classification
            np.testing.assert_array_equal(tile[inner[near]], at_once[inner])


def test_squares_of_a_large_cloud_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    base = ground(2.0, size=130.0)
    wild = np.c_[rng.uniform(0, 130, (200, 2)), rng.uniform(-20, 90, 200)]
    points = cloud(base, wild)
    at_once = mark_noise(points).classification
    monkeypatch.setattr(noise, "TILE", 40)
    np.testing.assert_array_equal(mark_noise(points).classification, at_once)


@pytest.mark.shared_data
def test_one_and_three_threads_give_the_same_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(12)
    strays = np.c_[rng.uniform(0, 120, (2, 300)).T, rng.uniform(-20, 80, 300)]
    points = cloud(ground(6.0, size=120.0), strays)
    assert len(points) > SMALL
    found = []
    for threads in (1, 3):
        monkeypatch.setattr("lidar.noise_cells.numba.get_num_threads", lambda threads=threads: threads)
        found.append(mark_noise(points).classification)
    np.testing.assert_array_equal(*found)
    assert (found[0] != 0).sum() > 100


@pytest.mark.parametrize("folder", ["delft_north", "ign_six_tiles", "ign_bridge"])
def test_noise_planted_into_real_surveys_is_found(folder: str, shared_data: Path) -> None:
    """Low points 1.5 to 12 m below the ground, high ones 10 to 80 m above everything, singly and in twos and threes."""
    files = [file for file in sorted((shared_data / folder).glob("*.laz")) if "water" not in file.name]
    real = read_many(files, crs=DUTCH if folder == "delft_north" else None)
    points, low, high = with_planted_noise(real, 11)
    marked = mark_noise(points).classification
    fresh = marked != points.classification
    found_low, found_high = fresh & (marked == 7), fresh & (marked == 18)
    assert (found_low & low).sum() / low.sum() > 0.85
    assert (found_high & high).sum() / high.sum() > 0.95
    # What is found beside the planted points is at most 5 in 100,000: lone branches, hits in shafts.
    assert (fresh & ~low & ~high).sum() < 5e-5 * len(real) + 2


def with_planted_noise(real: PointCloud, seed: int) -> tuple[PointCloud, NDArray[np.bool_], NDArray[np.bool_]]:
    """The survey with noise in it, and which points are planted low and high."""
    rng = np.random.default_rng(seed)
    floor_of_cell: dict[tuple[int, int], float] = {}
    roof_of_cell: dict[tuple[int, int], float] = {}
    side = 8.0
    column, row = np.floor(real.x / side).astype(int), np.floor(real.y / side).astype(int)
    for c, r, height in zip(column, row, real.z, strict=True):
        floor_of_cell[c, r] = min(floor_of_cell.get((c, r), np.inf), height)
        roof_of_cell[c, r] = max(roof_of_cell.get((c, r), -np.inf), height)
    chosen = rng.permutation(np.array(list(floor_of_cell)))[: min(len(floor_of_cell) // 8, 400)]
    places, kinds = [], []
    for number, (c, r) in enumerate(chosen):
        is_low = number % 2 == 0
        around = [(c + i, r + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        z = (
            min(floor_of_cell.get(one, np.inf) for one in around) - rng.uniform(1.5, 12)
            if is_low
            else max(roof_of_cell.get(one, -np.inf) for one in around) + rng.uniform(10, 80)
        )
        centre = np.array([(c + rng.uniform(0.3, 0.7)) * side, (r + rng.uniform(0.3, 0.7)) * side, z])
        for _ in range(1 + number % 3):
            places.append(centre + rng.normal(0, 0.15, 3))
            kinds.append(is_low)
    planted = np.array(places)
    points = PointCloud.concatenated([real, PointCloud.from_xyz(*planted.T, real.crs)])
    low, high = np.zeros(len(points), dtype=np.bool_), np.zeros(len(points), dtype=np.bool_)
    low[len(real) :] = kinds
    high[len(real) :] = ~np.array(kinds)
    return points, low, high

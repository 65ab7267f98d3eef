"""Remains of wide roofs, against a plain search from cell to cell, and on scenes made by hand."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from lidar.roof_remains import (
    CUT_OFF,
    FALLS,
    LARGEST,
    OTHER_GROUND,
    REACH_CELLS,
    SMALLEST,
    STEPS,
    WALK,
    roof_remains,
)

Grid = NDArray[np.float32]
Cell = tuple[int, int]


def around(cell: Cell, surface: Grid) -> Iterator[Cell]:
    for i in range(cell[0] - 1, cell[0] + 2):
        for j in range(cell[1] - 1, cell[1] + 2):
            if (i, j) != cell and 0 <= i < surface.shape[0] and 0 <= j < surface.shape[1]:
                yield i, j


def on_foot(surface: Grid, a: Cell, b: Cell, step: float) -> bool:
    rise = np.float32(step) * np.float32(np.hypot(a[0] - b[0], a[1] - b[1]))
    return bool(np.isfinite(surface[a]) and np.isfinite(surface[b]) and abs(surface[a] - surface[b]) <= rise)


def reached(surface: Grid, start: set[Cell], step: float, allowed: NDArray[np.bool_], rounds: int) -> set[Cell]:
    """All cells reached from some in so many rounds over allowed ones."""
    all_cells, newest = set(start), set(start)
    for _ in range(rounds):
        newest = {
            n for cell in newest for n in around(cell, surface) if allowed[n] and on_foot(surface, cell, n, step)
        } - all_cells
        if not newest:
            break
        all_cells |= newest
    return all_cells


def plainly(surface: Grid, ground: NDArray[np.bool_]) -> NDArray[np.bool_]:
    found = np.zeros(ground.shape, dtype=bool)
    for step in STEPS:
        left = {(int(r), int(c)) for r, c in np.argwhere(ground)}
        while left:
            patch = reached(surface, {next(iter(left))}, step, ground, surface.size)
            left -= patch
            rows, columns = [cell[0] for cell in patch], [cell[1] for cell in patch]
            extent = max(max(rows) - min(rows), max(columns) - min(columns)) + 1
            if len(patch) < SMALLEST or extent > LARGEST:
                continue
            walked = reached(surface, patch, step, np.ones_like(ground), WALK)
            cut_off = sum(not ground[cell] for cell in walked)
            other = sum(bool(ground[cell]) for cell in walked - patch)
            falls = rises = 0
            for r, c in walked:
                for n in around((r, c), surface):
                    if n not in walked and (n[0] == r or n[1] == c) and np.isfinite(surface[n]):
                        falls += bool(surface[r, c] - surface[n] > np.float32(step))
                        rises += bool(surface[n] - surface[r, c] > np.float32(step))
            if other <= OTHER_GROUND * len(patch) and cut_off >= CUT_OFF * len(patch) and falls >= FALLS * rises:
                found[tuple(np.array(sorted(patch)).T)] = True
    return found


@pytest.mark.parametrize("seed", range(12))
def test_it_is_what_a_plain_search_finds(seed: int) -> None:
    generator = np.random.default_rng(seed)
    surface = np.repeat(np.repeat(generator.integers(0, 3, (9, 9)), 6, 0), 6, 1).astype(np.float32)
    surface += generator.uniform(0, 0.3, surface.shape).astype(np.float32)
    surface[generator.random(surface.shape) < 0.05] = np.inf
    kept = np.repeat(np.repeat(generator.random((18, 18)) < 0.35, 3, 0), 3, 1)
    ground = kept & np.isfinite(surface)
    np.testing.assert_array_equal(roof_remains(surface, ground), plainly(surface, ground))


def hall() -> tuple[Grid, NDArray[np.bool_]]:
    """A hall of 8 m at the end of the data, all of its roof cut off but for a piece; flat ground before it."""
    surface = np.zeros((120, 120), dtype=np.float32)
    surface[:60] = 8.0
    ground = surface == 0
    ground[20:40, 30:50] = True
    return surface, ground


def test_a_piece_of_a_hall_goes_with_the_hall() -> None:
    surface, ground = hall()
    surface[:60, :18] = surface[:60, 62:] = 0.0
    expected = ground & (surface > 0)
    np.testing.assert_array_equal(roof_remains(surface, ground), expected)


def test_a_court_among_houses_stays() -> None:
    surface = np.full((80, 80), 9.0, dtype=np.float32)
    surface[25:50, 25:50] = 0.0
    ground = surface == 0
    ground[25:50, 25] = False  # what an opening cuts off along a wall
    assert not roof_remains(surface, ground).any()


def test_a_terrace_that_leads_to_other_ground_stays() -> None:
    surface, ground = hall()
    surface[:60] = np.float32(8.0)
    ground[:60, 60:] = True
    assert not roof_remains(surface, ground).any()


def test_it_depends_on_its_reach_alone() -> None:
    generator = np.random.default_rng(77)
    surface = np.repeat(np.repeat(generator.integers(0, 3, (25, 25)), 8, 0), 8, 1).astype(np.float32)
    ground = np.repeat(np.repeat(generator.random((50, 50)) < 0.35, 4, 0), 4, 1)
    whole = roof_remains(surface, ground)
    assert whole.any()
    for r, c in ((0, 0), (60, 40), (100, 120)):
        a, b = max(0, r - REACH_CELLS), max(0, c - REACH_CELLS)
        window = (slice(a, r + 40 + REACH_CELLS), slice(b, c + 40 + REACH_CELLS))
        part = roof_remains(np.ascontiguousarray(surface[window]), np.ascontiguousarray(ground[window]))
        inner = part[r - a : r - a + 40, c - b : c - b + 40]
        np.testing.assert_array_equal(inner, whole[r : r + 40, c : c + 40])

"""Triangles of height grids: within their tolerance, counted by brute force; edges that depend on nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.tri import LinearTriInterpolator, Triangulation
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from gis.errors import BadParameter
from lidar.terrain_mesh import GridMesh, grid_mesh


def hills(n: int, seed: int, noise: float = 0.05) -> NDArray[np.float64]:
    random = np.random.default_rng(seed)
    x = np.linspace(0, 6, n)
    heights = 3 + 2 * np.sin(x + seed)[:, None] * np.cos(x)[None] + random.normal(0, noise, (n, n))
    # A wall, a kerb, a mast.
    heights[n // 3, n // 4 :] += 3
    heights[:, n // 2 :] += 0.2
    heights[n // 5, n // 5] += 40
    return heights


def farthest(mesh: GridMesh, heights: NDArray[np.float64]) -> float:
    """From any grid point to the triangles, by somebody else's interpolation."""
    n = len(heights)
    triangles = Triangulation(mesh.columns, mesh.rows, mesh.triangles)
    surface = LinearTriInterpolator(triangles, heights[mesh.rows, mesh.columns])(*np.meshgrid(range(n), range(n)))
    assert surface.count() == n * n
    return float(np.abs(surface - heights).max())


def doubled_areas(mesh: GridMesh) -> NDArray[np.int64]:
    x, y = mesh.columns[mesh.triangles].astype(np.int64), -mesh.rows[mesh.triangles].astype(np.int64)
    return (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0]) - (y[:, 1] - y[:, 0]) * (x[:, 2] - x[:, 0])


@pytest.mark.parametrize(("tolerance", "least"), [(1.0, 1), (0.2, 4), (0.02, 16)])
def test_no_place_is_farther_than_the_tolerance(tolerance: float, least: int) -> None:
    heights = hills(65, 1)
    mesh = grid_mesh(heights, tolerance, least)
    assert farthest(mesh, heights) <= tolerance + 1e-9
    assert (doubled_areas(mesh) > 0).all()
    assert doubled_areas(mesh).sum() == 2 * 64**2
    assert len(mesh.rows) == len({(int(r), int(c)) for r, c in zip(mesh.rows, mesh.columns, strict=True)})


@settings(max_examples=60, deadline=None)
@given(
    size=st.sampled_from([2, 3, 5, 9, 17]),
    seed=st.integers(0, 10_000),
    tolerance=st.floats(0, 3),
    scale=st.sampled_from([0.0, 0.1, 1.0, 1000.0]),
)
def test_any_heights_are_covered_once_and_held(size: int, seed: int, tolerance: float, scale: float) -> None:
    heights = scale * np.random.default_rng(seed).normal(size=(size, size))
    mesh = grid_mesh(heights, tolerance)
    assert doubled_areas(mesh).sum() == 2 * (size - 1) ** 2
    assert (doubled_areas(mesh) > 0).all()
    assert farthest(mesh, heights) <= tolerance + 1e-9 * max(scale, 1)


def test_level_ground_is_two_triangles_and_a_bent_globe_more() -> None:
    assert len(grid_mesh(np.zeros((129, 129)), 0.1).triangles) == 2
    assert len(grid_mesh(np.zeros((129, 129)), 0.1, least=8).triangles) == 2 * 8**2


def test_an_edge_depends_on_its_own_heights_alone() -> None:
    one, other = hills(65, 2), hills(65, 3)
    other[:, 0] = one[:, -1]
    left, right = grid_mesh(one, 0.05), grid_mesh(other, 0.05)
    chosen = np.sort(left.rows[left.columns == 64])
    np.testing.assert_array_equal(chosen, np.sort(right.rows[right.columns == 0]))
    assert 10 < len(chosen) < 65


def test_triangles_are_delaunays() -> None:
    """No vertex lies within a circumcircle: the triangles of Qhull have the same circles."""
    mesh = grid_mesh(hills(33, 4), 0.1)
    points = np.column_stack([mesh.columns, mesh.rows]).astype(float)

    def angles(triangles: NDArray[np.int32]) -> NDArray[np.float64]:
        corners = points[triangles]
        found = []
        for k in range(3):
            a, b = corners[:, (k + 1) % 3] - corners[:, k], corners[:, (k + 2) % 3] - corners[:, k]
            found.append(np.arctan2(np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]), (a * b).sum(axis=1)))
        return np.sort(np.min(found, axis=0))

    theirs = Delaunay(points).simplices
    assert len(theirs) == len(mesh.triangles)
    # Of four points on a circle either diagonal is right, with the same least angle.
    np.testing.assert_allclose(angles(mesh.triangles), angles(theirs), atol=1e-9)


@pytest.mark.parametrize("heights", [np.zeros((3, 4)), np.full((3, 3), np.nan), np.zeros((1, 1))])
def test_what_is_no_grid_is_refused(heights: NDArray[np.float64]) -> None:
    with pytest.raises(BadParameter):
        grid_mesh(heights, 0.1)


def test_parts_that_do_not_divide_the_grid_are_refused() -> None:
    with pytest.raises(BadParameter):
        grid_mesh(np.zeros((9, 9)), 0.1, least=3)

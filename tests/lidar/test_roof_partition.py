"""Roofs parted and raised, against the volumes and heights of the shapes that points were strewn over."""

from __future__ import annotations

from pathlib import Path

import laspy
import numpy as np
import pytest
from numpy.typing import NDArray
from shapely import Polygon, box, contains_xy
from shapely.affinity import translate

from gis.city_model.building import Reason, Solid, Surface
from lidar.roof_models import detailed_models
from lidar.validate import defects, signed_volume
from tests.lidar import roof_shapes as shapes

RECTANGLE = box(0, 0, 12, 8)
L_SHAPE = Polygon([(0, 0), (12, 0), (12, 6), (6, 6), (6, 12), (0, 12)])
COURT = Polygon([(0, 0), (16, 0), (16, 14), (0, 14)], [[(5, 5), (5, 9), (11, 9), (11, 5)]])

NOTHING = np.empty((0, 3))
SHIFT = np.array([3.0, -2.0, 0.0])


def model(outline: Polygon, xyz: NDArray[np.float64], ground: float = 0.0) -> Solid:
    made = detailed_models(outline, xyz, NOTHING, ground, ground + 1.5)
    assert made.reason is Reason.NONE
    assert not defects(made.solids["2.2"])
    return made.solids["2.2"]


def roofs(solid: Solid) -> int:
    return sum(face.surface is Surface.ROOF for face in solid.faces)


@pytest.mark.parametrize(
    ("outline", "height", "faces", "volume"),
    [
        # A hip roof is a prism over the ridge, 4 m long, and a pyramid of the two ends.
        (RECTANGLE, shapes.hip, 4, 96 * 6 + 4 * 8 * 4 / 2 + 8 * 8 * 4 / 3),
        (box(0, 0, 10, 10), shapes.pyramid, 4, 100 * 5 + 100 * 4 / 3),
        (box(0, 0, 20, 12), shapes.saw_tooth, 4, 240 * 7.0),
        (RECTANGLE, shapes.two_levels, 2, 48 * 9 + 48 * 5.5),
        # An L of two hips 6 m wide: each arm a prism and half a pyramid, together a pyramid of 6 × 6 at the ends.
        (L_SHAPE, shapes.l_shaped_hip, 6, None),
        (COURT, lambda x, y: 7.0 + 0.0 * x, 1, (224 - 24) * 7.0),
    ],
)
@pytest.mark.parametrize("density", [4.0, 8.0])
def test_volume_and_faces_are_those_of_the_roof(
    outline: Polygon, height: shapes.Height, faces: int, volume: float | None, density: float
) -> None:
    solid = model(outline, shapes.strewn(outline, height, density))
    if volume is None:
        grid = np.arange(0.025, 12.0, 0.05)
        x, y = (part.ravel() for part in np.meshgrid(grid, grid))
        inside = ~((x > 6) & (y > 6))
        volume = float(height(x[inside], y[inside]).sum()) * 0.05**2
    assert roofs(solid) == faces
    assert signed_volume(solid) == pytest.approx(volume, rel=0.01)


def test_the_ridge_of_a_hip_roof_is_where_it_should_be() -> None:
    solid = model(RECTANGLE, shapes.strewn(RECTANGLE, shapes.hip))
    top = solid.vertices[solid.vertices[:, 2] > 9.8]
    assert sorted(np.round(top[:, 0]).tolist()) == [4.0, 8.0]
    assert top[:, 2] == pytest.approx(10.0, abs=0.05)
    assert top[:, 1] == pytest.approx(4.0, abs=0.05)


@pytest.mark.parametrize("seed", range(3))
def test_neither_order_nor_whole_metres_nor_the_start_of_the_ring_change_the_model(seed: int) -> None:
    xyz = np.round(shapes.strewn(L_SHAPE, shapes.l_shaped_hip, seed=seed), 3)
    order = np.random.default_rng(seed).permutation(len(xyz))
    corners = list(L_SHAPE.exterior.coords)[:-1]
    turned = Polygon(corners[seed + 1 :] + corners[: seed + 1])
    one = model(L_SHAPE, xyz)
    shuffled = model(turned, xyz[order])
    assert _roof_corners(one) == _roof_corners(shuffled)
    shifted = model(translate(L_SHAPE, *SHIFT[:2]), xyz + SHIFT)
    # Planes are kept by their height at the origin: the last digit may round otherwise.
    assert len(shifted.faces) == len(one.faces)
    assert np.sort(shifted.vertices - SHIFT, axis=0) == pytest.approx(np.sort(one.vertices, axis=0), abs=0.0002)


def _roof_corners(solid: Solid) -> set[tuple[tuple[float, ...], ...]]:
    return {
        tuple(sorted(tuple(corner) for corner in np.round(solid.vertices[list(face.rings[0])], 3).tolist()))
        for face in solid.faces
        if face.surface is Surface.ROOF
    }


def test_a_gable_seen_on_one_side_only_rises_no_higher_than_its_highest_point() -> None:
    seen = box(0, 0, 12, 4)
    xyz = shapes.strewn(seen, lambda x, y: 6.0 + 0.9 * y)
    solid = model(RECTANGLE, xyz)
    assert solid.vertices[:, 2].max() <= xyz[:, 2].max() + 0.301


def test_no_part_of_a_roof_is_lower_than_the_ground() -> None:
    seen = box(0, 3, 12, 8)
    xyz = shapes.strewn(seen, lambda x, y: -8.0 + 2.5 * y)
    solid = model(RECTANGLE, xyz[xyz[:, 2] > 1.0], ground=0.0)
    assert solid.vertices[:, 2].min() == 0.0


def _with_well(seed: int, density: float, floor: float) -> tuple[NDArray[np.float64], Polygon]:
    """A flat roof at 12 m over a tube house with a well of 2 × 2 m; walls and floor of it return a few points."""
    house = box(0, 0, 4.5, 16)
    xyz = shapes.strewn(house, lambda x, y: 12.0 + 0.0 * x, density, seed=seed)
    in_well = (np.abs(xyz[:, 0] - 2.2) < 1) & (np.abs(xyz[:, 1] - 9) < 1)
    rng = np.random.default_rng(seed)
    few = np.column_stack([rng.uniform(1.3, 3.1, 6), rng.uniform(8.1, 9.9, 6), [floor, floor, 5.0, 7.0, 9.0, 10.0]])
    return np.concatenate([xyz[~in_well], few]), house


@pytest.mark.parametrize("density", [4.0, 8.0, 16.0])
def test_a_light_well_is_sunk_to_its_lowest_points(density: float) -> None:
    # A single gap is as wide as chance leaves it; on the average wells are as large as they are.
    missing = []
    for seed in range(1, 9):
        xyz, house = _with_well(seed, density, 1.2)
        solid = model(house, xyz)
        assert roofs(solid) == 2
        missing.append(4.5 * 16 * 12 - signed_volume(solid))
    assert np.mean(missing) == pytest.approx(2 * 2 * (12 - 1.2), rel=0.25)


def test_a_gap_without_points_from_below_is_no_well() -> None:
    xyz, house = _with_well(1, 8.0, 1.2)
    assert roofs(model(house, xyz[xyz[:, 2] > 11.0])) == 1


def test_the_outer_wall_seen_beside_a_hidden_corner_of_the_roof_is_no_well() -> None:
    house = box(0, 0, 4.5, 16)
    xyz = shapes.strewn(house, lambda x, y: 12.0 + 0.0 * x, 8.0, seed=3)
    seen = xyz[(xyz[:, 0] > 2.5) | (xyz[:, 1] < 11)]  # a tree hangs over the rest
    along, up = np.meshgrid(np.linspace(11.2, 15.8, 8), np.linspace(1.0, 9.0, 4))
    wall = np.column_stack([np.full(along.size, 0.15), along.ravel(), up.ravel()])
    assert roofs(model(house, np.concatenate([seen, wall]))) == 1
    floor = wall + np.array([0.9, 0.0, 0.0])
    assert roofs(model(house, np.concatenate([seen, floor]))) == 2


def test_what_a_tower_hides_is_its_podium() -> None:
    podium, tower = box(0, 0, 24, 24), box(5, 6, 19, 19)

    def height(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where((x > 5) & (x < 19) & (y > 6) & (y < 19), 40.0, 10.0)

    xyz = shapes.strewn(podium, height)
    behind = (xyz[:, 2] < 20) & (xyz[:, 1] < 6) & (xyz[:, 0] > 5) & (xyz[:, 0] < 22)
    solid = model(podium, xyz[~behind])
    assert signed_volume(solid) == pytest.approx(podium.area * 10 + tower.area * 30, rel=0.02)
    assert roofs(solid) == 2


def test_a_gap_wider_than_a_wall_may_hide_is_parted_half_way() -> None:
    outline = box(0, 0, 20, 8)
    xyz = shapes.strewn(outline, lambda x, y: np.where(x < 10, 9.0, 6.0))
    wide = xyz[(xyz[:, 0] < 5) | (xyz[:, 0] > 15)]  # 10 m, of which a wall of 3 m hides 1.7 m
    assert signed_volume(model(outline, wide)) == pytest.approx(8 * (10 * 9 + 10 * 6), rel=0.05)


def test_points_seen_through_a_skylight_are_no_well() -> None:
    xyz, house = _with_well(2, 8.0, 9.3)
    assert roofs(model(house, xyz[xyz[:, 2] > 9.0])) == 1


@pytest.mark.parametrize("seed", range(3))
def test_a_clutter_of_points_over_a_balcony_with_the_facade_beside_it_is_no_well(seed: int) -> None:
    rng = np.random.default_rng(seed)
    xyz = shapes.strewn(RECTANGLE, lambda x, y: 12.0 + 0.0 * x, 12.0, seed=seed)
    over = (np.abs(xyz[:, 0] - 6) < 1.2) & (xyz[:, 1] < 1.6)
    xyz[over, 2] -= rng.uniform(1.2, 3.2, over.sum())
    facade = np.column_stack([rng.uniform(4.9, 7.1, 24), rng.uniform(0.0, 0.3, 24), np.linspace(1.2, 9.0, 24)])
    solid = model(RECTANGLE, np.concatenate([xyz, facade]))
    assert signed_volume(solid) > 0.99 * 96 * 12


@pytest.mark.parametrize("seed", range(3))
def test_a_piece_that_falls_from_a_flat_roof_to_the_eaves_has_sides_up_to_its_ridge(seed: int) -> None:
    def height(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        piece = ((np.abs(x - 4.75) < 1.75) | (np.abs(x - 13.75) < 1.75)) & (y > 7.0)
        return np.where(piece, 8.6 - 1.29 * (y - 7.0), 8.6)

    outline = box(0, 0, 20, 8)
    assert roofs(model(outline, shapes.strewn(outline, height, 7.0, seed=seed))) == 3


@pytest.mark.shared_data
def test_vertices_that_would_settle_in_one_place_stay_apart(shared_data: Path) -> None:
    file = laspy.read(shared_data / "trondheim_roofs" / "182280240.laz")
    xyz = np.column_stack([file.x, file.y, file.z])
    ring = [(72.883, 14.556), (82.092, 15.986), (82.871, 10.968), (73.663, 9.538)]
    outline = Polygon([(568900 + x, 7032400 + y) for x, y in ring])
    highest = xyz[contains_xy(outline.buffer(-0.3), xyz[:, 0], xyz[:, 1]), 2].max()
    inside = contains_xy(outline, xyz[:, 0], xyz[:, 1]) & (xyz[:, 2] <= highest)
    model(outline, xyz[inside], ground=28.1)


def test_regions_that_touch_in_a_point_are_mended() -> None:
    outline = box(0, 0, 12, 12)
    xyz = shapes.strewn(outline, lambda x, y: np.where((x < 6) == (y < 6), 9.0, 5.0))
    solid = model(outline, xyz)
    assert roofs(solid) >= 2


def test_without_planes_the_reason_is_told() -> None:
    xyz = np.zeros((3, 3))
    assert detailed_models(RECTANGLE, xyz, NOTHING, 0.0, 1.5).reason is Reason.NO_PLANES

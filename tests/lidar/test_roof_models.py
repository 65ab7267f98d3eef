"""Models at three levels of detail against houses whose volume and faces are known."""

from __future__ import annotations

from math import cos, sin

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray
from shapely import Polygon

from gis.city_model.building import Reason, Solid, Surface
from lidar import noding, roof_models
from lidar.roof_models import RoofModels, detailed_models
from lidar.scene import roofs
from lidar.scene.shapes import Axes
from lidar.scene.solids import Cell, build_solid
from lidar.validate import defects, signed_volume

GROUND = 2.0
NOTHING = np.empty((0, 3))
AXES = Axes(603_010.0, 1_191_020.0, cos(0.4), sin(0.4))
RING = AXES.rectangle(0.0, 0.0, 9.0, 14.0)
SHIFT = np.array([1000.0, -2000.0, 0.0])
OUTLINE = shapely.set_precision(Polygon(RING), 0.001)


def scanned(cells: list[Cell], density: float = 8.0, seed: int = 1) -> NDArray[np.float64]:
    random = np.random.default_rng(seed)
    low, high = np.array(OUTLINE.bounds).reshape(2, 2)
    xy = random.uniform(low, high, (random.poisson(density * np.prod(high - low)), 2))
    z = np.full(len(xy), np.nan)
    for cell in cells:
        inside = shapely.contains_xy(Polygon(cell.ring, cell.holes), xy[:, 0], xy[:, 1])
        z[inside] = xy[inside] @ cell.plane[:2] + cell.plane[2]
    z += random.normal(0, 0.03, len(z))
    return np.column_stack([xy, z])[np.isfinite(z)]


def modelled(cells: list[Cell], density: float = 8.0) -> RoofModels:
    return detailed_models(OUTLINE, scanned(cells, density), NOTHING, GROUND, GROUND + 1.5)


def roof_faces(solid: Solid) -> int:
    return sum(face.surface is Surface.ROOF for face in solid.faces)


@pytest.mark.parametrize("density", [2.0, 8.0, 30.0])
@pytest.mark.parametrize("kind", ["flat", "shed", "gable", "hip", "stepped"])
def test_a_roof_comes_out_with_its_faces_and_its_volume(kind: str, density: float) -> None:
    cells = {
        "flat": roofs.flat(RING, 9.0),
        "shed": roofs.shed(RING, AXES, 9.0, 0.2),
        "gable": roofs.gable(RING, AXES, 9.0, 0.6),
        "hip": roofs.hip(RING, AXES, 9.0, 0.6),
        "stepped": roofs.stepped(RING, AXES, [6.0], [12.0, 9.0]),
    }[kind]
    made = modelled(cells, density)
    assert made.reason is Reason.NONE
    assert sorted(made.solids) == ["1.3", "2.2"]
    assert all(defects(solid) == () for solid in made.solids.values())
    assert roof_faces(made.solids["2.2"]) == len(cells)
    truth = signed_volume(build_solid(cells, GROUND))
    assert signed_volume(made.solids["2.2"]) == pytest.approx(truth, rel=0.01)


@pytest.mark.parametrize(("drop", "parts"), [(2.0, 1), (4.0, 2)])
def test_a_block_is_parted_where_the_roof_jumps_by_a_storey(drop: float, parts: int) -> None:
    made = modelled(roofs.stepped(RING, AXES, [6.0], [9.0 + drop, 9.0]))
    assert roof_faces(made.solids["1.3"]) == parts
    assert roof_faces(made.solids["2.2"]) == 2


def test_the_block_of_a_gable_lies_at_the_seventieth_percentile() -> None:
    points = scanned(roofs.gable(RING, AXES, 9.0, 0.6))
    made = detailed_models(OUTLINE, points, NOTHING, GROUND, GROUND + 1.5)
    top = made.solids["1.3"].vertices[:, 2].max()
    assert top == pytest.approx(np.percentile(points[:, 2], 70), abs=0.02)


def test_neither_the_order_of_points_nor_whole_metres_change_a_model() -> None:
    points = scanned(roofs.hip(RING, AXES, 9.0, 0.6))
    made = detailed_models(OUTLINE, points, NOTHING, GROUND, GROUND + 1.5)
    order = np.random.default_rng(3).permutation(len(points))
    shuffled = detailed_models(OUTLINE, points[order], NOTHING, GROUND, GROUND + 1.5)
    for lod, solid in made.solids.items():
        np.testing.assert_array_equal(shuffled.solids[lod].vertices, solid.vertices)
        assert shuffled.solids[lod].faces == solid.faces
    moved = shapely.set_precision(shapely.transform(OUTLINE, lambda xy: xy + SHIFT[:2]), 0.001)
    elsewhere = detailed_models(moved, points + SHIFT, NOTHING, GROUND, GROUND + 1.5)
    for lod, solid in made.solids.items():
        np.testing.assert_allclose(elsewhere.solids[lod].vertices, solid.vertices + SHIFT, rtol=0, atol=1e-3)


def test_points_without_any_plane_are_said_to_have_none() -> None:
    random = np.random.default_rng(1)
    xy = scanned(roofs.flat(RING, 9.0))[:, :2]
    made = detailed_models(
        OUTLINE, np.column_stack([xy, random.uniform(5, 25, len(xy))]), NOTHING, GROUND, GROUND + 1.5
    )
    assert (made.reason, made.solids) == (Reason.NO_PLANES, {})


def test_an_outline_of_too_many_corners_is_told_so() -> None:
    circle = shapely.Point(AXES.x, AXES.y).buffer(20, quad_segs=6000)
    made = detailed_models(circle, scanned(roofs.flat(RING, 9.0)), NOTHING, GROUND, GROUND + 1.5)
    assert (made.reason, made.solids) == (Reason.TOO_COMPLEX, {})


def never(*_: object) -> None:
    raise AssertionError("this is not to be worked on")


def test_more_points_than_a_roof_has_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    points = scanned(roofs.flat(RING, 9.0))
    monkeypatch.setattr(roof_models, "MOST_POINTS", len(points) - 1)
    monkeypatch.setattr(roof_models, "roof_planes", never)
    made = detailed_models(OUTLINE, points, NOTHING, GROUND, GROUND + 1.5)
    assert (made.reason, made.solids) == (Reason.TOO_COMPLEX, {})


def test_more_planes_than_a_roof_has_are_not_parted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roof_models, "partition", never)
    random = np.random.default_rng(5)
    side = 20 * 3.0
    xy = random.uniform(0, side, (int(side * side * 8), 2))
    level = random.permutation(400).reshape(20, 20) * 0.5 + 6.0
    z = level[tuple((xy // 3.0).astype(int).T)] + random.normal(0, 0.02, len(xy))
    made = detailed_models(shapely.box(0, 0, side, side), np.column_stack([xy, z]), NOTHING, GROUND, GROUND + 1.5)
    assert (made.reason, made.solids) == (Reason.TOO_COMPLEX, {})


def test_the_work_on_the_most_ragged_outline_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments that are noded, and how often: what all later work grows with."""
    noded: list[int] = []
    genuine = noding._routed
    monkeypatch.setattr(noding, "_routed", lambda pieces, *rest: noded.append(len(pieces)) or genuine(pieces, *rest))
    corners = 5_000
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    wave = 30 * (1 + 0.02 * np.sin(400 * angle))
    outline = shapely.set_precision(Polygon(np.column_stack([wave * np.cos(angle), wave * np.sin(angle)])), 0.001)
    random = np.random.default_rng(5)
    xy = random.uniform(-31, 31, (20_000, 2))
    xy = xy[shapely.contains_xy(outline, xy[:, 0], xy[:, 1])]
    z = np.where(xy[:, 0] < 0, 8.0, 12.0) + 0.3 * np.abs(xy[:, 1])
    made = detailed_models(outline, np.column_stack([xy, z]), NOTHING, GROUND, GROUND + 1.5)
    assert "2.2" in made.solids
    planes = 0 if made.planes is None else len(made.planes)
    assert len(noded) <= 2 * noding.ROUNDS
    assert max(noded) <= corners + 40 * planes * planes


@pytest.mark.parametrize("count", [0, 1, 5, 6, 7, 8, 9, 20])
def test_a_few_points_make_a_model_or_a_reason(count: int) -> None:
    points = scanned(roofs.flat(RING, 9.0))[:count]
    low = points - (0.0, 0.0, 7.0)
    made = detailed_models(OUTLINE, points, low, GROUND, GROUND + 1.5)
    assert ("2.2" in made.solids) == (made.reason is Reason.NONE)
    assert made.reason is Reason.NONE or count < 20

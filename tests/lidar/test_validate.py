from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Point, Polygon, box

from gis.city_model.building import Face, Solid, Surface
from lidar.reconstruct import block
from lidar.validate import Defect, defects, signed_volume

CUBE = block(box(0, 0, 1, 1), 0.0, 1.0)


def without(solid: Solid, index: int) -> Solid:
    return replace(solid, faces=tuple(f for i, f in enumerate(solid.faces) if i != index))


def flipped(face: Face) -> Face:
    return replace(face, rings=tuple(ring[::-1] for ring in face.rings))


def test_a_block_is_valid_and_its_volume_is_area_times_height() -> None:
    outline = Point(3, 4).buffer(10).difference(box(0, 0, 4, 4))
    solid = block(outline, 2.0, 9.5)
    assert defects(solid) == ()
    assert signed_volume(solid) == pytest.approx(outline.area * 7.5)


@settings(max_examples=60, deadline=None)
@given(st.integers(3, 30), st.integers(0, 10_000), st.booleans())
def test_blocks_over_any_star_with_a_court_are_valid(corners: int, seed: int, court: bool) -> None:
    random = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    ring = np.column_stack([np.cos(angles), np.sin(angles)]) * random.uniform(10, 30, corners)[:, None]
    inner = box(-1.5, -1.5, 1.5, 1.5)
    outline = Polygon(ring)
    if court and outline.contains(inner):
        outline = outline.difference(inner)
    solid = block(outline, -1.0, 4.0)
    assert defects(solid) == ()
    assert signed_volume(solid) == pytest.approx(outline.area * 5.0)


def test_a_missing_face_is_a_hole() -> None:
    assert Defect.NOT_CLOSED in defects(without(CUBE, 1))


def test_a_face_turned_round_is_found() -> None:
    turned = replace(CUBE, faces=(flipped(CUBE.faces[0]), *CUBE.faces[1:]))
    assert Defect.NOT_CLOSED in defects(turned)


def test_a_solid_turned_inside_out_is_found() -> None:
    assert defects(replace(CUBE, faces=tuple(flipped(f) for f in CUBE.faces))) == (Defect.INWARD,)


def test_a_corner_two_millimetres_out_of_its_plane_is_found() -> None:
    vertices = block(box(0, 0, 4, 4), 0.0, 1.0).vertices.copy()
    vertices[4, 2] += 0.005
    assert Defect.NOT_PLANAR in defects(replace(block(box(0, 0, 4, 4), 0.0, 1.0), vertices=vertices))


def test_a_roof_that_crosses_itself_is_found() -> None:
    bow = block(box(0, 0, 1, 1), 0, 1)
    ground, roof = bow.faces[0].rings[0], bow.faces[1].rings[0]
    swapped = Face(((roof[0], roof[2], roof[1], roof[3]),), Surface.ROOF)
    assert Defect.RING_SELF_INTERSECTS in defects(
        replace(bow, faces=(Face((ground,), Surface.GROUND), swapped, *bow.faces[2:]))
    )


def test_two_cubes_that_share_an_edge_are_no_manifold() -> None:
    other = block(box(1, 1, 2, 2), 0.0, 1.0)
    faces = (*CUBE.faces, *(Face(tuple(tuple(i + 8 for i in r) for r in f.rings), f.surface) for f in other.faces))
    both = Solid(np.concatenate([CUBE.vertices, other.vertices]), faces)
    assert Defect.NON_MANIFOLD_EDGE in defects(both)


def test_two_cubes_that_share_a_corner_are_no_manifold() -> None:
    other = block(box(1, 1, 2, 2), 1.0, 2.0)
    faces = (*CUBE.faces, *(Face(tuple(tuple(i + 8 for i in r) for r in f.rings), f.surface) for f in other.faces))
    found = defects(Solid(np.concatenate([CUBE.vertices, other.vertices]), faces))
    assert Defect.NON_MANIFOLD_VERTEX in found
    assert Defect.SEVERAL_SHELLS in found


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_coordinate_that_is_no_number_is_found(bad: float) -> None:
    vertices = CUBE.vertices.copy()
    vertices[0, 0] = bad
    assert defects(replace(CUBE, vertices=vertices)) == (Defect.NOT_FINITE,)


def test_a_repeated_corner_is_found() -> None:
    ring = CUBE.faces[0].rings[0]
    repeated = replace(CUBE, faces=(Face(((ring[0], *ring),), Surface.GROUND), *CUBE.faces[1:]))
    assert Defect.REPEATED_POINTS in defects(repeated)

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Point, Polygon, box

from gis.city_model.building import Face, Solid, Surface
from gis.city_model.faces import normals, triangles
from gis.errors import BadGeometry
from lidar.reconstruct import block
from lidar.shell_checks import faces_up, flattened
from lidar.validate import Defect, defects, signed_volume
from tests.gis.city_model.roof_samples import random_roofs

Ring = list[tuple[float, float]]

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


def test_faces_look_up_as_their_normals_do() -> None:
    solid = block(Point(3, 4).buffer(10).difference(box(0, 0, 4, 4)), 2.0, 9.5)
    upright = solid.vertices[:, 2] > 5
    solid.vertices[upright, 2] += 0.3 * solid.vertices[upright, 0]
    normal, area = normals(solid)
    up, size = faces_up(*flattened(solid))
    np.testing.assert_allclose(up, normal[:, 2], atol=1e-12)
    np.testing.assert_allclose(size, area, rtol=1e-12)


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


@pytest.mark.parametrize("index", [-1, 8])
def test_a_vertex_that_is_not_there_is_refused(index: int) -> None:
    with pytest.raises(BadGeometry, match="not there"):
        defects(replace(CUBE, faces=(*CUBE.faces[:5], Face(((0, 1, index),), Surface.WALL))))


def test_a_repeated_corner_is_found() -> None:
    ring = CUBE.faces[0].rings[0]
    repeated = replace(CUBE, faces=(Face(((ring[0], *ring),), Surface.GROUND), *CUBE.faces[1:]))
    assert Defect.REPEATED_POINTS in defects(repeated)


def lidded(outer: Ring, *holes: Ring) -> Solid:
    """A prism whose floor and roof have these rings, without the walls of its holes."""
    solid = block(Polygon(outer), 0.0, 3.0)
    n = len(solid.vertices)
    inner = np.concatenate([np.column_stack([hole, np.full(len(hole), 3.0)]) for hole in holes])
    starts = np.cumsum([n, *(len(hole) for hole in holes)])
    rings = tuple(tuple(range(a, b)) for a, b in itertools.pairwise(starts.tolist()))
    ground, roof, *walls = solid.faces
    faces = (ground, replace(roof, rings=(roof.rings[0], *rings)), *walls)
    return Solid(np.concatenate([solid.vertices, inner]), faces)


SQUARE: Ring = [(0, 0), (10, 0), (10, 10), (0, 10)]


@pytest.mark.parametrize(
    ("holes", "defect"),
    [
        ([[(20, 2), (20, 3), (21, 3), (21, 2)]], Defect.HOLE_OUTSIDE),
        ([[(2, 2), (2, 8), (8, 8), (8, 2)], [(4, 4), (4, 5), (5, 5), (5, 4)]], Defect.HOLES_NESTED),
        ([[(2, 2), (8, 2), (8, 8), (2, 8)]], Defect.HOLE_TURNS_ALONG),
        ([[(2, 2), (2, 12), (8, 12), (8, 2)]], Defect.RING_SELF_INTERSECTS),
        ([[(0, 5), (5, 6), (10, 5), (5, 4)]], Defect.INTERIOR_DISCONNECTED),
    ],
)
def test_a_hole_out_of_its_place_is_found(holes: list[Ring], defect: Defect) -> None:
    assert defect in defects(lidded(SQUARE, *holes))


def test_a_hole_may_touch_its_face_in_a_point() -> None:
    found = defects(lidded(SQUARE, [(0, 5), (2, 6), (2, 4)]))
    assert found == (Defect.NOT_CLOSED,)  # its walls are missing, as meant


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 100_000), st.integers(3, 12), st.integers(0, 3), st.booleans())
def test_rings_of_any_face_are_judged_as_geos_does(seed: int, corners: int, holes: int, coarse: bool) -> None:
    random = np.random.default_rng(seed)
    # On a coarse grid corners meet and lie on each other's edges.
    step = 1.0 if coarse else 1e-4
    rings = [np.round(random.uniform(0, 6, (corners, 2)) / step) * step]
    rings += [np.round((random.uniform(0, 4, 2) + random.uniform(0, 2, (4, 2))) / step) * step for _ in range(holes)]
    across = np.linalg.qr(random.normal(size=(3, 3)))[0][:, :2] if not coarse else np.eye(3)[:, :2]
    local = [ring @ across.T for ring in rings]
    starts = np.cumsum([0, *(len(ring) for ring in rings)]).tolist()
    face = Face(tuple(tuple(range(a, b)) for a, b in itertools.pairwise(starts)), Surface.ROOF)
    solid = Solid(np.concatenate(local), (face,) * 4)
    found = set(defects(solid))
    if Defect.REPEATED_POINTS in found or Polygon(rings[0]).area == 0:
        return
    about_rings = {
        Defect.RING_SELF_INTERSECTS, Defect.HOLE_OUTSIDE, Defect.HOLES_NESTED, Defect.INTERIOR_DISCONNECTED,
    }  # fmt: skip
    normal = np.cross(local[0], np.roll(local[0], -1, axis=0)).sum(axis=0)
    seen = [axis for axis in range(3) if axis != int(np.argmax(np.abs(normal)))]
    flat = [(ring - local[0][0])[:, seen] for ring in local]
    assert (not found & about_rings) == Polygon(flat[0], flat[1:]).is_valid


def test_roofs_with_many_steps_round_a_court_are_valid_by_two_opinions() -> None:
    for solid in random_roofs(40, seed=11):
        assert defects(solid) == ()
        corners, _ = triangles(solid)
        mesh = trimesh.Trimesh(solid.vertices, corners, process=False)
        assert mesh.is_watertight
        assert mesh.is_volume


@pytest.mark.parametrize("seed", range(3))
def test_whatever_closed_mesh_trimesh_calls_no_volume_is_not_valid(seed: int) -> None:
    random = np.random.default_rng(seed)
    for solid in random_roofs(10, seed=seed):
        faces = list(solid.faces)
        number = int(random.integers(len(faces)))
        if random.random() < 0.5:
            faces.pop(number)
        else:
            faces[number] = flipped(faces[number])
        broken = replace(solid, faces=tuple(faces))
        mesh = trimesh.Trimesh(broken.vertices, triangles(broken)[0], process=False)
        assert not mesh.is_volume
        assert Defect.NOT_CLOSED in defects(broken)

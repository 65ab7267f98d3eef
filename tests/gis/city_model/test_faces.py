"""Planes and triangles of faces, with trimesh and Manifold as independent opinions."""

from __future__ import annotations

import manifold3d
import numpy as np
import pytest
import shapely
import trimesh

from gis.city_model.building import Face, Solid, Surface
from gis.city_model.faces import normals, slopes, triangles
from gis.errors import BadGeometry
from lidar.validate import signed_volume
from tests.gis.city_model.roof_samples import EAST, HIP_VOLUME, NORTH, hip_roof, random_roofs

ROOFS = random_roofs(60, seed=3)


def test_a_hip_roof_has_the_slopes_and_the_compass_of_its_planes() -> None:
    solid = hip_roof()
    normal, area = normals(solid)
    slope, azimuth = slopes(normal)
    roofs = [n for n, face in enumerate(solid.faces) if face.surface is Surface.ROOF]
    assert slope[roofs] == pytest.approx([45.0] * 4)
    assert sorted(azimuth[roofs]) == pytest.approx([0.0, 90.0, 180.0, 270.0])
    assert sorted(area[roofs]) == pytest.approx(np.sqrt(2) * np.array([9, 9, 21, 21]))
    ground = next(n for n, face in enumerate(solid.faces) if face.surface is Surface.GROUND)
    assert normal[ground] == pytest.approx([0, 0, -1])
    assert (slope[ground], area[ground]) == (0.0, 60.0)
    assert np.isnan(azimuth[ground])


def test_holes_are_subtracted_from_the_area() -> None:
    for solid in ROOFS:
        normal, area = normals(solid)
        for number, face in enumerate(solid.faces):
            if abs(normal[number, 2]) > 0.5:
                outer, *holes = (solid.vertices[list(ring)] for ring in face.rings)
                seen = shapely.Polygon(outer, holes).area
                assert area[number] * abs(normal[number, 2]) == pytest.approx(seen, abs=1e-5)


def test_triangles_of_any_roof_are_a_closed_mesh_of_the_same_volume() -> None:
    for solid in [hip_roof(), *ROOFS]:
        corners, face = triangles(solid)
        local = solid.vertices - [EAST, NORTH, 0.0]
        mesh = trimesh.Trimesh(local, corners, process=False)
        assert mesh.is_watertight
        assert mesh.is_winding_consistent
        # Corners are rounded to 0.1 mm, so that a face is bent by up to 1 mm.
        assert mesh.volume == pytest.approx(signed_volume(solid), rel=1e-5)
        manifold = manifold3d.Manifold(manifold3d.Mesh64(local, corners.astype(np.uint64)))
        assert manifold.status() == manifold3d.Error.NoError
        assert manifold.volume() == pytest.approx(signed_volume(solid), rel=1e-5)
        areas = np.bincount(face, mesh.area_faces, len(solid.faces))
        assert areas == pytest.approx(normals(solid)[1], rel=1e-3, abs=1e-6)


def test_a_hip_roof_has_the_volume_of_its_formula() -> None:
    assert signed_volume(hip_roof()) == pytest.approx(HIP_VOLUME)


def test_a_face_that_crosses_itself_is_refused() -> None:
    bow = np.array([[0, 0, 0], [2, 2, 0], [2, 0, 0], [0, 1, 0], [-1, 0.5, 0]], dtype=np.float64)
    with pytest.raises(BadGeometry, match="of a solid"):
        triangles(Solid(bow, (Face(((0, 1, 2, 3, 4),), Surface.ROOF),)))

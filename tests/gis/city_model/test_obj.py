"""OBJ as others read it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from gis.city_model.obj import write_obj
from lidar.validate import signed_volume
from tests.gis.city_model.roof_samples import houses

CRS = "EPSG:9210+5727"
HOUSES = houses()


def test_every_model_is_an_object_with_groups_by_surface_type(tmp_path: Path) -> None:
    write_obj(HOUSES, tmp_path / "b.obj", CRS)
    lines = (tmp_path / "b.obj").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("o ")] == [
        f"o {b.uid.replace(' ', '_')}" for b in HOUSES if b.solid is not None
    ]
    assert "# crs EPSG:9210+5727" in lines
    assert "# buildings without a model, not in this file: 1" in lines
    assert {line for line in lines if line.startswith("g ")} == {"g GroundSurface", "g WallSurface", "g RoofSurface"}


@pytest.mark.parametrize("origin", [None, (602000.0, 1190000.0, -5.0)])
def test_trimesh_finds_each_model_closed_and_in_its_place(
    tmp_path: Path, origin: tuple[float, float, float] | None
) -> None:
    for building in HOUSES:
        if building.solid is None:
            continue
        path = tmp_path / "one.obj"
        write_obj([building], path, CRS, origin=origin)
        (stated,) = [line for line in path.read_text().splitlines() if line.startswith("# origin")]
        start = np.array([float(value) for value in stated.split()[2:]])
        assert origin is None or start.tolist() == list(origin)
        # Groups of one object are one mesh here; corners stay as they are written.
        mesh = trimesh.load(path, force="mesh", process=False, split_object=False, group_material=False)
        assert np.abs(mesh.bounds[0] + start - building.solid.vertices.min(axis=0)).max() < 1e-4
        assert np.abs(mesh.bounds[1] + start - building.solid.vertices.max(axis=0)).max() < 1e-4
        assert abs(mesh.volume / signed_volume(building.solid) - 1) < 1e-4


def test_only_faces_with_holes_are_parted(tmp_path: Path) -> None:
    for building in HOUSES[:-1]:
        solid = building.solid
        assert solid is not None
        write_obj([building], tmp_path / "one.obj", CRS)
        corners = [
            len(line.split()) - 1 for line in (tmp_path / "one.obj").read_text().splitlines() if line[:2] == "f "
        ]
        whole = sorted(len(face.rings[0]) for face in solid.faces if len(face.rings) == 1)
        parted = sum(
            sum(map(len, face.rings)) + 2 * (len(face.rings) - 1) - 2 for face in solid.faces if len(face.rings) > 1
        )
        assert sorted(corners) == sorted([*whole, *[3] * parted])

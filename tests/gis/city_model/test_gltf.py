"""glTF as the specification and trimesh read it."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from gis.city_model.gltf import write_glb
from lidar.validate import signed_volume
from tests.gis.city_model.roof_samples import houses

CRS = "EPSG:9210+5727"
HOUSES = houses()


def parsed(path: Path) -> tuple[dict[str, Any], bytes]:
    """The two chunks, by the container's layout in the specification."""
    raw = path.read_bytes()
    magic, version, length = struct.unpack_from("<4sII", raw)
    assert (magic, version, length) == (b"glTF", 2, len(raw))
    chunks, at = [], 12
    while at < length:
        size, kind = struct.unpack_from("<I4s", raw, at)
        assert at % 4 == size % 4 == 0
        chunks.append((kind, raw[at + 8 : at + 8 + size]))
        at += 8 + size
    assert [kind for kind, _ in chunks] in ([b"JSON", b"BIN\0"], [b"JSON"])
    return json.loads(chunks[0][1]), chunks[1][1] if len(chunks) > 1 else b""


def values(document: dict[str, Any], binary: bytes, accessor: int) -> np.ndarray[Any, Any]:
    stated = document["accessors"][accessor]
    view = document["bufferViews"][stated["bufferView"]]
    kind = {5126: "<f4", 5125: "<u4"}[stated["componentType"]]
    width = {"SCALAR": 1, "VEC3": 3}[stated["type"]]
    assert view["byteLength"] == 4 * width * stated["count"]
    assert view["byteOffset"] % 4 == 0
    found = np.frombuffer(binary, kind, width * stated["count"], view["byteOffset"])
    return found if width == 1 else found.reshape(-1, width)


def test_every_building_is_closed_and_has_its_volume(tmp_path: Path) -> None:
    write_glb(HOUSES, tmp_path / "b.glb", CRS)
    document, binary = parsed(tmp_path / "b.glb")
    extras = document["asset"]["extras"]
    assert extras["crs"] == CRS
    assert extras["buildings"] == [b.uid for b in HOUSES]
    triangles: dict[int, list[np.ndarray[Any, Any]]] = {}
    for primitive in document["meshes"][0]["primitives"]:
        named = {name: values(document, binary, n) for name, n in primitive["attributes"].items()}
        index = values(document, binary, primitive["indices"]).reshape(-1, 3)
        assert index.max() < len(named["POSITION"])
        stated = document["accessors"][primitive["attributes"]["POSITION"]]
        assert stated["min"] == named["POSITION"].min(axis=0).tolist()
        assert stated["max"] == named["POSITION"].max(axis=0).tolist()
        corners = named["POSITION"][index].astype(np.float64)
        across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        for k in range(3):  # normals stand on their triangles, outwards
            normal = named["NORMAL"][index[:, k]]
            assert np.linalg.norm(normal, axis=1) == pytest.approx(np.ones(len(index)), abs=1e-5)
            long = np.linalg.norm(across, axis=1) > 1e-3
            assert (np.einsum("ij,ij->i", normal, across)[long] > 0.99 * np.linalg.norm(across[long], axis=1)).all()
        feature = named["_FEATURE_ID_0"][index]
        assert (feature == feature[:, :1]).all()
        for number in np.unique(feature):
            triangles.setdefault(int(number), []).append(corners[feature[:, 0] == number])
    assert sorted(triangles) == [n for n, b in enumerate(HOUSES) if b.solid is not None]
    for number, parts in triangles.items():
        solid = HOUSES[number].solid
        assert solid is not None
        mesh = trimesh.Trimesh(**trimesh.triangles.to_kwargs(np.concatenate(parts)))
        assert mesh.is_watertight
        assert mesh.volume == pytest.approx(signed_volume(solid), rel=1e-4)
        place = mesh.bounds + extras["origin"]
        assert place == pytest.approx(np.array([solid.vertices.min(axis=0), solid.vertices.max(axis=0)]), abs=1e-4)


def test_trimesh_reads_it_with_y_up_and_colours_by_surface_type(tmp_path: Path) -> None:
    write_glb(HOUSES[:1], tmp_path / "b.glb", CRS, origin=(603000.0, 1191000.0, 0.0))
    scene = trimesh.load_scene(tmp_path / "b.glb")
    assert {geometry.visual.material.name for geometry in scene.geometry.values()} == {
        "GroundSurface", "WallSurface", "RoofSurface",
    }  # fmt: skip
    assert len({tuple(g.visual.material.baseColorFactor) for g in scene.geometry.values()}) == 3
    # 20–30 m east, 0–6 m high, 0–6 m north, which is −z.
    assert scene.bounds.tolist() == [[20, 0, -6], [30, 6, 0]]
    mesh = scene.to_geometry()
    mesh.merge_vertices(merge_norm=True, merge_tex=True)
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(signed_volume(HOUSES[0].solid))  # type: ignore[arg-type]


def test_without_a_model_the_file_is_still_a_glb(tmp_path: Path) -> None:
    write_glb(HOUSES[-1:], tmp_path / "b.glb", CRS)
    document, binary = parsed(tmp_path / "b.glb")
    assert binary == b""
    assert document["asset"]["extras"]["buildings"] == ["nothing"]
    assert "meshes" not in document

"""Buildings out of the service as models: by box, by level of detail, as others read them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from cjio import cityjson as cjio_model
from fastapi.testclient import TestClient

from api.main import create_app
from api.routes import city_models
from gis.city_model.cityjson import read_cityjson
from tests.api.conftest import PARCELS, CityStore
from tests.api.test_tiles3d import judged, roofed, save, tower
from tests.gis.city_model.roof_samples import HIP_VOLUME
from tests.gis.store_samples import EAST, NORTH, building

CRS = "http://www.opengis.net/def/crs/EPSG/0/9210"


def asked(client: TestClient, west: float, south: float, east: float, north: float, **more: str) -> Any:
    box = f"{west},{south},{east},{north}"
    return client.get("/buildings", params={"bbox": box, "bbox-crs": CRS, **more})


@pytest.fixture(scope="module")
def roofs_client(make_store: Callable[..., CityStore]) -> Iterator[TestClient]:
    store = make_store("models")
    save(store, [*(roofed(n) for n in range(4)), tower()])
    with TestClient(create_app(store.settings, store.city), raise_server_exceptions=False) as made:
        yield made


def test_a_box_as_a_sequence_has_the_buildings_of_the_store_to_the_tenth_of_a_millimetre(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(city_models, "PAGE", 7)
    answer = asked(client, EAST - 10, NORTH - 10, EAST + 1000, NORTH + 100)
    assert answer.headers["content-type"] == "application/city+json-seq"
    first, *lines = map(json.loads, answer.text.splitlines())
    assert first["CityObjects"] == {}
    assert [line["id"] for line in lines] == sorted(f"b-{n:04d}" for n in range(PARCELS))
    scale, shift = np.array(first["transform"]["scale"]), np.array(first["transform"]["translate"])
    west, south, _, east, north, _ = first["metadata"]["geographicalExtent"]
    for number, line in enumerate(lines):
        vertices = np.array(line["vertices"]) * scale + shift
        assert (vertices[:, :2] >= [west, south]).all()
        assert (vertices[:, :2] <= [east, north]).all()
        if number != 7:
            truth = building(number).solid
            assert truth is not None
            assert np.abs(vertices[:, :2].max(axis=0) - truth.vertices[:, :2].max(axis=0)).max() < 1e-4
    (tmp_path / "all.city.jsonl").write_bytes(answer.content)
    assert len(read_cityjson(tmp_path / "all.city.jsonl")[0]) == PARCELS


def test_only_what_touches_the_box_is_there(client: TestClient) -> None:
    # The houses 3 and 4 stand from 18 to 23 and from 24 to 29 m.
    lines = asked(client, EAST + 20, NORTH + 2, EAST + 24, NORTH + 3).text.splitlines()
    assert [json.loads(line)["id"] for line in lines[1:]] == ["b-0003", "b-0004"]
    assert asked(client, EAST + 5.2, NORTH, EAST + 5.8, NORTH + 1).text.count("\n") == 1
    old = asked(client, EAST - 10, NORTH - 10, EAST + 1000, NORTH + 100, datetime="2015-01-01").text
    assert old.count("CityJSONFeature") == PARCELS - 2


def test_cjio_reads_a_box_as_one_object(roofs_client: TestClient) -> None:
    document = asked(roofs_client, EAST - 10, NORTH - 10, EAST + 320, NORTH + 100, f="cityjson").json()
    model = cjio_model.CityJSON(j=document)
    assert sorted(document["CityObjects"]) == ["h-0", "h-1", "tower"]
    assert (model.remove_duplicate_vertices(), model.remove_orphan_vertices()) == (0, 0)
    assert model.calculate_bbox() == pytest.approx(document["metadata"]["geographicalExtent"], abs=1e-3)
    lods = {one["lod"] for one in document["CityObjects"]["h-0"]["geometry"]}
    assert lods == {"0", "1.2", "1.3", "2.2"}
    coarse = asked(roofs_client, EAST - 10, NORTH - 10, EAST + 320, NORTH + 100, f="cityjson", lod="1.2").json()
    assert {one["lod"] for one in coarse["CityObjects"]["h-0"]["geometry"]} == {"0", "1.2"}


def test_a_box_with_too_much_is_refused_and_the_limit_told(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(city_models.MOST, "cityjson", 20)
    answer = asked(client, EAST - 10, NORTH - 10, EAST + 1000, NORTH + 100, f="cityjson")
    assert answer.status_code == 400
    assert "more than 20 buildings" in answer.json()["detail"]
    assert client.get("/buildings").status_code == 400
    assert client.get("/buildings", params={"bbox": "1,2,3"}).status_code == 400
    assert asked(client, EAST, NORTH, EAST + 1, NORTH + 1, datetime="2015-01-01/2016-01-01").status_code == 400


@pytest.mark.parametrize(("lod", "volume"), [(None, HIP_VOLUME), ("1.2", 270.0)])
def test_trimesh_measures_the_same_house_in_obj_and_gltf(
    roofs_client: TestClient, lod: str | None, volume: float, tmp_path: Path
) -> None:
    more = {} if lod is None else {"lod": lod}
    for kind, media in (("obj", "model/obj"), ("glb", "model/gltf-binary")):
        answer = roofs_client.get(f"/buildings/h-1/{kind}", params=more)
        assert answer.headers["content-type"].split(";")[0] == media
        mesh = trimesh.load_scene(io.BytesIO(answer.content), file_type=kind).to_geometry()
        mesh.merge_vertices(merge_norm=True, merge_tex=True)
        assert mesh.is_watertight
        assert mesh.volume == pytest.approx(volume, rel=1e-4)
        (tmp_path / f"h.{kind}").write_bytes(answer.content)
    (said,) = judged([tmp_path / "h.glb"])
    assert (said["numErrors"], said["numWarnings"]) == (0, 0), said["messages"]


def test_a_building_without_a_model_has_none_to_give(client: TestClient) -> None:
    for path in ("/buildings/b-0007/obj", "/buildings/b-0007/glb", "/buildings/nothing/obj"):
        assert client.get(path).status_code == 404
    assert client.get("/buildings/b-0003/glb?lod=9").status_code == 400

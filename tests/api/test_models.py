"""Single buildings: facts with their uncertainty, and the solid as others read it."""

from __future__ import annotations

import json

import pytest
from cjio import cityjson as cjio_model
from fastapi.testclient import TestClient
from shapely.geometry import shape

from tests.api.conftest import FLAGGED, NEW
from tests.gis.store_samples import building


def test_a_building_says_its_heights_with_their_uncertainty(client: TestClient) -> None:
    answer = client.get(f"/buildings/{FLAGGED}")
    assert answer.headers["content-type"] == "application/geo+json"
    document = answer.json()
    facts = document["properties"]
    assert shape(document["geometry"]).is_valid
    assert facts["measured"]["height"] == {"value": 12.4, "sigma": 0.05, "unit": "m", "text": "12.4 ± 0.1 m"}
    assert facts["measured"]["area"]["text"] == "80.0 ± 0.4 m²"
    assert facts["epoch"] == NEW


def test_what_is_flagged_comes_with_the_building(client: TestClient) -> None:
    (difference,) = client.get(f"/buildings/{FLAGGED}").json()["properties"]["differences"]
    assert difference["kind"] == "storeys"
    assert (difference["delta"], difference["sigma"], difference["unit"]) == (0.8, 0.1, "m")
    assert client.get("/buildings/b-0004").json()["properties"]["differences"] == []
    assert (
        client.get(f"/buildings/{FLAGGED}", params={"datetime": "2020-01-01"}).json()["properties"]["differences"] == []
    )


def test_an_unknown_uncertainty_is_left_open(client: TestClient) -> None:
    facts = client.get(f"/buildings/{building(7).uid}").json()["properties"]
    assert facts["sigma_height"] is None
    assert facts["measured"]["height"]["sigma"] is None
    assert facts["reason"] == "no_points"


@pytest.mark.parametrize("uid", [FLAGGED, building(7).uid])
def test_cjio_finds_nothing_to_complain_about(client: TestClient, uid: str) -> None:
    answer = client.get(f"/buildings/{uid}/cityjson")
    assert answer.headers["content-type"] == "application/city+json"
    document = answer.json()
    assert document["version"] == "2.0"
    assert uid in document["CityObjects"]
    model = cjio_model.CityJSON(j=document)
    assert model.get_version() == "2.0"
    assert model.calculate_bbox() == pytest.approx(model.j["metadata"]["geographicalExtent"], abs=1e-3)
    assert (model.remove_duplicate_vertices(), model.remove_orphan_vertices()) == (0, 0)
    assert "9210" in document["metadata"]["referenceSystem"]


def test_the_solid_has_the_measured_heights(client: TestClient) -> None:
    document = client.get(f"/buildings/{FLAGGED}/cityjson").json()
    scale, shift = document["transform"]["scale"], document["transform"]["translate"]
    heights = [vertex[2] * scale[2] + shift[2] for vertex in document["vertices"]]
    assert max(heights) - min(heights) == pytest.approx(12.4, abs=0.002)
    solids = [one for one in document["CityObjects"][FLAGGED]["geometry"] if one["type"] == "Solid"]
    assert {surface["type"] for surface in solids[0]["semantics"]["surfaces"]} == {
        "GroundSurface",
        "RoofSurface",
        "WallSurface",
    }


def test_a_building_of_another_day_is_the_one_measured_then(client: TestClient) -> None:
    document = client.get(f"/buildings/{FLAGGED}/cityjson", params={"datetime": "2015-01-01"}).json()
    assert '"height_m": 6.0' in json.dumps(document["CityObjects"][FLAGGED])


def test_an_unknown_building_is_not_found(client: TestClient) -> None:
    for path in ("/buildings/nothing", "/buildings/nothing/cityjson", "/buildings/%00", "/buildings/" + "x" * 5000):
        answer = client.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"

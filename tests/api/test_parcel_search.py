"""Search of parcels over HTTP: what is found, in which CRS, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import shapely
from fastapi.testclient import TestClient
from shapely.geometry import shape

from gis.crs import transformer
from tests.api.conftest import PARCELS
from tests.gis.store_samples import lot


def search(client: TestClient, **asked: str) -> dict[str, Any]:
    answer = client.get("/parcels/search", params=asked)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/geo+json"
    document: dict[str, Any] = answer.json()
    assert document["numberReturned"] == len(document["features"])
    return document


def keys(document: dict[str, Any]) -> list[str]:
    return [feature["id"] for feature in document["features"]]


@pytest.mark.parametrize(
    ("asked", "by"),
    [
        ({"text": "12/6"}, "number"),
        ({"text": "tờ 12 thửa 6"}, "number"),
        ({"sheet": "12", "parcel": "6"}, "number"),
        ({"sheet": "12", "parcel": "6", "ward": "26734"}, "number"),
        ({"text": "p-0005"}, "uid"),
        ({"text": "6 duong thu nghiem"}, "address"),
        ({"text": "6 Đường Thử Nghiệm"}, "address"),
    ],
)
def test_a_parcel_is_found_by_what_people_know_of_it(client: TestClient, asked: dict[str, str], by: str) -> None:
    document = search(client, **asked)
    assert keys(document) == ["p-0005"]
    told = document["features"][0]["properties"]
    assert (told["found_by"], told["parcel_no"], told["address"]) == (by, "6", "6 Đường Thử Nghiệm")
    assert (told["valid_from"], told["valid_to"]) == ("2009-03-01", None)


def test_a_place_is_found_in_degrees_and_in_the_registers_metres(client: TestClient) -> None:
    point = lot(5).centroid
    lon, lat = transformer(9210, 4326).transform(point.x, point.y)
    assert keys(search(client, at=f"{lon},{lat}")) == ["p-0005"]
    document = search(client, at=f"{point.x},{point.y}", crs="EPSG:9210")
    assert keys(document) == ["p-0005"]
    found = shape(document["features"][0]["geometry"])
    assert shapely.hausdorff_distance(found.boundary, lot(5).boundary) < 0.001


def test_another_day_and_another_ward_have_other_parcels(client: TestClient) -> None:
    assert keys(search(client, text="12/6", as_of="2009-02-28")) == []
    assert keys(search(client, text="12/6", as_of="2009-03-01")) == ["p-0005"]
    assert keys(search(client, text="12/6", known_at="2001-01-01T00:00:00Z")) == []
    assert keys(search(client, sheet="12", parcel="6", ward="00000")) == []


def test_limits_are_said(client: TestClient) -> None:
    document = search(client, text="thu nghiem", limit="7")
    assert (document["numberReturned"], document["has_more"]) == (7, True)
    assert len(search(client, text="thu nghiem", limit="200")["features"]) == PARCELS


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("", "text"),
        ("text=a&at=1,2", "text"),
        ("sheet=12", "text"),
        ("parcel=12", "text"),
        ("text=" + "a" * 500, "text"),
        ("at=106.7", "at"),
        ("at=106.7,x", "y"),
        ("at=106.7,10.7&crs=EPSG:2154", "crs"),
        ("at=106.7,10.7&crs=EPSG:9210", "at"),
        ("text=a&limit=201", "limit"),
        ("text=a&as_of=hier", "datetime"),
        ("text=a&as_of=2001-01-01/..", "as_of"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_its_parameter(client: TestClient, query: str, parameter: str) -> None:
    answer = client.get(f"/parcels/search?{query}")
    assert answer.status_code == 400, answer.text
    assert answer.json()["parameter"] == parameter


def test_no_owner_is_in_an_answer(client: TestClient) -> None:
    text = client.get("/parcels/search", params={"text": "thu nghiem", "limit": "200"}).text
    assert "Nguyễn Thị" not in text
    assert "079" not in text.replace('"coordinates"', "").split('"properties"')[1].split("}")[0]

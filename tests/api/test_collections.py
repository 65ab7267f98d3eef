"""Features of the registers, as OGC API Features clients ask for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely.geometry import box, shape

from gis.crs import transformer
from gis.store.collections import COLLECTIONS
from tests.api.conftest import FLAGGED, PARCELS
from tests.gis.store_samples import EAST, NORTH, building, lot

EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"


def get(client: TestClient, path: str, **parameters: Any) -> dict[str, Any]:
    answer = client.get(path, params={name.replace("_crs", "-crs"): value for name, value in parameters.items()})
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def link(document: dict[str, Any], rel: str) -> str | None:
    return next((one["href"] for one in document["links"] if one["rel"] == rel), None)


def uids(document: dict[str, Any]) -> list[str]:
    return [feature["id"] for feature in document["features"]]


def test_every_collection_is_listed_with_its_extent_and_crs(client: TestClient) -> None:
    listed = get(client, "/collections")
    assert [one["id"] for one in listed["collections"]] == list(COLLECTIONS)
    for one in listed["collections"]:
        assert one["crs"][0] == CRS84
        assert EPSG + "9210" in one["crs"]
        assert one["storageCrs"] == EPSG + "9210"
        west, south, east, north = one["extent"]["spatial"]["bbox"][0]
        assert 106.6 < west < east < 106.8
        assert 10.7 < south < north < 10.9
        assert get(client, f"/collections/{one['id']}") == one


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_every_collection_answers_with_valid_geojson(client: TestClient, collection: str) -> None:
    document = get(client, f"/collections/{collection}/items")
    assert document["type"] == "FeatureCollection"
    assert document["numberReturned"] == document["numberMatched"] == len(document["features"]) > 0
    for feature in document["features"]:
        geometry = shape(feature["geometry"])
        assert geometry.is_valid
        if geometry.geom_type == "Polygon":
            assert geometry.exterior.is_ccw
        assert set(feature["properties"]) == set(COLLECTIONS[collection].properties)
        assert get(client, f"/collections/{collection}/items/{feature['id']}")["properties"] == feature["properties"]


def test_nothing_of_a_person_is_in_any_answer(client: TestClient) -> None:
    for collection in COLLECTIONS:
        text = client.get(f"/collections/{collection}/items", params={"limit": 1000}).text
        assert "hư cấu" not in text
        assert "party" not in text
        assert "id_no" not in text


def test_pages_follow_each_other_without_gap_or_repetition(client: TestClient) -> None:
    seen: list[str] = []
    path: str | None = "/collections/parcels/items?limit=7"
    while path is not None:
        document = client.get(path).json()
        assert document["numberMatched"] == PARCELS
        seen += uids(document)
        path = link(document, "next")
    assert seen == [f"p-{n:04d}" for n in range(PARCELS)]


def test_an_offset_skips_as_many(client: TestClient) -> None:
    assert uids(get(client, "/collections/parcels/items", limit=3, offset=5)) == ["p-0005", "p-0006", "p-0007"]


def test_the_next_link_keeps_what_was_asked(client: TestClient) -> None:
    document = get(client, "/collections/parcels/items", limit=2, land_use="ODT", crs=EPSG + "3857")
    onward = link(document, "next") or ""
    assert "land_use=ODT" in onward
    assert "3857" in onward
    assert uids(client.get(onward).json()) == ["p-0002", "p-0003"]


def test_a_limit_above_the_most_gets_the_most(client: TestClient) -> None:
    assert get(client, "/collections/parcels/items", limit=10**9)["numberReturned"] == PARCELS


@pytest.mark.parametrize("limit", ["0", "-1", "1.5", "ten", "", "NaN"])
def test_a_limit_that_is_no_positive_number_is_refused(client: TestClient, limit: str) -> None:
    answer = client.get("/collections/parcels/items", params={"limit": limit})
    assert answer.status_code == 400
    assert answer.json()["parameter"] == "limit"


@pytest.mark.parametrize(("code", "swapped"), [(4326, True), (3857, False), (9210, False)])
def test_coordinates_come_in_the_order_of_the_authority(client: TestClient, code: int, swapped: bool) -> None:
    answer = client.get("/collections/parcels/items/p-0000", params={"crs": f"{EPSG}{code}"})
    assert answer.headers["content-crs"] == f"<{EPSG}{code}>"
    found = shapely.get_coordinates(shape(answer.json()["geometry"]))
    expected = shapely.get_coordinates(lot(0))
    expected = np.column_stack(transformer(9210, code).transform(expected[:, 0], expected[:, 1]))
    if swapped:
        expected = expected[:, ::-1]
    metre = 1e-5 if code == 4326 else 1.0
    order = [np.lexsort(one.round(6).T) for one in (found, expected)]
    np.testing.assert_allclose(found[order[0]], expected[order[1]], atol=0.002 * metre)


def test_without_a_crs_it_is_longitude_latitude(client: TestClient) -> None:
    answer = client.get("/collections/parcels/items/p-0000")
    assert answer.headers["content-crs"] == f"<{CRS84}>"
    x, y = shape(answer.json()["geometry"]).centroid.coords[0]
    assert (x, y) == pytest.approx(transformer(9210, 4326).transform(EAST + 2.5, NORTH + 10), abs=1e-7)


@pytest.mark.parametrize("name", ["EPSG:3857", "[EPSG:3857]", "urn:ogc:def:crs:EPSG::3857", EPSG + "3857"])
def test_a_crs_goes_by_any_of_its_names(client: TestClient, name: str) -> None:
    assert client.get("/collections/roads/items", params={"crs": name}).headers["content-crs"] == f"<{EPSG}3857>"


@pytest.mark.parametrize("crs", ["EPSG:99999", "", "EPSG:28992", "9210", "http://example.org/def/crs/EPSG/0/9210"])
def test_a_crs_that_is_not_offered_is_refused(client: TestClient, crs: str) -> None:
    for parameter in ("crs", "bbox-crs"):
        answer = client.get("/collections/roads/items", params={parameter: crs, "bbox": "1,2,3,4"})
        assert answer.status_code == 400
        assert answer.json()["parameter"] == parameter


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    west=st.floats(-30, 260),
    south=st.floats(-40, 60),
    width=st.floats(0.01, 80),
    height=st.floats(0.01, 60),
    code=st.sampled_from([9210, 3857, 4326]),
)
def test_a_box_finds_what_touches_it(
    client: TestClient, west: float, south: float, width: float, height: float, code: int
) -> None:
    area = box(EAST + west, NORTH + south, EAST + west + width, NORTH + south + height)
    x0, y0, x1, y1 = transformer(9210, code).transform_bounds(*area.bounds)
    corners = (y0, x0, y1, x1) if code == 4326 else (x0, y0, x1, y1)
    text = ",".join(map(repr, corners))
    found = set(uids(get(client, "/collections/parcels/items", bbox=text, bbox_crs=f"{EPSG}{code}")))
    # A box of another projection is turned a little, so the one that holds the area reaches over it.
    exactly, possibly = (
        {f"p-{n:04d}" for n in range(PARCELS) if lot(n).intersects(reach)}
        for reach in (area, box(*area.buffer(0.5).bounds))
    )
    assert exactly <= found <= possibly
    assert code != 9210 or found == exactly


@pytest.mark.parametrize("bbox", ["-180,-90,180,90", "0,0,180,90", "106.6,10.7,106.7,10.9", "-180,-90,-5,180,90,500"])
def test_a_box_may_be_larger_than_the_city(client: TestClient, bbox: str) -> None:
    assert get(client, "/collections/parcels/items", bbox=bbox)["numberMatched"] == PARCELS


@pytest.mark.parametrize("bbox", ["-10,40,20,60", "0,0,0,0", "106.6,11,106.7,12"])
def test_a_box_elsewhere_finds_nothing(client: TestClient, bbox: str) -> None:
    assert get(client, "/collections/parcels/items", bbox=bbox)["numberMatched"] == 0


@pytest.mark.parametrize(
    "bbox",
    [
        "",
        "1,2,3",
        "1,2,3,4,5",
        "1,2,3,4,5,6,7",
        "a,b,c,d",
        "nan,0,1,1",
        "0,0,inf,1",
        "0,0,1e999,1",
        "170,10,-170,20",
        "0,10,1,9",
        "-181,0,1,1",
        "0,0,1,91",
        "0x1,0,1,1",
        "１,2,3,4",
        "1" * 5000 + ",0,1,1",
        "," * 4000,
    ],
)
def test_a_box_that_is_none_is_refused(client: TestClient, bbox: str) -> None:
    answer = client.get("/collections/parcels/items", params={"bbox": bbox})
    assert answer.status_code == 400
    assert answer.json()["parameter"] == "bbox"
    assert len(answer.json()["detail"]) <= 300


def test_properties_are_asked_for_by_equality(client: TestClient) -> None:
    assert uids(get(client, "/collections/parcels/items", sheet_no="12", parcel_no="5")) == ["p-0004"]
    assert uids(get(client, "/collections/parcels/items", parcel_no="500")) == []
    assert uids(get(client, "/collections/discrepancies/items", kind="storeys", building_uid=FLAGGED)) != []


def test_an_unknown_parameter_is_refused(client: TestClient) -> None:
    answer = client.get("/collections/parcels/items", params={"owner": "x"})
    assert answer.status_code == 400
    assert "land_use" in answer.json()["detail"]


def test_a_building_is_as_the_last_campaign_before_the_day_measured_it(client: TestClient) -> None:
    path = f"/collections/buildings/items/{FLAGGED}"
    assert get(client, path)["properties"]["height"] == 12.4
    assert get(client, path, datetime="2020-06-30")["properties"]["height"] == 6.0
    assert get(client, path, datetime="2012-01-01/2024-01-01")["properties"]["epoch"] == "2012"
    assert get(client, path, datetime="2012-01-01/..")["properties"]["epoch"] == "2025"
    assert client.get(path, params={"datetime": "2011-12-31"}).status_code == 404


def test_each_building_is_there_once(client: TestClient) -> None:
    now = get(client, "/collections/buildings/items")
    assert uids(now) == [building(n).uid for n in range(PARCELS)]
    within = get(client, "/collections/buildings/items", datetime="2000-01-01/..", limit=1000)
    assert uids(within) == uids(now)


def test_parcels_are_there_from_their_first_day_on(client: TestClient) -> None:
    assert get(client, "/collections/parcels/items", datetime="2009-02-28")["numberMatched"] == 0
    assert get(client, "/collections/parcels/items", datetime="2009-03-01T00:00:00Z")["numberMatched"] == PARCELS
    assert get(client, "/collections/parcels/items", datetime="../2009-03-01")["numberMatched"] == PARCELS


def test_permits_are_those_in_force_on_the_day(client: TestClient) -> None:
    on_day = uids(get(client, "/collections/permits/items", datetime="2010-05-17", limit=1000))
    assert "GPXD-0000" in on_day
    assert "GPXD-0001" not in on_day
    assert len(get(client, "/collections/permits/items")["features"]) == PARCELS


def test_nothing_was_known_before_it_was_recorded(client: TestClient) -> None:
    assert get(client, "/collections/parcels/items", known_at="2020-01-01T00:00:00Z")["numberMatched"] == 0
    assert get(client, "/collections/parcels/items", known_at="2100-01-01T00:00:00+07:00")["numberMatched"] == PARCELS


@pytest.mark.parametrize(
    "moment",
    ["", "yesterday", "2026-13-01", "0000-01-01", "2026-01-01/2025-01-01", "../..", "/", "2026-01-01/x", "1" * 999],
)
def test_a_time_that_is_none_is_refused(client: TestClient, moment: str) -> None:
    answer = client.get("/collections/parcels/items", params={"datetime": moment})
    assert answer.status_code == 400
    assert answer.json()["parameter"] == "datetime"


@pytest.mark.parametrize("token", ["x", "!!", "cC0wMDA", "%00", "AA", "A" * 5000, "cC0wMDAw=", "é"])
def test_a_token_from_elsewhere_is_refused_or_harmless(client: TestClient, token: str) -> None:
    answer = client.get("/collections/parcels/items", params={"token": token})
    assert answer.status_code in (200, 400)
    if answer.status_code == 400:
        assert answer.json()["parameter"] == "token"


def test_what_is_not_there_is_not_found(client: TestClient) -> None:
    for path in ("/collections/parties", "/collections/party/items", "/collections/parcels/items/p-9999"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


def test_an_answer_that_has_not_changed_is_not_sent_again(client: TestClient) -> None:
    first = client.get("/collections/parcels/items")
    etag = first.headers["etag"]
    again = client.get("/collections/parcels/items", headers={"If-None-Match": f'"x", {etag}'})
    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["etag"] == etag

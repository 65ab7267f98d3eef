"""What an attacker writes into a URL is refused, or is a value like any other; it never breaks anything."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from gis.access.roles import Role
from tests.api.conftest import PARCELS, CityStore

CORPUS = (
    "'",
    '"',
    "';--",
    "' OR '1'='1",
    "1; DROP TABLE diaba.parcel; --",
    "1); SELECT pg_sleep(10); --",
    "p-0000' UNION SELECT name FROM diaba.party --",
    "$$;SELECT 1;$$",
    "%s %(x)s :x {0} {x}",
    ":after",
    "\\",
    "\x00",
    "a\x00b",
    "\x1b[31m",
    "\r\nSet-Cookie: a=b",
    "\ud7ff\uffff",
    "../../../../etc/passwd",
    "..\\..\\windows",
    "/vsicurl/http://127.0.0.1:1/x.tif",
    "<script>alert(1)</script>",
    "${jndi:ldap://x}",
    "NaN",
    "Infinity",
    "1e400",
    "-0",
    "९",
    "9" * 400,
    "9" * 5000,
    "x" * 20_000,
    "(" * 3000,
)
QUERIES = {
    "/collections/parcels/items": (
        "bbox",
        "bbox-crs",
        "crs",
        "limit",
        "offset",
        "token",
        "datetime",
        "known_at",
        "f",
        "ward_code",
        "land_use",
        "filter",
        "filter-lang",
        "filter-crs",
        "sortby",
        "properties",
        "skipGeometry",
        "resultType",
        "no_such_parameter",
    ),
    "/collections/discrepancies/items": ("kind", "status", "building_uid", "bbox", "datetime"),
    "/collections/parcels/items/p-0000": ("crs", "datetime", "known_at", "properties", "skipGeometry", "f"),
    "/api": ("f",),
    "/tiles/16/52190/30794.mvt": ("layers", "as_of", "known_at"),
    "/raster/dtm/value": ("x", "y", "crs", "epoch"),
    "/raster/dtm/coverage": ("bbox", "bbox-crs", "epoch"),
    "/raster/dtm/16/52190/30794.png": ("epoch", "of", "azimuth", "altitude", "steeper", "interval"),
    "/raster/contours/16/52190/30794@2x.png": ("epoch", "interval"),
    "/raster/profile": ("coords", "crs", "products", "epochs", "step", "samples"),
    "/raster/dtm/statistics": ("coords", "crs", "epoch"),
    "/wmts": ("REQUEST", "LAYER", "TILEMATRIX", "no_such_key"),
    "/terrain/layer.json": ("epoch",),
    "/terrain/14/26095/9172.terrain": ("epoch", "extensions"),
    "/stac/search": ("bbox", "datetime", "intersects", "ids", "collections", "limit", "token", "no_such_parameter"),
    "/stac/collections/dtm/items": ("bbox", "datetime", "limit", "token"),
    "/buildings/b-0003": ("crs", "datetime", "known_at"),
    "/buildings/b-0003/cityjson": ("datetime", "known_at"),
    "/permits/status": ("receipt", "secret"),
    "/parcels/search": ("text", "sheet", "parcel", "ward", "at", "crs", "as_of", "known_at", "limit"),
    "/": ("f",),
}
PATHS = (
    "/{}",
    "/collections/{}",
    "/collections/{}/items",
    "/collections/parcels/items/{}",
    "/collections/{}/queryables",
    "/collections/{}/sortables",
    "/tiles/{}/1/1.mvt",
    "/tiles/16/{}/1.mvt",
    "/tiles/16/1/{}.mvt",
    "/tiles/{}.json",
    "/raster/{}/16/1/1.png",
    "/raster/dtm/16/1/{}.png",
    "/terrain/14/{}/1.terrain",
    "/stac/collections/{}",
    "/stac/collections/dtm/items/{}",
    "/files/dtm/{}",
    "/files/{}/x.tif",
    "/raster/{}/value?x=1&y=1",
    "/raster/{}/tiles.json",
    "/raster/{}/coverage",
    "/buildings/{}",
    "/buildings/{}/cityjson",
    "/viewer/{}",
    "/viewer/fonts/{}",
)


def check(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code < 500, (path[:200], answer.text)
    assert "set-cookie" not in answer.headers
    assert b"root:" not in answer.content
    assert b"Traceback" not in answer.content
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert len(answer.content) < 2000
        assert answer.json()["status"] == answer.status_code


@pytest.mark.parametrize("path", QUERIES)
def test_no_parameter_breaks_the_service(client: TestClient, path: str) -> None:
    for name in QUERIES[path]:
        for evil in CORPUS:
            given = {"x": "1", "y": "1"} if path.endswith("value") else {}
            given |= {"bbox": "106.6,10.7,106.7,10.8"} if path.endswith("coverage") else {}
            given |= {"receipt": "760-2025-000001", "secret": "x"} if path.startswith("/permits") else {}
            if path == "/parcels/search":
                given = {"parcel": {"sheet": "1"}, "sheet": {"parcel": "1"}, "at": {}, "text": {}}.get(
                    name, {"sheet": "1", "parcel": "1"}
                )
            written = "&".join(
                f"{key}={quote(value, safe='', errors='replace')}" for key, value in {**given, name: evil}.items()
            )
            check(client, f"{path}?{written}")


@pytest.mark.parametrize("path", PATHS)
def test_no_part_of_a_path_breaks_the_service(client: TestClient, path: str) -> None:
    for evil in CORPUS:
        check(client, path.format(quote(evil, safe="", errors="replace")))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(QUERIES["/collections/parcels/items"]),
    value=st.one_of(
        st.text(max_size=60),
        st.lists(st.one_of(st.floats(), st.integers()), min_size=3, max_size=7).map(
            lambda one: ",".join(map(str, one))
        ),
        st.datetimes().map(str),
        st.integers().map(str),
    ),
)
def test_no_text_at_all_breaks_a_page_of_features(client: TestClient, name: str, value: str) -> None:
    check(client, f"/collections/parcels/items?{name}={quote(value, safe='', errors='replace')}")


@pytest.mark.parametrize("host", ["evil.example", "a b", "[", "x:99999999", "<script>", "x" * 5000])
def test_a_forged_host_breaks_nothing(client: TestClient, host: str) -> None:
    answer = client.get("/collections", headers={"Host": host})
    assert answer.status_code < 500


def test_the_same_parameter_twice_is_one_of_the_two(client: TestClient) -> None:
    check(client, "/collections/parcels/items?limit=2&limit=3&bbox=1&bbox=106,10,107,11")


def test_after_all_of_it_the_registers_are_what_they_were(client: TestClient, store: CityStore) -> None:
    for evil in CORPUS:
        check(client, f"/collections/parcels/items?sheet_no={quote(evil, safe='', errors='replace')}")
    with store.database.open(Role.READER) as connection:
        assert connection.execute(text("SELECT count(*) FROM diaba.parcel")).scalar_one() == PARCELS

"""Pages of features: their order, their count, what they hold, how the planner finds them, and how people see them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from html.parser import HTMLParser
from typing import Any

import jsonschema
import orjson
import pytest
import shapely
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate
from sqlalchemy import text

from api.main import create_app
from benchmarks.features import EAST, NORTH, fill
from gis.access.roles import Role
from gis.store import items
from gis.store.collections import COLLECTIONS, Moment
from gis.store.items import Form, ItemQuery, counted, find_page, statement
from tests.api.conftest import PARCELS, CityStore

EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
LOTS = 12_000
SORTABLE = ("parcel_no", "land_use", "area_legal", "address", "valid_from", "valid_to", "sheet_no")


@pytest.fixture(scope="module")
def town(make_store: Callable[..., CityStore]) -> CityStore:
    """A town whose keys are in no order of place."""
    made = make_store("town")
    with made.database.open(Role.OWNER) as connection:
        fill(connection, LOTS)
    made.database.analyse()
    return made


@pytest.fixture(scope="module")
def town_client(town: CityStore) -> Iterator[TestClient]:
    with TestClient(create_app(town.settings, town.city), raise_server_exceptions=False) as made:
        yield made


def follow(client: TestClient, **parameters: Any) -> list[dict[str, Any]]:
    """All features, page by page."""
    answer = client.get("/collections/parcels/items", params=parameters)
    found: list[dict[str, Any]] = []
    while True:
        assert answer.status_code == 200, answer.text
        document = answer.json()
        found += document["features"]
        onward = [one["href"] for one in document["links"] if one["rel"] == "next"]
        if not onward:
            return found
        answer = client.get(onward[0])


def rank(feature: dict[str, Any], name: str, *, descending: bool) -> tuple[Any, ...]:
    """For Python's sort, which is stable: None after all others."""
    value = feature["properties"][name]
    if value is None:
        return (1,)
    if not descending:
        return 0, value
    return 0, -value if isinstance(value, int | float) else (*(-ord(letter) for letter in value), 1)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    keys=st.lists(st.tuples(st.sampled_from(SORTABLE), st.booleans()), max_size=3, unique_by=lambda one: one[0]),
    limit=st.integers(3, 60),
    narrowed=st.booleans(),
)
def test_sorted_pages_are_in_the_order_python_sorts_them(
    various_client: TestClient, keys: list[tuple[str, bool]], limit: int, narrowed: bool
) -> None:
    box = {"bbox": "106,10,107,11"} if narrowed else {}
    sortby = ",".join(f"{'-' if descending else ''}{name}" for name, descending in keys)
    found = follow(various_client, limit=limit, **box, **({"sortby": sortby} if keys else {}))
    expected = sorted(
        various_client.get("/collections/parcels/items?limit=1000").json()["features"], key=lambda one: one["id"]
    )
    for name, descending in reversed(keys):
        expected.sort(key=lambda one, name=name, descending=descending: rank(one, name, descending=descending))
    assert [one["id"] for one in found] == [one["id"] for one in expected]


@pytest.mark.parametrize("sortby", ["owner", "uid,uid", "--uid", "uid;", "", "geometry", "a,b,c,d,e,f", "evidence"])
def test_an_order_that_is_none_is_refused(client: TestClient, sortby: str) -> None:
    answer = client.get("/collections/parcels/items", params={"sortby": sortby})
    assert answer.status_code == 400
    assert answer.json()["parameter"] == "sortby"


def test_a_token_of_another_order_is_refused(client: TestClient) -> None:
    page = client.get("/collections/parcels/items?limit=2").json()
    onward = next(one["href"] for one in page["links"] if one["rel"] == "next")
    assert client.get(f"{onward}&sortby=-parcel_no").json()["parameter"] == "token"


def test_only_the_properties_that_are_wanted_come(client: TestClient) -> None:
    for path in ("/collections/parcels/items", "/collections/parcels/items/p-0003"):
        answer = client.get(path, params={"properties": "uid,land_use", "skipGeometry": "true"}).json()
        for feature in answer.get("features", [answer]):
            assert set(feature["properties"]) == {"uid", "land_use"}
            assert feature["geometry"] is None
        bare = client.get(path, params={"properties": ""}).json()
        assert all(feature["properties"] == {} for feature in bare.get("features", [bare]))
        assert client.get(path, params={"properties": "uid,owner"}).json()["parameter"] == "properties"
    ordered = client.get("/collections/parcels/items", params={"properties": "uid", "sortby": "-address", "limit": 3})
    assert all(set(feature["properties"]) == {"uid"} for feature in ordered.json()["features"])


def test_how_many_match_is_exact_or_called_an_estimate(town_client: TestClient, town: CityStore) -> None:
    few = town_client.get("/collections/parcels/items", params={"filter": "land_use = 'CLN'", "limit": 5}).json()
    assert few["numberMatched"] == LOTS // 10
    assert "numberMatchedEstimate" not in few
    for parameters in ({}, {"filter": "land_use = 'ODT'"}, {"land_use": "ODT"}):
        many = town_client.get("/collections/parcels/items", params={**parameters, "limit": 5}).json()
        assert "numberMatched" not in many
        assert 10_000 <= many["numberMatchedEstimate"] <= 1.5 * LOTS
        hits = town_client.get("/collections/parcels/items", params={**parameters, "resultType": "hits"}).json()
        assert hits["numberMatched"] == (LOTS - LOTS // 10 if parameters else LOTS)
        assert hits["features"] == []
    with town.database.open(Role.READER) as connection:
        query = ItemQuery(5, moment=Moment(date(2020, 1, 1), None, is_interval=True))
        assert counted(connection, COLLECTIONS["parcels"], query) == LOTS


def plan(town: CityStore, query: ItemQuery, *, collected: bool) -> dict[str, Any]:
    sql, values = statement(COLLECTIONS["parcels"], query, Form(4326, 8), collected=collected)
    with town.database.open(Role.READER) as connection:
        connection.execute(text("SELECT set_config('plan_cache_mode', 'force_custom_plan', TRUE)"))
        told = connection.execute(text(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}"), values).scalar_one()
    found: dict[str, Any] = told[0]["Plan"]
    return found


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for one in node.get("Plans", []):
        yield from nodes(one)


@pytest.mark.parametrize("size", [60.0, 300.0, 700.0])
def test_a_box_is_looked_up_in_the_index_of_places_before_anything_is_sorted(town: CityStore, size: float) -> None:
    area = shapely.set_srid(shapely.box(EAST + 200, NORTH + 300, EAST + 200 + size, NORTH + 300 + size), 9210)
    steps = list(nodes(plan(town, ItemQuery(100, area=area), collected=True)))
    scans = [step for step in steps if step.get("Relation Name") == "parcel_version"]
    assert len(scans) == 1
    found = next(step for step in steps if "Index Cond" in step)
    assert "geom &&" in found["Index Cond"]
    assert not any("pkey" in step.get("Index Name", "") for step in steps)
    # Nothing but what the box holds, and its edge, was looked at.
    with town.database.open(Role.READER) as connection:
        inside = counted(connection, COLLECTIONS["parcels"], ItemQuery(1, area=area))
    assert found["Actual Rows"] <= 1.2 * inside + 50


def test_a_whole_city_is_walked_by_its_keys(town: CityStore) -> None:
    steps = list(nodes(plan(town, ItemQuery(100, after=("p-0100000",)), collected=False)))
    scan = next(step for step in steps if step.get("Relation Name") == "parcel_version")
    assert "pkey" in scan["Index Name"]
    assert scan["Actual Rows"] <= 150


def test_a_large_result_is_the_same_page_as_a_small_one(town: CityStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of finding a page, on the same questions."""
    area = shapely.set_srid(shapely.box(EAST, NORTH, EAST + 900, NORTH + 900), 9210)
    queries = [
        ItemQuery(50, area=area),
        ItemQuery(50, area=area, offset=120),
        ItemQuery(50, area=area, after=("p-0000500",)),
        ItemQuery(50, equal={"land_use": "CLN"}, sort=(items.SortKey("parcel_no", descending=True),)),
        ItemQuery(50, area=area, moment=Moment(date(2015, 1, 1), date(2016, 1, 1), is_interval=True)),
    ]
    with town.database.open(Role.READER) as connection:
        one = [find_page(connection, COLLECTIONS["parcels"], query, Form(9210, 3)) for query in queries]
        monkeypatch.setattr(items, "COUNTED_AT_MOST", 10)
        other = [find_page(connection, COLLECTIONS["parcels"], query, Form(9210, 3)) for query in queries]
    for first, second in zip(one, other, strict=True):
        assert first.features == second.features
        assert len(first.features) == 50
        assert first.last == second.last
        assert first.matched is not None
        assert second.matched is None


@pytest.fixture(scope="module", params=["openapi30", "openapi31"])
def description(client: TestClient, request: pytest.FixtureRequest) -> dict[str, Any]:
    document: dict[str, Any] = client.get(f"/api?f={request.param}").json()
    return document


def test_the_description_is_valid_openapi(description: dict[str, Any]) -> None:
    validate(description)


def schema_of(description: dict[str, Any], path: str, media_type: str) -> dict[str, Any]:
    found = description["paths"][path]["get"]["responses"]["200"]["content"][media_type]["schema"]
    return {**found, "components": nulls(description["components"])}


def nulls(node: Any) -> Any:
    """OpenAPI 3.0's `nullable` in the words of JSON Schema."""
    if isinstance(node, list):
        return [nulls(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {name: nulls(one) for name, one in node.items()}
    return {"anyOf": [made, {"type": "null"}]} if made.pop("nullable", False) is True else made


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_answers_are_as_the_description_says(client: TestClient, description: dict[str, Any], collection: str) -> None:
    here = f"/collections/{collection}"
    page = client.get(f"{here}/items").json()
    schema = schema_of(description, f"{here}/items", "application/geo+json")
    jsonschema.Draft202012Validator(schema).validate(page)
    one = client.get(f"{here}/items/{page['features'][0]['id']}").json()
    schema = schema_of(description, f"{here}/items/{{featureId}}", "application/geo+json")
    jsonschema.Draft202012Validator(schema).validate(one)
    # A schema that takes anything would prove nothing.
    for name, value in page["features"][0]["properties"].items():
        if isinstance(value, str | int | float):
            one["properties"][name] = {"not": "so"}
            with pytest.raises(jsonschema.ValidationError):
                jsonschema.Draft202012Validator(schema).validate(one)
            break
    queryables = client.get(f"{here}/queryables").json()
    jsonschema.Draft202012Validator.check_schema(queryables)
    asked = {parameter["name"] for parameter in description["paths"][f"{here}/items"]["get"]["parameters"]}
    assert set(client.get(here).json()["filters"]) <= asked
    for feature in page["features"]:
        known = {k: v for k, v in feature["properties"].items() if v is not None and k in queryables["properties"]}
        jsonschema.Draft202012Validator(queryables).validate(known)


@pytest.mark.parametrize(
    ("path", "described"),
    [
        ("/", "/"),
        ("/conformance", "/conformance"),
        ("/collections", "/collections"),
        ("/collections/roads", "/collections/{collectionId}"),
    ],
)
def test_documents_are_as_the_description_says(
    client: TestClient, description: dict[str, Any], path: str, described: str
) -> None:
    schema = schema_of(description, described, "application/json")
    jsonschema.Draft202012Validator(schema).validate(client.get(path).json())


def test_every_city_of_the_country_has_its_reference_systems(client: TestClient) -> None:
    listed = client.get("/collections/parcels").json()["crs"]
    assert listed[0].endswith("CRS84")
    assert listed[1:] == [f"{EPSG}{code}" for code in (9210, 4326, 3857, 5899, 4756)]
    for crs in listed:
        answer = client.get("/collections/parcels/items", params={"crs": crs, "limit": 1})
        assert answer.headers["content-crs"] == f"<{crs}>"


class Page(HTMLParser):
    """A page's links, files and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.files: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "a":
            self.links.append(str(given["href"]))
        self.files += [str(given[name]) for name in ("src", "data-source") if name in given]
        if tag == "link" and given.get("rel") == "stylesheet":
            self.files.append(str(given["href"]))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_people_walk_from_the_first_page_to_a_feature(client: TestClient) -> None:
    """Every page's links and files answer, from this service alone, and each page is in both languages."""
    to_see, seen = ["/?f=html"], set[str]()
    while to_see and len(seen) < 60:
        path = to_see.pop(0)
        kind = re.sub(r"collections/\w+", "collections/x", re.sub(r"items/[^?]+", "items/y", path.split("&")[0]))
        if kind in seen:
            continue
        seen.add(kind)
        answer = client.get(path, headers={"Accept": "text/html"})
        assert answer.status_code == 200, path
        # The viewer, there or at the first address, is no page of links; a browser walks through it in test_viewer.py.
        if not answer.headers["content-type"].startswith("text/html") or path == "/" or "/viewer" in path:
            continue
        page = Page(answer.text)
        for address in [*page.links, *page.files]:
            assert address.startswith("http://testserver/"), (path, address)
        for file in page.files:
            assert client.get(file).status_code == 200, file
        to_see += [link.removeprefix("http://testserver") for link in page.links]
    assert {"/collections/x?f=html", "/collections/x/items?f=html", "/collections/x/items/y?f=html"} <= seen


def test_a_page_shows_what_the_data_say(client: TestClient) -> None:
    page = Page(client.get("/collections/parcels/items?f=html&limit=3").text)
    assert "Thửa đất · Parcels" in page.text
    assert f"3 / {PARCELS}" in page.text
    assert "Số thửa · Parcel number" in page.text
    assert any("token=" in link for link in page.links)
    one = Page(client.get("/collections/parcels/items/p-0003?f=html").text)
    assert "4 Đường Thử Nghiệm" in one.text
    assert "100" in one.text
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    assert client.get("/collections/parcels/items", headers=browser).headers["content-type"].startswith("text/html")
    assert client.get("/collections/parcels/items").headers["content-type"] == "application/geo+json"


def test_nothing_in_the_data_becomes_markup(client: TestClient) -> None:
    for evil in ("<script>alert(1)</script>", '"><img src=x>', "' onload='x"):
        for path in ("/collections/parcels/items", "/collections/parcels"):
            text_ = client.get(path, params={"f": "html", "address": evil}).text
            assert evil not in text_


def test_answers_say_their_links_in_a_header_too(client: TestClient) -> None:
    answer = client.get("/collections/parcels/items?limit=2")
    listed = answer.headers["link"]
    for one in answer.json()["links"]:
        assert f'<{one["href"]}>; rel="{one["rel"]}"; type="{one["type"]}"' in listed
    assert orjson.loads(answer.content)["numberReturned"] == 2

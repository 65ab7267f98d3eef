"""Filters (CQL2): the same answer as Python gives row by row, nothing of their text in the SQL, nothing too large."""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import quote

import cql2
import numpy as np
import orjson
import psycopg
import pytest
import shapely
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely.geometry import mapping
from sqlalchemy import text

from gis.access.roles import Role
from gis.crs import transformer
from gis.store.collections import COLLECTIONS
from gis.store.property_types import GEOMETRY, TYPES, queryables
from tests.api.conftest import STREETS, VARIOUS, CityStore
from tests.api.cql2_oracle import EPSG, SPATIAL, TEMPORAL, Row, ask, expected, found, op, prop
from tests.gis.store_samples import EAST, NORTH, lot

texts = st.sampled_from(["ward_code", "sheet_no", "parcel_no", "land_use", "address"]).map(prop)
numbers = st.recursive(
    st.one_of(
        st.sampled_from(["area_legal", "area_measured"]).map(prop),
        st.sampled_from([0.0, 1.0, 2.0, -3.0, 57.5, 100.0, 120.0, 0.5]),
    ),
    lambda inner: st.one_of(
        st.builds(op, st.sampled_from(["+", "-", "*", "/", "%", "div"]), inner, inner),
        st.builds(op, st.just("^"), inner, st.sampled_from([2.0, 0.5, -1.0, 3.0])),
    ),
    max_leaves=4,
)
words = st.sampled_from([*(one for one in STREETS if one), "ODT", "CLN", "26734", "3", "Đ", "d", "z", "'", "--", "%"])
wrapped = st.recursive(
    st.one_of(texts, words), lambda inner: st.builds(op, st.sampled_from(["casei", "accenti"]), inner), max_leaves=2
)
patterns = st.sampled_from(
    ["%", "Đ%", "%nguyễn%", "%5\\%%", "_LN", "O%", "%'x'", "duong ng%trai", "%\\\\%", "Hẻm 5%\\_%"]
)
days = st.dates(date(2008, 6, 1), date(2018, 6, 1)).map(lambda one: {"date": one.isoformat()})
edges = st.sampled_from(["2009-01-15", "2010-02-15", "2012-04-15", "2015-07-15"]).map(lambda one: {"date": one})
instants = st.one_of(days, edges, st.just(prop("valid_from")))
intervals = st.one_of(
    st.tuples(st.dates(date(2008, 1, 1), date(2018, 1, 1)), st.integers(0, 2000)).map(
        lambda one: {"interval": [one[0].isoformat(), date.fromordinal(one[0].toordinal() + one[1]).isoformat()]}
    ),
    st.sampled_from([["..", "2012-04-15"], ["2012-04-15", ".."], [prop("valid_from"), prop("valid_to")]]).map(
        lambda one: {"interval": one}
    ),
)
shapes = st.builds(
    lambda west, south, width, height, kind: mapping(
        {
            "box": shapely.box(EAST + west, NORTH + south, EAST + west + width, NORTH + south + height),
            "line": shapely.LineString([(EAST + west, NORTH + south), (EAST + west + width, NORTH + south + height)]),
            "point": shapely.Point(EAST + west, NORTH + south),
            "points": shapely.MultiPoint([(EAST + west, NORTH + south), (EAST + west + width, NORTH + 1)]),
            "lot": lot(int(west) % VARIOUS, 5.0 if int(west) % 2 else 6.0),
            "triangle": shapely.Polygon([(EAST, NORTH), (EAST + width + 1, NORTH), (EAST, NORTH + height + 1)]),
        }[kind]
    ),
    st.integers(-12, 180),
    st.integers(-5, 25),
    st.integers(1, 60),
    st.integers(1, 30),
    st.sampled_from(["box", "line", "point", "points", "lot", "triangle"]),
)
comparing = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
leaves = st.one_of(
    st.builds(op, comparing, numbers, numbers),
    st.builds(op, comparing, wrapped, wrapped),
    st.builds(op, comparing, instants, instants),
    st.builds(
        lambda text, pattern, fold: (
            op("like", op(fold, text), op(fold, pattern)) if fold else op("like", text, pattern)
        ),
        texts,
        patterns,
        st.sampled_from(["casei", "accenti", None]),
    ),
    st.builds(lambda value, low, high: op("between", value, low, high), numbers, numbers, numbers),
    st.builds(lambda value, among: op("in", value, among), texts, st.lists(words, min_size=1, max_size=4)),
    st.builds(
        lambda name: op("isNull", prop(name)), st.sampled_from(["area_legal", "land_use", "valid_to", "address"])
    ),
    st.builds(lambda name, shape: op(name, prop(GEOMETRY), shape), st.sampled_from(sorted(SPATIAL)), shapes),
    st.builds(op, st.sampled_from(sorted(TEMPORAL)), st.one_of(instants, intervals), st.one_of(instants, intervals)),
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(op, st.sampled_from(["and", "or"]), inner, inner), st.builds(lambda one: op("not", one), inner)
    ),
    max_leaves=5,
)


TOKENS = (
    *("uid", "area_legal", "geometry", "valid_from", "'x'", "''", "1", "-1", "1e9", ".", "(", ")", ",", "=", "<>", "<"),
    *("AND", "OR", "NOT", "IN", "LIKE", "BETWEEN", "IS", "NULL", "TRUE", "CASEI(", "POINT(1 2)", "POINT", "BBOX("),
    *("POLYGON((", "S_INTERSECTS(", "T_AFTER(", "INTERVAL(", "DATE('2020-01-01')", "TIMESTAMP(", "'..'", "A_EQUALS("),
    *("+", "*", "^", "%", "DIV", '"', "é", "\x1b", "--", "/*", ";", "[", "{", "}"),
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(tree=trees, as_text=st.booleans())
def test_a_filter_finds_what_python_finds(
    various_client: TestClient, various_rows: list[Row], tree: Any, as_text: bool
) -> None:
    given = {"filter": orjson.dumps(tree).decode(), "filter_lang": "cql2-json", "filter_crs": f"{EPSG}9210"}
    if as_text:
        given |= {"filter": cql2.Expr(tree).to_text(), "filter_lang": "cql2-text"}
    assert found(various_client, **given) == expected(tree, various_rows), given["filter"]


@pytest.mark.parametrize(
    ("written", "tree"),
    [
        ("land_use = 'ODT'", op("=", prop("land_use"), "ODT")),
        ("NOT (area_legal BETWEEN 50 AND 100)", op("not", op("between", prop("area_legal"), 50, 100))),
        ("area_legal NOT IN (20, 32.5)", op("not", op("in", prop("area_legal"), [20, 32.5]))),
        ("address IS NOT NULL", op("not", op("isNull", prop("address")))),
        ("area_legal > area_measured", op(">", prop("area_legal"), prop("area_measured"))),
        ("CASEI(address) = CASEI('đường nguyễn trãi')", op("=", op("casei", prop("address")), "đường nguyễn trãi")),
        (
            "CASEI(ACCENTI(address)) LIKE 'duong%'",
            op("like", op("casei", op("accenti", prop("address"))), "duong%"),
        ),
        ("valid_from < DATE('2012-01-01')", op("<", prop("valid_from"), {"date": "2012-01-01"})),
        ("valid_from < '2012-01-01'", op("<", prop("valid_from"), {"date": "2012-01-01"})),
        (
            "T_DURING(valid_from, INTERVAL('2010-01-01', '2012-12-31'))",
            op("t_during", prop("valid_from"), {"interval": ["2010-01-01", "2012-12-31"]}),
        ),
        ("(area_legal + 5) / 2 >= 40", op(">=", op("/", op("+", prop("area_legal"), 5), 2), 40)),
        (
            "area_legal DIV 10 = 4 OR area_legal % 10 = 5",
            op("or", op("=", op("div", prop("area_legal"), 10), 4), op("=", op("%", prop("area_legal"), 10), 5)),
        ),
        ("(area_legal > 100) = TRUE", op(">", prop("area_legal"), 100)),
        ("TRUE", True),
    ],
)
def test_a_filter_is_written_as_the_standard_writes_it(
    various_client: TestClient, various_rows: list[Row], written: str, tree: Any
) -> None:
    wanted = expected(tree, various_rows)
    assert found(various_client, filter=written) == wanted
    assert len(wanted) > 0


def test_a_filters_geometry_is_longitude_latitude_or_in_its_crs(
    various_client: TestClient, various_rows: list[Row]
) -> None:
    area = shapely.box(EAST + 20.5, NORTH + 3.5, EAST + 51.5, NORTH + 8.5)
    wanted = expected(op("s_intersects", prop(GEOMETRY), mapping(area)), various_rows)
    assert 4 < len(wanted) < 10

    def written(code: int, *, swapped: bool) -> str:
        moved = shapely.transform(
            area, lambda xy: np.column_stack(transformer(9210, code).transform(xy[:, 0], xy[:, 1]))
        )
        return f"S_INTERSECTS(geometry, {shapely.transform(moved, lambda xy: xy[:, ::-1]) if swapped else moved})"

    assert found(various_client, filter=written(4326, swapped=False)) == wanted
    for code, swapped in ((4326, True), (3857, False), (9210, False), (5899, False), (4756, True)):
        assert found(various_client, filter=written(code, swapped=swapped), filter_crs=f"{EPSG}{code}") == wanted
    west, south, east, north = transformer(9210, 4326).transform_bounds(*area.bounds)
    assert set(wanted) <= set(
        found(various_client, filter=f"S_INTERSECTS(geometry, BBOX({west},{south},{east},{north}))")
    )


def test_filters_narrow_each_other(various_client: TestClient, various_rows: list[Row]) -> None:
    both = [row["uid"] for row in various_rows if row["land_use"] == "ODT" and (row["area_legal"] or 0) > 100]
    assert found(various_client, filter="area_legal > 100", land_use="ODT") == sorted(both)
    assert found(various_client, filter="area_legal > 100", land_use="ODT", bbox="0,0,1,1") == []


def test_every_property_is_of_the_kind_the_store_says(various: CityStore) -> None:
    names = {"text": "text", "float8": "double precision", "int4": "bigint", "int8": "bigint"}
    with various.database.open(Role.READER) as connection:
        for collection in COLLECTIONS.values():
            columns = ", ".join(f'{one} AS "{name}"' for name, one in collection.properties.items())
            sql = text(f"SELECT {columns} FROM {collection.source} LIMIT 0")  # noqa: S608
            described = connection.execute(sql, {"day": None, "known_at": None}).cursor.description
            assert [column.name for column in described] == list(collection.properties)
            for column in described:
                stored = psycopg.adapters.types[column.type_code].name
                assert names.get(stored, stored) == TYPES[column.name].kind.value, (collection.id, column.name)


def test_queryables_are_a_schema_and_nothing_else_may_be_asked(various_client: TestClient) -> None:
    for collection in COLLECTIONS.values():
        document = various_client.get(f"/collections/{collection.id}/queryables").json()
        assert document["additionalProperties"] is False
        assert set(document["properties"]) == {*queryables(collection.properties), GEOMETRY}
        for name in queryables(collection.properties):
            answer = various_client.get(f"/collections/{collection.id}/items", params={"filter": f"{name} IS NULL"})
            assert answer.status_code == 200, answer.text
    for name in ("owner", "geom", "v.uid", "uid; --", "party_uid", "address_key", "evidence", "recorded", "__key"):
        answer = ask(various_client, filter=orjson.dumps(op("isNull", prop(name))).decode(), filter_lang="cql2-json")
        assert answer.status_code == 400
        assert answer.json()["parameter"] == "filter"


HOSTILE = (
    "",
    " ",
    "land_use",
    "land_use =",
    "land_use = NULL",
    "land_use = 3",
    "area_legal = 'x'",
    "area_legal = TRUE",
    "land_use < TRUE",
    "uid = 'x'; DROP TABLE diaba.parcel",
    "uid = 'x' UNION SELECT name FROM diaba.party",
    "uid = (SELECT name FROM diaba.party)",
    "pg_sleep(10) = 1",
    "lo_import('/etc/passwd') = 1",
    "current_setting('is_superuser') = 'on'",
    "casei(1) = 'x'",
    "area_legal ^ area_legal > 1",
    "area_legal ^ 400 > 1",
    "1e308 * 1e308 > 1",
    "((((((area_legal ^ 8) ^ 8) ^ 8) ^ 8)))  > 1",
    "address LIKE 'x\\'",
    "address LIKE address",
    "valid_from = 'tomorrow'",
    "valid_from = DATE('2026-13-01')",
    "T_AFTER(valid_from, 5)",
    "T_AFTER(address, DATE('2020-01-01'))",
    "T_DURING(valid_from, INTERVAL('2021-01-01','2020-01-01'))",
    "S_INTERSECTS(geometry, POINT(1000000 1000000))",
    "S_INTERSECTS(geometry, POLYGON((0 0, 1 1, 1 0, 0 1, 0 0)))",
    "S_INTERSECTS(geometry, POLYGON((0 0, 1 1)))",
    "S_INTERSECTS(geometry, POINT EMPTY)",
    "S_INTERSECTS(address, POINT(1 1))",
    "S_TOUCHES(geometry, GEOMETRYCOLLECTION(POINT(1 2), LINESTRING(0 0, 1 1)))",
    "S_INTERSECTS(geometry, BBOX(1,2,3))",
    "S_DWITHIN(geometry, POINT(1 2), 10)",
    "A_CONTAINS(address, ('x'))",
    "uid IN ()",
    "\x00",
    "(" * 2000 + "uid = 'x'" + ")" * 2000,
    "(" * 7_000,
    "NOT " * 1000 + "uid = 'x'",
    "-" * 2000 + "area_legal = 1",
    " AND ".join(["area_legal = 1"] * 400),
    "+".join(["1"] * 2000) + " = 1",
    "area_legal" + " / (1 + area_legal" * 20 + ")" * 20 + " > 0",
    "uid = '" + "x" * 2000 + "'",
    "x" * 9000,
    "\ud800",
)


def sparing(written: str) -> str:
    """A value of a query with what must be escaped alone, so that long ones stay within a URL's length."""
    return quote(written.encode("utf-8", "surrogatepass"), safe="()[]{}:,='*/")


@pytest.mark.parametrize("written", HOSTILE)
def test_what_is_no_filter_of_this_collection_is_refused(various_client: TestClient, written: str) -> None:
    answer = various_client.get(f"/collections/parcels/items?filter={sparing(written)}")
    assert answer.status_code == 400, answer.text[:300]
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["parameter"] == "filter"
    assert len(answer.json()["detail"]) <= 300


@pytest.mark.parametrize(
    "tree",
    [
        [],
        {},
        None,
        5,
        {"op": "and"},
        {"op": "and", "args": []},
        {"op": "and", "args": [True]},
        {"op": 5, "args": []},
        {"op": "=", "args": [1]},
        {"op": "=", "args": [{}, {}]},
        {"op": "=", "args": [{"property": {"x": 1}}, 1]},
        {"op": "=", "args": [{"property": ["uid"]}, 1]},
        {"op": "in", "args": [{"property": "uid"}, "x"]},
        {"op": "in", "args": [{"property": "uid"}, []]},
        {"op": "like", "args": [{"property": "uid"}, None]},
        {"op": "t_after", "args": [{"interval": ["..", ".."]}, {"interval": [1]}]},
        {"op": "t_after", "args": [{"interval": "x"}, {"date": 5}]},
        {"op": "s_intersects", "args": [{"property": "geometry"}, {"type": "Polygon", "coordinates": "x"}]},
        {"op": "s_intersects", "args": [{"property": "geometry"}, {"type": "Circle", "coordinates": [1, 2]}]},
        {"op": "s_intersects", "args": [{"property": "geometry"}, {"bbox": "1,2,3,4"}]},
        {"op": "s_intersects", "args": [{"property": "geometry"}, {"bbox": [1, 2, "x", 4]}]},
        {"op": "isNull", "args": [{"property": "geom"}]},
        {"op": "=", "args": [{"op": "sqrt", "args": [4]}, 2]},
    ],
)
def test_json_that_is_no_filter_is_refused(various_client: TestClient, tree: Any) -> None:
    answer = ask(various_client, filter=orjson.dumps(tree).decode(), filter_lang="cql2-json")
    assert answer.status_code == 400, answer.text[:300]
    assert answer.json()["parameter"] == "filter"


def test_json_that_is_too_deep_is_refused(various_client: TestClient) -> None:
    for depth in (40, 400, 3000):
        deep = '{"op":"not","args":[' * depth + "true" + "]}" * depth
        answer = various_client.get(f"/collections/parcels/items?filter-lang=cql2-json&filter={sparing(deep[:7900])}")
        assert (answer.status_code, answer.json()["parameter"]) == (400, "filter")


def test_a_filter_longer_than_a_url_is_refused_with_the_url_s_limit(various_client: TestClient) -> None:
    """Letters that are escaped take up to nine bytes each: such a filter ends before its own 8,000 characters."""
    short = f"address = '{'ễ' * 1000}'"
    assert ask(various_client, filter=short).status_code == 200
    answer = ask(various_client, filter=f"address = '{'ễ' * 2000}'")
    assert answer.status_code == 414
    assert "16384 bytes" in answer.json()["detail"]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    name=st.sampled_from(["uid", "address"]),
    value=st.one_of(
        st.text(max_size=40),
        st.sampled_from(["' OR 1=1 --", "'; SELECT pg_sleep(9); --", ":after", "%(x)s", "$1", "\\", "{0}"]),
    ),
)
def test_a_text_in_a_filter_is_only_a_value(
    various_client: TestClient, various_rows: list[Row], name: str, value: str
) -> None:
    answer = ask(various_client, filter=orjson.dumps(op("=", prop(name), value)).decode(), filter_lang="cql2-json")
    if answer.status_code == 400:
        assert "\x00" in value
        return
    assert [one["id"] for one in answer.json()["features"]] == [
        row["uid"] for row in various_rows if row[name] == value
    ]


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(parts=st.lists(st.sampled_from(TOKENS), max_size=14), glue=st.sampled_from(["", " "]))
def test_no_text_at_all_breaks_the_parser(various_client: TestClient, parts: list[str], glue: str) -> None:
    assert ask(various_client, filter=glue.join(parts)).status_code in (200, 400)


def test_no_row_makes_a_filter_fail(various_client: TestClient) -> None:
    """An error would tell of rows that are not shown."""
    for written in (
        "1 / (area_legal - 20) > 0",
        "area_legal % (area_legal - area_legal) = 0",
        "(20 - area_legal) ^ 0.5 > 1",
        "(area_legal - 20) ^ -2 > 1",
    ):
        assert ask(various_client, filter=written).status_code == 200, written

"""Each relation and each operator of CQL2 by itself, on cases that tell it from its likes."""

from __future__ import annotations

import pytest
import shapely
from fastapi.testclient import TestClient
from shapely.geometry import mapping

from gis.store.property_types import GEOMETRY
from tests.api.cql2_oracle import SPATIAL, TEMPORAL, Row, answered, expected, op, prop, value
from tests.gis.store_samples import EAST, NORTH, lot


@pytest.mark.parametrize("name", sorted(SPATIAL))
def test_each_spatial_relation_is_told_from_the_others(
    various_client: TestClient, various_rows: list[Row], name: str
) -> None:
    around = shapely.union_all([lot(n, 6.0) for n in (2, 3, 4)])
    shapes = {
        "a lot": lot(7),
        "a lot and its neighbours": around.envelope,
        "half of two lots": shapely.box(EAST + 15, NORTH + 5, EAST + 21, NORTH + 15),
        "within a lot": shapely.box(EAST + 25, NORTH + 5, EAST + 27, NORTH + 8),
        "a line across": shapely.LineString([(EAST - 5, NORTH + 7), (EAST + 33, NORTH + 9)]),
        "a line along an edge": shapely.LineString([(EAST + 12, NORTH), (EAST + 12, NORTH + 20)]),
        "a corner": shapely.Point(EAST + 12, NORTH),
        "elsewhere": shapely.Point(EAST - 100, NORTH),
    }
    for what, one in shapes.items():
        for operands in ((prop(GEOMETRY), mapping(one)), (mapping(one), prop(GEOMETRY))):
            tree = op(name, *operands)
            assert answered(various_client, tree) == expected(tree, various_rows), (name, what)


@pytest.mark.parametrize("name", sorted(TEMPORAL))
def test_each_temporal_relation_is_told_from_the_others(
    various_client: TestClient, various_rows: list[Row], name: str
) -> None:
    started = sorted(row["valid_from"] for row in various_rows)
    early, middle, late = (started[place].isoformat() for place in (5, 14, 23))
    firsts = (prop("valid_from"), *({"interval": [prop("valid_from"), end]} for end in (middle, late, "..")))
    seconds = (
        {"date": middle},
        *({"interval": ends} for ends in ([early, middle], [middle, late], [early, late], ["..", middle])),
        {"interval": [prop("valid_from"), middle]},
    )
    for first in firsts:
        for second in seconds:
            tree = op(name, first, second)
            assert answered(various_client, tree) == expected(tree, various_rows), tree


@pytest.mark.parametrize("name", ["+", "-", "*", "/", "%", "div", "^"])
def test_each_kind_of_reckoning_gives_what_python_gives(
    various_client: TestClient, various_rows: list[Row], name: str
) -> None:
    for base in (prop("area_legal"), op("-", 0, prop("area_legal")), op("-", prop("area_legal"), 70)):
        for other in (2.0, -3.0, 0.5, 7.0, 0.0):
            sums = op(name, base, other)
            for row in various_rows[:3]:
                sum_ = value(sums, row)
                if sum_ is not None and abs(sum_) < 1e14:
                    # The library reads some numbers one unit in the last place off.
                    tree = op("<=", sums, sum_ + abs(sum_) * 1e-12)
                    assert answered(various_client, tree) == expected(tree, various_rows), tree
            tree = op("isNull", sums)
            assert answered(various_client, tree) == expected(tree, various_rows), tree


@pytest.mark.parametrize("sign", ["=", "<>", "<", "<=", ">", ">="])
def test_each_comparison_holds_its_edge(various_client: TestClient, various_rows: list[Row], sign: str) -> None:
    for name, one in (
        ("area_legal", 107.5),
        ("address", "Lê Lợi"),
        ("valid_from", {"date": "2012-04-15"}),
        ("land_use", "LUC"),
    ):
        tree = op(sign, prop(name), one)
        assert any(row[name] == value(one, row) for row in various_rows)
        assert answered(various_client, tree) == expected(tree, various_rows), tree

"""CQL2 evaluated row by row in Python with shapely: slow, plain, and none of the service's code."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from typing import Any

import orjson
import shapely
from fastapi.testclient import TestClient

Row = Mapping[str, Any]
EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
SPATIAL = {
    "s_intersects": shapely.intersects,
    "s_equals": shapely.equals,
    "s_disjoint": shapely.disjoint,
    "s_touches": shapely.touches,
    "s_within": shapely.within,
    "s_overlaps": shapely.overlaps,
    "s_crosses": shapely.crosses,
    "s_contains": shapely.contains,
}
ORDER = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
TEMPORAL = {
    "t_after": lambda a, b, c, d: a > d,
    "t_before": lambda a, b, c, d: b < c,
    "t_contains": lambda a, b, c, d: a < c and b > d,
    "t_disjoint": lambda a, b, c, d: a > d or b < c,
    "t_during": lambda a, b, c, d: a > c and b < d,
    "t_equals": lambda a, b, c, d: (a, b) == (c, d),
    "t_finishedBy": lambda a, b, c, d: a < c and b == d,
    "t_finishes": lambda a, b, c, d: a > c and b == d,
    "t_intersects": lambda a, b, c, d: a <= d and b >= c,
    "t_meets": lambda a, b, c, d: b == c,
    "t_metBy": lambda a, b, c, d: a == d,
    "t_overlappedBy": lambda a, b, c, d: c < a < d and b > d,
    "t_overlaps": lambda a, b, c, d: a < c < b and b < d,
    "t_startedBy": lambda a, b, c, d: a == c and b > d,
    "t_starts": lambda a, b, c, d: a == c and b < d,
}


def plain(text: str) -> str:
    marks = unicodedata.normalize("NFD", text)
    return "".join(c for c in marks if not unicodedata.combining(c)).replace("đ", "d").replace("Đ", "D")


def truth(node: Any, row: Row) -> bool | None:
    """True, false, or unknown (None) where a NULL decides."""
    if isinstance(node, bool):
        return node
    op, args = node["op"], node["args"]
    if op in ("and", "or"):
        found = [truth(one, row) for one in args]
        decides = op == "or"
        return decides if decides in found else None if None in found else not decides
    if op == "not":
        inner = truth(args[0], row)
        return None if inner is None else not inner
    if op == "isNull":
        return value(args[0], row) is None
    if op == "in":
        return truth({"op": "or", "args": [{"op": "=", "args": [args[0], one]} for one in args[1]]}, row)
    if op == "between":
        low, high = ({"op": sign, "args": [args[0], one]} for sign, one in zip((">=", "<="), args[1:], strict=True))
        return truth({"op": "and", "args": [low, high]}, row)
    if op in TEMPORAL:
        ends = [*period(args[0], row), *period(args[1], row)]
        return None if None in ends else TEMPORAL[op](*ends)
    operands = [value(one, row) for one in args]
    if None in operands:
        return None
    if op == "like":
        return re.fullmatch(pattern(operands[1]), operands[0], re.DOTALL) is not None
    if op in SPATIAL:
        return bool(SPATIAL[op](*operands))
    return bool(ORDER[op](*operands))


def value(node: Any, row: Row) -> Any:
    """The value of a term; None is NULL."""
    if isinstance(node, bool | int | float | str):
        return node
    if "property" in node:
        return row[node["property"]]
    if "date" in node:
        return date.fromisoformat(node["date"])
    if "type" in node:
        return shapely.geometry.shape(node)
    if "bbox" in node:
        return shapely.box(*node["bbox"])
    if node["op"] in ORDER or node["op"] in ("and", "or", "not", "isNull"):
        return truth(node, row)
    operands = [value(one, row) for one in node["args"]]
    if None in operands:
        return None
    if node["op"] == "casei":
        return operands[0].lower()
    if node["op"] == "accenti":
        return plain(operands[0])
    return reckon(node["op"], *map(float, operands))


def reckon(op: str, a: float, b: float) -> float | None:
    if op in ("/", "%", "div") and abs(b) < 1e-12:
        return None
    if op == "^":
        if (b < 0 and abs(a) < 1e-12) or (b != int(b) and a < 0):
            return None
        return float(a**b)
    return {
        "+": lambda: a + b,
        "-": lambda: a - b,
        "*": lambda: a * b,
        "/": lambda: a / b,
        "div": lambda: float(math.trunc(a / b)),
        "%": lambda: a - b * math.trunc(a / b),
    }[op]()


def period(node: Any, row: Row) -> tuple[Any, Any]:
    if "interval" not in node:
        instant = value(node, row)
        return instant, instant
    start, end = (
        one if one == ".." else (date.fromisoformat(one) if isinstance(one, str) else value(one, row))
        for one in node["interval"]
    )
    return date.min if start in ("..", None) else start, date.max if end in ("..", None) else end


def pattern(like: str) -> str:
    made, rest = "", iter(like)
    for letter in rest:
        made += {"%": ".*", "_": ".", "\\": re.escape(next(rest, "")) if letter == "\\" else ""}.get(
            letter, re.escape(letter)
        )
    return made


def ask(various_client: TestClient, **parameters: Any) -> Any:
    given = {name.replace("_", "-") if name.startswith("filter") else name: one for name, one in parameters.items()}
    return various_client.get("/collections/parcels/items", params={"limit": 1000, **given})


def found(various_client: TestClient, **parameters: Any) -> list[str]:
    answer = ask(various_client, **parameters)
    assert answer.status_code == 200, (parameters, answer.text)
    return [one["id"] for one in answer.json()["features"]]


def expected(tree: Any, rows: list[Row]) -> list[str]:
    return sorted(row["uid"] for row in rows if truth(tree, row))


def op(name: str, *args: Any) -> dict[str, Any]:
    return {"op": name, "args": list(args)}


def prop(name: str) -> dict[str, str]:
    return {"property": name}


def answered(client: TestClient, tree: Any) -> list[str]:
    return found(client, filter=orjson.dumps(tree).decode(), filter_lang="cql2-json", filter_crs=f"{EPSG}9210")

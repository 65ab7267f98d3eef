"""Filters (CQL2) as conditions in SQL: of a collection's own properties and a list of operators, all values bound.

Nothing of a filter's text becomes SQL: operators, functions and properties are looked up in tables of this project,
literals become parameters. What is compiled cannot fail on a row: division by zero and powers of negative numbers are
NULL, and numbers that might grow beyond a double are refused, so that no error tells of a row the caller may not see.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from shapely import to_wkb
from shapely.geometry.base import BaseGeometry

from gis.filters import as_text, refused
from gis.store import cql2_temporal
from gis.store.collections import Collection
from gis.store.property_types import GEOMETRY, Kind, queryables

TEXT_MOST = 1_000
"""Characters of a text in a filter."""
NUMBER_EXPONENT = 15.0
"""A literal is below 10 to this, as are the properties: areas, heights, counts."""
EXPONENT_MOST = 300.0
"""A double ends at about 10^308."""
NEARLY_ZERO = 1e-12
"""What is smaller is not divided by."""
POWER_MOST = 8.0
SQL_MOST = 20_000
"""Characters of reckoning: a divisor is written twice, one in a divisor four times."""

COMPARISONS: Mapping[str, str] = {"=": "=", "<>": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
SPATIAL: Mapping[str, str] = {
    "s_intersects": "ST_Intersects",
    "s_equals": "ST_Equals",
    "s_disjoint": "ST_Disjoint",
    "s_touches": "ST_Touches",
    "s_within": "ST_Within",
    "s_overlaps": "ST_Overlaps",
    "s_crosses": "ST_Crosses",
    "s_contains": "ST_Contains",
}
TEXT_FUNCTIONS: Mapping[str, str] = {
    "casei": "lower({})",
    "accenti": "public.unaccent(CAST('public.unaccent' AS regdictionary), normalize({}, NFC))",
}
ARITHMETIC = frozenset({"+", "-", "*", "/", "^", "%", "div"})

Locate = Callable[[Mapping[str, Any]], BaseGeometry]
"""Makes of a GeoJSON geometry, or of {"bbox": [...]}, one in the city's CRS with its SRID."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on the rows of a collection, and what it binds."""

    sql: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Term:
    """A part of a filter that has a value."""

    sql: str
    kind: Kind
    exponent: float = 0.0
    """Of numbers: they are below 10 to this."""
    literal: Any = None
    """The value, where it is one."""


def compile_filter(tree: Any, collection: Collection, locate: Locate) -> Condition:
    """The condition a filter is.

    Args:
        tree: from `gis.filters.parse`.
        collection: whose properties it may name.
        locate: turns its geometries.

    Raises:
        BadParameter: a property or operator is unknown, or operands are not of kinds that go together.
    """
    compiler = _Compiler(collection, locate)
    sql = compiler.predicate(tree)
    return Condition(sql, compiler.values)


@dataclass(slots=True)
class _Compiler:
    collection: Collection
    locate: Locate
    values: dict[str, Any] = field(default_factory=dict)

    def predicate(self, node: Any) -> str:
        """A condition in parentheses."""
        if isinstance(node, bool):
            return "TRUE" if node else "FALSE"
        operator, operands = _operation(node)
        if operator in ("and", "or"):
            if len(operands) < 2:
                raise refused(as_text(node), f"{operator} joins two conditions or more")
            return f"({f' {operator.upper()} '.join(self.predicate(one) for one in operands)})"
        if operator == "not":
            return f"(NOT {self.predicate(*_exactly(1, operator, operands))})"
        if operator in COMPARISONS:
            return self._comparison(operator, *_exactly(2, operator, operands))
        if operator == "between":
            return self._between(*_exactly(3, operator, operands))
        if operator == "in":
            return self._in(*_exactly(2, operator, operands))
        if operator == "like":
            return self._like(*_exactly(2, operator, operands))
        if operator == "isNull":
            return self._is_null(*_exactly(1, operator, operands))
        if operator in SPATIAL:
            return self._spatial(operator, *_exactly(2, operator, operands))
        if operator in cql2_temporal.RELATIONS:
            first, second = _exactly(2, operator, operands)
            return cql2_temporal.relation(operator, self._period(first), self._period(second))
        raise refused(as_text(node), "no condition this service knows")

    def _spatial(self, operator: str, left: Any, right: Any) -> str:
        parts_allowed = operator in ("s_intersects", "s_disjoint")
        first, second = (self._geometry(one, parts_allowed=parts_allowed) for one in (left, right))
        related = f"{SPATIAL[operator]}({first}, {second})"
        # What all but one imply: under row-level security `&&` alone may look into the spatial index.
        return related if operator == "s_disjoint" else f"({first} && {second} AND {related})"

    def _comparison(self, operator: str, left: Any, right: Any) -> str:
        first, second = self._together(self._scalar(left), self._scalar(right))
        if first.kind is Kind.BOOLEAN and operator not in ("=", "<>"):
            raise refused(as_text([left, operator, right]), "true and false have no order")
        # Texts are in the order of their characters' numbers, whatever the server's language.
        collation = ' COLLATE "C"' if first.kind is Kind.TEXT and operator not in ("=", "<>") else ""
        return f"({first.sql} {COMPARISONS[operator]} {second.sql}{collation})"

    def _between(self, value: Any, low: Any, high: Any) -> str:
        whole = self._scalar(value)
        if not (whole.kind.is_number or whole.kind is Kind.DATE):
            raise refused(as_text(value), "between compares numbers or dates")
        ends = [self._together(whole, self._scalar(one))[1].sql for one in (low, high)]
        return f"({whole.sql} BETWEEN {' AND '.join(ends)})"

    def _in(self, value: Any, among: Any) -> str:
        if not isinstance(among, list) or not among:
            raise refused(as_text(among), "in takes a list of values")
        whole = self._scalar(value)
        members = [self._together(whole, self._scalar(one)) for one in among]
        if any(first.kind is not whole.kind for first, _ in members):
            raise refused(as_text(value), "values of different kinds are compared")
        return f"({whole.sql} IN ({', '.join(one.sql for _, one in members)}))"

    def _like(self, value: Any, pattern: Any) -> str:
        text, wanted = self._scalar(value), self._scalar(pattern)
        if text.kind is not Kind.TEXT or wanted.kind is not Kind.TEXT:
            raise refused(as_text([value, pattern]), "like compares texts")
        literal = _literal_of(pattern)
        if not isinstance(literal, str):
            raise refused(as_text(pattern), "a pattern is a text, of casei or accenti at most")
        if (len(literal) - len(literal.rstrip("\\"))) % 2:
            raise refused(as_text(pattern), "a pattern does not end in a single \\")
        return f"({text.sql} LIKE {wanted.sql})"

    def _is_null(self, operand: Any) -> str:
        if isinstance(operand, Mapping) and operand.get("property") == GEOMETRY:
            return f"({self.collection.geometry} IS NULL)"
        return f"({self._scalar(operand).sql} IS NULL)"

    def _scalar(self, node: Any) -> Term:
        if isinstance(node, bool):
            return Term("TRUE" if node else "FALSE", Kind.BOOLEAN, literal=node)
        if isinstance(node, int | float):
            return self._number(float(node))
        if isinstance(node, str):
            return self._text(node)
        if not isinstance(node, Mapping):
            raise refused(as_text(node), "a property, a text, a number or a date is needed; for NULL there is isNull")
        if "property" in node:
            return self._property(node["property"])
        for name in ("date", "timestamp"):
            if name in node:
                day = cql2_temporal.day(node[name])
                return Term(self._bind(day, Kind.DATE), Kind.DATE, literal=day)
        operator, operands = _operation(node)
        if operator in TEXT_FUNCTIONS:
            inner = self._scalar(*_exactly(1, operator, operands))
            if inner.kind is not Kind.TEXT:
                raise refused(as_text(node), f"{operator} takes a text")
            return Term(TEXT_FUNCTIONS[operator].format(inner.sql), Kind.TEXT)
        if operator in ARITHMETIC:
            return self._arithmetic(operator, *_exactly(2, operator, operands))
        # A condition is a value too: (floors > 3) = TRUE.
        return Term(self.predicate(node), Kind.BOOLEAN)

    def _property(self, name: Any) -> Term:
        found = queryables(self.collection.properties).get(name) if isinstance(name, str) else None
        if found is None:
            known = ", ".join([*queryables(self.collection.properties), GEOMETRY])
            raise refused(as_text(name), f"{self.collection.id} has no such queryable; it has {known}")
        expression = self.collection.properties[name]
        if found.kind.is_number:
            return Term(f"CAST({expression} AS double precision)", Kind.NUMBER, NUMBER_EXPONENT)
        return Term(f"({expression})", found.kind)

    def _number(self, value: float) -> Term:
        if not math.isfinite(value) or abs(value) >= 10**NUMBER_EXPONENT:
            raise refused(str(value), f"numbers are below 1e{NUMBER_EXPONENT:.0f}")
        exponent = math.log10(max(abs(value), 1.0))
        return Term(self._bind(value, Kind.NUMBER), Kind.NUMBER, exponent, value)

    def _text(self, value: str) -> Term:
        if len(value) > TEXT_MOST or "\x00" in value:
            raise refused(value, f"texts have at most {TEXT_MOST} characters")
        return Term(self._bind(value, Kind.TEXT), Kind.TEXT, literal=value)

    def _arithmetic(self, operator: str, left: Any, right: Any) -> Term:
        first, second = self._scalar(left), self._scalar(right)
        if first.kind is not Kind.NUMBER or second.kind is not Kind.NUMBER:
            raise refused(as_text([left, operator, right]), f"{operator} reckons with numbers")
        divisor = f"CASE WHEN abs({second.sql}) >= {NEARLY_ZERO!r} THEN {second.sql} END"
        over = first.exponent - math.log10(NEARLY_ZERO)
        if operator in ("+", "-"):
            exponent, sql = max(first.exponent, second.exponent) + 1.0, f"{first.sql} {operator} {second.sql}"
        elif operator == "*":
            exponent, sql = first.exponent + second.exponent, f"{first.sql} * {second.sql}"
        elif operator == "/":
            exponent, sql = over, f"{first.sql} / {divisor}"
        elif operator == "div":
            exponent, sql = over, f"trunc({first.sql} / {divisor})"
        elif operator == "%":
            # The remainder has the sign of the dividend, as in SQL.
            exponent, sql = over, f"{first.sql} - ({divisor}) * trunc({first.sql} / {divisor})"
        else:
            exponent, sql = self._power(first, second)
        if exponent > EXPONENT_MOST or len(sql) > SQL_MOST:
            raise refused(as_text([left, operator, right]), "its numbers may grow beyond a double, or it is too long")
        return Term(f"({sql})", Kind.NUMBER, exponent)

    def _power(self, base: Term, exponent: Term) -> tuple[float, str]:
        to = exponent.literal
        if not isinstance(to, float) or abs(to) > POWER_MOST:
            raise refused("^", f"an exponent is a number from {-POWER_MOST:g} to {POWER_MOST:g}")
        possible = []
        if to < 0:
            possible.append(f"abs({base.sql}) >= {NEARLY_ZERO!r}")
        if to != int(to):
            possible.append(f"{base.sql} >= 0")
        sql = f"power({base.sql}, {exponent.sql})"
        if possible:
            sql = f"CASE WHEN {' AND '.join(possible)} THEN {sql} END"
        growth = max(base.exponent, -math.log10(NEARLY_ZERO)) if to < 0 else base.exponent
        return growth * abs(to), sql

    def _together(self, first: Term, second: Term) -> tuple[Term, Term]:
        """Two terms of one kind; a text that is a date becomes one beside a date."""
        if first.kind is Kind.DATE and second.kind is Kind.TEXT and second.literal is not None:
            second = Term(self._bind(cql2_temporal.day(second.literal), Kind.DATE), Kind.DATE)
        if second.kind is Kind.DATE and first.kind is Kind.TEXT and first.literal is not None:
            first = Term(self._bind(cql2_temporal.day(first.literal), Kind.DATE), Kind.DATE)
        if first.kind is not second.kind:
            raise refused(f"{first.kind.name} {second.kind.name}".lower(), "values of different kinds are compared")
        return first, second

    def _geometry(self, node: Any, *, parts_allowed: bool) -> str:
        if isinstance(node, Mapping) and "property" in node:
            if node["property"] != GEOMETRY:
                raise refused(as_text(node), f"the geometry is called {GEOMETRY}")
            return self.collection.geometry
        if not isinstance(node, Mapping) or not ("type" in node or "bbox" in node):
            raise refused(as_text(node), "a geometry is needed")
        shape = self.locate(node)
        if shape.geom_type == "GeometryCollection" and not parts_allowed:
            raise refused(as_text(node), "collections of geometries are for s_intersects and s_disjoint")
        name = self._name(to_wkb(shape, include_srid=True))
        return f"ST_GeomFromEWKB(:{name})"

    def _period(self, node: Any) -> cql2_temporal.Period:
        """First and last day, as SQL; of an instant both are one."""
        if isinstance(node, Mapping) and "interval" in node:
            ends = node["interval"]
            if not isinstance(ends, Sequence) or len(ends) != 2:
                raise refused(as_text(node), "an interval has two ends")
            days = [end if end in ("..", "") else cql2_temporal.literal(end) for end in ends]
            if isinstance(days[0], date) and isinstance(days[1], date) and days[0] > days[1]:
                raise refused(as_text(node), "the interval ends before it starts")
            start, end = (self._end(one, open_) for one, open_ in zip(days, ("-infinity", "infinity"), strict=True))
            return start, end
        instant = self._end(cql2_temporal.literal(node), None)
        return instant, instant

    def _end(self, node: Any, when_open: str | None) -> str:
        never = f"CAST('{when_open}' AS date)"
        if isinstance(node, date):
            return self._bind(node, Kind.DATE)
        if when_open is not None and node in ("..", ""):
            return never
        term = self._scalar(node)
        if term.kind is not Kind.DATE:
            raise refused(as_text(node), "a date is needed")
        # What has no end yet goes on for ever.
        return term.sql if when_open is None else f"COALESCE({term.sql}, {never})"

    def _bind(self, value: Any, kind: Kind) -> str:
        return f"CAST(:{self._name(value)} AS {kind.value})"

    def _name(self, value: Any) -> str:
        name = f"filter_{len(self.values)}"
        self.values[name] = value
        return name


def _operation(node: Any) -> tuple[str, list[Any]]:
    if isinstance(node, Mapping) and isinstance(node.get("op"), str) and isinstance(node.get("args"), list):
        name = node["op"]
        # The library keeps the case some functions were written in.
        lower = name.lower()
        return ("isNull" if lower == "isnull" else _TEMPORAL_CASE.get(lower, lower)), node["args"]
    raise refused(as_text(node), "a condition is needed")


_TEMPORAL_CASE = {name.lower(): name for name in cql2_temporal.RELATIONS}


def _exactly(count: int, operator: str, operands: list[Any]) -> list[Any]:
    if len(operands) != count:
        raise refused(operator, f"it takes {count} operands, not {len(operands)}")
    return operands


def _literal_of(node: Any) -> Any:
    """The text inside of functions of texts."""
    while isinstance(node, Mapping) and str(node.get("op")).lower() in TEXT_FUNCTIONS and node.get("args"):
        node = node["args"][0]
    return node

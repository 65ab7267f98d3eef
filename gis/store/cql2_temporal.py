"""The temporal relations of CQL2 (OGC 21-065r2, 7.7) between days and periods of days, both ends included."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from gis.filters import as_text, refused

Period = tuple[str, str]
"""First and last day as SQL."""

RELATIONS: Mapping[str, str] = {
    "t_after": "{a1} > {b2}",
    "t_before": "{a2} < {b1}",
    "t_contains": "{a1} < {b1} AND {a2} > {b2}",
    "t_disjoint": "{a1} > {b2} OR {a2} < {b1}",
    "t_during": "{a1} > {b1} AND {a2} < {b2}",
    "t_equals": "{a1} = {b1} AND {a2} = {b2}",
    "t_finishedBy": "{a1} < {b1} AND {a2} = {b2}",
    "t_finishes": "{a1} > {b1} AND {a2} = {b2}",
    "t_intersects": "{a1} <= {b2} AND {a2} >= {b1}",
    "t_meets": "{a2} = {b1}",
    "t_metBy": "{a1} = {b2}",
    "t_overlappedBy": "{a1} > {b1} AND {a1} < {b2} AND {a2} > {b2}",
    "t_overlaps": "{a1} < {b1} AND {a2} > {b1} AND {a2} < {b2}",
    "t_startedBy": "{a1} = {b1} AND {a2} > {b2}",
    "t_starts": "{a1} = {b1} AND {a2} < {b2}",
}
"""From a1 to a2, and from b1 to b2."""
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def relation(name: str, first: Period, second: Period) -> str:
    """The condition that two periods are so related."""
    (a1, a2), (b1, b2) = first, second
    return f"({RELATIONS[name].format(a1=a1, a2=a2, b1=b1, b2=b2)})"


def day(text: Any) -> date:
    """A date, or the day of a date-time as it is written: registers are kept by the day.

    Raises:
        BadParameter: it is neither.
    """
    try:
        if not isinstance(text, str) or len(text) > 40 or not text.isascii():
            raise ValueError
        return date.fromisoformat(text) if _DAY.fullmatch(text) else datetime.fromisoformat(text.upper()).date()
    except ValueError as error:
        raise refused(as_text(text), "no date such as 2026-01-31") from error


def literal(node: Any) -> Any:
    """The day of a literal; anything else stays what it is."""
    if isinstance(node, str):
        return day(node)
    if isinstance(node, Mapping):
        for name in ("date", "timestamp"):
            if name in node:
                return day(node[name])
    return node

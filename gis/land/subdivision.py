"""How small a parcel may become: the city's minima by zone and day, and what must be merged in the same change.

The minima are those of `data/rules/hcmc_split_minima.csv`; a parcel's zone follows from its ward
(`data/land/split_zones.csv`) or is told. Land Law 2024 art. 220 lets a piece fall below the minimum only if the same
change merges it with a neighbour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise

import shapely
from shapely import LineString, Polygon

from gis.construction.rule_tables import city_rules
from gis.resources import resource
from gis.settings import DEFAULT_JURISDICTION
from gis.tables import records

MERGED_IN_THE_SAME_CHANGE = "Land Law 2024 (31/2024/QH15) art. 220"
ZONE_COLUMNS = ("first_ward", "last_ward", "district", "zone", "source", "article", "verified_by", "doubt")
RESIDENTIAL = ("ODT", "ONT")
"""Land uses the minima of the table are for."""
REACH = 1.0
"""m; how far a front may stand from the road reserve's edge as registered and still be a front."""


class Zone(StrEnum):
    """The zones of QĐ 60/2017."""

    INNER = "inner"
    OUTER_URBAN = "outer_urban"
    RURAL = "rural"


@dataclass(frozen=True, slots=True)
class SplitMinimum:
    """The least a residential parcel may have after a split, in one zone, on one day."""

    zone: Zone
    area_m2: float
    frontage_m: float
    citation: str
    doubt: str | None


@dataclass(frozen=True, slots=True)
class SplitCheck:
    """One piece held against one minimum."""

    uid: str
    quantity: str
    """`area` or `frontage`."""
    limit: float
    actual: float
    unit: str
    citation: str
    doubt: str | None

    @property
    def holds(self) -> bool:
        """Whether the piece reaches it; half the last digit of an official area or length does not count."""
        return self.actual >= self.limit - (0.05 if self.unit == "m²" else 0.005)

    @property
    def sentence(self) -> str:
        """What is wanting, with the text that asks for it."""
        doubt = f" [{self.doubt}]" if self.doubt else ""
        figures = f"{self.quantity} {self.actual:.2f} {self.unit}, at least {self.limit:g} {self.unit}"
        return f"{self.uid}: {figures} ({self.citation}){doubt}"


@dataclass(frozen=True, slots=True)
class Road:
    """A road's centre line and the width of its reserve (lộ giới), metres."""

    line: LineString
    reserve_width_m: float


def minimum_for(zone: Zone, day: date, jurisdiction: str = DEFAULT_JURISDICTION) -> SplitMinimum | None:
    """The minimum in force in a zone of a place on a day; None where the tables have none.

    Raises:
        UnreadableFile: the tables of rules are damaged.
    """
    rules = city_rules().within(jurisdiction)
    tables = (rules.table(name, day) for name in ("split_lot_area", "split_frontage"))
    area, front = (None if table is None else table.find(place=zone.value) for table in tables)
    if area is None or front is None or area.value is None or front.value is None:
        return None
    return SplitMinimum(zone, area.value, front.value, f"{area.row.source}, {area.row.article}", area.doubt)


def zone_of(ward_code: str | None) -> Zone | None:
    """The zone of a ward by its code of before July 2025; None where the table does not have it."""
    if ward_code is None or not ward_code.isdigit():
        return None
    return next((zone for first, last, zone in _zones() if first <= int(ward_code) <= last), None)


def checks(
    pieces: Sequence[tuple[str, Polygon, float]], minimum: SplitMinimum, roads: Sequence[Road], fronted: Polygon
) -> tuple[SplitCheck, ...]:
    """Each piece held against a minimum; frontage where a road passes what was split.

    Args:
        pieces: uid, outline and area in m² of each.
        minimum: in force.
        roads: those near.
        fronted: the outline before the split.
    """
    found = [
        SplitCheck(uid, "area", minimum.area_m2, area, "m²", minimum.citation, minimum.doubt) for uid, _, area in pieces
    ]
    if frontage(fronted, roads) > 0.0:
        found += [
            SplitCheck(
                uid, "frontage", minimum.frontage_m, frontage(polygon, roads), "m", minimum.citation, minimum.doubt
            )
            for uid, polygon, _ in pieces
        ]
    return tuple(found)


def frontage(polygon: Polygon, roads: Sequence[Road]) -> float:
    """The longest front on one road, in metres along the road; 0 where no road passes.

    A front is what of the boundary lies within the road's reserve or not more than `REACH` from it. It is measured
    along the road, so that the side boundaries within that reach do not count.
    """
    return max((_front(polygon, road) for road in roads), default=0.0)


def _front(polygon: Polygon, road: Road) -> float:
    reach = road.reserve_width_m / 2 + REACH
    if not shapely.dwithin(polygon, road.line, reach):
        return 0.0
    near = shapely.intersection(polygon.boundary, shapely.buffer(road.line, reach, cap_style="flat"))
    spans: list[tuple[float, float]] = []
    for part in shapely.get_parts(near):
        along = [road.line.project(shapely.Point(corner)) for corner in shapely.get_coordinates(part)]
        spans += [(min(pair), max(pair)) for pair in pairwise(along)]
    total, reached = 0.0, -1.0
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


@lru_cache(maxsize=1)
def _zones() -> tuple[tuple[int, int, Zone], ...]:
    rows = records(resource("land", "split_zones.csv"), ZONE_COLUMNS)
    return tuple((row.whole("first_ward"), row.whole("last_ward"), row.word("zone", Zone)) for row in rows)

"""What somebody wants to build, where: lot, roads, the masses of the building, the zones of the plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Final

import shapely
from shapely import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from gis.settings import DEFAULT_JURISDICTION

OUTSIDE: Final = 0.01
"""Metres a footprint may reach over a line: what drawings are off by."""


class Use(StrEnum):
    """What the building is; it chooses the tables."""

    DETACHED = "detached"
    ATTACHED = "attached"
    APARTMENTS = "apartments"
    SERVICE = "service"


class AreaKind(StrEnum):
    """Whether the lot is in an area that was built up before the plan, or in a new one."""

    EXISTING = "existing"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Road:
    """A road in front of the lot or near it."""

    name: str
    axis: LineString
    reserve_width: float
    """Metres between its two red lines (lộ giới)."""

    @property
    def reserve(self) -> BaseGeometry:
        """The land kept for the road, square to its ends."""
        return self.axis.buffer(self.reserve_width / 2.0, cap_style="flat")


@dataclass(frozen=True, slots=True)
class Mass:
    """A part of the building with a height of its own; all of it when the building has one height."""

    name: str
    footprint: Polygon
    floors: int
    height: float
    """Metres from the ground to its top."""
    height_at_line: float | None
    """Metres, where it stands at the building line; None when it is of one height."""
    gross_floor_area: float | None
    """m²; None when not stated."""


@dataclass(frozen=True, slots=True)
class Zone:
    """An area of a plan and what it allows there; None where it sets no limit."""

    name: str
    area: Polygon
    level: str
    decision: str
    density_pct: float | None
    far: float | None
    floors_max: int | None
    height_max: float | None
    """Metres."""
    in_force_from: date | None = None
    """First day on which the plan holds; None where it is not known."""


@dataclass(frozen=True)
class Proposal:
    """All a check needs to know; geometry in EPSG:9210, metres."""

    lot: Polygon
    roads: tuple[Road, ...]
    masses: tuple[Mass, ...]
    """Empty when only the lot is asked about."""
    zones: tuple[Zone, ...]
    use: Use
    filed_on: date
    """The rules of this day apply."""
    area_kind: AreaKind
    balcony: float | None = None
    """Metres over the street; None when not stated."""
    temporary: bool = False
    """Asked for as a temporary building (giấy phép xây dựng có thời hạn)."""
    plan_level: str | None = None
    """Of a temporary building: "zoning" or "detailed", the plan that is not yet carried out."""
    basements: int = 0
    design_height: float | None = None
    """Metres, where only the lot is asked about: limits that follow from the height are told for this one."""
    jurisdiction: str = DEFAULT_JURISDICTION
    """Whose rules apply."""
    assumed: tuple[str, ...] = ()
    """What the proposal left open and was taken for granted, a sentence each."""

    @cached_property
    def ground(self) -> BaseGeometry:
        """What the building covers."""
        return shapely.union_all([mass.footprint for mass in self.masses])

    @property
    def height(self) -> float:
        """Of the tallest mass, metres."""
        return max(mass.height for mass in self.masses)

    @property
    def floors(self) -> int:
        """Of the mass with most."""
        return max(mass.floors for mass in self.masses)

    @cached_property
    def mean_height(self) -> float:
        """Over the ground covered, the higher mass where masses overlap, metres."""
        return volume_of([(mass.footprint, mass.height) for mass in self.masses]) / self.ground.area

    @cached_property
    def gross_floor_area(self) -> float:
        """m², as stated; where a mass does not state it, floors times footprint, the higher mass where masses overlap.

        Either all masses state it or none does: a sum of both kinds would count floors twice.
        """
        stated = [mass.gross_floor_area for mass in self.masses if mass.gross_floor_area is not None]
        if len(stated) == len(self.masses):
            return sum(stated)
        return volume_of([(mass.footprint, mass.floors) for mass in self.masses])


def volume_of(blocks: Sequence[tuple[Polygon, float]]) -> float:
    """Sum of area times height of blocks, of the highest alone where several stand on the same ground."""
    total: float = 0.0
    covered: BaseGeometry = shapely.Polygon()
    for footprint, height in sorted(blocks, key=lambda block: -block[1]):
        total += float(footprint.difference(covered).area) * height
        covered = covered.union(footprint)
    return total

"""The register of high-rise and crowded public buildings, how complete it is, and the life of a building (BAG)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache

from gis.errors import BadInput
from gis.lifecycle import Lifecycle, read_lifecycle
from gis.resources import resource

ALL = "*"
"""Stands for all wards, or for all categories, in a target."""


class Category(StrEnum):
    """Why a building is in the register."""

    HIGH_RISE = "high_rise"
    CROWDED_PUBLIC = "crowded_public"


class BuildingStatus(StrEnum):
    """Statuses of a building as in the Dutch register of addresses and buildings (BAG, *pandstatus*)."""

    PERMIT_ISSUED = "permit_issued"
    UNDER_CONSTRUCTION = "under_construction"
    IN_USE_NOT_MEASURED = "in_use_not_measured"
    IN_USE = "in_use"
    DEMOLITION_PERMIT_ISSUED = "demolition_permit_issued"
    DEMOLISHED = "demolished"
    NOT_REALISED = "not_realised"
    IN_ERROR = "in_error"


@dataclass(frozen=True, slots=True)
class RegisteredBuilding:
    """A building of the register. One of both categories has an entry in each."""

    building: str
    category: Category
    ward: str
    start: date | None
    name: str | None = None
    address: str | None = None
    capacity: int | None = None
    """Persons."""
    digitised: date | None = None
    """Day on which its record was made digital; None while it is not."""
    checked: date | None = None
    """Day on which an official checked the record; None while nobody has."""

    def check(self) -> None:
        """Refuse an entry that cannot be.

        Raises:
            BadInput: it has no ward, a capacity below 0, or was checked before it was digitised.
        """
        where = f"building {self.building}, {self.category}"
        if not self.building or not self.ward or self.ward == ALL:
            raise BadInput(f"{where}: a building and its ward are needed")
        if self.capacity is not None and self.capacity < 0:
            raise BadInput(f"{where}: a capacity of {self.capacity} persons cannot be")
        if self.checked is not None and (self.digitised is None or self.checked < self.digitised):
            raise BadInput(f"{where}: it cannot be checked ({self.checked}) before it is digitised ({self.digitised})")


@dataclass(frozen=True, slots=True)
class Target:
    """How many buildings there are to register."""

    ward: str
    """`*`: of the whole city."""
    category: str
    """A category, or `*`: of both together."""
    target: int
    source: str
    start: date | None = None
    doubt: str | None = None

    def check(self) -> None:
        """Refuse a target that cannot be.

        Raises:
            BadInput: its category is not known, it is below 0, or it has no source.
        """
        if self.category not in (ALL, *Category):
            raise BadInput(
                f"target of {self.ward}: {self.category} is no category; there are {', '.join(Category)} and *"
            )
        if self.target < 0 or not self.source or not self.ward:
            raise BadInput(
                f"target of {self.ward}, {self.category}: a ward, a number from 0 on and its source are needed"
            )


@dataclass(frozen=True, slots=True)
class Completeness:
    """A target and what there is of it. A building in two categories counts once in a target of both."""

    target: Target
    registered: int
    digitised: int
    checked: int

    @property
    def fraction(self) -> float | None:
        """Digitised of the target; more than 1 where the target is too low, None where it is 0."""
        return self.digitised / self.target.target if self.target.target else None

    @property
    def missing(self) -> int:
        """How many are still to be digitised."""
        return max(0, self.target.target - self.digitised)


def completeness(targets: Iterable[Target], buildings: Iterable[RegisteredBuilding], day: date) -> list[Completeness]:
    """Hold the register of a day against each target, in the order of the targets."""
    listed = list(buildings)
    found: list[Completeness] = []
    for target in targets:
        own = [one for one in listed if target.ward in (ALL, one.ward) and target.category in (ALL, one.category)]
        found.append(
            Completeness(
                target,
                registered=len({one.building for one in own}),
                digitised=len({one.building for one in own if one.digitised is not None and one.digitised <= day}),
                checked=len({one.building for one in own if one.checked is not None and one.checked <= day}),
            )
        )
    return found


@cache
def building_life() -> Lifecycle:
    """Which status may follow which (`data/registers/building_transitions.csv`)."""
    return read_lifecycle(resource("registers", "building_transitions.csv"))

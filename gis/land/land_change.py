"""Land changes (biến động): what kinds there are, what each rests on, and a change drawn but not yet recorded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from gis.land import topology
from gis.land.parcel import Parcel
from gis.land.subdivision import SplitCheck


class LandChangeKind(StrEnum):
    """What a land change does."""

    SPLIT = "split"
    """Tách thửa: one parcel ends, several begin; a piece too small is merged with a neighbour in the same change."""
    MERGE = "merge"
    """Hợp thửa: several neighbours end, one begins."""
    BOUNDARY_ADJUSTMENT = "boundary_adjustment"
    """Neighbours stay the parcels they are; the land of all stays the same, their common boundary moves."""
    RENUMBERING = "renumbering"
    CHANGE_OF_USE = "change_of_use"
    RESURVEY = "resurvey"
    """The same parcels, measured anew; their land may be another."""
    UNIT_SUCCESSION = "unit_succession"
    """A ward is succeeded by another; its parcels carry the new code."""

    @property
    def contrary(self) -> LandChangeKind:
        """The kind of change that undoes one of this kind."""
        return _CONTRARY.get(self, self)


OUTLINES = frozenset(
    {LandChangeKind.SPLIT, LandChangeKind.MERGE, LandChangeKind.BOUNDARY_ADJUSTMENT, LandChangeKind.RESURVEY}
)
"""Kinds that change outlines; the others change what is said of a parcel."""

_CONTRARY = {LandChangeKind.SPLIT: LandChangeKind.MERGE, LandChangeKind.MERGE: LandChangeKind.SPLIT}


@dataclass(frozen=True, slots=True)
class Basis:
    """The papers a change rests on."""

    approved_at: date | None = None
    legal_ref: str | None = None
    """Decision or article."""
    dossier: str | None = None
    """Number of the dossier."""


@dataclass(frozen=True, slots=True)
class LandChange:
    """A change as the register holds it."""

    id: int
    kind: LandChangeKind
    valid_from: date
    basis: Basis
    area_before: float
    """m², of the parents' outlines."""
    area_after: float
    """m², of the children's outlines."""
    recorded_at: datetime
    undoes: int | None = None
    undone_by: int | None = None

    @property
    def difference(self) -> float:
        """What the area changed by, m²; of all but a resurvey what the millimetre grid did."""
        return self.area_after - self.area_before


@dataclass(frozen=True, slots=True)
class Lineage:
    """Land that a version of a parcel got from a version of a parcel."""

    parent_uid: str
    parent_version: int
    child_uid: str
    child_version: int
    area: float
    """m², of what both outlines have in common."""
    renoded: bool = False
    """The child is a neighbour of the change: the same land with another point on its boundary."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A land change drawn: what it would do, and what is against it."""

    kind: LandChangeKind
    valid_from: date
    parents: tuple[Parcel, ...]
    """As they were; they end unless a child has their uid."""
    children: tuple[Parcel, ...]
    """Version 0: not yet recorded."""
    neighbours: tuple[tuple[Parcel, Parcel], ...] = ()
    """Those that get points on their boundary: as they were, as they are to be."""
    checks: tuple[SplitCheck, ...] = ()
    problems: tuple[str, ...] = ()
    """What forbids the change; empty: it may be recorded."""
    notes: tuple[str, ...] = ()
    """What a person should know, such as what could not be checked."""

    @property
    def area_before(self) -> float:
        """m², of the parents' outlines."""
        return sum(topology.area(parcel.polygon) for parcel in self.parents)

    @property
    def area_after(self) -> float:
        """m², of the children's outlines."""
        return sum(topology.area(parcel.polygon) for parcel in self.children)

    @property
    def difference(self) -> float:
        """m² more than before."""
        return self.area_after - self.area_before

    def inheritance(self) -> list[tuple[Parcel, Parcel, float, bool]]:
        """Parent, child, common area in m², and whether the child is only a neighbour with another point."""
        if self.kind not in OUTLINES:
            pairs = zip(self.parents, self.children, strict=True)
            return [(parent, child, topology.area(child.polygon), False) for parent, child in pairs]
        common = [
            (parent, child, shared, False)
            for parent in self.parents
            for child in self.children
            if (shared := topology.overlap(parent.polygon, child.polygon)) > 0.0
        ]
        same = [
            (before, after, topology.overlap(before.polygon, after.polygon), True) for before, after in self.neighbours
        ]
        return common + same

"""Land changes drawn: each function takes parcels as they are and answers what the change would make of them.

Nothing here reads or writes the register. `neighbours` are all parcels that adjoin on the change's day or later. What
the geometry forbids is raised as `BadGeometry`; what the law forbids is listed in the draft's `problems`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain
from typing import Any

from shapely import Polygon
from shapely.geometry.base import BaseGeometry

from gis.errors import BadGeometry
from gis.land import land_use, subdivision, topology
from gis.land.land_change import Draft, LandChangeKind
from gis.land.land_use import Portions
from gis.land.parcel import Parcel
from gis.land.subdivision import Road, SplitCheck, Zone
from gis.settings import DEFAULT_JURISDICTION

MOST_PIECES = 500
"""Pieces of one split; more come from a wrong file."""


@dataclass(frozen=True, slots=True)
class Part:
    """A parcel to be, as a survey's file tells it; what is None follows from the parcel it comes from."""

    polygon: Polygon
    uid: str | None = None
    parcel_no: str | None = None
    land_use: str | None = None
    area_legal: float | None = None
    address: str | None = None
    land_uses: Portions = ()


@dataclass(frozen=True, slots=True)
class Names:
    """Where new parcels get their names: uids and parcel numbers nobody has had."""

    uids: Iterator[str]
    numbers: Iterator[str | None]


def split(
    parent: Parcel,
    cut: BaseGeometry | Sequence[Part],
    day: date,
    names: Names,
    neighbours: Sequence[Parcel] = (),
    *,
    zone: Zone | None = None,
    jurisdiction: str = DEFAULT_JURISDICTION,
    roads: Sequence[Road] = (),
    small_into: Parcel | None = None,
) -> Draft:
    """A parcel cut by lines, or into given parts.

    Args:
        parent: ends.
        cut: lines, or the parts that fill the parcel.
        day: the first day of the new parcels.
        names: for the new parcels.
        neighbours: all that adjoin.
        zone: for the minima; from the ward's code when not told.
        jurisdiction: whose minima.
        roads: near ones, for frontage.
        small_into: a neighbour that takes what would fall below the minima (Land Law 2024 art. 220).

    Raises:
        BadGeometry: it cannot be cut so.
    """
    region = _with_neighbours_points(parent, neighbours)
    parts = _parts(region, cut)
    if len(parts) > MOST_PIECES:
        raise BadGeometry(parent.uid, f"{len(parts)} pieces; at most {MOST_PIECES} are made at once")
    used = _used_uids(parts)
    children = [_child(part, parent, day, names, used) for part in parts]
    checks, notes = _minima(parent, children, day, (zone, jurisdiction), roads)
    parents: tuple[Parcel, ...] = (parent,)
    small = {check.uid for check in checks if not check.holds}
    if small_into is not None and small:
        parents = (parent, small_into)
        pieces = [child.polygon for child in children if child.uid in small]
        whole = topology.merge([*pieces, topology.noded(topology.on_grid(small_into.polygon), topology.nodes(pieces))])
        again = _given_back(names, parts, children)
        given = [child for child in children if child.uid in small]
        kept = [part for part, child in zip(parts, children, strict=True) if child.uid not in small]
        children = [_child(part, parent, day, again, used) for part in kept]
        grown = _begin(small_into, next(name for name in again.uids if name not in used), whole, day)
        children.append(replace(_together(grown, [small_into, *given]), parcel_no=next(again.numbers)))
        notes += (
            f"what is below the minimum, {len(pieces)} of {len(parts)}, goes to {small_into.uid} "
            f"({subdivision.MERGED_IN_THE_SAME_CHANGE})",
        )
        notes += _uses_note(children[-1])
        checks, _ = _minima(parent, children, day, (zone, jurisdiction), roads)
    problems = tuple(check.sentence for check in checks if not check.holds)
    too_small = bool(problems)
    problems += _uses_lost(parents, children)
    if too_small and small_into is None:
        notes += (
            f"what is below the minimum must be merged in the same change: {subdivision.MERGED_IN_THE_SAME_CHANGE}",
        )
    draft = _draft(LandChangeKind.SPLIT, day, parents, children, neighbours)
    return replace(draft, checks=checks, problems=problems, notes=notes)


def merge(
    parents: Sequence[Parcel],
    day: date,
    names: Names,
    neighbours: Sequence[Parcel] = (),
    *,
    told: Mapping[str, Any] | None = None,
) -> Draft:
    """Neighbours made one parcel; what all have in common it keeps.

    Args:
        parents: end.
        day: the first day of the new parcel.
        names: for the new parcel.
        neighbours: all that adjoin.
        told: attributes of the new parcel, `uid` among them.

    Raises:
        BadGeometry: fewer than two, or they do not adjoin.
    """
    if len({parcel.uid for parcel in parents}) < 2:
        raise BadGeometry("merge", "at least two parcels are needed")
    whole = topology.merge([_with_neighbours_points(parcel, [*parents, *neighbours]) for parcel in parents])
    first, given = parents[0], dict(told or {})
    child = _begin(first, given.pop("uid", None) or next(names.uids), whole, day)
    notes = []
    for name in ("ward_code", "sheet_no", "address"):
        found = {getattr(parcel, name) for parcel in parents}
        if len(found) > 1 and name not in given:
            notes.append(f"{name}: {', '.join(sorted(map(str, found)))}; the new parcel keeps {getattr(first, name)}")
    legal = [parcel.area_legal for parcel in parents]
    total = None if None in legal else round(sum(value or 0.0 for value in legal), 6)
    child = replace(child, parcel_no=given.pop("parcel_no", None) or next(names.numbers), area_legal=total)
    child = replace(child, **given)
    if "land_use" not in given:
        child = _together(child, parents)
        notes += _uses_note(child)
    draft = _draft(LandChangeKind.MERGE, day, parents, [child], neighbours)
    return replace(draft, notes=tuple(notes))


def adjust(
    parents: Sequence[Parcel],
    cut: BaseGeometry | Sequence[Part],
    day: date,
    neighbours: Sequence[Parcel] = (),
    *,
    zone: Zone | None = None,
    jurisdiction: str = DEFAULT_JURISDICTION,
    roads: Sequence[Road] = (),
) -> Draft:
    """Neighbours' common boundary moved: their land together stays, each keeps its uid.

    Args:
        parents: neighbours.
        cut: the new boundary as lines, or one part for each parcel in their order.
        day: the first day of the new boundary.
        neighbours: all that adjoin.
        zone: for the minima; from the ward's code when not told.
        jurisdiction: whose minima.
        roads: near ones, for frontage.

    Raises:
        BadGeometry: they do not adjoin, or the lines do not make one piece for each.
    """
    if len({parcel.uid for parcel in parents}) < 2:
        raise BadGeometry("adjust", "at least two parcels are needed")
    region = topology.merge([_with_neighbours_points(parcel, [*parents, *neighbours]) for parcel in parents])
    told = _parts(region, cut)
    if len(told) != len(parents):
        raise BadGeometry("adjust", f"{len(parents)} parcels need {len(parents)} pieces, not {len(told)}")
    pieces = told if not isinstance(cut, BaseGeometry) else _matched(parents, told)
    children = [
        _with_uses(replace(_begin(parcel, parcel.uid, part.polygon, day), area_legal=part.area_legal), part, parcel)
        for parcel, part in zip(parents, pieces, strict=True)
    ]
    checks, notes = _minima(replace(parents[0], polygon=region), children, day, (zone, jurisdiction), roads)
    problems = tuple(check.sentence for check in checks if not check.holds and _shrank(check, parents, roads))
    problems += _uses_lost(parents, children)
    draft = _draft(LandChangeKind.BOUNDARY_ADJUSTMENT, day, parents, children, neighbours)
    return replace(draft, checks=checks, problems=problems, notes=notes)


def resurvey(parents: Sequence[Parcel], parts: Sequence[Part], day: date, neighbours: Sequence[Parcel] = ()) -> Draft:
    """Parcels measured anew; one part for each, in their order.

    Raises:
        BadGeometry: the number of parts is another.
    """
    if len(parts) != len(parents):
        raise BadGeometry("resurvey", f"{len(parents)} parcels need {len(parents)} outlines, not {len(parts)}")
    around = topology.nodes([*(part.polygon for part in parts), *(parcel.polygon for parcel in neighbours)])
    drawn = [topology.noded(topology.on_grid(part.polygon), around) for part in parts]
    children = [
        replace(_begin(parcel, parcel.uid, polygon, day), area_legal=part.area_legal)
        for parcel, part, polygon in zip(parents, parts, drawn, strict=True)
    ]
    # The same land, measured anew: the uses keep their proportions unless the survey says them.
    children = [
        replace(child, land_uses=land_use.fitted(part.land_uses or parcel.land_uses, child.area))
        for parcel, part, child in zip(parents, parts, children, strict=True)
    ]
    draft = _draft(LandChangeKind.RESURVEY, day, parents, children, neighbours)
    notes = tuple(note for child in children for note in _uses_note(child))
    problems = (*_overlaps(children, neighbours), *_gaps(parents, children, neighbours))
    return replace(draft, problems=problems, notes=notes)


def attributes(kind: LandChangeKind, parents: Sequence[Parcel], told: Sequence[Mapping[str, Any]], day: date) -> Draft:
    """Parcels with other attributes and the same land: renumbering, change of use, unit succession."""
    children = [
        replace(parcel, version=0, valid_from=day, valid_to=None, **new)
        for parcel, new in zip(parents, told, strict=True)
    ]
    return Draft(kind, day, tuple(parents), tuple(children))


def restored(
    kind: LandChangeKind,
    parents: Sequence[Parcel],
    before: Sequence[Parcel],
    day: date,
    neighbours: Sequence[Parcel] = (),
) -> Draft:
    """The contrary of a change of outlines: the parcels of before come back on the land of those that took their place.

    Points that neighbours put on the boundary meanwhile stay there.

    Raises:
        BadGeometry: the land is another than it was before.
    """
    if kind is LandChangeKind.RESURVEY:
        draft = resurvey(parents, [Part(parcel.polygon) for parcel in before], day, neighbours)
        drawn = [child.polygon for child in draft.children]
        problems = draft.problems
    else:
        drawn_parents = [_with_neighbours_points(parcel, [*parents, *neighbours]) for parcel in parents]
        region = topology.merge(drawn_parents) if len(parents) > 1 else drawn_parents[0]
        drawn = list(topology.partition(region, [parcel.polygon for parcel in before]))
        problems = ()
    children = [
        replace(parcel, version=0, polygon=polygon, valid_from=day, valid_to=None)
        for parcel, polygon in zip(before, drawn, strict=True)
    ]
    return replace(_draft(kind, day, parents, children, neighbours), problems=problems)


def _with_neighbours_points(parcel: Parcel, others: Sequence[Parcel]) -> Polygon:
    around = topology.nodes(other.polygon for other in others if other.uid != parcel.uid)
    return topology.noded(topology.on_grid(parcel.polygon), around)


def _parts(region: Polygon, cut: BaseGeometry | Sequence[Part]) -> list[Part]:
    if isinstance(cut, BaseGeometry):
        return [Part(piece) for piece in topology.split(region, cut)]
    if len(cut) < 2:
        raise BadGeometry("parts", "at least two are needed")
    pieces = topology.partition(region, [part.polygon for part in cut])
    return [replace(part, polygon=piece) for part, piece in zip(cut, pieces, strict=True)]


def _used_uids(parts: Sequence[Part]) -> set[str]:
    told = [part.uid for part in parts if part.uid is not None]
    for uid in told:
        if told.count(uid) > 1:
            raise BadGeometry(uid, "two parts have this uid")
    return set(told)


def _given_back(names: Names, parts: Sequence[Part], children: Sequence[Parcel]) -> Names:
    """The names with those first that children got, so that none is used up by a piece that becomes no parcel."""
    pairs = list(zip(parts, children, strict=True))
    uids = [child.uid for part, child in pairs if part.uid is None]
    numbers = [child.parcel_no for part, child in pairs if part.parcel_no is None]
    return Names(chain(uids, names.uids), chain(numbers, names.numbers))


def _child(part: Part, parent: Parcel, day: date, names: Names, used: set[str]) -> Parcel:
    uid = part.uid or next(name for name in names.uids if name not in used)
    child = replace(_begin(parent, uid, part.polygon, day), area_legal=part.area_legal)
    number = part.parcel_no or next(names.numbers)
    child = replace(child, parcel_no=number, address=part.address or parent.address)
    return _with_uses(child, part, parent)


def _begin(parent: Parcel, uid: str, polygon: Polygon, day: date) -> Parcel:
    """A parcel that begins, like its parent; no paper states its area yet. Old numbers stay with their parcel."""
    began = replace(
        parent,
        uid=uid,
        version=0,
        polygon=polygon,
        valid_from=day,
        valid_to=None,
        area_legal=None,
        area_measured=topology.area(polygon),
        land_uses=(),
    )
    return began if uid == parent.uid else replace(began, old_sheet_no=None, old_parcel_no=None)


def _with_uses(child: Parcel, part: Part, parent: Parcel) -> Parcel:
    """The uses a part tells; else its parent's, if that has one only."""
    if part.land_uses:
        uses = part.land_uses
        return replace(child, land_use=part.land_use or land_use.main_use(uses), land_uses=uses)
    if part.land_use is not None:
        return replace(child, land_use=part.land_use)
    uses = land_use.fitted(parent.land_uses, child.area) if len(parent.land_uses) == 1 else ()
    return replace(child, land_use=parent.land_use, land_uses=uses)


def _together(child: Parcel, parents: Sequence[Parcel]) -> Parcel:
    """A parcel with the uses of those it is made of, as far as they are known."""
    uses = land_use.combined(one for parcel in parents for one in parcel.uses)
    if not all(parcel.uses for parcel in parents) or (len(uses) == 1 and not any(p.land_uses for p in parents)):
        return child
    return replace(child, land_use=land_use.main_use(uses), land_uses=land_use.fitted(uses, child.area))


def _uses_note(child: Parcel) -> tuple[str, ...]:
    return (f"land uses of {child.uid}: {land_use.written(child.land_uses)}",) if child.land_uses else ()


def _uses_lost(parents: Sequence[Parcel], children: Sequence[Parcel]) -> tuple[str, ...]:
    """What of the uses of parcels with several of them the new parcels do not have, or have too much of."""
    if all(len(parcel.land_uses) < 2 for parcel in parents):
        return tuple(_not_adding_up(children))
    had, got = ([one for parcel in side for one in parcel.uses] for side in (parents, children))
    # Papers and outlines differ; what is to be kept are the proportions.
    factor = land_use.total(got) / land_use.total(had) if had else 1.0
    rounding = land_use.ROUNDING * (len(had) + len(got))
    problems = list(_not_adding_up(children))
    for code in sorted({one.code for one in [*had, *got]}):
        before = factor * land_use.total(one for one in had if one.code == code)
        after = land_use.total(one for one in got if one.code == code)
        if abs(before - after) > rounding:
            problems.append(
                f"{code} has {before:.2f} m² before and {after:.2f} m² after; "
                "say the uses of each part as land_uses in --into"
            )
    return tuple(problems)


def _not_adding_up(children: Sequence[Parcel]) -> Iterator[str]:
    for child in children:
        if child.land_uses and not land_use.adds_up(child.land_uses, child.area):
            together = land_use.total(child.land_uses)
            yield f"{child.uid}: its land uses are {together:.2f} m² together, its area {child.area:.2f} m²"


def _matched(parents: Sequence[Parcel], pieces: Sequence[Part]) -> list[Part]:
    """To each parcel the piece that has most of its land."""
    free, found = list(pieces), []
    for parcel in parents:
        best = max(free, key=lambda part: topology.overlap(parcel.polygon, part.polygon))
        free.remove(best)
        found.append(best)
    return found


def _minima(
    parent: Parcel, children: Sequence[Parcel], day: date, where: tuple[Zone | None, str], roads: Sequence[Road]
) -> tuple[tuple[SplitCheck, ...], tuple[str, ...]]:
    others = sorted({child.land_use or "unknown" for child in children} - set(subdivision.RESIDENTIAL))
    notes = tuple(f"the minima are for residential land; for land use {use} none was checked" for use in others)
    pieces = [(c.uid, c.polygon, c.area_measured) for c in children if c.land_use in subdivision.RESIDENTIAL]
    if not pieces:
        return (), notes
    place = where[0] or subdivision.zone_of(parent.ward_code)
    if place is None:
        unknown = f"no minimum was checked: the zone of ward {parent.ward_code or 'unknown'} is not known; tell it"
        return (), (*notes, unknown)
    minimum = subdivision.minimum_for(place, day, where[1])
    if minimum is None:
        return (), (
            *notes,
            f"no minimum was checked: {where[1]} has none for zone {place.value} on {day}",
        )
    found = subdivision.checks(pieces, minimum, roads, parent.polygon)
    if minimum.doubt:
        notes += (f"{minimum.citation}, zone {place.value}: {minimum.doubt}",)
    if not any(check.quantity == "frontage" for check in found):
        notes += ("frontage was not checked: no registered road passes the parcel",)
    return found, notes


def _shrank(check: SplitCheck, parents: Sequence[Parcel], roads: Sequence[Road]) -> bool:
    """Whether an adjustment takes from a parcel; one that was too small before may stay so, or grow."""
    polygon = next(parcel.polygon for parcel in parents if parcel.uid == check.uid)
    before = topology.area(polygon) if check.quantity == "area" else subdivision.frontage(polygon, roads)
    return check.actual < before - topology.GRID


def _draft(
    kind: LandChangeKind, day: date, parents: Sequence[Parcel], children: Sequence[Parcel], neighbours: Sequence[Parcel]
) -> Draft:
    """The draft, with the new points put on the neighbours' boundaries."""
    points = topology.outer_nodes([child.polygon for child in children])
    changing = {parcel.uid for parcel in parents}
    renoded = []
    for neighbour in neighbours:
        if neighbour.uid in changing:
            continue
        polygon = topology.noded(neighbour.polygon, points)
        if polygon is not neighbour.polygon:
            begin = day if neighbour.valid_from is None else max(day, neighbour.valid_from)
            renoded.append((neighbour, replace(neighbour, version=0, polygon=polygon, valid_from=begin)))
    return Draft(kind, day, tuple(parents), tuple(children), tuple(renoded))


def _overlaps(children: Sequence[Parcel], neighbours: Sequence[Parcel]) -> Iterator[str]:
    others = [*children, *neighbours]
    for place, child in enumerate(children):
        for other in others[place + 1 :]:
            shared = topology.overlap(child.polygon, other.polygon)
            if other.uid != child.uid and shared > 0.0:
                yield f"{child.uid} would overlap {other.uid} by {shared:.3f} m²; survey both in one change"


def _gaps(parents: Sequence[Parcel], children: Sequence[Parcel], neighbours: Sequence[Parcel]) -> Iterator[str]:
    """Land along a registered neighbour, or between two of the parcels, that would be nobody's any more."""
    for gap in topology.lost([parcel.polygon for parcel in parents], [child.polygon for child in children]):
        beside = [one.uid for one in neighbours if topology.shares_boundary(gap, one.polygon)]
        between = [one.uid for one in children if topology.shares_boundary(gap, one.polygon)]
        if beside or len(between) > 1:
            along = ", ".join(beside or between)
            yield f"{gap.area:.3f} m² along {along} would be nobody's; survey all that adjoin in one change"

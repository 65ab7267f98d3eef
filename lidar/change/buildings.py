"""Buildings that came, went, grew or shrank between two surveys, each with its figure ± σ and how sure it is.

What stands is told by the registers of both surveys and by the rasters of both, and a change is flagged only where all
agree and it exceeds the tolerance by more than k · σ, with k from the accepted rate of false alarms, as
`gis.construction.compliance` does it. Trees are in the rasters and not in the registers, noise and another density in
the registers and not at the same place in the rasters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import ceil, hypot, sqrt
from statistics import NormalDist

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import geometry_mask
from scipy.ndimage import binary_erosion, binary_opening, label
from shapely import Polygon, STRtree

from gis.bounds import BoundingBox
from gis.errors import BadParameter
from gis.grid import Grid
from gis.raster import Raster
from lidar.change.registration import Registration


class Change(StrEnum):
    """What happened to a building."""

    NEW = "new"
    DEMOLISHED = "demolished"
    TALLER = "taller"
    LOWER = "lower"
    EXTENDED = "extended"
    REDUCED = "reduced"


@dataclass(frozen=True, slots=True)
class Measured:
    """A building of one survey's register; metres, heights of roofs above the datum. Unknown heights are NaN."""

    uid: str
    footprint: Polygon
    roof: float
    """The roof's 70th percentile."""
    height: float
    """Above the ground."""
    sigma_height: float
    sigma_outline: float
    standing: bool = True
    """False where the map has an outline and the survey found ground."""
    known: bool = True
    """Whether the outline is a base map's, the same for both surveys, or was derived from this survey's points."""


@dataclass(frozen=True, slots=True)
class Surfaces:
    """Rasters of both surveys on one grid, the later ones put back to where the earlier survey lies."""

    roof_earlier: Raster
    """DSM"""
    roof_later: Raster
    above_earlier: Raster
    """nDSM"""
    above_later: Raster

    def __post_init__(self) -> None:
        grids = {raster.grid.bounds.tuple for raster in (self.roof_earlier, self.roof_later, self.above_later)}
        if grids != {self.above_earlier.grid.bounds.tuple}:
            raise BadParameter("surfaces", len(grids), "the four rasters lie on different grids")

    @property
    def grid(self) -> Grid:
        """Of all four."""
        return self.above_earlier.grid


@dataclass(frozen=True, slots=True)
class BuildingChange:
    """One change, flagged."""

    uid: str
    """Of the building: of the later survey, or of the earlier one where it is gone."""
    change: Change
    place: Polygon
    """What came, went or changed its height."""
    delta: float
    """m of height (taller, lower) or m² of area (the others); negative for lower, demolished and reduced."""
    unit: str
    sigma: float
    confidence: float
    """Probability that the true change exceeds the tolerance, for normal errors."""
    evidence: Mapping[str, float | int | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChangeParameters:
    """What the office chooses."""

    false_alarm_rate: float = 0.01
    """Accepted probability that a building without change is flagged, for each kind of change."""
    height_tolerance: float = 1.0
    """m that a roof may rise or sink without being a storey: tanks, sheds, another percentile of the same roof."""
    outline_tolerance: float = 0.5
    """m that a wall may seem to move: a cell of the rasters."""
    standing: float = 2.0
    """m above the ground from where on something stands."""
    smallest_building: float = 9.0
    """m²"""
    smallest_part: float = 4.0
    """m² of a part that was added or taken down."""
    most: float = 0.7
    """Share of an outline that must have changed for all of it to have: the rest is rims, crowns and rubble."""

    def __post_init__(self) -> None:
        if not 0 < self.false_alarm_rate < 0.5:
            raise BadParameter("false_alarm_rate", self.false_alarm_rate, "must lie between 0 and 0.5")

    @property
    def k(self) -> float:
        """Number of standard deviations for the one-sided rate."""
        return NormalDist().inv_cdf(1.0 - self.false_alarm_rate)


def building_changes(
    earlier: Sequence[Measured],
    later: Sequence[Measured],
    surfaces: Surfaces,
    registration: Registration | None = None,
    parameters: ChangeParameters = ChangeParameters(),
    plots: Sequence[Polygon] = (),
) -> list[BuildingChange]:
    """Compare two registers of buildings.

    Args:
        earlier: the first survey's buildings.
        later: the second one's, as measured.
        surfaces: the rasters over all of them, put back by `Registration.put_back`.
        registration: the same; later heights and derived outlines are put back here.
        parameters: what the office chooses.
        plots: land parcels. What was added to a house on its own plot is an extension of it; without plots whatever
            is smaller than a house and adjoins one is.

    Returns:
        The changes, by uid and kind; the same for any order of the input.
    """
    registration = registration or Registration()
    registration = registration or Registration()
    after = [_put_back(one, registration) for one in later]
    before = list(earlier)
    match = _Matching(before, after)
    made = _Comparison(surfaces, registration, parameters)
    found: list[BuildingChange] = []
    for old in before:
        if old.standing:
            found += made.of_old(old, match.later_of(old))
    homes = _Homes([one for one in before if one.standing], plots)
    for new in after:
        if new.standing and not match.stood_before(new):
            found += made.of_new(new, homes)
    return sorted(_joined(found), key=lambda change: (change.uid, change.change, change.place.bounds))


def _put_back(one: Measured, registration: Registration) -> Measured:
    shape = one.footprint
    if not one.known:
        shape = shapely.transform(shape, lambda xy: xy - (registration.east, registration.north))
    return replace(one, footprint=shape, roof=one.roof - registration.up)


class _Matching:
    """Which building of one survey is which of the other: by uid, else by what covers most of it."""

    def __init__(self, before: Sequence[Measured], after: Sequence[Measured]) -> None:
        self.after = {one.uid: one for one in after}
        self.before = {one.uid: one for one in before}
        self.standing = [one for one in after if one.standing]
        self.tree = STRtree([one.footprint for one in self.standing])
        self.stood = [one for one in before if one.standing]
        self.stood_tree = STRtree([one.footprint for one in self.stood])

    def later_of(self, old: Measured) -> Measured | None:
        """The same building later, whether it stands or not."""
        same = self.after.get(old.uid)
        if same is not None and (same.known or same.footprint.intersects(old.footprint)):
            return same
        return _covering(old.footprint, self.standing, self.tree)

    def stood_before(self, new: Measured) -> bool:
        """Whether it was there: under its uid, or mostly under other outlines."""
        same = self.before.get(new.uid)
        if same is not None and same.standing:
            return True
        near = [self.stood[i].footprint for i in self.stood_tree.query(new.footprint, predicate="intersects")]
        covered = shapely.area(shapely.intersection(new.footprint, shapely.union_all(near))) if near else 0.0
        return bool(covered > 0.5 * new.footprint.area)


def _covering(shape: Polygon, among: Sequence[Measured], tree: STRtree) -> Measured | None:
    best, most = None, 0.5 * shape.area
    for index in sorted(tree.query(shape, predicate="intersects").tolist()):
        area = float(shapely.area(shapely.intersection(shape, among[index].footprint)))
        if area > most:
            best, most = among[index], area
    return best


class _Homes:
    """Houses that a new part may belong to."""

    def __init__(self, standing: Sequence[Measured], plots: Sequence[Polygon]) -> None:
        self.standing = list(standing)
        self.tree = STRtree([one.footprint for one in self.standing])
        self.plots = list(plots)
        self.plot_tree = STRtree(self.plots)

    def of(self, part: Polygon, smallest: float) -> Measured | None:
        """The house that a part extends; None where it is a building of its own."""
        near = [self.standing[i] for i in self.tree.query(part, predicate="dwithin", distance=1.0)]
        near.sort(key=lambda one: (one.footprint.distance(part), -one.footprint.area, one.uid))
        if not self.plots:
            return near[0] if near and part.area < smallest else None
        inside = [
            (float(shapely.area(shapely.intersection(part, self.plots[i]))), i)
            for i in self.plot_tree.query(part, predicate="intersects")
        ]
        if not inside:
            return None
        plot = self.plots[max(inside)[1]]
        on_it = ((one, float(shapely.area(shapely.intersection(one.footprint, plot)))) for one in near)
        return next((one for one, area in on_it if area > 0.5 * one.footprint.area), None)


class _Comparison:
    """An outline held against the rasters of both surveys."""

    def __init__(self, surfaces: Surfaces, registration: Registration, parameters: ChangeParameters) -> None:
        self.surfaces, self.registration, self.parameters = surfaces, registration, parameters

    def of_old(self, old: Measured, now: Measured | None) -> list[BuildingChange]:
        """What happened to a building that stood."""
        cells = self._cells(old.footprint)
        if cells is None:
            return []
        p = self.parameters
        gone = cells.known & cells.stood & ~cells.stands
        stood = cells.known & cells.stood
        share = float(gone.sum() / max(stood.sum(), 1))
        if stood.sum() < 0.3 * cells.inside.sum():
            return []  # the rasters do not know the building: nothing can be said
        if share >= p.most:
            return self._area(old, Change.DEMOLISHED, old.footprint, -old.footprint.area, old, share)
        found = []
        lost = self._patch(cells.full & cells.stood & ~cells.stands, cells.grid, old)
        if lost is not None and (now is None or not now.known or now.standing):
            found += self._area(now or old, Change.REDUCED, lost, -lost.area, old, share)
        if now is not None and now.standing:
            found += self._height(old, now, cells)
            if not now.known:
                found += self._grown(old, now)
        return found

    def _grown(self, old: Measured, now: Measured) -> list[BuildingChange]:
        """A part that was added to a building whose outline each survey derived for itself."""
        cells = self._cells(now.footprint)
        if cells is None:
            return []
        part = self._patch(cells.full & ~cells.stood & cells.stands, cells.grid, now)
        if part is None:
            return []
        share = float(part.area / now.footprint.area)
        return self._area(now, Change.EXTENDED, part, part.area, old, share)

    def of_new(self, new: Measured, homes: _Homes) -> list[BuildingChange]:
        """A building, or a part of one, where none stood."""
        cells = self._cells(new.footprint)
        if cells is None:
            return []
        p = self.parameters
        came = cells.known & ~cells.stood & cells.stands
        share = float(came.sum() / max(cells.inside.sum(), 1))
        home = homes.of(new.footprint, 2.5 * p.smallest_building)
        if home is not None:
            part = self._patch(cells.full & ~cells.stood & cells.stands, cells.grid, new)
            if part is None:
                return []
            return self._area(home, Change.EXTENDED, part, part.area, new, share)
        if share < 0.5 or new.footprint.area < p.smallest_building:
            return []
        return self._area(new, Change.NEW, new.footprint, new.footprint.area, new, share)

    def _height(self, old: Measured, now: Measured, cells: _Cells) -> list[BuildingChange]:
        """A roof that rose or sank: by the registers, and by most of the cells that stand in both surveys."""
        p = self.parameters
        both = cells.known & cells.stood & cells.stands
        if both.sum() < 8:
            return []
        by_cells = float(np.median(cells.rise[both]))
        by_register = now.roof - old.roof
        delta = by_cells if not np.isfinite(by_register) else min(by_cells, by_register, key=abs)
        if by_cells * by_register < 0:
            return []
        sigma = hypot(
            *(one.sigma_height for one in (old, now) if np.isfinite(one.sigma_height)), self.registration.sigma_height
        )
        if not abs(delta) > p.height_tolerance + p.k * sigma:
            return []
        moved = float((np.abs(cells.rise[both]) > p.height_tolerance).mean())
        if moved < 0.5:
            return []
        evidence = {
            "roof_before": round(old.roof, 2),
            "roof_after": round(now.roof, 2),
            "rise_of_cells": round(by_cells, 2),
            "share": round(moved, 3),
        }
        kind = Change.TALLER if delta > 0 else Change.LOWER
        sure = _confidence(abs(delta) - p.height_tolerance, sigma)
        return [BuildingChange(now.uid, kind, now.footprint, delta, "m", sigma, sure, evidence)]

    def _area(
        self, subject: Measured, kind: Change, place: Polygon, delta: float, other: Measured, share: float
    ) -> list[BuildingChange]:
        """A change of area, if it is larger than what errors of outlines make."""
        p = self.parameters
        line = hypot(subject.sigma_outline, other.sigma_outline, self.registration.sigma_plan)
        sigma = line * float(place.length) / sqrt(2.0)
        # A strip along a wall, as wide as a wall may seem to move, is no change.
        tolerance = p.outline_tolerance * float(place.length) / 4.0
        if not abs(delta) > tolerance + p.k * sigma * 0.5:
            return []
        sure = _confidence(abs(delta) - tolerance, sigma)
        evidence: dict[str, float | int | str] = {"share": round(share, 3), "area": round(float(place.area), 2)}
        if np.isfinite(other.height):
            evidence["height"] = round(other.height, 2)
        return [BuildingChange(subject.uid, kind, place, delta, "m²", sigma, sure, evidence)]

    def _patch(self, cells: NDArray[np.bool_], grid: Grid, one: Measured) -> Polygon | None:
        """The largest connected part of some cells that is wider than a wall may seem to move."""
        p, size = self.parameters, grid.resolution
        line = hypot(one.sigma_outline, self.registration.sigma_plan)
        width = ceil((p.outline_tolerance + p.k * line) / size) + 1
        opened = binary_opening(np.pad(cells, 1), np.ones((width, width)))[1:-1, 1:-1]
        labels, count = label(opened)
        if count == 0:
            return None
        sizes = np.bincount(labels.ravel())
        sizes[0] = 0
        best = int(sizes.argmax())
        if sizes[best] * size**2 < p.smallest_part:
            return None
        return _outline(labels == best, grid)

    def _cells(self, footprint: Polygon) -> _Cells | None:
        """The rasters over an outline; None where it lies outside of them."""
        grid = self.surfaces.grid
        part = grid.meeting(Grid.covering(BoundingBox(*footprint.bounds, crs=grid.crs), grid.resolution))
        if part is None:
            return None
        full = ~geometry_mask([footprint], out_shape=part.shape, transform=part.transform)
        eroded = binary_erosion(np.pad(full, 1))[1:-1, 1:-1]
        # Cells along the walls are half of the wall's and half of the yard's; a narrow building has no others.
        inside = eroded if eroded.sum() >= 0.3 * full.sum() else full
        if not inside.any():
            return None
        s, window = self.surfaces, part.window_in(grid)
        first, second = s.above_earlier.values[window], s.above_later.values[window]
        both = np.isfinite(first) & np.isfinite(second)
        known = inside & both
        if known.sum() < 0.3 * inside.sum():
            return None
        rise = s.roof_later.values[window] - s.roof_earlier.values[window]
        least = self.parameters.standing
        with np.errstate(invalid="ignore"):
            return _Cells(part, full & both, inside, known, first >= least, second >= least, rise)


@dataclass(frozen=True, slots=True)
class _Cells:
    """The cells around an outline, (rows, columns)."""

    grid: Grid
    full: NDArray[np.bool_]
    """In the outline, known in both surveys."""
    inside: NDArray[np.bool_]
    """In the outline, not beside a wall."""
    known: NDArray[np.bool_]
    """Both."""
    stood: NDArray[np.bool_]
    """Something stood there in the earlier survey, in the outline or beside it, …"""
    stands: NDArray[np.bool_]
    """… and in the later one."""
    rise: NDArray[np.float32]


def _outline(cells: NDArray[np.bool_], grid: Grid) -> Polygon:
    """One polygon along the edges of cells."""
    from rasterio.features import shapes

    found = shapes(cells.astype(np.uint8), mask=cells, connectivity=4, transform=grid.transform)
    return max((Polygon(one["coordinates"][0]) for one, _ in found), key=lambda polygon: polygon.area)


def _joined(found: Sequence[BuildingChange]) -> list[BuildingChange]:
    """One change of a kind for a building: the largest, where a house grew at two places."""
    best: dict[tuple[str, str], BuildingChange] = {}
    for one in found:
        key = (one.uid, one.change)
        if key not in best or abs(one.delta) > abs(best[key].delta):
            best[key] = one
    return list(best.values())


def _confidence(beyond: float, sigma: float) -> float:
    return float(NormalDist().cdf(beyond / max(sigma, 1e-6)))

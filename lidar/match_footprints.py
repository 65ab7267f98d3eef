"""Given outlines held against what the points show: the shift of each block of the map, and what became of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from math import comb, hypot
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from gis.bounds import BoundingBox
from lidar.footprints import SIGMA_XY, Footprints

BLOCK = 250.0
"""m: side of a block, aligned to the CRS: a sheet of the 1:500 map, whose houses were drawn and fitted in together."""
LEAST = SIGMA_XY
"""m: a smaller shift is within what a single outline may be wrong by, and within what eaves and cells pretend."""
MOST = 2.0
"""m: the largest shift of a map that is looked for; beyond it, a house lies on its neighbour's place."""
SPACING = 1.0
"""m between the places along a side where it is measured."""
PARALLEL = 0.94
"""Cosine of 20°: how far a side of the map and one from the points may turn from each other."""
SHORTEST = 2.0
"""m: shorter sides are corners and offsets, which a map generalises."""
ROUNDS = 8
"""Times that sides are matched anew after the shift found so far."""
LEAST_SCATTER = 0.10
"""m: a side is never better known than that."""
SURE = 9.21
"""Squared length of the shift in its σ from which it is believed: χ² of two, 1 % error."""
FEWEST = 4
"""Sides a shift needs."""
UNLIKELY = 0.01
"""Probability that so many outlines of a block come to lie better on roofs by a shift of chance: so at least seven are
needed. Sides of one house err together, so that their scatter alone promises too much."""
MATCHED, PRESENT = 0.8, 0.3
"""Intersection over union from which an outline is as given, and share of it that must be roof for it to be there."""


class Outcome(StrEnum):
    """What became of a given outline, or what an outline from points is to the map."""

    MATCHED = "matched"
    CHANGED = "changed"
    SHIFTED = "shifted"
    MISSING = "missing"
    EXTRA = "extra"
    UNSEEN = "unseen"
    """Of a given outline without points, so that nothing can be said."""


@dataclass(frozen=True, slots=True)
class Shift:
    """How far a map must be moved to lie on the points; nothing unless that is significant and 0.15 m at least."""

    dx: float
    """m east."""
    dy: float
    """m north."""
    sigma: tuple[float, float]
    """m, standard deviations of the two; infinite where too few sides tell."""
    sides: int
    """Sides measured."""
    measured: tuple[float, float]
    """m, what was measured, significant or not."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One outline's outcome."""

    uid: str
    outcome: Outcome
    iou: float
    """Intersection over union with the roof under it, after the shift of its block."""
    dx: float = 0.0
    """m east, whole millimetres, that the outline must be moved to lie on the points: with its block, and alone."""
    dy: float = 0.0
    """m north."""
    sigma: float = np.inf
    """m, of the larger of both; infinite where nothing was measured."""


@dataclass(frozen=True, slots=True)
class Match:
    """A map held against points."""

    shifts: Mapping[tuple[float, float], Shift]
    """Of each block with a given outline, by its south-west corner, in order."""
    findings: tuple[Finding, ...]
    """Of the given outlines, in their order, then the extra ones."""
    given: Footprints
    moved: Footprints
    """The given outlines where the points show them."""

    @property
    def counts(self) -> dict[str, int]:
        """How many outlines had each outcome."""
        told = Counter(finding.outcome for finding in self.findings)
        return {outcome.value: told[outcome] for outcome in Outcome}

    def of(self, uids: set[str]) -> Match:
        """What was found of these outlines, and of the blocks they lie in."""
        kept = np.array([uid in uids for uid in self.moved.uids], dtype=bool)
        corners = {tuple(corner) for corner in _corners(self.given.subset(kept)).tolist()}
        return Match(
            {corner: shift for corner, shift in self.shifts.items() if corner in corners},
            tuple(finding for finding in self.findings if finding.uid in uids),
            self.given.subset(kept),
            self.moved.subset(kept),
        )


def whole_blocks(bounds: BoundingBox) -> BoundingBox:
    """The blocks that the bounds reach into."""
    west, south = np.floor(np.array([bounds.min_x, bounds.min_y]) / BLOCK) * BLOCK
    east, north = np.ceil(np.array([bounds.max_x, bounds.max_y]) / BLOCK) * BLOCK
    return BoundingBox(float(west), float(south), float(east), float(north), bounds.crs)


def _corners(outlines: Footprints) -> NDArray[np.float64]:
    """(n, 2) south-west corner of the block that holds each outline's representative point."""
    return np.asarray(np.floor(outlines.representative_points / BLOCK) * BLOCK, dtype=np.float64)


def match_footprints(given: Footprints, derived: Footprints, seen: NDArray[np.bool_] | None = None) -> Match:
    """Hold given outlines against those derived from the points.

    1. The shift of each block of 250 m, of 2 m at most, is estimated from the outer sides of both (`map_shift`), and
       believed if it brings more of the block's outlines onto roofs than chance would (a sign test). An outline belongs
       to the block that holds its representative point.
    2. An outline is matched if the roof under it fills it (IoU of 0.8), missing if less than 0.3 of it is roof, shifted
       if moving it alone makes it match, changed otherwise. Of a roof that goes on over neighbours, what the map
       gives to them does not count: whether the points show a party wall is not the map's fault.
    3. A derived outline of which the map covers less than 0.3 is extra.

    Args:
        given: outlines of a map.
        derived: outlines from points where the map is not looked at (`derive_footprints` without known ones).
        seen: (n,) whether points lie in each given outline; all of them unless given.
    """
    seen = np.ones(len(given), dtype=bool) if seen is None else seen
    derived = derived.to(given.crs)
    corner = _corners(given)
    shifts: dict[tuple[float, float], Shift] = {}
    moved = given.polygons.copy()
    roofs = shapely.STRtree(derived.polygons)
    for west, south in np.unique(corner, axis=0):
        own = np.flatnonzero((corner == (west, south)).all(axis=1))
        around = shapely.box(*shapely.total_bounds(given.polygons[own])).buffer(2 * MOST)
        near = derived.polygons[np.sort(roofs.query(around, predicate="intersects"))]
        shift = map_shift(given.polygons[own], near)
        if not _better_placed(given.polygons[own], near, shift):
            shift = replace(shift, dx=0.0, dy=0.0)
        shifts[float(west), float(south)] = shift
        moved[own] = _shifted(moved[own], shift.dx, shift.dy)
    findings, known = [], shapely.STRtree(moved)
    for index, uid in enumerate(given.uids):
        near = derived.polygons[np.sort(roofs.query(moved[index], predicate="dwithin", distance=MOST))]
        beside = np.unique(known.query(near, predicate="intersects")[1])
        others = shapely.union_all(moved[beside[beside != index]])
        finding = _finding(uid, moved[index], others, near, shifts[tuple(corner[index].tolist())])
        unseen = finding.outcome is Outcome.MISSING and not seen[index]
        findings.append(replace(finding, outcome=Outcome.UNSEEN) if unseen else finding)
    placed = [
        _shifted(polygon, finding.dx, finding.dy) for polygon, finding in zip(given.polygons, findings, strict=True)
    ]
    whole = shapely.union_all(moved)
    for uid, outline in zip(derived.uids, derived.polygons, strict=True):
        covered = float(shapely.intersection(outline, whole).area) / float(outline.area)
        if covered < PRESENT:
            findings.append(Finding(uid, Outcome.EXTRA, 0.0))
    polygons = np.empty(len(placed), dtype=object)
    polygons[:] = placed
    return Match(shifts, tuple(findings), given, replace(given, polygons=polygons))


def map_shift(given: NDArray[np.object_], derived: NDArray[np.object_]) -> Shift:
    """The shift that brings the outer sides of given outlines onto those of derived ones.

    Each outer side is one observation: the median distance, along its normal, to the nearest parallel side of the
    other set. The shift fits them by least squares with Huber's weights; roofs that reach over their walls all round
    move opposite sides apart and cancel out. σ follows from the scatter of the sides.

    Args:
        given: (n,) polygons, metres.
        derived: (m,) polygons in the same CRS.
    """
    unknown = Shift(0.0, 0.0, (np.inf, np.inf), 0, (0.0, 0.0))
    if len(given) == 0 or len(derived) == 0:
        return unknown
    sides, target = _sides(shapely.union_all(given)), _sides(shapely.union_all(derived))
    if len(sides) == 0 or len(target) == 0:
        return unknown
    tree = shapely.STRtree(np.asarray(shapely.linestrings(target), dtype=object))
    moved, sigma, used = np.zeros(2), np.full(2, np.inf), 0
    for _ in range(ROUNDS):
        normal, distance = _distances(sides + moved, target, tree)
        if len(distance) < FEWEST:
            return unknown
        step, sigma = _fitted(normal, distance)
        if not np.isfinite(sigma).all():
            return unknown
        moved, used = moved + step, len(distance)
        if hypot(*moved) > 1.5 * MOST:
            return unknown
        if hypot(*step) < 1e-3:
            break
    measured = (float(moved[0]), float(moved[1]))
    sure = float(((moved / sigma) ** 2).sum()) >= SURE
    believed = sure and LEAST <= hypot(*moved) <= MOST + LEAST_SCATTER
    dx, dy = (round(measured[0], 3), round(measured[1], 3)) if believed else (0.0, 0.0)
    return Shift(dx, dy, (float(sigma[0]), float(sigma[1])), used, measured)


def _shifted(shape: Any, dx: float, dy: float) -> Any:
    """A shape, or an array of them, moved by so many metres."""
    return shapely.transform(shape, lambda places: places + np.array([dx, dy]))


def _better_placed(outlines: NDArray[np.object_], derived: NDArray[np.object_], shift: Shift) -> bool:
    """Whether more outlines come to lie on roofs with a larger part than with a smaller one, beyond chance."""
    if not (shift.dx or shift.dy):
        return False
    moved = _shifted(outlines, shift.dx, shift.dy)
    tree, areas = shapely.STRtree(derived), []
    for placed in (outlines, moved):
        one, roof = tree.query(placed, predicate="intersects")
        common = shapely.area(shapely.intersection(placed[one], derived[roof]))
        areas.append(np.bincount(one, common, minlength=len(placed)))
    gain = np.round(areas[1] - areas[0], 3)
    better, worse = int((gain > 0).sum()), int((gain < 0).sum())
    n = better + worse
    return n > 0 and sum(comb(n, k) for k in range(better, n + 1)) <= UNLIKELY * 2**n


def _finding(
    uid: str, outline: BaseGeometry, others: BaseGeometry, derived: NDArray[np.object_], block: Shift
) -> Finding:
    """What became of one outline, moved with its block, from the derived ones around it."""
    iou = _overlap(outline, others, derived)
    if iou >= MATCHED:
        return Finding(uid, Outcome.MATCHED, iou, block.dx, block.dy, max(block.sigma))
    own = map_shift(np.array([outline], dtype=object), derived)
    if own.dx or own.dy:
        alone = _shifted(outline, own.dx, own.dy)
        if _overlap(alone, others, derived) >= MATCHED:
            dx, dy = round(block.dx + own.dx, 3), round(block.dy + own.dy, 3)
            return Finding(uid, Outcome.SHIFTED, iou, dx, dy, max(own.sigma))
    on_roof = float(shapely.intersection(shapely.union_all(derived), outline).area)
    outcome = Outcome.CHANGED if on_roof >= PRESENT * outline.area else Outcome.MISSING
    return Finding(uid, outcome, iou, block.dx, block.dy, max(block.sigma))


def _overlap(outline: BaseGeometry, others: BaseGeometry, derived: NDArray[np.object_]) -> float:
    """Intersection over union with the roof under an outline.

    Of a roof that touches it only a little, no more than that counts; of one that is its own or fills much of it, all
    that the map does not give to another.
    """
    if len(derived) == 0:
        return 0.0
    common = shapely.intersection(derived, outline)
    within = shapely.area(common)
    own = (2.0 * within >= shapely.area(derived)) | (within >= PRESENT * outline.area)
    roof = shapely.union_all([*shapely.difference(derived[own], others), *common])
    shared = float(shapely.intersection(roof, outline).area)
    return shared / (float(roof.area) + float(outline.area) - shared)


def _sides(shape: BaseGeometry) -> NDArray[np.float64]:
    """(k, 2, 2) start and end of the longer sides of a shape's rings, its inside on the left."""
    found = [np.empty((0, 2, 2))]
    for part in shapely.get_parts(shape):
        if part.geom_type != "Polygon":
            continue
        turned = shapely.orient_polygons(part)
        for ring in (turned.exterior, *turned.interiors):
            at = shapely.get_coordinates(shapely.simplify(ring, 0.05))
            found.append(np.stack([at[:-1], at[1:]], axis=1))
    sides = np.concatenate(found)
    return np.asarray(sides[np.hypot(*(sides[:, 1] - sides[:, 0]).T) >= SHORTEST], dtype=np.float64)


def _distances(
    sides: NDArray[np.float64], target: NDArray[np.float64], tree: shapely.STRtree
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(k, 2) outward normals of the sides that have a parallel one within reach, and (k,) m how far out it lies."""
    way = sides[:, 1] - sides[:, 0]
    length = np.hypot(*way.T)
    outward = np.stack([way[:, 1], -way[:, 0]], axis=1) / length[:, None]
    counts = np.maximum((length / SPACING).astype(np.int64), 1)
    side = np.repeat(np.arange(len(sides)), counts)
    share = (np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + 0.5) / counts[side]
    at = sides[side, 0] + share[:, None] * way[side]
    reach = outward[side] * (MOST + 0.5)
    ray, hit = tree.query(shapely.linestrings(np.stack([at - reach, at + reach], axis=1)), predicate="intersects")
    other = target[hit, 1] - target[hit, 0]
    normal = np.stack([other[:, 1], -other[:, 0]], axis=1) / np.hypot(*other.T)[:, None]
    facing = (normal * outward[side[ray]]).sum(axis=1)
    good = facing >= PARALLEL
    ray, hit, normal, facing = ray[good], hit[good], normal[good], facing[good]
    out = ((target[hit, 0] - at[ray]) * normal).sum(axis=1) / facing
    order = np.lexsort((np.abs(out), ray))
    first = order[np.unique(ray[order], return_index=True)[1]]
    of, out = side[ray[first]], out[first]
    measured = np.unique(of)
    return outward[measured], np.array([np.median(out[of == k]) for k in measured])


def _fitted(
    normal: NDArray[np.float64], distance: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The shift whose part along each normal is nearest to the distances, and its σ; infinite where undetermined."""
    step: NDArray[np.float64] = np.zeros(2)
    weight: NDArray[np.float64] = np.ones(len(distance))
    for _ in range(20):
        equations = (normal * weight[:, None]).T @ normal
        if np.linalg.cond(equations) > 1e4:
            return step, np.full(2, np.inf)
        step = np.asarray(np.linalg.solve(equations, (normal * weight[:, None]).T @ distance), dtype=np.float64)
        misfit = np.asarray(np.abs(distance - normal @ step), dtype=np.float64)
        scatter = max(1.4826 * float(np.median(misfit)), LEAST_SCATTER)
        weight[:] = np.minimum(1.0, 1.345 * scatter / np.maximum(misfit, 1e-9))
    return step, scatter * np.sqrt(np.diag(np.linalg.inv(equations)))

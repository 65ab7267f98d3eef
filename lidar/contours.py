"""Contour lines of a height raster: marching squares through the centres of its cells, on an even surface.

It is the surface that is smoothed, never the lines: lines of one surface, however bent, cannot cross each other, where
lines smoothed one by one do. The smoothing (`lidar.smoothing`) weighs every height by its certainty and moves none by
more than 2 σ nor a quarter of the interval: a line is at most so far in height from the terrain it is drawn on.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, isfinite
from typing import cast

import contourpy
import numpy as np
import shapely
from numpy.typing import NDArray

from gis.bounds import BoundingBox
from gis.errors import BadParameter
from gis.grid import Grid
from gis.raster import Raster
from lidar.smoothing import KERNEL, smoothed

SMOOTHING = 2.0
"""m, standard deviation of the Gaussian: evens the centimetres of noise that make a line on level ground ragged."""
LARGEST_SHIFT = 0.25
"""Of the interval: how far smoothing may move a height, hence a line, up or down."""
SHORTEST_RING = 15.0
"""m: shorter closed lines are the noise of one return or a tuft, and unreadable at 1 : 500 (3 cm around)."""
INDEX_EVERY = 5
"""Every fifth line is an index contour, drawn bold and labelled."""
OFF_LEVEL = 0.0005
"""m that lines are drawn above their height, or a pond level with one would be full of lines. Heights are known to
centimetres at best."""
MOST_LEVELS = 20_000
"""Above it the interval was meant in other units, or the heights are no heights."""


@dataclass(frozen=True, slots=True)
class Contours:
    """n lines and the height of each."""

    lines: NDArray[np.object_]
    """(n,) shapely LineStrings in the raster's CRS, higher ground to the left; rings end where they begin."""
    heights: NDArray[np.float64]
    """(n,) metres, multiples of the interval."""
    interval: float
    """Metres."""
    grid: Grid
    """Of the raster they were drawn from: its CRS and cell size."""

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def is_index(self) -> NDArray[np.bool_]:
        """(n,) whether the height is a fifth multiple of the interval."""
        number = np.rint(self.heights / self.interval).astype(np.int64)
        return np.asarray(number % INDEX_EVERY == 0)

    @property
    def lengths(self) -> NDArray[np.float64]:
        """(n,) metres."""
        return np.asarray(shapely.length(self.lines), dtype=np.float64)


def contours(
    raster: Raster,
    interval: float = 0.5,
    *,
    bounds: BoundingBox | None = None,
    smoothing: float = SMOOTHING,
    shortest_ring: float = SHORTEST_RING,
) -> Contours:
    """Lines of equal height, at multiples of the interval from 0; none across a void.

    Args:
        raster: heights, metres; its band `sigma`, if any, says how sure each is.
        interval: metres between two lines.
        bounds: only what lies within, cut at its edges. Where the raster reaches `reach(…)` beyond, lines of
            neighbouring bounds meet.
        smoothing: metres, standard deviation of the Gaussian; 0 draws the heights as they are.
        shortest_ring: metres; shorter closed lines are dropped.

    Raises:
        BadParameter: the interval is not positive, or so small that there would be more than 20,000 levels; the
            smoothing or the shortest ring is negative.
    """
    _check(interval, smoothing, shortest_ring)
    surface = smoothed(raster, smoothing, LARGEST_SHIFT * interval) if smoothing > 0 else raster.values
    x, y = raster.grid.centres()
    lines: list[NDArray[np.object_]] = []
    heights: list[NDArray[np.float64]] = []
    levels = _levels(surface, interval)
    if min(surface.shape) >= 2 and levels:
        tracer = contourpy.contour_generator(
            x,
            y[::-1],
            np.ma.masked_invalid(surface[::-1].astype(np.float64)),
            name="serial",
            corner_mask=False,
            line_type=contourpy.LineType.Separate,
        )
        for level in levels:
            traced = cast("list[NDArray[np.float64]]", tracer.lines(level * interval + OFF_LEVEL))
            found = _lines(traced, shortest_ring, bounds)
            lines.append(found)
            heights.append(np.full(len(found), level * interval))
    joined = np.concatenate(lines) if lines else np.empty(0, dtype=object)
    return Contours(joined, np.concatenate(heights) if heights else np.empty(0), interval, raster.grid)


def reach(resolution: float, smoothing: float = SMOOTHING, shortest_ring: float = SHORTEST_RING) -> float:
    """Metres of raster needed beyond the bounds for lines that meet those of the neighbours."""
    # A ring that is dropped must be seen whole from both sides; the Gaussian looks farther than that.
    return KERNEL * smoothing + shortest_ring / 2 + 2 * resolution


def _check(interval: float, smoothing: float, shortest_ring: float) -> None:
    if not (isfinite(interval) and interval > 0):
        raise BadParameter("interval", interval, "contours lie a positive number of metres apart")
    for name, value in (("smooth", smoothing), ("shortest_ring", shortest_ring)):
        if not (isfinite(value) and value >= 0):
            raise BadParameter(name, value, "must be 0 or a positive number of metres")


def _levels(surface: NDArray[np.float32], interval: float) -> range:
    """Multiples of the interval that the surface reaches."""
    known = surface[np.isfinite(surface)]
    if known.size == 0:
        return range(0)
    low, high = float(known.min()), float(known.max())
    levels = range(ceil(low / interval), floor(high / interval) + 1)
    if len(levels) > MOST_LEVELS:
        raise BadParameter("interval", interval, f"heights run from {low:.2f} to {high:.2f} m: {len(levels)} levels")
    return levels


def _lines(found: list[NDArray[np.float64]], shortest_ring: float, bounds: BoundingBox | None) -> NDArray[np.object_]:
    """LineStrings without the short rings, cut to the bounds."""
    lines = [shapely.LineString(line) for line in found if len(line) > 1]
    kept = np.array([line for line in lines if line.length >= shortest_ring or not line.is_closed], dtype=object)
    if bounds is None or len(kept) == 0:
        return kept
    cut = shapely.line_merge(shapely.intersection(kept, bounds.polygon), directed=True)
    parts = shapely.get_parts(cut)
    return np.asarray(parts[(shapely.get_type_id(parts) == 1) & ~shapely.is_empty(parts)], dtype=object)

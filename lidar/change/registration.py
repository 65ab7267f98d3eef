"""How two surveys of one place lie beside each other: a shift in plan and an offset in height, seen on what stayed.

In plan the heights above ground of both are compared, cut off a few metres up so that a wall counts as a wall however
high it is and a new storey as nothing. A small shift s of a picture z changes it by −s · ∇z; the s that explains most
of the difference by least squares is taken out and asked for again (Lucas and Kanade 1981; for terrain the same is done
by Nuth and Kääb 2011, "Co-registration and bias corrections of satellite elevation data sets", The Cryosphere 5, whose
slopes a flat city does not have). In height the median of the ground's differences is taken, then their mean under
Tukey's weights. Standard deviations come from leaving out one block of the city at a time (jackknife), so that errors
that go together over some metres count once.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, inf

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_opening, gaussian_filter, map_coordinates

from gis.errors import BadParameter
from gis.raster import Raster
from lidar.surface_accuracy import MAD_TO_SIGMA

CUT_OFF = 3.0
"""m above ground from where on all is equally high."""
SMOOTHING = 1.0
"""Cells, 1σ: a step is spread over some cells, so that its place is seen to a tenth of one."""
ROUNDS = 6
SHIFT_MOST = 3.0
"""m: surveys that lie further from each other are not two of one datum."""
CHANGED = 2.0
"""m of height above ground, over 2 m in width: something new or gone, left out of the comparison."""
BLOCK = 50.0
"""m: side of the blocks that are left out in turn."""
BLOCKS_LEAST = 4
CELLS_LEAST = 400
"""Cells of unchanged ground without which no offset is told: 100 m²."""
TUKEY = 4.685
"""Tukey's biweight: 95 % as efficient as the mean for normal errors (Huber 1981)."""


@dataclass(frozen=True, slots=True)
class Registration:
    """Where the later survey lies, seen from the earlier one; metres, 1σ. Unknown figures are 0 with an infinite σ."""

    east: float = 0.0
    north: float = 0.0
    up: float = 0.0
    sigma_east: float = inf
    sigma_north: float = inf
    sigma_up: float = inf

    @property
    def sigma_plan(self) -> float:
        """1σ of a place along any one direction; 0 where the shift is not known and none was taken out."""
        known = [sigma for sigma in (self.sigma_east, self.sigma_north) if sigma < inf]
        return hypot(*known) / len(known) ** 0.5 if known else 0.0

    @property
    def sigma_height(self) -> float:
        """1σ of a height difference that all places share; 0 where the offset is not known and none was taken out."""
        return self.sigma_up if self.sigma_up < inf else 0.0

    def put_back(self, later: Raster, *, heights: bool = True) -> Raster:
        """The later survey's raster as the earlier one would have seen it: moved (bilinear interpolation) and lowered.

        Args:
            later: any product of it; its bands are moved as well.
            heights: whether its values are above a datum (and not above the ground).
        """
        up = np.float32(self.up if heights else 0.0)
        size = later.grid.resolution
        rows, columns = self.north / size, self.east / size
        if abs(rows) < 1e-6 and abs(columns) < 1e-6:
            return Raster(later.values - up, later.grid, later.bands)
        bands = {name: moved(band, rows, columns) for name, band in later.bands.items()}
        return Raster(moved(later.values, rows, columns) - up, later.grid, bands)


def register(
    earlier: Raster, later: Raster, ground: tuple[Raster, Raster] | None = None, *, least_blocks: int = BLOCKS_LEAST
) -> Registration:
    """Estimate shift and offset of two surveys.

    Args:
        earlier: heights above ground (nDSM), m.
        later: of the second survey, on the same grid.
        ground: the terrains of both with their σ, for the offset in height; without them it is not told.
        least_blocks: blocks of `BLOCK` m in which something must be seen; with fewer no σ can be told.

    Raises:
        BadParameter: grids differ, nothing is known in both, or they lie further apart than `SHIFT_MOST`.
    """
    same_grid(earlier, later)
    shift, spread = _shift(earlier, later, least_blocks)
    east, north = (float(x) for x in shift)
    found = Registration(east, north, 0.0, *spread)
    if ground is None:
        return found
    same_grid(*ground)
    up, sigma = offset(ground[0], found.put_back(ground[1]), stable(earlier, found.put_back(later, heights=False)))
    return Registration(east, north, up, *spread, sigma)


def same_grid(earlier: Raster, later: Raster) -> None:
    """Raises BadParameter unless both have the same cells; says what differs."""
    a, b = earlier.grid, later.grid
    if a.crs != b.crs:
        raise BadParameter("later", b.crs.name, f"the earlier survey is in {a.crs.name}; transform one of them first")
    if a.resolution != b.resolution:
        why = f"the earlier survey has cells of {a.resolution:g} m; make both in one resolution"
        raise BadParameter("later", b.resolution, why)
    if a != b:
        raise BadParameter("later", b.bounds.tuple, f"covers another area than the earlier survey, {a.bounds.tuple}")


def overlapping(earlier: Raster, later: Raster) -> tuple[Raster, Raster]:
    """Both over the area that they have in common.

    Raises:
        BadParameter: they differ in CRS or cells, have no area in common, or are the same.
    """
    a, b = earlier.grid, later.grid
    if a.crs == b.crs and a.resolution == b.resolution:
        common = a.meeting(b)
        if common is None:
            raise BadParameter("later", b.bounds.tuple, f"has no place in common with the earlier, {a.bounds.tuple}")
        earlier, later = earlier.cropped(common), later.cropped(common)
    same_grid(earlier, later)
    if np.array_equal(earlier.values, later.values, equal_nan=True) and np.isfinite(earlier.values).any():
        raise BadParameter("later", "…", "is the same survey as the earlier one, cell by cell")
    return earlier, later


def stable(earlier: Raster, later: Raster) -> NDArray[np.bool_]:
    """(rows, columns) cells of two nDSM on one grid beside which nothing came or went that stands."""
    with np.errstate(invalid="ignore"):
        changed = np.abs(later.values - earlier.values) > CHANGED
    width = max(round(2.0 / earlier.grid.resolution), 1)
    lasting = binary_opening(changed, np.ones((width, width)))
    return np.asarray(~binary_dilation(lasting, np.ones((3, 3)), iterations=width), dtype=bool)


def offset(earlier: Raster, later: Raster, among: NDArray[np.bool_] | None = None) -> tuple[float, float]:
    """How much higher the later ground lies where it did not change, and its 1σ; (0, inf) where too little is known."""
    difference = later.values.astype(np.float64) - earlier.values
    counted = np.isfinite(difference)
    if among is not None:
        counted &= among
    sigmas = [raster.bands["sigma"] for raster in (earlier, later) if "sigma" in raster.bands]
    if sigmas:
        # What was bridged under houses says little of how the surveys lie.
        told = np.hypot.reduce(sigmas)
        counted &= told <= 2.0 * np.nanmedian(told)
    if np.count_nonzero(counted) < CELLS_LEAST:
        return 0.0, inf
    values = difference[counted]
    middle = float(np.median(values))
    spread = max(MAD_TO_SIGMA * float(np.median(np.abs(values - middle))), 1e-3)
    for _ in range(ROUNDS):
        weights = np.maximum(1.0 - ((values - middle) / (TUKEY * spread)) ** 2, 0.0) ** 2
        middle = float(np.average(values, weights=weights))
    blocks = _blocks(earlier)[counted]
    sums = np.bincount(blocks, weights=weights * (values - middle))
    sizes = np.bincount(blocks, weights=weights)
    sums, sizes = sums[sizes > 0], sizes[sizes > 0]
    n = len(sizes)
    if n < 2:
        return middle, spread
    without = (sums.sum() - sums) / (sizes.sum() - sizes)
    return middle, float(np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum()))


def moved(values: NDArray[np.float32], rows: float, columns: float) -> NDArray[np.float32]:
    """A picture whose contents lay too far north by some rows and east by some columns, put back; NaN stays unknown."""
    r, c = np.arange(values.shape[0])[:, None] - rows, np.arange(values.shape[1])[None, :] + columns
    known = np.isfinite(values)
    places = np.broadcast_arrays(r, c)
    total = map_coordinates(np.where(known, values, 0).astype(np.float64), places, order=1, mode="constant")
    weight = map_coordinates(known.astype(np.float64), places, order=1, mode="constant")
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(weight > 0.5, total / weight, np.nan).astype(np.float32)


def _shift(earlier: Raster, later: Raster, least_blocks: int) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """(east, north) in metres and both σ."""
    size = earlier.grid.resolution
    known = np.isfinite(earlier.values) & np.isfinite(later.values)
    if not known.any():
        raise BadParameter("later", "…", "nothing is known at the same place as in the earlier survey")
    shift = np.zeros(2)
    blocks = _blocks(earlier)
    first = _evened(earlier.values)
    for _ in range(ROUNDS):
        now = Raster(moved(later.values, shift[1] / size, shift[0] / size), later.grid)
        second = _evened(now.values)
        north, east = np.gradient((first + second) / 2, size)
        gradient = np.stack([east, -north])  # rows run south
        counted = stable(earlier, now) & np.isfinite(now.values) & known
        g, d = gradient[:, counted], (second - first)[counted]
        # (3, blocks) of the normal equations' matrix, and (2, blocks) of their right side.
        of_block = blocks[counted]
        matrix = np.stack([np.bincount(of_block, weights=w) for w in (g[0] * g[0], g[0] * g[1], g[1] * g[1])])
        right = np.stack([np.bincount(of_block, weights=-g[i] * d) for i in (0, 1)])
        step = _solved(matrix.sum(axis=1), right.sum(axis=1))
        if step is None:
            return np.zeros(2), (inf, inf)
        shift += step
        if float(np.abs(shift).max()) > SHIFT_MOST:
            why = f"lies more than {SHIFT_MOST:g} m beside the earlier survey: are both in the same datum?"
            raise BadParameter("later", tuple(np.round(shift, 2).tolist()), why)
    seen = matrix[0] + matrix[2] > 0
    n = int(np.count_nonzero(seen))
    if n < least_blocks:
        return np.zeros(2), (inf, inf)
    without = [
        _solved(matrix.sum(axis=1) - matrix[:, k], right.sum(axis=1) - right[:, k]) for k in np.flatnonzero(seen)
    ]
    steps = np.array([one for one in without if one is not None])
    spread = np.sqrt((n - 1) / n * ((steps - steps.mean(axis=0)) ** 2).sum(axis=0))
    return shift, (float(spread[0]), float(spread[1]))


def _solved(matrix: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The two unknowns; None where a direction is not seen."""
    a, b, c = matrix
    determinant = a * c - b * b
    if not determinant > 1e-6 * max(a, c) ** 2:
        return None
    found: NDArray[np.float64] = np.array([c * right[0] - b * right[1], a * right[1] - b * right[0]]) / determinant
    return found


def _evened(above: NDArray[np.float32]) -> NDArray[np.float64]:
    """Heights above ground cut off and smoothed; what is unknown lies on the ground."""
    cut = np.clip(np.nan_to_num(above.astype(np.float64)), 0.0, CUT_OFF)
    made: NDArray[np.float64] = gaussian_filter(cut, SMOOTHING)
    return made


def _blocks(raster: Raster) -> NDArray[np.int64]:
    """(rows, columns) number of the block each cell lies in."""
    cells = max(round(BLOCK / raster.grid.resolution), 1)
    rows, columns = raster.grid.shape
    r, c = np.arange(rows) // cells, np.arange(columns) // cells
    found: NDArray[np.int64] = r[:, None] * (c[-1] + 1) + c[None, :]
    return found

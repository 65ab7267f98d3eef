"""Where a survey lies against a reference of the same place: its shift across and up, and the slip that explains it.

The two are laid over each other by masked normalised cross-correlation of height images (Padfield 2012, IEEE
Transactions on Image Processing 21(5)), which needs no prior shift and no equal heights: buildings stand out of both.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from gis.errors import BadInput
from lidar.point_cloud import NOISE, PointCloud

CELL: Final = 1.0
"""Metres."""
SEARCH: Final = 600
"""Cells; the farthest shift looked for. The datum shift of VN-2000 is 225 m, a wrong scale of UTM up to 500 m."""
LEAST_OVERLAP: Final = 0.25
"""Of the cells of the smaller of the two that must have a partner at a shift."""
LEAST_CORRELATION: Final = 0.30
LEAST_DISTINCTNESS: Final = 7.0
"""Standard deviations by which the best shift's score stands out of all others; below it the match may be chance."""
HIGHEST: Final = 0.9999
"""Correlation beyond which no difference is made."""
NEIGHBOURHOOD: Final = 15
"""Cells around the peak that belong to it."""
SURROUNDINGS: Final = 41
"""Cells; heights are taken above the lowest within so much, so that a hill does not outweigh the buildings."""
TALLEST: Final = 20.0
"""Metres above the surroundings; more is cut off, so that no tower outweighs a ward."""
MODE_BIN: Final = 0.1
"""Metres."""
SAME_SURFACE: Final = 0.5
"""Metres around the commonest height difference that are one surface seen twice."""
FEW: Final = 100
"""Cells a height difference must rest on."""

Image = NDArray[np.float64]


class Match(NamedTuple):
    """The best shift of one image over another."""

    rows: float
    """Cells that the survey lies further down (south) than the reference."""
    columns: float
    """Cells that it lies further right (east)."""
    correlation: float
    distinctness: float

    @property
    def is_certain(self) -> bool:
        """Whether it stands out of chance."""
        return self.correlation >= LEAST_CORRELATION and self.distinctness >= LEAST_DISTINCTNESS


@dataclass(frozen=True, slots=True)
class Window:
    """A square of cells in metres of the survey's CRS; rows run from north to south."""

    west: int
    north: int
    columns: int
    rows: int

    def grown(self, cells: int) -> Window:
        """By so many cells on every side."""
        return Window(self.west - cells, self.north + cells, self.columns + 2 * cells, self.rows + 2 * cells)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(min x, min y, max x, max y)."""
        return self.west, self.north - self.rows, self.west + self.columns, self.north


class Surfaces(NamedTuple):
    """Highest and lowest point in each cell, metres; NaN where there is none."""

    top: Image
    low: Image


def surfaces(points: PointCloud, window: Window) -> Surfaces:
    """Of the points in a window, noise left out."""
    usable = ~np.isin(points.classification, NOISE) & np.isfinite(points.z)
    column = np.floor(points.x / CELL).astype(np.int64) - window.west
    row = window.north - 1 - np.floor(points.y / CELL).astype(np.int64)
    usable &= (column >= 0) & (column < window.columns) & (row >= 0) & (row < window.rows)
    cell = row[usable] * window.columns + column[usable]
    shape = (window.rows, window.columns)
    top, low = np.full(shape[0] * shape[1], -np.inf), np.full(shape[0] * shape[1], np.inf)
    np.maximum.at(top, cell, points.z[usable])
    np.minimum.at(low, cell, points.z[usable])
    empty = ~np.isfinite(low)
    top[empty], low[empty] = np.nan, np.nan
    return Surfaces(top.reshape(shape), low.reshape(shape))


def above_surroundings(heights: Image) -> Image:
    """Metres above the lowest cell around, 0 to `TALLEST`; NaN where there is no height."""
    known = np.isfinite(heights)
    base = ndimage.minimum_filter(np.where(known, heights, np.inf), SURROUNDINGS, mode="nearest")
    return np.where(known, np.clip(heights - np.where(known, base, 0.0), 0.0, TALLEST), np.nan)


def best_shift(survey: Image, reference: Image) -> Match | None:
    """Lay a survey of (r, c) cells over a reference of (r + 2·SEARCH, c + 2·SEARCH) about the same middle.

    Returns:
        The shift of the greatest correlation; None where they never overlap enough or one of them is level.
    """
    has, partner = np.isfinite(survey), np.isfinite(reference)
    if not has.any() or not partner.any():
        return None
    ours = np.where(has, survey - np.mean(survey[has]), 0.0)
    theirs = np.where(partner, reference - np.mean(reference[partner]), 0.0)
    shape = [fft.next_fast_len(size, real=True) for size in reference.shape]
    valid = (reference.shape[0] - survey.shape[0] + 1, reference.shape[1] - survey.shape[1] + 1)

    def seen(image: Image) -> NDArray[np.complex128]:
        return np.asarray(fft.rfft2(image, shape))

    def correlated(first: NDArray[np.complex128], second: NDArray[np.complex128]) -> Image:
        return np.asarray(fft.irfft2(np.conj(first) * second, shape))[: valid[0], : valid[1]]

    mask, one, square = seen(has.astype(float)), seen(ours), seen(ours**2)
    other_mask, other, other_square = seen(partner.astype(float)), seen(theirs), seen(theirs**2)
    count = np.rint(correlated(mask, other_mask))
    enough = count >= max(LEAST_OVERLAP * min(has.sum(), partner.sum()), FEW)
    if not enough.any():
        return None
    n = np.where(enough, count, 1.0)
    mean, other_mean = correlated(one, other_mask), correlated(mask, other)
    variance = correlated(square, other_mask) - mean**2 / n
    other_variance = correlated(mask, other_square) - other_mean**2 / n
    spread = np.sqrt(np.maximum(variance, 0.0) * np.maximum(other_variance, 0.0))
    level = spread <= 1e-9 * max(float(spread.max()), 1e-300)
    usable = enough & ~level
    if not usable.any():
        return None
    ncc = np.where(usable, (correlated(one, other) - mean * other_mean / n) / np.where(usable, spread, 1.0), np.nan)
    return _peak(ncc, np.sqrt(n / n.max()))


def _peak(ncc: Image, weight: Image) -> Match:
    """The most significant correlation, between cells by a parabola; its shift is that of the reference's middle.

    Fisher's z times the root of the overlap makes shifts of large and small overlap comparable: of few cells a high
    correlation is easily chance.
    """
    score = np.arctanh(np.clip(ncc, -HIGHEST, HIGHEST)) * weight
    row, column = np.unravel_index(int(np.nanargmax(score)), score.shape)
    rest = score.copy()
    near = slice(max(row - NEIGHBOURHOOD, 0), row + NEIGHBOURHOOD + 1)
    rest[near, max(column - NEIGHBOURHOOD, 0) : column + NEIGHBOURHOOD + 1] = np.nan
    others = rest[np.isfinite(rest)]
    spread = float(others.std()) if len(others) else 0.0
    distinct = (float(score[row, column]) - float(others.mean())) / spread if spread > 0 else 0.0
    down = float(row) + _vertex(ncc[row - 1 : row + 2, column])
    right = float(column) + _vertex(ncc[row, column - 1 : column + 2])
    middle = ((ncc.shape[0] - 1) / 2, (ncc.shape[1] - 1) / 2)
    # The template found its partner `down` cells into the reference: the survey itself lies at the middle.
    return Match(middle[0] - down, middle[1] - right, float(ncc[row, column]), distinct)


def _vertex(three: Image) -> float:
    """Where a parabola through three neighbours peaks, −0.5 to 0.5 from the middle one."""
    if len(three) != 3 or not np.isfinite(three).all():
        return 0.0
    curve = three[0] - 2 * three[1] + three[2]
    return float(np.clip(0.5 * (three[0] - three[2]) / curve, -0.5, 0.5)) if curve < 0 else 0.0


def height_offset(survey: Image, reference: Image, match: Match) -> float | None:
    """Commonest height of the survey above the reference where they are one surface, metres; None if never."""
    row, column = SEARCH - round(match.rows), SEARCH - round(match.columns)
    if row < 0 or column < 0:
        return None
    partner = reference[row : row + survey.shape[0], column : column + survey.shape[1]]
    if partner.shape != survey.shape:
        return None
    difference = (survey - partner)[np.isfinite(survey) & np.isfinite(partner)]
    if len(difference) < FEW:
        return None
    bins = np.floor(difference / MODE_BIN).astype(np.int64)
    low, high = np.percentile(bins, (1, 99)).astype(np.int64)
    counts = np.bincount(np.clip(bins, low, high) - low, minlength=5).astype(np.float64)
    smooth = np.convolve(counts, np.ones(5), mode="same")
    mode = (int(smooth.argmax()) + low + 0.5) * MODE_BIN
    same = difference[np.abs(difference - mode) <= SAME_SURFACE]
    return float(np.median(same)) if len(same) >= FEW else None


def relief_ratio(survey: Image, reference: Image, match: Match) -> float:
    """How many times as tall things stand in the survey as in the reference (a foot read as a metre: 3.28)."""
    row, column = max(SEARCH - round(match.rows), 0), max(SEARCH - round(match.columns), 0)
    partner = reference[row : row + survey.shape[0], column : column + survey.shape[1]]
    if partner.shape != survey.shape:
        return 1.0
    both = np.isfinite(survey) & np.isfinite(partner)
    if both.sum() < FEW:
        return 1.0
    ours, theirs = (np.ptp(np.percentile(image[both], (10, 90))) for image in (survey, partner))
    return float(ours / theirs) if theirs > 0 and isfinite(ours / theirs) else 1.0


def no_common_ground(reference: str) -> BadInput:
    """The error of a reference that lies elsewhere under every slip."""
    return BadInput(f"{reference}: does not lie where the survey is, whatever slip is assumed; is it the same place?")

"""A raster as a picture for people: colours of its kind, a scale of them, a bar of length."""

from __future__ import annotations

from math import ceil, floor, log10
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from api.cli.products import DRAWN
from api.relief import DARKEST, RAMP
from gis.files import written_whole
from gis.grid import Grid
from gis.raster import Raster
from lidar.hillshade import hillshade

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LONGEST = 1400
"""Pixels of the picture's longer side, about; larger rasters are thinned out."""
SHORTEST = 700
"""Pixels: smaller rasters are drawn larger."""
MARGIN, LEGEND = 0.45, 1.15
"""Inches around the raster, and to its right."""
DPI = 100
ENDS = (1.0, 99.0)
"""Percentiles of the values that the colours run between: single cells do not bleach the rest."""
LEAST_SPAN = 1.0
"""Metres or degrees the colours span at least: level ground looks level."""
LIVELY = 0.12
"""Median rise per metre that relief needs to be seen; flatter ground is lit as if it were steeper, …"""
MOST_EXAGGERATION = 5.0
"""… up to this."""
TERRAIN = LinearSegmentedColormap.from_list("terrain", [tuple(c / 255 for c in colour) for _, colour in RAMP[1:-1]])
"""The hues of the map's relief, here between the lowest and the highest place of the picture."""
MAPS: dict[str, Any] = {
    "dtm": TERRAIN,
    "dsm": TERRAIN,
    "ndsm": "viridis",
    "hillshade": "gray",
    "slope": "magma_r",
    "aspect": "twilight_shifted",
    "density": "viridis",
    "change": "RdBu",
    "flood": "GnBu",
    "gaps": ListedColormap(["#d9d9d2", "#c0392b", "#3b7dbd"]),
}
"""Colours by product: of even steps to the eye, without an end for directions."""
RELIEF = ("dtm", "dsm", "ndsm")
"""Products that are lit as well."""
KINDS = ("measured", "gap", "gap,\nlevel rim")
COMPASS = {0: "N", 90: "E", 180: "S", 270: "W", 360: "N"}


def draw(raster: Raster, product: str, path: Path, *, ground: Raster | None = None) -> None:
    """Write the picture as PNG; cells without a value are white, or show the ground, lit, where one is given."""
    seen = _thinned(raster)
    values, rows, columns = seen.values, *seen.values.shape
    scale = max(SHORTEST / max(rows, columns), 1.0)
    width, height = columns * scale / DPI, max(rows * scale / DPI, 1.6)
    figure = Figure(figsize=(width + 2 * MARGIN + LEGEND, height + 2 * MARGIN), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    w, h = figure.get_size_inches()
    axes = figure.add_axes((MARGIN / w, MARGIN / h, width / w, height / h))
    low, high = _ends(values, product)
    if ground is not None:
        # Before what is drawn upon it.
        beneath = _thinned(ground)
        grey = np.full((*beneath.values.shape, 4), 0.93)
        axes.imshow(_lit(grey, beneath), interpolation="nearest")
    image = axes.imshow(values, cmap=MAPS[product], vmin=low, vmax=high, interpolation="nearest")
    if product in RELIEF:
        coloured = image.cmap(image.norm(np.nan_to_num(values, nan=low)))
        axes.imshow(_lit(np.asarray(coloured), seen), interpolation="nearest")
    axes.set_axis_off()
    kind = DRAWN[product]
    figure.text(MARGIN / w, 1 - 0.6 * MARGIN / h, kind.label, fontsize=11, va="center")
    bar = figure.add_axes(((MARGIN + width + 0.2) / w, MARGIN / h, 0.16 / w, height / h))
    _legend(figure, image, bar, product)
    _length_bar(figure, seen.grid, scale, h)
    with written_whole(path) as part:
        figure.savefig(part, format="png")


def _thinned(raster: Raster) -> Raster:
    """Every n-th cell, so that the picture keeps its size; the middle one of each n × n."""
    n = ceil(max(raster.values.shape) / LONGEST)
    if n == 1:
        return raster
    rows, columns = raster.grid.rows // n, raster.grid.columns // n
    kept = raster.values[n // 2 : n * rows : n, n // 2 : n * columns : n]
    size = raster.grid.resolution * n
    first_column, first_row = floor(raster.grid.west / size), floor(raster.grid.south / size)
    return Raster(kept, Grid(raster.grid.crs, size, first_column, first_row, columns, rows))


def _ends(values: NDArray[np.float32], product: str) -> tuple[float, float]:
    """The values of the first and the last colour."""
    fixed = {"aspect": (0.0, 360.0), "gaps": (-0.5, 2.5)}
    if product in fixed:
        return fixed[product]
    known = values[np.isfinite(values)]
    if product == "change":
        most = float(max(np.abs(np.percentile(known, ENDS)).max(), LEAST_SPAN)) if known.size else LEAST_SPAN
        return -most, most
    low, high = np.percentile(known, ENDS) if known.size else (0.0, 1.0)
    if product not in ("dtm", "dsm", "hillshade"):
        low = 0.0
    return float(low), float(max(high, low + LEAST_SPAN))


def _lit(coloured: NDArray[np.float64], heights: Raster) -> NDArray[np.float64]:
    """The colours under a sun in the north-west, (rows, columns, 4), transparent where nothing is known."""
    steps = np.abs(np.diff(heights.values, axis=1)) / heights.grid.resolution
    typical = float(np.nanmedian(steps)) if np.isfinite(steps).any() else 0.0
    more = float(np.clip(LIVELY / max(typical, 1e-6), 1.0, MOST_EXAGGERATION))
    shade = hillshade(Raster(heights.values * np.float32(more), heights.grid)).astype(np.float64) / 255
    # Level ground keeps its colour; where the shade is not known for want of a neighbour, too.
    light = np.where(shade == 0, 1.0, DARKEST + (1 - DARKEST) * np.minimum(shade / np.sin(np.pi / 4), 1.2))
    coloured[..., :3] = np.clip(coloured[..., :3] * light[..., None], 0, 1)
    coloured[..., 3] = np.isfinite(heights.values)
    return coloured


def _legend(figure: Figure, image: Any, bar: Axes, product: str) -> None:
    """The scale of colours with its unit."""
    scale = figure.colorbar(image, cax=bar)
    scale.outline.set_linewidth(0.5)
    scale.ax.tick_params(labelsize=8, length=2)
    if product == "gaps":
        scale.set_ticks(range(len(KINDS)), labels=KINDS)
    elif product == "aspect":
        scale.set_ticks(list(COMPASS), labels=list(COMPASS.values()))
    if DRAWN[product].unit:
        scale.ax.set_title(DRAWN[product].unit, fontsize=8, loc="left")


def _length_bar(figure: Figure, grid: Grid, scale: float, height: float) -> None:
    """A bar of a round number of metres below the raster."""
    metres = grid.resolution * grid.columns / 4
    power = 10.0 ** floor(log10(metres))
    length = max(step for step in (power, 2 * power, 5 * power) if step <= metres)
    inches = length / grid.resolution * scale / DPI
    w = figure.get_size_inches()[0]
    axes = figure.add_axes((MARGIN / w, 0.5 * MARGIN / height, inches / w, 0.05 / height))
    axes.set_facecolor("black")
    axes.set_xticks([])
    axes.set_yticks([])
    figure.text((MARGIN + inches + 0.08) / w, 0.5 * MARGIN / height, f"{length:g} m", fontsize=8, va="center")

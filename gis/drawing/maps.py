"""Maps in a metric CRS: a sheet with scale bar and north, a relief under it, and polygons by value or by kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from geopandas import GeoDataFrame
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from gis.bounds import BoundingBox
from gis.crs import horizontal, name_of
from gis.drawing import palette
from gis.drawing.palette import Look
from gis.errors import BadParameter
from gis.raster import Raster

WIDTH = 8.0
"""Inches of a map's longer side."""
FEW, FEW_SIZE, MANY_SIZE = 300, 7.0, 4.5
"""Signs on a map up to which they are large, and sizes in points."""
MARGIN = 0.02
"""Share of the longer side that stays free around what is shown."""


def sheet(
    shown: BoundingBox | GeoDataFrame, title: str = "", *, beside: int = 1, width: float = WIDTH
) -> tuple[Figure, Any]:
    """An empty map, or several of one place beside each other, with scale bar and grid north.

    Args:
        shown: the place in a CRS in metres, as a box or as what is to be seen.
        title: above it.
        beside: how many maps; of more than one the axes come as an array.
        width: inches of one map's longer side.

    Raises:
        BadParameter: the place is empty, or its CRS is not in metres.
    """
    box = shown if isinstance(shown, BoundingBox) else _box_of(shown)
    unit = horizontal(box.crs).axis_info[0].unit_name
    if unit != "metre":
        raise BadParameter("shown", name_of(box.crs), f"a map's CRS is in metres, this one in {unit}s")
    longer = max(box.width, box.height)
    if not longer > 0:
        raise BadParameter("shown", box.tuple, "a map shows a place with an extent")
    margin = MARGIN * longer
    size = (beside * (width * box.width / longer + 0.3), width * box.height / longer + 0.7)
    figure, axes = plt.subplots(1, beside, figsize=size, layout="constrained", squeeze=False)
    for one in axes[0]:
        one.set_aspect("equal")
        one.set_xlim(box.min_x - margin, box.max_x + margin)
        one.set_ylim(box.min_y - margin, box.max_y + margin)
        one.set_xticks([])
        one.set_yticks([])
        for spine in one.spines.values():
            spine.set_color(palette.LIGHT)
        scale_bar(one)
    if title:
        axes[0][0].set_title(title, loc="left", fontsize=12, fontweight="bold")
    return figure, axes[0] if beside > 1 else axes[0][0]


def scale_bar(axes: Axes) -> None:
    """A bar of a round number of metres, and an arrow to grid north, in the lower left corner."""
    (west, east), (south, north) = axes.get_xlim(), axes.get_ylim()
    target = (east - west) / 4
    power = 10 ** np.floor(np.log10(max(target, 1e-6)))
    length = float(max(step * power for step in (1, 2, 5) if step * power <= target * 1.001))
    x, y = west + 0.03 * (east - west), south + 0.03 * (north - south)
    line = Line2D([x, x + length], [y, y], color=palette.INK, linewidth=3, solid_capstyle="butt", zorder=20)
    axes.add_line(line)
    label = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    halo = {"boxstyle": "round,pad=0.15", "facecolor": palette.PAPER, "edgecolor": "none", "alpha": 0.75}
    above = y + 0.012 * (north - south)
    axes.text(x + length / 2, above, label, ha="center", va="bottom", fontsize=9, bbox=halo, zorder=20)
    axes.annotate(
        "N",
        xy=(x + 0.012 * (east - west), above + 0.115 * (north - south)),
        xytext=(x + 0.012 * (east - west), above + 0.055 * (north - south)),
        ha="center",
        va="center",
        fontsize=9,
        bbox=halo,
        arrowprops={"arrowstyle": "-|>", "color": palette.INK},
        zorder=20,
    )


def relief(
    axes: Axes,
    raster: Raster,
    light: NDArray[np.uint8] | None = None,
    label: str = "",
    *,
    ramp: str = palette.TERRAIN_RAMP,
    limits: tuple[float, float] | None = None,
    strength: float = 0.75,
) -> None:
    """A raster in colours, lit, with its colour bar (none without a label).

    Args:
        axes: a map of the raster's CRS.
        raster: values; cells without one stay empty.
        light: (rows, columns) 0 to 255, as `lidar.hillshade` gives it.
        label: what the values are, with their unit.
        ramp: one of matplotlib's.
        limits: values of the ramp's ends; those that 2 % of the cells are beyond without it.
        strength: of the colours over the light, 0 (none) to 1.
    """
    known = raster.values[np.isfinite(raster.values)]
    low, high = limits or ((0.0, 1.0) if not known.size else tuple(np.percentile(known, [2, 98])))
    norm = Normalize(float(low), float(high))
    colour = colormaps[ramp](norm(raster.values))
    colour[..., :3] = strength * colour[..., :3] + (1 - strength)
    if light is not None:
        colour[..., :3] *= (0.35 + 0.65 * np.where(light > 0, light, 180) / 255.0)[..., None]
    colour[..., 3] = np.isfinite(raster.values)
    box = raster.grid.bounds
    extent = (box.min_x, box.max_x, box.min_y, box.max_y)
    limits_kept = axes.get_xlim(), axes.get_ylim()
    axes.imshow((colour * 255).astype(np.uint8), extent=extent, interpolation="bilinear", zorder=0)
    axes.set_xlim(limits_kept[0])
    axes.set_ylim(limits_kept[1])
    if label:
        scale = plt.cm.ScalarMappable(norm, ramp)
        axes.figure.colorbar(scale, ax=axes, shrink=0.6, pad=0.01, label=label, extend="both")


def by_step(
    axes: Axes,
    frame: GeoDataFrame,
    column: str,
    label: str,
    *,
    steps: Sequence[float] = palette.HEIGHT_STEPS,
    colours: Sequence[str] = palette.HEIGHT_COLOURS,
) -> None:
    """Polygons in the colour of the step their value reaches, with a legend that counts them.

    Raises:
        BadParameter: there are not as many colours as steps, or the steps do not rise.
    """
    if len(steps) != len(colours) or list(steps) != sorted(set(steps)):
        raise BadParameter("steps", tuple(steps), f"give rising steps, one for each of {len(colours)} colours")
    values = frame[column].to_numpy(dtype=np.float64)
    step = np.clip(np.searchsorted(steps, values, side="right") - 1, 0, len(steps) - 1)
    step[np.isnan(values)] = len(steps)
    handles = []
    for number, colour in enumerate((*colours, palette.UNKNOWN_COLOUR)):
        chosen = step == number
        if not chosen.any():
            continue
        _fill(axes, frame[chosen], colour)
        handles.append(Patch(color=colour, label=f"{_range(steps, number)} ({chosen.sum():,})"))
    legend(axes, handles, label)


def by_kind(axes: Axes, frame: GeoDataFrame, column: str, looks: Mapping[str, Look], *, title: str = "") -> None:
    """Polygons in the colour of their kind and with its sign on them, with a legend that counts them."""
    legend(axes, kinds(axes, frame, column, looks), title)


def kinds(axes: Axes, frame: GeoDataFrame, column: str, looks: Mapping[str, Look]) -> list[Line2D]:
    """Polygons in the colour of their kind and with its sign on them, and what a legend says of each kind."""
    handles, size = [], FEW_SIZE if len(frame) <= FEW else MANY_SIZE
    for kind, look in looks.items():
        chosen = frame[(frame[column] == kind).to_numpy()]
        if chosen.empty:
            continue
        _fill(axes, chosen, look.colour, zorder=6)
        place = chosen.geometry.representative_point()
        style: dict[str, Any] = {
            "marker": look.sign,
            "color": look.colour,
            "markeredgecolor": palette.INK,
            "linestyle": "none",
        }
        axes.plot(place.x, place.y, **style, markersize=size, markeredgewidth=0.5, zorder=8)
        handles.append(Line2D([], [], **style, markersize=8, label=f"{look.label} ({len(chosen):,})"))
    return handles


def picture(
    axes: Axes, colours: NDArray[np.uint8], box: BoundingBox, looks: Mapping[int, Look], codes: NDArray[np.uint8]
) -> None:
    """A picture, (rows, columns, 3) north up, over its place, with a legend of the codes that occur in it."""
    axes.imshow(colours, extent=(box.min_x, box.max_x, box.min_y, box.max_y), interpolation="nearest", zorder=0)
    found, count = np.unique(codes, return_counts=True)
    told = [(looks.get(int(code)), int(n)) for code, n in zip(found, count, strict=True)]
    handles = [Patch(color=look.colour, label=f"{look.label} ({n:,})") for look, n in told if look is not None]
    legend(axes, handles)


def outlines(axes: Axes, frame: GeoDataFrame, colour: str = palette.GREY, *, line: float = 0.4, **style: Any) -> None:
    """The lines of a frame's shapes and nothing in them; with `label` in the legend."""
    if not frame.empty:
        shapes = frame.geometry
        shapes = shapes.boundary if shapes.geom_type.str.contains("Polygon").any() else shapes
        shapes.plot(ax=axes, color=colour, linewidth=line, zorder=style.pop("zorder", 4), **style)
        axes.set(xlabel="", ylabel="")


def legend(axes: Axes, handles: Sequence[Any], title: str = "") -> None:
    """A legend below the map, where it hides nothing."""
    if handles:
        style: dict[str, Any] = {"fontsize": 8, "title_fontsize": 8, "frameon": False, "alignment": "left"}
        most = max(len(handle.get_label()) for handle in handles)
        columns = min(len(handles), max(1, 120 // (most + 8)))
        place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (-0.01, 0.0), "ncols": columns}
        axes.legend(handles=list(handles), title=title or None, **place, **style)


def _fill(axes: Axes, frame: GeoDataFrame, colour: str, zorder: int = 5) -> None:
    frame.plot(ax=axes, color=colour, edgecolor=palette.INK, linewidth=0.15, zorder=zorder)
    axes.set(xlabel="", ylabel="")


def _range(steps: Sequence[float], number: int) -> str:
    if number == len(steps):
        return "unknown"
    if number + 1 == len(steps):
        return f"≥ {steps[number]:g}"
    return f"{steps[number]:g} – {steps[number + 1]:g}"


def _box_of(frame: GeoDataFrame) -> BoundingBox:
    west, south, east, north = (float(value) for value in frame.total_bounds)
    if not np.isfinite(west):
        raise BadParameter("shown", "an empty frame", "a map shows a place with an extent")
    return BoundingBox(west, south, east, north, frame.crs)

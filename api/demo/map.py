"""A picture of the district: hill shade, water, parcels, and buildings coloured by what was found about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import geopandas as gpd
import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from gis.bounds import BoundingBox
from gis.drawing import maps
from gis.drawing.palette import DIFFERENCES, Look
from gis.files import written_whole
from gis.raster import Raster
from lidar.hillshade import hillshade

VERDICTS: Mapping[str, Look] = DIFFERENCES
"""Kind of difference → how it is shown, in the order of gravity."""
AS_PERMITTED = "#aebdcb"
UNKNOWN = "#8d99ae"
PIXELS_PER_INCH = 160


def draw_map(
    path: Path,
    dtms: Sequence[Raster],
    buildings: gpd.GeoDataFrame,
    parcels: gpd.GeoDataFrame,
    bounds: BoundingBox,
    title: str,
    *,
    verdicts_known: bool,
) -> None:
    """Write a PNG. `buildings` has a column `verdict`: a key of VERDICTS, or None where no difference was found."""
    mpl.use("Agg")
    aspect = bounds.height / max(bounds.width, 1e-9)
    figure = Figure(figsize=(10, min(max(10 * aspect, 4), 14) + 0.8), layout="constrained")
    axes = figure.add_subplot()
    _draw_terrain(axes, dtms)
    if not parcels.empty:
        parcels.boundary.plot(ax=axes, color="#4a4e69", linewidth=0.25, alpha=0.7)
    normal = AS_PERMITTED if verdicts_known else UNKNOWN
    flagged = buildings["verdict"].isin(list(VERDICTS))
    if not flagged.all():
        buildings[~flagged].plot(ax=axes, color=normal, edgecolor="#22223b", linewidth=0.2, alpha=0.92)
    kinds = maps.kinds(axes, buildings, "verdict", VERDICTS)
    axes.set_xlim(bounds.min_x, bounds.max_x)
    axes.set_ylim(bounds.min_y, bounds.max_y)
    axes.set_aspect("equal")
    axes.set_xlabel("")
    axes.set_ylabel("")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color("#adb5bd")
    axes.set_title(title, loc="left", fontsize=11)
    maps.scale_bar(axes)
    _draw_legend(axes, Patch(facecolor=normal, label=_plain(int((~flagged).sum()), verdicts_known)), kinds)
    with written_whole(path) as part:
        figure.savefig(part, dpi=PIXELS_PER_INCH, format="png")


def _draw_terrain(axes: Axes, dtms: Sequence[Raster]) -> None:
    if not dtms:
        return
    heights = np.concatenate([dtm.values[::8, ::8].ravel() for dtm in dtms])
    low, high = np.nanpercentile(heights, [2, 98]) if np.isfinite(heights).any() else (0.0, 1.0)
    tint = mpl.colormaps["gist_earth"]
    for dtm in dtms:
        shade = hillshade(dtm).astype(np.float32) / 255.0
        scaled = np.clip((dtm.values - low) / max(high - low, 0.5), 0, 1) * 0.5 + 0.35
        colour = tint(scaled)
        colour[..., :3] = 0.55 * colour[..., :3] + 0.45
        colour[..., :3] *= (0.45 + 0.55 * shade)[..., None]
        colour[..., 3] = np.isfinite(dtm.values)
        box = dtm.grid.bounds
        axes.imshow(
            (np.clip(np.nan_to_num(colour), 0, 1) * 255).astype(np.uint8),
            extent=(box.min_x, box.max_x, box.min_y, box.max_y),
            interpolation="bilinear",
        )


def _plain(count: int, verdicts_known: bool) -> str:
    told = "không khác biệt · no difference found" if verdicts_known else "công trình đo được · measured building"
    return f"{told} ({count:,})"


def _draw_legend(axes: Axes, plain: Patch, kinds: list[Line2D]) -> None:
    axes.legend(
        handles=[plain, *kinds], loc="upper left", fontsize=7.5, framealpha=0.9, title="cần kiểm tra · to inspect"
    )

"""The page of `diaba lidar inspect`: what point files hold, and what is wrong with them, in pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

from gis.grid import Grid
from gis.raster import Raster
from lidar.hillshade import hillshade
from lidar.quality.density import DensityGrid
from lidar.quality.inspection import UNKNOWN, Examination
from lidar.quality.page import (
    BLUE,
    GREEN,
    INK,
    RED,
    Tone,
    as_map,
    beside,
    cards,
    drawing,
    facts,
    heading,
    label,
    page,
    paragraph,
    picture,
    remarks,
)
from lidar.quality.report import QualityReport
from lidar.quality.strips import StripDifferences
from lidar.quality.top_view import TopView

TONES: Final[dict[str, Tone]] = {"error": "bad", "warning": "warn", "note": "plain"}
CLASS_COLOURS: Final = {
    0: ("never classified", "#c8c8c8"),
    1: ("unclassified", "#a0a0a0"),
    2: ("ground", "#b08050"),
    3: ("low vegetation", "#a6d96a"),
    4: ("medium vegetation", "#66bd63"),
    5: ("high vegetation", "#1a7a37"),
    6: ("building", "#d6604d"),
    7: ("low noise", "#ff00ff"),
    9: ("water", "#4393c3"),
    14: ("wire", "#ffd700"),
    15: ("tower", "#ff8c00"),
    17: ("bridge deck", "#5e3c99"),
    18: ("high noise", "#e000e0"),
}
"""Code → name and colour; other codes share one."""
OTHER: Final = ("other", "#000000")
MOST_CELLS: Final = 400
"""Along the longer side of the density map."""
WIDEST: Final = 0.3
"""Metres; strip differences beyond are drawn as if they were so large."""


def inspection_page(reports: Sequence[QualityReport], blocks: Sequence[str]) -> str:
    """The document over all files, from the part of each."""
    wrong = sum(problem.severity != "note" for report in reports for problem in report.problems)
    points = sum(report.point_count for report in reports)
    files = "1 file" if len(reports) == 1 else f"{len(reports)} files"
    return page(
        "Point files inspected",
        f"{files}, {points:,} points, {wrong} findings that are errors or warnings",
        blocks,
        "Lengths are metres, also of files in feet. Density is over the covered area. Strip differences are of flat "
        "cells of 1 m that two strips share, second minus first.",
    )


def inspection(found: Examination, rows: Sequence[tuple[str, str]], *, is_first: bool) -> str:
    """One file's part: the figures to look for, what is wrong, pictures, all that is known."""
    report = found.report
    pictures = []
    if found.density is not None and report.density is not None:
        pictures += [_density(found.density), _gaps(found.density)]
    if found.top is not None and np.isfinite(found.top.height).any():
        pictures += [_shade(found.top), _classes(found.top)]
    if found.strips is not None and len(found.strips):
        pictures += [_strip_map(found.strips), _strip_histogram(found.strips)]
    blocks = [
        heading(Path(report.path).name),
        paragraph(str(report.path)),
        cards(_cards(report)),
        remarks(
            [(f"{problem.severity}: {problem.text}", TONES[problem.severity]) for problem in report.problems]
            or [("Nothing wrong was found.", "good")]
        ),
        beside(pictures),
        facts(rows),
    ]
    return f'<section class="{"" if is_first else "next"}">{"".join(blocks)}</section>'


def _cards(report: QualityReport) -> list[tuple[str, str, Tone]]:
    errors = sum(problem.severity == "error" for problem in report.problems)
    warnings = sum(problem.severity == "warning" for problem in report.problems)
    tone: Tone = "bad" if errors else "warn" if warnings else "good"
    shown: list[tuple[str, str, Tone]] = [(f"{errors} / {warnings}", "errors / warnings", tone)]
    if report.density is not None:
        density = report.density
        thin: Tone = "warn" if density.mean < 1 else "good"
        shown.append((f"{density.mean:.1f} /m²", f"points; {density.pulses:.1f} pulses a square metre", thin))
        gaps: Tone = "warn" if any(problem.code == "voids" for problem in report.problems) else "good"
        shown.append((f"{density.void_share:.1%}", f"of {density.covered_area / 1e4:,.1f} ha without a point", gaps))
    overlap = report.sample.swath_overlap if report.sample is not None else None
    if overlap is not None:
        strips: Tone = "warn" if any(problem.code == "strips" for problem in report.problems) else "good"
        shown.append((f"{overlap:.3f} m", "RMSDz between overlapping strips", strips))
    else:
        shown.append((f"{report.point_count:,}", "points; no overlap of strips", "plain"))
    return shown


def _density(grid: DensityGrid) -> str:
    rows, columns = grid.counts.shape
    factor = max(1, -(-max(rows, columns) // MOST_CELLS))
    padded = np.pad(grid.counts, ((0, -rows % factor), (0, -columns % factor))).astype(np.float64)
    summed = padded.reshape(padded.shape[0] // factor, factor, -1, factor).sum(axis=(1, 3))
    side = grid.cell * factor
    density = np.where(summed > 0, summed / side**2, np.nan)
    figure, axes = drawing()
    most = float(np.nanpercentile(density, 98))
    shown = axes.imshow(
        density, origin="lower", extent=_extent(grid, density.shape, side), cmap="viridis", vmin=0, vmax=most
    )
    bar = figure.colorbar(shown, ax=axes, shrink=0.8)
    bar.ax.tick_params(labelsize=6)
    bar.set_label("points/m²", fontsize=7)
    as_map(axes)
    return picture(figure, f"Density, in cells of {side:g} m.")


def _gaps(grid: DensityGrid) -> str:
    covered, empty, side = grid.voids()
    image = np.where(empty, 2, np.where(covered, 1, 0))
    figure, axes = drawing()
    colours = ListedColormap(["#ffffff", "#dfe6ec", RED])
    axes.imshow(
        image, origin="lower", extent=_extent(grid, image.shape, side), cmap=colours, vmin=0, vmax=2,
        interpolation="nearest",
    )  # fmt: skip
    as_map(axes)
    return picture(figure, f"Gaps (red): cells of {side:g} m inside the survey without any point.")


def _extent(grid: DensityGrid, shape: tuple[int, ...], side: float) -> tuple[float, float, float, float]:
    west, south = grid.west * grid.cell, grid.south * grid.cell
    return west, west + shape[1] * side, south, south + shape[0] * side


def _shade(top: TopView) -> str:
    known = np.isfinite(top.height)
    rows, columns = top.height.shape
    grid = Grid(UNKNOWN, top.cell, 0, 0, columns, rows)
    heights = np.where(known, top.height, np.median(top.height[known])).astype(np.float32)
    shade = hillshade(Raster(heights[::-1], grid))[::-1].astype(np.float64)
    figure, axes = drawing()
    axes.imshow(np.where(known, shade, np.nan), origin="lower", extent=top.extent, cmap="gray", vmin=1, vmax=255)
    as_map(axes)
    return picture(
        figure, f"Hill shade of the highest points, in cells of {top.cell:.2g} m; light from the north-west."
    )


def _classes(top: TopView) -> str:
    known = np.isfinite(top.height)
    codes = sorted({int(code) for code in np.unique(top.classes[known])})
    table = np.zeros(256, dtype=np.int64)
    names: list[tuple[str, str]] = []
    for code in codes:
        entry = CLASS_COLOURS.get(code, OTHER)
        if entry not in names:
            names.append(entry)
        table[code] = names.index(entry)
    figure, axes = drawing()
    colours = ListedColormap([colour for _, colour in names])
    axes.imshow(
        np.where(known, table[top.classes].astype(np.float64), np.nan), origin="lower", extent=top.extent, cmap=colours,
        vmin=-0.5, vmax=len(names) - 0.5, interpolation="nearest",
    )  # fmt: skip
    as_map(axes)
    figure.legend(
        handles=[Patch(color=colour, label=name) for name, colour in names], loc="outside right upper", fontsize=5.5,
        frameon=False, handlelength=1,
    )  # fmt: skip
    return picture(figure, "Classes, as seen from above.")


def _strip_map(strips: StripDifferences) -> str:
    figure, axes = drawing()
    most = float(np.clip(np.percentile(np.abs(strips.difference), 98), 0.02, WIDEST))
    shown = axes.scatter(
        strips.x, strips.y, c=strips.difference, s=0.4, marker="s", linewidths=0, cmap="RdBu_r", vmin=-most, vmax=most,
        rasterized=True,
    )  # fmt: skip
    bar = figure.colorbar(shown, ax=axes, shrink=0.8)
    bar.ax.tick_params(labelsize=6)
    bar.set_label("second − first strip, m", fontsize=7)
    as_map(axes)
    return picture(figure, "Height differences between strips on flat cells of 1 m.")


def _strip_histogram(strips: StripDifferences) -> str:
    figure, axes = drawing()
    inside = np.clip(strips.difference, -WIDEST, WIDEST)
    axes.hist(inside, bins=np.linspace(-WIDEST, WIDEST, 61), color=BLUE)
    middle = float(np.median(strips.difference))
    axes.axvline(0, color=INK, linewidth=0.7)
    axes.axvline(middle, color=GREEN, linewidth=0.9, linestyle="--")
    label(axes, "second − first strip, m", "cells of 1 m²")
    return picture(figure, f"The same; the median (dashed) is {middle:+.3f} m. Beyond ±{WIDEST:g} m: other surfaces.")

"""Sections: heights along a line, with the points near it and what is permitted there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gis.drawing import palette
from gis.drawing.palette import Look

Numbers = NDArray[np.floating]


def section_sheet(title: str = "", datum: str = "m above Hòn Dấu") -> tuple[Figure, Axes]:
    """Empty axes for a section, metres along and metres up at one scale.

    Args:
        title: above it.
        datum: what the heights are above.
    """
    figure, axes = plt.subplots(figsize=(10, 4.5), layout="constrained")
    axes.set_aspect("equal")
    axes.set_xlabel("m along the section")
    axes.set_ylabel(f"height, {datum}")
    axes.grid(color=palette.LIGHT, linewidth=0.4)
    axes.set_axisbelow(True)
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold")
    return figure, axes


def section_points(
    axes: Axes,
    along: Numbers,
    height: Numbers,
    classes: NDArray[np.uint8],
    *,
    looks: Mapping[int, Look] = palette.CLASSES,
    size: float = 6.0,
) -> None:
    """The points of a section in the colour of their class: (n,) metres along, metres up, class codes."""
    for code in sorted(int(code) for code in np.unique(classes)):
        look, chosen = looks.get(code, palette.OTHER_CLASS), classes == code
        style: dict[str, Any] = {"marker": look.sign, "color": look.colour, "linewidths": 0.6, "label": look.label}
        axes.scatter(along[chosen], height[chosen], s=size, zorder=3, **style)


def level(axes: Axes, span: tuple[float, float], height: float, label: str, *, sigma: float = 0.0,
          colour: str = palette.BLACK, line: str = "-") -> None:  # fmt: skip
    """A height over a stretch of the section; with a σ also the band of 95 % around it.

    Args:
        axes: of a section.
        span: metres along, from and to.
        height: metres above the datum.
        label: for the legend.
        sigma: standard deviation of the height, metres.
        colour: of line and band.
        line: style of the line.
    """
    axes.plot(span, (height, height), color=colour, linewidth=2, linestyle=line, label=label, zorder=5)
    if sigma > 0:
        axes.fill_between(span, height - 1.96 * sigma, height + 1.96 * sigma, color=colour, alpha=0.2, zorder=2)


def section_line(axes: Axes, along: Sequence[float] | Numbers, height: Sequence[float] | Numbers, label: str,
                 *, colour: str = palette.INK) -> None:  # fmt: skip
    """A line of heights, such as the terrain's; NaN leaves a gap."""
    axes.plot(along, height, color=colour, linewidth=1.5, label=label, zorder=4)


def section_legend(axes: Axes) -> None:
    """What is drawn in a section, beside it."""
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8, frameon=False)

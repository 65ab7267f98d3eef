"""A proposal as a picture: lot, roads with their reserve, masses, and the lines they have to stand behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import shapely
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline
from shapely import Polygon
from shapely.geometry.base import BaseGeometry

from gis.construction.planning_rules import Judgement
from gis.files import written_whole

DPI: Final = 120
AROUND: Final = 7.0
"""Metres shown around the lot."""
SIDES: Final = {"front": "#c0392b", "rear": "#2c6fbb", "flank": "#555555"}
VERDICTS: Final = {"pass": "#2e7d32", "fail": "#c0392b", "doubtful": "#b26a00"}


def draw(judgement: Judgement, path: Path) -> None:
    """Write the picture as PNG, north up."""
    proposal, sides = judgement.proposal, judgement.sides
    x0, y0, x1, y1 = proposal.lot.bounds
    width, height = x1 - x0 + 2 * AROUND, y1 - y0 + 2 * AROUND
    scale = 7.0 / max(width, height)
    figure = Figure(figsize=(max(width * scale, 3.2) + 0.4, height * scale + 1.2), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.03, 0.05, 0.94, 0.83))
    axes.set_xlim(x0 - AROUND, x1 + AROUND)
    axes.set_ylim(y0 - AROUND, y1 + AROUND)
    axes.set_aspect("equal")
    axes.set_axis_off()
    for road in proposal.roads:
        _fill(axes, road.reserve, "#e3e3dc", "#b5b5aa", 0.6)
        axes.plot(*road.axis.xy, color="#9a9a90", linewidth=0.8, linestyle=(0, (8, 4)))
    _fill(axes, proposal.lot, "#f6f1dd", "#000000", 0.0)
    for mass in sorted(proposal.masses, key=lambda m: m.height):
        _fill(axes, mass.footprint, "#d9b98a", "#6b4b1f", 1.0)
        middle = mass.footprint.representative_point()
        axes.text(middle.x, middle.y, f"{mass.floors} fl.\n{mass.height:g} m", ha="center", va="center", fontsize=8)
    fronts: BaseGeometry = shapely.union_all([front.edges for front in sides.fronts])
    for name, lines in (("front", fronts), ("rear", sides.rear), ("flank", sides.flanks)):
        for number, line in enumerate(shapely.get_parts(lines)):
            label = name if number == 0 else None
            axes.plot(*line.xy, color=SIDES[name], linewidth=2.0, label=label, solid_capstyle="butt")
    for name, distance in _setbacks(judgement):
        setting: BaseGeometry = sides.rear if name == "rear" else fronts
        kept = setting.buffer(distance, cap_style="flat").boundary.intersection(proposal.lot)
        for line in shapely.get_parts(kept):
            if line.geom_type == "LineString":
                axes.plot(*line.xy, color=SIDES[name], linewidth=0.9, linestyle=":")
    axes.legend(loc="lower right", fontsize=7, frameon=False)
    deciding = "" if judgement.binding is None else f": {judgement.binding.rule.value}"
    title = f"{judgement.verdict.value}{deciding}"
    figure.text(0.03, 0.95, title, fontsize=11, va="center", color=VERDICTS[judgement.verdict.value])
    said = f"lot {proposal.lot.area:.1f} m², {proposal.use.value}, rules of {proposal.filed_on.isoformat()}"
    figure.text(0.03, 0.905, said, fontsize=8, va="center")
    with written_whole(path) as part:
        figure.savefig(part, format="png")


def _setbacks(judgement: Judgement) -> list[tuple[str, float]]:
    """The strictest setbacks in force, front and rear, metres."""
    found = []
    for name in ("front", "rear"):
        limits = [c.limit for c in judgement.checks if c.rule.value == f"setback_{name}" and c.limit]
        if limits:
            found.append((name, max(limits)))
    return found


def _fill(axes: Any, shape: BaseGeometry, face: str, edge: str, line: float) -> None:
    for part in shapely.get_parts(shape):
        if isinstance(part, Polygon):
            rings = [np.asarray(ring.coords)[:, :2] for ring in (part.exterior, *part.interiors)]
            outline = Outline.make_compound_path(*(Outline(ring, closed=True) for ring in rings))
            axes.add_patch(PathPatch(outline, facecolor=face, edgecolor=edge, linewidth=line))

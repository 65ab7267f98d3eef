"""A block of buildings seen from above at a slant, with the points over its roofs."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, radians, sin
from pathlib import Path

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gis.city_model.building import Building, Surface
from gis.city_model.faces import normals, triangles

COLOURS = {Surface.ROOF: (0.82, 0.47, 0.36), Surface.WALL: (0.90, 0.88, 0.83), Surface.GROUND: (0.5, 0.5, 0.5)}
LIGHT = np.array([-0.40, -0.60, 0.69])
FROM, DOWN = radians(-60.0), radians(40.0)
"""Where it is seen from, counter-clockwise from east, and how steeply down."""
TOWARDS = np.array([cos(FROM) * cos(DOWN), sin(FROM) * cos(DOWN), sin(DOWN)])
"""The way to the eye."""
MOST_POINTS = 60_000
LONG_SIDE = 18.0
"""Inches of a view."""


def draw(path: Path, title: str, buildings: Sequence[Building], xyz: NDArray[np.float64]) -> None:
    """Two views of the models, one with points, as a PNG.

    Args:
        path: of the file.
        title: above.
        buildings: with solids; others are left out.
        xyz: (n, 3) points; some are left out where there are very many.
    """
    solids = [building.solid for building in buildings if building.solid is not None]
    if not solids:
        return
    low = np.concatenate([solid.vertices for solid in solids]).min(axis=0)
    corners, colours = [], []
    for solid in solids:
        found, of = triangles(solid)
        normal = normals(solid)[0][of]
        facing = normal @ TOWARDS > 0
        found, of = found[facing], of[facing]
        shade = 0.55 + 0.45 * np.clip(normal[facing] @ LIGHT, 0.0, 1.0)
        corners.append(solid.vertices[found] - low)
        colours.append(np.array([COLOURS[solid.faces[k].surface] for k in of]) * shade[:, None])
    flat, depth = _seen(np.concatenate(corners))
    order = np.argsort(depth.mean(axis=1), kind="stable")
    colour = np.concatenate(colours)[order]
    if len(xyz) > MOST_POINTS:
        xyz = xyz[np.sort(np.random.default_rng(0).choice(len(xyz), MOST_POINTS, replace=False))]
    over = _seen(xyz - low)[0]
    wide, high = np.ptp(flat.reshape(-1, 2), axis=0)
    rows, columns = (2, 1) if wide > 1.4 * high else (1, 2)
    size = (columns * LONG_SIDE * min(1.0, wide / high) / columns, rows * LONG_SIDE * min(1.0, high / wide) / columns)
    figure = Figure(figsize=size, layout="tight")
    for number in range(2):
        axes = figure.add_subplot(rows, columns, number + 1)
        axes.add_collection(PolyCollection(list(flat[order]), facecolors=colour, edgecolors=colour, linewidths=0.4))
        if number == 1:
            axes.scatter(*over.T, s=0.5, c=xyz[:, 2], cmap="viridis")
        axes.autoscale_view()
        axes.set_aspect("equal")
        axes.set_axis_off()
    figure.suptitle(f"{title}: {len(solids)} models, and the same with the points over them")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)


def _seen(xyz: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places in the picture (…, 2) and how near to the eye they are (…), in m, without perspective."""
    right = np.array([-sin(FROM), cos(FROM), 0.0])
    return np.stack([xyz @ right, xyz @ np.cross(TOWARDS, right)], axis=-1), xyz @ TOWARDS

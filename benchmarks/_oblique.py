"""A block of buildings seen from above at a slant, with the points over its roofs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d.art3d import Poly3DCollection
from numpy.typing import NDArray

from gis.city_model.building import Building, Surface
from gis.city_model.faces import normals, triangles
from gis.errors import BadGeometry

COLOURS = {Surface.ROOF: (0.80, 0.45, 0.35), Surface.WALL: (0.87, 0.85, 0.80), Surface.GROUND: (0.5, 0.5, 0.5)}
MOST_POINTS = 40_000


def draw(path: Path, title: str, buildings: Sequence[Building], xyz: NDArray[np.float64]) -> None:
    """Two views of the models, one with points.

    Args:
        path: of the PNG.
        title: above.
        buildings: with solids.
        xyz: (n, 3) points; some are left out where there are very many.
    """
    solids = [building.solid for building in buildings if building.solid is not None]
    every = np.concatenate([solid.vertices for solid in solids])
    low, high = every.min(axis=0), every.max(axis=0)
    corners, colours = [], []
    light = np.array([-0.4, -0.6, 0.7]) / np.sqrt(0.4**2 + 0.6**2 + 0.7**2)
    for solid in solids:
        normal, _ = normals(solid)
        try:
            found, of = triangles(solid)
        except BadGeometry:
            continue
        corners.append(solid.vertices[found] - low)
        shade = 0.55 + 0.45 * np.clip(normal[of] @ light, 0.0, 1.0)
        base = np.array([COLOURS[solid.faces[k].surface] for k in of])
        colours.append(np.clip(base * shade[:, None], 0.0, 1.0))
    random = np.random.default_rng(0)
    if len(xyz) > MOST_POINTS:
        xyz = xyz[np.sort(random.choice(len(xyz), MOST_POINTS, replace=False))]
    figure = Figure(figsize=(18, 11), layout="tight")
    for number, with_points in enumerate((False, True)):
        axes = figure.add_subplot(1, 2, number + 1, projection="3d", computed_zorder=not with_points)
        axes.add_collection3d(Poly3DCollection(np.concatenate(corners), facecolors=np.concatenate(colours), zorder=1))
        if with_points:
            local = xyz - low
            axes.scatter(*local.T, s=0.6, c=local[:, 2], cmap="viridis", depthshade=False, zorder=2)
        axes.set(xlim=(0, high[0] - low[0]), ylim=(0, high[1] - low[1]), zlim=(0, high[2] - low[2]))
        axes.set_box_aspect(high - low, zoom=1.15)
        axes.view_init(elev=40, azim=-60)
        axes.set_axis_off()
    figure.suptitle(f"{title}: {len(solids)} models; on the right with the points over them")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80, bbox_inches="tight")

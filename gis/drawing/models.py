"""Buildings in three dimensions as a picture, lit by one sun."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from mpl_toolkits.mplot3d.art3d import Poly3DCollection

from gis.city_model.building import Building, Surface
from gis.city_model.faces import normals
from gis.drawing import palette
from gis.errors import BadParameter

SUN = np.array([-0.5, -0.35, 0.79])
"""Towards it, east, north and up: from the south-west, as the picture is seen from there."""
WALL = "#dcdfe3"


def draw_models(
    buildings: Sequence[Building], *, title: str = "", roof: str = palette.VERMILION, marked: Sequence[str] = (),
    size: float = 8.0,
) -> tuple[Figure, Any]:  # fmt: skip
    """The best model of each building, seen from the south-west at one scale in all directions.

    Args:
        buildings: in a CRS in metres; those without a model are left out.
        title: above it.
        roof: colour of the roofs.
        marked: uids of buildings whose roofs are blue.
        size: inches.

    Raises:
        BadParameter: none has a model.
    """
    faces, colours = [], []
    for one in buildings:
        if one.solid is None:
            continue
        light = 0.55 + 0.45 * np.clip(np.nan_to_num(normals(one.solid)[0]) @ SUN, 0, 1)
        top = palette.BLUE if one.uid in marked else roof
        for face, shade in zip(one.solid.faces, light, strict=True):
            if face.surface is not Surface.GROUND:
                faces.append(one.solid.vertices[list(face.rings[0])])
                colours.append(np.array(to_rgb(top if face.surface is Surface.ROOF else WALL)) * shade)
    if not faces:
        raise BadParameter("buildings", len(buildings), "none of them has a model to draw")
    figure = plt.figure(figsize=(size, 0.75 * size), layout="constrained")
    axes: Any = figure.add_subplot(projection="3d")
    corners = np.concatenate(faces)
    low, high = corners.min(axis=0), corners.max(axis=0)
    shown = [face - low for face in faces]
    axes.add_collection3d(Poly3DCollection(shown, facecolors=colours, edgecolors="#00000055", linewidths=0.3))
    axes.set(xlim=(0, high[0] - low[0]), ylim=(0, high[1] - low[1]), zlim=(0, high[2] - low[2]))
    axes.set_box_aspect(np.maximum(high - low, 1.0), zoom=1.25)
    axes.view_init(elev=38, azim=-118)
    axes.set_proj_type("ortho")
    axes.set(xlabel="m east", ylabel="m north", zlabel="m")
    axes.tick_params(labelsize=7)
    axes.zaxis.set_major_locator(MaxNLocator(4))
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold")
    return figure, axes

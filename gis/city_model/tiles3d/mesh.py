"""Many solids as one mesh in a tile's frame, each face flat, each corner with the number of its building."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.errors import GEOSException

from gis.city_model.tiles3d.ears import triangulated
from gis.city_model.tiles3d.frame import LocalFrame
from gis.city_model.tiles3d.shells import ROOF, Shells, read_shells
from gis.crs import CrsLike


@dataclass(frozen=True, slots=True)
class TileMesh:
    """Triangles of a tile's buildings, without what lies on the ground."""

    frame: LocalFrame
    positions: NDArray[np.float64]
    """(v, 3) metres east, north, up in the frame."""
    normals: NDArray[np.float64]
    """(v, 3) outwards, of length one."""
    feature: NDArray[np.int64]
    """(v,) number of the building."""
    roofs: NDArray[np.int64]
    """(t, 3) corners of the roofs' triangles, counter-clockwise from outside."""
    walls: NDArray[np.int64]
    """(t, 3) of the walls'."""


def tile_mesh(solids: Sequence[bytes], letters: Sequence[str], crs: CrsLike, geoid_offset: float = 0.0) -> TileMesh:
    """The mesh of solids; building i is solid i.

    A face that is no simple polygon, which valid solids have none of, is left out.

    Args:
        solids: as the store holds them, see `read_shells`; at least one.
        letters: one for each face of each.
        crs: the city's.
        geoid_offset: metres from the ellipsoid up to the zero of the vertical datum.

    Raises:
        BadGeometry: one is damaged.
    """
    shells = read_shells(solids, letters)
    triangles, owner, up, left = triangulated(shells.xyz, shells.rings, shells.faces)
    if left.any():
        triangles, owner = _completed(shells, triangles, owner, up, np.flatnonzero(left))
    used, corners = np.unique(triangles.reshape(-1), return_inverse=True)
    corners = corners.reshape(-1, 3)
    face = np.repeat(np.arange(len(shells.solid)), np.diff(shells.rings[shells.faces]))[used]
    xyz = shells.xyz[used]
    low, high = (xyz.min(axis=0), xyz.max(axis=0)) if len(xyz) else (np.zeros(3), np.zeros(3))
    middle = (low + high) / 2.0
    frame = LocalFrame.at(crs, (float(middle[0]), float(middle[1]), float(low[2])), geoid_offset)
    is_roof = shells.surface[owner] == ROOF
    return TileMesh(
        frame,
        frame.local(xyz),
        up[face] @ turn(frame, middle).T,
        shells.solid[face],
        corners[is_roof],
        corners[~is_roof],
    )


def turn(frame: LocalFrame, place: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, 3): directions of the city's grid at a place, in the frame; the grid's north is not quite north."""
    ends = frame.exact(place + np.vstack([np.zeros(3), np.eye(3)]))
    axes = (ends[1:] - ends[0]).T
    return np.asarray(axes / np.linalg.norm(axes, axis=0))


def _completed(
    shells: Shells,
    triangles: NDArray[np.int64],
    owner: NDArray[np.int64],
    up: NDArray[np.float64],
    left: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """With the triangles of faces whose ears could not be cut, made by GEOS."""
    for number in left.tolist():
        axes = [axis for axis in range(3) if axis != int(np.argmax(np.abs(up[number])))]
        rings = shells.rings[shells.faces[number] : shells.faces[number + 1] + 1]
        flat = [shells.xyz[a:b][:, axes] for a, b in pairwise(rings)]
        place = {(x, y): rings[0] + i for i, (x, y) in enumerate(np.concatenate(flat).tolist())}
        try:
            parts = shapely.get_parts(shapely.constrained_delaunay_triangles(shapely.Polygon(flat[0], flat[1:])))
            at = shapely.get_coordinates(parts).reshape(-1, 4, 2)[:, :3].tolist()
            found = np.array([[place[x, y] for x, y in corners] for corners in at], dtype=np.int64).reshape(-1, 3)
        except (GEOSException, KeyError):
            continue
        a, b, c = shells.xyz[found].transpose(1, 0, 2)
        turned = np.cross(b - a, c - a) @ up[number] < 0
        found[turned] = found[turned][:, ::-1]
        triangles = np.concatenate([triangles, found])
        owner = np.concatenate([owner, np.full(len(found), number)])
    return triangles, owner

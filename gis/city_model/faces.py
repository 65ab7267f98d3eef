"""Faces of a solid as planes and as triangles."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.errors import GEOSException

from gis.city_model.building import Face, Solid
from gis.errors import BadGeometry

FLAT = 0.1
"""Degrees: a face of less slope looks nowhere; corners on a 0.1 mm grid turn one of a decimetre by about that."""

AREA, SPECK = 1e-3, 1e-6
"""Share, and m²: what a face's triangles may cover more or less than it; corners up to 1 mm off its plane tilt it."""


def normals(solid: Solid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(f, 3) outward unit normals and (f,) areas in m², holes subtracted.

    By Newell's method over all rings of a face: those of holes run the other way round. A face without area has NaN.
    """
    rings = [(number, ring) for number, face in enumerate(solid.faces) for ring in face.rings]
    count = np.array([len(ring) for _, ring in rings], dtype=np.int64)
    face = np.repeat(np.array([number for number, _ in rings], dtype=np.int64), count)
    corner = np.concatenate([np.array(ring, dtype=np.int64) for _, ring in rings])
    ends = np.cumsum(count)
    following = np.arange(1, len(corner) + 1)
    following[ends - 1] = ends - count
    first = np.zeros(len(solid.faces), dtype=np.int64)
    first[face[::-1]] = corner[::-1]
    here = solid.vertices[corner] - solid.vertices[first[face]]
    crossed = np.cross(here, here[following])
    total = np.column_stack([np.bincount(face, crossed[:, axis], len(solid.faces)) for axis in range(3)])
    length = np.linalg.norm(total, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return total / length[:, None], length / 2.0


def slopes(normal: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(f,) slope in degrees from the horizontal, and azimuth of the way down, clockwise from grid north, [0, 360).

    The azimuth of a face that is flat to 0.1 degrees is NaN.
    """
    slope = np.degrees(np.arctan2(np.hypot(normal[:, 0], normal[:, 1]), np.abs(normal[:, 2])))
    azimuth = np.degrees(np.arctan2(normal[:, 0], normal[:, 1])) % 360.0
    return slope, np.where(slope < FLAT, np.nan, azimuth)


def triangles(solid: Solid) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(t, 3) corners of triangles that cover the faces, turning as these do, and (t,) the face of each.

    Every corner of a face is one of its triangles, also where it lies on a straight line between two others, so that
    triangles of neighbours meet along whole edges: of a closed solid they are a closed mesh.

    Raises:
        BadGeometry: a face is no simple polygon in its plane.
    """
    normal, area = normals(solid)
    plain = np.array([len(f.rings[0]) if len(f.rings) == 1 else 0 for f in solid.faces], dtype=np.int64)
    three, four = np.flatnonzero(plain == 3), np.flatnonzero(plain == 4)
    corners = np.array([solid.faces[n].rings[0] for n in four], dtype=np.int64).reshape(-1, 4)
    convex = _convex(solid.vertices[corners], normal[four])
    quads = corners[convex]
    done = [
        np.array([solid.faces[n].rings[0] for n in three], dtype=np.int64).reshape(-1, 3),
        quads[:, [0, 1, 2]],
        quads[:, [0, 2, 3]],
    ]
    owner = [three, four[convex], four[convex]]
    hard = np.setdiff1d(np.arange(len(solid.faces)), np.concatenate(owner))
    if len(hard):
        found, of = _constrained(solid, hard.tolist(), normal, area)
        done.append(found)
        owner.append(of)
    order = np.argsort(np.concatenate(owner), kind="stable")
    return np.concatenate(done)[order], np.concatenate(owner)[order]


def _convex(corners: NDArray[np.float64], normal: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(k,) whether rings of four corners (k, 4, 3) turn one way at each of them."""
    sides = np.roll(corners, -1, axis=1) - corners
    turns = np.cross(sides, np.roll(sides, -1, axis=1))
    return np.asarray((np.einsum("kij,kj->ki", turns, normal) > 0).all(axis=1), dtype=bool)


def _constrained(
    solid: Solid, numbers: list[int], normal: NDArray[np.float64], area: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Constrained Delaunay triangles of some faces, each in the coordinate plane it is seen best in."""
    flat, places = [], []
    for number in numbers:
        face = solid.faces[number]
        if not np.isfinite(normal[number]).all():
            raise BadGeometry(f"face {number} of a solid", "it has no area")
        polygon, place = _flattened(solid, face, normal[number])
        flat.append(polygon)
        places.append(place)
    try:
        parts, of = shapely.get_parts(shapely.constrained_delaunay_triangles(flat), return_index=True)
    except GEOSException as error:
        raise BadGeometry("a face of a solid", f"it cannot be parted into triangles ({error})") from error
    corners = shapely.get_coordinates(parts).reshape(-1, 4, 2)[:, :3]
    covered = np.bincount(of, shapely.area(parts), len(numbers))
    seen = area[numbers] * np.abs(normal[numbers]).max(axis=1)
    if (bad := np.flatnonzero(np.abs(covered - seen) > AREA * seen + SPECK)).size:
        raise BadGeometry(f"face {numbers[int(bad[0])]} of a solid", "it is no simple polygon in its plane")
    found = np.array(
        [[places[k][x, y] for x, y in triangle] for k, triangle in zip(of.tolist(), corners.tolist(), strict=True)],
        dtype=np.int64,
    )
    a, b, c = solid.vertices[found].transpose(1, 0, 2)
    turned = np.einsum("ij,ij->i", np.cross(b - a, c - a), normal[np.array(numbers)[of]]) < 0
    found[turned] = found[turned][:, ::-1]
    return found, np.array(numbers, dtype=np.int64)[of]


def _flattened(
    solid: Solid, face: Face, normal: NDArray[np.float64]
) -> tuple[shapely.Polygon, dict[tuple[float, float], int]]:
    """A face without the coordinate its normal is longest in, and the vertex at each place."""
    axes = [axis for axis in range(3) if axis != int(np.argmax(np.abs(normal)))]
    rings = [solid.vertices[list(ring)][:, axes] for ring in face.rings]
    place = {
        (x, y): index
        for ring, xy in zip(face.rings, rings, strict=True)
        for index, (x, y) in zip(ring, xy.tolist(), strict=True)
    }
    return shapely.Polygon(rings[0], rings[1:]), place

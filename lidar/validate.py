"""Whether a solid is one after ISO 19107: closed, two-manifold, outward, planar, of simple faces.

Defects are named after val3dity's catalogue (Ledoux 2018, "val3dity: validation of 3D GIS primitives according to the
international standards").
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.city_model.building import Solid
from lidar import shell_checks as checks

PLANARITY = 0.001
"""m: distance a vertex may have from its face's plane."""
SNAP = 1e-6
"""m: vertices that round to the same multiple are one."""


class Defect(StrEnum):
    """What is wrong with a solid; the number is that of val3dity's catalogue."""

    TOO_FEW_POINTS = "101 too few points in a ring"
    REPEATED_POINTS = "102 consecutive points are the same"
    RING_SELF_INTERSECTS = "104 a face's rings intersect themselves or each other"
    NOT_PLANAR = "203 a face is not planar"
    INTERIOR_DISCONNECTED = "205 a face's rings part it into pieces"
    HOLE_OUTSIDE = "206 a hole lies outside of its face"
    HOLES_NESTED = "207 a hole lies in another"
    HOLE_TURNS_ALONG = "208 a hole's ring turns the same way as its face"
    TOO_FEW_FACES = "301 too few faces"
    NOT_CLOSED = "302 the shell has a hole or faces of opposite orientation"
    NON_MANIFOLD_EDGE = "303 an edge belongs to more than two faces"
    NON_MANIFOLD_VERTEX = "304 faces around a vertex form more than one fan"
    SEVERAL_SHELLS = "305 the shell falls into parts"
    INWARD = "405 the normals point inwards"
    NOT_FINITE = "901 a coordinate is not a finite number"


def defects(solid: Solid, planarity: float = PLANARITY) -> tuple[Defect, ...]:
    """What is wrong with the solid; nothing when it is valid.

    Tolerances:

    * Vertices are told apart by position, not by index: those that round to the same micrometre are one.
    * A face is planar when no corner, of holes too, is farther than `planarity` from the plane through the mean of its
      corners along its normal after Newell. The normals of its triangles are not compared: slivers of corners on a
      grid of 0.1 mm have any.
    * A ring whose doubled area is below 1e-12 m² has none.
    * Whether rings cross, touch or lie in each other is decided without tolerance, in the coordinate plane the face
      is seen best in: by the sides of lines where double precision is enough, by GEOS where it is not.
    * Edges, fans and shells are counted, so that no tolerance enters; nor does any into the volume's sign.

    Whether faces cut through each other (306) is not looked at, as those of a building in 2.5D cannot: its roofs and
    its ground lie over the faces of one plane subdivision, which cross nowhere; each roof lies above the ground; its
    walls are vertical over the edges of the subdivision, each between the heights of the two faces beside it. Two
    faces over different parts of the subdivision meet over its edges and vertices alone, where they share corners or
    are kept apart by height. Solids from elsewhere may be crossed and are called valid all the same.

    Args:
        solid: vertices in metres.
        planarity: m, distance a vertex may have from its face's plane.

    Raises:
        BadGeometry: a face names a vertex that is not there.
    """
    if not np.isfinite(solid.vertices).all():
        return (Defect.NOT_FINITE,)
    if len(solid.faces) < 4:
        return (Defect.TOO_FEW_FACES,)
    wrong, doubt, volume = checks.faults(*checks.flattened(solid), SNAP, planarity)
    if not len(doubt):
        return _named(wrong)
    found = set(_named(wrong))
    for number in doubt.nonzero()[0].tolist():
        found.update(_of_rings([solid.vertices[list(ring)] for ring in solid.faces[number].rings]))
    if not found and volume <= 0:
        found.add(Defect.INWARD)
    return tuple(sorted(found))


def signed_volume(solid: Solid) -> float:
    """Volume in m³ by the divergence theorem; negative when the normals point inwards."""
    flat = checks.flattened(solid)
    return float(checks.volume_of(flat.vertices, flat.corner, flat.ring))


_BITS = (
    (checks.TOO_FEW_POINTS, Defect.TOO_FEW_POINTS),
    (checks.REPEATED, Defect.REPEATED_POINTS),
    (checks.NO_AREA, Defect.RING_SELF_INTERSECTS),
    (checks.NOT_PLANAR, Defect.NOT_PLANAR),
    (checks.HOLE_OUTSIDE, Defect.HOLE_OUTSIDE),
    (checks.HOLES_NESTED, Defect.HOLES_NESTED),
    (checks.HOLE_TURNS_ALONG, Defect.HOLE_TURNS_ALONG),
    (checks.EDGE, Defect.NON_MANIFOLD_EDGE),
    (checks.OPEN, Defect.NOT_CLOSED),
    (checks.FANS, Defect.NON_MANIFOLD_VERTEX),
    (checks.SHELLS, Defect.SEVERAL_SHELLS),
)
_REASONS = (
    ("Hole lies outside", Defect.HOLE_OUTSIDE),
    ("Holes are nested", Defect.HOLES_NESTED),
    ("Interior is disconnected", Defect.INTERIOR_DISCONNECTED),
)
"""How GEOS begins its reasons; others are rings that cross or touch along a line."""


def _named(wrong: int) -> tuple[Defect, ...]:
    return tuple(defect for bit, defect in _BITS if wrong & bit)


def _of_rings(rings: list[NDArray[np.float64]]) -> list[Defect]:
    """What GEOS has against the rings of one face, corners (k, 3) each."""
    local = [ring - rings[0][0] for ring in rings]
    normal = np.cross(local[0], np.roll(local[0], -1, axis=0)).sum(axis=0)
    axes = [axis for axis in range(3) if axis != int(np.argmax(np.abs(normal)))]
    polygon = shapely.Polygon(local[0][:, axes], [ring[:, axes] for ring in local[1:]])
    if polygon.is_valid:
        return []
    why = shapely.is_valid_reason(polygon)
    return [next((defect for begin, defect in _REASONS if why.startswith(begin)), Defect.RING_SELF_INTERSECTS)]

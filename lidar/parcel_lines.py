"""Derived outlines parted at parcel lines: in a row without height steps, the register knows where one house ends."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from lidar.footprints import Footprints

NARROWEST = 1.8
"""m: what reaches less over a parcel line is an overhang, or the error of both lines, not a house of its own."""
SMALLEST = 8.0
"""m², likewise."""
ONWARD = 10.0
"""m that a wall between two parts is drawn on through what lies on no parcel."""
MILLIMETRE = 0.001


def parted_at_parcels(outlines: Footprints, parcels: NDArray[np.object_]) -> Footprints:
    """Each derived outline as one outline for each parcel it has a house on; known ones stay as they are.

    A part that could be no house (less than 1.8 m wide, or 8 m²), and what lies on no parcel, stays with the neighbour
    it has the longest border with, cut where the walls between the parts run on: so a wall that stands a little over
    the line, or wholly on one parcel, is not cut. A house that really stands on two parcels is; the register's line is
    the better evidence in rows.

    An outline's parts depend on it and the parcels under it alone. A part keeps its σ and confidence; its uid is made
    of its place.

    Args:
        outlines: in a CRS in metres.
        parcels: (m,) valid polygons or multipolygons, in the same CRS; they may overlap.
    """
    if len(parcels) == 0 or not outlines.derived.any():
        return outlines
    tree = shapely.STRtree(parcels)
    made: dict[str, tuple[BaseGeometry, int]] = {}
    for index, (uid, shape) in enumerate(zip(outlines.uids, outlines.polygons, strict=True)):
        under = np.sort(tree.query(shape, predicate="intersects")) if outlines.derived[index] else np.empty(0, int)
        parts = _parts(shape, parcels[under]) if len(under) > 1 else [shape]
        for part in parts:
            point = shapely.point_on_surface(part)
            made[uid if len(parts) == 1 else f"d-{point.x * 10:.0f}-{point.y * 10:.0f}"] = (part, index)
    polygons = np.empty(len(made), dtype=object)
    polygons[:] = [part for part, _ in made.values()]
    origin = np.array([index for _, index in made.values()], dtype=np.int64)
    return Footprints(
        tuple(made),
        polygons,
        outlines.crs,
        outlines.source,
        outlines.sigma_xy[origin],
        outlines.derived[origin],
        outlines.complete[origin],
        outlines.confidence[origin],
        outlines.problems,
    )


def _parts(shape: Polygon, parcels: NDArray[np.object_]) -> list[BaseGeometry]:
    """The outline as parts by parcel; itself if it has a house on one alone."""
    share = shapely.area(shapely.intersection(shape, parcels, grid_size=MILLIMETRE))
    rest: BaseGeometry = shape
    parts: list[BaseGeometry] = []
    for at in np.argsort(-share, kind="stable"):
        own = shapely.intersection(rest, parcels[at], grid_size=MILLIMETRE)
        core = shapely.buffer(own, -NARROWEST / 2, join_style="mitre")
        if core.is_empty or own.area < SMALLEST:
            continue
        for piece in shapely.get_parts(own):
            if piece.geom_type == "Polygon" and piece.area >= SMALLEST and shapely.intersects(piece, core):
                parts.append(piece)
                rest = shapely.difference(rest, piece, grid_size=MILLIMETRE)
    if len(parts) < 2:
        return [shape]
    pending = _cut(rest, [line for i, one in enumerate(parts) for other in parts[:i] for line in _onward(one, other)])
    while pending:
        border = np.array([shapely.length(shapely.intersection(p, shapely.boundary(parts))) for p in pending])
        chosen, beside = np.unravel_index(int(np.argmax(border)), border.shape)
        if border[chosen, beside] <= 0:
            break
        parts[beside] = shapely.union(parts[beside], pending.pop(int(chosen)), grid_size=MILLIMETRE)
    return parts if all(part.geom_type == "Polygon" and part.is_valid for part in parts) else [shape]


def _onward(one: BaseGeometry, other: BaseGeometry) -> list[LineString]:
    """The wall between two parts, drawn straight on beyond both of its ends."""
    common = shapely.intersection(shapely.boundary(one), shapely.boundary(other), grid_size=MILLIMETRE)
    found = []
    for wall in shapely.get_parts(shapely.line_merge(common)):
        if wall.geom_type != "LineString" or wall.is_closed:
            continue
        xy = shapely.get_coordinates(wall)
        for end, before in ((xy[0], xy[1]), (xy[-1], xy[-2])):
            step = (end - before) / np.hypot(*(end - before))
            found.append(LineString([end, end + ONWARD * step]))
    return found


def _cut(shape: BaseGeometry, lines: list[LineString]) -> list[Polygon]:
    """The polygons of a shape, cut along lines."""
    edges = shapely.union_all([shapely.boundary(shape), *lines], grid_size=MILLIMETRE)
    pieces = shapely.get_parts(shapely.polygonize(shapely.get_parts(edges)))
    inside = shapely.intersects(shape, shapely.point_on_surface(pieces))
    return [piece for piece in pieces[inside] if piece.area > 0]

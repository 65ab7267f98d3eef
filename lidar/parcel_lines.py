"""Derived outlines parted at parcel lines: in a row without height steps, the register knows where one house ends."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from lidar.footprints import Footprints
from lidar.supplement import NARROWEST, SMALLEST

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
    share = shapely.area(shapely.intersection(shape, parcels))
    lots = [parcels[at] for at in np.argsort(-share, kind="stable") if share[at] >= SMALLEST]
    lines: list[BaseGeometry] = [shapely.boundary(shape), *map(shapely.boundary, lots)]
    houses = _houses(_cells(shape, lines), lots)
    if len(houses) < 2:
        return [shape]
    walls = [line for i, one in enumerate(houses) for other in houses[:i] for line in _onward(one, other)]
    cells = _cells(shape, [*lines, *walls])
    inside = shapely.point_on_surface(cells)
    owner = np.full(len(cells), -1)
    for k, house in enumerate(houses):
        owner[(owner < 0) & shapely.intersects(house, inside)] = k
    _join(cells, owner, len(houses))
    parts = [shapely.union_all(cells[owner == k]) for k in range(len(houses))]
    whole = (owner >= 0).all() and all(part.geom_type == "Polygon" and part.is_valid for part in parts)
    return parts if whole else [shape]


def _cells(shape: Polygon, lines: list[BaseGeometry]) -> NDArray[np.object_]:
    """What lines cut a shape into: polygons with corners on whole millimetres, that share their sides to the bit."""
    edges = shapely.union_all(lines, grid_size=MILLIMETRE)
    found = shapely.get_parts(shapely.polygonize(shapely.get_parts(edges)))
    return np.asarray(found[shapely.intersects(shape, shapely.point_on_surface(found))], dtype=object)


def _houses(cells: NDArray[np.object_], lots: list[BaseGeometry]) -> list[BaseGeometry]:
    """The pieces of each lot that may be a house; where lots overlap, they are the first one's."""
    inside = shapely.point_on_surface(cells)
    free = np.ones(len(cells), dtype=bool)
    found = []
    for lot in lots:
        own = free & shapely.intersects(lot, inside)
        free &= ~own
        for piece in shapely.get_parts(shapely.union_all(cells[own])):
            core = shapely.buffer(piece, -NARROWEST / 2, join_style="mitre")
            if piece.area >= SMALLEST and not core.is_empty:
                found.append(piece)
    return found


def _join(cells: NDArray[np.object_], owner: NDArray[np.int64], count: int) -> None:
    """Give each cell that is nobody's to whom it has the longest border with, the longest of all first."""
    border = np.zeros((len(cells), count))
    first, second = shapely.STRtree(cells).query(cells, predicate="touches")
    length = shapely.length(shapely.intersection(cells[first], cells[second]))
    owned = owner[second] >= 0
    np.add.at(border, (first[owned], owner[second[owned]]), length[owned])
    while (owner < 0).any():
        waiting = np.flatnonzero(owner < 0)
        at, to = np.unravel_index(int(np.argmax(border[waiting])), (len(waiting), count))
        joined = waiting[at]
        if border[joined, to] <= 0:
            return
        owner[joined] = to
        beside = first == joined
        np.add.at(border[:, to], second[beside], length[beside])


def _onward(one: BaseGeometry, other: BaseGeometry) -> list[LineString]:
    """The wall between two parts, drawn straight on beyond both of its ends."""
    common = shapely.intersection(shapely.boundary(one), shapely.boundary(other))
    found = []
    for wall in shapely.get_parts(shapely.line_merge(common)):
        if wall.geom_type != "LineString" or wall.is_closed:
            continue
        xy = shapely.get_coordinates(wall)
        for end, before in ((xy[0], xy[1]), (xy[-1], xy[-2])):
            step = (end - before) / np.hypot(*(end - before))
            found.append(LineString([end, end + ONWARD * step]))
    return found

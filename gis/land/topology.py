"""The geometry of land changes on the millimetre grid: parcels are cut, joined and noded without overlap and gap.

All coordinates lie on whole millimetres, so that shared boundaries are equal to the bit and areas are exact. A new
point on a boundary that is not parallel to an axis bends it by less than a grid cell's half diagonal, 0.71 mm: every
parcel that shares the boundary gets the same point, so what one loses the other gains. GEOS nodes the lines by snap
rounding (Hobby 1999, https://doi.org/10.1016/S0925-7721(99)00021-8).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import LinearRing, MultiPolygon, Polygon, STRtree
from shapely.geometry.base import BaseGeometry

from gis.errors import BadGeometry

PER_METRE = 1000.0
GRID = 1.0 / PER_METRE
"""m; cell of the grid of all parcel corners."""
MOVED = 0.75e-3
"""m; a point of another parcel nearer than this is the same point: rounding moves one by at most 0.71 mm."""
BENT = 1.5e-3
"""m; an edge nearer than this to a point passes through it: both may have been rounded."""
THINNEST = 0.01
"""m; a piece nowhere wider than this is no parcel."""
NEAR = 2e-3
"""m; parcels nearer than this are neighbours."""

Corners = NDArray[np.float64]


def on_grid(polygon: Polygon) -> Polygon:
    """The polygon with its corners on whole millimetres, doubled ones once.

    Raises:
        BadGeometry: it is not valid there.
    """
    rounded = [_rounded(ring) for ring in _rings(polygon)]
    return _polygon("outline", rounded[0], rounded[1:])


def area(polygon: Polygon) -> float:
    """Its area in m²; of a polygon on the grid exact to half a square millimetre, whatever its coordinates' size."""
    twice = sum(sign * _twice(ring) for ring, sign in zip(_rings(polygon), _signs(polygon), strict=True))
    return twice / 2e6


def nodes(polygons: Iterable[Polygon]) -> Corners:
    """All corners on the grid, each once: `(n, 2)` metres."""
    found = [_rounded(ring) for polygon in polygons for ring in _rings(polygon)]
    return np.unique(np.vstack(found), axis=0) if found else np.empty((0, 2))


def outer_nodes(polygons: Sequence[Polygon]) -> Corners:
    """The corners that lie on the boundary of all together, each once: `(n, 2)` metres."""
    found = nodes(polygons)
    outline = shapely.union_all(list(polygons)).boundary
    return found[shapely.dwithin(shapely.points(found), outline, GRID / 10)]


def noded(polygon: Polygon, points: Corners) -> Polygon:
    """The polygon with the points as corners where its boundary passes them; it stays as it is elsewhere.

    Args:
        polygon: any.
        points: `(n, 2)` metres, on the grid; those not at its boundary change nothing.

    Raises:
        BadGeometry: with them it is no valid polygon.
    """
    near = points[shapely.dwithin(shapely.points(points), polygon.boundary, NEAR)] if len(points) else points
    if not len(near):
        return polygon
    rings = [_noded_ring(_open(ring), near) for ring in _rings(polygon)]
    if all(np.array_equal(new, _open(old)) for new, old in zip(rings, _rings(polygon), strict=True)):
        return polygon
    return _polygon("outline", rings[0], rings[1:])


def split(polygon: Polygon, line: BaseGeometry) -> tuple[Polygon, ...]:
    """The pieces a line cuts a polygon into, from west to east; they share its points to the bit.

    Args:
        polygon: on the grid.
        line: one or several lines; what lies outside of the polygon does not count.

    Raises:
        BadGeometry: the line does not cross the polygon, ends inside of it, or cuts off a sliver.
    """
    inside = shapely.intersection(line, polygon)
    if shapely.get_dimensions(line) != 1 or shapely.length(inside) <= THINNEST:
        raise BadGeometry("line", "it does not cross the parcel")
    cut = shapely.union_all([polygon.boundary, inside], grid_size=GRID)
    faces, _, dangles, _ = shapely.polygonize_full([cut])
    for end in shapely.get_parts(dangles):
        if shapely.line_interpolate_point(end, 0.5, normalized=True).distance(polygon.boundary) > NEAR:
            where = shapely.get_point(end, -1) if end.interpolate(0).distance(polygon.boundary) < NEAR else end
            place = shapely.get_coordinates(where)[0]
            raise BadGeometry("line", f"it ends inside of the parcel near {place[0]:.3f} {place[1]:.3f}")
    pieces = [face for face in shapely.get_parts(faces) if polygon.covers(shapely.point_on_surface(face))]
    if len(pieces) < 2:
        raise BadGeometry("line", "it does not cross the parcel")
    return _ordered("piece", pieces)


def partition(region: Polygon, parts: Sequence[Polygon]) -> tuple[Polygon, ...]:
    """The region cut into the given parts, each drawn to the region's and to each other's points.

    Gaps, overlaps and overhangs thinner than twice a neighbour's distance are closed; so a survey in whole millimetres
    fits a boundary that it rounded.

    Args:
        region: on the grid.
        parts: they must fill the region; the answer has their order.

    Raises:
        BadGeometry: they leave a gap, overlap, or reach out of the region; the message says by how much.
    """
    corners = np.vstack([nodes([region]), nodes(parts)])
    drawn = [noded(part, corners) for part in map(on_grid, parts)]
    lines = [noded(region, nodes(drawn)).boundary, *(part.boundary for part in drawn)]
    faces = shapely.get_parts(shapely.polygonize([shapely.union_all(lines, grid_size=GRID)]))
    mine: list[list[Polygon]] = [[] for _ in parts]
    left: list[Polygon] = []
    for face in faces:
        inner = shapely.point_on_surface(face)
        owners = [place for place, part in enumerate(drawn) if part.covers(inner)]
        if not region.covers(inner):
            if owners and _wide(face):
                raise BadGeometry(f"part {owners[0] + 1}", f"it reaches out of the parcel by {face.area:.3f} m²")
        elif len(owners) == 1 or (owners and not _wide(face)):
            mine[owners[0]].append(face)
        elif owners:
            both = " and ".join(str(place + 1) for place in owners)
            raise BadGeometry(f"parts {both}", f"they overlap by {face.area:.3f} m²")
        elif _wide(face):
            raise BadGeometry("parts", f"they leave {face.area:.3f} m² of the parcel to nobody")
        else:
            left.append(face)
    for place, own in enumerate(mine):
        if not own:
            raise BadGeometry(f"part {place + 1}", "it is not in the parcel")
    _give_away(left, mine)
    return tuple(_joined(f"part {place + 1}", own) for place, own in enumerate(mine))


def merge(polygons: Sequence[Polygon]) -> Polygon:
    """One polygon of neighbours; its area is the sum of theirs but for what the grid changes.

    Raises:
        BadGeometry: they are no neighbours along a line, overlap, or leave a gap between them.
    """
    corners = nodes(polygons)
    drawn = [noded(polygon, corners) for polygon in map(on_grid, polygons)]
    together = shapely.union_all(drawn, grid_size=GRID)
    faces: list[Polygon] = []
    for part in shapely.get_parts(together):
        holes = [hole for hole in part.interiors if _wide(Polygon(hole))]
        faces.append(Polygon(part.exterior, holes))
    if len(faces) != 1:
        raise BadGeometry("parcels", "they do not adjoin along a common boundary")
    difference = faces[0].area - sum(polygon.area for polygon in polygons)
    allowed = GRID * sum(polygon.length for polygon in polygons)
    if abs(difference) > allowed:
        why = "overlap" if difference < 0 else "leave a gap between them"
        raise BadGeometry("parcels", f"they {why} of {abs(difference):.3f} m²; survey them anew first")
    return _checked("parcel", faces[0])


def overlap(first: Polygon, second: Polygon) -> float:
    """Area in m² that two polygons share, if it is wider than the grid explains; else 0."""
    common = shapely.intersection(first, second)
    return float(common.area) if _wide(common) else 0.0


def lost(before: Sequence[Polygon], after: Sequence[Polygon]) -> list[Polygon]:
    """What of the land before is in nothing after, wider than the grid explains."""
    rest = shapely.difference(shapely.union_all(list(before)), shapely.union_all(list(after)))
    return [part for part in shapely.get_parts(rest) if isinstance(part, Polygon) and _wide(part)]


def shares_boundary(first: Polygon, second: Polygon) -> bool:
    """Whether two polygons adjoin along a line, not in a point only."""
    return bool(shapely.length(shapely.intersection(first.boundary, shapely.buffer(second, NEAR))) > 2 * THINNEST)


def is_sliver(polygon: Polygon) -> bool:
    """Whether it is nowhere wider than a parcel must be."""
    return bool(shapely.is_empty(shapely.buffer(polygon, -THINNEST / 2)))


def _wide(shape: BaseGeometry) -> bool:
    """Whether an area is on average wider than 2 mm: less comes from the rounding of both sides."""
    return bool(shape.area > GRID * shape.length)


def _rings(polygon: Polygon) -> list[LinearRing]:
    return [polygon.exterior, *polygon.interiors]


def _signs(polygon: Polygon) -> list[int]:
    return [1, *[-1] * len(polygon.interiors)]


def _open(ring: LinearRing) -> Corners:
    """Corners without the closing one: `(n, 2)`."""
    return shapely.get_coordinates(ring)[:-1]


def _rounded(ring: LinearRing) -> Corners:
    """Its corners on the grid, written as GEOS writes them, neighbours that became equal once."""
    corners = np.rint(_open(ring) * PER_METRE) / PER_METRE
    return _without_doubles(corners)


def _without_doubles(corners: Corners) -> Corners:
    kept: Corners = corners[(corners != np.roll(corners, 1, axis=0)).any(axis=1)]
    return kept


def _twice(ring: LinearRing) -> int:
    """Twice the ring's area in mm², whole."""
    corners = np.rint(_open(ring) * PER_METRE).astype(np.int64)
    east, north = (corners - corners[0]).T
    return abs(int((east * np.roll(north, -1) - np.roll(east, -1) * north).sum()))


def _noded_ring(corners: Corners, points: Corners) -> Corners:
    """A ring, open, with its corners drawn to the points and the points on its edges put in."""
    near, nearest = _tree(points).query_nearest(shapely.points(corners), max_distance=MOVED, all_matches=False)
    corners = corners.copy()
    corners[near] = points[nearest]
    known = {tuple(corner) for corner in corners.tolist()}
    fresh = points[[tuple(point) not in known for point in points.tolist()]]
    if len(fresh):
        corners = _with_points_on_edges(corners, fresh)
    return _without_doubles(corners)


def _tree(points: Corners) -> STRtree:
    return STRtree(np.asarray(shapely.points(points), dtype=object))


def _with_points_on_edges(corners: Corners, points: Corners) -> Corners:
    """A ring, open, with the points its edges pass, each between the ends of its edge."""
    edges = np.stack([corners, np.roll(corners, -1, axis=0)], axis=1)
    edge, point = _tree(points).query(shapely.linestrings(edges), predicate="dwithin", distance=BENT)
    start, along = edges[edge, 0], edges[edge, 1] - edges[edge, 0]
    squared = (along**2).sum(axis=1)
    passed = ((points[point] - start) * along).sum(axis=1)
    inside = (passed > 0.0) & (passed < squared)
    edge, point, passed = edge[inside], point[inside], passed[inside]
    order = np.lexsort((passed, edge))
    ring: Corners = np.insert(corners, edge[order] + 1, points[point[order]], axis=0)
    return ring


def _polygon(record: str, shell: Corners, holes: Sequence[Corners]) -> Polygon:
    if any(len(ring) < 3 for ring in (shell, *holes)):
        raise BadGeometry(record, "it has no area on the millimetre grid")
    return _checked(record, Polygon(shell, holes))


def _checked(record: str, polygon: Polygon) -> Polygon:
    if not polygon.is_valid:
        raise BadGeometry(record, f"{shapely.is_valid_reason(polygon)} on the millimetre grid")
    if is_sliver(polygon):
        raise BadGeometry(record, f"it is nowhere wider than {THINNEST * 100:g} cm")
    return shapely.normalize(polygon)


def _ordered(record: str, pieces: Sequence[Polygon]) -> tuple[Polygon, ...]:
    checked = [_checked(record, piece) for piece in pieces]
    return tuple(sorted(checked, key=lambda piece: (piece.centroid.x, piece.centroid.y)))


def _give_away(left: Sequence[Polygon], mine: list[list[Polygon]]) -> None:
    """Give slivers of nobody to the part they adjoin longest."""
    for face in left:
        lengths = [
            max((shapely.length(shapely.intersection(face.boundary, one.boundary)) for one in own), default=0.0)
            for own in mine
        ]
        mine[int(np.argmax(lengths))].append(face)


def _joined(record: str, faces: Sequence[Polygon]) -> Polygon:
    whole = shapely.coverage_union_all(list(faces))
    if isinstance(whole, MultiPolygon) and len(whole.geoms) == 1:
        whole = whole.geoms[0]
    if not isinstance(whole, Polygon):
        raise BadGeometry(record, "it falls into pieces")
    return _checked(record, whole)

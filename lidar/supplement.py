"""What stands where the base map shows nothing: outlines from points, less what is known."""

from __future__ import annotations

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from lidar.footprints import Footprints
from lidar.polygon_repair import grown

COMMON_WALL = 0.5
"""m around a known outline that is still its own: the errors of both outlines, and eaves (σ 0.15 and 0.30 m)."""
NARROWEST = 1.8
"""m: a remainder narrower than this is a disagreement of outlines, not a building (the narrowest house is 3 m)."""
SMALLEST = 8.0
"""m²: a remainder smaller than this is none either."""


def supplement(known: Footprints, derived: Footprints) -> Footprints:
    """The known outlines, and of the derived ones what lies outside of them and is large enough for a building.

    In a row of houses seen as one roof, of which all but one are known, the rest is that one.
    """
    derived = derived.to(known.crs)
    if len(known) == 0 or len(derived) == 0:
        return Footprints.joined(known, derived)
    tree = shapely.STRtree(known.polygons)
    mine, theirs = tree.query(derived.polygons, predicate="intersects")
    taken = np.array([grown(polygon, COMMON_WALL) for polygon in known.polygons], dtype=object)
    untouched = np.setdiff1d(np.arange(len(derived)), mine)
    pieces: dict[str, tuple[BaseGeometry, int]] = {}
    for index in np.unique(mine):
        outside = shapely.difference(derived.polygons[index], shapely.union_all(known.polygons[theirs[mine == index]]))
        core = _opened(shapely.difference(outside, shapely.union_all(taken[theirs[mine == index]])))
        # What is certain grows back to the wall it shares with the known building.
        whole = shapely.intersection(grown(core, COMMON_WALL), outside)
        for piece in shapely.get_parts(whole):
            if piece.geom_type == "Polygon" and piece.area >= SMALLEST:
                point = shapely.point_on_surface(piece)
                pieces[f"d-{point.x * 10:.0f}-{point.y * 10:.0f}"] = (piece, int(index))
    origin = [index for _, index in pieces.values()]
    polygons = np.empty(len(pieces), dtype=object)
    polygons[:] = [piece for piece, _ in pieces.values()]
    remainders = Footprints(
        tuple(pieces),
        polygons,
        derived.crs,
        derived.source,
        derived.sigma_xy[origin],
        derived.derived[origin],
        derived.complete[origin],
        derived.confidence[origin],
    )
    return Footprints.joined(Footprints.joined(known, derived.subset(untouched)), remainders)


def _opened(shape: BaseGeometry) -> BaseGeometry:
    """The shape without its parts narrower than `NARROWEST`."""
    inner = grown(shape, -NARROWEST / 2)
    return shapely.intersection(grown(inner, NARROWEST / 2), shape)

"""Columns of points in the order of their cells, and the masks the classes are told by, filled in one pass."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lidar.cells import Cells, Mask
from lidar.known import Known
from lidar.morphology import compiled, in_threads
from lidar.point_cloud import Class, PointCloud

GROUND: Final = int(Class.GROUND)
WATER: Final = int(Class.WATER)
BUILDING: Final = int(Class.BUILDING)


class Gathered(NamedTuple):
    """Of k points in the order of cells, all arrays (k,)."""

    classes: NDArray[np.uint8]
    """Those they have so far."""
    single: Mask
    """Points that are their pulse's only return."""
    last: Mask
    """Points that end their pulse."""
    free: Mask
    """Points whose class is not known before."""
    inside: Mask
    """Points inside of a known outline."""
    ground: Mask
    soil: Mask
    """Ground and water."""
    given: Mask
    """Points known to be of buildings."""
    rest: Mask
    """Points that are neither ground nor known."""


def gathered(points: PointCloud, cells: Cells, known: Known) -> Gathered:
    """The points' columns and what is known of them, by cells."""
    n = cells.points
    kinds = (np.uint8,) + (np.bool_,) * (len(Gathered._fields) - 1)
    made = Gathered._make(np.empty(n, dtype=kind) for kind in kinds)
    columns = points.classification, points.return_number, points.number_of_returns
    in_threads(_gather, n, n, cells.order, *columns, known.fixed, known.inside, made)
    return made


@compiled
def _gather(
    first: int,
    last: int,
    order: Any,
    classification: Any,
    return_number: Any,
    number_of_returns: Any,
    fixed: Any,
    inside: Any,
    made: Any,
) -> None:
    for k in range(first, last):
        p = order[k]
        code, free = classification[p], not fixed[p]
        made.classes[k] = code
        made.single[k], made.last[k] = number_of_returns[p] <= 1, return_number[p] >= number_of_returns[p]
        made.free[k], made.inside[k] = free, inside[p]
        made.ground[k], made.soil[k] = code == GROUND, code in (GROUND, WATER)
        made.given[k], made.rest[k] = code == BUILDING and not free, code != GROUND and free

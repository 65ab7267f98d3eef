"""Light wells and shafts in a roof: gaps between its points that chance does not leave, with returns from far below.

A tube house is lit by a well of 2 by 2 m that is open to near the ground. Few pulses reach its floor, so that it is no
plane of points; but the roof has a gap there, and what returns from the gap comes from well below the roof.
"""

from __future__ import annotations

from dataclasses import replace
from math import log, pi, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lidar.roof_lines import cells_inside
from lidar.roof_planes import NONE, RoofPlanes

CHANCE = 1e-4
"""Probability of an empty disc of the radius from which a gap is one, were points strewn at random."""
CELL = 0.35
"""Side of a cell in points' spacings."""
RIM = 0.3
"""Spacings: a gap's edge is this far from the roof's points, for the nearest of a row of points is about as near."""
SMALLEST, LARGEST = 1.0, 60.0
"""m²: smaller shafts are chimneys, larger ones are parts that were not seen."""
COVERED = 0.5
"""Share of a gap that a plane's own points cover, from which it is a part of the roof, not a gap."""
FLOOR = 9.0
"""m²: planes of fewer points than cover so much may be a well's floor or wall."""
BELOW, STOREY = 1.0, 3.5
"""m below the roof around it that at least a quarter of a gap's points lie, and the lowest: through a skylight pulses
come to the floor of a room, not farther."""
EVIDENCE = 2
"""Points below, at least."""
FLAT = 0.2
"""m: points of one floor lie within it."""


def with_wells(
    edges: NDArray[np.float64], xyz: NDArray[np.float64], roof: RoofPlanes
) -> tuple[NDArray[np.float64], RoofPlanes]:
    """The points and planes of a roof with those of its wells: a level plane and points strewn over each gap.

    Args:
        edges: (e, 4) m, both ends of the footprint's edges, the inside on the left.
        xyz: (n, 3) m, the points that `roof` labels, with those from below the roof, which have no label.
        roof: its planes, at least one.

    Returns:
        (n + m, 3) points and their planes; the same as given where there is no well. A well's floor is at its lowest
        point, or at the middle of the lowest few that lie on one level.
    """
    cell = CELL * roof.spacing
    radius = sqrt(-log(CHANCE) / pi) * roof.spacing
    low = edges[:, :2].min(axis=0) - cell
    columns, rows = (np.ceil((edges[:, :2].max(axis=0) - low) / cell).astype(int) + 1).tolist()
    inside = cells_inside(edges, low[0], low[1], cell, rows, columns)
    at = np.clip(np.floor((xyz[:, :2] - low) / cell).astype(np.int64), 0, [columns - 1, rows - 1])
    row, column = at[:, 1], at[:, 0]
    counts = np.bincount(roof.label[roof.label >= 0], minlength=len(roof))
    small = np.append(counts * roof.spacing**2 < FLOOR, True)[roof.label]  # the last is that of points without a plane
    on_roof = ~small
    blank = np.ones((rows, columns), dtype=bool)
    blank[row[on_roof], column[on_roof]] = False
    away = ndimage.distance_transform_edt(np.pad(blank, 1, constant_values=True))[1:-1, 1:-1] * cell
    # A gap at the eaves is outside as much as inside: there the outline counts as if it were a row of points.
    rim = ndimage.distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1] * cell
    middle = inside & (np.minimum(away, rim) >= radius)
    if not middle.any():
        return xyz, roof
    gap = inside & (away >= RIM * roof.spacing)
    gap &= ndimage.distance_transform_edt(~middle) * cell <= radius - RIM * roof.spacing
    pieces, count = ndimage.label(gap)
    label = roof.label.copy()
    added, labels, floors = [], [], []
    for piece in range(1, count + 1):
        held = pieces == piece
        area = held.sum() * cell**2
        if not SMALLEST <= area <= LARGEST or not (held & middle).any():
            continue
        around = ndimage.binary_dilation(held, iterations=int(np.ceil(roof.spacing / cell)) + 2)
        beside = roof.label[on_roof & around[row, column]]
        within = np.flatnonzero(held[row, column])
        if len(beside) == 0 or (roof.label[within] >= 0).sum() * roof.spacing**2 >= COVERED * area:
            continue
        p, q, r = roof.planes[np.argmax(np.bincount(beside))]
        depth = p + q * xyz[within, 0] + r * xyz[within, 1] - xyz[within, 2]
        below = (depth > BELOW).sum()
        if below < EVIDENCE or 4 * below < len(within) or depth.max() < STOREY:
            continue
        fallen = np.sort(xyz[within, 2])
        floor = fallen[fallen <= fallen[0] + FLAT]
        label[within] = NONE
        rows_held, columns_held = np.nonzero(held)
        centres = low + (np.column_stack([columns_held, rows_held]) + 0.5) * cell
        height = round(float(floor[(len(floor) - 1) // 2]), 3)
        added.append(np.column_stack([centres, np.full(len(centres), height)]))
        labels.append(np.full(len(centres), len(roof) + len(floors)))
        floors.append([height, 0.0, 0.0])
    if not added:
        return xyz, roof
    return np.concatenate([xyz, *added]), replace(
        roof,
        label=np.concatenate([label, *labels]),
        planes=np.concatenate([roof.planes, floors]),
        scatter=np.concatenate([roof.scatter, np.full(len(floors), roof.noise)]),
    )

"""Where the heights of contour lines are written: on index contours, where they run straight, at even distances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from lidar.contours import Contours

SPACING = 100.0
"""m between two labels of a line: 20 cm at 1 : 500, 5 cm at 1 : 2,000."""
SHORTEST_LINE = 25.0
"""m: shorter index contours bear no label."""
WIDTH = 8.0
"""m that a label takes up along its line, within which the line should be straight."""
CHOICES = 9
"""Places compared for a label …"""
LEEWAY = 0.25
"""… within this share of the distance between labels, to both sides of its even place."""


@dataclass(frozen=True, slots=True)
class Labels:
    """m labels: where, what and how turned."""

    points: NDArray[np.object_]
    """(m,) shapely Points on the lines."""
    heights: NDArray[np.float64]
    """(m,) metres."""
    rotations: NDArray[np.float64]
    """(m,) degrees clockwise from horizontal, −90 ≤ r < 90, so that no figure stands on its head; as in QGIS."""

    def __len__(self) -> int:
        return len(self.points)


def place_labels(contours: Contours, spacing: float = SPACING) -> Labels:
    """Labels of the index contours; each line of 25 m or more has at least one."""
    chosen = contours.is_index & (contours.lengths >= SHORTEST_LINE)
    lines, heights, lengths = contours.lines[chosen], contours.heights[chosen], contours.lengths[chosen]
    numbers = np.maximum(np.rint(lengths / spacing).astype(np.int64), 1)
    step = (lengths / numbers).repeat(numbers)
    even = (np.arange(numbers.sum()) - (np.cumsum(numbers) - numbers).repeat(numbers) + 0.5) * step
    tried = even[:, None] + step[:, None] * np.linspace(-LEEWAY, LEEWAY, CHOICES)
    on = lines.repeat(numbers)[:, None]
    before = shapely.get_coordinates(shapely.line_interpolate_point(on, np.maximum(tried - WIDTH / 2, 0)))
    after = shapely.get_coordinates(
        shapely.line_interpolate_point(on, np.minimum(tried + WIDTH / 2, lengths.repeat(numbers)[:, None]))
    )
    across = (after - before).reshape(*tried.shape, 2)
    # The chord is longest where the line is straight; of equals the one nearest to the even place.
    chord = np.hypot(across[..., 0], across[..., 1]) - 0.01 * WIDTH * np.abs(np.linspace(-1, 1, CHOICES))
    best = np.argmax(chord, axis=1)[:, None]
    at = np.take_along_axis(tried, best, axis=1)[:, 0]
    way = np.take_along_axis(across, best[..., None], axis=1)[:, 0]
    clockwise = -np.degrees(np.arctan2(way[:, 1], way[:, 0]))
    points = shapely.line_interpolate_point(lines.repeat(numbers), at)
    return Labels(np.asarray(points, dtype=object), heights.repeat(numbers), (clockwise + 90) % 180 - 90)

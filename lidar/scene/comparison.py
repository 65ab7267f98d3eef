"""A building held against its permit and its parcel, by geometry; what plants a difference measures it the same way."""

from __future__ import annotations

from dataclasses import dataclass

from shapely import Point

from lidar.scene.designs import Design, yards
from lidar.scene.plots import Plot
from lidar.scene.shapes import snapped

AREA_M2, LENGTH_M, OUTSIDE_M2 = 3.0, 0.15, 0.3
"""A footprint larger, a line passed, an area beyond the parcel by less than this is no difference."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What is more, or nearer, than permitted."""

    kind: str
    """storeys, footprint, parcel_line or setback."""
    delta: float
    unit: str
    side: str | None = None
    """front or rear, of a setback."""


def compare(plot: Plot, permitted: Design, built: Design) -> list[Difference]:
    """All differences of what was built from what was permitted."""
    found = []
    if (more := built.floors - permitted.floors) >= 1:
        found.append(Difference("storeys", more, "storey"))
    footprint = snapped(built.polygon)
    if (larger := footprint.area - snapped(permitted.polygon).area) > AREA_M2:
        found.append(Difference("footprint", larger, "m2"))
    if footprint.difference(plot.polygon).area > OUTSIDE_M2:
        beyond = max(plot.polygon.distance(Point(xy)) for xy in footprint.exterior.coords)
        if beyond > LENGTH_M:
            found.append(Difference("parcel_line", beyond, "m"))
    limits = (permitted.setback_front_m, permitted.setback_rear_m)
    for limit, distance, side in zip(limits, yards(plot, built.ring), ("front", "rear"), strict=True):
        if limit is not None and limit - distance > LENGTH_M:
            found.append(Difference("setback", limit - distance, "m", side))
    return found

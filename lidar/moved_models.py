"""Models under a map's outlines where the points show them; the outlines stay what the map says."""

from __future__ import annotations

from dataclasses import replace
from math import hypot, isfinite
from typing import TYPE_CHECKING

import shapely

from gis.city_model.building import Building
from lidar.match_footprints import Finding, Match
from lidar.point_cloud import PointCloud
from lidar.reconstruct import MILLIMETRE, reconstruct_all

if TYPE_CHECKING:
    from lidar.terrain import Terrain


def reconstruct_matched(
    match: Match, points: PointCloud, terrain: Terrain, *, timed: bool = False
) -> tuple[Building, ...]:
    """One building a given outline, in their order, modelled where the points show it (`reconstruct_all`).

    A building's `footprint` and area are the given outline's, which parcels and permits are held against; only its
    models and heights are those of the place it was moved to. Its attributes say how far that is.

    Args:
        match: of a map, in the points' horizontal CRS, against the points.
        points: classified; they cover the outlines.
        terrain: its `dtm` covers the outlines.
        timed: as of `reconstruct_all`.
    """
    made = reconstruct_all(match.moved, points, terrain, timed=timed)
    return tuple(
        replace(building, footprint=_outline(polygon, building), attributes={**building.attributes, **_told(finding)})
        for building, polygon, finding in zip(made, match.given.polygons, match.findings[: len(made)], strict=True)
    )


def _outline(polygon: shapely.Polygon, building: Building) -> shapely.Polygon:
    """The given outline to the millimetre, as all outlines of buildings are; as it is if that makes it no polygon."""
    rounded = shapely.set_precision(polygon, MILLIMETRE)
    return rounded if rounded.geom_type == building.footprint.geom_type and not rounded.is_empty else polygon


def _told(finding: Finding) -> dict[str, float | str]:
    """The attributes of an outline's outcome."""
    told: dict[str, float | str] = {
        "footprint_finding": finding.outcome.value,
        "footprint_iou": round(finding.iou, 3),
        "footprint_shift_m": round(hypot(finding.dx, finding.dy), 3),
        "footprint_shift_dx_m": finding.dx,
        "footprint_shift_dy_m": finding.dy,
    }
    if isfinite(finding.sigma):
        told["footprint_shift_sigma_m"] = round(float(finding.sigma), 3)
    return told

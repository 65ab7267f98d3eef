"""Footprints and points to buildings: models at LoD 1.2, 1.3 and 2.2, with heights and what these are worth.

Conventions are 3DBAG's (Peters et al. 2022, "Automated 3D reconstruction of LoD2.2 and LoD1.2 models for all 10
million buildings of the Netherlands"): the ground is the 5th percentile of the terrain at the outline, the block's
roof the 70th percentile of the roof.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
import shapely
from numba import njit
from numpy.typing import NDArray
from shapely import Polygon

from gis.city_model.building import Building, Face, Reason, Solid, Surface
from lidar.building_attributes import attributes_of, no_data_radius, survey_days
from lidar.footprints import Footprints
from lidar.point_cloud import Class, PointCloud
from lidar.point_index import points_in_polygons
from lidar.roof_heights import FEWEST_POINTS, LOWEST_ROOF, RoofHeights, in_order, quantile, roof_heights
from lidar.roof_models import detailed_models
from lidar.roof_points import roof_points
from lidar.validate import defects
from lidar.wall_offsets import wall_offsets

if TYPE_CHECKING:
    from lidar.terrain import Terrain

_log = logging.getLogger(__name__)

MILLIMETRE = 0.001
"""m: coordinates and heights of a model are multiples of it."""
GROUND_STEP = 0.5
"""m between the places along the outline where the terrain is asked."""
GROUND_PERCENTILE = 5.0
POINT_SIGMA = 0.05
"""m: height error that the points of one survey have in common (strip adjustment; AHN and the like state 0.05)."""
MEASURED, MEASURED_SHARE = 0.10, 0.2
"""m: terrain of a better σ was measured, not bridged; where less than this share of an outline has such, its best."""
OPEN = (Class.NEVER_CLASSIFIED, Class.UNCLASSIFIED, Class.GROUND)
"""Classes of points that show where a roof is open."""
Inside = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""Points on the roof (n, 3), last returns that are not, of the ground or no class (m, 3), and the GPS times (n,) s."""
TERRAIN_SIGMA = 0.10
"""m: standard deviation of a terrain model that states none."""


def reconstruct_all(
    footprints: Footprints, points: PointCloud, terrain: Terrain, *, timed: bool = False
) -> tuple[Building, ...]:
    """One building a footprint, in their order; where there is no model, the building's `reason` says why.

    A building depends on its own outline and on what lies inside and at it, on nothing else: neither on the tile,
    nor on the order of points or of other outlines.

    **Roof points** are those of class building, and others that lie as smoothly (`roof_points`), inside the outline
    shrunk by 0.3 m. Where fewer than a fifth of the outline's cells has any (too few points to tell), last returns
    without a class in cells whose points spread less than 0.5 m. Only what is 1.5 m above the ground counts. Of each
    0.5 m cell the median is taken, percentiles are over cells.

    **Ground** is the 5th percentile of the terrain along the outline, where that was measured rather than bridged
    (σ ≤ 0.10 m, else the outline's best fifth), each place the median of 2.5 m.

    **σ of the height** is √(σ_roof² + σ_ground² + σ_common²):

    * σ_roof = (q(p + δ) − q(p − δ)) / 2, half the spread of the roof's own heights around the percentile p = 0.7,
      with δ² = p (1 − p) / n + (P σ_xy / A)² + p (1 − p) ν²: the sampling of n cells, the outline's planimetric σ_xy
      times its perimeter P over its area A, and the share ν of cells without points beyond what chance leaves empty
      at this density (e^−λ at λ points a cell): they may hide any height.
    * σ_ground: median of the terrain's σ at the outline (0.10 m where it states none), with half the distance
      between the 5th and 25th percentile of the terrain there.
    * σ_common = 0.05 m, what the points of one survey have in common.

    The attributes `sigma_ground_m` and `sigma_below_m` are σ_ground, and σ of the height with the lower half of σ_roof
    alone, q(p) − q(p − δ): how much lower the roof may be than told. A stair head raises σ, yet lowers no roof.
    `wall_offsets_m` and `wall_sigmas_m` are those of `wall_offsets`, one a side, divided by semicolons.

    σ of the area is σ_xy √(Σ lᵢ²) over the outline's edges of length lᵢ, each shifted on its own.

    Args:
        footprints: outlines, in the points' horizontal CRS.
        points: classified; they cover the outlines.
        terrain: its `dtm` covers the outlines; band "sigma" is used if there.
        timed: whether each building's attribute `seconds` tells the processor's time its models took; two runs differ
            in it.
    """
    if len(footprints) == 0:
        return ()
    polygons = shapely.set_precision(footprints.polygons, MILLIMETRE)
    whole = shapely.get_type_id(polygons) == shapely.GeometryType.POLYGON
    whole &= ~shapely.is_empty(polygons)
    polygons = np.where(whole, polygons, footprints.polygons)
    ground, sigma_ground = _ground(polygons, terrain)
    on_roof = roof_points(points, terrain)
    heights = roof_heights(polygons, footprints.sigma_xy, points, on_roof, ground)
    roofs = _roofs(polygons, points, on_roof)
    walls = wall_offsets(polygons, points.x[on_roof], points.y[on_roof], points.z[on_roof])
    area, sigma_area = shapely.area(polygons), footprints.sigma_xy * _root_of_squared_edges(polygons)
    made = []
    for i, (uid, polygon) in enumerate(zip(footprints.uids, polygons, strict=True)):
        began = time.thread_time()
        one = _building(
            uid, polygon, float(ground[i]), float(sigma_ground[i]), heights[i], roofs[i], float(area[i]),
            float(sigma_area[i]), float(footprints.confidence[i]) if footprints.derived[i] else None,
        )  # fmt: skip
        if not footprints.derived[i]:
            one = replace(one, attributes={**one.attributes, **_told(walls[i])})
        if timed:
            one = replace(one, attributes={**one.attributes, "seconds": round(time.thread_time() - began, 6)})
        made.append(one)
    return tuple(made)


def block(footprint: Polygon, ground: float, roof: float) -> Solid:
    """The prism over a polygon from the ground to a flat roof: LoD1.2.

    Holes become courtyards. Faces: the ground, the roof, then a wall an edge; outward normals.
    """
    rings = [shapely.get_coordinates(ring)[:-1] for ring in shapely.get_rings(footprint)]
    rings = [ring if _turns_left(ring) == (number == 0) else ring[::-1] for number, ring in enumerate(rings)]
    xy = np.concatenate(rings)
    n = len(xy)
    vertices = np.concatenate([np.column_stack([xy, np.full(n, ground)]), np.column_stack([xy, np.full(n, roof)])])
    starts = np.cumsum([0] + [len(ring) for ring in rings])
    loops = [tuple(range(starts[k], starts[k + 1])) for k in range(len(rings))]
    faces = [
        Face(tuple(loop[::-1] for loop in loops), Surface.GROUND),
        Face(tuple(tuple(index + n for index in loop) for loop in loops), Surface.ROOF),
    ]
    for loop in loops:
        for a, b in zip(loop, loop[1:] + loop[:1], strict=True):
            faces.append(Face(((a, b, b + n, a + n),), Surface.WALL))
    return Solid(vertices, tuple(faces))


def _building(
    uid: str,
    polygon: Polygon,
    ground: float,
    sigma_ground: float,
    roof: RoofHeights,
    inside: Inside,
    area: float,
    sigma_area: float,
    confidence: float | None,
) -> Building:
    """One building, with its solids if there can be any; `confidence` is None of a known outline."""
    reason, solids = Reason.NONE, dict[str, Solid]()
    sigma_height = sqrt(roof.sigma_p70**2 + sigma_ground**2 + POINT_SIGMA**2)
    facts: dict[str, float | int | str] = {
        "footprint_source": "known" if confidence is None else "derived",
        "ground_fraction": round(roof.ground, 4),
    }
    if np.isfinite(sigma_height):
        facts["sigma_ground_m"] = round(sigma_ground, 3)
        facts["sigma_below_m"] = round(sqrt(roof.sigma_below**2 + sigma_ground**2 + POINT_SIGMA**2), 3)
    if confidence is not None:
        facts["footprint_confidence"] = round(confidence, 3)
    if roof.no_data >= 1:
        reason = Reason.NO_POINTS
    elif not np.isfinite(ground):
        reason = Reason.NO_TERRAIN
    elif roof.points < FEWEST_POINTS:
        reason = Reason.FEW_POINTS
    if reason is Reason.NONE:
        try:
            sound = _sound(polygon, ground, _millimetres(roof.p70))
            reason = Reason.BAD_FOOTPRINT
            if sound is not None:
                outline, solids["1.2"] = sound
                finer, more, reason = _detailed(
                    outline, solids["1.2"], ground, roof, inside, (sigma_height, sigma_area), area
                )
                solids |= finer
                facts |= more
        except Exception:  # noqa: BLE001  a fault in one building must not stop a city
            _log.exception("building %s: its model failed", uid)
            reason = Reason.FAILED
    lod = max(solids, default="0")
    solid = solids.pop(lod, None)
    known = roof.points >= FEWEST_POINTS
    return Building(
        uid=uid,
        footprint=polygon,
        ground_height=ground,
        roof_height_min=_millimetres(roof.minimum) if known else np.nan,
        roof_height_50p=_millimetres(roof.median) if known else np.nan,
        roof_height_70p=_millimetres(roof.p70) if known else np.nan,
        roof_height_max=_millimetres(roof.maximum) if known else np.nan,
        height=_millimetres(_millimetres(roof.p70) - ground) if known else np.nan,
        sigma_height=_millimetres(sigma_height) if known else np.nan,
        area=round(area, 3),
        sigma_area=round(sigma_area, 3),
        lod=lod,
        solid=solid,
        point_count=roof.points,
        point_density=round(roof.points / area, 3) if area > 0 else 0.0,
        no_data_fraction=round(roof.no_data, 4),
        reason=reason,
        attributes=facts,
        coarser=solids,
    )


def _detailed(
    outline: Polygon,
    coarse: Solid,
    ground: float,
    roof: RoofHeights,
    inside: Inside,
    sigmas: tuple[float, float],
    area: float,
) -> tuple[dict[str, Solid], dict[str, float | int | str], Reason]:
    """The finer models beside the coarse one, the attributes, and why there are no more models."""
    xyz, below, gps_time = inside
    high = xyz[:, 2] > ground + LOWEST_ROOF
    below = np.concatenate([below, xyz[~high]])
    xyz = xyz[high & (xyz[:, 2] <= roof.maximum)]
    detailed = detailed_models(outline, xyz, below, ground, ground + LOWEST_ROOF)
    solids = {"1.2": coarse, **detailed.solids}
    facts = attributes_of(detailed, solids, xyz, ground, roof.p70, sigmas, area)
    facts["no_data_radius_m"] = round(no_data_radius(outline, xyz[:, :2]), 2)
    facts |= survey_days(gps_time)
    return detailed.solids, facts, detailed.reason


def _told(walls: NDArray[np.float64]) -> dict[str, str]:
    """The sides' offsets and their σ as attributes have them; nothing where no side was measured."""
    if not np.isfinite(walls).any():
        return {}
    listed = [";".join("" if np.isnan(one) else f"{one:.3f}" for one in column) for column in walls.T.tolist()]
    return {"wall_offsets_m": listed[0], "wall_sigmas_m": listed[1]}


def _roofs(polygons: NDArray[np.object_], points: PointCloud, on_roof: NDArray[np.bool_]) -> list[Inside]:
    """What lies inside each outline."""
    last = points.return_number >= points.number_of_returns
    chosen = np.flatnonzero(on_roof | (last & np.isin(points.classification, OPEN)))
    xyz = np.column_stack([points.x[chosen], points.y[chosen], points.z[chosen]])
    inside = points_in_polygons(xyz[:, 0], xyz[:, 1], polygons)
    found = []
    for a, b in zip(inside.offsets[:-1], inside.offsets[1:], strict=True):
        own = inside.points[a:b]
        roof = on_roof[chosen[own]]
        found.append((xyz[own[roof]], xyz[own[~roof]], points.gps_time[chosen[own[roof]]]))
    return found


def _sound(polygon: Polygon, ground: float, roof: float) -> tuple[Polygon, Solid] | None:
    """An outline and the valid block over it: the outline itself, or opened by a centimetre if it touches itself."""
    solid = block(polygon, ground, roof)
    if not defects(solid):
        return polygon, solid
    opened = shapely.set_precision(polygon.buffer(-0.01, join_style="mitre"), MILLIMETRE)
    if opened.geom_type != "Polygon" or opened.is_empty or opened.area < 0.9 * polygon.area:
        return None
    solid = block(opened, ground, roof)
    return None if defects(solid) else (opened, solid)


def _millimetres(value: float) -> float:
    return round(float(value), 3)


def _turns_left(ring: NDArray[np.float64]) -> bool:
    x, y = (ring - ring[0]).T
    return float(x[:-1] @ y[1:] - x[1:] @ y[:-1]) > 0  # the last corner's share is nought: the first is the origin


def _root_of_squared_edges(polygons: NDArray[np.object_]) -> NDArray[np.float64]:
    """(m,) √(Σ l²) over all edges of each polygon."""
    rings, owner = shapely.get_rings(polygons, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    squared = np.where(ring[1:] == ring[:-1], ((xy[1:] - xy[:-1]) ** 2).sum(axis=1), 0.0)
    return np.sqrt(np.bincount(owner[ring[:-1]], squared, minlength=len(polygons)))


def _ground(polygons: NDArray[np.object_], terrain: Terrain) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(m,) 5th percentile of the terrain at each outline, and its standard deviation; NaN where there is none."""
    outlines = shapely.segmentize(shapely.get_exterior_ring(polygons), GROUND_STEP)
    xy, owner = shapely.get_coordinates(outlines, return_index=True)
    height = terrain.dtm.at(xy[:, 0], xy[:, 1]).astype(np.float64)
    band = terrain.dtm.bands.get("sigma")
    sigma = (
        np.full(len(xy), TERRAIN_SIGMA)
        if band is None
        else type(terrain.dtm)(band, terrain.dtm.grid).at(xy[:, 0], xy[:, 1]).astype(np.float64)
    )
    starts = np.searchsorted(owner, np.arange(len(polygons) + 1))
    found: tuple[NDArray[np.float64], NDArray[np.float64]] = _border_statistics(
        height, np.where(np.isfinite(sigma), sigma, TERRAIN_SIGMA), starts
    )
    return found


@njit(cache=True, nogil=True)
def _border_statistics(height, sigma, starts):  # type: ignore[no-untyped-def]
    """The ground's percentile to the millimetre, and its standard deviation, for each outline."""
    m = starts.shape[0] - 1
    ground, spread = np.full(m, np.nan), np.full(m, np.nan)
    for i in range(m):
        found = height[starts[i] : starts[i + 1]]
        keep = np.isfinite(found)
        if not keep.any():
            continue
        own_sigma = in_order(sigma[starts[i] : starts[i + 1]][keep])
        keep &= sigma[starts[i] : starts[i + 1]] <= max(MEASURED, quantile(own_sigma, MEASURED_SHARE))
        ordered = in_order(_evened(found[keep]))
        low = quantile(ordered, GROUND_PERCENTILE / 100.0)
        ground[i] = np.round(low, 3)
        own = quantile(in_order(sigma[starts[i] : starts[i + 1]][keep]), 0.5)
        half = (quantile(ordered, 0.25) - low) / 2.0
        spread[i] = np.sqrt(own * own + half * half)
    return ground, spread


@njit(cache=True, nogil=True)
def _evened(ring):  # type: ignore[no-untyped-def]
    """The median of each value and its two neighbours on either side, round the ring."""
    n = ring.shape[0]
    if n < 5:
        return ring
    even = np.empty(n)
    window = np.empty(5)
    for k in range(n):
        for j in range(5):
            window[j] = ring[(k + j - 2) % n]
        even[k] = in_order(window)[2]
    return even

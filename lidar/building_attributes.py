"""What is told of a building beside its models: roof type, areas, volumes, how well the models fit, storeys.

The quantities are those of 3DBAG's attribute specification, under English names with their unit.

`quality_code` says how far the best model may be from the roof, in the accuracy classes of CityGML's levels of detail
(OGC 12-019, table 3): 4 to 0.2 m, 3 to 0.5 m, 2 to 2 m, 1 to 5 m, 0 beyond. What is held against them is the greater of
the RMSE of the roof's points about the model, upright, and the σ of the height, which grows with what was not seen.

`survey_first_day` and `survey_last_day` are the GPS days of the roof's points, where these have adjusted standard GPS
time; times within a week, and none, are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil, cos, hypot, radians, sqrt
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon

from gis.city_model.building import Building, Solid, Surface
from lidar.gps_time import WEEK, day_of
from lidar.morphology import compiled
from lidar.plane_cells import cells_inside
from lidar.roof_heights import quantile
from lidar.roof_models import RoofModels
from lidar.shell_checks import faces_up, flattened, volume_of
from lidar.subdivision import faces_at

LEVEL = 5.0
"""Degrees: a roof of less slope is flat."""
SAME_LEVEL = 0.5
"""m: flat roofs whose heights differ by less are one level."""
CELL = 0.5
"""m between the places at which holes in the data are looked for."""
STOREY, LOWEST_STOREY, HIGHEST_STOREY = 3.4, 2.9, 3.9
"""m from floor to floor: usual, and the range it is estimated in (ground floors of shops are the highest)."""
ACCURACY = (0.2, 0.5, 2.0, 5.0)
"""m: of CityGML's levels of detail 4 to 1."""
TOUCHING = 0.10
"""m: walls of two outlines nearer than this are one."""


def attributes_of(
    models: RoofModels,
    solids: dict[str, Solid],
    xyz: NDArray[np.float64],
    ground: float,
    roof: float,
    sigmas: tuple[float, float],
    area: float,
) -> dict[str, float | int | str]:
    """Attributes by name; those that cannot be told are left out.

    Args:
        models: of the roof.
        solids: all valid models, by level of detail.
        xyz: (n, 3) the roof's points, in the CRS.
        ground: m.
        roof: m, of LoD 1.2.
        sigmas: m and m², of the height and of the area.
        area: m², of the outline.
    """
    found: dict[str, float | int | str] = {}
    flat = {lod: flattened(solid) for lod, solid in sorted(solids.items())}
    for lod, own in flat.items():
        volume, name = float(volume_of(own.vertices, own.corner, own.ring)), lod.replace(".", "")
        found[f"volume_lod{name}_m3"] = round(volume, 2)
        height = volume / area if area > 0 else 0.0
        found[f"sigma_volume_lod{name}_m3"] = round(hypot(area * sigmas[0], height * sigmas[1]), 2)
    if not solids:
        return found
    best = solids[max(solids)]
    found |= _surfaces(best, *faces_up(*flat[max(solids)]))
    top = max(best.vertices[list(f.rings[0]), 2].max() for f in best.faces if f.surface is Surface.ROOF)
    eave = _eave(best)
    found["ridge_height_m"], found["eave_height_m"] = round(float(top), 3), round(eave, 3)
    found |= storeys(eave - ground)
    found |= _fit(models, xyz, roof)
    rmse = found.get(f"rmse_lod{max(solids).replace('.', '')}_m")
    if rmse is not None:
        found["quality_code"] = quality_code(max(float(rmse), sigmas[0]))
    return found


def quality_code(error: float) -> int:
    """4 to 0, of an error in m."""
    return sum(error <= most for most in ACCURACY)


def survey_days(gps_time: NDArray[np.float64]) -> dict[str, str]:
    """The first and the last day on which points were measured; nothing where their times are of no day.

    Args:
        gps_time: (n,) s, adjusted standard GPS time (less 10⁹ s), or within a week, or 0.
    """
    if len(gps_time) == 0:
        return {}
    first, last = day_of(float(gps_time.min())), day_of(float(gps_time.max()))
    if first is None or last is None or np.any(np.abs(gps_time) <= WEEK):
        return {}
    return {"survey_first_day": first.isoformat(), "survey_last_day": last.isoformat()}


def storeys(height: float) -> dict[str, int]:
    """How many storeys fit under an eave so high above the ground, and at least and at most."""
    return {
        "storeys": max(round(height / STOREY), 1),
        "storeys_least": max(int(height / HIGHEST_STOREY), 1),
        "storeys_most": max(ceil(height / LOWEST_STOREY), 1),
    }


def with_party_walls(buildings: Sequence[Building]) -> tuple[Building, ...]:
    """The buildings with the areas of walls they share and of those they do not (`party_walls`).

    Not part of a tile's work: a building's neighbour may lie in the next tile, and its height with it.
    """
    shared = party_walls(
        np.array([one.footprint for one in buildings], dtype=object),
        np.array([one.ground_height for one in buildings]),
        np.array([one.roof_height_70p for one in buildings]),
    )
    made = []
    for one, area in zip(buildings, shared.tolist(), strict=True):
        wall = one.attributes.get("area_wall_m2")
        if wall is None:
            made.append(one)
            continue
        walls = {
            "area_party_wall_m2": round(area, 2),
            "area_outer_wall_m2": round(max(float(wall) - area, 0.0), 2),
        }
        made.append(replace(one, attributes={**one.attributes, **walls}))
    return tuple(made)


def party_walls(
    polygons: NDArray[np.object_], ground: NDArray[np.float64], roof: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(m,) m² of wall that each outline shares with its neighbours, as high as the lower of both blocks.

    Args:
        polygons: (m,) outlines, metres.
        ground: (m,) m where each building stands; NaN where unknown.
        roof: (m,) m, of its block; NaN where unknown.
    """
    shared = np.zeros(len(polygons))
    tree = shapely.STRtree(polygons)
    first, second = tree.query(polygons, predicate="dwithin", distance=TOUCHING)
    known = np.isfinite(ground) & np.isfinite(roof)
    pairs = (first < second) & known[first] & known[second]
    for a, b in zip(first[pairs], second[pairs], strict=True):
        height = min(roof[a], roof[b]) - max(ground[a], ground[b])
        if height <= 0:
            continue
        for one, other in ((a, b), (b, a)):
            near = shapely.buffer(polygons[other], TOUCHING, cap_style="flat", join_style="mitre")
            length = shapely.length(shapely.intersection(shapely.boundary(polygons[one]), near))
            # Walls that only end at the neighbour reach into its surroundings by so much.
            shared[one] += max(length - 2 * TOUCHING, 0.0) * height
    return shared


def no_data_radius(polygon: Polygon, xy: NDArray[np.float64]) -> float:
    """m, of the largest circle inside an outline that holds no point (n, 2), its middle on a lattice of 0.5 m."""
    west, south, east, north = polygon.bounds
    x, y = np.arange(west + CELL / 2, east, CELL), np.arange(south + CELL / 2, north, CELL)
    places, ring = shapely.get_coordinates(shapely.get_rings(polygon), return_index=True)
    edges = np.concatenate([places[:-1], places[1:]], axis=1)[ring[1:] == ring[:-1]]
    side = max(CELL, 2.0 * sqrt((east - west) * (north - south) / (len(xy) + 1)))
    inside = cells_inside(edges, west, south, CELL, len(y), len(x))
    return float(_widest_hole(edges, np.ascontiguousarray(xy), x, y, inside, side)) if inside.any() else 0.0


@compiled
def _widest_hole(edges: Any, xy: Any, x: Any, y: Any, inside: Any, side: Any) -> Any:
    """The most that a place of the lattice is away from all points and edges; points are sorted into square cells."""
    west, south = x[0] - CELL, y[0] - CELL
    columns, rows = int((x[-1] + CELL - west) / side) + 1, int((y[-1] + CELL - south) / side) + 1
    start = np.zeros(rows * columns + 1, dtype=np.int64)
    cell = np.empty(xy.shape[0], dtype=np.int64)
    for i in range(xy.shape[0]):
        column = min(max(int((xy[i, 0] - west) / side), 0), columns - 1)
        cell[i] = min(max(int((xy[i, 1] - south) / side), 0), rows - 1) * columns + column
        start[cell[i] + 1] += 1
    for c in range(rows * columns):
        start[c + 1] += start[c]
    cursor, member = start[:-1].copy(), np.empty((xy.shape[0], 2))
    for i in range(xy.shape[0]):
        member[cursor[cell[i]]] = xy[i]
        cursor[cell[i]] += 1
    widest = 0.0
    for r in range(y.shape[0]):
        for c in range(x.shape[0]):
            if not inside[r, c]:
                continue
            row, column = int((y[r] - south) / side), int((x[c] - west) / side)
            least, ring = np.inf, 0
            # No point of the next ring of cells is nearer than what lies between; what is near enough ends the search.
            while ring <= max(rows, columns) and least > widest * widest and least > ((ring - 1) * side) ** 2:
                for i in range(max(row - ring, 0), min(row + ring, rows - 1) + 1):
                    step = 1 if abs(i - row) == ring else max(2 * ring, 1)
                    for j in range(column - ring, column + ring + 1, step):
                        if 0 <= j < columns:
                            for k in range(start[i * columns + j], start[i * columns + j + 1]):
                                least = min(least, (member[k, 0] - x[c]) ** 2 + (member[k, 1] - y[r]) ** 2)
                ring += 1
            for e in range(edges.shape[0]):
                if least <= widest * widest:
                    break
                ux, uy = edges[e, 2] - edges[e, 0], edges[e, 3] - edges[e, 1]
                px, py = x[c] - edges[e, 0], y[r] - edges[e, 1]
                along = min(max((px * ux + py * uy) / max(ux * ux + uy * uy, 1e-12), 0.0), 1.0)
                least = min(least, (px - along * ux) ** 2 + (py - along * uy) ** 2)
            if least > widest * widest:
                widest = np.sqrt(least)
    return widest


def _surfaces(solid: Solid, ups: NDArray[np.float64], sizes: NDArray[np.float64]) -> dict[str, float | int | str]:
    """Areas by kind, and the type of roof; of each face the upward part of its normal and its area are known."""
    areas = {Surface.GROUND: 0.0, Surface.WALL: 0.0}
    flat, sloped, levels, slanted = 0.0, 0.0, [], 0
    level = cos(radians(LEVEL))
    for face, up, size in zip(solid.faces, ups.tolist(), sizes.tolist(), strict=True):
        if face.surface is not Surface.ROOF:
            areas[face.surface] += size
        elif up >= level:
            flat += size
            levels.append(float(solid.vertices[list(face.rings[0]), 2].mean()))
        else:
            sloped += size
            slanted += 1
    steps = 1 + int((np.diff(np.sort(levels)) > SAME_LEVEL).sum()) if levels else 0
    kind = "mixed" if levels and slanted else ("sloped" if slanted else ("flat" if steps == 1 else "flat_levels"))
    return {
        "roof_type": kind,
        "roof_faces": len(levels) + slanted,
        "area_ground_m2": round(areas[Surface.GROUND], 2),
        "area_flat_roof_m2": round(flat, 2),
        "area_sloped_roof_m2": round(sloped, 2),
        "area_wall_m2": round(areas[Surface.WALL], 2),
    }


def _eave(solid: Solid) -> float:
    """m: the height that the roof has along half of the outline at least."""
    ground = next(face for face in solid.faces if face.surface is Surface.GROUND)
    vertices = solid.vertices.tolist()
    rim = {(vertices[i][0], vertices[i][1]) for ring in ground.rings for i in ring}
    heights = [
        vertices[i][2]
        for face in solid.faces
        if face.surface is Surface.ROOF
        for i in face.rings[0]
        if (vertices[i][0], vertices[i][1]) in rim
    ]
    return float(quantile(np.sort(heights), 0.25))


def _fit(models: RoofModels, xyz: NDArray[np.float64], roof: float) -> dict[str, float | int | str]:
    """How far points lie from the models: upright from each, and square to the nearest plane."""
    if len(xyz) == 0:
        return {}
    found: dict[str, float | int | str] = {"rmse_lod12_m": round(sqrt(float(np.mean((xyz[:, 2] - roof) ** 2))), 3)}
    if models.planes is None or models.parts is None:
        return found
    planes, parts = models.planes, models.parts
    local = xyz - np.array([*models.origin, 0.0])
    face = faces_at(parts.parts, local[:, :2])
    off = _off_planes(local, planes.label, planes.planes)
    found["roof_planes"] = len(planes)
    found["rmse_planes_m"] = round(sqrt(float(np.mean(off))), 3)
    for lod, surface in models.surfaces.items():
        if lod in models.solids:
            off = _off_faces(local, face, parts.label, surface)
            found[f"rmse_lod{lod.replace('.', '')}_m"] = round(sqrt(float(np.mean(off))), 3)
    found["point_noise_m"] = round(planes.noise, 3)
    return found


@compiled
def _off_planes(xyz: Any, label: Any, planes: Any) -> Any:
    """Squares of the distances, square to the nearest plane, of the points that have one."""
    lengths = np.empty(planes.shape[0])
    for k in range(planes.shape[0]):
        lengths[k] = np.sqrt(1.0 + (planes[k, 1] ** 2 + planes[k, 2] ** 2))
    found, count = np.empty(xyz.shape[0]), 0
    for i in range(xyz.shape[0]):
        if label[i] < 0:
            continue
        least = np.inf
        for k in range(planes.shape[0]):
            height = planes[k, 0] + (planes[k, 1] * xyz[i, 0] + planes[k, 2] * xyz[i, 1])
            least = min(least, abs(xyz[i, 2] - height) / lengths[k])
        found[count] = least * least
        count += 1
    return found[:count]


@compiled
def _off_faces(xyz: Any, face: Any, label: Any, planes: Any) -> Any:
    """Squares of the distances, upright, of the points over a face from the plane that it has."""
    found, count = np.empty(xyz.shape[0]), 0
    for i in range(xyz.shape[0]):
        if face[i] >= 0:
            k = label[face[i]]
            away = xyz[i, 2] - (planes[k, 0] + (planes[k, 1] * xyz[i, 0] + planes[k, 2] * xyz[i, 1]))
            found[count] = away * away
            count += 1
    return found[:count]

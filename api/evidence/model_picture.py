"""The 3D picture of a sheet: the measured model and its points, the permitted envelope as glass around it."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon

from api.evidence.raster3d import Canvas, Floats, View
from api.evidence.sheet import Area, Drawing, EvidenceSheet
from api.png import rgba_png

ROWS, COLUMNS = 1120, 1000
NEAR: Final = 0.6
"""Metres by which an edge of the permitted space may lie inside of the building and still be drawn in full: walls stand
where they may stand, as a rule, and the edge is to be seen on them."""
DOWN: Final = 32.0
"""Degrees the eye looks down."""
LIGHT: Final = np.array([-0.45, -0.35, 0.82])
ENVELOPE: Final = (60, 110, 190)
EDGE, DASHED = (20, 20, 20), (16, 60, 140)
ABOVE: Final = (120, 20, 20)
HATCH: Final = 9
"""Pixels of a hatch's line and of the gap after it."""


def model_picture(sheet: EvidenceSheet) -> bytes:
    """Draw it, as PNG.

    What stands above the permitted height is hatched. Buildings that would stand before the building are drawn as
    outlines on the ground.
    """
    drawing, ground = sheet.drawing, sheet.measured.ground_height or 0.0
    permitted = None if sheet.permit is None or sheet.permit.height is None else ground + sheet.permit.height
    shape = _polygon(drawing.footprint)
    view = View(_azimuth(drawing, shape), DOWN)
    corners = np.array(drawing.corners, dtype=np.float64).reshape(-1, 3) / 100
    faces = np.array(drawing.triangles, dtype=np.int64).reshape(-1, 3)
    if not len(faces):
        corners, faces = _prism(drawing.footprint, ground, sheet.measured.roof_height or ground)
    canvas = Canvas(view, _shown(sheet, shape, corners, permitted or ground), ROWS, COLUMNS)
    _surroundings(canvas, drawing, shape, ground)
    hit = canvas.triangles(corners[faces], _shaded(corners[faces], (205, 200, 190)))
    _edges(canvas, corners, faces)
    if permitted is not None:
        row, column = np.nonzero(hit & (canvas.height > permitted + 0.02))
        striped = ((row + column) // HATCH) % 2 == 0
        canvas.colour[row[striped], column[striped]] = ABOVE
    cloud = np.array(drawing.cloud, dtype=np.float64).reshape(-1, 3) / 100
    canvas.dots(cloud, (40, 40, 40))
    if permitted is not None:
        for area in drawing.permitted:
            _envelope(canvas, area, ground, permitted)
    return rgba_png(np.dstack([canvas.colour, np.full(canvas.depth.shape, 255, np.uint8)]))


def _azimuth(drawing: Drawing, shape: Polygon) -> float:
    """The way to look in which least stands before the building: of eight, the first such."""
    middle = np.array(shape.centroid.coords[0])
    tried = []
    for azimuth in range(15, 360, 45):
        away = np.array([np.sin(np.radians(azimuth)), np.cos(np.radians(azimuth))])
        hidden = 0.0
        for one in drawing.buildings:
            to = np.array(_polygon(one.area).centroid.coords[0]) - middle
            before, beside = -(to @ away) / 100, abs(to @ np.array([away[1], -away[0]])) / 100
            if 0 < before < 25 and beside < before / 2 + 8 and one.high is not None and one.low is not None:
                hidden += (one.high - one.low) / 100 / max(before, 3.0)
        tried.append((round(hidden, 6), azimuth))
    return float(min(tried)[1])


def _shown(sheet: EvidenceSheet, shape: Polygon, corners: Floats, permitted: float) -> Floats:
    """What has to be in the picture: the building, its envelope, its parcel and a strip around."""
    ground = sheet.measured.ground_height or 0.0
    around = shape if sheet.drawing.parcel is None else shape.union(_polygon(sheet.drawing.parcel))
    ring = shapely.get_coordinates(around.buffer(250, join_style="mitre")) / 100
    top = np.column_stack([shapely.get_coordinates(shape) / 100, np.full(len(shape.exterior.coords), permitted)])
    return np.vstack([corners, top, np.column_stack([ring, np.full(len(ring), ground)])])


def _surroundings(canvas: Canvas, drawing: Drawing, shape: Polygon, ground: float) -> None:
    """Ground, roads, parcels, neighbours."""
    side = 2 * drawing.half_side
    _flat(canvas, shapely.box(0, 0, side, side), ground - 0.04, (244, 244, 241))
    for road in drawing.roads:
        for area in road.reserve:
            _flat(canvas, _polygon(area), ground - 0.02, (226, 226, 226))
    for one in drawing.parcels:
        _outline(canvas, one.area, ground, (150, 150, 150), thick=1, dash=(8, 5))
    away = np.array([np.sin(np.radians(canvas.view.azimuth)), np.cos(np.radians(canvas.view.azimuth))])
    middle = np.array(shape.centroid.coords[0])
    for one in drawing.buildings:
        if one.low is None or one.high is None or one.high <= one.low:
            continue
        place = np.array(_polygon(one.area).centroid.coords[0])
        if (place - middle) @ away > 0:
            corners, faces = _prism(one.area, one.low / 100, one.high / 100)
            canvas.triangles(corners[faces], _shaded(corners[faces], (236, 236, 236)))
            _outline(canvas, one.area, one.high / 100, (160, 160, 160), thick=1)
        else:
            _flat(canvas, _polygon(one.area), ground - 0.01, (232, 232, 232))
            _outline(canvas, one.area, ground, (150, 150, 150), thick=1)
    if drawing.parcel is not None:
        _outline(canvas, drawing.parcel, ground, EDGE, thick=3)


def _envelope(canvas: Canvas, area: Area, ground: float, top: float) -> None:
    """The permitted space: glass, its edges dashed, thin where something hides them."""
    corners, faces = _prism(area, ground, top)
    canvas.triangles(corners[faces], np.tile(np.array(ENVELOPE, np.uint8), (len(faces), 1)), opacity=0.16)
    for ring in area:
        places = np.array(ring, dtype=np.float64) / 100
        for (x0, y0), (x1, y1) in pairwise(places):
            for start, end in (((x0, y0, top), (x1, y1, top)), ((x0, y0, ground), (x0, y0, top))):
                canvas.line(np.array(start), np.array(end), DASHED, thick=1, dash=(3, 7), bias=1e9)
                canvas.line(np.array(start), np.array(end), DASHED, thick=4, dash=(16, 9), bias=NEAR)


def _edges(canvas: Canvas, corners: Floats, faces: NDArray[np.int64]) -> None:
    """Lines where faces meet at an angle."""
    normal = _normals(corners[faces])
    seen: dict[tuple[int, int], int] = {}
    for number, face in enumerate(faces):
        for a, b in ((face[0], face[1]), (face[1], face[2]), (face[2], face[0])):
            key = (int(min(a, b)), int(max(a, b)))
            other = seen.setdefault(key, number)
            if other != number and normal[other] @ normal[number] < 0.98:
                canvas.line(corners[a], corners[b], EDGE, bias=0.06)


def _flat(canvas: Canvas, shape: Polygon, height: float, colour: tuple[int, int, int]) -> None:
    for part in shapely.get_parts(shapely.constrained_delaunay_triangles(shape)):
        ring = shapely.get_coordinates(part)[:3] / 100
        canvas.triangles(np.column_stack([ring, np.full(3, height)])[None], np.array([colour], np.uint8))


def _outline(
    canvas: Canvas,
    area: Area,
    height: float,
    colour: tuple[int, int, int],
    *,
    thick: int,
    dash: tuple[int, int] | None = None,
) -> None:
    for ring in area:
        for (x0, y0), (x1, y1) in pairwise(np.array(ring, dtype=np.float64) / 100):
            canvas.line(np.array([x0, y0, height]), np.array([x1, y1, height]), colour, thick=thick, dash=dash)


def _prism(area: Area, low: float, high: float) -> tuple[Floats, NDArray[np.int64]]:
    """Walls and lid over an area."""
    corners: list[tuple[float, float, float]] = []
    for ring in area:
        for (x0, y0), (x1, y1) in pairwise(np.array(ring, dtype=np.float64) / 100):
            a, b, c, d = (x0, y0, low), (x1, y1, low), (x1, y1, high), (x0, y0, high)
            corners += [a, b, c, a, c, d]
    for part in shapely.get_parts(shapely.constrained_delaunay_triangles(_polygon(area))):
        corners += [(x, y, high) for x, y in shapely.get_coordinates(part)[:3] / 100]
    return np.array(corners), np.arange(len(corners)).reshape(-1, 3)


def _shaded(triangles: Floats, colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    """(t, 3) colours: brighter where a face looks to the light, from whichever side it is seen."""
    light = LIGHT / np.linalg.norm(LIGHT)
    share = 0.62 + 0.38 * abs(_normals(triangles) @ light)
    found: NDArray[np.uint8] = np.rint(share[:, None] * np.array(colour)).astype(np.uint8)
    return found


def _normals(triangles: Floats) -> Floats:
    across = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    found: Floats = across / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-12)
    return found


def _polygon(area: Area) -> Polygon:
    return Polygon(area[0], area[1:])

"""The map of a sheet: parcel, neighbours, the measured outline with its σ, what is permitted, road and setback."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import shapely
from shapely import LineString, Polygon

from api.evidence.sheet import Area, Drawing, EvidenceSheet, Line
from api.evidence.svg import GREY, INK, PALE, Picture
from api.evidence.texts import Words

LEFT, TOP, SIDE = 64.0, 8.0, 806.0
"""Where the map lies in the picture, tenths of a millimetre."""
LEGEND_ROW, LEGEND_TOP = 36.0, 92.0


class _Map:
    """Centimetres of the drawing → tenths of a millimetre on paper, north up."""

    def __init__(self, drawing: Drawing) -> None:
        self.scale = SIDE / (2 * drawing.half_side)

    def __call__(self, line: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
        return [(LEFT + x * self.scale, TOP + SIDE - y * self.scale) for x, y in line]

    def area(self, area: Area) -> list[list[tuple[float, float]]]:
        return [self(ring[:-1]) for ring in area]


def map_picture(sheet: EvidenceSheet, words: Words) -> Picture:
    """Draw it."""
    drawing, at = sheet.drawing, _Map(sheet.drawing)
    rows = _legend_rows(sheet, words)
    picture = Picture(LEFT + SIDE + 10, TOP + SIDE + LEGEND_TOP + LEGEND_ROW * -(-len(rows) // 2))
    for road in drawing.roads:
        for area in road.reserve:
            picture.path(at.area(area), fill="#efefef", stroke=GREY, width=2)
            picture.path(_hatched(area, at, 160), stroke=PALE, width=1.5, closed=False)
    for one in drawing.buildings:
        picture.path(at.area(one.area), fill="#e2e2e2", stroke=PALE, width=1.5)
    for one in drawing.parcels:
        picture.path(at.area(one.area), stroke=GREY, width=1.5, dash="9 5")
    for road in drawing.roads:
        if road.axis:
            picture.path([at(road.axis)], stroke=GREY, width=2, dash="24 6 4 6", closed=False)
    _building(picture, sheet, at)
    if drawing.parcel is not None:
        picture.path(at.area(drawing.parcel), stroke=INK, width=2.5)
    for area in drawing.permitted:
        picture.path(at.area(area), stroke=INK, width=6, dash="18 10")
    for line in drawing.setback:
        picture.path([at(line)], stroke=INK, width=6, dash="3 7", closed=False)
    _labels(picture, sheet, at)
    _cut(picture, drawing, at)
    _frame(picture, drawing, at)
    _north_and_scale(picture, drawing, at)
    for number, (draw, text) in enumerate(rows):
        x = LEFT - 50 + (number % 2) * (LEFT + SIDE) / 2
        y = TOP + SIDE + LEGEND_TOP + LEGEND_ROW * (number // 2)
        draw(picture, x, y - 8)
        picture.text(x + 84, y, text, size=22)
    return picture


def _building(picture: Picture, sheet: EvidenceSheet, at: _Map) -> None:
    """The outline, and one σ of it to both sides."""
    footprint = sheet.drawing.footprint
    sigma = sheet.measured.sigma_outline
    if sigma is not None and sigma > 0:
        shape = _polygon(footprint)
        outer, inner = shape.buffer(100 * sigma, join_style="mitre"), shape.buffer(-100 * sigma, join_style="mitre")
        band = shapely.difference(outer, inner)
        for part in shapely.get_parts(band):
            picture.path([at(ring.coords[:-1]) for ring in (part.exterior, *part.interiors)], fill="#777", opacity=0.55)
    picture.path(at.area(footprint), fill="#9a9a9a", opacity=0.35, stroke=INK, width=2)


def _seen_cut(drawing: Drawing) -> LineString | None:
    """The section's line, as far as it is on the map."""
    side = 2 * drawing.half_side
    seen = shapely.intersection(LineString([drawing.section.start, drawing.section.end]), shapely.box(0, 0, side, side))
    return seen if isinstance(seen, LineString) and seen.length > 0 else None


def _letters(drawing: Drawing) -> dict[str, tuple[float, float]]:
    """Where A and A′ stand."""
    seen = _seen_cut(drawing)
    if seen is None:
        return {}
    return {name: _along(seen, share) for name, share in (("A", 0.135), ("A′", 0.865))}


def _along(line: LineString, share: float) -> tuple[float, float]:
    place = line.interpolate(share, normalized=True)
    return place.x, place.y


def _cut(picture: Picture, drawing: Drawing, at: _Map) -> None:
    """The section's line, with A at its start."""
    seen = _seen_cut(drawing)
    if seen is None:
        return
    picture.path([at([_along(seen, 0), _along(seen, 1)])], width=2, dash="22 7 3 7", closed=False)
    for ends in ((0.0, 0.09), (0.91, 1.0)):
        picture.path([at([_along(seen, share) for share in ends])], width=6, closed=False)
    for name, place in _letters(drawing).items():
        x, y = at([place])[0]
        picture.text(x, y + 10, name, size=30, anchor="middle", bold=True, halo=True)


def _labels(picture: Picture, sheet: EvidenceSheet, at: _Map) -> None:
    """Names of roads, and the numbers of parcels where they have room."""
    side = 2 * sheet.drawing.half_side
    wide = 70 / at.scale
    taken: list[Polygon] = [_polygon(sheet.drawing.footprint)]
    # Where the north arrow, the scale bar and the letters of the section will be.
    taken.append(shapely.box(side - 1.3 * wide, side - 2 * wide, side, side))
    taken.append(shapely.box(0, 0, 5 * wide, 1.2 * wide))
    taken += [shapely.Point(place).buffer(0.6 * wide, cap_style="square") for place in _letters(sheet.drawing).values()]
    if (cut := _seen_cut(sheet.drawing)) is not None:
        taken.append(cut.buffer(0.1 * wide))
    for road in sheet.drawing.roads:
        if road.reserve:
            place = _polygon(max(road.reserve, key=lambda area: _polygon(area).area)).representative_point()
            _label(picture, road.label, (place.x, place.y), at, taken, 22)
    for one in sheet.drawing.parcels:
        shape = _polygon(one.area)
        if one.label and shape.area * at.scale**2 > 2_400:
            place = shape.representative_point()
            _label(picture, one.label, (place.x, place.y), at, taken, 20)


def _label(
    picture: Picture, text: str, place: tuple[float, float], at: _Map, taken: list[Polygon], size: float
) -> None:
    """A text at a place, pushed into the map; left out where another is."""
    half = 0.31 * size * len(text) / at.scale
    side = SIDE / at.scale
    high = 1.2 * size / at.scale
    x = min(max(place[0], half + 20), side - half - 20) if 2 * half < side else side / 2
    y = min(max(place[1], high), side - high)
    box = shapely.box(x - half, y - high / 2, x + half, y + high / 2)
    if any(box.intersects(other) for other in taken):
        return
    taken.append(box)
    where = at([(x, y)])[0]
    picture.text(where[0], where[1] + size / 3, text, size=size, anchor="middle", fill="#333", halo=True)


def _frame(picture: Picture, drawing: Drawing, at: _Map) -> None:
    """The map's frame with coordinates of the register on it."""
    side = 2 * drawing.half_side
    picture.path([at([(0, 0), (side, 0), (side, side), (0, side)])], width=2.5)
    step = 1_000 if side > 4_000 else 500
    east, north = drawing.origin
    for value in range(0, side + 1, step):
        shown_east, shown_north = east + value // 100, north + value // 100
        x, y = at([(value, value)])[0]
        bottom = TOP + SIDE
        picture.line((x, bottom), (x, bottom + 9), width=2)
        picture.line((LEFT - 9, y), (LEFT, y), width=2)
        # Not where the corner would cut it off.
        if value % (2 * step) == 0 and value * at.scale < SIDE - 60:
            anchor = "middle" if value else "start"
            picture.text(x, bottom + 32, f"{shown_east:,}".replace(",", " "), size=19, anchor=anchor)
            picture.text(LEFT - 14, y, f"{shown_north:,}".replace(",", " "), size=19, anchor=anchor, turned=True)


def _north_and_scale(picture: Picture, drawing: Drawing, at: _Map) -> None:
    x, y = LEFT + SIDE - 44, TOP + 24
    picture.path([[(x - 32, y - 18), (x + 36, y - 18), (x + 36, y + 104), (x - 32, y + 104)]], fill="#fff", opacity=0.9)
    picture.path([[(x, y - 8), (x + 17, y + 56), (x, y + 42)]], fill=INK, width=2)
    picture.path([[(x, y - 8), (x - 17, y + 56), (x, y + 42)]], fill="#fff", width=2)
    picture.text(x, y + 92, "B/N", size=26, anchor="middle", bold=True)
    metres = 10 if drawing.half_side > 1_200 else 5
    long = metres * 100 * at.scale
    left, base = LEFT + 22, TOP + SIDE - 24
    picture.path(
        [
            [
                (left - 12, base - 52),
                (left + long + 70, base - 52),
                (left + long + 70, base + 14),
                (left - 12, base + 14),
            ]
        ],
        fill="#fff",
        opacity=0.9,
    )
    for number in range(2):
        part = [(left + number * long / 2, base), (left + (number + 1) * long / 2, base)]
        corners = [*part, (part[1][0], base - 11), (part[0][0], base - 11)]
        picture.path([corners], fill=INK if number == 0 else "#fff", width=2)
    picture.text(left, base - 22, "0", size=22)
    picture.text(left + long, base - 22, f"{metres} m", size=22, anchor="middle")


def _legend_rows(sheet: EvidenceSheet, words: Words) -> list[tuple[_Sample, str]]:
    drawing = sheet.drawing
    found = [(_Sample(width=2.5), words["map_parcel"])]
    if drawing.permitted:
        found.append((_Sample(width=6, dash="18 10"), words["map_permitted"]))
    found.append((_Sample(width=2, box="#c4c4c4", band=True), words["map_building"]))
    found.append((_Sample(width=1.5, box="#e2e2e2", stroke=PALE), words["map_neighbour"]))
    found.append((_Sample(width=1.5, dash="9 5", stroke=GREY), words["map_parcels"]))
    if drawing.roads:
        found.append((_Sample(width=2, box="#efefef", stroke=GREY), words["map_reserve"]))
    if drawing.setback:
        found.append((_Sample(width=6, dash="3 7"), words["map_setback"]))
    found.append((_Sample(width=2, dash="22 7 3 7"), words["map_section"]))
    return found


class _Sample:
    """A line or a box of the legend."""

    def __init__(self, width: float, dash: str = "", box: str = "", stroke: str = INK, *, band: bool = False) -> None:
        self.width, self.dash, self.box, self.stroke, self.band = width, dash, box, stroke, band

    def __call__(self, picture: Picture, x: float, y: float) -> None:
        if self.box:
            corners = [(x, y - 11), (x + 68, y - 11), (x + 68, y + 11), (x, y + 11)]
            if self.band:
                picture.path([corners], stroke="#a5a5a5", width=9)
            picture.path([corners], fill=self.box, stroke=self.stroke, width=self.width)
        else:
            picture.line((x, y), (x + 68, y), stroke=self.stroke, width=self.width, dash=self.dash)


def _hatched(area: Area, at: _Map, step: float) -> list[list[tuple[float, float]]]:
    """Slanting lines over an area."""
    shape = _polygon(area)
    west, south, east, north = shape.bounds
    high = north - south
    starts = [west - high + step * number for number in range(int((east - west + high) / step) + 2)]
    strokes = shapely.intersection(
        shapely.multilinestrings([LineString([(x, south), (x + high, north)]) for x in starts]), shape
    )
    return [at(_places(part)) for part in shapely.get_parts(strokes) if isinstance(part, LineString)]


def _places(line: LineString) -> list[tuple[float, float]]:
    return [(x, y) for x, y in line.coords]


def _polygon(area: Sequence[Line]) -> Polygon:
    return Polygon(area[0], area[1:])

"""The section of a sheet: points of a slice, ground, measured roof with its σ, and the height that is permitted."""

from __future__ import annotations

from dataclasses import dataclass

from api.evidence.sheet import EvidenceSheet, Section
from api.evidence.svg import GREY, INK, Picture
from api.evidence.texts import Words

WIDTH, HEIGHT = 1800.0, 650.0
LEFT, TOP, BOTTOM, LABELS = 96.0, 14.0, 70.0, 640.0
"""Margins of the plot, and what is left for labels at the right of it, tenths of a millimetre."""
SPACE, ROW = 150, 37.0
"""Centimetres above and below what is shown; tenths of a millimetre between two labels."""
SHOWN = 20
"""Centimetres from which on a difference gets an arrow."""


@dataclass(frozen=True, slots=True)
class Level:
    """A height that is drawn across the section."""

    height: int
    """cm above the vertical datum."""
    label: str
    width: float
    dash: str = ""
    is_bold: bool = False


@dataclass(frozen=True, slots=True)
class Scale:
    """Distance and height in cm → tenths of a millimetre on paper; both to one scale."""

    factor: float
    low: int
    bottom: float

    def x(self, distance: float) -> float:
        """From the left."""
        return LEFT + distance * self.factor

    def y(self, height: float) -> float:
        """From above."""
        return self.bottom - (height - self.low) * self.factor


def section_picture(sheet: EvidenceSheet, words: Words) -> Picture:
    """Draw it."""
    section = sheet.drawing.section
    found = levels(sheet, words)
    scale, long, high = _scale(section, found)
    picture = Picture(WIDTH, scale.bottom + BOTTOM)
    right = scale.x(long)
    _axes(picture, scale, long, high, words)
    _permitted(picture, sheet, scale)
    _points(picture, section, scale)
    for d0, z0, d1, z1 in section.profile:
        picture.line(_at(scale, d0, z0), _at(scale, d1, z1), width=2.5, stroke="#333")
    _band(picture, sheet, scale)
    for level in found:
        y = scale.y(level.height)
        picture.line((scale.x(0), y), (right, y), width=level.width, dash=level.dash)
    _arrow(picture, sheet, scale, words)
    _labels(picture, found, scale, right)
    _legend(picture, words, right + 60, scale.bottom)
    return picture


def levels(sheet: EvidenceSheet, words: Words) -> list[Level]:
    """The heights across the section, the highest first."""
    measured, permit = sheet.measured, sheet.permit
    ground = measured.ground_height
    if ground is None:
        return []
    found = [Level(_cm(ground), words("section_ground", height=words.number(ground, 2)), 3)]
    if measured.roof_height is not None:
        figure = words.figure(measured.height, measured.sigma_height, "m")
        found.append(Level(_cm(measured.roof_height), words("section_roof", figure=figure), 5, is_bold=True))
    if permit is not None and permit.height is not None:
        label = words("section_permitted", height=words.number(permit.height, 2))
        found.append(Level(_cm(ground + permit.height), label, 5, "22 10", is_bold=True))
        tolerance = next((one.tolerance for one in sheet.comparisons if one.quantity == "height"), None)
        if tolerance is not None:
            label = words("section_tolerance", height=words.number(tolerance, 2))
            found.append(Level(_cm(ground + permit.height + tolerance), label, 2.5, "4 8"))
    return sorted(found, key=lambda level: -level.height)


def _scale(section: Section, found: list[Level]) -> tuple[Scale, float, int]:
    (x0, y0), (x1, y1) = section.start, section.end
    long = max(((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5, 100.0)
    heights = [z for _, z, _ in section.points] + [level.height for level in found] or [0]
    tops = [level.height for level in found] + [z for _, z, code in section.points if code == 2] or [max(heights)]
    # A crane or a tree beside the house does not make the house small.
    high = min(max(heights), max(tops) + 400) + SPACE
    low = min(heights) - SPACE // 2
    wide, tall = WIDTH - LEFT - LABELS, HEIGHT - TOP - BOTTOM
    factor = min(wide / long, tall / (high - low))
    return Scale(factor, low, TOP + factor * (high - low)), long, high


def _axes(picture: Picture, scale: Scale, long: float, high: int, words: Words) -> None:
    left, right, top, bottom = scale.x(0), scale.x(long), scale.y(high), scale.bottom
    picture.path([[(left, top), (right, top), (right, bottom), (left, bottom)]], width=2)
    step = 200 if (high - scale.low) * scale.factor / 40 > (high - scale.low) / 200 else 500
    for height in range(-(-scale.low // step) * step, high + 1, step):
        y = scale.y(height)
        picture.line((left - 8, y), (left, y), width=2)
        picture.line((left, y), (right, y), width=1, stroke="#ddd")
        picture.text(left - 13, y + 7, words.number(height / 100, 0), size=21, anchor="end")
    picture.text(26, (top + bottom) / 2, words["section_height"], size=21, anchor="middle", turned=True)
    along = 500 if long > 1_500 else 200
    for distance in range(0, int(long) + 1, along):
        x = scale.x(distance)
        picture.line((x, bottom), (x, bottom + 8), width=2)
        picture.text(x, bottom + 29, words.number(distance / 100, 0), size=21, anchor="middle")
    picture.text((left + right) / 2, bottom + 58, words["section_distance"], size=21, anchor="middle")
    picture.text(left + 8, top + 34, "A", size=30, bold=True, halo=True)
    picture.text(right - 8, top + 34, "A′", size=30, bold=True, anchor="end", halo=True)


def _permitted(picture: Picture, sheet: EvidenceSheet, scale: Scale) -> None:
    """The permitted envelope where the section runs over it, and the parcel's ends."""
    ground, permit = sheet.measured.ground_height, sheet.permit
    section = sheet.drawing.section
    if ground is None:
        return
    base = scale.y(_cm(ground))
    if permit is not None and permit.height is not None:
        top = scale.y(_cm(ground + permit.height))
        for start, end in section.permitted:
            x0, x1 = scale.x(start), scale.x(end)
            picture.path([[(x0, base), (x0, top), (x1, top), (x1, base)]], fill="#d9d9d9", opacity=0.6)
            for x in (x0, x1):
                picture.line((x, base), (x, top), width=4, dash="22 10")
    for x in (scale.x(place) for pair in section.parcel for place in pair):
        picture.line((x, base - 30), (x, scale.bottom), width=3.5)


def _points(picture: Picture, section: Section, scale: Scale) -> None:
    by_code: dict[int, list[tuple[float, float]]] = {0: [], 1: [], 2: []}
    for distance, height, code in section.points:
        if scale.y(height) >= TOP:
            by_code[code].append(_at(scale, distance, height))
    picture.dots(by_code[0], size=5, stroke="#999")
    picture.dots(by_code[1], size=5, stroke="#666")
    picture.dots(by_code[2], size=7, stroke=INK)


def _band(picture: Picture, sheet: EvidenceSheet, scale: Scale) -> None:
    """One σ above and below the measured roof, where the section runs over the building."""
    roof, sigma = sheet.measured.roof_height, sheet.measured.sigma_height
    if roof is None or sigma is None:
        return
    high, low = scale.y(100 * (roof + sigma)), scale.y(100 * (roof - sigma))
    for start, end in sheet.drawing.section.footprint:
        x0, x1 = scale.x(start), scale.x(end)
        picture.path([[(x0, high), (x1, high), (x1, low), (x0, low)]], fill="#555", opacity=0.35)


def _arrow(picture: Picture, sheet: EvidenceSheet, scale: Scale, words: Words) -> None:
    """From the permitted height to the roof, where they are apart."""
    measured, permit = sheet.measured, sheet.permit
    footprint = sheet.drawing.section.footprint
    if permit is None or permit.height is None or measured.height is None or measured.ground_height is None:
        return
    delta = measured.height - permit.height
    if abs(delta) * 100 < SHOWN or not footprint:
        return
    x = scale.x(footprint[0][0] + 0.72 * (footprint[-1][1] - footprint[0][0]))
    low, high = (
        scale.y(100 * (measured.ground_height + permit.height)),
        scale.y(100 * (measured.ground_height + measured.height)),
    )
    picture.line((x, low), (x, high), width=3)
    up = 1 if high < low else -1
    size = min(14.0, abs(low - high) / 3)
    for y, turn in ((high, up), (low, -up)):
        picture.path([[(x, y), (x - 0.6 * size, y + turn * size), (x + 0.6 * size, y + turn * size)]], fill=INK)
    if abs(low - high) > 44:
        label = f"{words.signed(delta, 2)} m"
        picture.text(x + 12, (low + high) / 2 + 9, label, size=26, bold=True, halo=True)


def _labels(picture: Picture, found: list[Level], scale: Scale, right: float) -> None:
    """The name of each height beside the plot, led to where lines are close."""
    wanted = [scale.y(level.height) for level in found]
    places: list[float] = []
    for y in wanted:
        places.append(max(y, places[-1] + ROW) if places else max(y, TOP + 16))
    # What was pushed below the frame is pushed up again from there.
    last = scale.bottom - 3.4 * ROW
    for number in range(len(places) - 1, -1, -1):
        last = places[number] = min(places[number], last)
        last -= ROW
    for level, y, place in zip(found, wanted, places, strict=True):
        picture.line((right, y), (right + 44, place), width=1.5, stroke=GREY)
        picture.text(right + 52, place + 8, level.label, size=24, bold=level.is_bold)


def _legend(picture: Picture, words: Words, x: float, bottom: float) -> None:
    for number, (name, size, stroke) in enumerate(
        (("section_roof_points", 9, INK), ("section_ground_points", 7, "#666"), ("section_other_points", 7, "#999"))
    ):
        y = bottom - 74 + 33 * number
        picture.dots([(x + 4, y), (x + 18, y), (x + 32, y)], size=size, stroke=stroke)
        picture.text(x + 52, y + 8, words[name], size=22, fill="#222")
    picture.line((x, bottom + 26), (x + 36, bottom + 26), width=2.5, stroke="#333")
    picture.text(x + 52, bottom + 34, words["section_model"], size=22, fill="#222")


def _at(scale: Scale, distance: float, height: float) -> tuple[float, float]:
    return scale.x(distance), scale.y(height)


def _cm(metres: float) -> int:
    return round(100 * metres)

"""What is wrong with a point file, or may be: each with what it means for the work that follows."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Final, Literal

from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from gis.crs import horizontal, is_vietnamese, vertical
from lidar.las_header import LasHeader
from lidar.las_records import agrees_by_return
from lidar.point_cloud import Class

if TYPE_CHECKING:
    from lidar.quality import QualityReport, Tally

Severity = Literal["error", "warning", "note"]

VIETNAM: Final = (102.0, 7.0, 118.0, 23.5)
"""Degrees: west, south, east, north, with the sea."""
FOOT: Final = 0.3048
AREA_SLACK: Final = 0.5
"""Degrees that a point may lie outside of a CRS' area of use."""
MUCH_NOISE: Final = 0.001
MANY_DUPLICATES: Final = 0.001
MANY_VOIDS: Final = 0.05
STRIP_RMS: Final = 0.10
"""Metres; strips that differ by more are badly adjusted (half the 20 cm vertical accuracy of a QL2 survey)."""
STRIP_CELLS: Final = 50
"""Cells a strip difference must rest on."""
UTM_WGS84: Final = (32647, 32648, 32649)
"""WGS 84 / UTM zones of Vietnam."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding."""

    code: str
    """A stable name, for programs."""
    severity: Severity
    """error: must be put right before use; warning: may spoil results; note: good to know."""
    text: str
    """One line for a person."""


def problems_of(
    report: QualityReport, header: LasHeader, crs: CRS | None, crs_problem: str, tally: Tally
) -> tuple[Problem, ...]:
    """Everything found, the gravest first."""
    found = [
        *_crs_problems(header, crs, crs_problem),
        *_header_lies(report, header, tally),
        *_content(report),
    ]
    order = ("error", "warning", "note")
    return tuple(sorted(found, key=lambda problem: order.index(problem.severity)))


def _crs_problems(header: LasHeader, crs: CRS | None, crs_problem: str) -> list[Problem]:
    found: list[Problem] = []
    if crs_problem:
        found.append(Problem("crs", "error", crs_problem))
    if crs is None or header.point_count == 0:
        return found
    flat = horizontal(crs)
    if not flat.is_projected:
        text = f"coordinates are in degrees or geocentric ({flat.name}), not in metres; reproject the file first"
        return [*found, Problem("degrees", "error", text)]
    west, south, east, north = header.bounds
    if max(abs(west), abs(east)) <= 180 and max(abs(south), abs(north)) <= 90:
        text = f"the CRS says {flat.name}, but the coordinates look like degrees"
        return [*found, Problem("degrees", "error", text)]
    x, y = (west + east) / 2, (south + north) / 2
    place = _place(flat, x, y)
    if place is None or not _in_area(flat, place):
        found.append(Problem("outside-area", "error", _explain_outside(flat, x, y)))
    elif _in_vietnam(place) and not is_vietnamese(flat):
        found.append(Problem("not-vn2000", "warning", _not_vietnamese(flat)))
    factor = float(flat.axis_info[0].unit_conversion_factor)
    if factor != 1.0:
        text = f"horizontal unit is {flat.axis_info[0].unit_name} ({factor:.10g} m); read as metres"
        found.append(Problem("feet", "note", text))
    if vertical(crs) is None:
        unit = "metres" if factor == 1.0 else "the horizontal unit"
        found.append(
            Problem("no-vertical-crs", "note", f"the vertical datum is not named; heights are taken to be in {unit}")
        )
    return found


def _explain_outside(flat: CRS, x: float, y: float) -> str:
    """Which slip would explain a place outside of the area of use."""
    outside = f"the coordinates lie outside of the area {flat.name} is made for"
    swapped = _place(flat, y, x)
    if swapped is not None and _in_area(flat, swapped):
        return f"{outside}; with x and y swapped they lie inside: the axes are swapped"
    factor = float(flat.axis_info[0].unit_conversion_factor)
    if factor == 1.0:
        feet = _place(flat, x * FOOT, y * FOOT)
        if feet is not None and _in_area(flat, feet):
            return f"{outside}; as feet they lie inside: the CRS says metres, the numbers are feet"
    else:
        metres = _place(flat, x / factor, y / factor)
        if metres is not None and _in_area(flat, metres):
            return f"{outside}; as metres they lie inside: the CRS says feet, the numbers are metres"
    return outside


def _not_vietnamese(flat: CRS) -> str:
    text = f"lies in Vietnam, in {flat.name}, not in VN-2000"
    if flat.to_epsg() in UTM_WGS84:
        text += "; VN-2000 coordinates labelled as WGS 84 / UTM are off by about 225 m: check against a known point"
    return text


def _place(flat: CRS, x: float, y: float) -> tuple[float, float] | None:
    """Longitude and latitude on the CRS' own datum."""
    try:
        longitude, latitude = Transformer.from_crs(flat, flat.geodetic_crs, always_xy=True).transform(x, y)
    except ProjError:
        return None
    return (longitude, latitude) if isfinite(longitude) and isfinite(latitude) else None


def _in_area(flat: CRS, place: tuple[float, float]) -> bool:
    """Whether a place lies in the CRS' area of use; a system without one is good everywhere on Earth."""
    area = flat.area_of_use
    longitude, latitude = place
    if area is None:
        return True
    east = area.east if area.east >= area.west else area.east + 360
    longitude = longitude if longitude >= area.west - AREA_SLACK else longitude + 360
    return (
        area.west - AREA_SLACK <= longitude <= east + AREA_SLACK
        and area.south - AREA_SLACK <= latitude <= area.north + AREA_SLACK
    )


def _in_vietnam(place: tuple[float, float]) -> bool:
    west, south, east, north = VIETNAM
    return west <= place[0] <= 110.0 and south <= place[1] <= north and place[0] <= east


def _header_lies(report: QualityReport, header: LasHeader, tally: Tally) -> list[Problem]:
    """Where header and points disagree."""
    found: list[Problem] = []
    if header.point_count == 0:
        return [Problem("empty", "warning", "the file holds no points")]
    claims = ((*header.bounds[:2], header.z_range[0]), (*header.bounds[2:], header.z_range[1]))
    for axis, low, high, least, most, scale in zip("xyz", *claims, tally.low, tally.high, header.scales, strict=True):
        if low - least > 2 * scale or most - high > 2 * scale:
            text = f"{axis} runs from {least:.3f} to {most:.3f}, the header says {low:.3f} to {high:.3f}"
            found.append(Problem("bounds", "warning", text))
        elif least - low > max(1.0, 10 * scale) and high - most > max(1.0, 10 * scale):
            text = f"the header's bounds of {axis}, {low:.3f} to {high:.3f}, are wider than the points'"
            found.append(Problem("wide-bounds", "note", f"{text}, {least:.3f} to {most:.3f}"))
    if not agrees_by_return(tally.by_return, header):
        found.append(Problem("returns", "warning", "the header's points by return are not those of the points"))
    elif sum(header.count_by_return) != header.point_count:
        found.append(Problem("returns", "note", "the header's points by return do not add up to its points"))
    if tally.impossible_returns:
        text = f"{tally.impossible_returns:,} points have a return number of 0, or above their number of returns"
        found.append(Problem("return-numbers", "warning", text))
    return found


def _content(report: QualityReport) -> list[Problem]:
    """What the points themselves show."""
    found: list[Problem] = []
    if set(report.classes) == {Class.NEVER_CLASSIFIED} or set(report.classes) == {Class.UNCLASSIFIED}:
        found.append(Problem("unclassified", "note", "the points are not classified"))
    if report.point_count and report.gps_time is None:
        found.append(Problem("no-gps-time", "note", "the points carry no time"))
    if report.withheld:
        found.append(
            Problem("withheld", "note", f"{report.withheld:,} points are flagged as withheld; reading drops them")
        )
    density = report.density
    if density is not None and density.mean < 1:
        text = f"{density.mean:.2f} points/m² are too few for buildings and roofs; terrain only"
        found.append(Problem("sparse", "warning", text))
    if density is not None and density.void_share > MANY_VOIDS:
        text = (
            f"{density.void_share:.1%} of the covered area holds no point (cells of {density.void_cell:.0f} m; the "
            f"largest void has {density.largest_void:,.0f} m²): water or gaps in the survey"
        )
        found.append(Problem("voids", "warning", text))
    sample = report.sample
    if sample is None or sample.point_count == 0:
        return found
    noise = (sample.low_noise + sample.high_noise) / sample.point_count
    if noise > MUCH_NOISE:
        found.append(Problem("noise", "warning", f"{noise:.2%} of the points are noise that is not marked as such"))
    if sample.duplicates / sample.point_count > MANY_DUPLICATES:
        found.append(Problem("duplicates", "warning", f"{sample.duplicates:,} points repeat another one"))
    for overlap in sample.overlaps:
        if overlap.cells >= STRIP_CELLS and overlap.rms > STRIP_RMS:
            text = (
                f"strips {overlap.first} and {overlap.second} differ in height by {overlap.mean:+.2f} m "
                f"(rms {overlap.rms:.2f} m over {overlap.cells:,} flat m²)"
            )
            found.append(Problem("strips", "warning", text))
    return found

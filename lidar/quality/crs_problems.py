"""What is wrong with the coordinates of a point file: degrees, feet, swapped axes, another datum or zone."""

from __future__ import annotations

from math import isfinite
from typing import Final

from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from gis.crs import horizontal, is_vietnamese, vertical
from lidar.las.header import LasHeader
from lidar.quality.report import Problem

VIETNAM: Final = (102.0, 7.0, 118.0, 23.5)
"""Degrees: west, south, east, north, with the sea."""
FOOT: Final = 0.3048
AREA_SLACK: Final = 0.5
"""Degrees that a point may lie outside of a CRS' area of use."""
UTM_WGS84: Final = (32647, 32648, 32649)
"""WGS 84 / UTM zones of Vietnam."""


def crs_problems(header: LasHeader, crs: CRS | None, crs_problem: str) -> list[Problem]:
    """What the coordinates say against the CRS, and what is not said of it."""
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

"""The known ways to mislabel coordinates: what each does to a survey at its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import hypot, isfinite
from typing import Any, Final

from pyproj import CRS
from pyproj.exceptions import CRSError, ProjError

from gis.crs import VN2000, WGS84, horizontal, is_vietnamese, name_of, transformer
from gis.errors import BadCrs

VN2000_SYSTEMS: Final = (5896, 5897, 5898, 5899, *range(9205, 9219), 3405, 3406)
"""EPSG numbers of the TM-3 and UTM systems on VN-2000."""
UTM_WGS84: Final = (32648, 32649)
FOOT: Final = 0.3048
LEAST: Final = 0.3
"""Metres; a slip that moves less than this cannot be told from a good survey."""

Moved = Callable[[Any, Any], tuple[Any, Any]]
"""From coordinates as labelled to where they truly are, in the labelled CRS."""


@dataclass(frozen=True, slots=True)
class Slip:
    """One way in which coordinates may be other than their label says."""

    text: str
    """As in "shifted by 225 m, as …"."""
    advice: str
    """What puts it right."""
    move: Moved

    def shift(self, x: float, y: float) -> tuple[float, float] | None:
        """By how much the survey appears moved (apparent minus true); None where the slip makes no place."""
        true_x, true_y = self.move(x, y)
        return (x - float(true_x), y - float(true_y)) if isfinite(true_x) and isfinite(true_y) else None


def known_slips(labelled: CRS) -> list[Slip]:
    """Every slip a file in this projected CRS may have, the likeliest first.

    Datum before zone: the datum's 225 m stay within the city, a wrong central meridian is seen on any map.
    """
    flat = horizontal(labelled)
    found = [Slip("with x and y swapped", "swap x and y", lambda x, y: (y, x))]
    for truly, text, advice in _other_systems(flat):
        try:
            move = transformer(truly, flat).transform
        except (BadCrs, ProjError):
            continue
        found.append(Slip(text, advice, move))
    factor = float(flat.axis_info[0].unit_conversion_factor)
    if factor == 1.0:
        found.append(Slip("feet read as metres", "convert x and y from feet", lambda x, y: (x * FOOT, y * FOOT)))
    return found


def explanation(
    slips: list[Slip], place: tuple[float, float], shift: tuple[float, float], within: float
) -> Slip | None:
    """The slip whose shift at the place is nearest to the one measured, if it is within so many metres of it."""
    best, least = None, within
    for slip in slips:
        expected = slip.shift(*place)
        if expected is None or hypot(*expected) < LEAST:
            continue
        off = hypot(expected[0] - shift[0], expected[1] - shift[1])
        if off < least:
            best, least = slip, off
    return best


def _other_systems(flat: CRS) -> list[tuple[CRS, str, str]]:
    """What the coordinates may truly be in, how that reads, and what to do."""
    found = []
    if is_vietnamese(flat):
        if (twin := _on_datum(flat, WGS84)) is not None:
            text = "WGS 84 coordinates labelled VN-2000 (the datum shift left out)"
            found.append((twin, text, "transform the source from WGS 84 to VN-2000 with EPSG:6960"))
    elif flat.geodetic_crs is not None and flat.geodetic_crs.to_epsg() == WGS84:
        if (twin := _on_datum(flat, VN2000)) is not None:
            code = twin.to_epsg(min_confidence=70)
            named = f"EPSG:{code}" if code else "the same projection on VN-2000"
            found.append((twin, "VN-2000 coordinates read as WGS 84", f"label the file {named}"))
    else:
        return found
    for code in (*VN2000_SYSTEMS, *UTM_WGS84):
        try:
            other = CRS.from_epsg(code)
        except CRSError:
            continue
        if other.equals(flat, ignore_axis_order=True):
            continue
        found.append((other, f"coordinates of {other.name} labelled {flat.name}", f"label the file {name_of(other)}"))
    return found


def _on_datum(flat: CRS, datum: int) -> CRS | None:
    """The same projection on another datum."""
    document = flat.to_json_dict()
    document["base_crs"] = CRS.from_epsg(datum).to_json_dict()
    document["name"] = f"{flat.name} on {document['base_crs']['name']}"
    document.pop("id", None)
    try:
        twin = CRS.from_json_dict(document)
        code = twin.to_epsg(min_confidence=70)
        return CRS.from_epsg(code) if code is not None else twin
    except CRSError:
        return None

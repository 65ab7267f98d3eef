"""Where the header of a point file lies about its points, or contradicts itself."""

from __future__ import annotations

from datetime import date
from typing import Final

from lidar.gps_time import WEEK
from lidar.las.header import LasHeader, open_file
from lidar.las.records import agrees_by_return
from lidar.quality.report import Problem, QualityReport
from lidar.quality.tally import Tally

WKT_BIT: Final = 0x10
STANDARD_TIME_BIT: Final = 0x01
"""Of the global encoding (LAS 1.4, table 4)."""
FIRST_VERSION: Final = {0: 0, 1: 0, 2: 2, 3: 2, 4: 3, 5: 3, 6: 4, 7: 4, 8: 4, 9: 4, 10: 4}
"""Point format → the LAS 1.x that brought it."""
FIRST_WITH_WKT: Final = 6
"""Point format; from here on the CRS must be WKT."""
COARSE: Final = 0.02
FINE: Final = 0.000_05
"""Metres; a step beyond which roofs and kerbs blur, and one below any scanner's noise."""
ROUNDED: Final = 0.05
"""Metres; coordinates that all are multiples of this have lost what the scale promises."""
FIRST_LAS: Final = date(2000, 1, 1)


def header_problems(report: QualityReport, header: LasHeader, tally: Tally) -> list[Problem]:
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
    found += [*_form(report, header), *_steps(report, header, tally), *_times(report, header)]
    if tally.impossible_returns:
        text = f"{tally.impossible_returns:,} points have a return number of 0, or above their number of returns"
        text += "; 0 is read as 1"
        found.append(Problem("return-numbers", "warning", text))
    return found


def _form(report: QualityReport, header: LasHeader) -> list[Problem]:
    """Version, point format, encoding and date that do not go together."""
    found: list[Problem] = []
    minor = int(header.version.split(".")[1])
    if minor < FIRST_VERSION[header.point_format]:
        text = f"point format {header.point_format} came with LAS 1.{FIRST_VERSION[header.point_format]}"
        found.append(Problem("format", "warning", f"{text}; the header says LAS {header.version}"))
    has_wkt = header.find("LASF_Projection", 2112) is not None
    has_keys = header.find("LASF_Projection", 34735) is not None
    says_wkt = bool(_global_encoding(header) & WKT_BIT) if minor >= 4 else has_wkt
    if has_wkt and not says_wkt:
        found.append(Problem("encoding", "note", "the header does not say (WKT bit) that its CRS is WKT, but it is"))
    elif says_wkt and has_keys and not has_wkt:
        found.append(Problem("encoding", "note", "the header says that its CRS is WKT, but it is GeoTIFF keys"))
    elif header.point_format >= FIRST_WITH_WKT and has_keys and not has_wkt:
        text = f"point format {header.point_format} takes its CRS as WKT, the file has GeoTIFF keys"
        found.append(Problem("encoding", "note", text))
    made = header.creation_date
    if made is not None and not FIRST_LAS <= made <= date.today():
        found.append(Problem("date", "note", f"the header says the file was made on {made.isoformat()}"))
    if sum(header.count_by_return[1:]) == 0 and header.count_by_return and header.count_by_return[0] > 0:
        found.append(Problem("single-returns", "note", "every pulse has one return: nothing was seen under leaves"))
    return found


def _global_encoding(header: LasHeader) -> int:
    """Bits of the header's bytes 6 and 7."""
    with open_file(header.path) as handle:
        return int.from_bytes(handle.read(8)[6:8], "little")


def _steps(report: QualityReport, header: LasHeader, tally: Tally) -> list[Problem]:
    """Scales too coarse or too fine, and coordinates rounded beyond them."""
    found: list[Problem] = []
    units = report.metres_per_unit or (1.0, 1.0)
    for axis, unit in zip(range(3), (units[0], units[0], units[1]), strict=True):
        step, name = header.scales[axis] * unit, "xyz"[axis]
        true = step * tally.steps[axis]
        if true >= ROUNDED and true > 1.5 * step:
            text = f"{name} was rounded to {true:.3g} m, though the header's scale promises {step:.3g} m"
            found.append(Problem("rounded", "warning", text))
        elif step > COARSE:
            found.append(Problem("scale", "warning", f"{name} comes in steps of {step:.3g} m, too coarse for edges"))
        elif step < FINE:
            text = f"{name} comes in steps of {step:.2g} m, finer than any scanner; the file is larger than it need be"
            found.append(Problem("scale", "note", text))
    return found


def _times(report: QualityReport, header: LasHeader) -> list[Problem]:
    """Times that are not of the kind the header says."""
    if report.gps_time is None:
        return []
    first, last = report.gps_time
    week = first >= 0 and last <= WEEK
    if header.gps_time_is_standard and week:
        text = "the header says GPS standard time, the times look like seconds of a GPS week: they name no day"
        return [Problem("gps-time", "note", text)]
    if not header.gps_time_is_standard and not week:
        text = f"the header says seconds of a GPS week, the times ({first:,.0f} to {last:,.0f}) are none"
        return [Problem("gps-time", "note", text)]
    return []

"""What is wrong with a point file, or may be: each with what it means for the work that follows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pyproj import CRS

from lidar.las.header import LasHeader
from lidar.point_cloud import Class
from lidar.quality.against import Registration
from lidar.quality.crs_problems import crs_problems
from lidar.quality.header_problems import header_problems
from lidar.quality.report import FEW_CELLS, Problem, QualityReport
from lidar.quality.standards import quality_levels
from lidar.quality.tally import Tally

MUCH_NOISE: Final = 0.001
MANY_DUPLICATES: Final = 0.001
MANY_VOIDS: Final = 0.05
STRIP_RMS: Final = 0.10
"""Metres; strips that differ by more are badly adjusted (half the 20 cm vertical accuracy of a QL2 survey)."""

PRIVATE: Final = frozenset(range(64, 256))
RESERVED: Final = frozenset(range(23, 64))
"""Class codes that are the producer's own, and those the LAS specification keeps."""
LOWEST: Final = -500.0
HIGHEST: Final = 9_000.0
"""Metres; the Dead Sea and Mount Everest, with some room."""
FOOT: Final = 0.3048
UNIT_SLACK: Final = 0.12
"""By which a ratio of heights may miss that of the units."""
UNEXPLAINED: Final = 1.5
"""Metres across; less may be the reference's own error, outlines against eaves for one."""
FAR: Final = 10.0
HEIGHT_OFFSET: Final = 0.30
"""Metres; less may be two surveys' accuracy, and ground against grass."""
GEOID: Final = 1.0
"""Metres; a greater offset is no adjustment but a datum."""


def problems_of(
    report: QualityReport, header: LasHeader, crs: CRS | None, crs_problem: str, tally: Tally
) -> tuple[Problem, ...]:
    """Everything found, the gravest first."""
    found = [
        *crs_problems(header, crs, crs_problem),
        *header_problems(report, header, tally),
        *_classes(report),
        *_content(report),
        *_heights(report),
        *_quality_level(report),
    ]
    return sorted_problems(found)


def sorted_problems(found: Iterable[Problem]) -> tuple[Problem, ...]:
    """The gravest first."""
    order = ("error", "warning", "note")
    return tuple(sorted(found, key=lambda problem: order.index(problem.severity)))


def _content(report: QualityReport) -> list[Problem]:
    """What the points themselves show."""
    found: list[Problem] = []
    if report.point_count and report.gps_time is None:
        found.append(Problem("no-gps-time", "note", "the points carry no time"))
    if report.withheld:
        found.append(
            Problem("withheld", "note", f"{report.withheld:,} points are flagged as withheld; reading drops them")
        )
    if report.synthetic:
        text = f"{report.synthetic / report.point_count:.1%} of the points are synthetic: no laser measured them"
        found.append(Problem("synthetic", "note", text))
    if report.intensity is not None and report.point_count > 1 and report.intensity[0] == report.intensity[1]:
        text = f"the intensity is {report.intensity[0]} everywhere; water and wires are harder to tell without it"
        found.append(Problem("intensity", "note", text))
    if report.scan_angle is not None and report.point_count > 1 and report.scan_angle[0] == report.scan_angle[1]:
        found.append(Problem("scan-angle", "note", f"the scan angle is {report.scan_angle[0]:g}° everywhere"))
    if len(report.strips) == 1 and report.gps_time is None and report.point_count > 1:
        text = "flight lines cannot be told apart: one point source and no times; strips cannot be checked"
        found.append(Problem("no-strips", "note", text))
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
        if overlap.cells >= FEW_CELLS and overlap.rms > STRIP_RMS:
            text = (
                f"strips {overlap.first} and {overlap.second} differ in height by {overlap.mean:+.2f} m "
                f"(rms {overlap.rms:.2f} m over {overlap.cells:,} flat m²)"
            )
            found.append(Problem("strips", "warning", text))
    return found


def _classes(report: QualityReport) -> list[Problem]:
    """Oddities of the histogram of classes (LAS 1.4 R15, tables 9 and 17)."""
    found: list[Problem] = []
    codes = set(report.classes)
    if codes and codes <= {Class.NEVER_CLASSIFIED, Class.UNCLASSIFIED}:
        return [Problem("unclassified", "note", "the points are not classified")]
    if codes and Class.GROUND not in codes:
        text = "there are classes, but no ground (2); terrain with --keep-classes would be empty"
        found.append(Problem("no-ground", "warning", text))
    if report.overlap:
        text = f"{report.overlap / report.point_count:.1%} of the points are marked as overlap of strips"
        found.append(Problem("overlap", "note", f"{text}; of class 12, ground among them is not class 2"))
    private, reserved = sorted(codes & PRIVATE), sorted(codes & RESERVED)
    if private:
        text = f"classes {', '.join(map(str, private))} are the producer's own; ask what they mean"
        found.append(Problem("private-classes", "note", text))
    if reserved:
        text = f"classes {', '.join(map(str, reserved))} are reserved by the LAS specification"
        found.append(Problem("reserved-classes", "note", text))
    return found


def _heights(report: QualityReport) -> list[Problem]:
    """Heights that are none on Earth, which a wrong unit makes."""
    if report.z_range is None:
        return []
    low, high = report.z_range
    if low >= LOWEST and high <= HIGHEST:
        return []
    text = f"heights from {low:,.0f} to {high:,.0f} m are none on Earth: noise, or millimetres or feet read as metres"
    return [Problem("heights", "warning", text)]


def _quality_level(report: QualityReport) -> list[Problem]:
    """How the strips and the density stand against the USGS Lidar Base Specification; for information."""
    overlap = report.sample.swath_overlap if report.sample is not None else None
    if overlap is None or report.density is None:
        return []
    passed = [level.name for level in quality_levels() if overlap <= level.swath_overlap]
    dense = [level.name for level in quality_levels() if report.density.pulses >= level.pulses]
    text = (
        f"swath overlap RMSDz {overlap:.3f} m: {_levels(passed)}; {report.density.pulses:.1f} pulses/m²: "
        f"{_levels(dense)} (USGS Lidar Base Specification)"
    )
    return [Problem("quality-level", "note", text)]


def _levels(passed: list[str]) -> str:
    return f"passes {', '.join(passed)}" if passed else "passes none of QL0 to QL3"


def shift_problems(found: Registration | None) -> list[Problem]:
    """What a reference shows to be wrong with the coordinates."""
    if found is None:
        return []
    if not found.is_certain:
        text = (
            f"{found.reference}: the two do not look alike at any shift (correlation {found.correlation:.2f}); "
            "nothing is known about the position"
        )
        return [Problem("reference", "warning", text)]
    problems = []
    across = f"({found.dx:+.2f}, {found.dy:+.2f}) m"
    if found.slip is not None:
        text = f"shifted by {across} = {found.distance:,.1f} m against {found.reference}: {found.slip}; {found.advice}"
        problems.append(Problem("shifted", "error", text))
    elif found.distance > UNEXPLAINED:
        text = f"shifted by {across} = {found.distance:,.1f} m against {found.reference}; no known slip explains it"
        problems.append(Problem("shifted", "error" if found.distance > FAR else "warning", text))
    else:
        text = f"lies within {max(found.distance, 0.1):.1f} m of {found.reference}"
        problems.append(Problem("reference", "note", text))
    problems += _vertical(found)
    return problems


def _vertical(found: Registration) -> list[Problem]:
    """Heights of another unit or datum than the reference's."""
    ratio = found.relief_ratio
    if ratio is not None and abs(ratio * FOOT - 1) < UNIT_SLACK:
        text = f"things stand {ratio:.2f} times as tall as in {found.reference}: heights are feet, not metres"
        return [Problem("height-unit", "error", text)]
    if ratio is not None and abs(ratio / FOOT - 1) < UNIT_SLACK:
        text = f"things stand {ratio:.2f} times as tall as in {found.reference}: heights are metres, not feet"
        return [Problem("height-unit", "error", text)]
    if found.dz is None or abs(found.dz) <= HEIGHT_OFFSET:
        return []
    text = f"heights are {found.dz:+.2f} m off {found.reference}: another vertical datum?"
    if abs(found.dz) > GEOID:
        text += (
            " Heights above the ellipsoid, as GNSS gives them, differ from Hon Dau heights by the geoid's undulation: "
            "in Vietnam from about −30 m in the north to a few metres in the south"
        )
    return [Problem("height-offset", "warning" if abs(found.dz) <= GEOID else "error", text)]

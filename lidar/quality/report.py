"""What an inspection of a point file finds, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import sqrt
from pathlib import Path
from typing import Any, Final, Literal

from lidar.quality.against import Registration
from lidar.quality.density import Density
from lidar.quality.strips import StripOverlap

FEW_CELLS: Final = 50
"""Cells a strip difference must rest on."""
Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding."""

    code: str
    """A stable name, for programs."""
    severity: Severity
    """error: must be put right before use; warning: may spoil results; note: good to know."""
    text: str
    """One line for a person."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What was found by looking at the points themselves, all of them or those of a square in the middle."""

    point_count: int
    share: float
    """Of the file's points."""
    low_noise: int
    """Points that `mark_noise` calls low noise and the file does not."""
    high_noise: int
    duplicates: int
    """Points that repeat another in place, time and return."""
    overlaps: tuple[StripOverlap, ...]

    @property
    def swath_overlap(self) -> float | None:
        """RMSD_z over all flat cells that two strips share, metres; None where there are too few."""
        cells = sum(overlap.cells for overlap in self.overlaps)
        if cells < FEW_CELLS:
            return None
        return sqrt(sum(overlap.rms**2 * overlap.cells for overlap in self.overlaps) / cells)


@dataclass(frozen=True, slots=True)
class QualityReport:
    """What `inspect` found. Lengths are metres, also for a file in feet, except `header_bounds`."""

    path: Path | str
    file_size: int
    """Bytes."""
    version: str
    point_format: int
    is_compressed: bool
    is_copc: bool
    software: str
    created: str | None
    point_count: int
    crs: str | None
    """As `--crs` takes it; None where it is unknown."""
    crs_name: str | None
    metres_per_unit: tuple[float, float] | None
    """Of x and y, and of z."""
    header_bounds: tuple[float, float, float, float]
    """As the header has them, in the file's units."""
    bounds: tuple[float, float, float, float] | None
    """Of the points, in metres; None without points or CRS."""
    z_range: tuple[float, float] | None
    density: Density | None
    classes: Mapping[int, int]
    """Points by class code."""
    returns: Mapping[int, int]
    """Points by return number."""
    strips: Mapping[int, int]
    """Points by point source id."""
    withheld: int
    synthetic: int
    overlap: int
    """Points with the overlap flag, or of class 12 in an old format."""
    intensity: tuple[int, int] | None
    """Least and greatest."""
    scan_angle: tuple[float, float] | None
    """Least and greatest, degrees."""
    gps_time: tuple[float, float] | None
    """First and last, as the file has them; None where it has none."""
    extra_dimensions: tuple[str, ...]
    sample: Sample | None
    registration: Registration | None = None
    """Against a reference, where one was given."""
    problems: tuple[Problem, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        document = asdict(self)
        document["path"] = str(self.path)
        return document

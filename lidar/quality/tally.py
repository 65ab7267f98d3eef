"""Counts over all records of a point file, as they stand in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lidar.las.header import LasHeader
from lidar.las.records import EXTENDED, RawPoints, count_by_return, extent, is_withheld, returns

SYNTHETIC, EXTENDED_SYNTHETIC, EXTENDED_OVERLAP = 0x20, 0x01, 0x08
"""Bit of the legacy class byte; bits of the extended flags (LAS 1.4, tables 8 and 16)."""
LEGACY_OVERLAP = 12
"""Class of the overlap before it became a flag."""


@dataclass(slots=True)
class Tally:
    """Counts over all batches, in the file's units."""

    classes: NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, dtype=np.int64))
    by_return: NDArray[np.int64] = field(default_factory=lambda: np.zeros(16, dtype=np.int64))
    sources: NDArray[np.int64] = field(default_factory=lambda: np.zeros(65_536, dtype=np.int64))
    withheld: int = 0
    synthetic: int = 0
    overlap: int = 0
    """Points with the overlap flag of LAS 1.4, or the class 12 of older formats."""
    impossible_returns: int = 0
    intensity: list[int] = field(default_factory=lambda: [65_535, 0])
    """Least and greatest."""
    scan_angle: list[float] = field(default_factory=lambda: [np.inf, -np.inf])
    """Least and greatest, degrees."""
    steps: list[int] = field(default_factory=lambda: [0] * 3)
    """Greatest common divisor of the coordinates' integers, by axis, after the first of them."""
    first: list[int] | None = None
    times: list[float] = field(default_factory=list)
    low: list[float] = field(default_factory=lambda: [np.inf] * 3)
    high: list[float] = field(default_factory=lambda: [-np.inf] * 3)

    def add(self, raw: RawPoints, header: LasHeader, part: Mapping[str, NDArray[Any]]) -> None:
        """Count one batch: its records and their columns."""
        self.classes += np.bincount(part["classification"], minlength=256)
        self.by_return += count_by_return(raw, header)
        self.sources += np.bincount(raw["point_source_id"], minlength=65_536)
        self.withheld += int(is_withheld(raw, header).sum())
        self.synthetic += int(is_synthetic(raw, header).sum())
        self.overlap += int(is_overlap(raw, header).sum())
        self.intensity = [
            min(self.intensity[0], int(raw["intensity"].min())),
            max(self.intensity[1], int(raw["intensity"].max())),
        ]
        if len(part["scan_angle"]):
            self.scan_angle = [
                min(self.scan_angle[0], float(part["scan_angle"].min())),
                max(self.scan_angle[1], float(part["scan_angle"].max())),
            ]
        self._add_steps(raw)
        number, total = returns(raw, header)
        self.impossible_returns += int(((number == 0) | (number > total)).sum())
        if "gps_time" in (raw.dtype.names or ()):
            self.times += [float(raw["gps_time"].min()), float(raw["gps_time"].max())]
        for axis in range(3):
            low, high = extent(raw, header, axis)
            self.low[axis], self.high[axis] = min(self.low[axis], low), max(self.high[axis], high)

    def _add_steps(self, raw: RawPoints) -> None:
        """A file whose coordinates were rounded more coarsely than its scale says has a common step above 1."""
        if self.first is None:
            self.first = [int(raw[axis][0]) for axis in "xyz"]
        for axis, name in enumerate("xyz"):
            if self.steps[axis] != 1:
                step = int(np.gcd.reduce(raw[name].astype(np.int64) - self.first[axis]))
                self.steps[axis] = int(np.gcd(self.steps[axis], step))


def is_synthetic(raw: RawPoints, header: LasHeader) -> NDArray[np.bool_]:
    """Points that no laser measured."""
    if header.point_format >= EXTENDED:
        return np.asarray((raw["flags"] & np.uint8(EXTENDED_SYNTHETIC)) != 0)
    return np.asarray((raw["class"] & np.uint8(SYNTHETIC)) != 0)


def is_overlap(raw: RawPoints, header: LasHeader) -> NDArray[np.bool_]:
    """Points of an overlap between strips that the producer would leave out."""
    if header.point_format >= EXTENDED:
        return np.asarray((raw["flags"] & np.uint8(EXTENDED_OVERLAP)) != 0)
    return np.asarray((raw["class"] & np.uint8(0x1F)) == LEGACY_OVERLAP)

"""Points as a file has them, a column an attribute, and their way into the columns of a `PointCloud`."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numba as nb
import numpy as np
from numpy.typing import NDArray

EXTENDED_SCAN_STEP: Final = np.float32(0.006)
"""Degrees in one step of the extended scan angle."""
WITHHELD, EXTENDED_WITHHELD = 0x80, 0x04
"""Bit of the legacy class byte; bit of the extended flags."""
MOST_SECONDS: Final = 1e12
"""No clock a file may count seconds by, GPS, Unix or its own in microseconds of a day, runs so high."""


ORDER: Final = ("intensity", "scan_angle", "point_source_id", "gps_time", "confidence")
ATTRIBUTES: Final = frozenset(ORDER)
"""Columns that may be left out: what is made from shape, returns and classes alone does not ask for them."""


class RawColumns(NamedTuple):
    """n points as their records hold them: coordinates in steps, bytes with several fields unopened."""

    x: NDArray[np.int32]
    y: NDArray[np.int32]
    z: NDArray[np.int32]
    intensity: NDArray[np.uint16]
    returns: NDArray[np.uint8]
    flags: NDArray[np.uint8]
    """Zero in the formats 0–5, which have none."""
    classes: NDArray[np.uint8]
    scan_angle: NDArray[np.int16]
    source: NDArray[np.uint16]
    time: NDArray[np.float64]
    """Zero in formats without a time."""
    confidence: NDArray[np.uint8]
    """Zero where the file has no such extra byte."""

    @classmethod
    def zeros(cls, count: int) -> RawColumns:
        """Columns to be filled."""
        kinds = (np.int32, np.int32, np.int32, np.uint16, np.uint8, np.uint8, np.uint8, np.int16, np.uint16)
        return cls._make(np.zeros(count, kind) for kind in (*kinds, np.float64, np.uint8))

    def by_field(self) -> list[tuple[str, NDArray[Any]]]:
        """The columns with the names their fields have in `lidar.las.records`."""
        names = ("x", "y", "z", "intensity", "returns", "flags", "class", "scan_angle", "point_source_id", "gps_time")
        return list(zip((*names, "confidence"), self, strict=True))


class Columns(NamedTuple):
    """The columns of a `PointCloud`, by name and in the order of `settle`."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    z: NDArray[np.float64]
    classification: NDArray[np.uint8]
    intensity: NDArray[np.uint16]
    return_number: NDArray[np.uint8]
    number_of_returns: NDArray[np.uint8]
    point_source_id: NDArray[np.uint16]
    gps_time: NDArray[np.float64]
    scan_angle: NDArray[np.float32]
    confidence: NDArray[np.uint8]

    @classmethod
    def empty(cls, count: int, attributes: frozenset[str] = ATTRIBUTES) -> Columns:
        """Columns to be filled; those of `ATTRIBUTES` that are not wanted are zeros, which take no memory yet."""
        kinds = (np.float64, np.float64, np.float64, np.uint8, np.uint16, np.uint8, np.uint8, np.uint16)
        named = zip(cls._fields, (*kinds, np.float64, np.float32, np.uint8), strict=True)
        unwanted = ATTRIBUTES - attributes
        return cls._make(np.zeros(count, kind) if name in unwanted else np.empty(count, kind) for name, kind in named)

    def part(self, start: int, end: int) -> Columns:
        """The points from start to end, as a view."""
        return Columns._make(column[start:end] for column in self)

    @classmethod
    def joined(cls, parts: list[Columns]) -> Columns:
        """All points of several parts, in order."""
        if len(parts) == 1:
            return parts[0]
        return cls._make(np.concatenate(columns) for columns in zip(*parts, strict=True))


class Seen(NamedTuple):
    """What was seen of points while they were settled, those left out included."""

    kept: int
    lows: NDArray[np.int64]
    """(3,) least x, y, z in steps."""
    highs: NDArray[np.int64]
    by_return: NDArray[np.int64]
    """(16,) points by return number."""
    has_bad_time: bool
    channels: int
    """A bit for each channel of the scanner; 1 in the formats 0–5, which have none."""


def settle(
    raw: RawColumns,
    out: Columns,
    *,
    extended: bool,
    scales: tuple[float, float, float],
    offsets: tuple[float, float, float],
    units: tuple[float, float, float] = (1.0, 1.0, 1.0),
    window: tuple[float, float, float, float] | None = None,
    attributes: frozenset[str] = ATTRIBUTES,
) -> Seen:
    """Fill `out` from its start with the points that are wanted, in their order, lengths in metres.

    Left out are points flagged as withheld, and those outside of the window (edges belong to it). A return number of
    0, as LAS 1.0 files and some converters have it, becomes 1, and no number of returns becomes the return number:
    a point without returns is a single return.

    Args:
        raw: (n,) points.
        out: room for n points.
        extended: whether they are of point formats 6–10.
        scales: of x, y, z.
        offsets: of x, y, z.
        units: metres in one unit of x, y, z.
        window: (min x, min y, max x, max y) in metres.
        attributes: those of `ATTRIBUTES` that are filled; the others stay as they are.
    """
    wanted = tuple(name in attributes for name in ORDER)
    lows, highs = np.full(3, np.iinfo(np.int64).max), np.full(3, np.iinfo(np.int64).min)
    by_return = np.zeros(16, dtype=np.int64)
    edges = (-np.inf, -np.inf, np.inf, np.inf) if window is None else window
    kept, has_bad_time, channels = _settle(
        raw, out, extended, scales, offsets, units, edges, wanted, lows, highs, by_return
    )
    return Seen(int(kept), lows, highs, by_return, bool(has_bad_time), int(channels))


@nb.njit(cache=True, nogil=True)
def _settle(
    raw: Any,
    out: Any,
    extended: bool,
    scales: Any,
    offsets: Any,
    units: Any,
    edges: Any,
    wanted: Any,
    lows: Any,
    highs: Any,
    by_return: Any,
) -> Any:
    kept, channels = 0, np.int64(0)
    has_bad_time = False
    low_x, low_y, low_z = lows[0], lows[1], lows[2]
    high_x, high_y, high_z = highs[0], highs[1], highs[2]
    with_intensity, with_angle, with_source, with_time, with_confidence = wanted
    if with_time:
        for time in raw.time:
            has_bad_time |= not abs(time) < MOST_SECONDS
    for i in range(len(raw.x)):
        x, y, z = np.int64(raw.x[i]), np.int64(raw.y[i]), np.int64(raw.z[i])
        low_x, low_y, low_z = min(low_x, x), min(low_y, y), min(low_z, z)
        high_x, high_y, high_z = max(high_x, x), max(high_y, y), max(high_z, z)
        byte, code = raw.returns[i], raw.classes[i]
        if extended:
            number, total = byte & 15, byte >> 4
            gone = raw.flags[i] & EXTENDED_WITHHELD
        else:
            number, total = byte & 7, (byte >> 3) & 7
            gone = code & WITHHELD
            code &= 31
        by_return[number] += 1
        channels |= np.int64(1) << ((np.int64(raw.flags[i]) >> 4) & 3)
        out.x[kept] = (x * scales[0] + offsets[0]) * units[0]
        out.y[kept] = (y * scales[1] + offsets[1]) * units[1]
        out.z[kept] = (z * scales[2] + offsets[2]) * units[2]
        east, north = out.x[kept], out.y[kept]
        if gone or not (edges[0] <= east <= edges[2] and edges[1] <= north <= edges[3]):
            continue
        number = max(number, 1)
        out.classification[kept] = code
        out.return_number[kept] = number
        out.number_of_returns[kept] = number if total == 0 else total
        if with_intensity:
            out.intensity[kept] = raw.intensity[i]
        if with_source:
            out.point_source_id[kept] = raw.source[i]
        if with_time:
            out.gps_time[kept] = raw.time[i]
        if with_angle:
            angle = np.float32(raw.scan_angle[i])
            out.scan_angle[kept] = angle * EXTENDED_SCAN_STEP if extended else angle
        if with_confidence:
            out.confidence[kept] = raw.confidence[i]
        kept += 1
    lows[0], lows[1], lows[2] = low_x, low_y, low_z
    highs[0], highs[1], highs[2] = high_x, high_y, high_z
    return kept, has_bad_time, channels

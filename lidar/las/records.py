"""Point records of the formats 0–10 as they stand in a file, and the columns they become."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gis.errors import UnreadableFile
from lidar.las.header import RECORD_LENGTHS, LasHeader
from lidar.las.raw_columns import ATTRIBUTES, EXTENDED_WITHHELD, WITHHELD, Columns, RawColumns, Seen, settle

RawPoints: TypeAlias = NDArray[np.void]
"""(n,) structured records of `record_type`."""

EXTENDED = 6
"""Point formats from here on have more bits for returns, class and scan angle (LAS 1.4, table 14)."""
WITH_GPS_TIME = frozenset((1, 3, 4, 5, 6, 7, 8, 9, 10))
CONFIDENCE = "confidence"
"""Name of the extra byte that says how sure a class is, percent."""
INPUT_CLASS = "input_class"
"""Name of the extra byte that says which class a point came in with."""
ONE_BYTE = 1
"""Data type of an unsigned byte (LAS 1.4, table 24)."""
EXTRA_SIZES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 8, 8: 8, 9: 4, 10: 8}
"""Bytes by data type; the undocumented and the deprecated ones are not stepped over."""
STRAY = 1.0
"""How far outside of the header's bounds a point may lie, in the file's units, before the file counts as damaged;
producers round their bounds, some through float32."""

_LEGACY_FIELDS = {
    "x": ("<i4", 0),
    "y": ("<i4", 4),
    "z": ("<i4", 8),
    "intensity": ("<u2", 12),
    "returns": ("u1", 14),
    "class": ("u1", 15),
    "scan_angle": ("i1", 16),
    "point_source_id": ("<u2", 18),
    "gps_time": ("<f8", 20),
}
_EXTENDED_FIELDS = {
    "x": ("<i4", 0),
    "y": ("<i4", 4),
    "z": ("<i4", 8),
    "intensity": ("<u2", 12),
    "returns": ("u1", 14),
    "flags": ("u1", 15),
    "class": ("u1", 16),
    "scan_angle": ("<i2", 18),
    "point_source_id": ("<u2", 20),
    "gps_time": ("<f8", 22),
}


def record_type(point_format: int, record_length: int, confidence: int | None = None) -> np.dtype[np.void]:
    """The fields of a record that are read, at their places; what nobody asks for is stepped over."""
    table = dict(_EXTENDED_FIELDS if point_format >= EXTENDED else _LEGACY_FIELDS)
    if point_format not in WITH_GPS_TIME:
        del table["gps_time"]
    if confidence is not None:
        table[CONFIDENCE] = ("u1", confidence)
    names = list(table)
    return np.dtype(
        {
            "names": names,
            "formats": [table[name][0] for name in names],
            "offsets": [table[name][1] for name in names],
            "itemsize": record_length,
        }
    )


def raw_points(data: NDArray[np.uint8], header: LasHeader) -> RawPoints:
    """Bytes as records, without a copy."""
    return data.view(record_type(header.point_format, header.record_length, confidence_at(header)))


def confidence_at(header: LasHeader) -> int | None:
    """Where in a record the extra byte `CONFIDENCE` lies; None where there is none of one byte."""
    return extra_byte_at(header, CONFIDENCE)


def extra_byte_at(header: LasHeader, name: str) -> int | None:
    """Where in a record the extra byte of that name lies; None where there is none of one byte."""
    at = RECORD_LENGTHS[header.point_format]
    for dimension in header.extra_dimensions:
        if dimension.name == name and dimension.data_type == ONE_BYTE and at < header.record_length:
            return at
        if dimension.data_type not in EXTRA_SIZES:
            return None
        at += EXTRA_SIZES[dimension.data_type]
    return None


def raw_columns(raw: RawPoints, attributes: frozenset[str] = ATTRIBUTES) -> RawColumns:
    """Records as columns, copied; those of `ATTRIBUTES` that are not wanted stay zero."""
    columns = RawColumns.zeros(len(raw))
    for name, column in columns.by_field():
        if name in (raw.dtype.names or ()) and (name in attributes or name not in ATTRIBUTES):
            column[:] = raw[name]
    return columns


def as_records(columns: RawColumns, header: LasHeader) -> RawPoints:
    """Columns as records again, with the fields of `record_type` filled."""
    kind = record_type(header.point_format, header.record_length, confidence_at(header))
    raw: RawPoints = np.zeros(len(columns.x), dtype=kind)
    for name, column in columns.by_field():
        if name in (kind.names or ()):
            raw[name] = column
    return raw


def settled(
    raw: RawColumns,
    out: Columns,
    header: LasHeader,
    across: float = 1.0,
    up: float = 1.0,
    window: tuple[float, float, float, float] | None = None,
    attributes: frozenset[str] = ATTRIBUTES,
) -> Seen:
    """`settle` with what the header says.

    Args:
        raw: (n,) points.
        out: room for n points.
        header: scales, offsets and the point format.
        across: metres in one unit of x and y.
        up: metres in one unit of z.
        window: (min x, min y, max x, max y) in metres; points outside are left out.
        attributes: those of `ATTRIBUTES` that are filled.
    """
    return settle(
        raw,
        out,
        extended=header.point_format >= EXTENDED,
        scales=header.scales,
        offsets=header.offsets,
        units=(across, across, up),
        window=window,
        attributes=attributes,
    )


def decoded(raw: RawPoints, header: LasHeader, across: float = 1.0, up: float = 1.0) -> dict[str, NDArray[Any]]:
    """The columns of a `PointCloud` by name; withheld points are left out, lengths come in metres.

    Args:
        raw: (n,) records.
        header: scales, offsets and the point format.
        across: metres in one unit of x and y.
        up: metres in one unit of z.
    """
    out = Columns.empty(len(raw))
    seen = settled(raw_columns(raw), out, header, across, up)
    return out.part(0, seen.kept)._asdict()


def returns(raw: RawPoints, header: LasHeader) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return number and number of returns."""
    byte = raw["returns"]
    if header.point_format >= EXTENDED:
        return byte & np.uint8(0x0F), byte >> np.uint8(4)
    return byte & np.uint8(0x07), (byte >> np.uint8(3)) & np.uint8(0x07)


def is_withheld(raw: RawPoints, header: LasHeader) -> NDArray[np.bool_]:
    """Points the producer took out without deleting them."""
    flagged: NDArray[np.bool_]
    if header.point_format >= EXTENDED:
        flagged = (raw["flags"] & np.uint8(EXTENDED_WITHHELD)) != 0
    else:
        flagged = (raw["class"] & np.uint8(WITHHELD)) != 0
    return flagged


def count_by_return(raw: RawPoints, header: LasHeader) -> NDArray[np.int64]:
    """(16,) points by return number."""
    return np.bincount(returns(raw, header)[0], minlength=16).astype(np.int64)


def agrees_by_return(counted: NDArray[np.int64], header: LasHeader) -> bool:
    """Whether the header's points by return are those counted, or were never filled in."""
    claimed = header.count_by_return
    if sum(claimed) != header.point_count:
        return True
    return bool(np.array_equal(counted[1 : 1 + len(claimed)], claimed))


def check_sane(seen: Seen, header: LasHeader) -> None:
    """Refuse points that only damage explains.

    Raises:
        UnreadableFile: a point lies outside of the header's bounds, or its time is no time.
    """
    lows = (*header.bounds[:2], header.z_range[0])
    highs = (*header.bounds[2:], header.z_range[1])
    if seen.by_return.any() and any((*lows, *highs)):
        for index, axis in enumerate("xyz"):
            low = int(seen.lows[index]) * header.scales[index] + header.offsets[index]
            high = int(seen.highs[index]) * header.scales[index] + header.offsets[index]
            margin = _margin(header, index)
            if low < lows[index] - margin or high > highs[index] + margin:
                wrong = low if low < lows[index] - margin else high
                raise UnreadableFile(
                    header.path,
                    f"damaged: a point has {axis} = {wrong:.3f}, the header bounds it by {lows[index]:.3f} and "
                    f"{highs[index]:.3f}",
                )
    if seen.has_bad_time:
        raise UnreadableFile(header.path, "damaged: a point has a time that is no time")


def extent(raw: RawPoints, header: LasHeader, axis: int) -> tuple[float, float]:
    """Least and greatest coordinate on axis 0, 1 or 2, in the file's units."""
    steps = raw["xyz"[axis]]
    scale, offset = header.scales[axis], header.offsets[axis]
    return int(steps.min()) * scale + offset, int(steps.max()) * scale + offset


def _margin(header: LasHeader, axis: int) -> float:
    """How far a point may lie outside of the header's bounds, in the file's units.

    A scale or offset that is no round decimal is either computed, by writers whose bounds are exact, or damaged.
    """
    scale, offset = header.scales[axis], header.offsets[axis]
    is_round = all(float(f"{value:.9g}") == value for value in (scale, offset))
    return (STRAY if is_round else 0.0) + 2 * scale

"""Points into LAZ: LAS 1.4, point format 6, CRS as OGC WKT; the same points always make the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import laspy
import numpy as np
from laspy.vlrs.known import WktCoordinateSystemVlr
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.enums import WktVersion
from pyproj.exceptions import CRSError

from gis.errors import BadCrs, BadParameter
from gis.files import written_whole
from lidar.gps_time import day_of
from lidar.las.records import CONFIDENCE
from lidar.morphology import compiled, in_threads
from lidar.point_cloud import PointCloud

SCALE: Final = 0.001
"""Metres in one step of a stored coordinate."""
OFFSET_STEP: Final = 1_000.0
"""Offsets are whole kilometres, so that abutting tiles share the lattice their coordinates lie on."""
SCAN_STEP: Final = 0.006
"""Degrees in one step of the scan angle (LAS 1.4, table 15)."""
MOST_SCAN_STEPS: Final = 30_000
"""180° to either side (the same table)."""
GIVEN: Final = (
    *("x", "y", "z", "classification", "intensity", "return_number", "number_of_returns"),
    *("point_source_id", "gps_time", "scan_angle"),
)
"""Columns of points, in the order they are packed in."""
STORED: Final = (
    *("X", "Y", "Z", "classification", "intensity", "bit_fields"),
    *("point_source_id", "gps_time", "scan_angle"),
)
"""Fields of a record of the format that hold them; both return numbers share one."""
POINT_FORMAT: Final = 6
BATCH_POINTS: Final = 1_000_000
UNDATED: Final = date(2000, 1, 1)
"""Creation date of a file whose points carry no absolute time."""


def write_laz(
    points: PointCloud,
    path: Path | str,
    *,
    extra: Mapping[str, NDArray[Any]] | None = None,
    created: date | None = None,
) -> None:
    """Write a LAZ file (or LAS, by the name's ending); it appears whole or not at all.

    Coordinates are rounded to the millimetre. The creation date is `created`, or the day of the last point's
    adjusted standard GPS time, or 2000-01-01: never today's, so that the file depends on its points alone.

    Args:
        points: in metres.
        path: ending in .laz or .las.
        extra: further columns of length n by name (at most 32 bytes of UTF-8), kept as extra bytes; so is the
            points' confidence, where there is any.
        created: the creation date in the header.

    Raises:
        BadCrs: the CRS has no form in OGC WKT 1, which LAS 1.4 demands.
        BadParameter: a coordinate is not finite or does not fit, or an extra column cannot be stored.
    """
    final = Path(path)
    if final.suffix.lower() not in (".laz", ".las"):
        raise BadParameter("path", str(path), "a point file ends in .laz or .las")
    columns = columns_of(points, extra)
    header = header_of(points, columns, created)
    backend = laspy.LazBackend.LazrsParallel if final.suffix.lower() == ".laz" else None
    with (
        written_whole(final) as part,
        laspy.open(part, mode="w", header=header, do_compress=backend is not None, laz_backend=backend) as sink,
    ):
        for start in range(0, len(points), BATCH_POINTS):
            chosen = slice(start, start + BATCH_POINTS)
            sink.write_points(record_of(points.subset(chosen), header, {k: v[chosen] for k, v in columns.items()}))


def columns_of(points: PointCloud, extra: Mapping[str, NDArray[Any]] | None) -> dict[str, NDArray[Any]]:
    """The extra bytes of a file: those asked for, and the points' confidence, where there is any.

    Raises:
        BadParameter: a column cannot be stored.
    """
    confidence = {CONFIDENCE: points.confidence} if points.confidence.any() else {}
    return _checked({**(extra or {}), **confidence}, len(points))


def header_of(points: PointCloud, columns: Mapping[str, NDArray[Any]], created: date | None) -> laspy.LasHeader:
    """The header of a file that is to hold these points and extra columns; it counts none of them yet.

    Raises:
        BadCrs: the CRS has no form in OGC WKT 1.
        BadParameter: a coordinate is not finite or does not fit.
    """
    header = laspy.LasHeader(version="1.4", point_format=POINT_FORMAT)
    header.scales = np.full(3, SCALE)
    header.offsets = np.array([_offset(axis, getattr(points, axis)) for axis in "xyz"])
    header.generating_software = software()
    header.system_identifier = "diaba"
    header.creation_date = created or _day(points.gps_time)
    header.global_encoding.wkt = True
    header.global_encoding.gps_time_type = laspy.header.GpsTimeType.STANDARD
    header.vlrs.append(WktCoordinateSystemVlr(wkt1(points.crs)))
    if columns:
        header.add_extra_dims([laspy.ExtraBytesParams(name, column.dtype) for name, column in columns.items()])
    return header


def record_of(
    points: PointCloud, header: laspy.LasHeader, columns: Mapping[str, NDArray[Any]]
) -> laspy.ScaleAwarePointRecord:
    """The points as they stand in a file with this header."""
    record = laspy.ScaleAwarePointRecord.zeros(len(points), header=header)
    given = tuple(getattr(points, name) for name in GIVEN)
    stored = tuple(record.array[name] for name in STORED)
    in_threads(_pack, len(points), len(points) * 4, given, header.offsets, stored)
    for name, column in columns.items():
        record[name] = column
    return record


@compiled
def _pack(first: int, last: int, given: Any, offsets: Any, stored: Any) -> None:
    """Fill in `STORED` fields of records from the columns `GIVEN`, in one pass over both."""
    x, y, z, classification, intensity, return_number, number_of_returns, source, time, angle = given
    to_x, to_y, to_z, to_classification, to_intensity, to_returns, to_source, to_time, to_angle = stored
    for i in range(first, last):
        to_x[i] = np.rint((x[i] - offsets[0]) / SCALE)
        to_y[i] = np.rint((y[i] - offsets[1]) / SCALE)
        to_z[i] = np.rint((z[i] - offsets[2]) / SCALE)
        to_classification[i], to_intensity[i] = classification[i], intensity[i]
        to_returns[i] = min(return_number[i], 15) | min(number_of_returns[i], 15) << 4
        to_source[i], to_time[i] = source[i], time[i]
        steps = np.rint(angle[i] / np.float32(SCAN_STEP))
        to_angle[i] = min(max(steps, -MOST_SCAN_STEPS), MOST_SCAN_STEPS)


def wkt1(crs: CRS) -> str:
    """The CRS as OGC WKT 1, which LAS 1.4 demands, in GDAL's dialect, which GDAL, PDAL and PROJ all read.

    Raises:
        BadCrs: the CRS has no such form.
    """
    try:
        return str(crs.to_wkt(WktVersion.WKT1_GDAL))
    except CRSError as error:
        raise BadCrs(f"{crs.name} has no form in OGC WKT 1, so it cannot stand in a LAS file") from error


def _offset(axis: str, values: NDArray[np.float64]) -> float:
    """A whole kilometre from which every value fits into a signed 32-bit count of millimetres."""
    if len(values) == 0:
        return 0.0
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise BadParameter(axis, (low, high), "a coordinate is not a finite number")
    offset = float(np.floor(low / OFFSET_STEP) * OFFSET_STEP)
    if (high - offset) / SCALE > np.iinfo(np.int32).max:
        raise BadParameter(axis, (low, high), "the points spread over more than 2,000 km")
    return offset


def _checked(extra: Mapping[str, NDArray[Any]], count: int) -> dict[str, NDArray[Any]]:
    columns = {}
    for name, values in extra.items():
        column = np.asarray(values)
        if column.shape != (count,):
            raise BadParameter(name, column.shape, f"an extra column has one value a point, {count} of them")
        if column.dtype == np.bool_:
            column = column.astype(np.uint8)
        if column.dtype.kind not in "iuf" or column.dtype.itemsize > 8 or column.dtype == np.float16:
            raise BadParameter(name, str(column.dtype), "extra bytes hold integers, float32 or float64")
        if not 1 <= len(name.encode()) <= 32:
            raise BadParameter("extra", name, "a name has 1 to 32 bytes")
        columns[name] = column
    return columns


def _day(gps_time: NDArray[np.float64]) -> date:
    """The day of the last point, where its time names one."""
    return (day_of(float(gps_time.max())) if len(gps_time) else None) or UNDATED


def software() -> str:
    """What files say made them."""
    try:
        return f"diaba {version('diaba')}"
    except PackageNotFoundError:
        return "diaba 0"

"""Points into LAZ: LAS 1.4, point format 6, compound CRS as WKT, whole millimetres, the same bytes every time."""

from __future__ import annotations

import os
from math import floor
from pathlib import Path
from typing import Final

import laspy
import numpy as np
from laspy.vlrs.known import WktCoordinateSystemVlr

from gis.files import written_whole
from lidar.point_cloud import PointCloud
from lidar.scene.rows import FLIGHT_DAY

FLOWN: Final = FLIGHT_DAY
"""Day of the flight, and creation date of its files."""
SCALE_M: Final = 0.001
OFFSET_STEP_M: Final = 1000.0
SCAN_STEP_DEG: Final = 0.006
"""Unit of the scan angle (LAS 1.4, table 15)."""


def write_laz(points: PointCloud, path: Path) -> None:
    """Write a tile; it appears whole or not at all."""
    header = laspy.LasHeader(version="1.4", point_format=6)
    header.creation_date = FLOWN
    header.system_identifier = "simulated scanner"
    header.generating_software = "diaba scene"
    header.global_encoding.wkt = True
    header.global_encoding.gps_time_type = laspy.header.GpsTimeType.STANDARD
    header.vlrs.append(WktCoordinateSystemVlr(points.crs.to_wkt("WKT1_GDAL")))
    header.scales = np.full(3, SCALE_M)
    header.offsets = np.array([_offset(float(points.x.min())), _offset(float(points.y.min())), 0.0])
    record = laspy.ScaleAwarePointRecord.zeros(len(points), header=header)
    for name, values, offset in zip("XYZ", (points.x, points.y, points.z), header.offsets, strict=True):
        record[name] = np.round((values - offset) / SCALE_M).astype(np.int32)
    record["intensity"] = points.intensity
    record["return_number"] = points.return_number
    record["number_of_returns"] = points.number_of_returns
    record["classification"] = points.classification
    record["scan_angle"] = np.round(points.scan_angle / SCAN_STEP_DEG).astype(np.int16)
    record["point_source_id"] = points.point_source_id
    record["gps_time"] = points.gps_time
    with written_whole(path) as part, laspy.open(os.fspath(part), mode="w", header=header, do_compress=True) as sink:
        sink.write_points(record)


def _offset(least: float) -> float:
    """Whole kilometres, so that neighbouring tiles share one lattice."""
    return floor(least / OFFSET_STEP_M) * OFFSET_STEP_M

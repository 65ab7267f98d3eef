"""The scene's files: same bytes for the same seed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import geopandas as gpd
import laspy
import numpy as np
import orjson
import pandas as pd
import pyogrio
from laspy.vlrs.known import WktCoordinateSystemVlr
from numpy.typing import NDArray
from pyproj import CRS
from shapely.affinity import translate

from gis.crs import horizontal
from gis.files import written_whole
from lidar.scene.scanner import Returns

FIXED_TIME = "2025-03-08T00:00:00.000Z"
FLOWN = date(2025, 3, 8)
SCALE_M = 0.001


def write_json(document: Mapping[str, Any], path: Path) -> None:
    """A JSON document, whole."""
    with written_whole(path) as part:
        part.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY) + b"\n")


def write_layers(
    layers: Mapping[str, Sequence[Mapping[str, Any]]], path: Path, origin: tuple[float, float], crs: CRS
) -> None:
    """A GeoPackage; rows with `geom` in the scene frame become features, others rows of a table."""
    with _fixed_time(), written_whole(path) as part:
        for name, rows in layers.items():
            if not rows:
                continue
            frame = pd.DataFrame.from_records([{k: v for k, v in row.items() if k != "geom"} for row in rows])
            mode = {"append": part.exists()}
            if "geom" in rows[0]:
                shapes = [translate(row["geom"], *origin) for row in rows]
                frame = gpd.GeoDataFrame(frame, geometry=shapes, crs=horizontal(crs).to_wkt()).rename_geometry("geom")
                frame = frame.set_crs(9210, allow_override=True)
                pyogrio.write_dataframe(frame, part, layer=name, driver="GPKG", geometry_name="geom", **mode)
            else:
                pyogrio.write_dataframe(frame, part, layer=name, driver="GPKG", **mode)


@contextmanager
def _fixed_time() -> Iterator[None]:
    """GDAL stamps GeoPackages with the time of writing; here with the time of the flight."""
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": FIXED_TIME})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})


def write_points(
    returns: Returns, classes: NDArray[np.uint8], path: Path, origin: tuple[float, float], crs: CRS
) -> None:
    """A LAZ tile: LAS 1.4, point format 6, compound CRS as WKT, whole millimetres."""
    header = laspy.LasHeader(version="1.4", point_format=6)
    header.creation_date = FLOWN
    header.system_identifier = "simulated scanner"
    header.generating_software = "diaba scene"
    header.global_encoding.wkt = True
    header.global_encoding.gps_time_type = laspy.header.GpsTimeType.STANDARD
    header.vlrs.append(WktCoordinateSystemVlr(crs.to_wkt("WKT1_GDAL")))
    header.scales = np.array([SCALE_M] * 3)
    header.offsets = np.array([*origin, 0.0])
    record = laspy.ScaleAwarePointRecord.zeros(len(returns.time), header=header)
    record["X"] = np.round(returns.xyz[:, 0] / SCALE_M).astype(np.int32)
    record["Y"] = np.round(returns.xyz[:, 1] / SCALE_M).astype(np.int32)
    record["Z"] = np.round(returns.xyz[:, 2] / SCALE_M).astype(np.int32)
    record["intensity"] = returns.intensity
    record["return_number"] = returns.number
    record["number_of_returns"] = returns.of
    record["classification"] = classes
    record["scan_angle"] = np.round(returns.angle / 0.006).astype(np.int16)
    record["point_source_id"] = returns.strip
    record["gps_time"] = returns.time
    with written_whole(path) as part, laspy.open(os.fspath(part), mode="w", header=header, do_compress=True) as sink:
        sink.write_points(record)

"""The scene's tables and documents: same bytes for the same seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import geopandas as gpd
import orjson
import pandas as pd
import pyogrio
from pyproj import CRS
from shapely.affinity import translate

from gis.crs import horizontal
from gis.files import written_whole

FIXED_TIME = "2025-03-08T00:00:00.000Z"


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

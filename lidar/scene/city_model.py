"""The true buildings as CityJSONSeq 2.0, LoD 2.2, and as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson
from pyproj import CRS

from gis.crs import srid
from gis.files import written_whole
from lidar.scene.stock import Standing, parcel_uid

SCALE_M = 0.001


def building_rows(stock: list[Standing]) -> list[dict[str, Any]]:
    """Rows of `truth/buildings.gpkg`."""
    rows = []
    for standing in stock:
        heights = standing.heights
        rows.append(
            {
                "uid": standing.uid,
                "kind": standing.built.kind,
                "roof_type": standing.structure.roof,
                "floors": standing.built.floors,
                "ground_height": standing.structure.ground,
                "eave_height": round(standing.structure.eave, 3),
                "roof_height_min": round(heights.lowest, 3),
                "roof_height_50p": round(heights.median, 3),
                "roof_height_70p": round(heights.p70, 3),
                "roof_height_max": round(heights.highest, 3),
                "height": round(heights.p70 - standing.structure.ground, 3),
                "status": standing.built.status,
                "parcel_uid": parcel_uid(standing.plot),
                "geom": standing.footprint,
            }
        )
    return rows


def write_city_model(stock: list[Standing], path: Path, origin: tuple[float, float], crs: CRS) -> None:
    """One CityJSONFeature a line, after a line of metadata."""
    codes = [str(srid(part)) for part in crs.sub_crs_list] if crs.is_compound else [str(srid(crs))]
    head = {
        "type": "CityJSON",
        "version": "2.0",
        "transform": {"scale": [SCALE_M] * 3, "translate": [*origin, 0.0]},
        "metadata": {"referenceSystem": f"https://www.opengis.net/def/crs/EPSG/0/{codes[0]}"},
        "CityObjects": {},
        "vertices": [],
    }
    with written_whole(path) as part, part.open("wb") as sink:
        sink.write(orjson.dumps(head) + b"\n")
        for standing, row in zip(stock, building_rows(stock), strict=True):
            sink.write(orjson.dumps(_feature(standing, row)) + b"\n")


def _feature(standing: Standing, row: dict[str, Any]) -> dict[str, Any]:
    solid = standing.structure.solid
    surfaces = [{"type": kind} for kind in ("GroundSurface", "WallSurface", "RoofSurface")]
    index = {surface["type"]: k for k, surface in enumerate(surfaces)}
    geometry = {
        "type": "Solid",
        "lod": "2.2",
        "boundaries": [[[list(ring) for ring in face.rings] for face in solid.faces]],
        "semantics": {"surfaces": surfaces, "values": [[index[str(face.surface)] for face in solid.faces]]},
    }
    attributes = {k: v for k, v in row.items() if k not in ("uid", "geom")}
    return {
        "type": "CityJSONFeature",
        "id": standing.uid,
        "CityObjects": {standing.uid: {"type": "Building", "attributes": attributes, "geometry": [geometry]}},
        "vertices": np.round(solid.vertices / SCALE_M).astype(np.int64).tolist(),
    }

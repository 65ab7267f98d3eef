"""Buildings as a GeoPackage: their footprints with all attributes, and their roof surfaces as polygons in space."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import pyogrio

from gis.city_model.building import Building
from gis.city_model.cityjson import ATTRIBUTES, attributes_of
from gis.city_model.roof_surfaces import roof_surfaces
from gis.crs import CrsLike, horizontal, vertical_label
from gis.errors import UnreadableFile
from gis.files import written_whole

FOOTPRINTS, ROOFS = "footprints", "roof_surfaces"
"""Layers of the file."""


def write_geopackage(buildings: Iterable[Building], path: Path | str, crs: CrsLike) -> None:
    """Write both layers; the file appears whole or not at all.

    A GeoPackage's layers have a horizontal CRS: the vertical one stands in the layers' metadata and in each record's
    `vertical_datum`.

    Args:
        buildings: in the CRS. Each has a record in the layer `footprints`: a polygon, `uid`, the attributes by their
            names in CityJSON. Each roof face of its best model has one in `roof_surfaces`: a polygon Z, `uid` of the
            building, `lod`, `slope_deg` from the horizontal, `azimuth_deg` of the way down, clockwise from grid north
            (none where it is flat to 0.1°), `area_m2` in its plane.
        path: ends in .gpkg.
        crs: horizontal or compound.

    Raises:
        UnreadableFile: it cannot be written.
    """
    buildings = list(buildings)
    flat, datum = horizontal(crs).to_wkt(), vertical_label(crs)
    try:
        with written_whole(path) as part:
            for layer, columns, shapes, kind in (
                (FOOTPRINTS, _attribute_columns(buildings), [b.footprint for b in buildings], "Polygon"),
                (ROOFS, *roof_surfaces(buildings), "Polygon Z"),
            ):
                columns["vertical_datum"] = [datum] * len(shapes)
                pyogrio.write_dataframe(
                    gpd.GeoDataFrame(columns, geometry=shapes, crs=flat).rename_geometry("geom"),
                    part,
                    layer=layer,
                    driver="GPKG",
                    geometry_name="geom",
                    geometry_type=kind,
                    layer_metadata={"vertical_datum": datum},
                    append=part.exists(),
                )
    except OSError as error:
        raise UnreadableFile(path, f"cannot be written ({error.strerror or error})") from error


def _attribute_columns(buildings: Sequence[Building]) -> dict[str, list[Any]]:
    """By name, a value a building; None where one does not have it. Lists and mappings are written as text."""
    rows = [{"uid": building.uid, **attributes_of(building)} for building in buildings]
    names = dict.fromkeys(["uid", *ATTRIBUTES.values(), *(name for row in rows for name in row)])
    # The file has columns of its own by these names.
    return {
        f"{name}_" if name.lower() in ("fid", "geom") else name: [_plain(row.get(name)) for row in rows]
        for name in names
    }


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)

"""Contour lines and their labels as a GeoPackage."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pyogrio
from pyproj import CRS

from gis.crs import horizontal, vertical_label
from gis.errors import UnreadableFile
from gis.files import written_whole
from lidar.contour_labels import Labels
from lidar.contours import Contours

LINES, LABELS = "contours", "contour_labels"
"""Layers of the file."""


def write_contours(contours: Contours, labels: Labels, path: Path | str, crs: CRS) -> None:
    """Write both layers; the file appears whole or not at all.

    A GeoPackage's layers have a horizontal CRS: the vertical one stands in the layers' metadata and in each line's
    `vertical_datum`.

    Args:
        contours: go into the layer `contours`: height (m), is_index, length (m), vertical_datum.
        labels: go into the layer `contour_labels`: height (m), rotation (degrees clockwise from horizontal).
        path: ends in .gpkg.
        crs: of the heights, horizontal or compound.

    Raises:
        UnreadableFile: the path does not end in .gpkg, or cannot be written.
    """
    if Path(path).suffix.lower() != ".gpkg":
        raise UnreadableFile(path, "contours are written as GeoPackage: let the name end in .gpkg")
    flat, datum = horizontal(crs).to_wkt(), vertical_label(crs)
    lines = {
        "height": contours.heights,
        "is_index": contours.is_index,
        "length": contours.lengths,
        "vertical_datum": [datum] * len(contours),
    }
    notes = {
        "vertical_datum": datum,
        "interval_m": f"{contours.interval:g}",
        "resolution_m": f"{contours.grid.resolution:g}",
    }
    texts = {"height": labels.heights, "rotation": labels.rotations}
    try:
        with written_whole(path) as part:
            for layer, columns, shapes, kind in (
                (LINES, lines, contours.lines, "LineString"),
                (LABELS, texts, labels.points, "Point"),
            ):
                pyogrio.write_dataframe(
                    gpd.GeoDataFrame(columns, geometry=list(shapes), crs=flat).rename_geometry("geom"),
                    part,
                    layer=layer,
                    driver="GPKG",
                    geometry_name="geom",
                    geometry_type=kind,
                    layer_metadata=notes,
                    append=part.exists(),
                )
    except OSError as error:
        raise UnreadableFile(path, f"cannot be written ({error.strerror or error})") from error

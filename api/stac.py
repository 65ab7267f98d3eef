"""The LIDAR catalogue as STAC 1.1: its collections, and each file as an item with one asset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import numpy as np
import shapely
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from api.answers import GEOJSON, JSON
from api.dependencies import Service
from api.open_rasters import OpenRasters
from gis.bounds import BoundingBox
from gis.crs import WGS84, horizontal, name_of, normalise, transformer, vertical_label
from gis.errors import DiabaError
from gis.grid import Grid
from gis.store.holdings import RASTERS, Covered, Holding
from lidar.las.header import is_url, read_header

VERSION = "1.1.0"
PROJECTION = "https://stac-extensions.github.io/projection/v2.0.0/schema.json"
RASTER = "https://stac-extensions.github.io/raster/v2.0.0/schema.json"
FILE = "https://stac-extensions.github.io/file/v2.1.0/schema.json"
POINT_CLOUD = "https://stac-extensions.github.io/pointcloud/v1.0.0/schema.json"
COG = "image/tiff; application=geotiff; profile=cloud-optimized"
COPC, LAZ, LAS = "application/vnd.laszip+copc", "application/vnd.laszip", "application/vnd.las"
MEDIA_TYPES = (COG, COPC, LAZ, LAS)
"""Of the catalogue's files."""
CATALOGUE = "Danh mục LIDAR · LIDAR catalogue"
SHA256_MULTIHASH = "1220"
"""Says of a digest that it is SHA-256, of 32 bytes."""
UNKNOWN_DAY = "1970-01-01T00:00:00Z"
LICENSE = "other"
"""In STAC's words: no licence of its list; the city says under which terms its data may be used."""

TITLES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "dtm": ("Mô hình địa hình · Terrain", "Height of the ground with its standard deviation, as COG"),
        "dsm": ("Mô hình bề mặt · Surface", "Height of the highest surface, roofs and trees included, as COG"),
        "ndsm": ("Chiều cao trên mặt đất · Height above ground", "Surface less terrain, as COG"),
        "points": ("Đám mây điểm đã phân loại · Classified points", "Points with their classes, tile by tile, as COPC"),
        "survey": ("Tệp bay quét gốc · Survey files", "Points as the survey delivered them"),
    }
)


@dataclass(frozen=True, slots=True)
class PointFacts:
    """What the header of a file of points says."""

    dimensions: tuple[tuple[str, int, str], ...]
    """Name, bytes and kind (signed, unsigned, floating) of each."""
    is_copc: bool


def collection(name: str, held: Covered, city: CRS, base: str) -> dict[str, Any]:
    """A collection's document. One that holds nothing covers the whole world, since it must cover something."""
    title, description = TITLES[name]
    here = f"{base}/stac/collections/{name}"
    bbox = [-180.0, -90.0, 180.0, 90.0] if held.extent is None else _bbox(_degrees(held.extent, city))
    return {
        "type": "Collection",
        "stac_version": VERSION,
        "stac_extensions": [],
        "id": name,
        "title": title,
        "description": f"{description}. Heights above: {_datum(name, city)}. CRS: {name_of(city)}",
        "keywords": ["LIDAR", name, *held.epochs[:50]],
        "license": LICENSE,
        "extent": {
            "spatial": {"bbox": [bbox]},
            "temporal": {"interval": [[_time(held.first), _time(held.last)]]},
        },
        "summaries": {"diaba:epoch": list(held.epochs[:1000])} if held.epochs else {},
        "links": [
            _link("self", here, JSON, title),
            _link("root", f"{base}/stac", JSON, CATALOGUE),
            _link("parent", f"{base}/stac", JSON, CATALOGUE),
            _link("items", f"{here}/items", GEOJSON, title),
        ],
    }


def item(holding: Holding, service: Service, base: str) -> dict[str, Any]:
    """A file's document."""
    city = service.city.crs
    outline = _degrees(holding.extent, city)
    place = file_of(service.city.folder, holding)
    here = f"{base}/stac/collections/{holding.collection}/items/{quote(holding.key, safe='')}"
    up = f"{base}/stac/collections/{holding.collection}"
    crs = city if holding.crs is None else normalise(holding.crs)
    extensions = [PROJECTION, FILE]
    properties: dict[str, Any] = {
        "datetime": _time(holding.first),
        "start_datetime": _time(holding.first),
        "end_datetime": _time(holding.last),
        "diaba:epoch": holding.epoch,
        "diaba:vertical_datum": _datum(holding.collection, crs),
        **_projection(crs),
    }
    if holding.first is None or holding.last is None:
        # Neither flown nor made on a known day, and STAC wants one.
        properties |= {"datetime": UNKNOWN_DAY}
        del properties["start_datetime"], properties["end_datetime"]
    if holding.added is not None:
        properties["created"] = _time(holding.added)
    asset: dict[str, Any] = {
        "href": place if isinstance(place, str) else f"{base}/files/{holding.collection}/{_file_name(holding)}",
        "type": media_type_of(holding),
        "title": TITLES[holding.collection][0],
        "roles": ["data"],
        "file:checksum": SHA256_MULTIHASH + holding.sha256,
    }
    if not isinstance(place, str) and place.is_file():
        asset["file:size"] = place.stat().st_size
    if holding.collection in RASTERS and holding.resolution:
        properties |= _grid(holding, city)
        if bands := _bands(service.rasters, place, holding):
            extensions.append(RASTER)
            asset["bands"] = bands
    elif (facts := _point_facts(place)) is not None:
        extensions.append(POINT_CLOUD)
        properties |= _points(holding, facts)
    return {
        "type": "Feature",
        "stac_version": VERSION,
        "stac_extensions": extensions,
        "id": holding.key,
        "collection": holding.collection,
        "geometry": shapely.geometry.mapping(outline),
        "bbox": _bbox(outline),
        "properties": properties,
        "assets": {"data": asset},
        "links": [
            _link("self", here, GEOJSON, holding.key),
            _link("root", f"{base}/stac", JSON, CATALOGUE),
            _link("parent", up, JSON, TITLES[holding.collection][0]),
            _link("collection", up, JSON, TITLES[holding.collection][0]),
        ],
    }


def file_of(folder: Path, holding: Holding) -> Path | str:
    """Where a file is: on this machine, or the address on another."""
    return holding.path if is_url(holding.path) else folder / holding.path


def media_type_of(holding: Holding) -> str:
    """What kind of file it is, by its name."""
    ending = _ending(holding)
    return {".tif": COG, ".copc.laz": COPC, ".las": LAS}.get(ending, LAZ)


def _file_name(holding: Holding) -> str:
    return quote(holding.key, safe="") + _ending(holding)


def _ending(holding: Holding) -> str:
    name = holding.path.lower()
    if holding.collection in RASTERS:
        return ".tif"
    return next((ending for ending in (".copc.laz", ".las") if name.endswith(ending)), ".laz")


def _degrees(extent: BaseGeometry, city: CRS) -> BaseGeometry:
    """Longitude and latitude, counter-clockwise, to the centimetre."""
    change = transformer(city, WGS84)
    moved = shapely.transform(extent, lambda xy: np.round(np.column_stack(change.transform(xy[:, 0], xy[:, 1])), 7))
    return shapely.orient_polygons(moved)


def _bbox(outline: BaseGeometry) -> list[float]:
    return [float(value) for value in outline.bounds]


def _datum(name: str, crs: CRS) -> str:
    return "the ground" if name == "ndsm" else vertical_label(crs)


def _projection(crs: CRS) -> dict[str, Any]:
    flat = horizontal(crs)
    code = flat.to_epsg()
    return {"proj:code": f"EPSG:{code}"} if code is not None else {"proj:code": None, "proj:wkt2": flat.to_wkt()}


def _grid(holding: Holding, city: CRS) -> dict[str, Any]:
    """The raster's shape and place, as `diaba lidar build` makes it: the aligned cells that cover its extent."""
    bounds = _box(holding.extent, city)
    grid = Grid.covering(bounds, float(holding.resolution or 1.0))
    return {
        "proj:bbox": list(grid.bounds.tuple),
        "proj:shape": list(grid.shape),
        "proj:transform": list(grid.transform)[:6],
    }


def _box(extent: BaseGeometry, city: CRS) -> BoundingBox:
    west, south, east, north = (float(value) for value in extent.bounds)
    return BoundingBox(west, south, east, north, horizontal(city))


def _bands(rasters: OpenRasters, place: Path | str, holding: Holding) -> list[dict[str, Any]]:
    """The bands of a raster that is there; none of one that is not."""
    if isinstance(place, str) or (facts := rasters.facts(place)) is None:
        return []
    return [
        {
            "name": name,
            "data_type": facts.data_type,
            "raster:sampling": "area",
            "raster:spatial_resolution": holding.resolution,
            **({} if facts.nodata is None else {"nodata": facts.nodata}),
            **({} if name == "water" else {"unit": "m"}),
        }
        for name in facts.bands
    ]


def _points(holding: Holding, facts: PointFacts) -> dict[str, Any]:
    return {
        "pc:count": holding.point_count,
        "pc:type": "lidar",
        "pc:encoding": "COPC" if facts.is_copc else "LASzip",
        "pc:schemas": [{"name": name, "size": size, "type": kind} for name, size, kind in facts.dimensions],
        **({} if holding.density is None else {"pc:density": holding.density}),
        **({} if not holding.classes else {"diaba:classes": dict(holding.classes)}),
    }


def _point_facts(place: Path | str) -> PointFacts | None:
    """What the header says; None of a file that is elsewhere, missing or damaged."""
    if isinstance(place, str):
        return None
    try:
        state = place.stat()
        return _read_point_facts(place, state.st_mtime_ns)
    except (OSError, DiabaError):
        return None


@lru_cache(maxsize=20_000)
def _read_point_facts(place: Path, modified: int) -> PointFacts:
    import laspy

    header = read_header(place)
    kinds = {"i": "signed", "u": "unsigned", "f": "floating"}
    dimensions = laspy.PointFormat(header.point_format).dimensions
    told = [(one.name, max(one.num_bits // 8, 1), kinds.get(_kind(one), "unsigned")) for one in dimensions]
    return PointFacts(tuple(told), header.is_copc)


def _kind(dimension: Any) -> str:
    return "u" if dimension.dtype is None else str(np.dtype(dimension.dtype).kind)


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _link(rel: str, href: str, media_type: str, title: str) -> dict[str, str]:
    return {"rel": rel, "href": href, "type": media_type, "title": title}

"""The CRS a LAS file names: OGC WKT or GeoTIFF keys; what it may be where it names none; and its twin in metres."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Final

import rasterio
from pyproj import CRS
from pyproj.exceptions import CRSError
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile

from gis.crs import horizontal, normalise, vertical
from gis.errors import BadCrs

METRE: Final = "metre"
SHORT, LONG, DOUBLE, ASCII = 3, 4, 12, 2
"""Field types of TIFF 6.0."""


@dataclass(frozen=True, slots=True)
class ProjectionRecords:
    """The data of the LASF_Projection records; empty where there is none."""

    wkt: bytes = b""
    """Record 2112."""
    directory: bytes = b""
    """Record 34735, GeoKeyDirectoryTag."""
    doubles: bytes = b""
    """Record 34736, GeoDoubleParamsTag."""
    ascii: bytes = b""
    """Record 34737, GeoAsciiParamsTag."""


def crs_of_records(records: ProjectionRecords, *, prefer_wkt: bool = True) -> CRS | None:
    """The CRS, compound where a vertical one is named; None where the records say nothing.

    Raises:
        BadCrs: they say something that PROJ does not understand.
    """
    readers = [_from_wkt, _from_geokeys] if prefer_wkt else [_from_geokeys, _from_wkt]
    problem: BadCrs | None = None
    for reader in readers:
        try:
            if (crs := reader(records)) is not None:
                return canonical(crs)
        except BadCrs as error:
            problem = problem or error
    if problem is not None:
        raise problem
    return None


def canonical(crs: CRS) -> CRS:
    """The EPSG registry's own definition of each part that is one, so that equal systems compare equal."""
    if crs.is_compound and len(crs.sub_crs_list) == 2:
        flat, height = (canonical(part) for part in crs.sub_crs_list)
        codes = flat.to_epsg(), height.to_epsg()
        return normalise(f"EPSG:{codes[0]}+{codes[1]}") if all(codes) else crs
    flat = crs.source_crs if crs.is_bound and crs.source_crs is not None else crs
    code = flat.to_epsg(min_confidence=70)
    if code is None:
        return flat
    registered = CRS.from_epsg(code)
    return registered if registered.equals(flat, ignore_axis_order=True) or flat.to_epsg(100) == code else flat


def _from_wkt(records: ProjectionRecords) -> CRS | None:
    text = records.wkt.split(b"\0", 1)[0].decode("utf-8", "replace").strip()
    if not text:
        return None
    try:
        return CRS.from_wkt(text)
    except CRSError as error:
        raise BadCrs(f"the CRS in the header is no valid WKT: {text[:60]!r}") from error


def _from_geokeys(records: ProjectionRecords) -> CRS | None:
    """GeoTIFF keys, read by GDAL out of a TIFF of one cell that carries them."""
    if len(records.directory) < 16:
        return None
    options = {"GTIFF_REPORT_COMPD_CS": "YES", "CPL_LOG": "/dev/null"}
    try:
        with rasterio.Env(**options), MemoryFile(_tiff_of_one_cell(records)) as file, file.open() as tiff:
            wkt = tiff.crs.to_wkt() if tiff.crs else ""
        crs = CRS.from_wkt(wkt) if wkt else None
    except (RasterioError, CRSError, ValueError) as error:
        raise BadCrs("the GeoTIFF keys in the header make no CRS that is known") from error
    if crs is None or crs.is_engineering:
        raise BadCrs("the GeoTIFF keys in the header make no CRS that is known")
    return crs


def _tiff_of_one_cell(records: ProjectionRecords) -> bytes:
    """A grey TIFF of 1 × 1 cell with the three GeoTIFF tags (TIFF 6.0, section 2; GeoTIFF 1.1, section 7)."""
    doubles = records.doubles[: len(records.doubles) // 8 * 8]
    directory = records.directory[: len(records.directory) // 8 * 8]
    fields: list[tuple[int, int, int, bytes]] = [
        (256, SHORT, 1, struct.pack("<H", 1)),
        (257, SHORT, 1, struct.pack("<H", 1)),
        (258, SHORT, 1, struct.pack("<H", 8)),
        (259, SHORT, 1, struct.pack("<H", 1)),
        (262, SHORT, 1, struct.pack("<H", 1)),
        (273, LONG, 1, struct.pack("<I", 8)),
        (277, SHORT, 1, struct.pack("<H", 1)),
        (278, SHORT, 1, struct.pack("<H", 1)),
        (279, LONG, 1, struct.pack("<I", 1)),
        (33550, DOUBLE, 3, struct.pack("<3d", 1, 1, 0)),
        (33922, DOUBLE, 6, struct.pack("<6d", 0, 0, 0, 0, 0, 0)),
        (34735, SHORT, len(directory) // 2, directory),
    ]
    if doubles:
        fields.append((34736, DOUBLE, len(doubles) // 8, doubles))
    if text := records.ascii.rstrip(b"\0"):
        fields.append((34737, ASCII, len(text) + 1, text + b"\0"))
    heap = bytearray(b"\0" * 8)
    entries = bytearray(struct.pack("<H", len(fields)))
    start = 8 + len(heap)
    for tag, kind, count, data in fields:
        value = data
        if len(data) > 4:
            value = struct.pack("<I", start + len(heap) - 8)
            heap += data + b"\0" * (-len(data) % 8)
        entries += struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0")
    first = 8 + len(heap)
    return struct.pack("<2sHI", b"II", 42, first) + bytes(heap) + bytes(entries) + b"\0\0\0\0"


def in_metres(crs: CRS) -> tuple[CRS, float, float]:
    """The same system with metres on every axis, and the metres in one unit of its x, y and of its z.

    Heights without a vertical CRS of their own are taken to be in the horizontal unit, as producers in feet have it.

    Raises:
        BadCrs: the horizontal part is not projected.
    """
    flat, height = horizontal(crs), vertical(crs)
    if not flat.is_projected:
        raise BadCrs(
            f"{flat.name} has coordinates in degrees (or geocentric), not lengths; reproject first, for example with "
            "a PDAL pipeline of readers.las, filters.reprojection and writers.las"
        )
    across = float(flat.axis_info[0].unit_conversion_factor)
    up = float(height.axis_info[0].unit_conversion_factor) if height is not None else across
    if across == 1.0 and up == 1.0:
        return crs, 1.0, 1.0
    metric = _metric(flat) if across != 1.0 else flat
    if height is None:
        return metric, across, up
    metric_height = _metric(height) if up != 1.0 else height
    compound = CRS.from_json_dict(
        {
            "type": "CompoundCRS",
            "name": f"{metric.name} + {metric_height.name}",
            "components": [metric.to_json_dict(), metric_height.to_json_dict()],
        }
    )
    return compound, across, up


def _metric(crs: CRS) -> CRS:
    """The CRS with its axes in metres; datum, projection and its parameters (each in a unit of its own) stay."""
    document: dict[str, Any] = crs.to_json_dict()
    for axis in document["coordinate_system"]["axis"]:
        axis["unit"] = METRE
    document["name"] = f"{document['name']} (in metres)"
    for key in ("id", "ids"):
        document.pop(key, None)
    return CRS.from_json_dict(document)


def same(first: CRS, second: CRS) -> bool:
    """Whether two systems are one, however they are written down."""
    first, second = canonical(first), canonical(second)
    return bool(first == second or first.equals(second, ignore_axis_order=True))


def guess_crs(bounds: tuple[float, float, float, float]) -> list[tuple[str, str]]:
    """Systems whose area the coordinates (min x, min y, max x, max y) fall into, as (name for --crs, why).

    A guess to show to a person, never one to act on.
    """
    west, south, east, north = bounds
    inside = [
        (code, why)
        for code, why, (low_x, low_y, high_x, high_y) in _PLAUSIBLE
        if low_x <= west and east <= high_x and low_y <= south and north <= high_y
    ]
    if abs(west) <= 180 and abs(east) <= 180 and abs(south) <= 90 and abs(north) <= 90 and (west, east) != (0, 0):
        inside.insert(0, ("EPSG:4326", "degrees; to be reprojected first"))
    return inside


def hint_for(bounds: tuple[float, float, float, float]) -> str:
    """`guess_crs` in a sentence; empty where nothing fits."""
    candidates = guess_crs(bounds)
    if not candidates:
        return ""
    return f"Its coordinates would fit {', '.join(f'{code} ({why})' for code, why in candidates)}"


_PLAUSIBLE: Final = (
    ("EPSG:9210+5727", "VN-2000 / TM-3 105-45, Ho Chi Minh City", (400_000, 1_000_000, 700_000, 1_350_000)),
    ("EPSG:5899+5727", "VN-2000 / TM-3 107-45, Binh Duong and Vung Tau", (400_000, 1_000_000, 700_000, 1_350_000)),
    ("EPSG:7415", "Dutch RD New with NAP heights", (0, 300_000, 300_000, 630_000)),
    ("EPSG:2154+5720", "RGF93 / Lambert-93, France", (90_000, 6_000_000, 1_260_000, 7_200_000)),
)

"""The CRS a LAS file names: OGC WKT or GeoTIFF keys; what it may be where it names none; and its twin in metres."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import rasterio
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile

from gis.crs import horizontal, normalise, vertical
from gis.errors import BadCrs

METRE: Final = "metre"
EARTH_RADIUS: Final = (6_330_000.0, 6_400_000.0)
"""Metres; the ground's distance from the Earth's centre lies within."""
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
    """The EPSG registry's own definition of each part that is one, so that equal systems compare equal.

    Raises:
        BadCrs: a part carries the number of another system than its parameters make.
    """
    if crs.is_compound and len(crs.sub_crs_list) == 2:
        flat, height = (canonical(part) for part in crs.sub_crs_list)
        codes = flat.to_epsg(), height.to_epsg()
        return normalise(f"EPSG:{codes[0]}+{codes[1]}") if all(codes) else crs
    flat = crs.source_crs if crs.is_bound and crs.source_crs is not None else crs
    claimed = flat.to_json_dict().get("id", {})
    if claimed.get("authority") == "EPSG":
        return _confirmed(flat, int(claimed["code"]))
    code = flat.to_epsg(min_confidence=70)
    registered = CRS.from_epsg(code) if code is not None else None
    return registered if registered is not None and registered.equals(flat, ignore_axis_order=True) else flat


def _confirmed(crs: CRS, code: int) -> CRS:
    """What EPSG has under the number a definition carries, if the definition does the same."""
    try:
        registered = CRS.from_epsg(code)
    except CRSError as error:
        raise BadCrs(f"the CRS in the header, {_plain(crs.name)!r}, has a number EPSG does not know: {code}") from error
    if registered.equals(crs, ignore_axis_order=True) or _does_the_same(crs, registered):
        return registered
    raise BadCrs(f"the CRS in the header says it is EPSG:{code}, {registered.name}, but its parameters are others")


def _does_the_same(crs: CRS, registered: CRS) -> bool:
    """Whether two definitions of whatever wording give the same coordinates, to a millimetre."""
    units = [[axis.unit_conversion_factor for axis in one.axis_info] for one in (crs, registered)]
    if len(units[0]) != len(units[1]) or not np.allclose(units[0], units[1], rtol=1e-12):
        return False
    if crs.is_vertical and registered.is_vertical:
        return True
    ours, theirs = crs.ellipsoid, registered.ellipsoid
    if ours is None or theirs is None or not np.isclose(ours.semi_major_metre, theirs.semi_major_metre, rtol=1e-12):
        return False
    if not np.isclose(ours.inverse_flattening, theirs.inverse_flattening, rtol=1e-9):
        return False
    if crs.is_geographic and registered.is_geographic:
        return True
    area = registered.area_of_use
    if not (crs.is_projected and registered.is_projected) or area is None:
        return False
    longitude, latitude = (
        grid.ravel()
        for grid in np.meshgrid(np.linspace(area.west, area.east, 5), np.linspace(area.south, area.north, 5))
    )
    places = [
        np.array(Transformer.from_crs(one.geodetic_crs, one, always_xy=True).transform(longitude, latitude))
        for one in (crs, registered)
    ]
    return bool(np.allclose(places[0], places[1], rtol=0.0, atol=0.001))


def _from_wkt(records: ProjectionRecords) -> CRS | None:
    text = records.wkt.split(b"\0", 1)[0].decode("utf-8", "replace").strip()
    if not text:
        return None
    try:
        return CRS.from_wkt(text)
    except CRSError as error:
        raise BadCrs(f"the CRS in the header is no valid WKT: {_plain(text)[:60]!r}") from error


def _plain(text: str) -> str:
    """Text for one line of a message."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


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
    document.pop("id", None)
    metric = CRS.from_json_dict(document)
    code = metric.to_epsg(min_confidence=70) if metric.is_projected else None
    registered = CRS.from_epsg(code) if code is not None else metric
    return registered if _does_the_same(metric, registered) else metric


def same(first: CRS, second: CRS) -> bool:
    """Whether two systems are one, however they are written down."""
    first, second = canonical(first), canonical(second)
    return bool(first == second or first.equals(second, ignore_axis_order=True))


def contradiction(crs: CRS, bounds: tuple[float, float, float, float], z_range: tuple[float, float]) -> str:
    """Why coordinates cannot be in the CRS their file names; empty where they can. For geocentric systems alone."""
    if not crs.is_geocentric:
        return ""
    corners = [(x, y, z) for x in bounds[0::2] for y in bounds[1::2] for z in z_range]
    radius = float(np.median(np.linalg.norm(corners, axis=1)))
    if EARTH_RADIUS[0] <= radius <= EARTH_RADIUS[1]:
        return ""
    return (
        f"its header says geocentric coordinates, but its points would lie {radius / 1000:,.0f} km from the Earth's "
        "centre; they are in some projected CRS"
    )


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
    ("EPSG:9210+5727", "VN-2000 / TM-3 105-45, Ho Chi Minh City", (400_000, 850_000, 700_000, 1_350_000)),
    ("EPSG:5899+5727", "VN-2000 / TM-3 107-45", (400_000, 850_000, 700_000, 1_350_000)),
    ("EPSG:3405+5727", "VN-2000 / UTM 48N", (150_000, 900_000, 850_000, 2_600_000)),
    ("EPSG:7415", "Dutch RD New, NAP heights", (0, 300_000, 300_000, 630_000)),
    ("EPSG:2154+5720", "Lambert-93, France", (90_000, 6_000_000, 1_260_000, 7_200_000)),
    ("EPSG:25832", "ETRS89 / UTM 32N, Germany, Denmark, Norway", (150_000, 5_200_000, 850_000, 7_300_000)),
    ("EPSG:5972", "ETRS89 / UTM 32N, NN2000 heights, Norway", (150_000, 6_400_000, 850_000, 7_300_000)),
    ("EPSG:5973", "ETRS89 / UTM 33N, NN2000 heights, Norway", (-100_000, 6_400_000, 1_150_000, 7_960_000)),
    ("EPSG:2056+5728", "CH1903+ / LV95, Switzerland", (2_480_000, 1_070_000, 2_840_000, 1_300_000)),
    ("EPSG:7405", "British National Grid, ODN heights", (0, 0, 700_000, 1_300_000)),
)
"""Name for --crs, what it is, and (min x, min y, max x, max y) within which its coordinates lie."""

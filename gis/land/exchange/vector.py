"""Shapefile, GeoPackage and GeoJSON through OGR."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyogrio
import pyogrio.errors
import pyogrio.raw
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from gis import crs as reference
from gis.errors import BadCrs, BadInput, UnreadableFile
from gis.land.exchange.problems import Kind, Problem
from gis.land.exchange.record import (
    DAYS,
    FIELDS,
    NUMBERS,
    SHORT_NAMES,
    Incoming,
    ParcelRecord,
    Reading,
    columns_of,
    missing_columns,
    record_of,
)
from gis.land.exchange.vietnamese_text import checked_name, decode, question

DRIVERS: Mapping[str, str] = MappingProxyType({".shp": "ESRI Shapefile", ".gpkg": "GPKG", ".geojson": "GeoJSON"})
LAYER = "parcels"
DBF_TEXT_MOST = 254
"""Bytes of a text in dBASE."""
_MAGIC = {".shp": (b"\x00\x00\x27\x0a",), ".gpkg": (b"SQLite format 3\x00",), ".geojson": (b"{",)}


def read(path: Path, reading: Reading) -> Incoming:
    """The parcels of a file.

    Raises:
        UnreadableFile: it is no such file, or is damaged, or a layer or column the caller named is not in it.
    """
    kind = path.suffix.lower()
    check_kind(path, _MAGIC[kind])
    if kind == ".shp":
        _check_shapefile(path)
    layer = _layer(path, reading)
    meta, shapes, columns = _raw(path, layer, "ISO-8859-1" if kind == ".shp" else None)
    names = [str(name) for name in meta["fields"]]
    chosen = columns_of(names, reading)
    if missing := missing_columns(chosen, reading):
        raise UnreadableFile(path, f"it has no column {missing[0]!r}; there are {', '.join(names[:30])}")
    values = {attribute: _values(columns[names.index(name)]) for attribute, name in chosen.items()}
    if kind == ".shp":
        values = _decoded(path, values, reading)
    records: list[ParcelRecord] = []
    problems: list[Problem] = []
    outlines, broken = _outlines(shapes)
    for place, shape in enumerate(outlines):
        source = f"{path.name}, record {place + 1}"
        row = {attribute: column[place] for attribute, column in values.items()}
        record, wrong = record_of(source, shape, row, reading)
        records.append(record)
        problems += wrong
        if place in broken:
            problems.append(Problem(Kind.INVALID_RING, record.name, {"why": broken[place]}))
    return Incoming(path, reading.crs or _crs(path, meta["crs"]), tuple(records), frozenset(chosen), tuple(problems))


def write(path: Path, parcels: Iterable[ParcelRecord], crs: CRS) -> None:
    """Write parcels whose shapes are polygons in this CRS, one layer `parcels`.

    Raises:
        BadInput: an attribute does not fit into the format; the parcel is named.
    """
    kind = path.suffix.lower()
    listed = list(parcels)
    names = [SHORT_NAMES.get(name, name) if kind == ".shp" else name for name in FIELDS]
    if kind == ".shp":
        _check_widths(path, listed)
    columns = [_column([getattr(parcel, name) for parcel in listed], name) for name in FIELDS]
    flat = reference.horizontal(crs)
    options: dict[str, Any] = {"encoding": "UTF-8"} if kind != ".gpkg" else {}
    if kind == ".geojson":
        options = {"RFC7946": "NO", "COORDINATE_PRECISION": 15, "SIGNIFICANT_FIGURES": 17, "WRITE_NAME": "NO"}
    shapes = shapely.to_wkb(np.array([parcel.shape for parcel in listed], dtype=object))
    pyogrio.raw.write(
        path,
        shapes,
        [values for values, _ in columns],
        names,
        field_mask=[mask for _, mask in columns],
        layer=None if kind == ".shp" else LAYER,
        driver=DRIVERS[kind],
        geometry_type="Polygon",
        crs=reference.name_of(flat),
        **options,
    )


def check_kind(path: Path, beginnings: Sequence[bytes]) -> None:
    """Refuse a file that does not begin as its name says: OGR would look what else it may be.

    Raises:
        UnreadableFile: it is missing, empty, or of another kind.
    """
    try:
        with path.open("rb") as file:
            start = file.read(400).removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")
    except OSError as error:
        raise UnreadableFile(path, "there is no such file" if not path.exists() else str(error.strerror)) from error
    if not start.startswith(tuple(beginnings)):
        raise UnreadableFile(path, f"it is no {path.suffix.lower().lstrip('.')} file, or is damaged at its beginning")


def _check_shapefile(path: Path) -> None:
    """A Shapefile is three files, and says how long it is."""
    lowered = {other.name.lower(): other for other in path.parent.iterdir()}
    for ending, holds in ((".dbf", "numbers and addresses"), (".shx", "its index")):
        if path.with_suffix(ending).name.lower() not in lowered:
            raise UnreadableFile(path, f"{path.with_suffix(ending).name}, which holds {holds}, is missing")
    size = path.stat().st_size
    with path.open("rb") as file:
        header = file.read(28)
    told = 2 * struct.unpack(">i", header[24:28])[0] if len(header) == 28 else 0
    if told != size:
        raise UnreadableFile(path, f"it is truncated or damaged: its header says {told} bytes, there are {size}")
    table = lowered[path.with_suffix(".dbf").name.lower()]
    size = table.stat().st_size
    with table.open("rb") as file:
        header = file.read(32)
    count, start, width = struct.unpack("<IHH", header[4:12]) if len(header) == 32 else (0, 0, 0)
    if not start or size < start + count * width:
        raise UnreadableFile(path, f"{table.name} is truncated or damaged: {size} bytes are not {count} records")


def _layer(path: Path, reading: Reading) -> str | None:
    try:
        layers = [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise UnreadableFile(path, f"it cannot be read ({_why(error)})") from error
    if reading.layer is not None:
        if reading.layer not in layers:
            raise UnreadableFile(path, f"it has no layer {reading.layer!r}; there are {', '.join(layers[:20])}")
        return reading.layer
    if not layers:
        raise UnreadableFile(path, "it has no layer with geometry")
    if len(layers) > 1 and LAYER not in layers:
        raise UnreadableFile(path, f"it has several layers, say which with --layer: {', '.join(layers[:20])}")
    return LAYER if LAYER in layers else layers[0]


def _raw(
    path: Path, layer: str | None, encoding: str | None
) -> tuple[dict[str, Any], NDArray[np.object_], list[NDArray[Any]]]:
    try:
        with warnings.catch_warnings():
            # What OGR mends by itself is checked below as it is then.
            warnings.simplefilter("ignore", RuntimeWarning)
            meta, _, shapes, columns = pyogrio.raw.read(path, layer=layer, encoding=encoding, force_2d=True)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, pyogrio.errors.FeatureError) as error:
        raise UnreadableFile(path, f"it cannot be read ({_why(error)})") from error
    except (ValueError, RuntimeError, UnicodeDecodeError) as error:
        raise UnreadableFile(path, f"it is damaged ({_why(error)})") from error
    if shapes is None:
        raise UnreadableFile(path, "the layer has no geometry")
    return meta, shapes, list(columns)


def _outlines(shapes: NDArray[np.object_]) -> tuple[list[BaseGeometry | None], dict[int, str]]:
    """Geometries from WKB; of those GEOS refuses the place and the reason."""
    found = shapely.from_wkb(shapes, on_invalid="ignore")
    broken: dict[int, str] = {}
    for place in [n for n, shape in enumerate(found) if shape is None and shapes[n] is not None]:
        try:
            shapely.from_wkb(shapes[place])
        except shapely.errors.ShapelyError as error:
            broken[place] = _why(error)
    return list(found), broken


def _crs(path: Path, told: str | None) -> CRS | None:
    if not told:
        return None
    try:
        return reference.horizontal(told)
    except BadCrs as error:
        raise UnreadableFile(path, f"its CRS cannot be understood: {error}") from error


def _values(column: NDArray[Any]) -> list[Any]:
    if column.dtype.kind == "M":
        days = column.astype("datetime64[D]")
        return [None if missing else day for day, missing in zip(days.tolist(), np.isnat(days), strict=True)]
    return list(column.tolist())


def _decoded(path: Path, values: Mapping[str, list[Any]], reading: Reading) -> dict[str, list[Any]]:
    """Texts of a dBASE table, which was read byte for byte, in the encoding told or proven.

    Raises:
        UnreadableFile: the bytes are not of that encoding, or nothing says which it is and they are not UTF-8.
    """
    told = reading.encoding or _told_encoding(path)
    encoding = checked_name(told) if told else "utf-8"
    raw = {
        attribute: [part.encode("latin-1") if isinstance(part, str) else part for part in column]
        for attribute, column in values.items()
    }
    decoded: dict[str, list[Any]] = {}
    for attribute, column in raw.items():
        try:
            decoded[attribute] = [decode(part, encoding) if isinstance(part, bytes) else part for part in column]
        except UnicodeDecodeError as error:
            place = next(n for n, part in enumerate(column) if part == error.object)
            texts = [part for part in column[place:] if isinstance(part, bytes)]
            where = f"record {place + 1}, column {attribute}"
            raise UnreadableFile(path, f"{where}: the text is not {encoding}; {question(texts)}") from error
    return decoded


def _told_encoding(path: Path) -> str | None:
    beside = path.with_suffix(".cpg")
    if not beside.is_file():
        return None
    told = beside.read_text(encoding="ascii", errors="replace").strip()[:40]
    return {"1258": "cp1258", "65001": "utf-8"}.get(told.removeprefix("ANSI ").strip(), told) or None


def _check_widths(path: Path, parcels: Sequence[ParcelRecord]) -> None:
    for parcel in parcels:
        for name in FIELDS:
            value = getattr(parcel, name)
            if isinstance(value, str) and len(value.encode()) > DBF_TEXT_MOST:
                raise BadInput(f"{path.name}: {name} of {parcel.name} is longer than the {DBF_TEXT_MOST} bytes it has")


def _column(values: list[Any], name: str) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    mask = np.array([value is None for value in values], dtype=bool)
    if name in NUMBERS:
        return np.array([0.0 if value is None else value for value in values], dtype=np.float64), mask
    if name in DAYS:
        days = [date(1900, 1, 1) if value is None else value for value in values]
        return np.array(days, dtype="datetime64[D]"), mask
    return np.array(values, dtype=object), None


def _why(error: Exception) -> str:
    return " ".join(str(error).split())[:120]

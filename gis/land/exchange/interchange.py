"""XML for exchange with land information systems of the kind of VILIS; its schema is data/exchange/parcels.xsd.

Elements bear the Vietnamese names of the national model of land data, which such systems share.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any
from xml.etree.ElementTree import Element

from pyproj import CRS
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from gis import crs as reference
from gis.errors import BadCrs, UnreadableFile
from gis.land.exchange.problems import Kind, Problem
from gis.land.exchange.record import Incoming, ParcelRecord, Reading, attributes, record_of
from gis.land.exchange.shapes import polygon_of, rings_of
from gis.land.exchange.xml_stream import escaped, records, text_of

NAMESPACE = "urn:diaba:trao-doi-thua-dat:1"
ELEMENTS: Mapping[str, str] = MappingProxyType(
    {
        "uid": "maThua",
        "ward_code": "maXa",
        "sheet_no": "soHieuToBanDo",
        "parcel_no": "soThuTuThua",
        "old_sheet_no": "soHieuToBanDoCu",
        "old_parcel_no": "soThuTuThuaCu",
        "land_use": "loaiDat",
        "land_uses": "cacLoaiDat",
        "address": "diaChi",
        "area_legal": "dienTichPhapLy",
        "valid_from": "ngayBatDau",
        "valid_to": "ngayKetThuc",
    }
)
"""Attribute → element, in the order of the schema."""


def read(path: Path, reading: Reading) -> Incoming:
    """The parcels of a file.

    Raises:
        UnreadableFile: it is not such a file.
    """
    elements = records(path, _tag("ThuaDat"))
    root = next(elements, (0, Element("")))[1]
    if root.tag != _tag("DanhSachThuaDat"):
        raise UnreadableFile(path, f"its root is not DanhSachThuaDat of {NAMESPACE} (data/exchange/parcels.xsd)")
    try:
        crs = reading.crs or (reference.normalise(root.attrib["crs"]) if root.get("crs") else None)
    except BadCrs as error:
        raise UnreadableFile(path, str(error)) from error
    found: list[ParcelRecord] = []
    problems: list[Problem] = []
    for count, (line, element) in enumerate(elements, start=1):
        source = f"{path.name}, parcel {count} in line {line}"
        shape, wrong = _shape(source, element.find(_tag("hinhThe")))
        values = {name: text_of(element.find(_tag(tag))) for name, tag in ELEMENTS.items()}
        record, more = record_of(source, shape, values, reading)
        found.append(record)
        problems += [*wrong, *more]
    return Incoming(path, crs, tuple(found), frozenset(ELEMENTS), tuple(problems))


def write(path: Path, parcels: Iterable[ParcelRecord], crs: CRS) -> None:
    """Write parcels whose shapes are polygons in this CRS, x (east) before y (north)."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<DanhSachThuaDat xmlns="{NAMESPACE}" crs="{escaped(reference.name_of(reference.horizontal(crs)))}">\n'
        )
        for parcel in parcels:
            file.write("".join(_element(parcel)))
        file.write("</DanhSachThuaDat>\n")


def _element(parcel: ParcelRecord) -> Iterator[str]:
    told = attributes(parcel)
    yield "<ThuaDat>\n"
    for name, tag in ELEMENTS.items():
        if name in told:
            yield f"  <{tag}>{escaped(_plain(told[name]))}</{tag}>\n"
    if isinstance(parcel.shape, Polygon):
        yield "  <hinhThe>\n"
        for place, ring in enumerate(rings_of(parcel.shape)):
            tag = "vongTrong" if place else "vongNgoai"
            listed = " ".join(f"{float(x)!r},{float(y)!r}" for x, y in ring)
            yield f"    <{tag}>{listed}</{tag}>\n"
        yield "  </hinhThe>\n"
    yield "</ThuaDat>\n"


def _shape(record: str, element: Element | None) -> tuple[BaseGeometry | None, list[Problem]]:
    if element is None:
        return None, []
    polygons: list[Polygon] = []
    rings: list[list[tuple[float, float]]] = []
    try:
        for part in element:
            corners = [_corner(pair) for pair in (part.text or "").split()]
            if part.tag == _tag("vongNgoai") and rings:
                polygon, problems = polygon_of(record, rings)
                if polygon is None:
                    return None, problems
                polygons.append(polygon)
                rings = []
            rings.append(corners)
    except ValueError as error:
        return None, [Problem(Kind.INVALID_RING, record, {"why": str(error)[:80]})]
    polygon, problems = polygon_of(record, rings)
    if polygon is None:
        return None, problems
    return (MultiPolygon([*polygons, polygon]) if polygons else polygon), []


def _corner(pair: str) -> tuple[float, float]:
    x, y = pair.split(",")
    return float(x), float(y)


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return repr(value)
    return value.isoformat() if isinstance(value, date) else str(value)


def _tag(local: str) -> str:
    return f"{{{NAMESPACE}}}{local}"

"""GML 3.2 in the form of INSPIRE's Cadastral Parcels 4.0, with the register's other attributes in a namespace of ours.

http://inspire.ec.europa.eu/schemas/cp/4.0: `nationalCadastralReference` is the uid, `label` the parcel's number on
its sheet, `areaValue` the legal area. INSPIRE has no place for ward, sheet, old numbers, use and address.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from gis import crs as reference
from gis.errors import BadCrs, UnreadableFile
from gis.land.exchange.problems import Kind, Problem
from gis.land.exchange.record import Incoming, ParcelRecord, Reading, attributes, record_of
from gis.land.exchange.shapes import Ring, polygon_of, rings_of
from gis.land.exchange.xml_stream import escaped, records, text_of

CP = "http://inspire.ec.europa.eu/schemas/cp/4.0"
BASE = "http://inspire.ec.europa.eu/schemas/base/3.3"
GML = "http://www.opengis.net/gml/3.2"
OURS = "urn:diaba:parcels:1"
_PARCEL = f"{{{CP}}}CadastralParcel"
_OF_INSPIRE = {
    "uid": f"{{{CP}}}nationalCadastralReference",
    "area_legal": f"{{{CP}}}areaValue",
    "valid_from": f"{{{CP}}}validFrom",
    "valid_to": f"{{{CP}}}validTo",
}
_OF_OURS = ("ward_code", "sheet_no", "parcel_no", "old_sheet_no", "old_parcel_no", "land_use", "land_uses", "address")


def read(path: Path, reading: Reading) -> Incoming:
    """The parcels of a file.

    Raises:
        UnreadableFile: it is not such a file.
    """
    found: list[ParcelRecord] = []
    problems: list[Problem] = []
    crs: CRS | None = None
    elements = records(path, _PARCEL)
    next(elements, None)
    for count, (line, element) in enumerate(elements, start=1):
        source = f"{path.name}, parcel {count} in line {line}"
        values = _values(element)
        geometry = element.find(f"{{{CP}}}geometry")
        outline = None if geometry is None else next(iter(geometry), None)
        told, swapped = _crs(path, outline)
        if found and told != crs:
            raise UnreadableFile(path, f"line {line}: the parcels are in different CRS")
        crs = told
        shape, wrong = _shape(source, outline, swapped)
        record, more = record_of(source, shape, values, reading)
        found.append(record)
        problems += [*wrong, *more]
    if not found:
        raise UnreadableFile(path, "it has no cp:CadastralParcel of INSPIRE's Cadastral Parcels 4.0")
    columns = frozenset({*_OF_INSPIRE, *_OF_OURS} if any(r.sheet_no for r in found) else _OF_INSPIRE)
    return Incoming(path, reading.crs or crs, tuple(found), columns, tuple(problems))


def write(path: Path, parcels: Iterable[ParcelRecord], crs: CRS) -> None:
    """Write parcels whose shapes are polygons in this CRS, axes in the order of its authority.

    Raises:
        BadCrs: it has no EPSG number, by which GML names it.
    """
    flat = reference.horizontal(crs)
    if flat.to_epsg() is None:
        raise BadCrs(f"GML names a CRS by its EPSG number, and {flat.name!r} has none")
    name = f"urn:ogc:def:crs:EPSG::{reference.srid(flat)}"
    swapped = _north_first(flat)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(
            f'<?xml version="1.0" encoding="UTF-8"?>\n<base:SpatialDataSet xmlns:base="{BASE}" xmlns:cp="{CP}" '
            f'xmlns:gml="{GML}" xmlns:diaba="{OURS}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
            'gml:id="parcels">\n'
        )
        for count, parcel in enumerate(parcels, start=1):
            file.write("".join(_member(count, parcel, name, swapped)))
        file.write("</base:SpatialDataSet>\n")


def _values(element: Element) -> dict[str, Any]:
    values: dict[str, Any] = {name: text_of(element.find(tag)) for name, tag in _OF_INSPIRE.items()}
    values |= {name: text_of(element.find(f"{{{OURS}}}{name}")) for name in _OF_OURS}
    if values["parcel_no"] is None:
        values["parcel_no"] = text_of(element.find(f"{{{CP}}}label"))
    return values


def _crs(path: Path, outline: Element | None) -> tuple[CRS | None, bool]:
    """The CRS a geometry names, and whether its pairs are northing before easting.

    Written as URN or URI the authority's order of axes holds; the old short form EPSG:4326 means x before y.
    """
    if outline is None:
        return None, False
    name = outline.get("srsName") or next((part.get("srsName") for part in outline.iter() if part.get("srsName")), None)
    if name is None:
        return None, False
    try:
        return _named(name)
    except BadCrs as error:
        raise UnreadableFile(path, f"srsName {name[:60]!r}: {error}") from error


@lru_cache(maxsize=64)
def _named(name: str) -> tuple[CRS, bool]:
    code = name.replace("#", ":").replace("/", ":").rsplit(":", 1)[-1]
    crs = reference.horizontal(f"EPSG:{code}" if code.isdigit() else name)
    return crs, not name.upper().startswith("EPSG:") and _north_first(crs)


def _north_first(crs: CRS) -> bool:
    return bool(crs.axis_info) and crs.axis_info[0].direction.lower() in ("north", "south")


def _shape(record: str, outline: Element | None, swapped: bool) -> tuple[BaseGeometry | None, list[Problem]]:
    if outline is None:
        return None, []
    polygons: list[Polygon] = []
    for part in [p for p in outline.iter() if p.tag in (f"{{{GML}}}Polygon", f"{{{GML}}}PolygonPatch")]:
        try:
            rings = [
                _ring(ring, swapped)
                for side in ("exterior", "interior")
                for ring in part.findall(f"{{{GML}}}{side}/{{{GML}}}LinearRing")
            ]
        except ValueError as error:
            return None, [Problem(Kind.INVALID_RING, record, {"why": str(error)[:80]})]
        polygon, problems = polygon_of(record, rings)
        if problems:
            return None, problems
        if polygon is not None:
            polygons.append(polygon)
    if len(polygons) == 1:
        return polygons[0], []
    return (MultiPolygon(polygons) if polygons else None), []


def _ring(ring: Element, swapped: bool) -> Ring:
    listed = text_of(ring.find(f"{{{GML}}}posList"))
    if listed is not None:
        numbers = [float(part) for part in listed.split()]
    else:
        numbers = [float(part) for pos in ring.findall(f"{{{GML}}}pos") for part in (pos.text or "").split()]
    if len(numbers) % 2:
        raise ValueError("an odd number of coordinates")
    pairs: Sequence[tuple[float, float]] = list(zip(numbers[::2], numbers[1::2], strict=True))
    return [(y, x) for x, y in pairs] if swapped else pairs


def _member(count: int, parcel: ParcelRecord, name: str, swapped: bool) -> Iterator[str]:
    told = {key: value if isinstance(value, str) else _plain(value) for key, value in attributes(parcel).items()}
    here = f"parcel-{count}"
    yield f'<base:member><cp:CadastralParcel gml:id="{here}">\n'
    yield from _optional("cp:areaValue", told, "area_legal", ' uom="m2"')
    # Mandatory there; a register of two times does not say when its record of a parcel began in one moment.
    yield '<cp:beginLifespanVersion xsi:nil="true" nilReason="other:unpopulated"/>\n'
    if isinstance(parcel.shape, Polygon):
        yield f'<cp:geometry><gml:Polygon gml:id="{here}-geometry" srsName="{name}" srsDimension="2">'
        for place, ring in enumerate(rings_of(parcel.shape)):
            side = "interior" if place else "exterior"
            listed = _listed(ring[:, ::-1] if swapped else ring)
            yield f"<gml:{side}><gml:LinearRing><gml:posList>{listed}</gml:posList></gml:LinearRing></gml:{side}>"
        yield "</gml:Polygon></cp:geometry>\n"
    yield (
        f"<cp:inspireId><base:Identifier><base:localId>{escaped(parcel.uid or here)}</base:localId>"
        "<base:namespace>diaba</base:namespace></base:Identifier></cp:inspireId>\n"
    )
    yield f"<cp:label>{escaped(parcel.parcel_no or '')}</cp:label>\n"
    yield f"<cp:nationalCadastralReference>{escaped(parcel.uid or '')}</cp:nationalCadastralReference>\n"
    for key in ("valid_from", "valid_to"):
        tag = _OF_INSPIRE[key].rsplit("}", 1)[-1]
        if key in told:
            yield f"<cp:{tag}>{told[key]}T00:00:00</cp:{tag}>\n"
    for key in _OF_OURS:
        yield from _optional(f"diaba:{key}", told, key)
    yield "</cp:CadastralParcel></base:member>\n"


def _optional(tag: str, told: Mapping[str, str], key: str, more: str = "") -> Iterator[str]:
    if key in told:
        yield f"<{tag}{more}>{escaped(told[key])}</{tag}>\n"


def _plain(value: Any) -> str:
    return repr(float(value)) if isinstance(value, float) else str(value.isoformat())


def _listed(ring: NDArray[np.float64]) -> str:
    return " ".join(repr(float(value)) for value in ring.ravel())

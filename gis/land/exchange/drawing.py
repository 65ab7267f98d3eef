"""DXF: closed boundaries, and texts inside of them that say which parcel it is. A drawing does not say its CRS.

Written as release 12, which every program reads: outer rings on the layer PARCEL, holes on PARCEL_HOLE, and one text
for each attribute inside of the parcel, on the layer of the attribute's name.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio.errors
import pyogrio.raw
import shapely
from shapely import LineString, Point, Polygon, STRtree

from gis.errors import UnreadableFile
from gis.land.exchange.problems import Kind, Problem
from gis.land.exchange.record import Incoming, ParcelRecord, Reading, attributes, columns_of, record_of
from gis.land.exchange.shapes import rings_of
from gis.land.exchange.vector import check_kind
from gis.land.number_forms import parcel_alone, parse

BOUNDARY, HOLE = "PARCEL", "PARCEL_HOLE"
CLOSED_WITHIN = 0.001
"""Units of the drawing (m) within which a boundary's ends are the same point."""
TEXT_HEIGHT = 1.0
_ESCAPED = re.compile(r"\\U\+([0-9A-Fa-f]{4})")


def read(path: Path, reading: Reading) -> Incoming:
    """The parcels of a drawing: each closed boundary with the texts inside of it that lie in no smaller one.

    `reading.layer` is the layer of the boundaries; without it PARCEL where there is one, else all layers.

    Raises:
        UnreadableFile: it is no drawing, or has no boundaries.
    """
    check_kind(path, (b"0", b"999"))
    layers, texts, handles, shapes = _entities(path)
    wanted = reading.layer or (BOUNDARY if BOUNDARY in layers else None)
    polygons: list[Polygon] = []
    sources: list[str] = []
    holes: list[Polygon] = []
    problems: list[Problem] = []
    for place, (layer, shape) in enumerate(zip(layers, shapes, strict=True)):
        if not isinstance(shape, LineString | Polygon) or (layer not in (wanted, HOLE) and wanted is not None):
            continue
        source = f"{path.name}, boundary {place + 1}" + (f" (handle {handles[place]})" if handles[place] else "")
        ring = _closed(shape)
        if ring is None:
            gap = Point(shape.coords[0]).distance(Point(shape.coords[-1]))
            problems.append(Problem(Kind.OPEN_BOUNDARY, source, {"distance_m": gap}, shape))
        elif layer == HOLE:
            holes.append(ring)
        else:
            polygons.append(ring)
            sources.append(source)
    if not polygons and not problems:
        raise UnreadableFile(path, f"it has no boundaries{f' on the layer {wanted}' if wanted else ''}")
    polygons = _cut(polygons, holes)
    labels = [(layers[n], text, shapes[n]) for n, text in enumerate(texts) if text and isinstance(shapes[n], Point)]
    records, more = _labelled(polygons, sources, labels, reading)
    columns = frozenset(name for record in records for name in attributes(record))
    return Incoming(path, reading.crs, tuple(records), columns, tuple(problems + more))


def write(path: Path, parcels: Iterable[ParcelRecord]) -> None:
    """Write parcels whose shapes are polygons."""
    with path.open("w", encoding="ascii", newline="\r\n") as file:
        file.write("0\nSECTION\n2\nHEADER\n9\n$ACADVER\n1\nAC1009\n9\n$INSUNITS\n70\n6\n0\nENDSEC\n")
        file.write("0\nSECTION\n2\nENTITIES\n")
        for parcel in parcels:
            if isinstance(parcel.shape, Polygon):
                for place, ring in enumerate(rings_of(parcel.shape)):
                    file.write(_polyline(HOLE if place else BOUNDARY, ring.tolist()))
                file.write("".join(_texts(parcel, parcel.shape)))
        file.write("0\nENDSEC\n0\nEOF\n")


def _entities(path: Path) -> tuple[list[str], list[str | None], list[str | None], list[Any]]:
    """Layer, text, handle and shape of each entity."""
    try:
        meta, _, raw, columns = pyogrio.raw.read(path, layer="entities", force_2d=True)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, pyogrio.errors.FeatureError) as error:
        raise UnreadableFile(path, f"it cannot be read ({' '.join(str(error).split())[:120]})") from error
    except (ValueError, RuntimeError) as error:
        raise UnreadableFile(path, f"it is damaged ({' '.join(str(error).split())[:120]})") from error
    named = dict(zip((str(name) for name in meta["fields"]), columns, strict=True))
    if not {"Layer", "Text", "EntityHandle"} <= named.keys():
        raise UnreadableFile(path, "it is no drawing")
    shapes = list(shapely.from_wkb(raw, on_invalid="ignore"))
    handles = [handle if isinstance(handle, str) else None for handle in named["EntityHandle"]]
    return [str(layer) for layer in named["Layer"]], [_unescaped(text) for text in named["Text"]], handles, shapes


def _unescaped(text: object) -> str | None:
    if not isinstance(text, str):
        return None
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text).strip() or None


def _closed(shape: LineString | Polygon) -> Polygon | None:
    if isinstance(shape, Polygon):
        return shape
    corners = shapely.get_coordinates(shape)
    if len(corners) < 4 or np.hypot(*(corners[0] - corners[-1])) > CLOSED_WITHIN:
        return None
    corners[-1] = corners[0]
    return Polygon(corners)


def _cut(polygons: Sequence[Polygon], holes: Sequence[Polygon]) -> list[Polygon]:
    """Polygons with their holes: each hole is one of the smallest polygon around it."""
    inner: dict[int, list[Polygon]] = defaultdict(list)
    tree = STRtree(list(polygons))
    for hole in holes:
        around = tree.query(hole.representative_point(), predicate="within")
        if len(around):
            inner[min(around, key=lambda n: polygons[n].area)].append(hole)
    return [
        Polygon(polygon.exterior, [hole.exterior for hole in inner[n]]) if n in inner else polygon
        for n, polygon in enumerate(polygons)
    ]


def _labelled(
    polygons: Sequence[Polygon], sources: Sequence[str], labels: Sequence[tuple[str, str, Point]], reading: Reading
) -> tuple[list[ParcelRecord], list[Problem]]:
    """Each boundary with what the texts in it say."""
    attribute_of = {layer: name for name, layer in columns_of({layer for layer, _, _ in labels}, reading).items()}
    # A boundary that crosses itself still says by its labels which parcel it is meant to be.
    tree = STRtree([polygon if polygon.is_valid else shapely.make_valid(polygon) for polygon in polygons])
    areas = shapely.area(np.array(polygons, dtype=object))
    said: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    problems: list[Problem] = []
    for layer, text, point in labels:
        told = _told(attribute_of.get(layer), text, reading)
        if not told:
            continue
        around = tree.query(point, predicate="within")
        if not len(around):
            problems.append(Problem(Kind.LABEL_OUTSIDE, f"text {text!r}", {"label": repr(text)}, point))
            continue
        inside = said[int(min(around, key=lambda n: areas[n]))]
        for name, value in told.items():
            if value not in inside[name]:
                inside[name].append(value)
    records: list[ParcelRecord] = []
    for place, (polygon, source) in enumerate(zip(polygons, sources, strict=True)):
        values = {name: found[0] for name, found in said[place].items()}
        record, wrong = record_of(source, polygon, values, reading)
        records.append(record)
        problems += wrong
        for name, found in said[place].items():
            if len(found) > 1:
                facts = {"labels": f"{name} {', '.join(map(repr, found[:5]))}"}
                problems.append(Problem(Kind.SEVERAL_LABELS, record.name, facts, polygon))
    return records, problems


def _told(attribute: str | None, text: str, reading: Reading) -> Mapping[str, str]:
    """What a text says: an attribute by its layer, or a number by its form; nothing where it is a remark."""
    if attribute is not None:
        return {attribute: text}
    if number := parse(text):
        return {"sheet_no": number.sheet, "parcel_no": number.parcel}
    alone = parcel_alone(text) if "sheet_no" in reading.constants else None
    return {"parcel_no": alone} if alone else {}


def _polyline(layer: str, corners: Sequence[Sequence[float]]) -> str:
    head = f"0\nPOLYLINE\n8\n{layer}\n66\n1\n70\n1\n10\n0.0\n20\n0.0\n30\n0.0\n"
    points = "".join(f"0\nVERTEX\n8\n{layer}\n10\n{x!r}\n20\n{y!r}\n30\n0.0\n" for x, y in corners[:-1])
    return f"{head}{points}0\nSEQEND\n8\n{layer}\n"


def _texts(parcel: ParcelRecord, polygon: Polygon) -> Iterator[str]:
    point = polygon.representative_point()
    for name, value in attributes(parcel).items():
        text = _escaped(value.isoformat() if isinstance(value, date) else str(value))
        yield (f"0\nTEXT\n8\n{name.upper()}\n10\n{point.x!r}\n20\n{point.y!r}\n30\n0.0\n40\n{TEXT_HEIGHT}\n1\n{text}\n")


def _escaped(text: str) -> str:
    return "".join(letter if " " <= letter < "\x7f" else f"\\U+{ord(letter):04X}" for letter in text)

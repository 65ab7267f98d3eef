"""The registers of a district from one GeoPackage into the store: all of them or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyogrio
import pyogrio.errors
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection, func, select

from gis import crs as reference
from gis.errors import BadGeometry, BadInput, MissingCrs, UnreadableFile
from gis.land.right_types import right_types
from gis.store import footprints, parcels, parties, permits, rights, roads, zones
from gis.store.geometry import checked_polygon, city_crs, encode
from gis.store.schema import REGISTERS, parcel, party
from gis.store.versions import Row, Saved, plain, since

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of the file: its columns, which of them must have a value, and what kind they are of."""

    name: str
    shape: str | None
    required: tuple[str, ...]
    texts: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()
    days: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """All but the geometry."""
        return (*self.texts, *self.numbers, *self.whole, *self.days)


PARCELS = Layer(
    "parcels",
    "Polygon",
    ("uid", "valid_from"),
    texts=("uid", "ward_code", "sheet_no", "parcel_no", "land_use", "address"),
    numbers=("area_legal",),
    days=("valid_from",),
)
PARTIES = Layer("parties", None, ("uid", "kind", "name"), texts=("uid", "kind", "name", "id_no"))
RIGHTS = Layer(
    "rights",
    None,
    ("parcel_uid", "party_uid", "type", "share_num", "share_den", "valid_from"),
    texts=("parcel_uid", "party_uid", "type"),
    whole=("share_num", "share_den"),
    days=("valid_from",),
)
ROADS = Layer(
    "roads",
    "LineString",
    ("uid", "valid_from"),
    texts=("uid", "name"),
    numbers=("reserve_width_m",),
    days=("valid_from",),
)
ZONES = Layer(
    "planning_zones",
    "Polygon",
    ("uid", "valid_from"),
    texts=("uid", "level", "land_use", "decision"),
    numbers=("density_pct", "far", "height_max_m"),
    whole=("floors_max",),
    days=("valid_from",),
)
PERMITS = Layer(
    "permits",
    "Polygon?",
    ("permit_no", "type", "status"),
    texts=("permit_no", "type", "status", "superseded_by", "parcel_uid", "use"),
    numbers=(
        "height_m",
        "ground_area_m2",
        "gross_floor_area_m2",
        "setback_front_m",
        "setback_rear_m",
        "ground_level_m",
    ),
    whole=("floors", "basements"),
    days=("issued", "expires"),
)
FOOTPRINTS = Layer("footprints", "Polygon", ("uid",), texts=("uid", "source"), days=("survey_date",))

_Save = Callable[[Connection, Iterable[Row]], Saved]
_ORDER: tuple[tuple[Layer, _Save], ...] = (
    (PARTIES, parties.save),
    (PARCELS, parcels.save),
    (RIGHTS, rights.save),
    (ROADS, roads.save),
    (ZONES, zones.save),
    (PERMITS, permits.save),
    (FOOTPRINTS, footprints.save),
)
"""What refers to something comes after it."""


def import_registers(connection: Connection, gpkg_path: Path | str) -> dict[str, Saved]:
    """Record all layers of a registers file in the caller's transaction.

    Rows known as they are change nothing; others become versions. What the file does not mention stays. Geometry in
    another CRS than the city's is transformed.

    Returns:
        For each layer what changed.

    Raises:
        UnreadableFile: it is no such file, or a layer, column or value is missing or of another kind.
        MissingCrs: a layer does not say its CRS.
        BadGeometry: a geometry cannot be used; the record is named.
        BadInput: a record occurs twice, or a right refers to a parcel or party that file and register do not have.
    """
    path = Path(gpkg_path)
    present = _layers(path)
    for layer, _ in _ORDER:
        if layer.name not in present:
            raise UnreadableFile(path, f"it has no layer {layer.name}")
    target = city_crs(connection)
    # All is read and checked before anything is written.
    contents = {layer.name: _rows(path, layer, target) for layer, _ in _ORDER}
    _check_references(connection, path, contents)
    return {layer.name: save(connection, contents[layer.name]) for layer, save in _ORDER}


def counts(connection: Connection) -> dict[str, int]:
    """How many rows each register holds now, by the name of its table without `_version`."""
    return {
        table.name.removesuffix("_version"): connection.execute(
            select(func.count()).select_from(table).where(func.upper_inf(table.c.recorded))
        ).scalar_one()
        for table in REGISTERS
    }


def _layers(path: Path) -> set[str]:
    if not path.is_file():
        raise UnreadableFile(path, "there is no such file")
    try:
        return {str(name) for name, _ in pyogrio.list_layers(path)}
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise UnreadableFile(path, "not a GeoPackage that can be read") from error


def _rows(path: Path, layer: Layer, target: CRS) -> list[dict[str, Any]]:
    frame, source = _read(path, layer)
    for column in layer.columns:
        if column not in frame.columns:
            raise UnreadableFile(path, f"layer {layer.name} has no column {column}")
    shapes = _shapes(path, layer, frame, source, target) if layer.shape else None
    columns = {column: list(frame[column]) for column in layer.columns}
    rows: list[dict[str, Any]] = []
    for place in range(len(frame)):
        row = {column: _value(path, layer, column, values[place], place) for column, values in columns.items()}
        if shapes is not None:
            row["geom"] = shapes[0][place]
        if layer is PARCELS and shapes is not None:
            row["area_measured"] = float(shapes[1][place])
        if "valid_from" in row:
            row["valid"] = since(row.pop("valid_from"))
        rows.append(row)
    return rows


def _read(path: Path, layer: Layer) -> tuple[DataFrame, CRS | None]:
    try:
        told = pyogrio.read_info(path, layer=layer.name)["crs"]
        frame = pyogrio.read_dataframe(path, layer=layer.name, read_geometry=layer.shape is not None)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, pyogrio.errors.FeatureError) as error:
        raise UnreadableFile(path, f"layer {layer.name} cannot be read ({str(error)[:120]})") from error
    except (ValueError, shapely.errors.ShapelyError, CRSError) as error:
        raise UnreadableFile(path, f"layer {layer.name} is damaged ({str(error)[:120]})") from error
    return frame, reference.normalise(told) if told else None


def _shapes(
    path: Path, layer: Layer, frame: DataFrame, source: CRS | None, target: CRS
) -> tuple[Sequence[str | None], Sequence[float]]:
    """Each geometry as EWKB in the city's CRS, and its area."""
    if "geometry" not in frame.columns:
        raise UnreadableFile(path, f"layer {layer.name} has no geometry")
    if source is None:
        raise MissingCrs(path, f"layer {layer.name}")
    key = layer.required[0]
    shapes = [
        _checked(f"{path}: {layer.name} {name}", str(layer.shape), shape)
        for name, shape in zip(frame[key], frame["geometry"], strict=True)
    ]
    flat = reference.horizontal(target)
    if reference.horizontal(source) != flat and reference.horizontal(source).to_epsg() != flat.to_epsg():
        change = reference.transformer(source, flat)
        shapes = [None if shape is None else _transformed(shape, change) for shape in shapes]
    return encode(shapes, reference.srid(flat)), [0.0 if shape is None else shape.area for shape in shapes]


def _transformed(shape: BaseGeometry, change: Transformer) -> BaseGeometry:
    def move(corners: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(change.transform(corners[:, 0], corners[:, 1]))

    moved: BaseGeometry = shapely.transform(shape, move)
    return moved


def _checked(record: str, kind: str, shape: BaseGeometry | None) -> BaseGeometry | None:
    if kind == "Polygon?" and (shape is None or shape.is_empty):
        return None
    if kind.startswith("Polygon"):
        return checked_polygon(record, shape)
    if shape is None or shape.is_empty or shape.geom_type != kind:
        raise BadGeometry(record, f"a {kind} is needed")
    return shape


def _value(path: Path, layer: Layer, column: str, given: object, place: int) -> Any:
    value = plain(given)
    where = f"layer {layer.name}, row {place + 1}, column {column}"
    if value is None or value == "":
        if column in layer.required:
            raise UnreadableFile(path, f"{where} has no value")
        return None
    try:
        if column in layer.texts:
            # PostgreSQL's text cannot hold the character NUL.
            return _text(value)
        if column in layer.numbers:
            return plain(float(value))
        if column in layer.whole:
            return _whole(value)
        return _day(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise UnreadableFile(path, f"{where} has the value {str(value)[:40]!r}, which does not fit") from error


def _text(value: object) -> str:
    text = str(value)
    if "\x00" in text:
        raise ValueError("NUL")
    return text


def _whole(value: Any) -> int:
    number = int(value)
    if number != float(value) or abs(number) >= 2**31:
        raise ValueError("not a whole number")
    return number


def _day(value: Any) -> date:
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else date.fromisoformat(str(value)[:10])


def _check_references(connection: Connection, path: Path, contents: Mapping[str, Sequence[Row]]) -> None:
    known_parcels = {row["uid"] for row in contents["parcels"]} | set(connection.scalars(select(parcel.c.uid)))
    known_parties = {row["uid"] for row in contents["parties"]} | set(connection.scalars(select(party.c.uid)))
    for right in contents["rights"]:
        if right["parcel_uid"] not in known_parcels:
            raise BadInput(f"{path}: a right refers to the parcel {right['parcel_uid']}, which is not known")
        if right["party_uid"] not in known_parties:
            raise BadInput(f"{path}: a right refers to the party {right['party_uid']}, which is not known")
        if right["type"] not in right_types():
            where = f"the right of {right['party_uid']} in {right['parcel_uid']}"
            raise BadInput(f"{path}: {where} is of the type {right['type']}; there are {', '.join(right_types())}")

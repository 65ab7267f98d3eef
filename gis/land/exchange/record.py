"""A parcel on its way in or out, the same for all formats, and what is known of a file before the register is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from gis.land.exchange.problems import Kind, Problem
from gis.land.land_use import parsed, written
from gis.land.number_forms import without_accents

TEXTS = (
    "uid",
    "ward_code",
    "sheet_no",
    "parcel_no",
    "old_sheet_no",
    "old_parcel_no",
    "land_use",
    "address",
    "land_uses",
)
NUMBERS = ("area_legal",)
DAYS = ("valid_from", "valid_to")
FIELDS = (*TEXTS, *NUMBERS, *DAYS)
"""A parcel's attributes, in the order files have them."""
TEXT_MOST = 1000
"""Characters of one attribute."""

SHORT_NAMES: Mapping[str, str] = MappingProxyType({"old_sheet_no": "old_sheet", "old_parcel_no": "old_parcel"})
"""Names of columns where only ten characters fit (dBASE)."""

# The Vietnamese names are those of the national model of land data (Circular 75/2015/TT-BTNMT), from memory: ?
ALIASES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "uid": ("thuadatid",),
        "ward_code": ("maxa", "maphuong"),
        "sheet_no": ("sohieutobando", "soto", "shbando", "tobando"),
        "parcel_no": ("sothututhua", "sothua", "shthua"),
        "old_sheet_no": ("sohieutobandocu", "sotocu", "oldsheet"),
        "old_parcel_no": ("sothututhuacu", "sothuacu", "oldparcel"),
        "land_use": ("loaidat", "mucdichsudung", "mdsd"),
        "land_uses": ("cacloaidat", "dientichtheoloaidat"),
        "address": ("diachi", "diachithuadat"),
        "area_legal": ("dientichphaply", "dientichpl"),
        "valid_from": ("ngaybatdau",),
        "valid_to": ("ngayketthuc",),
    }
)
"""Further names a file's column may have, without accents, blanks and underscores."""


@dataclass(frozen=True, slots=True)
class ParcelRecord:
    """One parcel of a file."""

    source: str
    """The file and the place in it, for messages: "lots.shp, record 12"."""
    shape: BaseGeometry | None = None
    """In the file's CRS, x before y."""
    uid: str | None = None
    ward_code: str | None = None
    sheet_no: str | None = None
    parcel_no: str | None = None
    old_sheet_no: str | None = None
    old_parcel_no: str | None = None
    land_use: str | None = None
    address: str | None = None
    land_uses: str | None = None
    """Where there are several, or with terms: "ODT 60; CLN 140.5 until 2050-12-31 (origin)", m²."""
    area_legal: float | None = None
    """m²."""
    valid_from: date | None = None
    valid_to: date | None = None
    """First day on which it was not so any more."""

    @property
    def number(self) -> tuple[str, str, str] | None:
        """Ward, sheet and parcel number; None where one of the numbers is missing."""
        if self.sheet_no is None or self.parcel_no is None:
            return None
        return (self.ward_code or "", self.sheet_no, self.parcel_no)

    @property
    def name(self) -> str:
        """For messages: where it is in the file and which parcel it is."""
        number = None if self.number is None else f"{self.sheet_no}/{self.parcel_no}"
        known = number or self.uid
        return f"{self.source} ({known})" if known else self.source


@dataclass(frozen=True, slots=True)
class Incoming:
    """All that a file says."""

    path: Path
    crs: CRS | None
    """None where neither the file nor the caller says."""
    records: tuple[ParcelRecord, ...]
    columns: frozenset[str]
    """Attributes the file has; of others the register keeps what it knows."""
    problems: tuple[Problem, ...] = ()
    has_shapes: bool = True
    """False of a table of attributes, whose parcels are those of the register."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is to be read."""

    crs: CRS | None = None
    """Stands in place of what the file says of its CRS."""
    layer: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    """Attribute → name of the file's column (of a drawing: of the layer its texts are on)."""
    constants: Mapping[str, str] = field(default_factory=dict)
    """Attribute → value of records that have none."""
    encoding: str | None = None


def columns_of(names: Iterable[str], reading: Reading) -> dict[str, str]:
    """Attribute → the file's column: as the caller says, by its own name, or by one of its other names."""
    listed = list(names)
    folded = {_folded(name): name for name in reversed(listed)}
    found: dict[str, str] = {}
    for attribute in FIELDS:
        wanted = reading.names.get(attribute)
        if wanted is not None:
            exact = next((name for name in listed if name == wanted), None)
            chosen = exact or next((name for name in listed if name.lower() == wanted.lower()), None)
        else:
            others = (attribute, SHORT_NAMES.get(attribute, attribute), *ALIASES[attribute])
            chosen = next((folded[_folded(name)] for name in others if _folded(name) in folded), None)
        if chosen is not None:
            found[attribute] = chosen
    return found


def missing_columns(found: Mapping[str, str], reading: Reading) -> list[str]:
    """Columns the caller named that the file does not have."""
    return [wanted for attribute, wanted in reading.names.items() if attribute not in found]


def record_of(
    source: str, shape: BaseGeometry | None, values: Mapping[str, Any], reading: Reading
) -> tuple[ParcelRecord, list[Problem]]:
    """A record of raw values; a value that does not fit its attribute is a problem and left out."""
    problems: list[Problem] = []
    kept: dict[str, Any] = {}
    for attribute in FIELDS:
        given = values.get(attribute)
        if _is_empty(given):
            given = reading.constants.get(attribute)
        if given is None:
            continue
        try:
            kept[attribute] = _READERS[attribute](given)
        except (TypeError, ValueError, OverflowError):
            facts = {"column": attribute, "value": str(given)[:40]}
            problems.append(Problem(Kind.BAD_VALUE, source, facts, shape))
    record = ParcelRecord(source, shape, **kept)
    start, end = record.valid_from, record.valid_to
    if start is not None and end is not None and start >= end:
        problems.append(Problem(Kind.BAD_VALUE, record.name, {"column": "valid_to", "value": end.isoformat()}, shape))
        record = replace(record, valid_to=None)
    return record, problems


def attributes(record: ParcelRecord) -> dict[str, Any]:
    """The attributes that have a value, in the order of `FIELDS`."""
    return {name: value for name in FIELDS if (value := getattr(record, name)) is not None}


def _folded(name: str) -> str:
    return without_accents(name).replace("_", "").replace(" ", "")


def _is_empty(value: Any) -> bool:
    # NaN and NaT differ from themselves.
    return value is None or value != value or (isinstance(value, str) and not value.strip())


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        # A number's column in a table may have become one of floats.
        value = int(value)
    text = str(value).strip()
    if len(text) > TEXT_MOST or any(letter < " " or letter == "\ufffd" for letter in text):
        raise ValueError("no plain text")
    return text


def _number(value: Any) -> float:
    number = float(value)
    if not 0 <= number < 1e12:
        raise ValueError("no area")
    return number


def _day(value: Any) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    text = str(value).strip().replace("/", "-")
    if len(text) >= 8 and text[:8].isdigit():
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    return date.fromisoformat(text[:10])


def _uses(value: Any) -> str | None:
    # One way of writing them, so that the same uses are the same text.
    return written(parsed(_text(value)))


_READERS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        **dict.fromkeys(TEXTS, _text),
        **dict.fromkeys(NUMBERS, _number),
        **dict.fromkeys(DAYS, _day),
        "land_uses": _uses,
    }
)

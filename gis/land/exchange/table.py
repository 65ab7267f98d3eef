"""CSV of attributes, whose parcels are those of the register: joined by uid, or by sheet and parcel number."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from gis.errors import UnreadableFile
from gis.land.exchange.problems import Problem
from gis.land.exchange.record import (
    FIELDS,
    Incoming,
    ParcelRecord,
    Reading,
    columns_of,
    missing_columns,
    record_of,
)
from gis.land.exchange.vietnamese_text import checked_name, decode, question

BYTES_MOST = 1 << 30
_SEPARATORS = ",;\t"


def read(path: Path, reading: Reading) -> Incoming:
    """The rows of a file; the separator is the one its first line has most of.

    Raises:
        UnreadableFile: it is no such file, its encoding is not known, or a row has another number of columns.
    """
    text = _text(path, reading)
    first = text.split("\n", 1)[0]
    separator = max(_SEPARATORS, key=first.count)
    rows = csv.reader(text.splitlines(keepends=True), delimiter=separator, strict=True)
    records: list[ParcelRecord] = []
    problems: list[Problem] = []
    try:
        names = [name.strip() for name in next(rows, [])]
        chosen = columns_of(names, reading)
        if missing := missing_columns(chosen, reading):
            raise UnreadableFile(path, f"it has no column {missing[0]!r}; there are {', '.join(names[:30])}")
        if "uid" not in chosen and not {"sheet_no", "parcel_no"} <= {*chosen, *reading.constants}:
            raise UnreadableFile(path, f"its first line names neither uid nor sheet_no and parcel_no: {first[:80]!r}")
        places = {attribute: names.index(name) for attribute, name in chosen.items()}
        for row in rows:
            if not row:
                continue
            line = rows.line_num
            if len(row) != len(names):
                raise UnreadableFile(path, f"line {line}: {len(row)} columns, the first line has {len(names)}")
            values = {attribute: row[place] for attribute, place in places.items()}
            record, wrong = record_of(f"{path.name}, line {line}", None, values, reading)
            records.append(record)
            problems += wrong
    except csv.Error as error:
        raise UnreadableFile(path, f"line {rows.line_num}: {error}") from error
    return Incoming(path, None, tuple(records), frozenset(chosen), tuple(problems), has_shapes=False)


def write(path: Path, parcels: Iterable[ParcelRecord]) -> None:
    """Write the attributes in UTF-8 with a mark at the beginning, by which spreadsheets know it."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(FIELDS)
        for parcel in parcels:
            writer.writerow([_plain(getattr(parcel, name)) for name in FIELDS])


def _text(path: Path, reading: Reading) -> str:
    try:
        if path.stat().st_size > BYTES_MOST:
            raise UnreadableFile(path, f"it is larger than {BYTES_MOST} bytes")
        raw = path.read_bytes()
    except OSError as error:
        raise UnreadableFile(path, "there is no such file" if not path.exists() else str(error.strerror)) from error
    encoding = checked_name(reading.encoding) if reading.encoding else "utf-8"
    try:
        text = decode(raw.removeprefix(b"\xef\xbb\xbf"), encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        said = raw.split(b"\n")[line - 1].strip()
        raise UnreadableFile(path, f"line {line}: the text is not {encoding}; {question([said])}") from error
    if "\x00" in text:
        raise UnreadableFile(path, "it holds characters NUL and is no text")
    return text


def _plain(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(value)
    return value.isoformat() if isinstance(value, date) else str(value)

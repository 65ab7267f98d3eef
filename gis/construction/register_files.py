"""Registers of buildings and their targets from CSV: every value checked, the bad line named."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TypeVar

from gis.construction.register import Category, RegisteredBuilding, Target
from gis.errors import BadInput, UnreadableFile

BUILDING_COLUMNS = (
    *("building", "category", "ward_code", "valid_from", "name", "address", "capacity", "digitised", "checked"),
)
TARGET_COLUMNS = ("ward_code", "category", "target", "valid_from", "source", "doubt")
MAX_BYTES = 100 * 2**20

T = TypeVar("T")


def read_buildings(path: Path) -> list[RegisteredBuilding]:
    """Entries of the register.

    Raises:
        UnreadableFile: it is no such table, or a value cannot be; the line is named.
    """
    return _read(path, BUILDING_COLUMNS, _building)


def read_targets(path: Path) -> list[Target]:
    """Targets of the register.

    Raises:
        UnreadableFile: it is no such table, or a value cannot be; the line is named.
    """
    return _read(path, TARGET_COLUMNS, _target)


def _building(row: Mapping[str, str]) -> RegisteredBuilding:
    found = RegisteredBuilding(
        building=row["building"],
        category=Category(row["category"]),
        ward=row["ward_code"],
        start=_day(row["valid_from"]),
        name=row["name"] or None,
        address=row["address"] or None,
        capacity=int(row["capacity"]) if row["capacity"] else None,
        digitised=_day(row["digitised"]),
        checked=_day(row["checked"]),
    )
    found.check()
    return found


def _target(row: Mapping[str, str]) -> Target:
    start = _day(row["valid_from"])
    found = Target(row["ward_code"], row["category"], int(row["target"]), row["source"], start, row["doubt"] or None)
    found.check()
    return found


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _read(path: Path, columns: Sequence[str], make: Callable[[Mapping[str, str]], T]) -> list[T]:
    try:
        return list(_made(path, columns, make))
    except OSError as error:
        raise UnreadableFile(path, error.strerror or "it cannot be read") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableFile(path, f"not a CSV in UTF-8 ({error})") from error


def _made(path: Path, columns: Sequence[str], make: Callable[[Mapping[str, str]], T]) -> Iterator[T]:
    if path.stat().st_size > MAX_BYTES:
        raise UnreadableFile(path, f"it is larger than {MAX_BYTES // 2**20} MB")
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        missing = [name for name in columns if name not in (rows.fieldnames or ())]
        if missing:
            raise UnreadableFile(path, f"it has no column {missing[0]}; the columns are {', '.join(columns)}")
        for row in rows:
            values = {name: (row[name] or "").strip() for name in columns}
            try:
                if any("\x00" in value for value in values.values()):
                    raise ValueError("the character NUL")
                yield make(values)
            except UnreadableFile:
                raise
            except (BadInput, ValueError) as error:
                raise UnreadableFile(path, f"line {rows.line_num}: {error}") from error

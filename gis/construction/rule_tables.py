"""The planning rules as tables: `data/rules/*.csv`, each cell with its text, article, place, dates and doubt.

`data/rules/README.md` explains the columns. A table is read whole and checked whole: a damaged one is refused with its
file, row and column, as a rule that is silently missing would permit what is forbidden.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import Final

from gis.construction.rule_ranges import Range, fault_of_axis, parse_range, weights
from gis.errors import BadInput, NotFound, UnreadableFile
from gis.resources import resource

KEYS: Final[Mapping[str, str]] = {
    "lot_area_m2": "m²",
    "lot_depth_m": "m",
    "height_m": "m",
    "road_reserve_m": "m",
}
"""What a table may be asked by, and its unit."""
NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "plan_level": ("zoning", "detailed"),
    "place": ("inner", "outer_urban", "rural"),
}
"""Keys that are names, not numbers."""
UNITS: Final = ("%", "ratio", "m", "m²", "floors", "years")
BETWEEN: Final = ("linear", "step", "where")
"""linear: interpolated between its ranges; step: its ranges meet; where: holds inside of its ranges alone."""
NO_FIGURE: Final = "-"
"""A value where the text has a dash: it sets no limit."""
LARGEST_FILE: Final = 4_000_000
"""Bytes of a table."""


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One cell of a table of the law, as text of the file; empty where the file has nothing."""

    table: str
    between: str
    key_1: str
    range_1: str
    key_2: str
    range_2: str
    value: str
    unit: str
    source: str
    article: str
    jurisdiction: str
    valid_from: str
    valid_to: str
    verified_by: str
    doubt: str
    note: str

    def in_force(self, on: date) -> bool:
        """Whether it holds on a day; `valid_to` is the first day on which it does not."""
        return self.valid_from <= on.isoformat() and (not self.valid_to or on.isoformat() < self.valid_to)

    @property
    def keys(self) -> tuple[str, ...]:
        """The names it is asked by."""
        return tuple(key for key in (self.key_1, self.key_2) if key)

    @property
    def ranges(self) -> tuple[str, ...]:
        """Where it holds, a range for each key."""
        return (self.range_1, self.range_2)[: len(self.keys)]


COLUMNS: Final = tuple(field.name for field in fields(RuleRow))


@dataclass(frozen=True, slots=True)
class Found:
    """What a table says of one case."""

    value: float | None
    """The limit; None where the text has no figure or leaves it open."""
    open: bool
    """The text leaves it open, so that nothing can be said; a dash, which sets no limit, is not open."""
    doubt: str | None
    """Why the cells used are doubtful."""
    row: RuleRow
    """The cell that counts most, whose citation is told."""


@dataclass(frozen=True, slots=True)
class RuleTable:
    """A table as it is in force on a day."""

    rows: tuple[RuleRow, ...]
    axes: tuple[tuple[Range, ...] | tuple[str, ...], ...]
    """The ranges of each key, ascending, or its names."""
    cells: Mapping[tuple[int, ...], RuleRow]
    """The row of each combination of ranges."""

    def find(self, **asked: float | str) -> Found | None:
        """What it says for the values of its keys; None where it does not hold.

        Numbers are in the keys' units. Between the ranges of a linear table the value is interpolated: linearly for one
        key, bilinearly for two. An open or undecided cell that takes part makes the whole open.
        """
        parts: list[tuple[tuple[int, ...], float]] = [((), 1.0)]
        linear = self.rows[0].between == "linear"
        for axis, key in zip(self.axes, self.rows[0].keys, strict=True):
            here = _places(axis, asked[key], linear)
            parts = [((*place, n), share * part) for place, share in parts for n, part in here]
        used = [(self.cells[place], share) for place, share in parts if place in self.cells]
        if not used or len(used) < len(parts):
            return None
        doubt = "; ".join(dict.fromkeys(row.doubt for row, _ in used if row.doubt)) or None
        main = max(used, key=lambda part: part[1])[0]
        if any(row.value in ("", NO_FIGURE) for row, _ in used):
            return Found(None, any(row.value == "" for row, _ in used), doubt, main)
        return Found(round(sum(float(row.value) * share for row, share in used), 6), False, doubt, main)


def _places(axis: Sequence[Range | str], value: float | str, linear: bool) -> tuple[tuple[int, float], ...]:
    if isinstance(value, str):
        return ((axis.index(value), 1.0),) if value in axis else ()
    return weights([one for one in axis if isinstance(one, Range)], value, linear=linear)


@dataclass(frozen=True, slots=True)
class RuleTables:
    """All rows there are, of all dates."""

    rows: tuple[RuleRow, ...]
    elsewhere: tuple[RuleRow, ...] = ()
    """Those that hold in other places alone; they only tell that there is such a table."""

    def within(self, jurisdiction: str) -> RuleTables:
        """The rules of a place: its own and those of the wider ones, as VN-79 has those of VN."""
        here = [f"{jurisdiction}-".startswith(f"{row.jurisdiction}-") for row in self.rows]
        return RuleTables(
            tuple(row for row, holds in zip(self.rows, here, strict=True) if holds),
            (*self.elsewhere, *(row for row, holds in zip(self.rows, here, strict=True) if not holds)),
        )

    def table(self, name: str, on: date) -> RuleTable | None:
        """A table as in force on a day; None when none of its rows is, or it holds elsewhere alone.

        Raises:
            NotFound: there is no such table.
        """
        named = [row for row in self.rows if row.table == name]
        if not named and all(row.table != name for row in self.elsewhere):
            raise NotFound("rule table", name)
        return _table([row for row in named if row.in_force(on)])

    def in_force(self, name: str, on: date) -> tuple[RuleRow, ...]:
        """The rows of a table that hold on a day, in the order of the file."""
        return tuple(row for row in self.rows if row.table == name and row.in_force(on))

    @property
    def names(self) -> tuple[str, ...]:
        """The tables, in alphabetical order."""
        return tuple(sorted({row.table for row in self.rows}))


def digest(rows: Iterable[RuleRow]) -> str:
    """The SHA-256 of rows, whatever their order; the same rows have the same digest on every machine."""
    return hashlib.sha256(canonical_rows(rows).encode()).hexdigest()


def canonical_rows(rows: Iterable[RuleRow]) -> str:
    """Rows as one JSON text, in an order of their own; `rows_of` reads it back."""
    listed = sorted((asdict(row) for row in rows), key=lambda row: tuple(row.values()))
    return json.dumps(listed, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def rows_of(text: str) -> RuleTables:
    """The tables whose rows `canonical_rows` wrote, checked like those of a file.

    Raises:
        BadInput: the text is damaged.
    """
    try:
        rows = tuple(RuleRow(**row) for row in json.loads(text))
    except (ValueError, TypeError) as error:
        raise BadInput(f"stored rule rows cannot be read: {error}") from error
    numbered = [("stored rule rows", number, row) for number, row in enumerate(rows, start=1)]
    for place in numbered:
        _check_row(*place)
    _check_tables(numbered)
    return RuleTables(rows)


@lru_cache(maxsize=1)
def city_rules() -> RuleTables:
    """The tables that come with diaba, `data/rules`."""
    return load_rules(resource("rules"))


Numbered = tuple[str, int, RuleRow]
"""File, row in it (the heading is row 1), content."""


def load_rules(folder: Path) -> RuleTables:
    """All tables of a folder, checked.

    Raises:
        UnreadableFile: there is no table, or a file is no CSV of these columns.
        BadInput: a cell, a citation or a combination of rows is wrong: file, row, column and why.
    """
    paths = sorted(folder.glob("*.csv"))
    if not paths:
        raise UnreadableFile(folder, "holds no rule table (*.csv)")
    numbered: list[Numbered] = []
    for path in paths:
        numbered.extend(_read(path))
    _check_tables(numbered)
    return RuleTables(tuple(row for _, _, row in numbered))


def _read(path: Path) -> list[Numbered]:
    if path.stat().st_size > LARGEST_FILE:
        raise UnreadableFile(path, f"larger than a rule table is ({LARGEST_FILE} bytes)")
    try:
        with path.open(encoding="utf-8-sig", newline="") as source:
            lines = list(csv.reader(source, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableFile(path, f"is no CSV in UTF-8: {error}") from error
    if not lines or tuple(lines[0]) != COLUMNS:
        odd = sorted(set(COLUMNS) ^ set(lines[0] if lines else ()))
        raise UnreadableFile(path, f"row 1: the columns are to be {','.join(COLUMNS)}; look at {', '.join(odd)}")
    found: list[Numbered] = []
    for number, cells in enumerate(lines[1:], start=2):
        if len(cells) != len(COLUMNS):
            raise _bad(path.name, number, COLUMNS[min(len(cells), len(COLUMNS)) - 1], f"{len(cells)} cells in the row")
        row = RuleRow(*(cell.strip() for cell in cells))
        _check_row(path.name, number, row)
        found.append((path.name, number, row))
    return found


def _bad(file: str, row: int, column: str, why: str) -> BadInput:
    return BadInput(f"{file}: row {row}, column {column}: {why}")


def _check_row(file: str, number: int, row: RuleRow) -> None:
    """Raise what is wrong with one row."""
    for column in ("table", "source", "article", "jurisdiction"):
        if not getattr(row, column):
            raise _bad(file, number, column, "it is empty; every rule says its text, article and place")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", row.table):
        raise _bad(file, number, "table", f"{row.table!r} is no name of small letters, digits and _")
    for column, known in (("between", BETWEEN), ("unit", UNITS)):
        if getattr(row, column) not in known:
            raise _bad(file, number, column, f"{getattr(row, column)!r} is none of {', '.join(known)}")
    for column in ("valid_from", "valid_to"):
        _check_day(file, number, column, getattr(row, column))
    if row.valid_to and row.valid_to <= row.valid_from:
        raise _bad(file, number, "valid_to", f"{row.valid_to} is not after valid_from {row.valid_from}")
    _check_keys(file, number, row)
    _check_value(file, number, row)


def _check_day(file: str, number: int, column: str, text: str) -> None:
    if not text and column == "valid_to":
        return
    try:
        if date.fromisoformat(text).isoformat() == text:
            return
    except ValueError:
        pass
    raise _bad(file, number, column, f"{text!r} is no day like 2021-07-05")


def _check_keys(file: str, number: int, row: RuleRow) -> None:
    if row.key_2 and not row.key_1:
        raise _bad(file, number, "key_1", "it is empty, but key_2 is not")
    if row.key_1 and row.key_1 == row.key_2:
        raise _bad(file, number, "key_2", f"{row.key_2!r} is key_1 already")
    if not row.key_1 and row.between != "where":
        raise _bad(file, number, "key_1", f"a table that is {row.between!r} needs a key")
    for place in ("1", "2"):
        key, text = getattr(row, f"key_{place}"), getattr(row, f"range_{place}")
        if not key:
            if text:
                raise _bad(file, number, f"range_{place}", f"{text!r} without a key")
        elif key in NAMES:
            if text not in NAMES[key]:
                raise _bad(file, number, f"range_{place}", f"{text!r} is none of {', '.join(NAMES[key])}")
        elif key in KEYS:
            try:
                parse_range(text)
            except ValueError as error:
                raise _bad(file, number, f"range_{place}", f"{text!r} is {error}") from None
        else:
            raise _bad(file, number, f"key_{place}", f"{key!r} is none of {', '.join((*KEYS, *NAMES))}")


def _check_value(file: str, number: int, row: RuleRow) -> None:
    if row.value == NO_FIGURE:
        return
    if not row.value:
        if not row.doubt:
            raise _bad(file, number, "value", "it is empty, and doubt does not say why")
        return
    if not re.fullmatch(r"\d+(\.\d+)?", row.value) or not isfinite(float(row.value)):
        raise _bad(file, number, "value", f"{row.value!r} is no number of zero or more with a point, nor {NO_FIGURE!r}")
    if row.unit == "%" and float(row.value) > 100:
        raise _bad(file, number, "value", f"{row.value} % is more than all")
    if row.unit == "floors" and not float(row.value).is_integer():
        raise _bad(file, number, "value", f"{row.value} is no whole number of floors")


def _check_tables(numbered: Sequence[Numbered]) -> None:
    """Raise what is wrong with rows together, for each day on which a table changes."""
    tables: dict[str, list[Numbered]] = {}
    for place in numbered:
        tables.setdefault(place[2].table, []).append(place)
    for places in tables.values():
        first = places[0][2]
        for file, number, row in places:
            for column in ("between", "unit", "key_1", "key_2"):
                if getattr(row, column) != getattr(first, column):
                    why = f"{getattr(row, column)!r} differs from {getattr(first, column)!r} of the table's first row"
                    raise _bad(file, number, column, why)
        for day in sorted({row.valid_from for _, _, row in places}):
            _check_day_of_table([place for place in places if place[2].in_force(date.fromisoformat(day))])


def _check_day_of_table(places: Sequence[Numbered]) -> None:
    """Raise gaps and overlaps of a table's rows of one day."""
    seen: dict[tuple[str, ...], int] = {}
    for file, number, row in places:
        if row.ranges in seen:
            column = "range_1" if row.keys else "table"
            raise _bad(file, number, column, f"says again what row {seen[row.ranges]} says for the same days")
        seen[row.ranges] = number
    table = _table([row for _, _, row in places])
    if table is None:
        return
    file, number, row = places[0]
    for place, key in enumerate(row.keys):
        axis = [r for r in table.axes[place] if isinstance(r, Range)]
        fault = fault_of_axis(axis, row.between == "linear") if axis else None
        if fault and (row.between != "where" or "overlap" in fault):
            last = next(n for _, n, r in reversed(places) if _concerned(r.ranges[place], fault))
            raise _bad(file, last, f"range_{place + 1}", f"{row.table} by {key}: {fault}")
    if row.between != "where":
        _check_grid(table, file, number)


def _concerned(text: str, fault: str) -> bool:
    return str(parse_range(text)) in fault.split()


def _check_grid(table: RuleTable, file: str, number: int) -> None:
    if len(table.axes) != 2:
        return
    for i, first in enumerate(table.axes[0]):
        for j, second in enumerate(table.axes[1]):
            if (i, j) not in table.cells:
                row = table.rows[0]
                why = f"{row.table}: no row for {row.key_1} {first} and {row.key_2} {second}"
                raise _bad(file, number, "range_2", why)


def _table(rows: Sequence[RuleRow]) -> RuleTable | None:
    if not rows:
        return None
    axes: list[tuple[Range, ...] | tuple[str, ...]] = []
    for place, key in enumerate(rows[0].keys):
        texts = {row.ranges[place] for row in rows}
        if key in NAMES:
            axes.append(tuple(sorted(texts)))
        else:
            axes.append(tuple(sorted({parse_range(t) for t in texts}, key=lambda r: (r.low, not r.with_low, r.high))))
    cells = {}
    for row in rows:
        places = [
            axis.index(text if row.keys[place] in NAMES else parse_range(text))
            for place, (axis, text) in enumerate(zip(axes, row.ranges, strict=True))
        ]
        cells[tuple(places)] = row
    return RuleTable(tuple(rows), tuple(axes), cells)

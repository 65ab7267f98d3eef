"""Tables of the law in CSV: read row by row, and a row that cannot be used is named."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from gis.errors import UnreadableFile

LINES_MOST = 100_000
Word = TypeVar("Word", bound=StrEnum)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_ANSWERS = {"yes": True, "no": False, "": None}


@dataclass(frozen=True, slots=True)
class Record:
    """A row of a table. Whatever cannot be read raises `UnreadableFile` with file, line, column and value."""

    path: Path
    line: int
    cells: Mapping[str, str]

    def text(self, column: str) -> str:
        """A text that must be there."""
        value = self.cells[column].strip()
        if not value:
            raise self.refused(column, "it is empty")
        return value

    def optional(self, column: str) -> str | None:
        """A text, or None."""
        return self.cells[column].strip() or None

    def doubt(self, column: str) -> str | None:
        """What is doubtful about the row, which begins with "?"; None where nothing is."""
        value = self.optional(column)
        if value is not None and not value.startswith("?"):
            raise self.refused(column, "a doubt begins with ?")
        return value

    def whole(self, column: str) -> int:
        """A whole number that is not negative."""
        value = self.text(column)
        if not (value.isascii() and value.isdigit()) or len(value) > 9:
            raise self.refused(column, "it is no whole number")
        return int(value)

    def day(self, column: str) -> date | None:
        """A day as YYYY-MM-DD, or None."""
        value = self.optional(column)
        try:
            return None if value is None else iso_day(value)
        except ValueError:
            raise self.refused(column, "it is no day such as 2026-07-01") from None

    def word(self, column: str, kind: type[Word]) -> Word:
        """One of the words of a kind."""
        value = self.text(column)
        try:
            return kind(value)
        except ValueError:
            raise self.refused(column, f"it is none of {', '.join(kind)}") from None

    def answer(self, column: str) -> bool | None:
        """Yes, no, or None where the law does not say."""
        value = self.cells[column].strip()
        if value not in _ANSWERS:
            raise self.refused(column, "it is neither yes nor no nor empty")
        return _ANSWERS[value]

    def refused(self, column: str, why: str) -> UnreadableFile:
        """The error that names this row."""
        return UnreadableFile(self.path, f"line {self.line}, column {column} ({self.cells[column][:40]!r}): {why}")


def iso_day(text: str) -> date:
    """A day as YYYY-MM-DD and in no other way ISO 8601 has.

    Raises:
        ValueError: it is none.
    """
    if not _DAY.fullmatch(text):
        raise ValueError(text[:20])
    return date.fromisoformat(text)


def records(path: Path, columns: Sequence[str]) -> Iterator[Record]:
    """The rows of a table in UTF-8 that has exactly these columns.

    Raises:
        UnreadableFile: it is missing, no such table, or a row has more or fewer cells.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            if reader.fieldnames is None or list(reader.fieldnames) != list(columns):
                raise UnreadableFile(path, f"its first line must be: {','.join(columns)}")
            for row in reader:
                if reader.line_num > LINES_MOST:
                    raise UnreadableFile(path, f"it has more than {LINES_MOST} lines")
                if None in row or None in row.values():
                    raise UnreadableFile(path, f"line {reader.line_num} has more or fewer than {len(columns)} cells")
                yield Record(path, reader.line_num, row)
    except OSError as error:
        raise UnreadableFile(path, error.strerror or "it cannot be read") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise UnreadableFile(path, f"not a table in UTF-8 ({error})") from error

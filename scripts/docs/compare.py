"""Whether a page shows what the program said, but for what legitimately differs from run to run.

What may differ is known by its form (`VARIABLE`), where the page shows some of that form: a moment, a hash. Else a page
says `…` in a line for any text, and `…` alone in a line for any number of lines.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

ELLIPSIS = "…"
_ANY_LINES = re.compile(r"\s*…\s*")

VARIABLE = {
    "moment": r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d(?::?\d\d)?)?",
    "http_date": r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT",
    "uuid": r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
    "hex": r"\b[0-9a-f]{12,68}\b",
    "etag": r"\"[0-9a-f]{16,64}(?:-\w+)?\"",
    "key": r"\bdiaba_[0-9a-f]{12}_[\w-]{20,}",
    "token": r"\beyJ[\w-]+\.[\w-]+\.[\w-]+",
    "secret": r"\b[0-9A-Z]{4}(?:-[0-9A-Z]{4}){3}\b",
    "seconds": r"\b\d+(?:\.\d+)? (?:s|ms)\b",
    "size": r"\b\d+(?:\.\d+)? [kMG]i?B\b",
    "process": r"\bpid:? \d+\b",
    "socket": r"(?:/|%2F)tmp(?:/|%2F)diaba-\d+-[0-9a-f]{16}",
}
"""Name → the form of what may differ: what is shown and what is said must both have it."""
_FORMS = re.compile("|".join(f"(?P<{name}>{form})" for name, form in VARIABLE.items()))
_DAY = re.compile(r"\b\d{4}-\d\d-\d\d\b")


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The first line that differs: its index in what is shown, and in what was said; None where no line fits it."""

    shown: int
    said: int | None


def mismatch(shown: Sequence[str], said: Sequence[str], today: Collection[date]) -> Mismatch | None:
    """The first place where what is shown is not what was said; None where it is.

    Args:
        shown: a page's lines, with ellipses.
        said: the program's lines.
        today: the day of the run, of which there are two while it is night in Vietnam: where the program says it, any
            day may stand in the page.
    """
    # How many lines of what was said the lines up to here may stand for, as a shell's `*` fits letters.
    used = [0]
    for index, line in enumerate(shown):
        if _ANY_LINES.fullmatch(line):
            used = list(range(used[0], len(said) + 1))
            continue
        pattern = pattern_of(line, today)
        following = [count + 1 for count in used if count < len(said) and pattern.fullmatch(said[count])]
        if not following:
            return Mismatch(index, used[0] if len(used) == 1 else None)
        used = following
    return None if used[-1] == len(said) else Mismatch(len(shown), used[-1])


def pattern_of(line: str, today: Collection[date]) -> re.Pattern[str]:
    """What a program may say where a page shows this line."""
    parts, place, line = [], 0, line.rstrip()
    for found in _FORMS.finditer(line):
        parts.append(_literal(line[place : found.start()], today))
        parts.append(f"(?:{VARIABLE[str(found.lastgroup)]})")
        place = found.end()
    return re.compile("".join([*parts, _literal(line[place:], today)]) + r"\s*")


def _literal(text: str, today: Collection[date]) -> str:
    """Text as it is, but for ellipses, and for days, in whose place the program may say today."""
    escaped = ".*".join(re.escape(part) for part in text.split(ELLIPSIS))
    days = "|".join(day.isoformat() for day in today)
    return re.sub(r"\b\d{4}\\-\d\d\\-\d\d\b", lambda day: f"(?:{day[0]}|{days})", escaped)


def rewritten(shown: Sequence[str], said: Sequence[str], today: Collection[date]) -> list[str]:
    """What a page should show: what was said, as much of it as the page showed.

    Where the page has a line of ellipsis, as many lines before the first and after the last stay; where a line has one,
    as many characters. A line that is right stays as it is.
    """

    def line_for(old: str, new: str) -> str:
        return old if pattern_of(old, today).fullmatch(new) else _shortened(old, new)

    gaps = [index for index, line in enumerate(shown) if _ANY_LINES.fullmatch(line)]
    head, tail = (shown[: gaps[0]], shown[gaps[-1] + 1 :]) if gaps else (shown, ())
    if not gaps or len(said) <= len(head) + len(tail):
        return [line_for(shown[n], new) if n < len(head) else new for n, new in enumerate(said)]
    first = [line_for(old, new) for old, new in zip(head, said, strict=False)]
    last = [line_for(old, new) for old, new in zip(tail, said[len(said) - len(tail) :], strict=True)]
    return [*first, shown[gaps[0]], *last]


def _shortened(old: str, new: str) -> str:
    if ELLIPSIS not in old:
        return new
    head, tail = old.index(ELLIPSIS), len(old) - old.rindex(ELLIPSIS) - 1
    return new if len(new) <= head + tail + 1 else new[:head] + ELLIPSIS + new[len(new) - tail :]

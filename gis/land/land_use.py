"""Land uses of a parcel (mục đích sử dụng đất): one parcel may carry several, each with its own area, term and origin.

Areas are in square metres, as papers state them; together they are the parcel's. As text, for files and commands:
`ODT 60; CLN 140.5 until 2050-12-31 (Nhà nước giao đất)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from gis.errors import BadInput

CODE = re.compile(r"[A-Z]{3}")
"""A land use: ODT, CLN, LUC …"""
ROUNDING = 0.1
"""m²; papers state areas in tenths, so each portion may be off by as much, and all by that many times."""
MOST = 20
"""Land uses of one parcel."""
ORIGIN_MOST = 200
"""Characters of an origin."""
_TEXT = re.compile(
    r"(?P<code>[A-Z]{3}) (?P<area>\d{1,10}(\.\d{1,2})?)( until (?P<term>\d{4}-\d\d-\d\d))?( \((?P<origin>.+)\))?"
)


@dataclass(frozen=True, slots=True)
class LandUsePortion:
    """A part of a parcel's area under one use; where it lies in the parcel is not said."""

    code: str
    area: float
    """m², in hundredths."""
    term_end: date | None = None
    """The last day of its term; None: for long (lâu dài)."""
    origin: str | None = None
    """How the land came to this use: allocation, lease, recognition, and by which paper."""

    @property
    def kind(self) -> tuple[str, date | None, str | None]:
        """All but the area."""
        return self.code, self.term_end, self.origin

    def __str__(self) -> str:
        """As files and commands have it."""
        term = f" until {self.term_end}" if self.term_end else ""
        return f"{self.code} {self.area:.2f}".rstrip("0").rstrip(".") + term + (f" ({self.origin})" * bool(self.origin))


Portions = tuple[LandUsePortion, ...]


def written(portions: Iterable[LandUsePortion]) -> str | None:
    """As text; None where there is none."""
    return "; ".join(map(str, portions)) or None


def parsed(text: str | None) -> Portions:
    """The land uses of a text.

    Raises:
        BadInput: it is not such a text.
    """
    found: list[LandUsePortion] = []
    for part in (text or "").split(";"):
        if not part.strip():
            continue
        match = _TEXT.fullmatch(part.strip())
        if match is None:
            raise BadInput(f"land uses {part.strip()[:60]!r}: say them as ODT 60; CLN 140.5 until 2050-12-31 (origin)")
        found.append(portion(match["code"], float(match["area"]), match["term"], match["origin"]))
    if len(found) > MOST:
        raise BadInput(f"{len(found)} land uses of one parcel; at most {MOST} are taken")
    return tuple(found)


def portion(code: str, area: float, term_end: date | str | None = None, origin: str | None = None) -> LandUsePortion:
    """A portion of values that were told.

    Raises:
        BadInput: one of them cannot be.
    """
    if not CODE.fullmatch(code):
        raise BadInput(f"land use {code!r}: a code of three capital letters, such as ODT")
    if not 0.01 <= area < 1e10:
        raise BadInput(f"land use {code}: {area:g} m² is no area")
    if origin is not None and (";" in origin or len(origin) > ORIGIN_MOST or not origin.isprintable()):
        raise BadInput(f"land use {code}: an origin has up to {ORIGIN_MOST} letters and no semicolon")
    try:
        term = date.fromisoformat(term_end) if isinstance(term_end, str) else term_end
    except ValueError as error:
        raise BadInput(f"land use {code}: its term {term_end!r} is no day") from error
    return LandUsePortion(code, round(area, 2), term, origin)


def documents(portions: Iterable[LandUsePortion]) -> list[dict[str, Any]] | None:
    """As the store keeps them; None where there is none."""
    return [
        {"code": one.code, "area": one.area}
        | ({"term_end": one.term_end.isoformat()} if one.term_end else {})
        | ({"origin": one.origin} if one.origin else {})
        for one in portions
    ] or None


def of_documents(listed: Iterable[Mapping[str, Any]] | None) -> Portions:
    """The land uses of what the store keeps."""
    return tuple(
        LandUsePortion(
            one["code"],
            float(one["area"]),
            date.fromisoformat(one["term_end"]) if one.get("term_end") else None,
            one.get("origin"),
        )
        for one in listed or ()
    )


def total(portions: Iterable[LandUsePortion]) -> float:
    """Their area together, m²."""
    return round(sum(one.area for one in portions), 2)


def adds_up(portions: Sequence[LandUsePortion], area: float) -> bool:
    """Whether together they are an area (m²), but for what the tenths of papers round off."""
    return abs(total(portions) - area) <= ROUNDING * len(portions) + 1e-6


def main_use(portions: Sequence[LandUsePortion]) -> str | None:
    """The use of the largest area; of equal ones the first."""
    by_code: dict[str, float] = {}
    for one in portions:
        by_code[one.code] = by_code.get(one.code, 0.0) + one.area
    return max(by_code, key=lambda code: by_code[code]) if by_code else None


def combined(portions: Iterable[LandUsePortion]) -> Portions:
    """Those of one kind as one, in the order they come."""
    found: dict[tuple[str, date | None, str | None], LandUsePortion] = {}
    for one in portions:
        before = found.get(one.kind)
        found[one.kind] = one if before is None else replace(one, area=round(before.area + one.area, 2))
    return tuple(found.values())


def fitted(portions: Portions, area: float) -> Portions:
    """The same uses of a parcel whose area (m²) is another now, in the same proportions; the largest takes the rest."""
    if not portions or adds_up(portions, area):
        return portions
    factor = area / total(portions)
    scaled = [replace(one, area=max(0.01, round(one.area * factor, 2))) for one in portions]
    largest = max(range(len(scaled)), key=lambda place: scaled[place].area)
    rest = area - total(one for place, one in enumerate(scaled) if place != largest)
    scaled[largest] = replace(scaled[largest], area=round(rest, 2))
    return tuple(scaled)


def changed(portions: Portions, before: str, after: LandUsePortion) -> Portions:
    """A part of an area under one use put under another.

    Args:
        portions: as they are.
        before: the use the part had; of several portions under it the first give first.
        after: the part's use from now on, with its area.

    Raises:
        BadInput: there is not as much under that use.
    """
    there = total(one for one in portions if one.code == before)
    if after.area > there + 1e-6:
        raise BadInput(f"{after.area:g} m² of {before} were to change, there are {there:g} m²")
    left = after.area
    kept: list[LandUsePortion] = []
    for one in portions:
        taken = min(one.area, left) if one.code == before else 0.0
        left = round(left - taken, 2)
        if one.area - taken >= 0.01:
            kept.append(replace(one, area=round(one.area - taken, 2)))
    return combined([*kept, after])

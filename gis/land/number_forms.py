"""How people write the number of a parcel: "12/345", "tờ 12 thửa 345", "thửa đất số 345, tờ bản đồ số 12"."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

TEXT_MOST = 200
"""Characters of a text that is looked at."""
_NUMBER = r"([0-9]{1,6}[a-z]?)"
_SHEET = rf"(?:to ban do|ban do|sheet|tbd|to)(?: so)? ?{_NUMBER}"
_PARCEL = rf"(?:thua dat|thua|parcel)(?: so)? ?{_NUMBER}"
_SHEET_FIRST = re.compile(rf"{_SHEET} {_PARCEL}", re.ASCII)
_PARCEL_FIRST = re.compile(rf"{_PARCEL} {_SHEET}", re.ASCII)
_SHORT = re.compile(rf"{_NUMBER} ?[/-] ?{_NUMBER}", re.ASCII)
_ALONE = re.compile(_NUMBER, re.ASCII)


class ParcelNumber(NamedTuple):
    """A parcel's number on its map sheet, as text: numbers may end in a letter."""

    sheet: str
    parcel: str


def parse(text: str) -> ParcelNumber | None:
    """The number a text is, sheet before parcel in the short form; None where it is something else."""
    if len(text) > TEXT_MOST:
        return None
    plain = without_accents(text).strip()
    if match := _SHORT.fullmatch(plain):
        return ParcelNumber(match[1].upper(), match[2].upper())
    words = re.sub(r"[\s,;:.()]+", " ", plain).strip()
    if match := _SHEET_FIRST.fullmatch(words):
        return ParcelNumber(match[1].upper(), match[2].upper())
    if match := _PARCEL_FIRST.fullmatch(words):
        return ParcelNumber(match[2].upper(), match[1].upper())
    return None


def parcel_alone(text: str) -> str | None:
    """A bare parcel number, as drawings of one sheet have them; None where the text is something else."""
    match = _ALONE.fullmatch(text.strip().lower())
    return match[1].upper() if match else None


def spellings(number: str) -> tuple[str, ...]:
    """The number in large and small letters, and without leading zeros, which some registers write and some do not."""
    given = number.strip()
    forms = [form for bare in (given, given.lstrip("0")) for form in (bare, bare.upper(), bare.lower())]
    return tuple(dict.fromkeys(form for form in forms if form))


def without_accents(text: str) -> str:
    """Lower case without the marks of Vietnamese letters: "Đường Nguyễn Trãi" → "duong nguyen trai"."""
    parts = unicodedata.normalize("NFD", text.lower())
    return "".join(letter for letter in parts if not unicodedata.combining(letter)).replace("đ", "d")

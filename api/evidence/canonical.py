"""JSON in one form only, after RFC 8785 (JSON Canonicalization Scheme), so that equal content has one digest."""

from __future__ import annotations

import json
from decimal import Decimal
from hashlib import sha256
from math import isfinite
from typing import Any, Final

LARGEST: Final = 2**53
"""Whole numbers beyond are not the same in every program (RFC 8785, 3.2.2.3)."""


def canonical(document: Any) -> bytes:
    """The one text of a document of objects, lists, texts, numbers, truth values and null, as UTF-8.

    Raises:
        ValueError: a number is not finite, or a whole one is too large.
        TypeError: something has no place in JSON.
    """
    return _text(document).encode()


def digest(document: Any) -> str:
    """SHA-256 of the canonical text, hexadecimal."""
    return sha256(canonical(document)).hexdigest()


def _text(value: Any) -> str:
    if value is None or isinstance(value, bool | str):
        # What json escapes, and how, is what RFC 8785, 3.2.2.2 asks for.
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int):
        if abs(value) > LARGEST:
            raise ValueError(f"{value} is no number of every JSON program")
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_text, value))}]"
    if isinstance(value, dict):
        # Names are in the order of their UTF-16 code units (3.2.3).
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return f"{{{','.join(f'{_text(str(name))}:{_text(value[name])}' for name in names)}}}"
    raise TypeError(f"{type(value).__name__} has no place in JSON")


def _number(value: float) -> str:
    """As ECMAScript writes a number: the shortest digits that are this number, plain from 1e-6 to below 1e21."""
    if not isfinite(value):
        raise ValueError(f"{value} is no number of JSON")
    if value == 0:
        return "0"
    sign, figures, exponent = Decimal(repr(value)).normalize().as_tuple()
    digits, power = "".join(map(str, figures)), len(figures) + int(exponent)
    before = "-" if sign else ""
    if len(digits) <= power <= 21:
        return before + digits + "0" * (power - len(digits))
    if 0 < power <= 21:
        return f"{before}{digits[:power]}.{digits[power:]}"
    if -6 < power <= 0:
        return f"{before}0.{'0' * -power}{digits}"
    mantissa = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
    return f"{before}{mantissa}e{power - 1:+d}"

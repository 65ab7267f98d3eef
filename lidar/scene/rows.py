"""Rows of the registers, and the dates they carry."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

Row = dict[str, Any]
"""Columns by name; a geometry in the scene frame under `geom`."""

FLIGHT_DAY = date(2025, 3, 8)
"""Everything in the registers is older than the flight."""


def day(share: float, first: date, last: date) -> date:
    """The day that lies at a share (0 … 1) of the way between two."""
    return first + timedelta(days=int(share * (last - first).days))

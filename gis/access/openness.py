"""Whether the city shows the register of land to everybody."""

from __future__ import annotations

from enum import StrEnum


class Parcels(StrEnum):
    """To whom parcels, permits and what became of parcels are shown."""

    TO_ALL = "to-all"
    BY_WARD = "by-ward"
    """Each ward's to those who work for it."""

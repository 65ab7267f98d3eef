"""A parcel of land as the register holds it: one version of it, in one outline, for one time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from shapely import Polygon


@dataclass(frozen=True, slots=True)
class Parcel:
    """One version of a parcel."""

    uid: str
    version: int
    """Counts the versions of one uid; 0 of what the register does not hold yet."""
    polygon: Polygon
    """In the city's CRS, metres."""
    valid_from: date | None
    """First day it was so; None: since ever."""
    valid_to: date | None = None
    """First day it was no more so; None: it still is."""
    ward_code: str | None = None
    sheet_no: str | None = None
    parcel_no: str | None = None
    old_sheet_no: str | None = None
    """Before the last renumbering: old papers name the parcel so."""
    old_parcel_no: str | None = None
    land_use: str | None = None
    area_legal: float | None = None
    """m², as the papers say; None where no paper says it."""
    area_measured: float = 0.0
    """m², of the outline when it was surveyed or drawn."""
    address: str | None = None

    @property
    def number(self) -> tuple[str | None, str | None, str | None]:
        """What names it on a map: ward, sheet, parcel number."""
        return self.ward_code, self.sheet_no, self.parcel_no

    def meets(self, start: date | None) -> bool:
        """Whether it is so on a day or later."""
        return self.valid_to is None or start is None or start < self.valid_to

    def holds_on(self, day: date) -> bool:
        """Whether it is so on a day."""
        return (self.valid_from is None or self.valid_from <= day) and self.meets(day)


ATTRIBUTES = (
    "ward_code",
    "sheet_no",
    "parcel_no",
    "old_sheet_no",
    "old_parcel_no",
    "land_use",
    "area_legal",
    "area_measured",
    "address",
)
"""What a version says of a parcel besides its outline and its time."""

"""A parcel of land as the register holds it: one version of it, in one outline, for one time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from shapely import Polygon

from gis.land.land_use import LandUsePortion, Portions


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
    land_uses: Portions = ()
    """Where it has several uses, or one with a term or an origin: together the parcel's area; `land_use` is one."""

    @property
    def number(self) -> tuple[str | None, str | None, str | None]:
        """What names it on a map: ward, sheet, parcel number."""
        return self.ward_code, self.sheet_no, self.parcel_no

    @property
    def area(self) -> float:
        """m², as the papers say; as measured where none says it."""
        return self.area_measured if self.area_legal is None else self.area_legal

    @property
    def uses(self) -> Portions:
        """Its land uses with their areas; none where no use is known."""
        if self.land_uses or self.land_use is None:
            return self.land_uses
        return (LandUsePortion(self.land_use, round(self.area, 2)),)

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

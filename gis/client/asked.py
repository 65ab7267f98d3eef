"""What planners say, made into values once: a box in the city's CRS, a day, a moment."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import UTC, date, datetime
from typing import TypeAlias

from pyproj import CRS

from gis.bounds import BoundingBox
from gis.crs import CrsLike, horizontal
from gis.errors import BadParameter

Box: TypeAlias = "BoundingBox | tuple[float, float, float, float]"
Day: TypeAlias = "date | str"
Moment: TypeAlias = "datetime | str"


class Placed(ABC):
    """What has a CRS, in which boxes are understood."""

    @property
    @abstractmethod
    def crs(self) -> CRS:
        """The city's CRS, horizontal."""

    def _bounds(self, bbox: Box | None, crs: CrsLike | None) -> BoundingBox | None:
        return None if bbox is None else self._needed(bbox, crs)

    def _needed(self, bbox: Box | None, crs: CrsLike | None) -> BoundingBox:
        if bbox is None:
            raise BadParameter("bbox", bbox, "say where: west, south, east, north")
        box = bbox if isinstance(bbox, BoundingBox) else BoundingBox(*bbox, crs=horizontal(crs or self.crs))
        return box.to(self.crs)


def day_of(value: Day | None) -> date | None:
    """The day that was named.

    Raises:
        BadParameter: it is none.
    """
    if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
        return value
    try:
        return date.fromisoformat(value) if isinstance(value, str) else value.date()
    except ValueError as error:
        raise BadParameter("as_of", value, "give a day such as 2026-01-31") from error


def moment_of(value: Moment | None) -> datetime | None:
    """The moment that was named; of a time without a zone it is UTC's.

    Raises:
        BadParameter: it is none.
    """
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError as error:
        raise BadParameter("known_at", value, "give a time such as 2026-01-31T12:00:00Z") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)

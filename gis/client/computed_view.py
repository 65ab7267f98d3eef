"""What is computed of a city when it is asked for: change between surveys, land under water, a lot's envelope."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from shapely.geometry.base import BaseGeometry

from gis.bounds import BoundingBox
from gis.client import tables
from gis.client.asked import Box, Day, Placed, day_of
from gis.client.lot import LotEnvelope
from gis.client.tables import Feature
from gis.crs import CrsLike

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

CHANGES = ("uid", "change", "parcel_uid", "delta", "sigma", "unit", "confidence", "evidence")
FLOOD = ("kind", "area", "depth", "volume", "uid", "share", "deepest", "probability")
"""Columns of changes, and of land under water; an area of water has no `uid`, a lot no `volume`."""


class ComputedView(Placed):
    """Answers about a city that no register holds."""

    def changes(self, from_: str, to: str, bbox: Box | None = None, *, crs: CrsLike | None = None) -> GeoDataFrame:
        """Buildings that changed between two surveys: uid, change, delta ± sigma (m or m²), confidence.

        Raises:
            NotFound: the surveys were not compared (`diaba compliance change`).
        """
        found = self._changes(from_, to, self._bounds(bbox, crs))
        return tables.frame(found, self.crs, crs, None, CHANGES)

    def earth(self, from_: str, to: str, bbox: Box, *, crs: CrsLike | None = None) -> dict[str, Any]:
        """Volumes of cut, fill and net in m³ with σ between two surveys, over a box.

        Raises:
            NotFound: an epoch is not known, or has no terrain there.
            BadParameter: the box has too many cells.
        """
        return self._earth(from_, to, self._needed(bbox, crs))

    def flood(
        self,
        level: float,
        bbox: Box,
        *,
        crs: CrsLike | None = None,
        sigma_level: float = 0.0,
        epoch: str | None = None,
    ) -> GeoDataFrame:
        """Land under water at a level, m above the city's datum: areas (`kind` "water") and the parcels in it ("lot").

        Columns: `depth` m on the mean; of water `area` m² and `volume` m³; of a lot its `uid`, the `share` of it under
        water, its `deepest` place in m, and the `probability` with which a place of it is.

        Raises:
            NotFound: no terrain is known there.
            BadParameter: the level makes no sense, or the box has too many cells.
        """
        found = self._flood(level, self._needed(bbox, crs), sigma_level, epoch)
        return tables.frame(found, self.crs, crs, None, FLOOD)

    def envelope(
        self,
        uid: str,
        *,
        filed_on: Day | None = None,
        as_of: Day | None = None,
        use: str | None = None,
        area_kind: str | None = None,
        height: float | None = None,
        crs: CrsLike | None = None,
    ) -> LotEnvelope:
        """What may be built on a parcel: limits with their texts, and the space walls and roofs have to lie in.

        Args:
            uid: The parcel's.
            filed_on: The day whose rules apply; today without it.
            as_of: The day of parcel, roads and zones; `filed_on`, and today at most, without it.
            use: "detached", "attached", "apartments" or "service"; an attached house without it.
            area_kind: "existing" or "new"; new, the stricter, without it.
            height: Metres the building would have, where nothing limits it.
            crs: Of the outlines; the city's own without it.

        Raises:
            NotFound: there is no such parcel on that day.
            BadInput: what was asked cannot be used.
        """
        document, outlines = self._envelope(uid, day_of(filed_on), day_of(as_of), use, area_kind, height)
        return LotEnvelope.of(document, outlines, self.crs, crs)

    @abstractmethod
    def _changes(self, from_: str, to: str, bounds: BoundingBox | None) -> Iterable[Feature]:
        """Changes of buildings, geometry in the city's CRS."""

    @abstractmethod
    def _earth(self, from_: str, to: str, bounds: BoundingBox) -> dict[str, Any]:
        """The figures of earth moved."""

    @abstractmethod
    def _flood(self, level: float, bounds: BoundingBox, sigma_level: float, epoch: str | None) -> Iterable[Feature]:
        """Areas of water and lots, geometry in the city's CRS."""

    @abstractmethod
    def _envelope(
        self,
        uid: str,
        filed_on: date | None,
        as_of: date | None,
        use: str | None,
        area_kind: str | None,
        height: float | None,
    ) -> tuple[Mapping[str, Any], list[BaseGeometry]]:
        """The answer, and the outlines of the lot and of the steps in the city's CRS."""

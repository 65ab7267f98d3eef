"""What can be asked of a city. Where it lies, in a store or behind a service, is its children's business."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from gis.bounds import BoundingBox
from gis.calendar import today
from gis.city_model.building import Building
from gis.city_model.roof_surfaces import roof_surfaces
from gis.client import tables
from gis.client.lot import LotEnvelope
from gis.client.tables import Feature
from gis.construction.inspections import Inspection, Outcome
from gis.crs import CrsLike, horizontal, transformer
from gis.errors import BadParameter
from gis.raster import Raster
from gis.store.cases import CASES

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from pandas import DataFrame

Box: TypeAlias = "BoundingBox | tuple[float, float, float, float]"
Day: TypeAlias = "date | str"
Moment: TypeAlias = "datetime | str"


CASE_FILTERS = frozenset({"kind", "status", "ward", "epoch", "building", "parcel", "assigned_to"})
COUNTS = ("flagged", "open", "closed", "inspected", "confirmed", "resolved", "dismissed", "further_inspections")
STATISTICS = (
    *("kind", *COUNTS[:-1], "precision", "precision_low", "precision_high", "false_alarm_rate"),
    *("recommended_rate", "recommended_precision", "recommended_flagged", "further_inspections"),
)
"""Columns of the statistics."""


class CityView(ABC):
    """A city. Frames have the public columns of its register, one row a feature in the order of their keys.

    Each layer is asked for in the same way:

    - `bbox`: features that share a point with it; west, south, east, north in `crs`.
    - `crs`: of the frame and of `bbox`; the city's own without it. Between VN-2000 and WGS 84 one way is used.
    - `as_of`: the day when it was so; today without it.
    - `known_at`: the moment when the register knew it; now without it. A time without zone is UTC.
    - anything else: a property's value, `land_use="ODT"`.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """The city's name."""

    @property
    @abstractmethod
    def crs(self) -> CRS:
        """The city's CRS, horizontal."""

    def parcels(
        self,
        bbox: Box | None = None,
        *,
        crs: CrsLike | None = None,
        as_of: Day | None = None,
        known_at: Moment | None = None,
        **properties: str,
    ) -> GeoDataFrame:
        """Parcels of the register."""
        return self.layer("parcels", bbox, crs=crs, as_of=as_of, known_at=known_at, **properties)

    def permits(
        self,
        bbox: Box | None = None,
        *,
        crs: CrsLike | None = None,
        as_of: Day | None = None,
        known_at: Moment | None = None,
        **properties: str,
    ) -> GeoDataFrame:
        """Building permits with their limits; the geometry is the permitted footprint, None where there is none."""
        return self.layer("permits", bbox, crs=crs, as_of=as_of, known_at=known_at, **properties)

    def buildings(
        self,
        bbox: Box | None = None,
        *,
        crs: CrsLike | None = None,
        as_of: Day | None = None,
        known_at: Moment | None = None,
        **properties: str,
    ) -> GeoDataFrame:
        """Measured buildings with heights ± σ, each as the last campaign before the day measured it."""
        return self.layer("buildings", bbox, crs=crs, as_of=as_of, known_at=known_at, **properties)

    def zones(
        self,
        bbox: Box | None = None,
        *,
        crs: CrsLike | None = None,
        as_of: Day | None = None,
        known_at: Moment | None = None,
        **properties: str,
    ) -> GeoDataFrame:
        """Planning zones with their limits."""
        return self.layer("planning_zones", bbox, crs=crs, as_of=as_of, known_at=known_at, **properties)

    def roads(
        self,
        bbox: Box | None = None,
        *,
        crs: CrsLike | None = None,
        as_of: Day | None = None,
        known_at: Moment | None = None,
        **properties: str,
    ) -> GeoDataFrame:
        """Road axes with the width of their reserve, metres."""
        return self.layer("roads", bbox, crs=crs, as_of=as_of, known_at=known_at, **properties)

    def discrepancies(
        self,
        bbox: Box | None = None,
        *,
        crs: CrsLike | None = None,
        known_at: Moment | None = None,
        **properties: str,
    ) -> GeoDataFrame:
        """Where the measured city differs from the registered one, for a person to inspect; at the building."""
        return self.layer("discrepancies", bbox, crs=crs, known_at=known_at, **properties)

    def cases(
        self,
        bbox: Box | None = None,
        *,
        crs: CrsLike | None = None,
        known_at: Moment | None = None,
        min_confidence: float | None = None,
        **properties: str,
    ) -> GeoDataFrame:
        """Differences as cases of work: with their status, whom they are assigned to and what inspections found.

        `kind` and `status` may name several, parted by commas; besides there are `ward`, `epoch`, `building`, `parcel`
        and `assigned_to`.

        Raises:
            BadParameter: there is no such filter, or no such status.
        """
        if unknown := set(properties) - CASE_FILTERS:
            raise BadParameter(min(unknown), "…", f"no such filter; there are {', '.join(sorted(CASE_FILTERS))}")
        found = self._cases(self._bounds(bbox, crs), _moment(known_at), min_confidence, properties)
        return tables.frame(found, self.crs, crs, None, tuple(CASES.properties))

    def statistics(self, epoch: str | None = None) -> DataFrame:
        """What inspections say of each kind of difference, in one survey or all: how many were flagged, inspected and
        real, the interval (95 %) of that share, and the false-alarm rate that the outcomes recommend.

        Only flagged buildings are counted: nothing is said of what was missed.
        """  # noqa: D205
        import pandas

        rows = list(self._statistics(epoch))
        told = pandas.DataFrame(rows, columns=STATISTICS)
        figures = {name: "int64" if name in COUNTS else "float64" for name in STATISTICS if name != "kind"}
        return told.astype(figures)

    def changes(self, from_: str, to: str, bbox: Box | None = None, *, crs: CrsLike | None = None) -> GeoDataFrame:
        """Buildings that changed between two surveys: uid, change, delta ± sigma (m or m²), confidence.

        Raises:
            NotFound: the surveys were not compared (`diaba compliance change`).
        """
        found = self._changes(from_, to, self._bounds(bbox, crs))
        return tables.frame(found, self.crs, crs, None)

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

        Raises:
            NotFound: no terrain is known there.
            BadParameter: the level makes no sense, or the box has too many cells.
        """
        found = self._flood(level, self._needed(bbox, crs), sigma_level, epoch)
        return tables.frame(found, self.crs, crs, None)

    def layer(
        self,
        collection: str,
        bbox: Box | None = None,
        *,
        crs: CrsLike | None = None,
        as_of: Day | None = None,
        known_at: Moment | None = None,
        **properties: str,
    ) -> GeoDataFrame:
        """Any layer, by the name of its collection.

        Raises:
            NotFound: there is no such collection.
            BadParameter: a value or a property cannot be used.
        """
        found = self._features(collection, self._bounds(bbox, crs), _day(as_of), _moment(known_at), properties)
        return tables.frame(found, self.crs, crs, collection)

    def search(
        self,
        text: str,
        *,
        crs: CrsLike | None = None,
        as_of: Day | None = None,
        known_at: Moment | None = None,
        limit: int = 20,
    ) -> GeoDataFrame:
        """Parcels by a number (`12/345`) or words of an address, accents or not; `found_by` says by what."""
        return tables.frame(self._search(text, _day(as_of), _moment(known_at), limit), self.crs, crs, None)

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
        document, outlines = self._envelope(uid, _day(filed_on), _day(as_of), use, area_kind, height)
        return LotEnvelope.of(document, outlines, self.crs, crs)

    def terrain(
        self,
        bbox: Box | None = None,
        *,
        crs: CrsLike | None = None,
        product: str = "dtm",
        epoch: str | None = None,
    ) -> Raster:
        """Heights in the city's CRS with their σ as a band: "dtm", "dsm" or "ndsm", of the newest campaign that knows.

        Raises:
            NotFound: it was not built yet, or not there.
            BadParameter: the box has too many cells.
        """
        return self._raster(product, self._bounds(bbox, crs), epoch)

    def height_at(
        self, x: float, y: float, *, crs: CrsLike | None = None, product: str = "dtm", epoch: str | None = None
    ) -> float:
        """The height of the cell at a place, metres above the city's vertical datum; NaN where none is known."""
        if crs is not None and horizontal(crs) != self.crs:
            x, y = transformer(crs, self.crs).transform(x, y)
        return self._height(product, x, y, epoch)

    def models(
        self, bbox: Box, *, crs: CrsLike | None = None, as_of: Day | None = None, known_at: Moment | None = None
    ) -> list[Building]:
        """The buildings that share a point with a box, each with all its models, in the city's CRS.

        Raises:
            BadParameter: they are more than 100,000.
        """
        return self._models(self._needed(bbox, crs), _day(as_of), _moment(known_at))

    def roofs(
        self, bbox: Box, *, crs: CrsLike | None = None, as_of: Day | None = None, known_at: Moment | None = None
    ) -> GeoDataFrame:
        """The roof surfaces of the best models in a box, polygons in space of the city's CRS, a row each.

        Columns: `uid` of the building, `lod`, `slope_deg` from the horizontal, `azimuth_deg` of the way down, clockwise
        from grid north (NaN where it is flat), `area_m2` in its plane.
        """
        import geopandas

        columns, shapes = roof_surfaces(self.models(bbox, crs=crs, as_of=as_of, known_at=known_at))
        return geopandas.GeoDataFrame(columns, geometry=shapes, crs=self.crs)

    def files(
        self, collection: str, bbox: Box | None = None, *, crs: CrsLike | None = None, epoch: str | None = None
    ) -> list[Path | str]:
        """Where the catalogue's files of an area lie, in the order of their keys: paths, or addresses of the service.

        Args:
            collection: "points" (classified, COPC), "survey" (as delivered), "dtm", "dsm" or "ndsm".
            bbox: files that share a point with it; all without it.
            crs: of the box; the city's without it.
            epoch: of this campaign alone.

        Raises:
            NotFound: there is no such collection.
        """
        return self._files(collection, self._bounds(bbox, crs), epoch)

    def inspect(
        self,
        case: str,
        outcome: Outcome | str,
        *,
        on: Day | None = None,
        value: float | None = None,
        note: str | None = None,
    ) -> None:
        """Record what somebody saw on the ground. It is kept for ever; a later inspection may say otherwise.

        Args:
            case: its id, as `cases` and `discrepancies` tell it.
            outcome: "confirmed", "within_limits", "register_wrong" or "not_accessible".
            on: the day; today without it.
            value: what was measured, in the case's unit.
            note: in words.

        Raises:
            NotFound: there is no such case.
            Conflict: that may not happen to it now, or somebody was faster.
            BadParameter: a value cannot be used.
            Refused: the service does not let this caller do it.
        """
        try:
            found = Outcome(outcome)
        except ValueError:
            raise BadParameter("outcome", str(outcome)[:40], f"there are {', '.join(Outcome)}") from None
        self._inspect(case, Inspection(_day(on) or today(), found, value, note).check(today()))

    @abstractmethod
    def dossier(self, receipt: str, secret: str) -> dict[str, Any]:
        """Where a dossier stands, for whoever holds its receipt: status, due day, next step, nobody's name.

        Raises:
            NotFound: there is none of that number and secret; nothing tells which of both is wrong.
        """

    def _bounds(self, bbox: Box | None, crs: CrsLike | None) -> BoundingBox | None:
        return None if bbox is None else self._needed(bbox, crs)

    def _needed(self, bbox: Box | None, crs: CrsLike | None) -> BoundingBox:
        if bbox is None:
            raise BadParameter("bbox", bbox, "say where: west, south, east, north")
        box = bbox if isinstance(bbox, BoundingBox) else BoundingBox(*bbox, crs=horizontal(crs or self.crs))
        return box.to(self.crs)

    @abstractmethod
    def _features(
        self,
        collection: str,
        bounds: BoundingBox | None,
        day: date | None,
        known_at: datetime | None,
        properties: Mapping[str, str],
    ) -> Iterable[Feature]:
        """Features in the order of their keys, geometry in the city's CRS."""

    @abstractmethod
    def _cases(
        self,
        bounds: BoundingBox | None,
        known_at: datetime | None,
        min_confidence: float | None,
        properties: Mapping[str, str],
    ) -> Iterable[Feature]:
        """Cases in the order of their ids, geometry in the city's CRS."""

    @abstractmethod
    def _statistics(self, epoch: str | None) -> Iterable[Mapping[str, Any]]:
        """A row of each kind, of the columns `STATISTICS` and others."""

    @abstractmethod
    def _search(self, text: str, day: date | None, known_at: datetime | None, limit: int) -> Iterable[Feature]:
        """Parcels found, the best first."""

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

    @abstractmethod
    def _raster(self, product: str, bounds: BoundingBox | None, epoch: str | None) -> Raster:
        """The cells of a product."""

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
    def _models(self, bounds: BoundingBox, day: date | None, known_at: datetime | None) -> list[Building]:
        """Buildings of a box in the city's CRS, by uid."""

    @abstractmethod
    def _files(self, collection: str, bounds: BoundingBox | None, epoch: str | None) -> list[Path | str]:
        """Files by their keys."""

    @abstractmethod
    def _inspect(self, case: str, seen: Inspection) -> None:
        """Add an inspection to a case."""

    @abstractmethod
    def _height(self, product: str, x: float, y: float, epoch: str | None) -> float:
        """The value at a place in the city's CRS, NaN where there is none."""


def _day(value: Day | None) -> date | None:
    if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
        return value
    try:
        return date.fromisoformat(value) if isinstance(value, str) else value.date()
    except ValueError as error:
        raise BadParameter("as_of", value, "give a day such as 2026-01-31") from error


def _moment(value: Moment | None) -> datetime | None:
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError as error:
        raise BadParameter("known_at", value, "give a time such as 2026-01-31T12:00:00Z") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)

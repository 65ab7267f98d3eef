"""What can be asked of a city. Where it lies, in a store or behind a service, is its children's business."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gis.bounds import BoundingBox
from gis.city_model.building import Building
from gis.city_model.roof_surfaces import roof_surfaces
from gis.client import tables
from gis.client.asked import Box, Day, Moment, day_of, moment_of
from gis.client.cases_view import CasesView
from gis.client.computed_view import ComputedView
from gis.client.tables import Feature
from gis.crs import CrsLike, horizontal, transformer
from gis.raster import Raster

if TYPE_CHECKING:
    from geopandas import GeoDataFrame


class CityView(CasesView, ComputedView):
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
        found = self._features(collection, self._bounds(bbox, crs), day_of(as_of), moment_of(known_at), properties)
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
        return tables.frame(self._search(text, day_of(as_of), moment_of(known_at), limit), self.crs, crs, None)

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
        return self._models(self._needed(bbox, crs), day_of(as_of), moment_of(known_at))

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

    def dossier(self, receipt: str, secret: str) -> dict[str, Any]:
        """Where a dossier stands, for whoever holds its receipt: status, due day, next step, nobody's name.

        Raises:
            NotFound: there is none of that number and secret; nothing tells which of both is wrong.
        """
        return self._dossier(receipt.strip().upper(), secret)

    @abstractmethod
    def _dossier(self, receipt: str, secret: str) -> dict[str, Any]:
        """The public status of the dossier of a receipt, written in capitals."""

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
    def _search(self, text: str, day: date | None, known_at: datetime | None, limit: int) -> Iterable[Feature]:
        """Parcels found, the best first."""

    @abstractmethod
    def _raster(self, product: str, bounds: BoundingBox | None, epoch: str | None) -> Raster:
        """The cells of a product."""

    @abstractmethod
    def _models(self, bounds: BoundingBox, day: date | None, known_at: datetime | None) -> list[Building]:
        """Buildings of a box in the city's CRS, by uid."""

    @abstractmethod
    def _files(self, collection: str, bounds: BoundingBox | None, epoch: str | None) -> list[Path | str]:
        """Files by their keys."""

    @abstractmethod
    def _height(self, product: str, x: float, y: float, epoch: str | None) -> float:
        """The value at a place in the city's CRS, NaN where there is none."""

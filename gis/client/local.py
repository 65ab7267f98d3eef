"""A city in this installation's store, read under the reader's login: no identities, nothing written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import shapely
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from gis.access.roles import Role
from gis.bounds import BoundingBox
from gis.calendar import today
from gis.city_model.building import Building
from gis.client.tables import Feature
from gis.client.view import CityView
from gis.construction import lot_answer
from gis.construction.case_statistics import as_row
from gis.construction.inspections import CaseStatus, Inspection
from gis.construction.lot_answer import Asked
from gis.construction.proposal import AreaKind, Use
from gis.construction.public_status import public_status
from gis.construction.rule_tables import city_rules
from gis.crs import horizontal, srid
from gis.errors import BadParameter, NotFound
from gis.raster import Raster, read_over
from gis.settings import City, Settings
from gis.store import building_changes, case_changes, cases, dossiers, holdings, lots, parcel_search
from gis.store.building_export import find_buildings, read_buildings
from gis.store.collections import COLLECTIONS, Collection, Moment
from gis.store.coverage import rasters_to_read
from gis.store.database import Database
from gis.store.items import ItemQuery, find_items
from gis.store.parcel_search import When
from gis.store.property_types import Kind, queryables

E = TypeVar("E", bound=StrEnum)

AT_ONCE = 20_000
"""Features of one statement."""
MODELS_AT_ONCE, MODELS_MOST = 500, 100_000
"""Buildings with all their models: of one statement, and of one answer, as the service has it."""
FILES_MOST = 100_000
CELLS_MOST = 500_000_000
"""Of a raster: 2 GB."""


@dataclass(frozen=True, slots=True)
class LocalCity(CityView):
    """A city and its database."""

    city: City
    database: Database

    @classmethod
    def named(cls, name: str | None, token: str | None = None) -> LocalCity:
        """The named city, or the only one there is; starts the private store if it sleeps."""
        if token is not None:
            raise BadParameter("token", "…", "a store takes no token; give the address of a service")
        settings = Settings.from_environment()
        city = settings.city(name)
        if not city.exists and settings.database_url is None:
            raise NotFound("city", f"{city.name}; make demo makes one")
        return cls(city, Database.of(city, settings, start=True))

    @property
    def name(self) -> str:  # noqa: D102
        return self.city.name

    @property
    def crs(self) -> CRS:  # noqa: D102
        return horizontal(self.city.crs)

    def _features(
        self,
        collection: str,
        bounds: BoundingBox | None,
        day: date | None,
        known_at: datetime | None,
        properties: Mapping[str, str],
    ) -> Iterator[Feature]:
        if collection not in COLLECTIONS:
            raise NotFound("collection", collection)
        layer = COLLECTIONS[collection]
        known = queryables(layer.properties)
        if unknown := set(properties) - set(known):
            raise BadParameter(min(unknown), "…", f"no such parameter; there are {', '.join(known)}")
        equal = {name: _value(name, text, known[name].kind) for name, text in properties.items()}
        query = ItemQuery(AT_ONCE, None if bounds is None else shapely.set_srid(bounds.polygon, srid(self.crs)))
        query = replace(query, moment=Moment(day, known_at=known_at), equal=equal)
        return self._items(layer, query)

    def _items(self, layer: Collection, query: ItemQuery) -> Iterator[Feature]:
        """All of what is asked for, in the order of the keys."""
        with self.database.open(Role.READER) as connection:
            while True:
                found = find_items(connection, layer, query)
                yield from (Feature(item.geometry, item.properties) for item in found)
                if len(found) < AT_ONCE:
                    return
                query = replace(query, after=(found[-1].key,))

    def _cases(
        self,
        bounds: BoundingBox | None,
        known_at: datetime | None,
        min_confidence: float | None,
        properties: Mapping[str, str],
    ) -> Iterator[Feature]:
        told = dict(properties)
        kinds, statuses = (
            [part.strip() for part in told.pop(name, "").split(",") if part.strip()] for name in ("kind", "status")
        )
        if strange := set(statuses) - set(CaseStatus):
            raise BadParameter("status", min(strange)[:40], f"there are {', '.join(CaseStatus)}")
        only = cases.CaseFilter(kinds, statuses, min_confidence=min_confidence, **told)
        query = ItemQuery(
            AT_ONCE,
            None if bounds is None else shapely.set_srid(bounds.polygon, srid(self.crs)),
            Moment(known_at=known_at),
            where=only.condition,
        )
        return self._items(cases.CASES, query)

    def _statistics(self, epoch: str | None) -> Iterator[Mapping[str, Any]]:
        with self.database.open(Role.READER) as connection:
            kinds, rate = cases.kind_statistics(connection, epoch)
        return (as_row(one, rate) for one in kinds)

    def _search(self, text: str, day: date | None, known_at: datetime | None, limit: int) -> Iterable[Feature]:
        with self.database.open(Role.READER) as connection:
            found = parcel_search.find(connection, text, When(day, known_at), limit=limit)
        return [Feature(one.shape, {**one.attributes, "found_by": str(one.by)}) for one in found.parcels]

    def _envelope(
        self,
        uid: str,
        filed_on: date | None,
        as_of: date | None,
        use: str | None,
        area_kind: str | None,
        height: float | None,
    ) -> tuple[Mapping[str, Any], list[BaseGeometry]]:
        filed = filed_on or today()
        day = as_of or min(filed, today())
        asked = Asked(
            filed,
            self.city.jurisdiction,
            None if use is None else _one_of(Use, "use", use),
            None if area_kind is None else _one_of(AreaKind, "area_kind", area_kind),
            height,
        )
        with self.database.open(Role.READER) as connection:
            lot = lots.find(connection, uid, day)
        found = lot_answer.answer(lot, asked, city_rules())
        try:
            terrain = self._raster("dtm", BoundingBox(*lot.shape.bounds, crs=self.crs), None)
            ground = lot_answer.ground_of(terrain, lot.shape)
        except (NotFound, BadParameter):
            ground = None
        document = {**lot_answer.document_of(found, ground), "as_of": day.isoformat()}
        return document, list(lot_answer.shapes_of(found))

    def _raster(self, product: str, bounds: BoundingBox | None, epoch: str | None) -> Raster:
        with self.database.open(Role.READER) as connection:
            files, grid = rasters_to_read(
                connection,
                self.city,
                product,
                bounds,
                epoch=epoch,
                files_most=FILES_MOST,
                cells_most=CELLS_MOST,
            )
        return read_over(files, grid)

    def _changes(self, from_: str, to: str, bounds: BoundingBox | None) -> Iterator[Feature]:
        with self.database.open(Role.READER) as connection:
            building_changes.comparison_of(connection, from_, to)
            found = building_changes.current(connection, from_, to, bounds=bounds)
        names = ("change", "parcel_uid", "delta", "sigma", "unit", "confidence", "evidence")
        for row in found.to_dict("records"):
            yield Feature(row["geom"], {"uid": row["building_uid"], **{name: row[name] for name in names}})

    def _earth(self, from_: str, to: str, bounds: BoundingBox) -> dict[str, Any]:
        with self.database.open(Role.READER) as connection:
            moved = _computed().earth(connection, self.city, from_, to, bounds.polygon)
        return {"from": from_, "to": to, **moved.figures}

    def _flood(self, level: float, bounds: BoundingBox, sigma_level: float, epoch: str | None) -> Iterable[Feature]:
        with self.database.open(Role.READER) as connection:
            found = _computed().flooded(connection, self.city, level, bounds, sigma_level=sigma_level, epoch=epoch)
        return [Feature(item.geometry, item.properties) for item in found]

    def _dossier(self, receipt: str, secret: str) -> dict[str, Any]:
        with self.database.open(Role.READER) as connection:
            found = dossiers.public(connection, receipt, secret)
        return public_status(found, dossiers.clock_of(found, today()))

    def _models(self, bounds: BoundingBox, day: date | None, known_at: datetime | None) -> list[Building]:
        area = shapely.set_srid(bounds.polygon, srid(self.crs))
        with self.database.open(Role.READER) as connection:
            keys = find_buildings(connection, area, Moment(day, known_at=known_at), most=MODELS_MOST).keys
            if len(keys) > MODELS_MOST:
                raise BadParameter("bbox", bounds.tuple, f"more than {MODELS_MOST} buildings are there")
            pages = [keys[start : start + MODELS_AT_ONCE] for start in range(0, len(keys), MODELS_AT_ONCE)]
            return [building for page in pages for building in read_buildings(connection, page)]

    def _files(self, collection: str, bounds: BoundingBox | None, epoch: str | None) -> list[Path | str]:
        if collection not in holdings.COLLECTIONS:
            raise NotFound("collection", f"{collection}; there are {', '.join(holdings.COLLECTIONS)}")
        area = None if bounds is None else shapely.set_srid(bounds.polygon, srid(self.crs))
        query = holdings.HoldingQuery(collections=(collection,), area=area, limit=FILES_MOST)
        with self.database.open(Role.READER) as connection:
            found = holdings.find(connection, query).found
        wanted = [one.path for one in found if epoch in (None, one.epoch)]
        return [path if "://" in path else self.city.folder / path for path in wanted]

    def _inspect(self, case: str, seen: Inspection) -> None:
        with self.database.open(Role.WRITER) as connection:
            case_changes.inspect(connection, case, seen)

    def _height(self, product: str, x: float, y: float, epoch: str | None) -> float:
        try:
            cell = self._raster(product, BoundingBox(x, y, x, y, self.crs), epoch)
        except NotFound:
            return float("nan")
        return float(cell.values[0, 0])


def _computed() -> Any:
    """What computes lies above this package, which knows nothing of it; it is there wherever the whole of diaba is."""
    return import_module("api.computed")


def _one_of(kind: type[E], name: str, text: str) -> E:
    """The member of that name.

    Raises:
        BadParameter: there is none.
    """
    if text not in list(kind):
        raise BadParameter(name, text[:40], f"give one of {', '.join(kind)}")
    return kind(text)


def _value(name: str, text: str, kind: Kind) -> date | float | str:
    """The value a property is asked to have.

    Raises:
        BadParameter: it is not of the property's kind.
    """
    try:
        if kind is Kind.DATE:
            return date.fromisoformat(text)
        return float(text) if kind.is_number else text
    except ValueError as error:
        raise BadParameter(name, text[:40], "a day or number is needed, as the property is one") from error

"""A city as a planner asks it: tables as GeoDataFrames, rasters as arrays, in a few lines.

from gis.store.reader import open_city

city = open_city()
city.buildings().plot("height")
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import pandas as pd
from sqlalchemy import Connection

from gis.access.roles import Role
from gis.errors import BadParameter, NotFound
from gis.raster import Raster, mosaic, read_raster
from gis.settings import City, Settings
from gis.store import buildings, catalog, discrepancies, parcels, permits, roads, zones
from gis.store.database import Database


@dataclass(frozen=True, slots=True)
class CityReader:
    """Reads one city under the reader's login: no identities, nothing written. Geometry is in the city's CRS."""

    city: City
    database: Database

    def parcels(self) -> gpd.GeoDataFrame:
        """Parcels as the register has them now."""
        return self._read(parcels.current)

    def permits(self) -> gpd.GeoDataFrame:
        """Building permits with their limits; the geometry is the permitted footprint."""
        return self._read(permits.current)

    def roads(self) -> gpd.GeoDataFrame:
        """Road axes with the width of their reserve."""
        return self._read(roads.current)

    def zones(self) -> gpd.GeoDataFrame:
        """Planning zones with their limits."""
        return self._read(zones.current)

    def buildings(self, epoch: str | None = None) -> gpd.GeoDataFrame:
        """Measured buildings with heights ± σ; of one epoch, or of the only one there is."""
        return self._read(lambda connection: buildings.current(connection, self._epoch(connection, epoch)))

    def differences(self) -> pd.DataFrame:
        """What the comparison of the registered with the measured city flagged, for a person to inspect."""
        with self.database.open(Role.READER) as connection:
            return discrepancies.current(connection)

    def raster(self, product: str = "dtm", epoch: str | None = None) -> Raster:
        """A product of the survey ("dtm", "dsm" or "ndsm"), all tiles joined.

        Raises:
            NotFound: it was not built yet.
        """
        with self.database.open(Role.READER) as connection:
            rows = catalog.rasters(connection, self._epoch(connection, epoch), product)
        if rows.empty:
            raise NotFound("raster", product)
        return mosaic([read_raster(self.city.folder / path) for path in rows["path"]])

    def epochs(self) -> list[str]:
        """Names of the surveys, in alphabetical order."""
        with self.database.open(Role.READER) as connection:
            return list(catalog.campaigns(connection)["epoch"])

    @property
    def folder(self) -> Path:
        """Where the city's files lie."""
        return self.city.folder

    def _read(self, read: Callable[[Connection], gpd.GeoDataFrame]) -> gpd.GeoDataFrame:
        with self.database.open(Role.READER) as connection:
            return read(connection)

    def _epoch(self, connection: Connection, epoch: str | None) -> str:
        if epoch is not None:
            return epoch
        known = list(catalog.campaigns(connection)["epoch"])
        if len(known) != 1:
            raise BadParameter("epoch", None, f"name one of {', '.join(known) or 'none: nothing was surveyed yet'}")
        return str(known[0])


def open_city(name: str | None = None) -> CityReader:
    """The named city, or that of DIABA_CITY, or the only one there is; starts the private store if it sleeps.

    Raises:
        BadParameter: there are several cities and none was named.
        NotFound: there is no such city.
        StoreUnreachable: the database does not answer.
    """
    settings = Settings.from_environment()
    city = settings.city(name)
    if not city.exists and settings.database_url is None:
        raise NotFound("city", f"{city.name}; make demo makes one")
    return CityReader(city, Database.of(city, settings, start=True))

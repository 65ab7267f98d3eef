"""What routes are given: the service, a connection that may only read, the address clients know."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from psycopg.errors import QueryCanceled
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from api.crs_names import NamedCrs, offered, storage
from api.errors import TooBusy, TooSlow
from api.open_rasters import OpenRasters
from api.rendered import Rendered
from api.settings import ServiceSettings
from gis.access.roles import Role
from gis.errors import StoreUnreachable
from gis.settings import City
from gis.store.database import Database


@dataclass(frozen=True, slots=True)
class Service:
    """A running service: one city, its store, its limits, and what it keeps at hand."""

    city: City
    database: Database
    limits: ServiceSettings
    rasters: OpenRasters
    rendered: Rendered

    @classmethod
    def of(cls, city: City, database: Database, limits: ServiceSettings) -> Service:
        """A service that has nothing at hand yet."""
        return cls(city, database, limits, OpenRasters(limits.open_rasters_most), Rendered(limits.rendered_bytes))

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction of the role that may only read what is public.

        Raises:
            StoreUnreachable: the store does not answer.
            TooSlow: a statement was stopped for its time.
            TooBusy: no connection became free.
        """
        try:
            with self.database.open(Role.READER) as connection:
                connection.execute(_PREPARE, {"most": f"{round(1000 * self.limits.statement_seconds)}ms"})
                yield connection
        except StoreUnreachable as error:
            cause = error.__cause__
            if isinstance(cause, PoolTimeout):
                raise TooBusy from error
            if isinstance(cause, DBAPIError) and isinstance(cause.orig, QueryCanceled):
                raise TooSlow(self.limits.statement_seconds) from error
            raise

    def close(self) -> None:
        """Give the connections back and close the files."""
        self.database.engine(Role.READER).dispose()
        self.rasters.close()

    @property
    def crs_offered(self) -> tuple[NamedCrs, ...]:
        """What features can be had in."""
        return offered(self.city.crs)

    @property
    def crs_stored(self) -> NamedCrs:
        """The register's own CRS."""
        return storage(self.city.crs)


_PREPARE = text(
    # A plan made for any area would not know that this area is small.
    "SELECT set_config('statement_timeout', :most, TRUE), set_config('plan_cache_mode', 'force_custom_plan', TRUE), "
    # Compiling a plan takes longer than running it here.
    "set_config('jit', 'off', TRUE), "
    "set_config('transaction_read_only', 'on', TRUE)"
)


def service_of(request: Request) -> Service:
    """The service the application runs."""
    found: Service = request.app.state.service
    return found


def base_of(request: Request) -> str:
    """Where clients reach the service, without a slash at the end."""
    return service_of(request).limits.public_url or str(request.base_url).rstrip("/")


ServiceDep = Annotated[Service, Depends(service_of)]
BaseDep = Annotated[str, Depends(base_of)]

"""What routes are given: the service, a connection that may only read, the address clients know."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from psycopg.errors import QueryCanceled
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from api.caller import caller
from api.crs_names import NamedCrs, offered, storage
from api.errors import TooBusy, TooSlow
from api.open_rasters import OpenRasters
from api.rendered import Rendered
from api.settings import ServiceSettings
from api.stopping import Stopping
from gis.access.audit import Acting, acting
from gis.access.roles import Role
from gis.errors import StoreUnreachable
from gis.settings import City
from gis.store import api_keys, row_scope
from gis.store.database import Database

READER = {
    # A plan made for any area would not know that this area is small.
    "plan_cache_mode": "force_custom_plan",
    # Compiling a plan takes longer than running it here.
    "jit": "off",
    # Requests run beside each other; to start workers for one takes longer than most of them.
    "max_parallel_workers_per_gather": "0",
}
"""Settings of the sessions that requests read with."""


@dataclass(frozen=True, slots=True)
class Service:
    """A running service: one city, its store, its limits, and what it keeps at hand."""

    city: City
    database: Database
    limits: ServiceSettings
    rasters: OpenRasters
    rendered: Rendered
    stopping: Stopping = field(default_factory=Stopping)

    @classmethod
    def of(cls, city: City, database: Database, limits: ServiceSettings) -> Service:
        """A service that has nothing at hand yet."""
        database = database.as_public(statement_timeout=_milliseconds(limits.statement_seconds), **READER)
        return cls(city, database, limits, OpenRasters(limits.open_rasters_most), Rendered(limits.rendered_bytes))

    @contextmanager
    def reading(self, *, transaction: bool = True) -> Iterator[Connection]:
        """A transaction of the role that only reads, and sees what the caller may see.

        Args:
            transaction: False where statements need not be of one transaction (`Database.open`); a caller with a scope
                has one all the same.

        Raises:
            StoreUnreachable: the store does not answer.
            TooSlow: a statement was stopped for its time.
            TooBusy: no connection became free.
        """
        scope = self.database.signed(caller().scope)
        with self._told(), self.database.open(Role.READER, transaction=transaction or scope != "") as connection:
            # Without one the public's rows are seen.
            if scope:
                row_scope.take(connection, scope)
            yield connection

    @contextmanager
    def writing(self, through: str) -> Iterator[Connection]:
        """A transaction of the role that changes registers; who may do so was asked before.

        The audit log names the caller.

        Args:
            through: The method and template of the route that writes, for the audit log.

        Raises:
            StoreUnreachable: the store does not answer.
            TooSlow: a statement was stopped for its time.
            TooBusy: no connection became free.
        """
        who = Acting(caller().subject or "public", through)
        with self._told(), acting(who), self.database.open(Role.WRITER) as connection:
            connection.execute(_LIMIT, {"most": _milliseconds(self.limits.statement_seconds)})
            yield connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What went wrong with the store, as the service's clients are told."""
        try:
            yield
        except StoreUnreachable as error:
            cause = error.__cause__
            if isinstance(cause, PoolTimeout):
                raise TooBusy from error
            if isinstance(cause, DBAPIError) and isinstance(cause.orig, QueryCanceled):
                raise TooSlow(self.limits.statement_seconds) from error
            raise

    def key_of(self, told: str) -> tuple[str, tuple[str, ...], float] | None:
        """Whose key of a machine this is, what it grants and until when; None unless it is good.

        Raises:
            StoreUnreachable: the store does not answer.
        """
        with self.reading() as connection:
            return api_keys.find(connection, told)

    def close(self) -> None:
        """Give the connections back and close the files."""
        for role in (Role.READER, Role.WRITER):
            self.database.engine(role).dispose()
        self.rasters.close()

    def sessions(self) -> tuple[int, int]:
        """Sessions with the store: in use, and open without use."""
        pool = self.database.engine(Role.READER).pool
        return (pool.checkedout(), pool.checkedin()) if isinstance(pool, QueuePool) else (0, 0)

    @property
    def crs_offered(self) -> tuple[NamedCrs, ...]:
        """What features can be had in."""
        return offered(self.city.crs)

    @property
    def crs_stored(self) -> NamedCrs:
        """The register's own CRS."""
        return storage(self.city.crs)


def _milliseconds(seconds: float) -> str:
    return f"{round(1000 * seconds)}ms"


_LIMIT = text("SELECT set_config('statement_timeout', :most, TRUE), set_config('jit', 'off', TRUE)")


# Both are coroutines so that no thread is asked for what takes a microsecond.
async def service_of(request: Request) -> Service:
    """The service the application runs."""
    found: Service = request.app.state.service
    return found


async def base_of(request: Request) -> str:
    """Where clients reach the service, without a slash at the end."""
    return (await service_of(request)).limits.public_url or str(request.base_url).rstrip("/")


ServiceDep = Annotated[Service, Depends(service_of)]
BaseDep = Annotated[str, Depends(base_of)]

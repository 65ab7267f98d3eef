"""A change of a register as one transaction in the caller's name, which the service's own tiles show at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import Request
from sqlalchemy import Connection

from api.dependencies import Service
from api.middleware import route_of
from api.tile_service import tiles_of
from gis.store.changes import made_by


@contextmanager
def recording(request: Request, service: Service) -> Iterator[Connection]:
    """A transaction in the caller's name; once it is committed, no tile of this process is older."""
    with service.writing(f"{request.method} {route_of(request.scope)}") as connection:
        yield connection
        changed = made_by(connection)
    cache = tiles_of(request).cache
    for change in changed:
        # The store tells it too, soon: the caller may ask sooner.
        cache.hear(change)

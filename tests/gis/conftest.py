"""A private cluster for the tests of the store: made once, stopped at the end, each test in a place of its own."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from gis.access.roles import Role
from gis.crs import CrsLike, normalise
from gis.settings import City, Settings
from gis.store.cluster import Cluster
from gis.store.database import Database
from tests.gis.store_samples import remove_cluster

_numbers = itertools.count(1)
_made: list[Database] = []
"""The databases of this process."""


@pytest.fixture(scope="session")
def store_settings() -> Iterator[Settings]:
    """An installation with a running private cluster; its home has a space in its path."""
    folder = Path(tempfile.mkdtemp(prefix="diaba-test-"))
    # The server's account must get through, as it does in an ordinary checkout.
    folder.chmod(0o755)
    settings = Settings(folder / "a home", None, None)
    Cluster(settings.home).start()
    yield settings
    remove_cluster(settings.home)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def make_database(store_settings: Settings) -> Callable[..., Database]:
    """Make a fresh city with its own database."""

    def make(crs: CrsLike = "EPSG:9210+5727", name: str | None = None) -> Database:
        chosen = name or f"test{next(_numbers)}"
        city = City(chosen, normalise(crs), store_settings.home / "cities" / chosen)
        _made.append(Database.of(city, store_settings, start=True))
        return _made[-1]

    return make


@pytest.fixture(scope="module", autouse=True)
def _no_idle_sessions() -> Iterator[None]:
    """The sessions a module's tests leave open are closed: all tests share the connections of one server."""
    yield
    for database in _made:
        for role in Role:
            database.engine(role).dispose()


@pytest.fixture(scope="session")
def shared_database(make_database: Callable[..., Database]) -> Database:
    """A database for tests that leave nothing behind."""
    return make_database()


@pytest.fixture
def database(make_database: Callable[..., Database]) -> Database:
    """A database of the test's own."""
    return make_database()


@pytest.fixture
def writer(shared_database: Database) -> Iterator[Connection]:
    """A writer's transaction that is rolled back after the test."""
    with shared_database.open(Role.WRITER) as connection:
        yield connection
        connection.rollback()

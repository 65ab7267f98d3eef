"""The shape of the database: up, down, in the city's CRS, as the models say."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from geoalchemy2 import Geometry
from sqlalchemy import Table, inspect, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from gis.access.roles import Role
from gis.crs import normalise
from gis.errors import BadCrs, BadParameter
from gis.settings import City, Settings
from gis.store import migrate
from gis.store.database import Database
from gis.store.schema import metadata

OBJECTS = text(
    "SELECT relname FROM pg_class WHERE relnamespace = 'diaba'::regnamespace AND relkind IN ('r', 'v') ORDER BY 1"
)


def test_up_and_down_leave_nothing_behind(database: Database) -> None:
    with database.open(Role.OWNER) as connection:
        full = connection.scalars(OBJECTS).all()
    assert database.migrate("base") is None
    with database.open(Role.OWNER) as connection:
        assert connection.scalars(OBJECTS).all() == ["alembic_version"]
        types = (
            "SELECT count(*) FROM pg_type WHERE typnamespace = 'diaba'::regnamespace AND typname NOT LIKE '%alembic%'"
        )
        assert connection.scalar(text(types)) == 0
    assert database.migrate() == migrate.newest()
    with database.open(Role.OWNER) as connection:
        assert connection.scalars(OBJECTS).all() == full
    with database.open(Role.READER) as connection:
        assert connection.scalar(text("SELECT srid FROM city")) == 9210


def test_migrating_again_changes_nothing(shared_database: Database) -> None:
    assert shared_database.migrate() == shared_database.migrate(migrate.newest()) == migrate.newest()


def test_two_processes_may_prepare_at_once(make_database: Callable[..., Database], store_settings: Settings) -> None:
    city = City("twice", normalise("EPSG:9210+5727"), store_settings.home / "cities" / "twice")
    failed: list[BaseException] = []

    def prepare() -> None:
        try:
            Database.of(city, store_settings, start=True)
        except BaseException as error:  # noqa: BLE001  told to the test
            failed.append(error)

    threads = [threading.Thread(target=prepare) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def _told(table: Table) -> set[tuple[str, str, bool]]:
    return {(column.name, _kind(column.type), bool(column.nullable)) for column in table.columns}


def _kind(kind: TypeEngine[object]) -> str:
    if isinstance(kind, Geometry):
        return f"{kind.geometry_type} {kind.dimension}"
    return str(kind.compile(postgresql.dialect())).replace("DOUBLE PRECISION", "DOUBLE")


def test_the_models_say_what_the_database_has(shared_database: Database) -> None:
    with shared_database.open(Role.OWNER) as connection:
        inspector = inspect(connection)
        assert set(inspector.get_table_names("diaba")) == {
            *(t.name for t in metadata.tables.values()),
            "alembic_version",
        }
        for table in metadata.tables.values():
            columns = inspector.get_columns(table.name, "diaba")
            found = {(column["name"], _kind(column["type"]), column["nullable"]) for column in columns}
            assert found == _told(table), table.name
            key = inspector.get_pk_constraint(table.name, "diaba")["constrained_columns"]
            assert key == [column.name for column in table.primary_key], table.name


@pytest.mark.parametrize(
    ("crs", "srid", "vertical"), [("EPSG:5899+5727", 5899, "EPSG:5727"), ("EPSG:28992+5709", 28992, "EPSG:5709")]
)
def test_another_city_s_geometry_is_in_its_crs(
    make_database: Callable[..., Database], crs: str, srid: int, vertical: str
) -> None:
    database = make_database(crs)
    with database.open(Role.READER) as connection:
        found = connection.execute(
            text(
                "SELECT DISTINCT f_geometry_column LIKE '%3857', srid FROM geometry_columns "
                "WHERE f_table_schema = 'diaba'"
            )
        )
        assert set(map(tuple, found)) == {(False, srid), (True, 3857)}
        assert connection.execute(text("SELECT srid, vertical FROM city")).one() == (srid, vertical)
        assert connection.scalar(text("SELECT count(*) FROM spatial_ref_sys WHERE srid = :srid"), {"srid": srid}) == 1


def test_a_database_in_another_crs_than_the_settings_is_refused(shared_database: Database) -> None:
    wrong = Database(
        City(shared_database.city.name, normalise("EPSG:5899+5727"), shared_database.city.folder),
        shared_database.server,
        shared_database.name,
    )
    with pytest.raises(BadCrs, match=r"is in EPSG:9210\+5727, its settings say EPSG:5899\+5727"):
        wrong.migrate()


def test_an_unknown_version_is_refused(shared_database: Database) -> None:
    with pytest.raises(BadParameter, match="9999"):
        shared_database.migrate("9999")


def _geometries() -> list[tuple[str, str]]:
    tables: list[Table] = list(metadata.tables.values())
    return [
        (table.name, column.name) for table in tables for column in table.columns if isinstance(column.type, Geometry)
    ]


def test_every_geometry_has_a_spatial_index(shared_database: Database) -> None:
    with shared_database.open(Role.OWNER) as connection:
        indexed = connection.execute(
            text(
                "SELECT t.relname, a.attname FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid "
                "JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam AND m.amname = 'gist' "
                "JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = ANY(i.indkey) "
                "WHERE t.relnamespace = 'diaba'::regnamespace"
            )
        ).all()
    assert set(_geometries()) <= {tuple(row) for row in indexed}
    assert ("building_version", "solid") in _geometries()

"""Rows are shown by ward and department, by the database itself; and the spatial index stays in use."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import morecantile
import psycopg
import pytest
import shapely
from psycopg import sql
from sqlalchemy import text

from gis.access.openness import Parcels
from gis.access.roles import Role
from gis.access.scope import EVERYTHING, NOTHING_MORE, Scope, scope_of
from gis.construction.dossier import DossierType
from gis.construction.procedure import Procedure
from gis.crs import transformer
from gis.errors import Conflict, StoreUnreachable
from gis.store import discrepancies, dossiers, openness, registers, row_scope, versions
from gis.store.collections import COLLECTIONS
from gis.store.database import Database
from gis.store.items import ItemQuery, find_items
from gis.store.schema import discrepancy
from gis.store.server import LEAKPROOF, dsn
from gis.store.tiles import TileQuery, tile_statement, tile_values, window_of
from tests.gis.store_samples import register_layers, write_registers

HERE, THERE = "26734", "26737"
PARCELS = 8
"""The first half is in the one ward, the second in the other."""
SCOPED = ("rrr", "ba_unit", "ba_unit_parcel", "party", "discrepancy", "dossier", "dossier_event")
OPEN = ("parcel", "parcel_version", "permit", "permit_limit", "current_parcel", "land_use_portion", "current_permit")


@pytest.fixture(scope="module")
def city(make_database: Callable[..., Database], tmp_path_factory: pytest.TempPathFactory) -> Database:
    """Two wards with the same in each: parcels, rights, permits, a difference and a dossier of every parcel."""
    database = make_database()
    layers = register_layers(PARCELS)
    layers["parcels"]["ward_code"] = [HERE if number < PARCELS // 2 else THERE for number in range(PARCELS)]
    path = write_registers(tmp_path_factory.mktemp("wards") / "registers.gpkg", layers)
    with database.open(Role.WRITER) as connection:
        registers.import_registers(connection, path)
        connection.execute(text("INSERT INTO diaba.lidar_campaign VALUES ('2025')"))
        connection.execute(text("INSERT INTO diaba.building SELECT 'b-' || n FROM generate_series(0, 8) n"))
        found = [
            {"kind": "storeys", "building_uid": f"b-{n}", "parcel_uid": f"p-{n:04d}", "epoch": "2025"}
            for n in range(PARCELS)
        ]
        # One at a building on no parcel: of no ward that is known.
        found.append({"kind": "storeys", "building_uid": "b-8", "parcel_uid": None, "epoch": "2025"})
        discrepancies.save(connection, found, epoch="2025")
        for number in range(PARCELS):
            filing = dossiers.Filing(
                "760",
                Procedure.SINGLE_HOUSE,
                DossierType.NEW,
                date(2026, 7, 1),
                parcel_uid=f"p-{number:04d}",
            )
            dossiers.file(connection, filing, actor="A clerk")
    database.analyse()
    return database


@contextmanager
def shown(database: Database, parcels: Parcels) -> Iterator[None]:
    with database.open(Role.OWNER) as connection:
        openness.show(connection, parcels)
    yield
    with database.open(Role.OWNER) as connection:
        openness.show(connection, Parcels.TO_ALL)


def count(database: Database, table: str, scope: Scope) -> int:
    with replace(database, scope=scope).open(Role.READER) as connection:
        number: int = connection.scalar(text(f"SELECT count(*) FROM diaba.{table}"))  # noqa: S608  names of ours
        return number


@pytest.mark.parametrize("table", SCOPED)
def test_the_public_sees_no_row_of_what_is_for_offices(city: Database, table: str) -> None:
    assert count(city, table, NOTHING_MORE) == 0
    everything = PARCELS + 1 if table == "discrepancy" else PARCELS
    assert count(city, table, EVERYTHING) == everything


@pytest.mark.parametrize(
    ("grant", "seen"),
    [
        ("land", {"rrr", "ba_unit", "ba_unit_parcel", "party"}),
        ("inspection", {"discrepancy"}),
        ("planning", {"discrepancy"}),
        ("construction", {"discrepancy", "dossier", "dossier_event"}),
    ],
)
def test_a_department_sees_the_rows_of_its_wards(city: Database, grant: str, seen: set[str]) -> None:
    for table in SCOPED:
        assert count(city, table, scope_of([f"{grant}:{HERE}"])) == (PARCELS // 2 if table in seen else 0), table
        assert count(city, table, scope_of([f"{grant}:{HERE}", f"{grant}:{THERE}"])) == (
            PARCELS if table in seen else 0
        ), table
        assert count(city, table, scope_of([f"{grant}:99999"])) == 0


def test_the_ward_is_the_parcel_s(city: Database) -> None:
    with replace(city, scope=scope_of([f"inspection:{THERE}"])).open(Role.READER) as connection:
        found = connection.scalars(text("SELECT parcel_uid FROM diaba.discrepancy ORDER BY 1")).all()
        assert found == [f"p-{number:04d}" for number in range(PARCELS // 2, PARCELS)]


def test_parcels_and_permits_are_everybody_s_until_the_city_shows_them_by_ward(city: Database) -> None:
    own = scope_of([f"planning:{HERE}"])
    for table in OPEN:
        assert count(city, table, NOTHING_MORE) == PARCELS
    with shown(city, Parcels.BY_WARD):
        for table in OPEN:
            assert count(city, table, NOTHING_MORE) == 0, table
            assert count(city, table, own) == PARCELS // 2, table
            assert count(city, table, EVERYTHING) == PARCELS
        # The writer records for all wards.
        with city.open(Role.WRITER) as connection:
            assert connection.scalar(text("SELECT count(*) FROM diaba.parcel_version")) == PARCELS
    for table in OPEN:
        assert count(city, table, NOTHING_MORE) == PARCELS


def test_what_stands_for_parcels_is_shown_as_they_are(city: Database) -> None:
    assert count(city, "generalised_ward", NOTHING_MORE) == 2
    with shown(city, Parcels.BY_WARD):
        for table in ("generalised_ward", "generalised_block"):
            assert count(city, table, NOTHING_MORE) == 0
            with replace(city, scope=scope_of([f"land:{THERE}"])).open(Role.READER) as connection:
                assert set(connection.scalars(text(f"SELECT ward_code FROM diaba.{table}"))) == {THERE}  # noqa: S608
            assert count(city, table, EVERYTHING) >= 2
    # What they are made of is nobody's who reads.
    with pytest.raises(StoreUnreachable, match="permission denied"):
        count(city, "generalised_cell", EVERYTHING)


def test_an_invented_city_shows_the_public_what_planners_see_and_nobody_s_rights(city: Database) -> None:
    with city.open(Role.OWNER) as connection:
        connection.execute(text("UPDATE diaba.city SET is_demo = true"))
    try:
        assert count(city, "discrepancy", NOTHING_MORE) == PARCELS + 1
        for table in ("rrr", "party", "dossier"):
            assert count(city, table, NOTHING_MORE) == 0
    finally:
        with city.open(Role.OWNER) as connection:
            connection.execute(text("UPDATE diaba.city SET is_demo = false"))


def _session(database: Database, told: str) -> psycopg.Connection[tuple[Any, ...]]:
    session = psycopg.connect(dsn(database.url(Role.READER)), autocommit=True)
    session.execute("SELECT set_config('diaba.scope', %s, false)", (told,))
    return session


def test_a_login_that_sets_a_scope_of_its_own_gets_an_error_and_no_row(city: Database) -> None:
    good = city.signed(scope_of([f"inspection:{HERE}"]))
    seal, told = good[:64], good[65:]
    everywhere = told.replace(HERE, "*")
    forged = {
        "unsigned": everywhere,
        "empty seal": f".{everywhere}",
        "another's seal": f"{seal}.{everywhere}",
        "another key's": row_scope.signed(bytes(32), EVERYTHING),
        "longer life": f"{seal}.{int(told.split('.')[0]) + 10_000}.{told.split('.', 1)[1]}",
        "expired": row_scope.signed(city._scope_key, EVERYTHING, now=1_000_000_000),
        "words": "x",
        "no number": f"{seal}.x.{everywhere}",
    }
    for name, text_of in forged.items():
        with _session(city, text_of) as session:
            try:
                found = session.execute("SELECT count(*) FROM diaba.discrepancy").fetchone()
            except psycopg.errors.InsufficientPrivilege:
                continue
        pytest.fail(f"{name} shows {found}")
    with _session(city, good) as session:
        assert session.execute("SELECT count(*) FROM diaba.discrepancy").fetchone() == (PARCELS // 2,)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT key FROM diaba.scope_key",
        "TABLE diaba.api_key",
        "SELECT diaba.seal('diaba.scope', '9999999999.differences=*')",
        "SET ROLE {owner}",
        "SET SESSION AUTHORIZATION {owner}",
        "ALTER TABLE diaba.discrepancy DISABLE ROW LEVEL SECURITY",
        "ALTER ROLE CURRENT_USER BYPASSRLS",
        "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE FUNCTION public.f(text) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "SET ROLE {writer}",
        "TABLE diaba.rrr",
    ],
)
def test_the_reader_does_not_get_round_the_policies(city: Database, statement: str) -> None:
    names = {one.value: one.login(city.name) for one in Role}
    with psycopg.connect(dsn(city.url(Role.READER)), autocommit=True) as session:
        session.execute("SET default_transaction_read_only = off")
        # To ask for no policies is to ask for an error where there are some.
        session.execute("SET row_security = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(statement.format(**names))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "statement",
    [
        # An error that would quote a row the caller may not see.
        "SELECT * FROM diaba.discrepancy WHERE CAST(parcel_uid AS integer) = 1",
        "SELECT * FROM diaba.discrepancy WHERE 1 / (CASE WHEN parcel_uid = 'p-0007' THEN 0 ELSE 1 END) = 1",
        "SELECT * FROM diaba.discrepancy ORDER BY CAST(parcel_uid AS integer)",
        "SELECT CAST(parcel_uid AS integer) FROM diaba.rrr JOIN diaba.ba_unit_parcel USING (ba_unit_uid)",
    ],
)
def test_no_error_quotes_a_row_that_is_not_shown(city: Database, statement: str) -> None:
    with city.as_public().open(Role.READER) as connection:
        assert connection.execute(text(statement)).all() == []
    # It would have, had the row been shown.
    with pytest.raises(Exception, match=r"invalid input syntax|division by zero"), city.open(Role.READER) as connection:
        connection.execute(text(statement)).all()


def test_single_statements_are_of_a_moment_each_and_a_scope_still_begins_a_transaction(city: Database) -> None:
    listed = text("SELECT now(), (SELECT count(*) FROM diaba.discrepancy) AS seen")

    def twice(database: Database) -> list[tuple[datetime, int]]:
        with database.open(Role.READER, transaction=False) as connection:
            return [(row.now, row.seen) for row in (connection.execute(listed).one() for _ in range(2))]

    (first, seen), (second, seen_again) = twice(city.as_public())
    assert (second > first, seen, seen_again) == (True, 0, 0)
    (first, seen), (second, seen_again) = twice(replace(city, scope=EVERYTHING))
    assert (second == first, seen, seen_again) == (True, PARCELS + 1, PARCELS + 1)
    # Nothing of it stays with the session: whoever takes it next begins a transaction again, and sees nothing more.
    with city.as_public().open(Role.READER) as connection:
        assert connection.scalar(listed) == connection.scalar(listed)
        assert connection.scalar(text("SELECT count(*) FROM diaba.discrepancy")) == 0


def test_without_the_scope_s_key_everything_is_refused_and_migrating_mends_it(city: Database) -> None:
    with city.open(Role.OWNER) as connection:
        connection.execute(text("UPDATE diaba.scope_key SET key = sha256('another')"))
    with pytest.raises(StoreUnreachable, match="run: diaba db migrate"):
        count(city, "discrepancy", EVERYTHING)
    city.migrate()
    assert count(city, "discrepancy", EVERYTHING) == PARCELS + 1


def test_the_tables_that_are_secured_are_those_with_a_policy(city: Database) -> None:
    with city.open(Role.OWNER) as connection:
        secured = connection.scalars(
            text(
                "SELECT relname FROM pg_class WHERE relnamespace = 'diaba'::regnamespace AND relrowsecurity ORDER BY 1"
            )
        ).all()
        policies = connection.scalars(
            text("SELECT tablename FROM pg_policies WHERE schemaname = 'diaba' ORDER BY 1")
        ).all()
    assert sorted({*secured, *openness.OF_WARDS}) == policies
    assert not set(secured) & set(openness.OF_WARDS)


LARGE = 20_000
FILL = """
INSERT INTO diaba.parcel SELECT 'big-' || i FROM generate_series(1, :n) i;
INSERT INTO diaba.parcel_version (uid, version, ward_code, area_measured, geom, geom_3857, valid, recorded, digest)
SELECT uid, 1, ward, 100, geom, ST_Transform(geom, 3857), '[2009-01-01,)', '[2009-01-01,)', '' FROM (
    SELECT 'big-' || i AS uid, CASE WHEN i % 2 = 0 THEN 'even' ELSE 'odd' END AS ward,
        ST_Translate(ST_MakeEnvelope(590000, 1180000, 590005, 1180020, 9210), (i % 200) * 40, (i / 200) * 90) AS geom
    FROM generate_series(1, :n) i
) lots;
INSERT INTO diaba.permit (permit_no, version, type, status, parcel_uid, recorded, digest)
SELECT 'big-' || i, 1, 'new', 'valid', 'big-' || i, '[2015-01-01,)', '' FROM generate_series(1, :n) i;
INSERT INTO diaba.permit_limit (permit_no, version, geom)
SELECT uid, 1, geom FROM diaba.parcel_version WHERE uid LIKE 'big-%'
"""


_MIDDLE = morecantile.tms.get("WebMercatorQuad").tile(*transformer(9210, 4326).transform(594_000, 1_184_500), 16)
TILE = (_MIDDLE.z, _MIDDLE.x, _MIDDLE.y)


@pytest.fixture(scope="module")
def large(city: Database) -> Database:
    """The city with many parcels more, each with a permit, in a third and a fourth ward."""
    with city.open(Role.OWNER) as connection:
        for table in ("parcel_version", "permit"):
            connection.execute(text(f"ALTER TABLE diaba.{table} DROP CONSTRAINT {table}_known_once"))
        connection.execute(text("ALTER TABLE diaba.parcel_version DISABLE TRIGGER USER"))
        for statement in FILL.split(";\n"):
            connection.execute(text(statement), {"n": LARGE})
        connection.execute(text("ANALYZE"))
    return city


def plan(database: Database, scope: Scope, layers: tuple[str, ...]) -> dict[str, Any]:
    """The plan of a tile in the middle of the many parcels, as the service asks for it."""
    query = TileQuery(*TILE, layers)
    values = tile_values(database.city.crs, query)
    assert values is not None
    assert [layer.id for layer in query.shown] == list(layers)
    with replace(database, scope=scope).open(Role.READER) as connection:
        connection.execute(text("SELECT set_config('plan_cache_mode', 'force_custom_plan', true)"))
        found = connection.execute(
            text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {tile_statement(query, query.shown)}"), values
        ).scalar_one()
    document: dict[str, Any] = found[0]["Plan"]
    return document


def pages(plan: dict[str, Any]) -> int:
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])


def by_index(plan: dict[str, Any], index: str) -> bool:
    told = json.dumps(plan)
    return f'"Index Name": "{index}"' in told and "Seq Scan" not in told and "&&" in told.split(index)[1]


WHO = [NOTHING_MORE, scope_of(["planning:even"]), scope_of(["planning:even", "planning:odd"]), EVERYTHING]


@pytest.mark.parametrize("scope", WHO, ids=["public", "one ward", "both wards", "all"])
@pytest.mark.parametrize("parcels", list(Parcels))
def test_a_tile_is_found_by_the_spatial_index_for_everybody(large: Database, parcels: Parcels, scope: Scope) -> None:
    without = plan(large, NOTHING_MORE, ("parcels",))
    assert by_index(without, "parcel_version_web")
    assert pages(without) > 10
    with shown(large, parcels):
        found = plan(large, scope, ("parcels",))
        limits = plan(large, scope, ("permits",))
    assert by_index(found, "parcel_version_web")
    assert by_index(limits, "permit_limit_web")
    # The pages are those of the tile, and what a session reads once to know the functions; the table has hundreds.
    assert pages(found) <= pages(without) + 100


def test_a_page_of_features_is_found_by_the_spatial_index_too(large: Database) -> None:
    window = window_of(large.city.crs, *TILE, 0.0)
    assert window is not None
    area = shapely.set_srid(shapely.box(*window.tuple), 9210)
    scope = scope_of(["land:even"])
    with shown(large, Parcels.BY_WARD), replace(large, scope=scope).open(Role.READER) as connection:
        found = find_items(connection, COLLECTIONS["parcels"], ItemQuery(1000, area))
        assert found
        assert {item.properties["ward_code"] for item in found} == {"even"}
        told = json.dumps(
            connection.execute(
                text(
                    "EXPLAIN (FORMAT JSON) SELECT 1 FROM diaba.parcel_version v WHERE v.geom && "
                    "ST_SetSRID(ST_MakeEnvelope(594000, 1184000, 594100, 1184100), 9210)"
                )
            ).scalar_one()
        )
    assert "parcel_version_geom_idx" in told


def test_where_the_index_cannot_be_kept_parcels_by_ward_are_refused(large: Database) -> None:
    """As on a server of which nobody here is the superuser."""
    undo = LEAKPROOF.replace("LEAKPROOF", "NOT LEAKPROOF")
    with large.server.administrate(large.name) as session:
        with shown(large, Parcels.BY_WARD):
            session.execute(sql.SQL(undo))  # type: ignore[arg-type]
            # This is what would happen.
            assert "parcel_version_web" not in json.dumps(plan(large, scope_of(["planning:even"]), ("parcels",)))
            with large.open(Role.READER) as connection, pytest.raises(Conflict, match="LEAKPROOF"):
                openness.check(connection)
        with large.open(Role.OWNER) as connection, pytest.raises(Conflict, match="ask its superuser"):
            openness.show(connection, Parcels.BY_WARD)
        # Shown to all, nothing is lost there.
        assert by_index(plan(large, NOTHING_MORE, ("parcels",)), "parcel_version_web")
        large.migrate()
        with large.open(Role.READER) as connection:
            assert openness.keeps_index(connection)


def test_a_writer_whom_no_superuser_helped_records_the_same(
    make_database: Callable[..., Database], tmp_path: Path
) -> None:
    """Without BYPASSRLS there is no COPY; rows are inserted, and the policies let the writer."""
    one, other = make_database(), make_database()
    with other.server.administrate() as session:
        session.execute(sql.SQL("ALTER ROLE {} NOBYPASSRLS").format(sql.Identifier(Role.WRITER.login(other.name))))
    path = write_registers(tmp_path / "registers.gpkg", register_layers(12))
    contents = []
    for database in (one, other):
        with database.open(Role.WRITER) as connection:
            registers.import_registers(connection, path)
            active = connection.scalar(text("SELECT row_security_active('diaba.rrr')"))
            assert active is (database is other)
        with database.open(Role.READER) as connection:
            contents.append(
                [
                    connection.execute(text(f"SELECT * FROM diaba.current_{name} ORDER BY 1")).mappings().all()  # noqa: S608
                    for name in ("rrr", "party")
                ]
            )
    for left, right in zip(*contents, strict=True):
        plain = [[{k: v for k, v in row.items() if k != "recorded"} for row in side] for side in (left, right)]
        assert plain[0] == plain[1]
        assert len(plain[0]) == 12
    assert versions.INSERTED_AT_ONCE * len(discrepancy.columns) < 65_535


def test_a_dossier_is_open_to_its_secret_for_one_transaction_and_no_other(city: Database) -> None:
    filing = dossiers.Filing("760", Procedure.SINGLE_HOUSE, DossierType.NEW, date(2026, 7, 1), parcel_uid="p-0001")
    with city.open(Role.WRITER) as connection:
        receipt = dossiers.file(connection, filing, actor="A clerk")
    listed = text("SELECT receipt_no FROM diaba.dossier")
    with city.as_public().open(Role.READER) as connection:
        assert connection.scalars(listed).all() == []
        assert dossiers.public(connection, receipt.receipt_no, receipt.secret).receipt_no == receipt.receipt_no
        assert connection.scalars(listed).all() == [receipt.receipt_no]
        told = connection.scalar(text("SELECT current_setting('diaba.receipt')"))
    with city.as_public().open(Role.READER) as connection:
        assert connection.scalars(listed).all() == []
        # What was sealed for one receipt opens no other.
        other = str(told).replace(receipt.receipt_no, "760-2026-000001")
        connection.execute(text("SELECT set_config('diaba.receipt', :told, true)"), {"told": other})
        with pytest.raises(Exception, match="not signed"):
            connection.execute(listed)
        connection.rollback()

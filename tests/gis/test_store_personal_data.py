"""The reader sees no personal data, whichever table, view, column or function it tries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import text

from gis.access.roles import READABLE_COLUMNS, Role
from gis.access.scope import EVERYTHING
from gis.errors import IdentityClosed, StoreUnreachable
from gis.land.certificates import Certificate, CertificateStatus
from gis.land.rights import Group, Member
from gis.land.sources import SignatureStatus, SourceDocument
from gis.land.transfer_document import NewMortgage
from gis.store import certificates, extracts, groups, parties, rights, sources, transfers
from gis.store.database import Database
from gis.store.server import dsn
from tests.gis.rights_samples import DAY, LAND, settle

NAME, NUMBER, SIGNER, PAPER_NO, AMOUNT = (
    "Tên Lính Canh",
    "079123456789",
    "Người Ký Canh",
    "SO-GIAY-CANH",
    987_654_321_012,
)
SENTINELS = (NAME, NUMBER, SIGNER, PAPER_NO, str(AMOUNT))


@pytest.fixture(scope="module")
def city(make_database: Callable[..., Database], tmp_path_factory: pytest.TempPathFactory) -> Database:
    """A city in which every place that may hold something personal holds it."""
    database = make_database()
    folder: Path = tmp_path_factory.mktemp("papers")
    (folder / "x.pdf").write_bytes(NAME.encode())
    with database.open(Role.WRITER) as connection:
        settle(connection, {"p": {"A": "1"}}, ["G", "B", "Bank"])
        parties.save(connection, [{"uid": "A", "kind": "person", "name": NAME, "id_no": NUMBER}])
        groups.save(connection, Group("G", (Member("A", None), Member("B", None))), DAY)
        paper = SourceDocument("doc-1", "contract", PAPER_NO, DAY, None, None, SignatureStatus.SIGNED, SIGNER)
        sources.add_file(connection, folder, folder / "x.pdf", paper)
        transfers.mortgage(connection, NewMortgage("p", LAND, "A", "Bank", DAY, None, None, AMOUNT, "doc-1"))
        issued = Certificate(
            "BA 1", "p", CertificateStatus.ISSUED, DAY, book_no="CH 1", party="A", issued=date(2010, 1, 1)
        )
        certificates.save(connection, [issued])
    return database


@pytest.fixture
def reader(city: Database) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """The reader's own session, freed of what is only a setting."""
    with psycopg.connect(dsn(city.url(Role.READER)), autocommit=True) as session:
        # Of all wards and departments: no policy hides a row, so that the columns alone are tried.
        session.execute("SELECT set_config('diaba.scope', %s, false)", (city.signed(EVERYTHING),))
        session.execute("SET default_transaction_read_only = off")
        yield session


COLUMNS = """
SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
WHERE c.relnamespace = 'diaba'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY 1, 2
"""


def test_no_column_of_any_table_or_view_shows_the_reader_a_person(
    city: Database, reader: psycopg.Connection[tuple[object, ...]]
) -> None:
    """Every column is asked for, also the system's; what comes back holds none of what was hidden."""
    seen: dict[tuple[str, str], str] = {}
    refused: set[tuple[str, str]] = set()
    for table, column in reader.execute(COLUMNS).fetchall():
        statement = sql.SQL("SELECT string_agg({}::text, ' ') FROM {}").format(
            sql.Identifier(str(column)), sql.Identifier("diaba", str(table))
        )
        try:
            row = reader.execute(statement).fetchone()
        except psycopg.errors.InsufficientPrivilege:
            refused.add((str(table), str(column)))
        else:
            seen[str(table), str(column)] = str(row[0]) if row else ""
    for place, content in seen.items():
        for sentinel in SENTINELS:
            assert sentinel not in content, place
            assert sentinel.encode().hex() not in content, place
    # What should be refused was refused, and the rest was read.
    for table, allowed in READABLE_COLUMNS.items():
        assert {column for name, column in seen if name == table} <= {*allowed, "tableoid"}
    assert {("party", "name"), ("party", "id_no_encrypted"), ("party", "id_no_hash"), ("party", "digest")} <= refused
    assert {("rrr", "amount_vnd"), ("rrr", "source_uid"), ("rrr", "digest")} <= refused
    assert {("source_document", "number"), ("source_document", "signed_by"), ("source_document", "path")} <= refused
    assert {("group_member", "member_uid"), ("identity_key", "fingerprint")} <= refused
    assert "BA 1" in seen["certificate", "serial"]
    # The sentinels are there for the writer: the test looks for what exists.
    with city.open(Role.WRITER) as connection:
        held = (
            connection.execute(text("SELECT p::text FROM party p")).all()
            + connection.execute(
                text("SELECT r::text FROM rrr r UNION ALL SELECT s::text FROM source_document s")
            ).all()
        )
    everything = " ".join(row[0] for row in held)
    for sentinel in set(SENTINELS) - {NUMBER}:
        assert sentinel in everything


def test_whole_rows_joins_and_conditions_show_no_person_either(
    city: Database, reader: psycopg.Connection[tuple[object, ...]]
) -> None:
    for statement in (
        "SELECT p FROM diaba.party p",
        "SELECT to_jsonb(r) FROM diaba.rrr r",
        "SELECT row_to_json(s) FROM diaba.source_document s",
        "SELECT count(*) FROM diaba.party WHERE name LIKE 'T%'",
        "SELECT count(*) FROM diaba.rrr WHERE amount_vnd > 1",
        "SELECT uid FROM diaba.party ORDER BY id_no_hash",
        "SELECT xmin FROM diaba.party",
        "COPY diaba.group_member TO STDOUT",
        "COPY diaba.source_document TO STDOUT",
        "CREATE VIEW diaba.mine AS SELECT * FROM diaba.party",
        "SELECT stavalues1 FROM pg_statistic",
        f"SET ROLE {Role.OWNER.login(city.name)}",
        f"SET ROLE {Role.WRITER.login(city.name)}",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute(statement)


def test_statistics_show_the_reader_no_hidden_column(
    city: Database, reader: psycopg.Connection[tuple[object, ...]]
) -> None:
    city.analyse()
    rows = reader.execute(
        "SELECT tablename::text, attname::text, most_common_vals::text, histogram_bounds::text "
        "FROM pg_stats WHERE schemaname = 'diaba'"
    ).fetchall()
    told = {row[:2] for row in rows}
    assert ("parcel_version", "address") in told
    # Of tables whose rows have policies there are no statistics at all.
    assert "certificate" not in {table for table, _ in told}
    for row in rows:
        if row[0] in READABLE_COLUMNS:
            assert row[1] in READABLE_COLUMNS[str(row[0])]
        assert not any(sentinel in str(row) for sentinel in SENTINELS)


DEFINERS = {
    "dossier_secret_fits": "tells whether a receipt's secret fits",
    "api_key_of": "tells whose key of a machine this is",
    "evidence_of": "tells whoever holds a sheet's digest what it is of: no parcel, no permit, nobody's name",
    "proven": "tells what a sealed setting says",
    "audit": "a trigger's: leaves an entry aside in a table that no login may write",
    "chain_audit": "a trigger's: gives it its place in the log that no login may write",
    "generalise": "makes blocks, wards and built-up areas, which no login may write, of what is recorded",
    "generalise_changes": "a trigger's: the same at the end of a transaction",
    **{
        f"tell_{table}_{event}": "a trigger's: tells what changed and where, in a table that no login may write"
        for table in (
            *("parcel_version", "building_version", "planning_zone", "road"),
            *("permit_limit", "permit", "discrepancy"),
        )
        for event in ("insert", "update", "delete")
    },
}
"""Functions that work with their owner's rights, and why each must."""
PINNED = {"pg_catalog", "pg_catalog, pg_temp", "diaba, public, pg_temp"}
"""Where they may look for names. In the first nothing is named without its schema; in the others a caller's temporary
tables come last."""


def test_no_function_works_with_more_than_its_caller_s_rights(city: Database) -> None:
    with city.open(Role.OWNER) as connection:
        functions = connection.execute(
            text(
                "SELECT proname, prosecdef, prorettype = 'trigger'::regtype, "
                "(SELECT substring(c FROM 13) FROM unnest(proconfig) c WHERE c LIKE 'search_path=%'), "
                "has_function_privilege(:writer, p.oid, 'EXECUTE'), has_function_privilege(:reader, p.oid, 'EXECUTE'), "
                "EXISTS (SELECT 1 FROM aclexplode(proacl) a WHERE a.grantee = 0), proacl IS NULL "
                "FROM pg_proc p WHERE pronamespace = 'diaba'::regnamespace"
            ),
            {"writer": Role.WRITER.login(city.name), "reader": Role.READER.login(city.name)},
        ).all()
        views = connection.scalars(
            text(
                "SELECT relname FROM pg_class WHERE relnamespace = 'diaba'::regnamespace AND relkind IN ('v', 'm') "
                "AND NOT coalesce('security_invoker=true' = ANY(reloptions), false)"
            )
        ).all()
    assert {row[0] for row in functions} >= {"check_rights", "keep_history", "lcm_of"}
    assert {row[0] for row in functions if row[1]} == set(DEFINERS)
    for name, is_definer, is_trigger, path, writer, reader, anybody, unsaid in functions:
        assert not is_definer or path in PINNED, name
        assert not anybody, name
        assert not unsaid, name
        # Parts of others and what triggers are made of are the owner's alone; the reader calls nothing that writes.
        is_owners = is_trigger or name in {
            "announce",
            "generalise_land",
            "generalise_ward",
            "generalise_buildings",
            "seal",
        }
        assert writer is not is_owners, name
        assert reader is not (is_owners or name == "generalise"), name
    assert views == []


def test_a_function_of_the_owner_s_is_not_led_to_the_caller_s_own_tables(city: Database) -> None:
    """On a server that lets its logins make temporary tables, which those of a private one may not."""
    login = sql.Identifier(Role.WRITER.login(city.name))
    with city.server.administrate(city.name) as session:
        session.execute(sql.SQL("GRANT TEMPORARY ON DATABASE {} TO {}").format(sql.Identifier(city.name), login))
    with city.open(Role.WRITER) as connection:
        for name in ("stale_cell", "generalised_cell", "generalised_block", "parcel_version"):
            connection.execute(text(f"CREATE TEMPORARY TABLE {name} (LIKE diaba.{name}) ON COMMIT DROP"))
        assert connection.scalar(text("SELECT diaba.generalise(TRUE)")) > 0
        assert connection.scalar(text("SELECT count(*) FROM pg_temp.generalised_cell")) == 0


def test_the_reader_may_not_write_rights(reader: psycopg.Connection[tuple[object, ...]]) -> None:
    for table in (
        "rrr",
        "certificate",
        "source_document",
        "group_member",
        "restriction",
        "building_lifecycle",
        "ba_unit",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier("diaba", table)))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute(
                sql.SQL("INSERT INTO {} SELECT * FROM {} LIMIT 0").format(*[sql.Identifier("diaba", table)] * 2)
            )


def test_an_extract_and_rights_with_amounts_are_closed_to_the_reader(city: Database) -> None:
    with pytest.raises(IdentityClosed, match="the writer's login alone"), city.open(Role.READER) as connection:
        extracts.extract(connection, "p")
    with pytest.raises(StoreUnreachable, match="permission denied"), city.open(Role.READER) as connection:
        rights.of_units(connection, ["p"])
    with city.open(Role.READER) as connection:
        assert rights.current(connection).party_uid.tolist() == ["A", "Bank"]
    with city.open(Role.WRITER) as connection:
        assert NAME in "".join(extracts.extract(connection, "p").lines())

"""Verdicts in the store: kept as they are, found by dossier, replayed, changed by nobody."""

from __future__ import annotations

import json

import psycopg
import pytest
from sqlalchemy import Connection, text

from gis.access.roles import Role
from gis.construction.verdicts import kept, replay
from gis.errors import BadParameter, NotFound
from gis.store import check_results
from gis.store.database import Database
from gis.store.server import dsn
from tests.gis.construction.proposals import document, judged


def test_a_verdict_comes_back_to_the_byte_and_replays(writer: Connection) -> None:
    for proposal in (document(), document(masses=[]), document(roads=[("south", 30)], masses=[{"floors": 9}])):
        first = kept(judged(proposal))
        number = check_results.save(writer, first, "H79.01-2026-0001")
        stored = check_results.get(writer, number)
        assert stored.kept == first
        assert stored.verdict == json.loads(first.result)["verdict"]
        assert replay(stored.kept).same


def test_verdicts_are_found_by_dossier_in_their_order(writer: Connection) -> None:
    proposals = [document(masses=[{"floors": floors}]) for floors in (3, 9, 4)]
    for proposal in proposals:
        check_results.save(writer, kept(judged(proposal)), "A-1")
    check_results.save(writer, kept(judged(proposals[0])), "A-2")
    check_results.save(writer, kept(judged(proposals[0])))
    assert [found.verdict for found in check_results.of_dossier(writer, "A-1")] == ["pass", "fail", "pass"]
    assert check_results.of_dossier(writer, "A-3") == []
    # Verdicts by the same rules share them.
    assert writer.scalar(text("SELECT count(*) FROM check_result")) == 5
    assert writer.scalar(text("SELECT count(*) FROM rule_set")) == 1


def test_an_unknown_number_and_a_bad_receipt_are_refused(writer: Connection) -> None:
    with pytest.raises(NotFound, match="no check result 404"):
        check_results.get(writer, 404)
    for receipt in ("", "  ", "x" * 65):
        with pytest.raises(BadParameter, match="receipt_no"):
            check_results.save(writer, kept(judged(document())), receipt)


@pytest.mark.parametrize("role", [Role.WRITER, Role.READER])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE diaba.check_result SET result = '{}'",
        "DELETE FROM diaba.check_result",
        "UPDATE diaba.rule_set SET rules = '[]'",
        "DELETE FROM diaba.rule_set",
    ],
)
def test_nobody_changes_a_verdict(shared_database: Database, role: Role, statement: str) -> None:
    with psycopg.connect(dsn(shared_database.url(role))) as session:
        session.execute("SET default_transaction_read_only = off")
        session.commit()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(statement)
        session.rollback()

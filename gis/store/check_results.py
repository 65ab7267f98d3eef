"""Verdicts of planning rules, kept to be replayed: added, never changed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, select
from sqlalchemy.dialects.postgresql import insert

from gis.construction.verdicts import KeptVerdict
from gis.errors import BadParameter, NotFound
from gis.store.schema import check_result, rule_set

LONGEST_RECEIPT = 64
"""Characters of a receipt number."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A verdict as it was kept."""

    id: int
    receipt_no: str | None
    """Of the dossier it was made for; None when there was none."""
    verdict: str
    """pass, fail or doubtful."""
    kept: KeptVerdict
    recorded: datetime


def save(connection: Connection, kept: KeptVerdict, receipt_no: str | None = None) -> int:
    """Keep a verdict.

    Args:
        connection: A writer's.
        kept: The verdict as text.
        receipt_no: Of the dossier, when there is one.

    Returns:
        Its number.

    Raises:
        BadParameter: the receipt number is blank or longer than one is.
    """
    if receipt_no is not None and (not receipt_no.strip() or len(receipt_no) > LONGEST_RECEIPT):
        raise BadParameter("receipt_no", receipt_no[:80], f"a text of 1 to {LONGEST_RECEIPT} characters is expected")
    rules = insert(rule_set).values(digest=kept.rules_digest, rules=kept.rules)
    connection.execute(rules.on_conflict_do_nothing(index_elements=[rule_set.c.digest]))
    row = {
        "receipt_no": receipt_no,
        "verdict": json.loads(kept.result)["verdict"],
        "proposal": kept.proposal,
        "result": kept.result,
        "rules_digest": kept.rules_digest,
    }
    number: int = connection.execute(insert(check_result).values(row).returning(check_result.c.id)).scalar_one()
    return number


def get(connection: Connection, number: int) -> CheckResult:
    """A verdict by its number.

    Raises:
        NotFound: there is none.
    """
    row = connection.execute(_selected().where(check_result.c.id == number)).one_or_none()
    if row is None:
        raise NotFound("check result", str(number))
    return _result(row)


def of_dossier(connection: Connection, receipt_no: str) -> list[CheckResult]:
    """The verdicts kept for a dossier, the oldest first."""
    statement = _selected().where(check_result.c.receipt_no == receipt_no).order_by(check_result.c.id)
    return [_result(row) for row in connection.execute(statement)]


def _selected() -> Select[Any]:
    c = check_result.c
    columns = (c.id, c.receipt_no, c.verdict, c.proposal, c.result, rule_set.c.rules, c.rules_digest, c.recorded)
    return select(*columns).join(rule_set, rule_set.c.digest == c.rules_digest)


def _result(row: Row[Any]) -> CheckResult:
    number, receipt_no, verdict, proposal, result, rules, digest, recorded = tuple(row)
    return CheckResult(number, receipt_no, verdict, KeptVerdict(proposal, result, rules, digest), recorded)

"""The public look-up of a dossier: what its holder is told, and that nobody else learns anything."""

from __future__ import annotations

from datetime import date
from typing import Any

import jsonschema
import pytest
from fastapi.testclient import TestClient

from api.register_schemas import DOSSIER_STATUS
from gis.access.roles import Role
from gis.construction.dossier import Action, DossierType
from gis.construction.procedure import Procedure
from gis.store import dossiers
from gis.store.dossiers import Filing, Receipt
from tests.api.conftest import CityStore

CLERK, NOTE = "Trần Văn Thử (hư cấu)", "Của bà Nguyễn Thị Thử (hư cấu)"


def file(store: CityStore, *actions: Action) -> Receipt:
    filing = Filing(*("760", Procedure.SINGLE_HOUSE, DossierType.NEW, date(2026, 7, 1)), parcel_uid="p-0001", note=NOTE)
    with store.database.open(Role.WRITER) as connection:
        receipt = dossiers.file(connection, filing, actor=CLERK)
        for action in actions:
            dossiers.record(connection, receipt.receipt_no, action, on=date(2026, 7, 3), actor=CLERK)
    return receipt


def ask(client: TestClient, receipt: str, secret: str) -> Any:
    return client.get("/permits/status", params={"receipt": receipt, "secret": secret})


def test_the_holder_is_told_status_due_date_and_next_step(client: TestClient, store: CityStore) -> None:
    receipt = file(store)
    answer = ask(client, receipt.receipt_no.lower(), receipt.secret.lower())
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "receipt": receipt.receipt_no,
        "status": "filed",
        "status_vi": "Đã tiếp nhận",
        "status_en": "Filed",
        "filed": "2026-07-01",
        # Thu 2=1, 3=2, Mon 6=3 .. Fri 10=7.
        "due": "2026-07-10",
        "clock": "running",
        "next_step": {
            "step": "examine",
            "title_vi": "Thẩm định hồ sơ",
            "title_en": "Examine the dossier",
            "role": "office",
            "due": "2026-07-06",
        },
        "law": "Decree 217/2026",
        "law_vi": "Nghị định 217/2026/NĐ-CP",
        "doubt": [],
    }


@pytest.mark.parametrize(
    ("actions", "clock", "step"),
    [
        ((Action.EXAMINED,), "running", "decide"),
        ((Action.EXAMINED, Action.SUPPLEMENT_REQUESTED), "stopped", "supplement"),
        ((Action.EXAMINED, Action.SUPPLEMENT_REQUESTED, Action.SUPPLEMENTED), "running", "decide"),
        ((Action.EXAMINED, Action.GRANTED), "ended", "collect"),
        ((Action.EXAMINED, Action.REFUSED), "ended", None),
        ((Action.WITHDRAWN,), "ended", None),
    ],
)
def test_each_status_says_whose_turn_it_is(
    client: TestClient, store: CityStore, actions: tuple[Action, ...], clock: str, step: str | None
) -> None:
    receipt = file(store, *actions)
    found = ask(client, receipt.receipt_no, receipt.secret).json()
    jsonschema.validate(found, DOSSIER_STATUS)
    assert found["status"] == str(actions[-1])
    assert (found["clock"], found["next_step"] and found["next_step"]["step"]) == (clock, step)


def test_no_answer_names_a_person_or_the_parcel(client: TestClient, store: CityStore) -> None:
    receipt = file(store, Action.EXAMINED)
    told = ask(client, receipt.receipt_no, receipt.secret).text
    for hidden in (CLERK, NOTE, "p-0001", receipt.secret, receipt.secret.replace("-", "")):
        assert hidden not in told


def test_a_wrong_secret_and_an_unknown_number_are_answered_to_the_byte_alike(
    client: TestClient, store: CityStore
) -> None:
    receipt, other = file(store), file(store)
    number = receipt.receipt_no
    said = set()
    for asked in (
        (number, other.secret),
        (number, "0" * 16),
        (number, "0"),
        (number, ""),
        (number, "0" * 5000),
        (number, "\x00"),
        (number, "đ"),
        ("760-2026-999999", receipt.secret),
        ("760-2026-1", receipt.secret),
        ("", ""),
        ("' OR true --", "' OR true --"),
        ("x" * 5000, receipt.secret),
    ):
        answer = client.get(
            "/permits/status",
            params={"receipt": asked[0], "secret": asked[1]},
            headers={"X-Request-Id": "same"},
        )
        headers = {name: value for name, value in answer.headers.items() if name != "date"}
        said.add((answer.status_code, answer.content, tuple(sorted(headers.items()))))
    ((status, body, _),) = said
    assert status == 404
    assert b"no dossier of that receipt number and secret" in body


def test_a_parameter_that_is_missing_is_named(client: TestClient) -> None:
    answer = client.get("/permits/status", params={"receipt": "760-2026-000001"})
    assert (answer.status_code, answer.json()["parameter"]) == (400, "secret")


def test_it_is_described_in_vietnamese_and_english(client: TestClient) -> None:
    operation = client.get("/api").json()["paths"]["/permits/status"]["get"]
    assert operation["summary"] == "Tra cứu hồ sơ · Where a dossier stands"
    assert {parameter["name"] for parameter in operation["parameters"]} == {"receipt", "secret"}
    assert all(" · " in parameter["description"] for parameter in operation["parameters"])
    assert {"200", "400", "404", "503"} <= set(operation["responses"])

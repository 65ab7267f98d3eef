"""`diaba parcels rights|certificate|transfer|extract|document`, `diaba permits register`, `diaba db rotate-key`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import click
import geopandas
import orjson
import pytest

from api.cli import parcels, permits
from api.cli.common import LazyGroup
from gis.access.roles import Role
from gis.settings import Settings
from gis.store.database import Database
from tests.api.conftest import Run, own_home
from tests.gis.rights_samples import LAND, settle
from tests.gis.store_samples import lot


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """An installation with a city of one parcel that two hold, and papers for the tests."""
    with own_home() as folder:
        settings = Settings(folder, None, None)
        city = settings.city("hcmc")
        database = Database.of(city, settings, start=True)
        city.save()
        with database.open(Role.WRITER) as connection:
            settle(connection, {"p": {"A": "1/2", "B": "1/2"}}, ["Bank"])
        yield folder


@pytest.fixture
def diaba(home: Path, command_line: Callable[..., Run]) -> Run:
    return command_line(home)


def _json(done: tuple[int, str, str]) -> Any:
    assert done[0] == 0, done[2]
    return orjson.loads(done[1])


def _sale(tmp_path: Path, **more: object) -> str:
    document = {
        "kind": "sale",
        "unit": "p",
        "type": LAND,
        "day": "2015-06-01",
        "from": [{"party": "A", "share": "all"}],
        "to": [
            {"party": {"uid": "N", "kind": "person", "name": "Bà N (hư cấu)", "id_no": "079123456789"}, "share": "1/2"}
        ],
        "source": {"uid": "hd-1", "kind": "notarised_contract", "number": "1/2015", "date": "2015-05-30"},
        **more,
    }
    file = tmp_path / "sale.json"
    file.write_bytes(orjson.dumps(document))
    return str(file)


def test_a_parcel_s_rights_from_first_paper_to_extract(diaba: Run, tmp_path: Path) -> None:
    file = _sale(tmp_path)
    dry = _json(diaba("parcels", "transfer", file, "--dry-run", "--json"))
    assert dry == {
        "recorded": False,
        "changes": [
            {"party": "A", "since": "2015-06-01", "to": None, "share": "0"},
            {"party": "N", "since": "2015-06-01", "to": None, "share": "1/2"},
        ],
        "mortgage": None,
        "discharged": [],
    }
    holders = {one["party"]["uid"] for one in _json(diaba("parcels", "rights", "p", "--json"))["rights"]}
    assert holders == {"A", "B"}

    code, out, _ = diaba("parcels", "transfer", file)
    assert code == 0
    assert "N holds 1/2 from 2015-06-01" in out
    told = _json(diaba("parcels", "rights", "p", "--json"))["rights"]
    assert {one["party"]["uid"]: (one["share"], one["party"]["name"]) for one in told} == {
        "B": ("1/2", "Bà B"),
        "N": ("1/2", "Bà N (hư cấu)"),
    }
    before = _json(diaba("parcels", "rights", "p", "--as-of", "2015-05-31", "--json"))["rights"]
    assert {one["party"]["uid"] for one in before} == {"A", "B"}
    # The same paper again: A has nothing left to sell.
    code, _, err = diaba("parcels", "transfer", file)
    assert code == 1
    assert "A holds 0 on 2015-06-01" in err

    loan = {"unit": "p", "type": LAND, "debtor": "N", "creditor": "Bank", "day": "2016-01-01", "amount_vnd": 1_000_000}
    mortgage = tmp_path / "loan.json"
    mortgage.write_bytes(orjson.dumps({"kind": "mortgage", **loan}))
    made = _json(diaba("parcels", "transfer", str(mortgage), "--json"))["mortgage"]
    assert (made["party"]["uid"], made["mortgage"]["rank"]) == ("Bank", 1)

    issue = ("--set", "issued", "--on", "2015-06-02", "--unit", "p", "--book-no", "CS 1", "--party", "N")
    assert diaba("parcels", "certificate", "BA 1", *issue)[0] == 0
    extract = _json(diaba("parcels", "extract", "p", "--json"))
    assert extract["certificates"][0]["serial"] == "BA 1"
    assert extract["identities"]["N"] == "*********789"
    assert "079123456789" not in orjson.dumps(extract).decode()
    assert {one["type"] for one in extract["rights"]} == {LAND, "mortgage"}
    (bought,) = (one for one in extract["rights"] if one["party"]["uid"] == "N")
    assert bought["source"]["number"] == "1/2015"
    code, out, _ = diaba("parcels", "extract", "p", "--as-of", "2015-07-01")
    assert code == 0
    assert "Bà N (hư cấu) (person N)" in out
    assert "chưa biết gì / nothing yet" in out

    freed = tmp_path / "freed.json"
    freed.write_bytes(orjson.dumps({"kind": "discharge", "mortgages": [made["id"]], "day": "2017-01-01"}))
    assert _json(diaba("parcels", "transfer", str(freed), "--json"))["discharged"] == [made["id"]]
    left = _json(diaba("parcels", "rights", "p", "--as-of", "2017-01-01", "--json"))["rights"]
    assert {one["type"] for one in left} == {LAND}


def test_an_imported_parcel_gets_its_first_rights_and_is_sold(diaba: Run, tmp_path: Path) -> None:
    lots = tmp_path / "lots.geojson"
    named = {"uid": "q", "sheet_no": "12", "parcel_no": "7", "valid_from": "2012-01-01"}
    frame = geopandas.GeoDataFrame([named], geometry=[lot(50)], crs="EPSG:9210")
    frame.to_file(lots, driver="GeoJSON")
    assert diaba("parcels", "import", str(lots))[0] == 0
    first = tmp_path / "first.json"
    document = {
        "parcels": ["q"],
        "day": "2013-01-01",
        "rights": [
            {
                "type": LAND,
                "share": "1",
                "party": {"uid": "Q", "kind": "person", "name": "Bà Q (hư cấu)", "id_no": "079000111222"},
            }
        ],
        "source": {"uid": "qd-1", "kind": "decision", "number": "1/2013", "date": "2012-12-20"},
        "certificate": {"serial": "DA 1", "book_no": "CS 1/13"},
    }
    first.write_bytes(orjson.dumps(document))
    dry = _json(diaba("parcels", "grant", str(first), "--dry-run", "--json"))
    assert (dry["recorded"], dry["unit"]) == (False, {"uid": "q", "parcels": ["q"]})
    assert _json(diaba("parcels", "rights", "q", "--json"))["units"] == []
    assert diaba("parcels", "certificate", "DA 1")[0] == 3

    told = _json(diaba("parcels", "grant", str(first), "--json"))
    assert told == dry | {"recorded": True}
    code, out, err = diaba("parcels", "grant", str(first))
    assert (code, out) == (1, "")
    assert err == "diaba: parcel q: it is of unit q from 2013-01-01 on; its rights go on by a transfer\n"

    assert diaba("parcels", "transfer", _sale(tmp_path, unit="q", **{"from": [{"party": "Q", "share": "1/2"}]}))[0] == 0
    extract = _json(diaba("parcels", "extract", "q", "--json"))
    assert {one["party"]["uid"]: one["share"] for one in extract["rights"]} == {"N": "1/2", "Q": "1/2"}
    assert extract["identities"]["Q"] == "*********222"
    assert [one["serial"] for one in extract["certificates"]] == ["DA 1"]
    entries = _json(diaba("db", "audit", "--key", "Q", "--json"))["entries"]
    assert [(one["through"], one["table"]) for one in entries] == [("diaba parcels grant", "party")]

    document["rights"] = [{"type": LAND, "share": "1/2", "party": "Q"}]
    first.write_bytes(orjson.dumps(document))
    code, out, err = diaba("parcels", "grant", str(first))
    assert (code, out, err.count("\n")) == (3, "", 1)
    assert "1/2" in err


def test_a_certificate_is_found_by_serial_and_by_book(diaba: Run) -> None:
    diaba("parcels", "certificate", "DA 7", "--set", "issued", "--on", "2016-01-01", "--unit", "p", "--book-no", "CS 7")
    diaba("parcels", "certificate", "DA 8", "--set", "issued", "--on", "2018-01-01", "--unit", "p", "--book-no", "CS 8")
    done = diaba("parcels", "certificate", "DA 7", "--set", "replaced", "--on", "2018-01-01", "--replaced-by", "DA 8")
    assert done[0] == 0, done[2]
    for number in ("DA 7", "CS 7"):
        (found,) = _json(diaba("parcels", "certificate", number, "--json"))["certificates"]
        assert (found["serial"], found["status"], found["replaced_by"]) == ("DA 7", "replaced", "DA 8")
        assert found["parcels"] == ["p"]
        assert [step["status"] for step in found["life"]] == ["issued", "replaced"]
        assert found["doubts"][0]["to"] == "replaced"
    (then,) = _json(diaba("parcels", "certificate", "DA 7", "--as-of", "2017-01-01", "--json"))["certificates"]
    assert then["status"] == "issued"
    code, _, err = diaba("parcels", "certificate", "DA 7", "--set", "lost", "--on", "2019-01-01")
    assert code == 1
    assert "no legal step" in err


def test_a_tampered_paper_ends_with_3(diaba: Run, home: Path, tmp_path: Path) -> None:
    paper = tmp_path / "c.pdf"
    paper.write_bytes(b"%PDF contract")
    kept = _json(diaba("parcels", "document", "add", str(paper), "--uid", "c-1", "--kind", "contract", "--json"))
    signed = ("--uid", "c-1", "--kind", "contract", "--signature", "verified", "--number", "7")
    assert diaba("parcels", "document", "add", str(paper), *signed)[0] == 0
    again = _json(diaba("parcels", "document", "add", str(paper), "--uid", "c-1", "--kind", "contract", "--json"))
    assert again == kept | {"signature_status": "verified", "number": "7"}
    code, out, _ = diaba("parcels", "document", "check")
    assert (code, out) == (0, "1 documents, 1 intact\n")
    (file,) = (home / "cities" / "hcmc" / "documents").rglob(f"{kept['sha256']}*")
    file.write_bytes(b"%PDF contrast")
    code, out, _ = diaba("parcels", "document", "check", "--json")
    assert code == 3
    assert [(one["uid"], one["state"]) for one in orjson.loads(out)["not_intact"]] == [("c-1", "tampered")]
    file.unlink()
    assert "missing" in diaba("parcels", "document", "check")[1]


def test_the_register_of_buildings_is_loaded_and_held_against_its_target(diaba: Run, tmp_path: Path) -> None:
    file = tmp_path / "b.csv"
    lines = ["building,category,ward_code,valid_from,name,address,capacity,digitised,checked"]
    lines += [f"t-{n},high_rise,26734,2010-01-01,,,,{'2014-01-01' if n < 3 else ''}," for n in range(5)]
    file.write_text("\n".join(lines), encoding="utf-8")
    assert _json(diaba("permits", "register", "load", str(file), "--json"))["added"] == 5
    assert _json(diaba("permits", "register", "load", str(file), "--json"))["unchanged"] == 5
    assert diaba("permits", "register", "targets")[0] == 0
    diaba("permits", "register", "life", "t-1", "--set", "in_use", "--on", "2012-01-01")
    found = _json(diaba("permits", "register", "completeness", "--json"))
    assert found["completeness"] == [
        {
            "ward_code": "*",
            "category": "*",
            "target": 1200,
            "registered": 5,
            "digitised": 3,
            "checked": 0,
            "missing": 1197,
            "fraction": 0.0025,
            "source": found["completeness"][0]["source"],
            "doubt": "?",
        }
    ]
    assert found["statuses"] == {"in_use": 1}
    assert "596 of 1,200" in found["completeness"][0]["source"]
    assert "3 of 1200 ?" in diaba("permits", "register", "completeness")[1]
    life = _json(diaba("permits", "register", "life", "t-1", "--json"))
    assert life["life"] == [{"status": "in_use", "since": "2012-01-01", "to": None}]
    assert "demolition_permit_issued" in life["next"]
    code, _, err = diaba("permits", "register", "life", "t-1", "--set", "not_realised", "--on", "2013-01-01")
    assert code == 1
    assert "no legal step" in err


def test_bad_input_ends_with_3_and_one_line(diaba: Run, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text("{", encoding="utf-8")
    wrong = _sale(tmp_path, day="soon")
    for arguments in (
        ("parcels", "rights", "none"),
        ("parcels", "extract", "none"),
        ("parcels", "certificate", "none"),
        ("parcels", "certificate", "none", "--set", "issued", "--on", "2016-01-01"),
        ("parcels", "transfer", str(bad)),
        ("parcels", "grant", str(bad)),
        ("parcels", "grant", str(tmp_path / "none.json")),
        ("parcels", "transfer", wrong),
        ("parcels", "transfer", str(tmp_path / "none.json")),
        ("parcels", "document", "add", str(tmp_path / "none"), "--uid", "x", "--kind", "y"),
        ("permits", "register", "load", str(bad)),
        ("permits", "register", "life", "none"),
    ):
        code, out, err = diaba(*arguments)
        assert (code, out) == (3, ""), arguments
        assert err.count("\n") == 1
        assert "Traceback" not in err


def test_wrong_usage_ends_with_2(diaba: Run) -> None:
    for arguments in (
        ("parcels", "rights"),
        ("parcels", "rights", "p", "--as-of", "yesterday"),
        ("parcels", "rights", "p", "--known-at", "yesterday"),
        ("parcels", "certificate", "x", "--set", "issued"),
        ("permits", "register", "life", "t-1", "--set", "fallen", "--on", "2013-01-01"),
    ):
        assert diaba(*arguments)[0] == 2, arguments


def test_the_key_is_changed_by_a_command(diaba: Run) -> None:
    first = _json(diaba("db", "rotate-key", "--json"))
    second = _json(diaba("db", "rotate-key", "--json"))
    assert first["numbers"] == second["numbers"] > 0
    assert first["key"] != second["key"]
    assert _json(diaba("parcels", "extract", "p", "--json"))["identities"]["B"] == "*********066"


def test_every_command_shows_an_example_that_it_can_read() -> None:
    for group in (parcels.command, permits.command):
        assert isinstance(group, LazyGroup)
        with click.Context(group) as context:
            for name in ("certificate", "document", "extract", "grant", "rights", "transfer", "register"):
                command = group.get_command(context, name)
                for sub in [] if command is None else list(getattr(command, "commands", {}).values()) or [command]:
                    examples = re.findall(r"^ +diaba (.+)$", sub.help or "", re.MULTILINE)
                    assert examples, sub.name
                    for example in examples:
                        words = [one.strip('"') for one in re.findall(r'"[^"]*"|\S+', example)]
                        sub.make_context(str(sub.name), words[words.index(str(sub.name)) + 1 :])


def test_a_day_as_moment_is_its_end() -> None:
    from api.cli.times import MomentType

    moment = MomentType().convert("2026-03-02", None, None)
    assert moment.isoformat() == "2026-03-03T00:00:00+07:00"
    assert MomentType().convert("2026-03-02T15:30", None, None).isoformat() == "2026-03-02T15:30:00+07:00"
    assert MomentType().convert("2026-03-02T15:30+00:00", None, None).date() == date(2026, 3, 2)

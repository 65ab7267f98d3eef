"""`diaba parcels`: each command on a real store, its JSON, its text, its exit code, and its examples."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import orjson
import pytest
import shapely
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry
from sqlalchemy import text

from api.cli.parcels import COMMANDS, command
from gis.access.roles import Role
from tests.api.conftest import CityStore, Run
from tests.gis.land_samples import lots, place, register


@pytest.fixture(scope="module")
def land(make_store: Callable[..., CityStore]) -> CityStore:
    return make_store("land")


GUARDED = (
    "SELECT DISTINCT CAST(CAST(tgrelid AS regclass) AS text) FROM pg_trigger WHERE NOT tgisinternal AND tgtype & 32 > 0"
)
"""Tables with a trigger of their own against TRUNCATE."""


@pytest.fixture
def diaba(land: CityStore, command_line: Callable[..., Run]) -> Run:
    """The command line on a city with nine lots, p-00 … p-22, as if nothing had been done to it."""
    with land.database.open(Role.OWNER) as connection:
        # Dossiers and sheets of evidence refer to parcels, and let nothing be taken away.
        guarded = connection.scalars(text(GUARDED)).all()
        for table in guarded:
            connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        connection.execute(text("TRUNCATE parcel, land_change RESTART IDENTITY CASCADE"))
        for table in guarded:
            connection.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER USER"))
    with land.database.open(Role.WRITER) as connection:
        register(connection, lots())
    return command_line(land.settings.home, "--city", land.city.name, "parcels")


def _json(done: tuple[int, str, str]) -> dict[str, Any]:
    assert done[0] == 0, done[2]
    document: dict[str, Any] = orjson.loads(done[1])
    return document


def _write(path: Path, *shapes: tuple[BaseGeometry, dict[str, Any]]) -> str:
    features = [
        {"type": "Feature", "geometry": json.loads(shapely.to_geojson(shape)), "properties": told}
        for shape, told in shapes
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return str(path)


def _line(folder: Path, x: float, south: float = -1, north: float = 31) -> str:
    return _write(folder / f"line{x}.geojson", (shapely.LineString([place(x, south), place(x, north)]), {}))


def _box(west: float, east: float) -> shapely.Polygon:
    return shapely.Polygon([place(x, y) for x, y in ((west, 0), (east, 0), (east, 30), (west, 30))])


def _versions(land: CityStore) -> int:
    with land.database.open(Role.READER) as connection:
        return int(connection.scalar(text("SELECT count(*) FROM parcel_version")) or 0)


def test_a_split_is_tried_then_done_then_shown_then_undone(diaba: Run, land: CityStore, tmp_path: Path) -> None:
    split = ("split", "p-01", "--line", _line(tmp_path, 27), "--valid-from", "2020-05-01", "--dossier", "26.0001")
    tried = _json(diaba(*split, "--dry-run", "--json"))
    assert (tried["recorded"], tried["change"], _versions(land)) == (False, None, 9)
    done = _json(diaba(*split, "--json"))
    assert (done["recorded"], done["change"], done["difference_m2"]) == (True, 1, 0.0)
    for document in (tried, done):
        assert [child["area_outline"] for child in document["children"]] == [210.0, 390.0]
        assert [neighbour["uid"] for neighbour in document["neighbours"]] == ["p-11"]
        assert document["neighbours"][0]["points_added"] == 1
        checks = {(check["uid"], check["limit"], check["actual"], check["verdict"]) for check in document["checks"]}
        assert checks == {("p-01~1", 36.0, 210.0, "pass"), ("p-01~2", 36.0, 390.0, "pass")}
        assert document["problems"] == []
        assert "frontage was not checked" in document["notes"][-1]
    shown = _json(diaba("show", "p-01~2", "--json"))
    assert (shown["change"]["dossier"], shown["parcel_no"], shown["area_measured"]) == ("26.0001", "11", 390.0)
    assert shapely.from_geojson(json.dumps(shown["geometry"])).equals(_box(27, 40))
    before = _json(diaba("show", "p-01", "--as-of", "2020-04-30", "--json"))
    assert (before["valid_to"], before["area_measured"]) == ("2020-05-01", 600.0)
    code, _, err = diaba("show", "p-01")
    assert (code, err) == (3, "diaba: no parcel p-01 on this day; it is registered for 2009-03-01 to 2020-05-01\n")
    undone = _json(diaba("undo", "1", "--valid-from", "2024-01-01", "--json"))
    assert (undone["kind"], [child["uid"] for child in undone["children"]]) == ("merge", ["p-01"])
    assert _json(diaba("show", "p-01", "--json"))["valid_from"] == "2024-01-01"
    code, _, err = diaba("undo", "1")
    assert (code, err) == (1, "diaba: change 1 was undone already by change 2\n")


def test_a_part_of_a_parcel_changes_its_use(diaba: Run) -> None:
    part = ("use", "p-20", "--to", "CLN", "--area", "250", "--term", "2075-12-31", "--valid-from", "2020-05-01")
    code, out, err = diaba(*part, "--dry-run")
    assert (code, err) == (0, "")
    assert "600.000 m²  ODT 350; CLN 250 until 2075-12-31" in out
    assert diaba(*part)[0] == 0
    assert _json(diaba("show", "p-20", "--json"))["land_uses"] == [
        {"code": "ODT", "area_m2": 350.0, "term_end": None, "origin": None},
        {"code": "CLN", "area_m2": 250.0, "term_end": "2075-12-31", "origin": None},
    ]
    assert "    CLN 250 until 2075-12-31\n" in diaba("show", "p-20")[1]
    code, _, err = diaba("use", "p-20", "--to", "TMD", "--area", "9", "--from", "LUC")
    assert (code, err) == (3, "diaba: 9 m² of LUC were to change, there are 0 m²\n")
    assert diaba("use", "p-20", "--to", "TMD", "--term", "2075-12-31")[0] == 2


def test_the_audit_log_names_the_account_and_the_command_without_its_arguments(
    diaba: Run, land: CityStore, command_line: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    audit = command_line(land.settings.home, "--city", land.city.name, "db", "audit")
    monkeypatch.setenv("DIABA_ACTOR", "Lan")
    assert diaba("use", "p-12", "--to", "TMD", "--valid-from", "2020-05-01")[0] == 0
    code, out, err = audit("--key", "p-12", "--actor", "Lan", "--json")
    assert code == 0, err
    found = json.loads(out)["entries"]
    assert {(one["actor"], one["through"]) for one in found} == {("Lan", "diaba parcels use")}
    assert [one["operation"] for one in found] == ["INSERT", "INSERT", "UPDATE"]
    code, out, _ = audit("--actor", "Lan", "--limit", "1")
    assert (code, out.count("\n"), "diaba parcels use" in out) == (0, 1, True)
    document = json.loads(audit("--verify", "--json")[1])
    assert document["broken"] is None
    assert audit("--verify", "--head", document["head"])[0] == 0
    code, out, _ = audit("--verify", "--head", "00" * 32)
    assert (code, "the noted head is not in the chain" in out) == (1, True)
    assert audit("--head", "00")[0] == 2
    assert audit("--verify", "--head", "xy")[0] == 3


def test_what_the_register_knew_before_is_still_told(diaba: Run) -> None:
    known = _json(diaba("show", "p-22", "--json"))["recorded_from"]
    diaba("use", "p-22", "--to", "CLN", "--valid-from", "2020-05-01")
    assert _json(diaba("show", "p-22", "--json"))["land_use"] == "CLN"
    assert _json(diaba("show", "p-22", "--known-at", known, "--json"))["land_use"] == "ODT"
    assert _json(diaba("show", "p-22", "--as-of", "2020-04-30", "--json"))["land_use"] == "ODT"
    assert len(_json(diaba("history", "p-22", "--json"))["versions"]) == 3
    assert len(_json(diaba("history", "p-22", "--known-at", known, "--json"))["versions"]) == 1


def test_history_draws_where_land_came_from_and_went(diaba: Run, tmp_path: Path) -> None:
    diaba("renumber", "p-00", "--sheet", "13", "--parcel", "5", "--valid-from", "2019-01-01")
    diaba("split", "p-00", "--line", _line(tmp_path, 7), "--valid-from", "2020-05-01")
    diaba("merge", "p-00~2", "p-01", "--uid", "both", "--valid-from", "2021-05-01")
    diaba("adjust", "both", "p-02", "--line", _line(tmp_path, 45), "--valid-from", "2022-05-01")
    code, out, _ = diaba("history", "both")
    assert code == 0
    drawn = [line for line in out.splitlines() if not re.match(r"v\d", line)]
    assert drawn == [
        "p-00",
        "  → change 1: renumbering, 2019-01-01",
        "  → change 2: split, 2020-05-01",
        "    p-00~2",
        "      → change 3: merge, 2021-05-01",
        "        both  ←",
        "          → change 4: boundary adjustment, 2022-05-01",
        "            p-02",
        "p-01",
        "  → change 3: merge, 2021-05-01 (above)",
        "p-02",
        "  → change 4: boundary adjustment, 2022-05-01 (above)",
    ]
    document = _json(diaba("history", "both", "--json"))
    assert [change["kind"] for change in document["changes"]] == [
        "renumbering",
        "split",
        "merge",
        "boundary_adjustment",
    ]
    handed = {(e["change"], e["parent"]["uid"], e["child"]["uid"], round(e["area_m2"], 3)) for e in document["lineage"]}
    assert (3, "p-00~2", "both", 390.0) in handed
    assert (4, "p-02", "both", 150.0) in handed
    known = document["changes"][1]["recorded_at"]
    earlier = _json(diaba("history", "p-00", "--known-at", known, "--json"))
    assert [change["id"] for change in earlier["changes"]] == [1, 2]


def test_parts_in_degrees_need_their_crs_and_then_fit(diaba: Run, tmp_path: Path) -> None:
    to_degrees = Transformer.from_pipeline(
        # By hand, the seven parameters of decision 05/2007, back: not by way of the program's own transformer.
        "+proj=pipeline +step +inv +proj=tmerc +lat_0=0 +lon_0=105.75 +k=0.9999 +x_0=500000 +y_0=0 +ellps=WGS84 "
        "+step +proj=cart +ellps=WGS84 +step +proj=helmert +x=-191.90441429 +y=-39.30318279 +z=-111.45032835 "
        "+rx=0.00928836 +ry=-0.01975479 +rz=0.00427372 +s=0.252906278 +convention=position_vector "
        "+step +inv +proj=cart +ellps=WGS84 +step +proj=unitconvert +xy_in=rad +xy_out=deg"
    )

    def moved(shape: BaseGeometry) -> BaseGeometry:
        return shapely.transform(shape, lambda xy: np.column_stack(to_degrees.transform(xy[:, 0], xy[:, 1])))

    halves = ((moved(_box(0, 8)), {"uid": "west", "parcel_no": "77"}), (moved(_box(8, 20)), {}))
    file = _write(tmp_path / "degrees.geojson", *halves)
    code, _, err = diaba("split", "p-00", "--into", file)
    assert code == 3
    assert "these look like degrees: --crs EPSG:4326" in err
    done = _json(diaba("split", "p-00", "--into", file, "--crs", "EPSG:4326", "--json"))
    assert [(c["uid"], c["parcel_no"]) for c in done["children"]] == [("west", "77"), ("p-00~1", "10")]
    assert [c["area_outline"] for c in done["children"]] == [pytest.approx(240, abs=0.05), pytest.approx(360, abs=0.05)]
    assert done["area_after_m2"] == pytest.approx(600, abs=0.05)


def test_neighbours_are_merged_adjusted_and_surveyed_anew(diaba: Run, tmp_path: Path) -> None:
    parts = _write(tmp_path / "parts.geojson", (_box(21, 40), {"uid": "p-01"}), (_box(0, 21), {"uid": "p-00"}))
    adjusted = _json(diaba("adjust", "p-00", "p-01", "--into", parts, "--valid-from", "2020-05-01", "--json"))
    assert {child["uid"]: child["area_outline"] for child in adjusted["children"]} == {"p-00": 630.0, "p-01": 570.0}
    wider = _write(tmp_path / "wide.geojson", (_box(-1, 21), {"uid": "p-00"}))
    assert _json(diaba("resurvey", wider, "--json"))["difference_m2"] == 30.0
    merged = _json(diaba("merge", "p-00", "p-01", "--json"))
    assert [child["area_outline"] for child in merged["children"]] == [1230.0]
    moved = _json(diaba("succeed", "26734", "26740", "--json"))
    assert {child["ward_code"] for child in moved["children"]} == {"26740"}


def test_a_small_piece_goes_to_a_neighbour(diaba: Run, tmp_path: Path) -> None:
    line = _line(tmp_path, 21)
    code, out, err = diaba("split", "p-01", "--line", line)
    assert (code, out) == (3, "")
    assert err.startswith("diaba: split: p-01~1: area 30.00 m², at least 36 m² (QĐ 100/2024/QĐ-UBND")
    code, out, _ = diaba("split", "p-01", "--line", line, "--dry-run")
    assert code == 0
    assert "  problem: p-01~1: area 30.00 m², at least 36 m²" in out
    done = _json(diaba("split", "p-01", "--line", line, "--small-into", "p-00", "--json"))
    assert sorted(child["area_outline"] for child in done["children"]) == [570.0, 630.0]
    assert {parent["uid"] for parent in done["parents"]} == {"p-00", "p-01"}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("split", "p-00", "--line", "{far}"), 3, "diaba: line: it does not cross the parcel"),
        (("split", "p-00", "--line", "{none}"), 3, "No such file"),
        (("split", "p-00", "--line", "{text}"), 3, "it is no GeoJSON"),
        (("split", "p-00", "--line", "{deep}"), 3, "it is no GeoJSON"),
        (("split", "p-00", "--line", "{endless}"), 3, "more than 20000 points"),
        (("split", "p-00", "--line", "{infinite}"), 3, "it is no GeoJSON with geometry"),
        (("split", "p-00", "--line", "{polygon}"), 3, "lines are needed, not a Polygon"),
        (("split", "p-00", "--into", "{far}"), 3, "a polygon is needed, not a LineString"),
        (("split", "p-00"), 2, "give either --line or --into"),
        (("split", "nobody", "--line", "{far}"), 3, "diaba: no parcel nobody"),
        (("merge", "p-00", "p-22"), 3, "they do not adjoin along a common boundary"),
        (("adjust", "p-00", "p-01", "--into", "{polygon}"), 3, "each part must name its parcel as uid"),
        (("use", "p-00", "--to", "odt"), 3, "a code of three capital letters"),
        (("use", "p-00", "--to", "CLN", "--if-version", "7"), 1, "parcel p-00 is at version 1, not 7 any more"),
        (("use", "p-00", "p-01", "--to", "CLN", "--if-version", "7"), 3, "give UID=N"),
        (("use", "p-00", "--to", "CLN", "--valid-from", "soon"), 2, "'soon' is no day"),
        (("show", "p-00", "--known-at", "then"), 2, "'then' is no moment"),
        (("renumber", "p-00", "--sheet", "12", "--parcel", "2"), 1, "is the number of p-01"),
        (("undo", "5"), 3, "diaba: no land change 5"),
        (("history", "x'; DROP TABLE parcel; --"), 3, "no parcel x'; DROP TABLE"),
    ],
)
def test_mistakes_are_said_in_one_line_and_change_nothing(
    diaba: Run, land: CityStore, tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    (tmp_path / "text.geojson").write_text("not json", encoding="utf-8")
    (tmp_path / "deep.geojson").write_text("[" * 100_000, encoding="utf-8")
    infinite = '{"type": "LineString", "coordinates": [[1e999, 1], [2, 1e999]]}'
    (tmp_path / "infinite.geojson").write_text(infinite, encoding="utf-8")
    files = {
        "far": _line(tmp_path, 500),
        "none": str(tmp_path / "none.geojson"),
        "text": str(tmp_path / "text.geojson"),
        "deep": str(tmp_path / "deep.geojson"),
        "endless": _write(
            tmp_path / "endless.geojson", (shapely.LineString([place(n / 1e3, 1) for n in range(20_001)]), {})
        ),
        "infinite": str(tmp_path / "infinite.geojson"),
        "polygon": _write(tmp_path / "polygon.geojson", (_box(0, 8), {})),
    }
    found, out, err = diaba(*(argument.format(**files) for argument in arguments))
    assert (found, out) == (code, "")
    assert said in err
    assert code == 2 or err.count("\n") == 1
    assert _versions(land) == 9


def test_each_example_in_the_help_parses() -> None:
    seen = set()
    for name in COMMANDS:
        found = command.get_command(click.Context(command), name)
        assert found is not None
        shown = found.get_help(click.Context(found, info_name=f"diaba parcels {name}"))
        for words in map(shlex.split, re.findall(rf"^\s+diaba parcels {name} (.*)$", shown, flags=re.MULTILINE)):
            found.make_context(name, words)
            seen.add(name)
    assert seen == set(COMMANDS)

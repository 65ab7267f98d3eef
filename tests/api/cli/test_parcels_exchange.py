"""`diaba parcels import|export|find`: their JSON, exit codes, and the examples of their help."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyogrio
import pytest
import shapely

from gis.crs import normalise, transformer
from gis.land.exchange import files
from gis.land.exchange.record import ParcelRecord
from tests.api.conftest import Run, own_home
from tests.gis.exchange_samples import EAST, NORTH, sample_records

CITY = normalise(9210)


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with own_home() as folder:
        yield folder


@pytest.fixture
def diaba(home: Path, command_line: Callable[..., Run]) -> Run:
    return command_line(home, "--city", "exchange")


@pytest.fixture
def filled(diaba: Run, tmp_path: Path) -> Run:
    """A city that has the sample."""
    assert diaba("db", "migrate")[0] == 0
    files.write(tmp_path / "filled.gpkg", sample_records(), CITY)
    code, _, err = diaba("parcels", "import", str(tmp_path / "filled.gpkg"))
    assert code == 0, err
    return diaba


def as_json(done: tuple[int, str, str], code: int = 0) -> dict[str, Any]:
    assert done[0] == code, done[2]
    document: dict[str, Any] = orjson.loads(done[1])
    return document


def test_a_dry_run_writes_nothing_and_an_import_all(diaba: Run, tmp_path: Path) -> None:
    assert diaba("db", "migrate")[0] == 0
    path = str(tmp_path / "lots.shp")
    files.write(Path(path), sample_records(), CITY)
    dry = as_json(diaba("parcels", "import", path, "--dry-run", "--json"))
    assert (dry["records"], dry["new"], dry["written"]) == (22, 22, False)
    assert as_json(diaba("parcels", "find", "12/1", "--json"))["parcels"] == []
    done = as_json(diaba("parcels", "import", path, "--json"))
    assert (done["new"], done["errors"], done["written"]) == (22, 0, True)
    again = as_json(diaba("parcels", "import", path, "--json"))
    assert (again["new"], again["changed"], again["unchanged"]) == (0, 0, 22)


def test_errors_are_listed_and_end_with_three(filled: Run, tmp_path: Path) -> None:
    lots = [
        ParcelRecord("x", shapely.box(EAST - 1, NORTH, EAST + 1, NORTH + 20), None, "26734", "9", str(n)) for n in "12"
    ]
    files.write(tmp_path / "bad.geojson", lots, CITY)
    report = tmp_path / "report.gpkg"
    arguments = ("parcels", "import", str(tmp_path / "bad.geojson"), "--report", str(report))
    document = as_json(filled(*arguments, "--json"), 3)
    assert document["by_kind"] == {"overlap": 1, "overlap_register": 2}
    assert {problem["record"] for problem in document["problems"]} >= {"bad.geojson, record 1 (9/1)"}
    assert pyogrio.read_info(report, layer="problems")["features"] == 3
    code, out, _ = filled(*arguments)
    assert code == 3
    assert "error   overlap_register: bad.geojson, record 1 (9/1): it overlaps the register's parcel p-0000" in out
    assert "nothing is written: correct the errors first" in out


def test_the_shift_of_225_metres_is_said(filled: Run, tmp_path: Path) -> None:
    def shifted(xy: np.ndarray) -> np.ndarray:
        return np.column_stack(transformer(9210, 4756).transform(xy[:, 0], xy[:, 1]))

    moved = [replace(r, shape=shapely.transform(r.shape, shifted)) for r in sample_records()]
    files.write(tmp_path / "vn.geojson", moved, normalise(4326))
    document = as_json(filled("parcels", "import", str(tmp_path / "vn.geojson"), "--json"), 3)
    assert document["by_kind"]["wrong_datum"] == 1
    first = next(problem for problem in document["problems"] if problem["kind"] == "wrong_datum")
    assert "wrong by 226 m: the coordinates fit EPSG:4756, not EPSG:4326" in first["reason_en"]
    # Said rightly, it is the register.
    right = as_json(filled("parcels", "import", str(tmp_path / "vn.geojson"), "--crs", "EPSG:4756", "--json"))
    assert right["unchanged"] == 22


@pytest.mark.parametrize("ending", [".gpkg", ".shp", ".geojson", ".dxf", ".csv", ".gml", ".xml"])
def test_export_and_import_again_changes_nothing(filled: Run, tmp_path: Path, ending: str) -> None:
    out = str(tmp_path / f"out{ending}")
    assert as_json(filled("parcels", "export", out, "--json"))["parcels"] == 22
    crs = ("--crs", "EPSG:9210") if ending == ".dxf" else ()
    again = as_json(filled("parcels", "import", out, *crs, "--json"))
    assert (again["new"], again["changed"], again["unchanged"], again["warnings"]) == (0, 0, 22, 0)


def test_export_takes_an_area_a_day_and_a_crs(filled: Run, tmp_path: Path) -> None:
    out = str(tmp_path / "part.geojson")
    area = f"{EAST + 1},{NORTH + 1},{EAST + 6},{NORTH + 2}"
    assert as_json(filled("parcels", "export", out, "--area", area, "--crs", "EPSG:4326", "--json")) == {
        "file": out,
        "parcels": 2,
        "crs": "EPSG:4326",
    }
    assert pyogrio.read_bounds(out)[1].max() < 180
    early = as_json(filled("parcels", "export", out, "--as-of", "2009-03-01", "--json"))
    assert early["parcels"] == sum(record.valid_from.isoformat() == "2009-03-01" for record in sample_records())
    assert as_json(filled("parcels", "export", out, "--known-at", "2001-01-01", "--json"))["parcels"] == 0
    assert filled("parcels", "export", str(tmp_path / "x.dwg"))[0] == 3


def test_find_answers_for_people_and_programs(filled: Run) -> None:
    code, out, _ = filled("parcels", "find", "2/1 le loi")
    assert code == 0
    assert out.startswith("p-0001  sheet 12 parcel 2  100.0 m²  2/1 Lê Lợi")
    code, out, _ = filled("parcels", "find", "3/500a")
    assert "sheet 12 parcel 1 (old 3/500a)" in out
    assert "by old_number" in out
    lon, lat = transformer(9210, 4326).transform(EAST + 7, NORTH + 3)
    for at, crs in ((f"{EAST + 7},{NORTH + 3}", ()), (f"{lon},{lat}", ("--crs", "EPSG:4326"))):
        found = as_json(filled("parcels", "find", "--at", at, *crs, "--json"))["parcels"]
        assert [one["uid"] for one in found] == ["p-0001"]
    found = as_json(filled("parcels", "find", "--sheet", "12", "--parcel", "2", "--as-of", "2009-12-31", "--json"))
    assert found["parcels"] == []
    assert filled("parcels", "find", "no such street")[1] == "no parcel\n"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("find",), 2),
        (("find", "a", "--at", "1,2"), 2),
        (("find", "--sheet", "1"), 2),
        (("find", "--at", "here"), 3),
        (("find", "--at", "106.7,10.7"), 3),
        (("find", "'; DROP TABLE parcel; --"), 0),
        (("import", "none.gpkg"), 3),
        (("import", "none.gpkg", "--map", "colour=x"), 2),
        (("import", "none.gpkg", "--set", "address"), 2),
        (("import",), 2),
        (("export", "out.gpkg", "--area", "1,2,3"), 3),
        (("export", "out.gpkg", "--as-of", "hier"), 2),
    ],
)
def test_what_cannot_be_asked_has_its_exit_code_and_one_line(
    filled: Run, arguments: tuple[str, ...], code: int
) -> None:
    got, _, err = filled("parcels", *arguments)
    assert got == code, err
    assert "Traceback" not in err
    assert (code != 3) or err.count("\n") == 1

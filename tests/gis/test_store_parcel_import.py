"""Parcels of files against the register: checked, then all or nothing; the same file again changes nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import shapely
from pyproj import Transformer
from shapely import box
from sqlalchemy import Connection, text

from gis.access.roles import Role
from gis.crs import normalise, transformer
from gis.errors import BadInput, MissingCrs
from gis.land.exchange import files
from gis.land.exchange.problems import Kind
from gis.land.exchange.record import ParcelRecord, Reading
from gis.land.exchange.report import ImportReport, write_report
from gis.store import land_changes, parcel_export, parcel_import, parcels, registers
from gis.store.database import Database
from gis.store.land_changes import Order
from tests.gis.exchange_samples import EAST, NORTH, sample_records
from tests.gis.store_samples import register_layers, write_registers

CITY = normalise(9210)
DAY = date(2026, 1, 1)
ALL = text("SELECT p.*, p.geom::text AS shape FROM diaba.parcel_version p ORDER BY uid, version")


def versions(connection: Connection) -> list[Any]:
    """All that the register ever knew of parcels."""
    return list(connection.execute(ALL).all())


def bring(connection: Connection, path: Path, reading: Reading | None = None, **options: Any) -> ImportReport:
    """Import a file if it may be."""
    incoming = files.read(path, reading or Reading(crs=CITY if path.suffix == ".dxf" else None))
    checked = parcel_import.check(connection, [incoming], valid_from=options.pop("valid_from", DAY), **options)
    if not checked.report.errors:
        parcel_import.save(connection, checked)
    return checked.report


def write(path: Path, records: Sequence[ParcelRecord]) -> Path:
    files.write(path, records, CITY)
    return path


@pytest.fixture
def filled(writer: Connection, tmp_path: Path) -> Connection:
    """A register that has the sample."""
    assert bring(writer, write(tmp_path / "filled.gpkg", sample_records())).errors == ()
    return writer


def kinds(report: ImportReport) -> list[Kind]:
    return [problem.kind for problem in report.problems]


@pytest.mark.parametrize("ending", [e for e in files.ENDINGS if e != ".csv"])
def test_register_to_file_to_register_is_the_same_register(
    shared_database: Database, filled: Connection, ending: str, tmp_path: Path
) -> None:
    sent = parcel_export.records(filled, as_of=date(2030, 1, 1))
    write(tmp_path / f"out{ending}", sent)
    before = versions(filled)
    again = bring(filled, tmp_path / f"out{ending}")
    assert (again.new, again.changed, again.unchanged, again.problems) == (0, 0, 22, ())
    assert versions(filled) == before
    filled.rollback()
    with shared_database.open(Role.WRITER) as other:
        fresh = bring(other, tmp_path / f"out{ending}")
        assert (fresh.new, fresh.changed, fresh.unchanged) == (22, 0, 0)
        got = parcel_export.records(other, as_of=date(2030, 1, 1))
        for one, two in zip(sent, got, strict=True):
            assert replace(one, shape=None) == replace(two, shape=None)
            assert shapely.equals(one.shape, two.shape)
            assert shapely.hausdorff_distance(one.shape.boundary, two.shape.boundary) == 0.0
        other.rollback()


def test_the_sample_itself_has_no_problem_and_every_value_arrives(filled: Connection) -> None:
    found = parcel_export.records(filled, as_of=date(2030, 1, 1))
    assert [replace(record, source="") for record in found] == [replace(one, source="") for one in sample_records()]


def test_the_same_file_again_changes_nothing_on_another_day_too(filled: Connection, tmp_path: Path) -> None:
    undated = [replace(record, valid_from=None, valid_to=None) for record in sample_records()]
    path = write(tmp_path / "undated.gpkg", undated)
    before = versions(filled)
    for day in (DAY, date(2026, 5, 5), date(2031, 1, 1)):
        assert bring(filled, path, valid_from=day).unchanged == 22
    assert versions(filled) == before


def test_what_was_split_is_known_as_it_is_and_held_against_its_own_days_alone(
    filled: Connection, tmp_path: Path
) -> None:
    day = date(2026, 3, 1)
    cut = shapely.LineString([(EAST + 5, NORTH - 1), (EAST + 5, NORTH + 21)])
    merged = land_changes.merge(filled, ["p-0000", "p-0001"], Order(day))
    land_changes.split(filled, merged.draft.children[0].uid, cut, Order(date(2026, 4, 1)))
    sent = parcel_export.records(filled, as_of=date(2026, 5, 1))
    before = versions(filled)
    report = bring(filled, write(tmp_path / "again.gpkg", sent))
    assert (report.unchanged, report.problems) == (22, ())
    assert versions(filled) == before
    # Where days meet they are held against each other: with what was there in February alone.
    early = replace(sample_records()[0], uid="early", parcel_no="900", valid_from=date(2026, 2, 1), valid_to=day)
    report = bring(filled, write(tmp_path / "early.gpkg", [early]))
    assert [(problem.kind, problem.facts["uid"]) for problem in report.problems] == [(Kind.OVERLAP_REGISTER, "p-0000")]


def test_a_way_through_degrees_changes_nothing(filled: Connection, tmp_path: Path) -> None:
    sent = parcel_export.records(filled, crs=normalise(4326))
    files.write(tmp_path / "degrees.geojson", sent, normalise(4326))
    before = versions(filled)
    assert bring(filled, tmp_path / "degrees.geojson").unchanged == 22
    assert versions(filled) == before


def test_what_the_demos_registers_brought_is_known_as_it_is(writer: Connection, tmp_path: Path) -> None:
    registers.import_registers(writer, write_registers(tmp_path / "registers.gpkg", register_layers(12)))
    before = versions(writer)
    report = bring(writer, tmp_path / "registers.gpkg", Reading(layer="parcels"))
    assert (report.unchanged, report.problems) == (12, ())
    assert versions(writer) == before


def test_a_changed_attribute_and_outline_become_versions(filled: Connection, tmp_path: Path) -> None:
    changed = [replace(r, valid_from=date(2026, 3, 1)) for r in sample_records()[20:]]
    grown = shapely.transform(changed[1].shape, lambda xy: xy + np.array([0.0, 2.0]))
    changed = [replace(changed[0], address="99 Hàm Nghi"), replace(changed[1], shape=grown)]
    report = bring(filled, write(tmp_path / "changed.gpkg", changed))
    assert (report.new, report.changed, report.unchanged) == (0, 2, 0)
    for day, address in ((date(2026, 2, 28), sample_records()[20].address), (date(2026, 3, 1), "99 Hàm Nghi")):
        now = {record.uid: record for record in parcel_export.records(filled, as_of=day)}
        assert now["p-0020"].address == address
    assert now["p-0021"].shape.equals_exact(grown, 0.0)


def test_a_table_changes_attributes_by_sheet_and_parcel_number(filled: Connection, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("tờ số;Số thửa;Địa chỉ\n12;3;3 Hàm Nghi\n", encoding="utf-8")
    reading = Reading(names={"sheet_no": "tờ số"}, constants={"ward_code": "26734"})
    report = bring(filled, tmp_path / "new.csv", reading)
    assert (report.changed, report.problems) == (1, ())
    now = {record.uid: record for record in parcel_export.records(filled, as_of=DAY)}
    was = sample_records()[2]
    assert now["p-0002"] == replace(was, source=now["p-0002"].source, address="3 Hàm Nghi", valid_from=DAY)


def test_columns_a_file_lacks_keep_what_the_register_has(filled: Connection, tmp_path: Path) -> None:
    frame = pyogrio.read_dataframe(write(tmp_path / "lots.gpkg", sample_records()[:1]))
    frame = frame[["uid", "geometry"]].assign(land_use="CLN")
    pyogrio.write_dataframe(frame, tmp_path / "few.gpkg", layer="parcels")
    assert bring(filled, tmp_path / "few.gpkg").changed == 1
    now = parcel_export.records(filled, as_of=DAY)[0]
    was = sample_records()[0]
    assert (now.land_use, now.address, now.old_parcel_no) == ("CLN", was.address, was.old_parcel_no)


def test_new_parcels_get_a_name_of_their_own(filled: Connection, tmp_path: Path) -> None:
    parcels.name(filled, ["26734-12-70"])
    lots = [
        ParcelRecord("x", box(EAST + 200 + 5 * n, NORTH, EAST + 205 + 5 * n, NORTH + 9), None, "26734", "12", f"7{n}")
        for n in range(2)
    ]
    assert bring(filled, write(tmp_path / "new.gpkg", lots)).new == 2
    assert {"26734-12-70_2", "26734-12-71"} <= {record.uid for record in parcel_export.records(filled, as_of=DAY)}
    assert bring(filled, tmp_path / "new.gpkg").unchanged == 2


def test_a_number_that_changes_hands_in_one_file_goes_to_another_parcel(filled: Connection, tmp_path: Path) -> None:
    day = date(2026, 2, 1)
    moved = replace(sample_records()[0], parcel_no="90", valid_from=day)
    taken = ParcelRecord("x", fresh(0).shape, None, "26734", "12", "1", valid_from=day)
    report = bring(filled, write(tmp_path / "hands.gpkg", [moved, taken]))
    assert (report.new, report.changed, report.problems) == (1, 1, ())
    now = {record.parcel_no: record.uid for record in parcel_export.records(filled, as_of=day)}
    assert (now["90"], now["1"]) == ("p-0000", "26734-12-1")


def test_an_old_file_does_not_undo_a_later_change(filled: Connection, tmp_path: Path) -> None:
    old = write(tmp_path / "old.gpkg", sample_records()[:1])
    newer = replace(sample_records()[0], address="1 Hàm Nghi", valid_from=date(2015, 1, 1))
    assert bring(filled, write(tmp_path / "newer.gpkg", [newer])).changed == 1
    before = versions(filled)
    report = bring(filled, old)
    assert kinds(report) == [Kind.LATER_CHANGE]
    assert "2015-01-01" in report.errors[0].en
    assert versions(filled) == before


NEW = (EAST + 300, NORTH)


def fresh(number: int, dx: float = 0.0, width: float = 5.0, **values: Any) -> ParcelRecord:
    """The number-th of a row of new lots."""
    west = NEW[0] + 5.0 * number + dx
    told = {"ward_code": "26734", "sheet_no": "13", "parcel_no": str(number + 1)} | values
    return ParcelRecord("new", box(west, NEW[1], west + width, NEW[1] + 20), **told)


CASES: dict[str, tuple[list[ParcelRecord], list[tuple[Kind, str]]]] = {
    "overlap in the file": ([fresh(0, width=5.3), fresh(1)], [(Kind.OVERLAP, "record 1 (13/1)")]),
    "overlap with the register": (
        [ParcelRecord("x", box(EAST - 4, NORTH, EAST + 1, NORTH + 20), None, "26734", "13", "1")],
        [(Kind.OVERLAP_REGISTER, "record 1 (13/1)")],
    ),
    "the same outline twice": (
        [fresh(0), replace(fresh(0), parcel_no="9")],
        [(Kind.OVERLAP, "record 1 (13/1)")],
    ),
    "a gap of five centimetres": ([fresh(0, width=4.95), fresh(1)], [(Kind.GAP, "record 1 (13/1)")]),
    "a gap to the register": (
        [ParcelRecord("x", box(EAST - 5, NORTH, EAST - 0.1, NORTH + 20), None, "26734", "13", "1")],
        [(Kind.GAP, "record 1 (13/1)")],
    ),
    "an overlap of a millimetre is rounding": ([fresh(0, width=5.001), fresh(1)], []),
    "a passage is no gap": ([fresh(0), fresh(1, dx=0.5, width=4.5)], []),
    "the same number twice": (
        [fresh(0), fresh(1), replace(fresh(2), parcel_no="1")],
        [(Kind.DUPLICATE_NUMBER, "record 3 (13/1)")],
    ),
    "the same uid twice": (
        [replace(fresh(n), uid="p-new") for n in range(2)],
        [(Kind.DUPLICATE_UID, "record 2 (13/2)")],
    ),
    "a number another parcel has": (
        [replace(fresh(0), uid="p-new", sheet_no="12", parcel_no="4")],
        [(Kind.NUMBER_TAKEN, "record 1 (12/4)")],
    ),
    "no number": ([ParcelRecord("x", fresh(0).shape)], [(Kind.NO_NUMBER, "record 1")]),
    # 0.0004 · 500 · √100 = 2.0 m²
    "an area off by less than tolerated": ([fresh(0, area_legal=98.0)], []),
    "an area off by more than tolerated": ([fresh(0, area_legal=97.9)], [(Kind.AREA_DIFFERS, "record 1 (13/1)")]),
    "an area off by more than tolerated the other way": (
        [fresh(0, area_legal=102.1)],
        [(Kind.AREA_DIFFERS, "record 1 (13/1)")],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_kind_of_problem_is_told_of_its_record_alone(filled: Connection, case: str, tmp_path: Path) -> None:
    records, expected = CASES[case]
    before = versions(filled)
    report = bring(filled, write(tmp_path / "case.gpkg", records))
    assert [(problem.kind, problem.record) for problem in report.problems] == [
        (kind, f"case.gpkg, {record}") for kind, record in expected
    ]
    assert (versions(filled) == before) == bool(report.errors)


def test_figures_of_problems_are_right(filled: Connection, tmp_path: Path) -> None:
    report = bring(filled, write(tmp_path / "a.gpkg", [fresh(0, width=5.3), fresh(1), fresh(2, dx=0.05, width=4.95)]))
    overlap, gap = report.problems
    assert overlap.facts["area_m2"] == pytest.approx(0.3 * 20)
    assert overlap.shape.equals(box(NEW[0] + 5, NEW[1], NEW[0] + 5.3, NEW[1] + 20).intersection(overlap.shape))
    assert gap.facts["area_m2"] == pytest.approx(0.05 * 20, rel=0.02)
    assert gap.facts["width_m"] == pytest.approx(0.05, rel=0.02)
    assert all("m²" in problem.en and "m²" in problem.vi for problem in report.problems)


def _vn_read_as_wgs(xy: np.ndarray) -> np.ndarray:
    """VN-2000 degrees taken for WGS 84 and brought to the register with the shift once too often."""
    angles = np.column_stack(Transformer.from_crs(9210, 4756, always_xy=True).transform(xy[:, 0], xy[:, 1]))
    return np.column_stack(transformer(4326, 9210).transform(angles[:, 0], angles[:, 1]))


def _wgs_read_as_vn(xy: np.ndarray) -> np.ndarray:
    """WGS 84 degrees taken for VN-2000: the shift is missing."""
    angles = np.column_stack(transformer(9210, 4326).transform(xy[:, 0], xy[:, 1]))
    return np.column_stack(Transformer.from_crs(4756, 9210, always_xy=True).transform(angles[:, 0], angles[:, 1]))


def _degrees(code: int) -> Any:
    there = transformer(9210, code)
    return lambda xy: np.column_stack(there.transform(xy[:, 0], xy[:, 1]))


MISPLACED: dict[str, tuple[Any, int, Kind, str]] = {
    "the datum's shift twice": (_vn_read_as_wgs, 9210, Kind.WRONG_DATUM, "wrong by 22"),
    "the datum's shift left out": (_wgs_read_as_vn, 9210, Kind.WRONG_DATUM, "wrong by 22"),
    "VN-2000 degrees said to be WGS 84": (_degrees(4756), 4326, Kind.WRONG_DATUM, "fit EPSG:4756, not EPSG:4326"),
    "WGS 84 degrees said to be VN-2000": (_degrees(4326), 4756, Kind.WRONG_DATUM, "fit EPSG:4326, not EPSG:4756"),
    "axes swapped": (lambda xy: xy[:, ::-1], 9210, Kind.SWAPPED_AXES, "x and y are swapped"),
    "latitude first": (lambda xy: _degrees(4326)(xy)[:, ::-1], 4326, Kind.SWAPPED_AXES, "the other way round"),
    "degrees said to be metres": (_degrees(4326), 9210, Kind.DEGREES, "degrees"),
    "metres said to be degrees": (lambda xy: xy, 4326, Kind.METRES, "metres"),
    "another zone": (_degrees(5899), 9210, Kind.WRONG_CRS, "fit EPSG:5899, not EPSG:9210"),
    "UTM": (_degrees(3405), 9210, Kind.WRONG_CRS, "fit EPSG:3405, not EPSG:9210"),
}


@pytest.mark.parametrize("case", MISPLACED)
def test_parcels_beside_their_place_are_told_by_the_registers_corners(
    filled: Connection, case: str, tmp_path: Path
) -> None:
    spoil, said, kind, words = MISPLACED[case]
    # Only every other parcel, and with another row of them that the register does not have.
    records = [*sample_records()[::2], *(fresh(n) for n in range(5))]
    moved = [replace(record, shape=shapely.transform(record.shape, spoil)) for record in records]
    files.write(tmp_path / "off.gpkg", moved, normalise(said))
    before = versions(filled)
    report = bring(filled, tmp_path / "off.gpkg")
    told = [problem for problem in report.problems if problem.record == "off.gpkg"]
    assert [problem.kind for problem in told] == [kind]
    assert words in told[0].en
    assert report.errors
    assert versions(filled) == before


@pytest.mark.parametrize("case", ["axes swapped", "latitude first", "another zone"])
def test_an_empty_register_tells_what_lies_outside_of_the_citys_zone(
    writer: Connection, case: str, tmp_path: Path
) -> None:
    spoil, said, _, _ = MISPLACED[case]
    moved = [replace(record, shape=shapely.transform(record.shape, spoil)) for record in sample_records()]
    files.write(tmp_path / "off.gpkg", moved, normalise(said))
    told = [problem.kind for problem in bring(writer, tmp_path / "off.gpkg").problems if problem.record == "off.gpkg"]
    assert told == [Kind.WRONG_CRS if case == "another zone" else Kind.SWAPPED_AXES]


def test_new_parcels_far_from_all_others_are_believed(filled: Connection, tmp_path: Path) -> None:
    report = bring(filled, write(tmp_path / "far.gpkg", [fresh(n) for n in range(40)]))
    assert report.problems == ()


def test_a_drawing_without_crs_is_asked_about_with_what_would_fit(filled: Connection, tmp_path: Path) -> None:
    path = write(tmp_path / "lots.dxf", sample_records())
    with pytest.raises(MissingCrs, match="fit EPSG:9210"):
        bring(filled, path, Reading())


def test_the_report_has_every_problem_with_its_place_and_reason(filled: Connection, tmp_path: Path) -> None:
    report = bring(
        filled, write(tmp_path / "a.gpkg", [fresh(0, width=5.3), fresh(1), ParcelRecord("x", fresh(3).shape)])
    )
    write_report(tmp_path / "report.gpkg", report, CITY)
    problems = pyogrio.read_dataframe(tmp_path / "report.gpkg", layer="problems")
    assert problems.kind.tolist() == ["no_number", "overlap"]
    assert problems.crs.to_epsg() == 9210
    assert problems.reason_vi.str.len().min() > 10
    assert problems.reason_en.tolist() == [problem.en for problem in report.problems]
    assert problems.geometry.iloc[1].area == pytest.approx(6.0)
    assert len(pyogrio.read_dataframe(tmp_path / "report.gpkg", layer="parcels")) == 3


def test_what_has_errors_cannot_be_saved(filled: Connection, tmp_path: Path) -> None:
    incoming = files.read(write(tmp_path / "a.gpkg", [fresh(0, width=5.3), fresh(1)]), Reading())
    checked = parcel_import.check(filled, [incoming], valid_from=DAY)
    with pytest.raises(BadInput, match="overlaps"):
        parcel_import.save(filled, checked)


@pytest.mark.parametrize("ending", [e for e in files.ENDINGS if e != ".csv"])
def test_damaged_records_of_each_format_are_named_and_the_register_stays(
    filled: Connection, ending: str, tmp_path: Path
) -> None:
    x, y = NEW
    tie = shapely.Polygon([(x + 50, y), (x + 55, y + 5), (x + 55, y), (x + 50, y + 5)])
    records = [fresh(0), replace(fresh(1), shape=tie), fresh(2, width=5.3), fresh(3), replace(fresh(4), parcel_no="1")]
    before = versions(filled)
    report = bring(filled, write(tmp_path / f"bad{ending}", records))
    found = {problem.kind: problem for problem in report.errors}
    assert set(found) == {Kind.INVALID_RING, Kind.OVERLAP, Kind.DUPLICATE_NUMBER}
    assert len(report.errors) == 3
    for kind, number in ((Kind.INVALID_RING, "13/2"), (Kind.OVERLAP, "13/3"), (Kind.DUPLICATE_NUMBER, "13/1")):
        assert found[kind].record.startswith(f"bad{ending}, ")
        assert found[kind].record.endswith(f"({number})")
    assert "Self-intersection" in found[Kind.INVALID_RING].en
    assert versions(filled) == before


def test_damaged_rows_of_a_table_are_named_and_the_register_stays(filled: Connection, tmp_path: Path) -> None:
    rows = ["ward_code,sheet_no,parcel_no,address", "26734,12,3,a", "26734,12,3,b", "26734,12,99,c", "26734,,,d"]
    (tmp_path / "bad.csv").write_text("\n".join(rows), encoding="utf-8")
    before = versions(filled)
    report = bring(filled, tmp_path / "bad.csv")
    assert {(problem.kind, problem.record) for problem in report.problems} == {
        (Kind.DUPLICATE_NUMBER, "bad.csv, line 3 (12/3)"),
        (Kind.NOT_IN_REGISTER, "bad.csv, line 4 (12/99)"),
        (Kind.NO_NUMBER, "bad.csv, line 5"),
    }
    assert versions(filled) == before


def test_an_import_killed_while_it_writes_leaves_nothing(database: Database, tmp_path: Path) -> None:
    lots = [fresh(n, width=4.0) for n in range(3000)]
    path = write(tmp_path / "many.gpkg", lots)
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from datetime import date\n"
        "from gis.access.roles import Role\n"
        "from gis.land.exchange import files\n"
        "from gis.land.exchange.record import Reading\n"
        "from gis.settings import City, Settings\n"
        "from gis.crs import normalise\n"
        "from gis.store import parcel_import\n"
        "from gis.store.database import Database\n"
        "settings = Settings(Path(sys.argv[1]), None, None)\n"
        "city = City(sys.argv[2], normalise('EPSG:9210+5727'), settings.home / 'cities' / sys.argv[2])\n"
        "with Database.of(city, settings).open(Role.WRITER) as connection:\n"
        "    incoming = files.read(Path(sys.argv[3]), Reading())\n"
        "    checked = parcel_import.check(connection, [incoming], valid_from=date(2026, 1, 1))\n"
        "    saved = parcel_import.save(connection, checked)\n"
        "    print(saved.added, flush=True)\n"
        "    time.sleep(60)\n"
    )
    home = database.city.folder.parent.parent
    arguments = [sys.executable, "-c", program, str(home), database.city.name, str(path)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env={**os.environ}) as process:
        assert process.stdout is not None
        # All rows have been written, and the transaction is still open.
        assert process.stdout.readline().strip() == "3000"
        process.send_signal(signal.SIGKILL)
    for _ in range(100):
        with database.open(Role.WRITER) as connection:
            waiting = connection.scalar(
                text(
                    "SELECT count(*) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
            count = connection.scalar(text("SELECT count(*) FROM diaba.parcel_version"))
            assert count == 0
        if not waiting:
            break
        time.sleep(0.1)
    with database.open(Role.WRITER) as connection:
        assert connection.scalar(text("SELECT count(*) FROM diaba.parcel")) == 0
        assert bring(connection, path).new == 3000

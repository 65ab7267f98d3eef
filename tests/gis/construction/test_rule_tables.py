"""The tables of `data/rules`: complete, cited, interpolated as another library does; damaged ones are refused."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import RegularGridInterpolator

from gis.construction.rule_ranges import parse_range, weights
from gis.construction.rule_tables import (
    COLUMNS,
    RuleTables,
    canonical_rows,
    city_rules,
    digest,
    load_rules,
    rows_of,
)
from gis.errors import BadInput, NotFound, UnreadableFile
from gis.resources import resource

DAY = date(2026, 3, 2)
Rows = list[list[str]]

# Table by table as the texts print it, typed again: rows are heights, columns lots of 3,000, 10,000, 18,000, 35,000 m².
HEIGHTS = [16, 19, 22, 25, 28, 31, 34, 37, 40, 43, 46]
AREAS = [3_000, 10_000, 18_000, 35_000]
APARTMENTS = [
    [75] * 12,
    [65, 60, 57, 53, 50, 48, 46, 44, 43, 42, 41, 40],
    [63, 58, 55, 51, 48, 46, 44, 42, 41, 40, 39, 38],
    [60, 55, 52, 48, 45, 43, 41, 39, 38, 37, 36, 35],
]
SERVICE = [[value + 5 for value in column] for column in APARTMENTS]
RATIO = [
    [4.0, 4.8, 5.6, 6.4, 7.2, 8.0, 8.8, 9.6, 10.4, 11.2, 12.0, 12.8],
    [3.5, 3.9, 4.34, 4.64, 4.95, 5.3, 5.61, 5.88, 6.24, 6.58, 6.9, 7.2],
    [3.4, 3.78, 4.2, 4.48, 4.77, 5.1, 5.39, 5.64, 5.98, 6.3, 6.6, 6.88],
    [3.25, 3.6, 3.99, 4.24, 4.5, 4.8, 5.06, 5.28, 5.59, 5.88, 6.15, 6.4],
]
BILINEAR = {"qcvn_apartments_density": APARTMENTS, "qcvn_service_density": SERVICE, "qcvn_block_far": RATIO}
LINEAR = {
    "qcvn_house_density": ([90, 100, 200, 300, 500, 1000], [100, 90, 70, 60, 50, 40]),
    "attached_density": ([50, 100, 200, 300, 500], [100, 90, 70, 60, 50]),
}


def value(table: str, **asked: float | str) -> float | None:
    there = city_rules().table(table, DAY)
    assert there is not None
    found = there.find(**asked)
    return None if found is None else found.value


@pytest.mark.parametrize("table", BILINEAR)
def test_every_cell_by_height_and_lot_is_the_one_of_the_text(table: str) -> None:
    for area, column in zip(AREAS, BILINEAR[table], strict=True):
        for height, cell in zip([*HEIGHTS, 46.001], column, strict=True):
            assert value(table, height_m=height, lot_area_m2=area) == cell


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(sorted(BILINEAR)), st.floats(0.5, 46), st.floats(1, 60_000))
def test_between_heights_and_lots_the_value_is_bilinear(table: str, height: float, area: float) -> None:
    grid = np.array(BILINEAR[table])[:, :11].T
    oracle = RegularGridInterpolator((HEIGHTS, AREAS), grid)
    inside = [np.clip(height, 16, 46), np.clip(area, 3_000, 35_000)]
    assert value(table, height_m=height, lot_area_m2=area) == pytest.approx(float(oracle(inside)[0]), abs=1e-6)


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(sorted(LINEAR)), st.floats(0.1, 2_000))
def test_between_the_areas_of_houses_the_value_is_linear(table: str, area: float) -> None:
    keys, values = LINEAR[table]
    found = value(table, lot_area_m2=area)
    if table == "attached_density" and area > 500:
        assert found is None
    else:
        assert found == pytest.approx(np.interp(area, keys, values), abs=1e-6)


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(sorted(BILINEAR)), st.floats(1, 80), st.floats(1, 60_000), st.floats(0, 5), st.floats(0, 5_000))
def test_density_falls_and_floor_area_grows_with_height_and_both_fall_with_the_lot(
    table: str, height: float, area: float, taller: float, larger: float
) -> None:
    here = value(table, height_m=height, lot_area_m2=area)
    up = value(table, height_m=height + taller, lot_area_m2=area)
    wide = value(table, height_m=height, lot_area_m2=area + larger)
    assert here is not None
    assert up is not None
    assert wide is not None
    assert wide <= here + 1e-6
    assert up >= here - 1e-6 if table == "qcvn_block_far" else up <= here + 1e-6


@pytest.mark.parametrize("table", [name for name in city_rules().names if "density" in name or "far" in name])
def test_a_value_lies_between_the_least_and_the_greatest_cell(table: str) -> None:
    cells = [float(row.value) for row in city_rules().in_force(table, DAY) if row.value]
    for height in np.linspace(1, 60, 13):
        for area in np.linspace(10, 40_000, 13):
            found = value(table, height_m=height, lot_area_m2=area)
            assert found is None or min(cells) <= found <= max(cells)


def test_every_row_is_cited_and_none_pretends_to_be_verified() -> None:
    for row in city_rules().rows:
        assert row.source.startswith(("QCVN 01:2021/BXD", "QĐ 56/2021", "QĐ 29/2025", "QĐ 60/2017", "QĐ 100/2024"))
        assert row.article
        assert row.verified_by == ""


def test_the_doubtful_cells_are_those_of_the_texts_and_no_others() -> None:
    doubtful = {(row.table, row.range_1, row.range_2) for row in city_rules().rows if row.doubt}
    assert {key for key in doubtful if not key[0].startswith("split_")} == {
        ("qcvn_setback", "[19,22)", "[19,22)"),
        ("qcvn_setback", "[19,22)", "[22,28)"),
        ("qcvn_setback", "[19,22)", "[28,)"),
        ("qcvn_setback", "[22,)", "[19,22)"),
        ("qcvn_setback", "[22,)", "[22,28)"),
        ("qcvn_setback", "[22,)", "[28,)"),
        ("attached_floors_base", "[25,)", ""),
        ("attached_floors_most", "[25,)", ""),
        ("attached_height_bonus", "[25,)", ""),
        ("attached_density", "(500,)", ""),
        ("temporary_basements", "detailed", ""),
    }
    assert all(row.doubt for row in city_rules().rows if row.table.startswith("split_"))


def test_split_minima_by_place_and_day() -> None:
    for day, source in ((date(2024, 10, 30), "QĐ 60/2017/QĐ-UBND"), (date(2024, 10, 31), "QĐ 100/2024/QĐ-UBND")):
        for place, area, frontage in (("inner", 36, 3), ("outer_urban", 50, 4), ("rural", 80, 5)):
            for name, expected in (("split_lot_area", area), ("split_frontage", frontage)):
                table = city_rules().table(name, day)
                assert table is not None
                found = table.find(place=place)
                assert found is not None
                assert (found.value, found.row.source) == (expected, source)
    assert city_rules().table("split_frontage", date(2017, 12, 14)) is None
    with pytest.raises(NotFound, match="rule table nonsense"):
        city_rules().table("nonsense", DAY)


def test_rows_are_written_and_read_back_with_the_same_digest() -> None:
    rows = city_rules().rows
    assert set(rows_of(canonical_rows(rows)).rows) == set(rows)
    assert digest(reversed(rows)) == digest(rows)
    assert digest(rows[1:]) != digest(rows)


@pytest.mark.parametrize("text", ["100", "[16,25)", "(,3.5)", "[1000,)", "(46,)", "(9,16]"])
def test_a_range_reads_back_as_it_is_written(text: str) -> None:
    assert str(parse_range(text)) == text


def test_a_value_at_an_open_end_takes_the_line_from_there() -> None:
    ranges = [parse_range(text) for text in ("(,50)", "100", "(200,)")]
    assert weights(ranges, 50, linear=True) == ((0, 1.0),)
    assert weights(ranges, 75, linear=True) == ((0, 0.5), (1, 0.5))
    assert weights(ranges, 200, linear=True) == ((2, 1.0),)
    assert weights(ranges, 75, linear=False) == ()


# Damages: what is done to the rows of one table, and what the refusal names.

FILE = "hcmc_56_2021_annex_18.csv"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(resource("rules"), tmp_path / "rules"))


def change(column: str, text: str, row: int = 12) -> Callable[[Rows], None]:
    """Row 12 is that of attached_floors_base for [3.5,6)."""

    def damage(rows: Rows) -> None:
        rows[row - 1][COLUMNS.index(column)] = text

    return damage


DAMAGES: dict[str, tuple[Callable[[Rows], object], str]] = {
    "no source": (change("source", ""), "row 12, column source: it is empty"),
    "no article": (change("article", " "), "row 12, column article: it is empty"),
    "no place": (change("jurisdiction", ""), "row 12, column jurisdiction: it is empty"),
    "unknown unit": (change("unit", "storeys"), "row 12, column unit: 'storeys' is none of"),
    "unknown mode": (change("between", "cubic"), "row 12, column between: 'cubic' is none of"),
    "unknown key": (change("key_1", "width"), "row 12, column key_1: 'width' is none of"),
    "no key": (change("key_1", ""), "row 12, column key_1: a table that is 'step' needs a key"),
    "text for a number": (change("value", "three"), "row 12, column value: 'three' is no number"),
    "decimal comma": (change("value", "3,5"), "row 12, column value: '3,5' is no number"),
    "negative": (change("value", "-3"), "row 12, column value: '-3' is no number"),
    "not finite": (change("value", "nan"), "row 12, column value: 'nan' is no number"),
    "half a floor": (change("value", "3.5"), "row 12, column value: 3.5 is no whole number of floors"),
    "empty without a reason": (change("value", ""), "row 12, column value: it is empty, and doubt does not say why"),
    "bad range": (change("range_1", "3.5-6"), "row 12, column range_1: '3.5-6' is not a range"),
    "empty range": (change("range_1", "[6,3.5)"), "row 12, column range_1: .* is an empty range"),
    "gap": (change("range_1", "[4,6)"), r"row 12, column range_1: .* nothing is said between \(,3.5\) and \[4,6\)"),
    "gap of a point": (change("range_1", "(3.5,6)"), r"column range_1: .* nothing is said between \(,3.5\) and"),
    "overlap": (change("range_1", "[3,6)"), r"row 12, column range_1: .* \(,3.5\) and \[3,6\) overlap"),
    "said twice": (change("range_1", "(,3.5)"), "row 12, column range_1: says again what row 11 says"),
    "not above": (lambda rows: rows.pop(14), r"nothing is said above \[16,25\)"),
    "no day": (change("valid_from", "5/7/2021"), "row 12, column valid_from: '5/7/2021' is no day"),
    "no first day": (change("valid_from", ""), "row 12, column valid_from: '' is no day"),
    "ends before it begins": (change("valid_to", "2020-01-01"), "row 12, column valid_to: 2020-01-01 is not after"),
    "ends alone": (change("valid_from", "2022-01-01"), "nothing is said between"),
    "another unit than its table": (change("unit", "m"), "row 12, column unit: 'm' differs from 'floors'"),
    "a cell too many": (lambda rows: rows[11].append("x"), "row 12, column note: 17 cells"),
    "more than all": (change("value", "120", 5), "row 5, column value: 120 % is more than all"),
    "strange name": (change("table", "Floors!"), "row 12, column table: 'Floors!' is no name"),
    "second key without the first": (
        lambda rows: (change("key_2", "height_m")(rows), change("key_1", "")(rows)),
        "row 12, column key_1: it is empty, but key_2 is not",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_table_is_refused_with_file_row_and_column(folder: Path, damage: str) -> None:
    spoil, message = DAMAGES[damage]
    rows = list(csv.reader((folder / FILE).open(encoding="utf-8", newline="")))
    spoil(rows)
    with (folder / FILE).open("w", encoding="utf-8", newline="") as sink:
        csv.writer(sink).writerows(rows)
    with pytest.raises(BadInput, match=message) as raised:
        load_rules(folder)
    assert FILE in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_cell_of_a_grid_is_refused(folder: Path) -> None:
    path = folder / "qcvn_01_2021_table_2_9.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(lines[:10] + lines[11:]) + "\n", encoding="utf-8")
    # Row 11 is 22 m and 10,000 m².
    with pytest.raises(BadInput, match="no row for height_m 22 and lot_area_m2 10000"):
        load_rules(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "row 1: the columns are to be"),
        (b"table,value\nx,1\n", "row 1: the columns are to be"),
        (b"\xff\xfe\x00\x01", "no CSV in UTF-8"),
        (b'"' + b"a" * 200_000, "no CSV in UTF-8"),
    ],
)
def test_what_is_no_table_is_refused(folder: Path, content: bytes, message: str) -> None:
    (folder / FILE).write_bytes(content)
    with pytest.raises(UnreadableFile, match=message):
        load_rules(folder)


def test_a_folder_without_tables_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="no rule table"):
        load_rules(tmp_path)


def test_a_change_of_the_law_is_new_rows_from_a_day_on(folder: Path) -> None:
    path = folder / "qcvn_01_2021_article_2_7_7.csv"
    head, row = path.read_text(encoding="utf-8").splitlines()
    old = row.replace("2021-07-05,", "2021-07-05,2026-07-01")
    new = row.replace("2021-07-05", "2026-07-01").replace(",100,%", ",95,%")
    path.write_text("\n".join((head, old, new)) + "\n", encoding="utf-8")
    tables: RuleTables = load_rules(folder)
    for day, expected in ((date(2026, 6, 30), 100.0), (date(2026, 7, 1), 95.0)):
        table = tables.table("qcvn_existing_density", day)
        assert table is not None
        found = table.find(lot_area_m2=80, height_m=10)
        assert found is not None
        assert found.value == expected


def test_a_place_has_its_own_rules_and_those_of_the_wider_ones() -> None:
    rules = city_rules()
    on = date(2026, 3, 2)
    assert {row.jurisdiction for row in rules.within("VN-79").rows} == {"VN", "VN-79"}
    assert {row.jurisdiction for row in rules.within("VN-57").rows} == {"VN"}
    # No part of a name is a place: VN-7 is none of VN-79's.
    assert {row.jurisdiction for row in rules.within("VN-7").rows} == {"VN"}
    assert rules.within("NL").rows == ()
    assert rules.within("VN-57").table("qcvn_setback", on) == rules.table("qcvn_setback", on)
    assert rules.within("VN-57").table("attached_balcony", on) is None
    with pytest.raises(NotFound):
        rules.within("VN-57").table("no_such_table", on)

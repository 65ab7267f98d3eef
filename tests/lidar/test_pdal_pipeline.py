"""PDAL pipelines: parameters, errors, and runs of the real program."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import laspy
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.errors import BadInput, BadParameter, ProgramFailed, UnreadableFile
from gis.resources import resource
from lidar.pdal_pipeline import filled, load_pipeline, parameters_of, run_pipeline

pytestmark = pytest.mark.usefixtures("pdal")

PIPELINES = sorted(resource("pipelines").glob("*.json"))
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
VALUES = st.one_of(st.text(max_size=20), st.integers(), st.booleans(), st.floats(allow_nan=False, allow_infinity=False))


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """400 points on a slope of LAS 1.2, without a CRS."""
    path = tmp_path_factory.mktemp("points") / "a slope.las"
    cloud = laspy.LasData(laspy.LasHeader(point_format=1, version="1.2"))
    x, y = np.meshgrid(np.arange(20) + 0.5, np.arange(20) + 0.5)
    cloud.x, cloud.y, cloud.z = x.ravel(), y.ravel(), (10 + 0.1 * x).ravel()
    cloud.return_number[:], cloud.number_of_returns[:] = 1, 1
    cloud.write(path)
    return path


@given(name=NAMES, value=VALUES)
def test_a_value_that_stands_alone_keeps_its_type(name: str, value: Any) -> None:
    document = [{"type": "filters.x", "option": f"{{{name}}}"}]
    result = filled(document, {name: value})["pipeline"][0]["option"]
    assert result == value
    assert type(result) is type(value)


def test_within_a_longer_text_values_are_written_as_json_writes_them() -> None:
    document = [{"limits": "Z[{low}:{high}]", "on": "x={flag}"}]
    result = filled(document, {"low": np.float32(0.5), "high": 3, "flag": True})
    assert result["pipeline"] == [{"limits": "Z[0.5:3]", "on": "x=true"}]


def test_a_value_is_never_read_for_parameters_again() -> None:
    assert filled([{"a": "{x} {y}"}], {"x": "{y}", "y": 1})["pipeline"] == [{"a": "{y} 1"}]


def test_a_list_of_files_becomes_a_reader_each() -> None:
    document = [{"type": "readers.las", "filename": "{in}"}, {"type": "writers.null"}]
    stages = filled(document, {"in": [Path("a.las"), Path("b.las")]})["pipeline"]
    assert [stage.get("filename") for stage in stages] == ["a.las", "b.las", None]


def test_a_missing_parameter_is_named() -> None:
    with pytest.raises(BadParameter, match="needs in, out"):
        filled(load_pipeline(resource("pipelines", "ground_smrf.json")), {})


def test_an_unknown_parameter_is_refused_with_the_known_ones() -> None:
    with pytest.raises(BadParameter, match=r"no such parameter; it has in"):
        filled(load_pipeline(resource("pipelines", "info.json")), {"in": "a", "inn": "b"})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, object()])
def test_a_value_json_has_not_is_refused(value: object) -> None:
    with pytest.raises(BadParameter):
        filled([{"a": "{x}"}], {"x": value})


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.stem)
def test_every_pipeline_is_described_in_the_readme(path: Path) -> None:
    described = (resource("pipelines") / "README.md").read_text(encoding="utf-8")
    row = next((line for line in described.splitlines() if line.startswith(f"| `{path.name}`")), "")
    assert row, f"{path.name} has no row"
    assert all(f"`{name}`" in row for name in parameters_of(load_pipeline(path)))


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.stem)
def test_every_pipeline_uses_stages_and_options_this_pdal_knows(path: Path, pdal: Path) -> None:
    import subprocess

    for stage in load_pipeline(path)["pipeline"]:  # type: ignore[call-overload]
        shown = subprocess.run([pdal, f"--options={stage['type']}"], capture_output=True, text=True, check=True).stdout
        known = set(re.findall(r"^ {1,4}([a-z_]+)", shown, flags=re.MULTILINE))
        assert set(stage) - {"type"} <= known, stage["type"]


@pytest.mark.parametrize("method", ["smrf", "pmf", "csf"])
def test_after_noise_only_adds_the_noise_filters(method: str) -> None:
    plain, after = (
        load_pipeline(resource("pipelines", f"ground_{method}{ending}.json"))["pipeline"]  # type: ignore[call-overload]
        for ending in ("", "_after_noise")
    )
    noise = [stage for stage in after if stage["type"] in ("filters.elm", "filters.outlier")]
    assert len(noise) == 2
    assert [stage for stage in after if stage not in noise] == plain


def test_large_coordinates_reach_pdal_in_full(points: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved.las"
    writer = {"type": "writers.las", "filename": "{out}", "offset_x": "{east}", "scale_x": 0.001}
    run_pipeline(["{in}", writer], {"in": points, "out": moved, "east": 1190000.123456})
    assert laspy.open(moved).header.offsets[0] == 1190000.123456


def test_a_pipeline_says_what_it_did(points: Path) -> None:
    result = run_pipeline(resource("pipelines", "info.json"), {"in": points})
    box = result.metadata["filters.info"]["bbox"]
    assert result.metadata["filters.info"]["num_points"] == 400
    assert (box["minx"], box["maxx"], box["minz"]) == pytest.approx((0.5, 19.5, 10.05), abs=0.011)
    assert result.seconds > 0


def test_e57_is_read(points: Path, tmp_path: Path) -> None:
    scan, back = tmp_path / "scan.e57", tmp_path / "back.las"
    run_pipeline(["{in}", {"type": "writers.e57", "filename": "{out}"}], {"in": points, "out": scan})
    run_pipeline([{"type": "readers.e57", "filename": "{in}"}, "{out}"], {"in": scan, "out": back})
    np.testing.assert_allclose(np.asarray(laspy.read(back).xyz), np.asarray(laspy.read(points).xyz), atol=0.011)


def test_text_becomes_laz(tmp_path: Path) -> None:
    text, out = tmp_path / "points.txt", tmp_path / "points.laz"
    text.write_text("X,Y,Z\n602001.25,1190000.5,1.5\n602002.25,1190001.5,2.75\n")
    parameters = {"in": text, "out": out, "separator": ",", "crs": "EPSG:9210+5727"}
    run_pipeline(resource("pipelines", "text_to_laz.json"), parameters)
    cloud = laspy.read(out)
    assert np.asarray(cloud.x).tolist() == pytest.approx([602001.25, 602002.25])
    assert np.asarray(cloud.z).tolist() == pytest.approx([1.5, 2.75])
    assert cloud.header.parse_crs().name == "VN-2000 / TM-3 105-45 + Hon Dau 1992 height"


@pytest.mark.parametrize("cut", [0, 100, 300, 5000])
def test_a_damaged_file_is_named_in_one_line(cut: int, points: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "cut.las"
    damaged.write_bytes(points.read_bytes()[:cut])
    with pytest.raises(UnreadableFile, match=r"cut\.las") as caught:
        run_pipeline(resource("pipelines", "info.json"), {"in": damaged})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "stage",
    [
        {"type": "filters.nonsense"},
        {"type": "filters.smrf", "cell": "wide"},
        {"type": "filters.smrf", "color": 1},
        {"type": "filters.range", "limits": "Taste[0:1]"},
        {"type": "filters.reprojection", "out_srs": "EPSG:99999"},
    ],
    ids=lambda stage: str(list(stage.values())[-1]),
)
def test_a_wrong_document_is_told_from_a_failure(stage: dict[str, Any], points: Path) -> None:
    with pytest.raises(BadInput, match="not a pipeline PDAL can run") as caught:
        run_pipeline(["{in}", stage, {"type": "writers.null"}], {"in": points})
    assert not isinstance(caught.value, UnreadableFile)


@pytest.mark.parametrize("text", ["", "{", "[]]", '{"pipeline": 3}', '"a"', "\xff"])
def test_a_file_that_is_no_pipeline_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "no.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UnreadableFile, match=r"no\.json"):
        run_pipeline(path)


def test_a_pipeline_without_stages_is_refused() -> None:
    with pytest.raises(BadInput, match="no list of stages"):
        run_pipeline([])


def test_a_folder_that_cannot_be_written_to_is_a_failure(points: Path) -> None:
    with pytest.raises(ProgramFailed, match="for output"):
        run_pipeline(["{in}", {"type": "writers.las", "filename": "/nowhere/out.las"}], {"in": points})


def test_a_pipeline_that_takes_too_long_is_ended(points: Path) -> None:
    with pytest.raises(ProgramFailed, match="not done after"):
        run_pipeline(resource("pipelines", "info.json"), {"in": points}, time_limit=0.001)

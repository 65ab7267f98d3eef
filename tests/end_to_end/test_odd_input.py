"""Files that are whole but odd: every command gives a result or one clear line, in bounded time and memory."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable
from pathlib import Path

import laspy
import numpy as np
import pytest
import rasterio
from pyproj import CRS, Transformer

from api.cli.main import run
from gis.crs import normalise

CITY = normalise("EPSG:9210+5727")
EAST, NORTH, SIDE = 603_000.0, 1_191_000.0, 40.0
FOOT = 0.3048
MOST_SECONDS = 20.0
"""A command may take so long, its kernels being compiled, on a machine that has other work."""
MOST_GROWTH = 1_500_000
"""Kilobytes the process may grow by over all of one command: libraries that it imports, and work on 10⁶ points."""

Columns = dict[str, np.ndarray]


def plain(n: int = 12_800) -> Columns:
    """Level ground with a house of 12 × 10 m on it, 8 points/m², one strip with times."""
    rng = np.random.default_rng(12)
    x, y = rng.uniform(0, SIDE, n), rng.uniform(0, SIDE, n)
    house = (np.abs(x - 20) < 6) & (np.abs(y - 20) < 5)
    return {
        "x": EAST + x,
        "y": NORTH + y,
        "z": 2 + 0.02 * x + np.where(house, 6.0, 0.0) + rng.normal(0, 0.02, n),
        "intensity": rng.integers(100, 4_000, n).astype(np.uint16),
        "gps_time": np.linspace(4e8, 4e8 + 60, n),
        "return_number": np.ones(n, dtype=np.uint8),
        "number_of_returns": np.ones(n, dtype=np.uint8),
    }


def written(path: Path, columns: Columns, crs: object = CITY, version: str = "1.4", point_format: int = 6) -> Path:
    """By laspy, an independent writer, with the columns as they are."""
    header = laspy.LasHeader(version=version, point_format=point_format)
    header.scales = np.full(3, 1e-7 if np.abs(columns["x"]).max(initial=0) < 360 else 0.001)
    header.offsets = np.floor([columns[axis].min() if len(columns[axis]) else 0.0 for axis in "xyz"])
    if crs is not None:
        header.add_crs(crs, keep_compatibility=False)
    las = laspy.LasData(header)
    for name, column in columns.items():
        if name in las.point_format.dimension_names or name in "xyz":
            setattr(las, name, column)
    las.write(path)
    return path


def changed(**new: Callable[[Columns], np.ndarray]) -> Columns:
    columns = plain()
    return {**columns, **{name: make(columns) for name, make in new.items()}}


def repeated(columns: Columns, times: int) -> Columns:
    return {name: np.repeat(column, times) for name, column in columns.items()}


def swapped_axes(path: Path) -> Path:
    return written(path, changed(x=lambda c: c["y"], y=lambda c: c["x"]))


def feet_called_metres(path: Path) -> Path:
    return written(path, changed(**{axis: lambda c, axis=axis: c[axis] / FOOT for axis in "xyz"}))  # type: ignore[misc]


def metres_called_feet(path: Path) -> Path:
    shift = {"x": 300_000.0 - EAST, "y": 61_000.0 - NORTH}
    return written(path, changed(x=lambda c: c["x"] + shift["x"], y=lambda c: c["y"] + shift["y"]), normalise(2263))


def degrees_called_metres(path: Path) -> Path:
    return written(
        path, changed(x=lambda c: 106.7 + (c["x"] - EAST) / 109_000, y=lambda c: 10.7 + (c["y"] - NORTH) / 110_600)
    )


def heights_in_feet(path: Path) -> Path:
    return written(path, changed(z=lambda c: c["z"] / FOOT))


def las_1_0_without_class(path: Path) -> Path:
    """Version 1.0 had no classes of its own, and no CRS records that are read today."""
    file = written(path.with_suffix(".las"), plain(), None, "1.1", 1)
    raw = bytearray(file.read_bytes())
    raw[25] = 0
    file.write_bytes(raw)
    return file


def returns_of_0(path: Path) -> Path:
    nothing = np.zeros(len(plain()["x"]), dtype=np.uint8)
    return written(path, {**plain(), "return_number": nothing, "number_of_returns": nothing})


def duplicated_points(path: Path) -> Path:
    return written(path, repeated(plain(), 3))


def one_point(path: Path) -> Path:
    return written(path, {name: column[:1] for name, column in plain().items()})


def all_in_a_line(path: Path) -> Path:
    return written(path, changed(y=lambda c: np.full(len(c["y"]), NORTH), z=lambda c: np.full(len(c["z"]), 2.0)))


def a_million_at_one_place(path: Path) -> Path:
    return written(path, repeated({name: column[:1] for name, column in plain().items()}, 1_000_000))


def no_point(path: Path) -> Path:
    return written(path, {name: column[:0] for name, column in plain().items()})


ODD: dict[str, Callable[[Path], Path]] = {
    made.__name__.replace("_", " "): made
    for made in (
        swapped_axes,
        feet_called_metres,
        metres_called_feet,
        degrees_called_metres,
        heights_in_feet,
        las_1_0_without_class,
        returns_of_0,
        duplicated_points,
        one_point,
        all_in_a_line,
        a_million_at_one_place,
        no_point,
    )
}
COMMANDS: dict[str, tuple[str, str | None]] = {
    "inspect": ("page.html", "--html"),
    "classify": ("out.laz", None),
    "terrain": ("out.tif", None),
    "buildings": ("out.city.jsonl", None),
    "contours": ("out.gpkg", None),
}
"""Command → what it writes, and the option that says where, if it is one."""


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Each file, made once."""
    folder, made = tmp_path_factory.mktemp("odd"), dict[str, Path]()

    def file(name: str) -> Path:
        if name not in made:
            made[name] = ODD[name](folder / f"{name.replace(' ', '_')}.laz")
        return made[name]

    return file


def line(command: str, source: Path, folder: Path) -> list[str]:
    output, option = COMMANDS[command]
    crs = ["--crs", "EPSG:9210+5727"] if source.suffix == ".las" else []
    return ["lidar", command, str(source), *([option] if option else []), str(folder / output), *crs]


@pytest.fixture(scope="module", autouse=True)
def _compiled(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Every command has made its product of a sound file: what comes after it measures no compiler."""
    folder = tmp_path_factory.mktemp("sound")
    source = written(folder / "sound.laz", plain())
    for command, (output, _) in COMMANDS.items():
        assert run(line(command, source, folder)) == 0
        assert (folder / output).stat().st_size > 0


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("command", COMMANDS)
def test_odd_points_give_a_result_or_one_clear_line(
    command: str, name: str, odd: Callable[[str], Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source, (output, _) = odd(name), COMMANDS[command]
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    code = run(line(command, source, tmp_path))
    took, grown = time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    told = capfd.readouterr()
    assert code in {0, 3}, told.err
    assert "Traceback" not in told.err
    left = [path.name for path in tmp_path.iterdir()]
    if code == 3:
        assert len(told.err.strip().splitlines()) == 1, told.err
        assert source.name in told.err, told.err
        assert left == []
    else:
        assert left == [output]
    assert took < MOST_SECONDS
    assert grown < MOST_GROWTH


FOUND: dict[str, dict[str, str]] = {
    "swapped axes": {"outside-area": "the axes are swapped"},
    "feet called metres": {"outside-area": "as feet they lie inside: the CRS says metres, the numbers are feet"},
    "metres called feet": {"outside-area": "as metres they lie inside: the CRS says feet, the numbers are metres"},
    "degrees called metres": {"degrees": "the coordinates look like degrees"},
    "las 1 0 without class": {"unclassified": "the points are not classified"},
    "returns of 0": {"return-numbers": "12,800 points have a return number of 0"},
    "duplicated points": {"duplicates": "25,600 points repeat another one"},
    "one point": {},
    "all in a line": {},
    "a million at one place": {"duplicates": "999,999 points repeat another one"},
    "no point": {"empty": "the file holds no points"},
}
"""File → what `inspect` must say of it."""
SLIPS = ("outside-area", "degrees", "not-vn2000", "heights", "duplicates", "return-numbers", "bounds", "crs", "voids")


def findings(capfd: pytest.CaptureFixture[str], *arguments: str) -> dict[str, str]:
    capfd.readouterr()
    assert run(["lidar", "inspect", *arguments, "--json"]) == 0
    (document,) = json.loads(capfd.readouterr().out)
    return {problem["code"]: problem["text"] for problem in document["problems"]}


@pytest.mark.parametrize("name", FOUND)
def test_inspect_names_what_is_odd(name: str, odd: Callable[[str], Path], capfd: pytest.CaptureFixture[str]) -> None:
    source = odd(name)
    found = findings(capfd, str(source), *(["--crs", "EPSG:9210+5727"] if source.suffix == ".las" else []))
    for code, words in FOUND[name].items():
        assert words in found[code]
        assert "\n" not in found[code]


def test_inspect_finds_none_of_it_in_a_sound_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert not set(SLIPS) & set(findings(capfd, str(written(tmp_path / "sound.laz", plain()))))


def town(n: int = 60_000, side: float = 160.0) -> Columns:
    """Houses of many sizes and heights on level ground, unlike any shifted copy of themselves."""
    rng = np.random.default_rng(31)
    x, y = rng.uniform(0, side, n), rng.uniform(0, side, n)
    z = 2 + 0.01 * x
    for _ in range(30):
        (west, south), (wide, deep), tall = rng.uniform(5, 140, 2), rng.uniform(5, 14, 2), rng.uniform(4, 15)
        inside = (x > west) & (x < west + wide) & (y > south) & (y < south + deep)
        z = np.where(inside, 2 + tall, z)
    return {"x": EAST + x, "y": NORTH + y, "z": z + rng.normal(0, 0.02, n), "gps_time": np.linspace(0, 60, n)}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("reference") / "reference.laz", town())


def test_vn2000_read_as_wgs84_is_named_against_a_reference(
    reference: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The numbers are those of VN-2000 / UTM, the label says WGS 84 / UTM: 225 m off."""
    columns = town()
    x, y = Transformer.from_crs(9210, 3405, always_xy=True).transform(columns["x"], columns["y"])
    source = written(tmp_path / "mislabelled.laz", {**columns, "x": x, "y": y}, CRS(32648))
    text = findings(capfd, str(source), "--against", str(reference))["shifted"]
    assert "VN-2000" in text
    assert 200 < float(text.split("m against")[0].split("=")[1]) < 250
    assert "225 m" in findings(capfd, str(source))["not-vn2000"]


def test_heights_in_feet_are_named_against_a_reference(
    reference: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    columns = town()
    source = written(tmp_path / "feet.laz", {**columns, "z": columns["z"] / FOOT})
    assert "heights are feet, not metres" in findings(capfd, str(source), "--against", str(reference))["height-unit"]


def test_a_sound_file_lies_where_its_reference_does(
    reference: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = written(tmp_path / "sound.laz", town())
    found = findings(capfd, str(source), "--against", str(reference))
    assert "lies within" in found["reference"]
    assert not {"shifted", "height-unit", "height-offset"} & set(found)


@pytest.mark.shared_data
def test_a_survey_in_feet_makes_a_terrain_in_metres(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "pdal/autzen_trim.laz"
    assert run(["lidar", "terrain", str(source), str(tmp_path / "dtm.tif"), "--keep-classes"]) == 0
    las = laspy.read(source)
    ground = np.asarray(las.classification) == 2
    with rasterio.open(tmp_path / "dtm.tif") as raster:
        assert raster.crs.linear_units_factor[1] == pytest.approx(1)
        assert raster.bounds.left == pytest.approx(np.min(las.x) * FOOT, abs=2)
        places = np.column_stack([las.x[ground], las.y[ground]]) * FOOT
        heights = np.array([value[0] for value in raster.sample(places[::50])])
        assert np.median(np.abs(heights - las.z[ground][::50] * FOOT)) < 0.05

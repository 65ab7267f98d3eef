"""Damaged, false and hostile point files: one clear line each, in bounded time and memory, and nothing left behind."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import laspy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.cli.main import run
from gis.crs import normalise
from gis.errors import BadInput, MissingCrs, UnreadableFile
from lidar.point_cloud import PointCloud
from lidar.quality.inspection import inspect
from lidar.read import read, read_header
from lidar.write import write_laz

CITY = normalise("EPSG:9210+5727")
FLIPS = 1_000

X_SCALE, X_OFFSET, MAX_X, MIN_X = 131, 155, 179, 187
"""Bytes of the LAS header (LAS 1.4, table 3)."""
HEADER_SIZE, POINT_OFFSET, VLR_COUNT, POINT_FORMAT, RECORD_LENGTH, LEGACY_COUNT = 94, 96, 100, 104, 105, 107
EVLR_START, EVLR_COUNT, COUNT = 235, 243, 247


@pytest.fixture(scope="session")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LAZ file of 16,000 points on streets and roofs, about 110 kB."""
    rng = np.random.default_rng(20)
    n = 16_000
    x, y = np.sort(rng.uniform(603_000, 603_050, n)), rng.uniform(1_192_000, 1_192_050, n)
    z = 2 + 6.0 * (np.floor(x / 8) % 2) + rng.normal(0, 0.02, n)
    points = PointCloud.from_xyz(
        x,
        y,
        z,
        CITY,
        intensity=rng.integers(0, 2_000, n).astype(np.uint16),
        classification=rng.choice([2, 6], n).astype(np.uint8),
        gps_time=np.sort(rng.uniform(4.0e8, 4.0e8 + 20, n)),
    )
    file = tmp_path_factory.mktemp("survey") / "survey.laz"
    write_laz(points, file)
    assert 100_000 < file.stat().st_size < 400_000
    return file


@pytest.fixture(scope="session")
def flat_survey(survey: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, uncompressed."""
    file = tmp_path_factory.mktemp("flat") / "survey.las"
    write_laz(read(survey), file)
    return file


@pytest.fixture(scope="session")
def older_survey(survey: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in point format 1, which laz-rs decodes."""
    file = tmp_path_factory.mktemp("older") / "survey.laz"
    laspy.convert(laspy.read(survey), point_format_id=1, file_version="1.2").write(file)
    return file


def refused(path: Path, crs: object = None) -> str:
    """The error's text, which must be one line that names the file."""
    with pytest.raises(BadInput) as caught:
        read(path, crs=crs)  # type: ignore[arg-type]
    text = str(caught.value)
    assert str(path) in text
    assert "\n" not in text
    assert len(text) < 700
    return text


def put(survey: Path, folder: Path, changes: dict[int, bytes]) -> Path:
    """A copy with some bytes replaced."""
    raw = bytearray(survey.read_bytes())
    for place, new in changes.items():
        raw[place : place + len(new)] = new
    copy = folder / f"changed{survey.suffix}"
    copy.write_bytes(raw)
    return copy


@pytest.mark.parametrize("share", [0.0001, 0.001, 0.1, 0.5, 0.9, 0.99, 0.99999])
@pytest.mark.parametrize("which", ["survey", "flat_survey"])
def test_a_truncated_file_is_refused(share: float, which: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    whole: Path = request.getfixturevalue(which)
    raw = whole.read_bytes()
    cut = tmp_path / f"cut{whole.suffix}"
    cut.write_bytes(raw[: int(len(raw) * share)])
    text = refused(cut)
    assert "truncated" in text or "damaged" in text
    with pytest.raises(UnreadableFile):
        inspect(cut)


@pytest.mark.shared_data
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("name", ["pdal/lone-star.copc.laz", "delft_north/ahn3_1.laz", "pdal/autzen_trim.laz"])
def test_a_truncated_real_file_is_refused(share: float, name: str, shared_data: Path, tmp_path: Path) -> None:
    raw = (shared_data / name).read_bytes()
    (tmp_path / "cut.laz").write_bytes(raw[: int(len(raw) * share)])
    refused(tmp_path / "cut.laz", normalise(26913))


def test_of_a_thousand_flipped_bytes_next_to_none_goes_unseen(survey: Path, tmp_path: Path) -> None:
    """About 994 are noticed and 5 change nothing that is read (a date, a reserved byte, a name in the CRS).

    What is left: the first point of a chunk is stored as it is, and its class or intensity may be another.
    """
    outcome = sweep(survey, tmp_path, FLIPS, seed=1)
    assert outcome["silent"] <= 2, outcome
    assert outcome["noticed"] > 0.95 * FLIPS


@pytest.mark.shared_data
def test_flips_in_files_of_other_writers_are_noticed(shared_data: Path, tmp_path: Path) -> None:
    """Of laz-rs and LASzip; in a file of 8 kB the first point, which is stored as it is, is a target worth hitting."""
    total: Counter[str] = Counter()
    for name, count in (
        ("isprs/samp53.laz", 120),
        ("amsterdam_a/ahn_2386_9702.laz", 60),
        ("ign_six_tiles/test_data_77060_627760_LA93_IGN69.laz", 40),
        ("trondheim_roofs/182127736.laz", 200),
    ):
        total += sweep(shared_data / name, tmp_path, count, seed=3)
    assert total["silent"] <= 3, total


def test_flips_in_an_uncompressed_file_never_escape(flat_survey: Path, tmp_path: Path) -> None:
    """Plain LAS has no redundancy: a flip in a point is seen where it leaves the bounds or the count by return."""
    outcome = sweep(flat_survey, tmp_path, 150, seed=5, within=150_000)
    assert set(outcome) <= {"noticed", "harmless", "silent"}


def sweep(file: Path, folder: Path, count: int, *, seed: int, within: int | None = None) -> Counter[str]:
    """Flip one byte at a time and count what becomes of it: noticed, harmless (the same points) or silent."""
    raw, rng = file.read_bytes(), np.random.default_rng(seed)
    crs = None
    try:
        whole = read(file)
    except MissingCrs:
        crs = normalise(28992)
        whole = read(file, crs=crs)
    copy = folder / file.name
    outcome: Counter[str] = Counter()
    for _ in range(count):
        changed = bytearray(raw)
        changed[rng.integers(min(len(raw), within or len(raw)))] ^= rng.integers(1, 256)
        copy.write_bytes(changed)
        began = time.monotonic()
        try:
            points = read(copy, crs=crs)
        except BadInput as error:
            outcome["noticed" if "\n" not in str(error) else "of several lines"] += 1
        else:
            outcome["harmless" if is_same(points, whole) else "silent"] += 1
        assert time.monotonic() - began < 5
    return outcome


def is_same(first: PointCloud, second: PointCloud) -> bool:
    """Whether all columns are equal; coordinates to a micrometre, for a flip in the last digits of a scale."""
    theirs = second.columns()
    return (
        first.crs == second.crs
        and len(first) == len(second)
        and all(
            np.allclose(one, theirs[name], rtol=0, atol=1e-6 if name in "xyz" else 0)
            for name, one in first.columns().items()
        )
    )


HEADER_DAMAGE: dict[str, tuple[dict[int, bytes], str]] = {
    "no signature": ({0: b"LASX"}, "does not begin with LASF"),
    "version 2": ({24: b"\2"}, "LAS version 2.4"),
    "version 1.9": ({25: b"\x09"}, "LAS version 1.9"),
    "header size 0": ({HEADER_SIZE: struct.pack("<H", 0)}, "damaged header"),
    "header size 65535": ({HEADER_SIZE: struct.pack("<H", 65_535)}, "damaged"),
    "points inside the header": ({POINT_OFFSET: struct.pack("<I", 100)}, "points are said to begin"),
    "points behind the end": ({POINT_OFFSET: struct.pack("<I", 0xFFFFFFF0)}, "points are said to begin"),
    "four billion records": ({VLR_COUNT: struct.pack("<I", 0xFFFFFFFF)}, "variable-length records"),
    "one record too many": ({VLR_COUNT: struct.pack("<I", 9)}, "runs into the points"),
    "point format 60": ({POINT_FORMAT: b"\xbc"}, "point format"),
    "another point format": ({POINT_FORMAT: b"\x87"}, "damaged"),
    "record length 0": ({RECORD_LENGTH: struct.pack("<H", 0)}, "bytes a point"),
    "record length 65535": ({RECORD_LENGTH: struct.pack("<H", 65_535)}, "bytes a point"),
    "2^31 points": ({COUNT: struct.pack("<Q", 2**31), LEGACY_COUNT: bytes(4)}, "2147483648 points are announced"),
    "2^63 points": ({COUNT: struct.pack("<Q", 2**63), LEGACY_COUNT: bytes(4)}, "points are announced"),
    "one point more": ({COUNT: struct.pack("<Q", 16_001), LEGACY_COUNT: bytes(4)}, "damaged"),
    "one point fewer": ({COUNT: struct.pack("<Q", 15_999), LEGACY_COUNT: bytes(4)}, "damaged"),
    "two counts": ({LEGACY_COUNT: struct.pack("<I", 7)}, "counts 16000 points and 7"),
    "scale 0": ({X_SCALE: struct.pack("<d", 0)}, "the scale of x is 0"),
    "scale nan": ({X_SCALE: struct.pack("<d", np.nan)}, "the scale of x is nan"),
    "scale −1": ({X_SCALE: struct.pack("<d", -1)}, "the scale of x is -1"),
    "offset inf": ({X_OFFSET: struct.pack("<d", np.inf)}, "the offset of x is inf"),
    "bounds nan": ({MAX_X: struct.pack("<d", np.nan)}, "the bounds of x are"),
    "bounds inf": ({MIN_X: struct.pack("<d", -np.inf)}, "the bounds of x are"),
    "min above max": ({MIN_X: struct.pack("<d", 1e9)}, "exceeds the maximum"),
    "bounds elsewhere": ({MAX_X: struct.pack("<d", 603_020.0)}, "the header bounds it by"),
    "EVLRs behind the end": (
        {EVLR_START: struct.pack("<Q", 1 << 40), EVLR_COUNT: struct.pack("<I", 1)},
        "extended record 1",
    ),
    "EVLRs in the header": ({EVLR_START: struct.pack("<Q", 10), EVLR_COUNT: struct.pack("<I", 1)}, "extended records"),
    "four billion EVLRs": ({EVLR_COUNT: struct.pack("<I", 0xFFFFFFFF)}, "extended records"),
    "huge VLR": ({375 + 20: struct.pack("<H", 65_535)}, "of 65535 bytes is cut off"),
}


@pytest.mark.parametrize("name", HEADER_DAMAGE)
def test_a_header_that_lies_is_refused(name: str, survey: Path, tmp_path: Path) -> None:
    changes, why = HEADER_DAMAGE[name]
    assert why in refused(put(survey, tmp_path, changes))


@pytest.mark.parametrize("name", ["2^31 points", "2^63 points", "one point more"])
def test_an_uncompressed_header_that_announces_too_much_is_refused(
    name: str, flat_survey: Path, tmp_path: Path
) -> None:
    assert "truncated" in refused(put(flat_survey, tmp_path, HEADER_DAMAGE[name][0]))


def test_a_chunk_table_that_lies_is_refused(survey: Path, tmp_path: Path) -> None:
    header = read_header(survey)
    raw = survey.read_bytes()
    (table,) = struct.unpack_from("<q", raw, header.offset_to_points)
    for change in (
        {header.offset_to_points: struct.pack("<q", 5)},
        {header.offset_to_points: struct.pack("<q", 1 << 62)},
        {header.offset_to_points: struct.pack("<q", -7)},
        {table: struct.pack("<I", 1)},
        {table + 4: struct.pack("<I", 0xFFFFFFFF)},
        {table + 4: struct.pack("<I", 2)},
        {table + 8: b"\xff" * 8},
    ):
        assert "damaged" in refused(put(survey, tmp_path, change)) or "truncated" in refused(tmp_path / "changed.laz")


def test_a_layer_that_claims_four_gigabytes_is_refused_before_it_is_allocated(survey: Path, tmp_path: Path) -> None:
    first = read_header(survey).offset_to_points + 8 + 30 + 4
    assert "does not add up" in refused(put(survey, tmp_path, {first: struct.pack("<I", 0xFFFFFFF0)}))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=600))
def test_any_bytes_after_the_signature_are_refused(tmp_path_factory: pytest.TempPathFactory, tail: bytes) -> None:
    file = tmp_path_factory.mktemp("any") / "any.laz"
    file.write_bytes(b"LASF" + tail)
    refused(file, CITY)


def test_what_is_no_file_of_points_is_refused(survey: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.laz").write_bytes(b"")
    (tmp_path / "text.laz").write_text("x y z\n1 2 3\n")
    os.mkfifo(tmp_path / "pipe.laz")
    (tmp_path / "dangling.laz").symlink_to(tmp_path / "nowhere")
    for path, why in (
        (tmp_path / "empty.laz", "empty"),
        (tmp_path / "text.laz", "no LAS or LAZ"),
        (tmp_path / "missing.laz", "no such file"),
        (tmp_path / "dangling.laz", "no such file"),
        (tmp_path, "is a folder"),
        (tmp_path / "pipe.laz", "not a regular file"),
        (survey / "inside.laz", "Not a directory"),
        (Path("/dev/zero"), "not a regular file"),
    ):
        assert why in refused(path, CITY)


def test_a_file_that_may_not_be_read_says_so(survey: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.laz"
    secret.write_bytes(survey.read_bytes())
    secret.chmod(0)
    tmp_path.chmod(0o755)
    for folder in tmp_path.parents[:2]:
        folder.chmod(0o755)
    code = f"""
import os
from lidar.read import read
from gis.errors import BadInput
if os.geteuid() == 0:
    os.seteuid(65534)
try:
    read({str(secret)!r})
except BadInput as error:
    print(error)
"""
    told = python(code)
    assert "permission denied" in told.stdout


def test_memory_stays_bounded_whatever_a_header_announces(survey: Path, tmp_path: Path) -> None:
    """With 200 MB of address space beyond what the imports take, lies are refused, and no allocation aborts."""
    copies = []
    for number, name in enumerate(("2^31 points", "2^63 points", "four billion records", "huge VLR")):
        raw = bytearray(survey.read_bytes())
        for place, new in HEADER_DAMAGE[name][0].items():
            raw[place : place + len(new)] = new
        copies.append(tmp_path / f"{number}.laz")
        copies[-1].write_bytes(raw)
    rng = np.random.default_rng(9)
    for number in range(40):
        raw = bytearray(survey.read_bytes())
        raw[rng.integers(len(raw))] ^= rng.integers(1, 256)
        copies.append(tmp_path / f"flip{number}.laz")
        copies[-1].write_bytes(raw)
    code = f"""
import resource
from lidar.read import read
from gis.errors import BadInput
read({str(survey)!r})
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 200_000_000,) * 2)
bad = 0
for path in {[str(copy) for copy in copies]!r}:
    try:
        read(path)
    except BadInput:
        bad += 1
print(bad)
"""
    told = python(code)
    assert told.returncode == 0, told.stderr
    assert int(told.stdout) >= 40


def test_nothing_is_left_behind_and_nothing_reaches_the_terminal_but_one_line(survey: Path, tmp_path: Path) -> None:
    raw = survey.read_bytes()
    (tmp_path / "cut.laz").write_bytes(raw[: len(raw) // 2])
    before = sorted(tmp_path.iterdir())
    command = [sys.executable, "-m", "api.cli.main", "lidar", "inspect", str(tmp_path / "cut.laz")]
    told = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (told.returncode, told.stdout) == (3, "")
    assert len(told.stderr.splitlines()) == 1
    assert told.stderr.startswith(f"diaba: {tmp_path / 'cut.laz'}: truncated")
    assert sorted(tmp_path.iterdir()) == before


def test_every_kind_of_bad_file_exits_with_three(
    survey: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for changes, _ in HEADER_DAMAGE.values():
        if MAX_X in changes and np.isfinite(struct.unpack("<d", changes[MAX_X])[0]):
            continue  # points beyond the header's bounds: `inspect` reports them instead of refusing
        assert run(["lidar", "inspect", str(put(survey, tmp_path, changes))]) == 3
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_panic_of_the_decoder_becomes_bad_input(older_survey: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        """What pyo3 raises when Rust panics."""

    def panic(*_: object) -> None:
        raise PanicException("index out of bounds")

    monkeypatch.setattr("lazrs.decompress_points_with_chunk_table", panic)
    assert "index out of bounds" in refused(older_survey, CITY)


def test_an_interrupt_is_no_bad_input(older_survey: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lazrs.decompress_points_with_chunk_table", interrupt)
    with pytest.raises(KeyboardInterrupt):
        read(older_survey, crs=CITY)


def damaged_crs(survey: Path, folder: Path, change: Callable[[bytes], bytes]) -> Path:
    las = laspy.read(survey)
    record = las.header.vlrs.get("WktCoordinateSystemVlr")[0]
    record.string = change(record.string.encode()).decode("latin-1")
    las.write(folder / "crs.laz")
    return folder / "crs.laz"


def test_a_crs_that_is_no_crs_is_refused(survey: Path, tmp_path: Path) -> None:
    assert "no valid WKT" in refused(damaged_crs(survey, tmp_path, lambda wkt: wkt[:100]))
    parameters = damaged_crs(survey, tmp_path, lambda wkt: wkt.replace(b"0.9999", b"0.9996"))
    assert "its parameters are others" in refused(parameters)
    assert read(damaged_crs(survey, tmp_path, lambda wkt: wkt[:100]), crs=CITY).crs == CITY


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)

"""Files on a web server: a real one on this machine, which counts what it is asked for, and some that misbehave."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import laspy
import numpy as np
import pytest

from api.cli.main import run
from gis.bounds import BoundingBox
from gis.crs import normalise
from gis.errors import UnreadableFile
from lidar.las import remote
from lidar.las.remote import RemoteFile
from lidar.point_cloud import PointCloud
from lidar.read import read, read_header
from lidar.write import write_laz

CITY = normalise("EPSG:9210+5727")
LONE_STAR_CRS = normalise(26913)


@dataclass
class Server:
    """What a server has, how it behaves, and what it was asked for."""

    files: dict[str, bytes]
    misbehave: Callable[[Handler, bytes, int], bool] = lambda *_: False
    """Answers in its own way, and says so, given the request, the file and the number of requests before."""
    served: list[tuple[int, int]] = field(default_factory=list)
    """(first, end) of the bytes sent."""
    address: str = ""

    @property
    def bytes_sent(self) -> int:
        return sum(end - first for first, end in self.served)


class Handler(BaseHTTPRequestHandler):
    told: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        data = self.told.files.get(self.path)
        if data is None:
            self.answer(404, {}, b"")
            return
        if self.told.misbehave(self, data, len(self.told.served)):
            return
        self.give_range(data)

    def give_range(self, data: bytes, etag: str = "one") -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"])
        assert asked is not None
        first, end = int(asked[1]), min(int(asked[2]) + 1, len(data))
        self.told.served.append((first, end))
        told = {"Content-Range": f"bytes {first}-{end - 1}/{len(data)}", "ETag": f'"{etag}"'}
        self.answer(206, told, data[first:end])

    def answer(self, code: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    handler = type("Told", (Handler,), {"told": server})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as listening:
        listening.daemon_threads = True
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        server.address = f"http://127.0.0.1:{listening.server_address[1]}"
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PAUSE", 0.001)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LAZ file of 120,000 points in three chunks, about 700 kB."""
    rng = np.random.default_rng(1)
    x, y = np.sort(rng.uniform(603_000, 603_200, 120_000)), rng.uniform(1_192_000, 1_192_100, 120_000)
    points = PointCloud.from_xyz(x, y, 2 + 0.01 * rng.normal(size=120_000), CITY)
    file = tmp_path_factory.mktemp("survey") / "survey.laz"
    write_laz(points, file)
    return file


def assert_equal(first: PointCloud, second: PointCloud) -> None:
    for name, column in first.columns().items():
        np.testing.assert_array_equal(column, getattr(second, name), err_msg=name)


def refused(server: Server, name: str = "/a.laz") -> str:
    with serving(server), pytest.raises(UnreadableFile) as caught:
        read(server.address + name, crs=CITY)
    assert str(caught.value).startswith(f"{server.address}{name}: ")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_laz_file_on_a_server_reads_like_one_on_disk(survey: Path) -> None:
    data = survey.read_bytes()
    with serving(Server({"/a.laz": data})) as server:
        assert_equal(read(f"{server.address}/a.laz"), read(survey))
        assert server.bytes_sent < 1.2 * len(data) + 3 * remote.BLOCK
        assert len(server.served) <= 6


def test_of_a_header_only_the_first_block_is_fetched(survey: Path) -> None:
    with serving(Server({"/a.laz": survey.read_bytes()})) as server:
        header = read_header(f"{server.address}/a.laz")
        assert header.point_count == 120_000
        assert header.path == f"{server.address}/a.laz"
        assert server.served == [(0, remote.BLOCK)]


@pytest.mark.shared_data
def test_of_a_copc_file_only_the_chunks_in_the_window_are_fetched(shared_data: Path) -> None:
    file = shared_data / "pdal/lone-star.copc.laz"
    data = file.read_bytes()
    box = BoundingBox(515_380.0, 4_918_350.0, 515_384.0, 4_918_354.0, LONE_STAR_CRS)
    with laspy.CopcReader.open(file) as reader:
        corners = laspy.copc.Bounds(mins=np.array([box.min_x, box.min_y]), maxs=np.array([box.max_x, box.max_y]))
        nodes = laspy.copc.load_octree_for_query(
            reader.source, reader.copc_info, reader.root_page, query_bounds=corners.ensure_3d(*_z(reader))
        )
    needed = sum(node.byte_size for node in nodes)
    with serving(Server({"/a.copc.laz": data})) as server:
        found = read(f"{server.address}/a.copc.laz", crs=LONE_STAR_CRS, bounds=box)
        assert_equal(found, read(file, crs=LONE_STAR_CRS, bounds=box))
        assert needed < len(data) / 2
        # Beside the chunks: header, hierarchy, and the gaps between chunks that lie near each other.
        assert server.bytes_sent < needed + 4 * remote.BLOCK + len(server.served) * remote.GAP
        assert server.bytes_sent < 0.7 * len(data)


def _z(reader: laspy.CopcReader) -> tuple[np.ndarray, np.ndarray]:
    return reader.header.mins, reader.header.maxs


@pytest.mark.shared_data
def test_a_coarse_look_at_a_copc_file_fetches_little(shared_data: Path) -> None:
    file = shared_data / "pdal/lone-star.copc.laz"
    data = file.read_bytes()
    with serving(Server({"/a.copc.laz": data})) as server:
        coarse = read(f"{server.address}/a.copc.laz", crs=LONE_STAR_CRS, resolution=0.5)
        assert_equal(coarse, read(file, crs=LONE_STAR_CRS, resolution=0.5))
        assert server.bytes_sent < 0.25 * len(data)


def test_a_server_without_ranges_is_named_as_such(survey: Path) -> None:
    def whole(handler: Handler, data: bytes, _: int) -> bool:
        handler.answer(200, {}, data)
        return True

    assert "gives no ranges" in refused(Server({"/a.laz": survey.read_bytes()}, whole))


@pytest.mark.parametrize(
    ("code", "why"), [(404, "no such file"), (403, "permission denied"), (401, "who you are"), (418, "HTTP 418")]
)
def test_a_refusal_says_why(code: int, why: str) -> None:
    def refuse(handler: Handler, *_: object) -> bool:
        handler.answer(code, {}, b"no")
        return True

    assert why in refused(Server({"/a.laz": b""}, refuse))


def test_a_server_that_fails_twice_is_asked_again(survey: Path) -> None:
    failed = []

    def fail(handler: Handler, *_: object) -> bool:
        if len(failed) == 2:
            return False
        failed.append(1)
        if len(failed) == 1:
            handler.answer(503, {}, b"")
        else:  # the connection is reset
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            handler.connection.close()
            handler.close_connection = True
        return True

    with serving(Server({"/a.laz": survey.read_bytes()}, fail)) as server:
        assert read_header(f"{server.address}/a.laz").point_count == 120_000


def test_a_server_that_keeps_failing_is_given_up(survey: Path) -> None:
    asked = []

    def fail(handler: Handler, *_: object) -> bool:
        asked.append(1)
        handler.answer(502, {}, b"")
        return True

    assert "HTTP 502" in refused(Server({"/a.laz": b"x"}, fail))
    assert len(asked) == remote.ATTEMPTS


def test_a_server_that_is_not_there_is_given_up() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(UnreadableFile, match="does not answer"):
        read(f"http://127.0.0.1:{port}/a.laz", crs=CITY)


def test_a_server_that_stays_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "TIME_LIMIT", 0.1)
    monkeypatch.setattr(remote, "ATTEMPTS", 2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(UnreadableFile, match=r"does not answer.*2 attempts"):
            read(f"http://127.0.0.1:{silent.getsockname()[1]}/a.laz", crs=CITY)


@pytest.mark.parametrize("how", ["etag", "length"])
def test_a_file_that_changes_while_it_is_read_is_refused(how: str, survey: Path) -> None:
    def change(handler: Handler, data: bytes, before: int) -> bool:
        if before:
            handler.give_range(data + b"x" if how == "length" else data, "two" if how == "etag" else "one")
        return before > 0

    assert "has changed on the server" in refused(Server({"/a.laz": survey.read_bytes()}, change))


def test_a_file_cut_short_on_the_server_is_refused(survey: Path) -> None:
    data = survey.read_bytes()
    assert "truncated" in refused(Server({"/a.laz": data[: len(data) // 2]}))


@pytest.mark.parametrize(
    "told", ["", "bytes 0-99/*", "bytes 5-104/1000", "bytes 0-9/99999999999999999", "bytes */1000", "x"]
)
def test_an_answer_that_makes_no_sense_is_refused(told: str) -> None:
    def lie(handler: Handler, *_: object) -> bool:
        handler.answer(206, {"Content-Range": told}, b"LASF" + bytes(6))
        return True

    refused(Server({"/a.laz": b""}, lie))


def test_a_flood_of_bytes_is_cut_off() -> None:
    def flood(handler: Handler, *_: object) -> bool:
        handler.answer(206, {"Content-Range": "bytes 0-9/10"}, bytes(1_000_000))
        return True

    assert "more bytes than" in refused(Server({"/a.laz": b""}, flood))


@pytest.mark.parametrize("url", ["http://", "https://[/a.laz", "http://a b/c.laz"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UnreadableFile):
        read(url, crs=CITY)


def test_ranges_near_each_other_are_fetched_together() -> None:
    data = bytes(np.random.default_rng(2).integers(0, 256, 2_000_000, dtype=np.uint8))
    with serving(Server({"/a": data})) as server:
        with RemoteFile(f"{server.address}/a") as file:
            ranges = [(100_000, 5_000), (106_000, 4_000), (1_500_000, 10_000), (112_000, 90)]
            file.expect(ranges)
            for offset, size in ranges:
                file.seek(offset)
                assert file.read(size) == data[offset : offset + size]
        assert server.served[1:] == [(100_000, 112_090), (1_500_000, 1_510_000), (100_000, 112_090)]


def test_the_command_line_takes_addresses(survey: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(Server({"/a.laz": survey.read_bytes()})) as server:
        assert run(["lidar", "inspect", f"{server.address}/a.laz"]) == 0
        assert f"{server.address}/a.laz" in capsys.readouterr().out
        out = str(tmp_path / "dtm.tif")
        assert run(["lidar", "terrain", f"{server.address}/a.laz", out, "--resolution", "5"]) == 0
        assert run(["lidar", "terrain", f"{server.address}/a.laz", out, "--engine", "pdal"]) == 3
        assert run(["lidar", "inspect", f"{server.address}/b.laz"]) == 3
        assert f"{server.address}/b.laz: there is no such file" in capsys.readouterr().err

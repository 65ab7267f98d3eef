"""GDAL asks the service's pages for no more than it needs: what it sent is read from the server's log of requests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from urllib.parse import parse_qsl

import pyogrio
import pytest
import shapely

from tests.api.conftest import PARCELS, CityStore
from tests.gis.store_samples import lot

SERVER = """
import sys, uvicorn
from api.main import create_app
from gis.settings import Settings
settings = Settings.from_environment()
uvicorn.run(create_app(settings, settings.city(sys.argv[1])), port=0, log_level="info")
"""


@pytest.fixture(scope="module")
def logged(store: CityStore) -> Iterator[tuple[str, list[str]]]:
    """The service on a port of its own, and the lines of its log of requests so far."""
    environment = os.environ | {"DIABA_HOME": str(store.settings.home)}
    command = [sys.executable, "-u", "-c", SERVER, store.city.name]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        lines: list[str] = []
        said = next(line for line in process.stdout if "running on" in line)
        found = re.search(r"http://[\d.]+:\d+", said)
        assert found
        stream = process.stdout
        reader = threading.Thread(target=lambda: [lines.append(line) for line in stream], daemon=True)
        reader.start()
        try:
            yield found[0], lines
        finally:
            process.terminate()
            process.wait(15)


def asked(log: list[str], collection: str) -> list[dict[str, str]]:
    """The queries of pages."""
    found = (re.search(rf'"GET /collections/{collection}/items\?(\S*) HTTP', line) for line in log)
    return [dict(parse_qsl(match[1])) for match in found if match]


@pytest.mark.parametrize(
    ("where", "sent", "expected"),
    [
        ("uid = 'p-0003'", "uid = 'p-0003'", ["p-0003"]),
        ("parcel_no IN ('3', '5')", None, ["p-0002", "p-0004"]),
        ("address LIKE '7 %'", "address LIKE '7 %'", ["p-0006"]),
        (
            "area_legal > 99.5 AND sheet_no = '12' AND parcel_no = '9'",
            "((area_legal > 99.5) AND (sheet_no = '12')) AND (parcel_no = '9')",
            ["p-0008"],
        ),
        (
            "NOT (parcel_no <> '4') OR uid = 'p-0001'",
            "(NOT (parcel_no <> '4')) OR (uid = 'p-0001')",
            ["p-0001", "p-0003"],
        ),
        ("uid >= 'p-0038'", "uid >= 'p-0038'", ["p-0038", "p-0039"]),
        ("valid_to IS NULL AND uid < 'p-0002'", "((valid_to IS NULL)) AND (uid < 'p-0002')", ["p-0000", "p-0001"]),
    ],
)
def test_gdal_leaves_filters_and_boxes_to_the_service(
    logged: tuple[str, list[str]], where: str, sent: str | None, expected: list[str]
) -> None:
    address, log = logged
    del log[:]
    box = shapely.union_all([lot(0), lot(PARCELS - 1)]).bounds
    frame = pyogrio.read_dataframe(f"OAPIF:{address}", layer="parcels", where=where, bbox=box)
    assert sorted(frame["uid"]) == expected
    until = time.monotonic() + 10.0
    # A line of the log may come after the answer.
    while not (pages := [query for query in asked(log, "parcels") if "bbox" in query]) and time.monotonic() < until:
        time.sleep(0.01)
    assert pages, log
    if sent is not None:
        assert {query["filter"] for query in pages} == {sent}
        assert {query["filter-lang"] for query in pages} == {"cql-text"}

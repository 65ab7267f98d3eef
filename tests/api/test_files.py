"""The catalogue's files by HTTP: ranges byte for byte, and strangers' readers of COG and COPC on top of them."""

from __future__ import annotations

from pathlib import Path

import laspy
import numpy as np
import pytest
import rasterio
from fastapi.testclient import TestClient

from gis.bounds import BoundingBox
from gis.files import sha256
from lidar.read import read
from tests.api.conftest import CityStore
from tests.api.measured import NEW, SIDE, ground, points
from tests.gis.store_samples import EAST, NORTH

KEY = "x0_y0"
COG, COPC = f"/files/dtm/{KEY}-{NEW}.tif", f"/files/points/{KEY}-{NEW}.copc.laz"


@pytest.fixture
def cog(measured: CityStore) -> Path:
    return measured.city.folder / "products" / NEW / KEY / "dtm.tif"


def test_a_file_is_the_catalogues_byte_for_byte(measured_client: TestClient, cog: Path) -> None:
    answer = measured_client.get(COG)
    assert answer.content == cog.read_bytes()
    assert answer.headers["etag"] == f'"{sha256(cog)}"'
    assert answer.headers["accept-ranges"] == "bytes"
    assert "cloud-optimized" in answer.headers["content-type"]
    head = measured_client.head(COG)
    assert head.headers["content-length"] == str(cog.stat().st_size)
    assert head.content == b""
    again = measured_client.get(COG, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", [COG, COPC])
def test_the_description_names_what_kind_of_file_comes(measured_client: TestClient, path: str) -> None:
    described = measured_client.get("/api").json()["paths"]["/files/{collection}/{name}"]["get"]["responses"]
    assert measured_client.get(path).headers["content-type"] in described["200"]["content"]
    part = measured_client.get(path, headers={"Range": "bytes=0-9"})
    assert part.headers["content-type"] in described["206"]["content"]


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("0-0", 0, 1), ("10-99", 10, 100), ("100-", 100, None), ("-7", -7, None), ("5-99999999999", 5, None)],
)
def test_one_range_is_that_part(
    measured_client: TestClient, cog: Path, asked: str, start: int, end: int | None
) -> None:
    whole = cog.read_bytes()
    answer = measured_client.get(COG, headers={"Range": f"bytes={asked}"})
    assert answer.status_code == 206
    assert answer.content == whole[start:end]
    first = len(whole) + start if start < 0 else start
    assert answer.headers["content-range"] == f"bytes {first}-{first + len(answer.content) - 1}/{len(whole)}"


def test_ranges_that_cannot_be_had(measured_client: TestClient, cog: Path) -> None:
    size = cog.stat().st_size
    for beyond in (f"bytes={size}-", f"bytes={size + 5}-{size + 9}", "bytes=-0"):
        answer = measured_client.get(COG, headers={"Range": beyond})
        assert answer.status_code == 416
        assert answer.headers["content-range"] == f"bytes */{size}"
        assert answer.headers["content-type"] == "application/problem+json"
    several = measured_client.get(COG, headers={"Range": "bytes=0-1,5-6"})
    assert several.status_code == 400
    # What is no range is passed over, as RFC 9110 has it.
    for none in ("bytes=9-3", "bytes=-", "lines=1-2", "bytes=a-b", "bytes=" + "9" * 500 + "-"):
        assert measured_client.get(COG, headers={"Range": none}).status_code == 200


def test_a_range_of_another_version_is_the_whole_file(measured_client: TestClient, cog: Path) -> None:
    ours, other = f'"{sha256(cog)}"', '"old"'
    assert measured_client.get(COG, headers={"Range": "bytes=0-9", "If-Range": ours}).status_code == 206
    assert measured_client.get(COG, headers={"Range": "bytes=0-9", "If-Range": other}).status_code == 200


def test_files_are_named_by_the_catalogue_alone(measured_client: TestClient, measured: CityStore) -> None:
    secret = measured.city.folder / "city.toml"
    assert secret.exists()
    for path in (
        "/files/dtm/..%2f..%2fcity.toml",
        "/files/dtm/city.toml",
        "/files/dtm/products/2025/x0_y0/dtm.tif",
        f"/files/secret/{KEY}-{NEW}.tif",
        "/files/dtm/%00",
        f"/files/survey/{KEY}-{NEW}.tif",
        "/files/dtm/' OR '1'='1",
    ):
        assert measured_client.get(path).status_code in (400, 404), path


def test_a_missing_file_is_not_found_and_says_no_path(measured_client: TestClient, measured: CityStore) -> None:
    file = measured.city.folder / "products" / NEW / "x1_y1" / "dsm.tif"
    file.rename(file.with_suffix(".gone"))
    try:
        answer = measured_client.get(f"/files/dsm/x1_y1-{NEW}.tif")
    finally:
        file.with_suffix(".gone").rename(file)
    assert answer.status_code == 404
    assert "products" not in answer.text
    assert measured_client.get(f"/files/dsm/x1_y1-{NEW}.tif").status_code == 200


def test_gdal_reads_a_cog_by_ranges(measured_address: str, measured: CityStore, cog: Path) -> None:
    with rasterio.open(f"/vsicurl/{measured_address}{COG}") as source:
        values = source.read(1, masked=True).filled(np.nan)
    np.testing.assert_array_equal(values, ground(KEY, NEW, measured).values)


def test_our_reader_of_copc_reads_a_window_by_ranges(measured_address: str, measured: CityStore) -> None:
    window = BoundingBox(EAST + 20, NORTH + 30, EAST + 45, NORTH + 60, measured.city.crs.sub_crs_list[0])
    found = read(f"{measured_address}{COPC}", bounds=window)
    cloud = points(KEY, measured)
    inside = (
        (cloud.x >= window.min_x) & (cloud.x <= window.max_x) & (cloud.y >= window.min_y) & (cloud.y <= window.max_y)
    )
    assert len(found) == inside.sum() > 100
    np.testing.assert_allclose(np.sort(found.x), np.sort(cloud.x[inside]), atol=0.0006)


def test_laspy_reads_copc_by_its_address(measured_address: str) -> None:
    with laspy.CopcReader.open(f"{measured_address}{COPC}") as reader:
        found = reader.query(laspy.copc.Bounds(mins=np.array([EAST, NORTH]), maxs=np.array([EAST + SIDE, NORTH + 50])))
    assert 2_500 < len(found) < 3_500

"""Terrain as pictures and values, held against the function it was made from."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from rasterio import warp
from rasterio.io import MemoryFile

from gis.bounds import BoundingBox
from gis.crs import transformer, warpable
from gis.raster import Raster, write_cog
from gis.store.coverage import RasterFile
from tests.api.conftest import NEW, terrain
from tests.api.test_tiles import QUAD, tile_of
from tests.gis.store_samples import EAST, NORTH

PLACE = (EAST + 61.25, NORTH + 58.75)
"""On the hill."""


def height(x: float, y: float) -> float:
    """Of the cell the position is in."""
    raster = terrain(BoundingBox(x - 2, y - 2, x + 2, y + 2, transformer(9210, 9210).target_crs))
    return float(raster.at(np.array([x]), np.array([y]))[0])


def picture(content: bytes) -> NDArray[np.uint8]:
    with MemoryFile(content) as file, file.open() as source:
        assert source.driver == "PNG"
        assert (source.count, source.height, source.width) == (4, 256, 256)
        return source.read()


def heights(client: TestClient, tile: tuple[int, int, int]) -> NDArray[np.float64]:
    """Of a terrain-rgb tile, metres; NaN where it is transparent."""
    answer = client.get("/raster/terrain-rgb/{}/{}/{}.png".format(*tile))
    assert answer.status_code == 200
    red, green, blue, alpha = picture(answer.content).astype(np.float64)
    return np.where(alpha > 0, -10_000 + 0.1 * (65_536 * red + 256 * green + blue), np.nan)


def test_a_value_is_the_cells_with_its_uncertainty(client: TestClient) -> None:
    document = client.get("/raster/dtm/value", params={"x": PLACE[0], "y": PLACE[1], "crs": "EPSG:9210"}).json()
    assert document["value"] == pytest.approx(height(*PLACE), abs=0.001)
    assert document["sigma"] == pytest.approx(0.07)
    assert document["unit"] == "m"
    assert document["epoch"] == NEW
    assert "Hon Dau" in document["reference"]


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857", None])
def test_a_place_may_be_given_in_any_crs_offered(client: TestClient, crs: str | None) -> None:
    x, y = transformer(9210, crs or 4326).transform(*PLACE)
    given = {"x": repr(x), "y": repr(y)} | ({"crs": crs} if crs else {})
    assert client.get("/raster/dtm/value", params=given).json()["value"] == pytest.approx(height(*PLACE), abs=0.001)


def test_no_value_is_known_elsewhere(client: TestClient) -> None:
    for parameters in (
        {"x": 106.0, "y": 10.0},
        {"x": 0, "y": 0},
        {"x": PLACE[0], "y": PLACE[1] + 500, "crs": "EPSG:9210"},
    ):
        assert client.get("/raster/dtm/value", params=parameters).status_code in (400, 404)
    assert client.get("/raster/dsm/value", params={"x": PLACE[0], "y": PLACE[1], "crs": "EPSG:9210"}).status_code == 404
    assert client.get("/raster/dtm/value", params={"x": "nan", "y": 1}).status_code == 400
    assert client.get("/raster/dtm/value").status_code == 400
    assert client.get("/raster/secret/value", params={"x": 1, "y": 1}).status_code == 400


def test_coded_heights_are_the_terrains_within_their_step(client: TestClient) -> None:
    longitude, latitude = transformer(9210, 4326).transform(*PLACE)
    tile = tile_of(18, longitude, latitude)
    found = heights(client, tile)
    bounds = QUAD.xy_bounds(*tile[1:], tile[0])
    pixel = (bounds.right - bounds.left) / 256
    columns, rows = np.meshgrid(np.arange(256) + 0.5, np.arange(256) + 0.5)
    x, y = transformer(3857, 9210).transform(bounds.left + columns * pixel, bounds.top - rows * pixel)
    hill = 8.0 * np.exp(-((x - EAST - 60) ** 2 + (y - NORTH - 60) ** 2) / 400.0)
    expected = 1.0 + 0.01 * (x - EAST) + 0.02 * (y - NORTH) + hill
    assert np.isfinite(found).mean() > 0.8
    # Half a step of the code, and what a cell of 0.5 m rounds off on the steepest slope.
    assert np.nanmax(np.abs(found - expected)) < 0.05 + 0.05


def test_neighbouring_tiles_agree_at_their_seam(client: TestClient) -> None:
    longitude, latitude = transformer(9210, 4326).transform(*PLACE)
    z, x, y = tile_of(19, longitude, latitude)
    left, right = heights(client, (z, x, y)), heights(client, (z, x + 1, y))
    assert np.nanmax(np.abs(left[:, -1] - right[:, 0])) < 0.15


def test_the_pinned_way_is_written_into_the_crs_that_gdal_warps_from() -> None:
    """By its name alone GDAL takes the operation of EPSG that is 0.80 m off."""
    pinned = transformer(9210, 3857).transform(*PLACE)

    def off(crs: str) -> float:
        x, y = warp.transform(crs, "EPSG:3857", [PLACE[0]], [PLACE[1]])
        return float(np.hypot(x[0] - pinned[0], y[0] - pinned[1]))

    assert off(warpable("EPSG:9210+5727")) < 0.001
    assert off("EPSG:9210") < 0.001 or off("EPSG:9210") == pytest.approx(0.81, abs=0.02)


def test_relief_is_lit_from_the_north_west_and_seamless(client: TestClient) -> None:
    longitude, latitude = transformer(9210, 4326).transform(*PLACE)
    tile = tile_of(18, longitude, latitude)
    answer = client.get("/raster/dtm/{}/{}/{}.png".format(*tile))
    shade = picture(answer.content)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["cache-control"].startswith("public, max-age=")
    bounds = QUAD.xy_bounds(*tile[1:], tile[0])
    pixel = (bounds.right - bounds.left) / 256
    brightness = shade[:3].astype(float).sum(axis=0)

    def at(east: float, north: float) -> float:
        x, y = transformer(9210, 3857).transform(EAST + 60 + east, NORTH + 60 + north)
        return float(brightness[int((bounds.top - y) / pixel), int((x - bounds.left) / pixel)])

    assert at(-10, 10) > at(10, -10)


def test_where_no_terrain_is_pictures_are_transparent(client: TestClient) -> None:
    for product in ("dtm", "terrain-rgb"):
        for path in ("3/6/3", "18/0/0", "16/52100/30794"):
            answer = client.get(f"/raster/{product}/{path}.png")
            assert answer.status_code == 200
            assert not picture(answer.content)[3].any()


def test_a_picture_is_not_sent_twice(client: TestClient) -> None:
    path = "/raster/dtm/{}/{}/{}.png".format(*tile_of(17))
    etag = client.get(path).headers["etag"]
    assert client.get(path, headers={"If-None-Match": etag}).status_code == 304


def test_tilejson_leads_to_pictures(client: TestClient) -> None:
    for product in ("dtm", "terrain-rgb"):
        document = client.get(f"/raster/{product}/tiles.json").json()
        z, x, y = tile_of(17)
        assert picture(client.get(document["tiles"][0].format(z=z, x=x, y=y)).content)[3].any()
        west, south, east, north = document["bounds"]
        assert west < east
        assert south < north
    assert document["encoding"] == "mapbox"


def test_several_files_make_one_picture_and_a_missing_one_is_no_failure(tmp_path: Path) -> None:
    from api.mosaic import tile_heights, value_at
    from gis.crs import horizontal, normalise
    from gis.store.tiles import tile_bounds

    city = normalise("EPSG:9210+5727")
    flat = horizontal(city)
    halves = (
        BoundingBox(EAST - 50, NORTH - 50, EAST + 60, NORTH + 150, flat),
        BoundingBox(EAST + 60, NORTH - 50, EAST + 250, NORTH + 150, flat),
    )
    files = [RasterFile(Path("gone.tif"), NEW, None, 0.5)]
    for number, part in enumerate(halves):
        raster: Raster = terrain(part)
        write_cog(raster, tmp_path / f"{number}.tif", name="dtm", crs=city)
        files.append(RasterFile(Path(f"{number}.tif"), NEW, None, 0.5))
    longitude, latitude = transformer(9210, 4326).transform(*PLACE)
    bounds = tile_bounds(*tile_of(18, longitude, latitude))
    whole = tile_heights(files, tmp_path, city, bounds, 1)
    assert whole.values.shape == (258, 258)
    assert np.isfinite(whole.values).mean() > 0.8
    assert value_at(files, tmp_path, *PLACE)[0] == pytest.approx(height(*PLACE), abs=0.001)
    only_gone = tile_heights(files[:1], tmp_path, city, bounds, 1)
    assert np.isnan(only_gone.values).all()


def test_a_path_in_a_parameter_reads_no_file(client: TestClient) -> None:
    for evil in ("../../etc/passwd", "/etc/passwd", "..%2f..%2fetc%2fpasswd", "dtm%00"):
        for path in (f"/raster/{quote(evil, safe='%')}/16/1/1.png", f"/viewer/{evil}", f"/viewer/vendor/{evil}"):
            answer = client.get(path)
            assert answer.status_code in (400, 404)
            assert b"root:" not in answer.content

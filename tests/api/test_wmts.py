"""The picture layers by WMTS 1.0.0: GDAL opens them by the capabilities alone, and what it reads is the terrain."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
from fastapi.testclient import TestClient

from api.pictures import LAYERS
from gis.crs import transformer
from gis.raster import read_raster
from tests.api.conftest import TILE, CityStore
from tests.api.test_raster import PLACE, picture, tile_at

OWS = "{http://www.opengis.net/ows/1.1}"
WMTS = "{http://www.opengis.net/wmts/1.0}"
KVP = {
    "SERVICE": "WMTS",
    "REQUEST": "GetTile",
    "VERSION": "1.0.0",
    "STYLE": "default",
    "FORMAT": "image/png",
    "TILEMATRIXSET": "WebMercatorQuad",
}


def test_gdal_reads_heights_that_are_the_rasters(address: str, store: CityStore) -> None:
    raster = read_raster(store.city.folder / "rasters" / f"{TILE}.tif")
    with rasterio.open(f"WMTS:{address}/wmts/1.0.0/WMTSCapabilities.xml,layer=terrarium,zoom_level=18") as source:
        assert source.crs.to_epsg() == 3857
        random = np.random.default_rng(2)
        x, y = PLACE[0] + random.uniform(-25, 25, 40), PLACE[1] + random.uniform(-25, 25, 40)
        there = list(zip(*transformer(9210, 3857).transform(x, y), strict=True))
        red, green, blue, alpha = np.array(list(source.sample(there)), dtype=float).T
    assert (alpha == 255).all()
    read = red * 256 + green + blue / 256 - 32_768
    # A pixel of 0.6 m on a slope of at most a quarter, beside a cell of 0.5 m.
    assert np.abs(read - raster.at(x, y)).max() < 0.2
    assert np.abs(read - raster.at(x, y)).mean() < 0.05


def test_gdal_lists_all_layers(address: str) -> None:
    with rasterio.open(f"WMTS:{address}/wmts?SERVICE=WMTS&REQUEST=GetCapabilities") as source:
        named = {name.split("layer=")[1].split(",")[0] for name in source.subdatasets}
    assert named == set(LAYERS)


def test_capabilities_say_where_and_above_what(client: TestClient) -> None:
    by_address = client.get("/wmts/1.0.0/WMTSCapabilities.xml")
    assert client.get("/wmts", params={"service": "wmts", "request": "GetCapabilities"}).content == by_address.content
    root = ElementTree.fromstring(by_address.text)  # noqa: S314  our own
    layer = next(one for one in root.iter(f"{WMTS}Layer") if one.findtext(f"{OWS}Identifier") == "hillshade")
    assert "EPSG:5727" in (layer.findtext(f"{OWS}Abstract") or "")
    west, south = map(float, (layer.findtext(f"{OWS}WGS84BoundingBox/{OWS}LowerCorner") or "").split())
    longitude, latitude = transformer(9210, 4326).transform(*PLACE)
    assert (west < longitude < west + 0.01, south < latitude < south + 0.01) == (True, True)
    z, x, y = tile_at(16)
    limits = next(one for one in layer.iter(f"{WMTS}TileMatrixLimits") if one.findtext(f"{WMTS}TileMatrix") == "16")
    assert int(limits.findtext(f"{WMTS}MinTileCol") or 0) <= x <= int(limits.findtext(f"{WMTS}MaxTileCol") or 0)
    assert int(limits.findtext(f"{WMTS}MinTileRow") or 0) <= y <= int(limits.findtext(f"{WMTS}MaxTileRow") or 0)
    template = next(layer.iter(f"{WMTS}ResourceURL")).get("template") or ""
    address = template.format(TileMatrix=z, TileCol=x, TileRow=y)
    by_key = client.get("/wmts", params={**KVP, "LAYER": "hillshade", "TILEMATRIX": z, "TILECOL": x, "TILEROW": y})
    assert by_key.content == client.get(address).content
    assert picture(by_key.content)[3].any()


@pytest.mark.parametrize(
    "change",
    [
        {"SERVICE": "WMS"},
        {"REQUEST": "GetMap"},
        {"VERSION": "2.0"},
        {"STYLE": "pretty"},
        {"FORMAT": "image/gif"},
        {"TILEMATRIXSET": "other"},
        {"LAYER": "secret"},
        {"TILEMATRIX": "x"},
        {"TILEROW": "-1"},
        {"TILECOL": "9" * 40},
    ],
)
def test_what_wmts_has_not_is_refused(client: TestClient, change: dict[str, str]) -> None:
    whole = {**KVP, "LAYER": "dtm", "TILEMATRIX": "16", "TILECOL": "1", "TILEROW": "1", **change}
    answer = client.get("/wmts", params=whole)
    assert answer.status_code == 400
    assert answer.json()["parameter"] == next(iter(change))

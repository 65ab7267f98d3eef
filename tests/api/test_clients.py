"""Other people's programs open the service by its address alone."""

from __future__ import annotations

from pathlib import Path
from urllib.request import Request, urlopen

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely

from gis.crs import transformer
from gis.store.collections import COLLECTIONS
from gis.store.tile_layers import LAYERS
from tests.api.conftest import FLAGGED, PARCELS
from tests.api.test_raster import PLACE, height
from tests.api.test_tiles import QUAD, tile_of
from tests.gis.store_samples import building, lot


def test_gdal_lists_the_collections_as_layers(address: str) -> None:
    assert set(pyogrio.list_layers(f"OAPIF:{address}")[:, 0]) == set(COLLECTIONS)


def test_gdal_reads_all_pages_of_a_collection(address: str) -> None:
    pyogrio.set_gdal_config_options({"OGR_OAPIF_PAGE_SIZE": 7})
    try:
        frame = pyogrio.read_dataframe(f"OAPIF:{address}", layer="parcels")
    finally:
        pyogrio.set_gdal_config_options({"OGR_OAPIF_PAGE_SIZE": None})
    assert len(frame) == PARCELS
    assert set(frame["uid"]) == {f"p-{n:04d}" for n in range(PARCELS)}
    there = frame.set_index("uid").geometry
    assert frame.crs.to_epsg() == 9210
    assert max(there[f"p-{n:04d}"].hausdorff_distance(lot(n)) for n in range(PARCELS)) < 0.0015


def test_gdal_asks_for_a_box_and_gets_it(address: str) -> None:
    frame = pyogrio.read_dataframe(f"OAPIF:{address}", layer="buildings", bbox=lot(3).buffer(-1).bounds)
    assert list(frame["uid"]) == [FLAGGED]
    assert list(frame["height"]) == [12.4]


def test_gdal_takes_longitude_and_latitude_as_they_are(address: str) -> None:
    crs84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
    frame = pyogrio.read_dataframe(f"OAPIF:{address}", layer="parcels", CRS=crs84)
    back = transformer(4326, 9210)
    for uid, geometry in zip(frame["uid"], frame.geometry, strict=True):
        there = shapely.transform(geometry, lambda xy: np.column_stack(back.transform(xy[:, 0], xy[:, 1])))
        assert there.hausdorff_distance(lot(int(uid[2:]))) < 0.003


def test_gdal_swaps_the_axes_of_epsg_4326_back(address: str) -> None:
    frame = pyogrio.read_dataframe(f"OAPIF:{address}", layer="roads", CRS="http://www.opengis.net/def/crs/EPSG/0/4326")
    x, y = shapely.get_coordinates(frame.geometry.iloc[0])[0]
    assert 106 < x < 107
    assert 10 < y < 11


def test_gdal_reads_a_vector_tile(address: str) -> None:
    z, x, y = tile_of(16)
    url = f"MVT:/vsicurl/{address}/tiles/{z}/{x}/{y}.mvt"
    assert set(pyogrio.list_layers(url)[:, 0]) == {name for name, layer in LAYERS.items() if layer.is_shown(z)}
    frame = pyogrio.read_dataframe(url, layer="buildings")
    assert frame.crs.to_epsg() == 3857
    row = frame.set_index("uid").loc[FLAGGED]
    assert (row["height"], row["verdict"]) == (12.4, "flagged")
    where = shapely.transform(
        building(3).footprint, lambda xy: np.column_stack(transformer(9210, 3857).transform(*xy.T))
    )
    assert row.geometry.intersection(where).area / where.area > 0.9


def test_gdal_reads_a_zoom_level_as_one_layer(address: str) -> None:
    z, _, _ = tile_of(16)
    bounds = QUAD.xy_bounds(*tile_of(15)[1:], 15)
    frame = pyogrio.read_dataframe(
        f"MVT:/vsicurl/{address}/tiles/{z}",
        layer="parcels",
        TILE_EXTENSION="mvt",
        METADATA_FILE=f"/vsicurl/{address}/tiles/metadata.json",
        bbox=(bounds.left, bounds.bottom, bounds.right, bounds.top),
    )
    assert set(frame["uid"]) == {f"p-{n:04d}" for n in range(PARCELS)}


def test_rasterio_reads_the_terrain_as_one_map(address: str, tmp_path: Path) -> None:
    """Through GDAL's description of an XYZ service, as QGIS keeps it."""
    service = tmp_path / "terrain.xml"
    service.write_text(
        f"""<GDAL_WMS><Service name="TMS">
        <ServerUrl>{address}/raster/terrain-rgb/${{z}}/${{x}}/${{y}}.png</ServerUrl></Service>
        <DataWindow><UpperLeftX>-20037508.342789244</UpperLeftX><UpperLeftY>20037508.342789244</UpperLeftY>
        <LowerRightX>20037508.342789244</LowerRightX><LowerRightY>-20037508.342789244</LowerRightY>
        <TileLevel>18</TileLevel><TileCountX>1</TileCountX><TileCountY>1</TileCountY><YOrigin>top</YOrigin></DataWindow>
        <Projection>EPSG:3857</Projection><BlockSizeX>256</BlockSizeX><BlockSizeY>256</BlockSizeY>
        <BandsCount>4</BandsCount></GDAL_WMS>"""
    )
    x, y = transformer(9210, 3857).transform(*PLACE)
    with rasterio.open(service) as source:
        red, green, blue, alpha = (float(value) for value in next(source.sample([(x, y)])))
    assert alpha == 255
    assert -10_000 + 0.1 * (65_536 * red + 256 * green + blue) == pytest.approx(height(*PLACE), abs=0.25)


def test_many_clients_are_answered_at_once(address: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    z, x, y = tile_of(16)

    def ask(number: int) -> int:
        path = (f"tiles/{z}/{x}/{y}.mvt", "collections/parcels/items", "health/ready", "tiles.json")[number % 4]
        with urlopen(Request(f"{address}/{path}"), timeout=30) as answer:  # noqa: S310  our own address
            answer.read()
            return int(answer.status)

    with ThreadPoolExecutor(40) as pool:
        assert set(pool.map(ask, range(200))) == {200}

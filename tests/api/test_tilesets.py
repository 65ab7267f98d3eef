"""OGC API Tiles: grids read by morecantile, tile sets, and tiles in both grids held against the register."""

from __future__ import annotations

from typing import Any

import mapbox_vector_tile
import morecantile
import numpy as np
import pytest
import shapely
from fastapi.testclient import TestClient
from shapely.geometry import shape

from gis.crs import normalise
from gis.store.tile_layers import LAYERS
from gis.store.tiles import EXTENT
from gis.tile_grid import city_grid
from tests.api.conftest import PARCELS
from tests.gis.store_samples import EAST, NORTH, lot

OWN = "EPSG9210Quad"
QUAD = "WebMercatorQuad"
SHOWN = {"parcels", "permits", "buildings", "roads", "planning_zones"}


def grid_of(client: TestClient, name: str) -> morecantile.TileMatrixSet:
    return morecantile.TileMatrixSet.model_validate(client.get(f"/tileMatrixSets/{name}").json())


def test_the_grids_are_listed_and_morecantile_reads_them(client: TestClient) -> None:
    listed = client.get("/tileMatrixSets").json()["tileMatrixSets"]
    assert [one["id"] for one in listed] == [QUAD, OWN]
    web, theirs = grid_of(client, QUAD), morecantile.tms.get(QUAD)
    for mine, other in zip(web.tileMatrices, theirs.tileMatrices, strict=False):
        for name in ("scaleDenominator", "cellSize", "pointOfOrigin", "matrixWidth", "matrixHeight", "tileWidth"):
            assert getattr(mine, name) == pytest.approx(getattr(other, name), rel=1e-9)
    own = grid_of(client, OWN)
    assert own.crs.to_epsg() == 9210
    tile = own.tile(106.7, 10.78, 12)
    assert own.xy_bounds(tile) == pytest.approx(city_grid(normalise("EPSG:9210+5727")).bounds(12, tile.x, tile.y).tuple)


@pytest.mark.parametrize(("crs", "area"), [("EPSG:5899", (106.43, 8.57)), ("EPSG:28992", (3.2, 50.75))])
def test_another_city_has_a_grid_of_its_own(crs: str, area: tuple[float, float]) -> None:
    grid = city_grid(normalise(crs))
    read = morecantile.TileMatrixSet.model_validate(grid.document())
    assert read.crs.to_epsg() == int(crs.split(":")[1])
    assert read.is_valid(read.tile(*area, 3))
    assert read.matrix(3).cellSize == grid.side / 256 / 8


def test_tile_sets_say_what_there_is_and_lead_to_it(client: TestClient) -> None:
    for here in ("/tiles", *(f"/collections/{name}/tiles" for name in sorted(SHOWN))):
        sets = client.get(here).json()["tilesets"]
        assert [one["links"][1]["href"].rsplit("/", 1)[1] for one in sets] == [QUAD, OWN]
        for one in sets:
            links = {link["rel"]: link["href"] for link in one["links"]}
            full = client.get(links["self"]).json()
            assert full["dataType"] == "vector"
            assert client.get(links["http://www.opengis.net/def/rel/ogc/1.0/tiling-scheme"]).status_code == 200
            last = full["tileMatrixSetLimits"][-1]
            seen = [
                mapbox_vector_tile.decode(
                    client.get(links["item"].format(tileMatrix=last["tileMatrix"], tileRow=row, tileCol=column)).content
                )
                for row in range(last["minTileRow"], last["maxTileRow"] + 1)
                for column in range(last["minTileCol"], last["maxTileCol"] + 1)
            ]
            names = {layer["id"] for layer in full["layers"] if layer["maxTileMatrix"] == last["tileMatrix"]}
            assert {name for tile in seen for name in tile} == names
    assert client.get("/collections/lidar_tiles/tiles").status_code == 404
    assert client.get(f"/tiles/{OWN}").json()["crs"].endswith("/9210")


def ground_of(feature: dict[str, Any], bounds: tuple[float, float, float, float]) -> shapely.Geometry:
    """A feature of a tile of the city's grid: nothing but the tile's corner and size is needed."""
    unit = (bounds[2] - bounds[0]) / EXTENT

    def place(xy: np.ndarray) -> np.ndarray:
        return np.column_stack([bounds[0] + xy[:, 0] * unit, bounds[3] - xy[:, 1] * unit])

    return shapely.transform(shape(feature["geometry"]), place)


def test_parcels_in_the_city_s_grid_are_where_the_register_has_them(client: TestClient) -> None:
    grid = grid_of(client, OWN)
    pieces: dict[str, list[shapely.Geometry]] = {}
    columns = range(*(int((x - -464_000.0) // 256) for x in (EAST - 5, EAST + 261)))
    for column in [*columns, columns.stop]:
        row = int((2_868_000.0 - NORTH - 10) // 256)
        path = f"/collections/parcels/tiles/{OWN}/13/{row}/{column}"
        layers = mapbox_vector_tile.decode(client.get(path).content, default_options={"y_coord_down": True})
        bounds = tuple(grid.xy_bounds(morecantile.Tile(column, row, 13)))
        for feature in layers.get("parcels", {}).get("features", []):
            pieces.setdefault(feature["properties"]["uid"], []).append(ground_of(feature, bounds))
    unit = 256 / EXTENT
    found = {uid: shapely.union_all(parts) for uid, parts in pieces.items()}
    assert len(found) == PARCELS
    worst = max(found[f"p-{n:04d}"].hausdorff_distance(lot(n)) for n in range(PARCELS))
    # The row of tiles ends south of some lots: what lies beyond is in the next.
    assert worst <= 1.01 * unit


def test_a_level_of_the_city_s_grid_shows_what_the_same_scale_shows_on_the_web(client: TestClient) -> None:
    grid = grid_of(client, OWN)
    for z in range(8, 14):
        tile = grid.tile(106.6958, 10.7705, z)
        z_web = z + 4
        web = morecantile.tms.get(QUAD).tile(106.6958, 10.7705, z_web)
        own = set(mapbox_vector_tile.decode(client.get(f"/tiles/{OWN}/{z}/{tile.y}/{tile.x}").content))
        other = set(mapbox_vector_tile.decode(client.get(f"/tiles/{QUAD}/{z_web}/{web.y}/{web.x}").content))
        assert own <= {name for name, layer in LAYERS.items() if layer.is_shown(z_web)}
        assert other <= {name for name, layer in LAYERS.items() if layer.is_shown(z_web)}


def test_both_addresses_of_a_tile_give_the_same_bytes(client: TestClient) -> None:
    tile = morecantile.tms.get(QUAD).tile(106.6958, 10.7705, 15)
    there = client.get(f"/tiles/{QUAD}/{tile.z}/{tile.y}/{tile.x}", params={"collections": "parcels,roads"})
    here = client.get(f"/tiles/{tile.z}/{tile.x}/{tile.y}.mvt", params={"layers": "wards,blocks,parcels,roads"})
    assert there.content == here.content
    assert there.headers["etag"] == here.headers["etag"]
    assert there.headers["content-type"] == "application/vnd.mapbox-vector-tile"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/tiles/Nowhere", 404),
        ("/tileMatrixSets/Nowhere", 404),
        (f"/tiles/{OWN}/19/0/0", 404),
        (f"/tiles/{OWN}/-1/0/0", 404),
        (f"/tiles/{OWN}/3/8/0", 404),
        (f"/tiles/{QUAD}/3/0/8", 404),
        (f"/tiles/{QUAD}/x/0/0", 400),
        (f"/tiles/{QUAD}/3/0/0?collections=party", 400),
        (f"/tiles/{QUAD}/3/0/0?f=png", 400),
        (f"/tiles/{QUAD}/3/0/0?datetime=2020-01-01/2021-01-01", 400),
        ("/tileMatrixSets?f=xml", 400),
        ("/collections/party/tiles", 404),
    ],
)
def test_a_tile_set_or_tile_that_cannot_be_is_refused(client: TestClient, path: str, status: int) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_layer_with_too_many_features_keeps_the_largest_and_says_how_many_it_left_out(client: TestClient) -> None:
    from dataclasses import replace

    service = client.app.state.tiles.service  # type: ignore[attr-defined]
    tiles = client.app.state.tiles  # type: ignore[attr-defined]
    tile = morecantile.tms.get(QUAD).tile(106.6958, 10.7705, 14)
    path = f"/tiles/15/{2 * tile.x}/{2 * tile.y}.mvt"
    whole = next(p for p in (path, *_children(tile)) if "buildings" in mapbox_vector_tile.decode(client.get(p).content))
    count = len(mapbox_vector_tile.decode(client.get(whole).content)["buildings"]["features"])
    tiles.service = replace(service, limits=replace(service.limits, features_per_layer=5))
    tiles.cache.forget(hears=False)
    try:
        answer = client.get(whole, params={"layers": "buildings,roads"})
    finally:
        tiles.service = service
        tiles.cache.forget(hears=True)
    kept = mapbox_vector_tile.decode(answer.content)["buildings"]["features"]
    assert len(kept) == 5
    assert answer.headers["x-left-out"] == f"buildings={count - 5}"


def _children(tile: morecantile.Tile) -> list[str]:
    return [f"/tiles/15/{2 * tile.x + i}/{2 * tile.y + j}.mvt" for i in (0, 1) for j in (0, 1)]

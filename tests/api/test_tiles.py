"""Vector tiles, read with someone else's decoder and held against the registers they came from."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from typing import Any

import mapbox_vector_tile
import morecantile
import numpy as np
import pytest
import shapely
from fastapi.testclient import TestClient
from shapely.geometry import shape
from sqlalchemy import text

from gis.access.roles import Role
from gis.crs import transformer
from gis.store.collections import NOW, Moment
from gis.store.tile_layers import LAYERS
from gis.store.tiles import CLEAR_UNITS, EXTENT, TileQuery, tile_bounds, tile_statement, tile_values
from tests.api.conftest import FLAGGED, PARCELS, CityStore
from tests.gis.store_samples import EAST, NORTH, building, lot

QUAD = morecantile.tms.get("WebMercatorQuad")
CENTRE = transformer(9210, 4326).transform(EAST + 120, NORTH + 8)


def tile_of(zoom: int, longitude: float = CENTRE[0], latitude: float = CENTRE[1]) -> tuple[int, int, int]:
    found = QUAD.tile(longitude, latitude, zoom)
    return found.z, found.x, found.y


def path_of(zoom: int) -> str:
    return "/tiles/{}/{}/{}.mvt".format(*tile_of(zoom))


def decoded(client: TestClient, path: str, **parameters: str) -> dict[str, Any]:
    answer = client.get(path, params=parameters or None)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    layers: dict[str, Any] = mapbox_vector_tile.decode(answer.content, default_options={"y_coord_down": True})
    return layers


def ground(feature: dict[str, Any], tile: tuple[int, int, int]) -> shapely.Geometry:
    """A feature of a tile, in the city's CRS."""
    bounds = QUAD.xy_bounds(*tile[1:], tile[0])
    unit = (bounds.right - bounds.left) / EXTENT
    back = transformer(3857, 9210)

    def place(xy: np.ndarray) -> np.ndarray:
        return np.column_stack(back.transform(bounds.left + xy[:, 0] * unit, bounds.top - xy[:, 1] * unit))

    return shapely.transform(shape(feature["geometry"]), place)


@pytest.fixture
def around() -> list[tuple[int, int, int]]:
    """All tiles of zoom 17 the small city lies in."""
    corners = transformer(9210, 4326).transform_bounds(EAST - 5, NORTH - 10, EAST + 250, NORTH + 30)
    return [(tile.z, tile.x, tile.y) for tile in QUAD.tiles(*corners, zooms=[17])]


@pytest.mark.parametrize("zoom", [0, 5, 14, 17, 22])
def test_a_tile_covers_what_others_say_it_covers(zoom: int) -> None:
    z, x, y = tile_of(zoom)
    assert tile_bounds(z, x, y).tuple == pytest.approx(tuple(QUAD.xy_bounds(x, y, z)), abs=1e-6)


def test_every_layer_is_in_a_close_tile(client: TestClient) -> None:
    layers = decoded(client, path_of(16))
    assert set(layers) == {name for name, one in LAYERS.items() if one.zoom_most is None}
    for name, layer in layers.items():
        assert layer["extent"] == EXTENT
        for feature in layer["features"]:
            assert set(feature["properties"]) <= set(LAYERS[name].fields)


def test_what_is_small_waits_for_closer_zooms_and_something_stands_for_it(client: TestClient) -> None:
    for zoom in range(11, 18):
        shown = {name for name, one in LAYERS.items() if one.is_shown(zoom)}
        # Of the small city no building is large, and its zone has 15,000 m².
        small = {"buildings"} if zoom < 15 else set()
        assert set(decoded(client, path_of(zoom))) == shown - small - ({"zones"} if zoom == 11 else set())


def test_parcels_are_where_the_register_has_them(client: TestClient, around: list[tuple[int, int, int]]) -> None:
    pieces: dict[str, list[shapely.Geometry]] = {}
    for tile in around:
        for feature in decoded(client, "/tiles/{}/{}/{}.mvt".format(*tile)).get("parcels", {}).get("features", []):
            pieces.setdefault(feature["properties"]["uid"], []).append(ground(feature, tile))
    assert len(pieces) == PARCELS
    unit = 40_075_017 / 2**17 / EXTENT
    for number in range(PARCELS):
        whole = shapely.union_all(pieces[f"p-{number:04d}"])
        assert whole.hausdorff_distance(lot(number)) <= 1.01 * unit


def test_a_building_says_its_height_and_what_is_flagged(client: TestClient) -> None:
    found = {
        one["properties"]["uid"]: one["properties"] for one in decoded(client, path_of(15))["buildings"]["features"]
    }
    assert found[FLAGGED]["verdict"] == "flagged"
    assert found[FLAGGED]["kinds"] == "storeys"
    assert found[FLAGGED]["height"] == 12.4
    others = [properties for uid, properties in found.items() if uid != FLAGGED]
    assert {properties["verdict"] for properties in others} == {"none"}
    assert len(found) == PARCELS
    assert "sigma_height" not in found[building(7).uid]


def test_a_tile_shows_the_city_of_another_day(client: TestClient) -> None:
    for zoom in (13, 14, 15):
        found = decoded(client, path_of(zoom), as_of="2020-06-30")["buildings"]["features"]
        assert len(found) == PARCELS - 2
        assert {one["properties"]["height"] for one in found} == {6.0}
    assert decoded(client, path_of(15), known_at="2020-06-30T00:00:00Z") == {}
    today = datetime.now(UTC).date().isoformat()
    assert decoded(client, path_of(13), as_of=today) == decoded(client, path_of(13))


def test_only_the_layers_asked_for_are_sent(client: TestClient) -> None:
    assert set(decoded(client, path_of(16), layers="roads,parcels")) == {"roads", "parcels"}
    assert client.get(path_of(16), params={"layers": "party"}).status_code == 400


def test_an_empty_tile_is_an_answer_without_bytes(client: TestClient) -> None:
    for path in ("/tiles/16/0/0.mvt", "/tiles/3/1/1.mvt", "/tiles/16/52000/30700.mvt"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert answer.content == b""
        assert mapbox_vector_tile.decode(answer.content) == {}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("23/0/0", 400),
        ("-1/0/0", 400),
        ("99999999999999999999/0/0", 400),
        ("3/8/0", 404),
        ("3/0/8", 404),
        ("3/-1/0", 404),
        ("16/1e3/0", 400),
        ("16/1;select 1/0", 400),
        ("16/%00/0", 400),
        ("9" * 5000 + "/0/0", 400),
    ],
)
def test_a_tile_that_cannot_be_is_refused(client: TestClient, path: str, status: int) -> None:
    for place in ("/tiles/{}.mvt", "/tiles/{}.pbf", "/raster/dtm/{}.png", "/raster/terrain-rgb/{}.png"):
        answer = client.get(place.format(path))
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"


def test_the_same_tile_is_the_same_bytes_and_not_sent_twice(client: TestClient) -> None:
    first, second = client.get(path_of(16)), client.get(path_of(16))
    assert first.content == second.content
    etag = first.headers["etag"]
    assert etag == second.headers["etag"]
    assert not etag.startswith("W/")
    again = client.get(path_of(16), headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get(path_of(17), headers={"If-None-Match": etag})
    assert other.status_code == 200


def test_a_tile_is_compressed_for_who_accepts_it(client: TestClient) -> None:
    with client.stream("GET", path_of(16), headers={"Accept-Encoding": "gzip"}) as answer:
        packed = b"".join(answer.iter_raw())
    plain = client.get(path_of(16), headers={"Accept-Encoding": "identity"})
    assert answer.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(packed) == plain.content
    assert len(packed) < len(plain.content)
    assert answer.headers["etag"] != plain.headers["etag"]
    assert "Accept-Encoding" in plain.headers["vary"]


def test_tilejson_says_where_the_tiles_are_and_what_is_in_them(client: TestClient) -> None:
    document = client.get("/tiles.json").json()
    assert document["tilejson"] == "3.0.0"
    assert [layer["id"] for layer in document["vector_layers"]] == list(LAYERS)
    west, south, east, north = document["bounds"]
    assert west < CENTRE[0] < east
    assert south < CENTRE[1] < north
    z, x, y = tile_of(16)
    address = document["tiles"][0].format(z=z, x=x, y=y)
    seen = decoded(client, address) | decoded(client, path_of(12)) | decoded(client, path_of(14))
    for layer in document["vector_layers"]:
        for feature in seen[layer["id"]]["features"]:
            for name, value in feature["properties"].items():
                assert layer["fields"][name] == ("String" if isinstance(value, str) else "Number")


def test_each_layer_is_a_tile_set_of_its_own(client: TestClient) -> None:
    z, x, y = tile_of(16)
    for name, layer in LAYERS.items():
        document = client.get(f"/tiles/{name}.json").json()
        there = {name} if layer.is_shown(16) else set()
        assert set(decoded(client, document["tiles"][0].format(z=z, x=x, y=y))) == there
    assert client.get("/tiles/party.json").status_code == 404


def test_postgis_brings_the_register_to_the_map_the_pinned_way(store: CityStore) -> None:
    with store.database.open(Role.READER) as connection:
        found = connection.execute(
            text(
                "SELECT ST_X(p), ST_Y(p) "
                "FROM (SELECT ST_Transform(ST_SetSRID(ST_MakePoint(:x, :y), 9210), 3857) AS p) t"
            ),
            {"x": EAST, "y": NORTH},
        ).one()
    assert tuple(found) == pytest.approx(transformer(9210, 3857).transform(EAST, NORTH), abs=0.001)


def test_a_tile_of_a_large_city_is_found_by_the_spatial_index(store: CityStore) -> None:
    """With 60,000 further parcels, for as long as the test lasts."""
    z, x, y = tile_of(16)
    crs = store.city.crs
    with store.database.open(Role.OWNER) as connection:
        # Checking each against all others would take most of the time.
        connection.execute(text("ALTER TABLE diaba.parcel_version DROP CONSTRAINT parcel_version_known_once"))
        connection.execute(text("INSERT INTO diaba.parcel SELECT 'big-' || i FROM generate_series(1, 60000) i"))
        connection.execute(
            text(
                "INSERT INTO diaba.parcel_version SELECT 'big-' || i, 1, NULL, NULL, NULL, 'ODT', 100, 100, NULL, "
                "ST_MakeEnvelope(e, n, e + 5, n + 20, 9210), '[2009-01-01,)', '[2009-01-01,)', '' "
                "FROM (SELECT i, 590000 + (i % 400) * 40.0 AS e, 1180000 + (i / 400) * 90.0 AS n "
                "FROM generate_series(1, 60000) i) places"
            )
        )
        connection.execute(text("ANALYZE diaba.parcel_version"))
        plans = []
        for when in (NOW, Moment(known_at=datetime(2026, 1, 1, tzinfo=UTC))):
            query = TileQuery(z, x, y, ("parcels",), when)
            values = tile_values(crs, query)
            explained = text(f"EXPLAIN (ANALYZE, FORMAT JSON) {tile_statement(query, query.shown)}")
            plans.append(connection.execute(explained, values).scalar_one())
        connection.rollback()
    for plan, index in zip(plans, ("parcel_version_web", "parcel_version_geom_idx"), strict=True):
        text_of_plan = json.dumps(plan)
        assert index in text_of_plan
        assert "Seq Scan" not in text_of_plan
        assert plan[0]["Execution Time"] < 500


def test_shapes_that_are_only_moved_are_those_that_postgis_makes(
    client: TestClient, store: CityStore, around: list[tuple[int, int, int]]
) -> None:
    """Which turn their rings take is part of it: by that, clients tell holes from areas."""
    compared = 0
    for tile in around:
        bounds, ours = tile_bounds(*tile), decoded(client, "/tiles/{}/{}/{}.mvt".format(*tile))
        for layer, table, column in (
            ("parcels", "parcel_version", "geom_3857"),
            ("buildings", "building_version", "footprint_3857"),
        ):
            sql = (
                "SELECT ST_AsMVT(t, 't', 4096, 'g') FROM (SELECT uid, ST_AsMVTGeom("  # noqa: S608  names of this test
                f"{column}, ST_MakeEnvelope(:a, :b, :c, :d, 3857), 4096, 64, TRUE) AS g "
                f"FROM diaba.{table} WHERE upper_inf(recorded)) t"
            )
            with store.database.open(Role.OWNER) as connection:
                data = connection.execute(text(sql), dict(zip("abcd", bounds.tuple, strict=True))).scalar_one()
            options = {"y_coord_down": True}
            theirs = mapbox_vector_tile.decode(bytes(data), default_options=options).get("t", {"features": []})
            expected = {one["properties"]["uid"]: shape(one["geometry"]) for one in theirs["features"]}
            for feature in ours.get(layer, {"features": []})["features"]:
                found = shape(feature["geometry"])
                other = expected[feature["properties"]["uid"]]
                assert isinstance(found, shapely.Polygon)
                assert isinstance(other, shapely.Polygon)
                assert found.normalize().equals(other.normalize())
                assert found.exterior.is_ccw == other.exterior.is_ccw
                compared += 1
    assert compared > PARCELS


def test_a_polygon_stays_valid_on_a_grid_half_as_wide_as_its_clearance() -> None:
    chance = np.random.default_rng(1836)
    near = 0
    for _ in range(400):
        angles = np.sort(chance.uniform(0, 2 * np.pi, chance.integers(4, 14)))
        radii = chance.uniform(0.2, 1.0, len(angles))
        star = shapely.Polygon(np.column_stack([radii * np.cos(angles), radii * np.sin(angles)]))
        clearance = shapely.minimum_clearance(star)
        if not star.is_valid or clearance < 1e-3:
            continue
        corners = np.rint(shapely.get_coordinates(star) * (CLEAR_UNITS / clearance))
        on_grid = shapely.Polygon(corners)
        assert on_grid.is_valid
        assert on_grid.area > 0
        near += 1
    assert near > 200

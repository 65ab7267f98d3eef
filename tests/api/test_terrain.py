"""Terrain for globes, read with somebody else's decoder and held against the raster it was made of."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from matplotlib.tri import LinearTriInterpolator, Triangulation
from numpy.typing import NDArray
from pyproj import Transformer

from api.terrain import GRID, LEVEL_MOST, TerrainKey, tolerance
from gis.bounds import BoundingBox
from gis.crs import horizontal, transformer
from gis.raster import read_raster
from tests.api.conftest import TILE, CityStore, terrain
from tests.api.test_raster import PLACE
from tests.gis.store_samples import EAST, NORTH

CHECKOUT = Path(__file__).parents[2]
SCRIPT = Path(__file__).parent / "decoder" / "quantized_mesh.mjs"
STEPS = 32_767
ACCEPT = "application/vnd.quantized-mesh;extensions=octvertexnormals-metadata,application/octet-stream;q=0.9,*/*;q=0.01"
"""As CesiumJS asks."""


@dataclass(frozen=True)
class Decoded:
    """A tile as the decoder gives it."""

    key: TerrainKey
    header: dict[str, float]
    u: NDArray[np.int64]
    v: NDArray[np.int64]
    heights: NDArray[np.float64]
    triangles: NDArray[np.int64]
    edges: dict[str, NDArray[np.int64]]
    normals: NDArray[np.int64] | None
    metadata: Any

    @property
    def degrees(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        west, south, east, north = self.key.bounds
        return west + self.u / STEPS * (east - west), south + self.v / STEPS * (north - south)

    def along(self, edge: str) -> NDArray[np.int64]:
        """(n, 4) place along an edge, height in millimetres, both bytes of the normal."""
        at = self.edges[edge]
        place = (self.v if edge in ("west", "east") else self.u)[at]
        assert self.normals is not None
        return np.column_stack([place, np.rint(1000 * self.heights[at]).astype(int), self.normals[at]])


def key_at(z: int, place: tuple[float, float] = PLACE) -> TerrainKey:
    longitude, latitude = transformer(9210, 4326).transform(*place)
    side = 180.0 / 2**z
    return TerrainKey(z, int((longitude + 180) / side), int((latitude + 90) / side))


Decode = Callable[[Sequence[TerrainKey]], list[Decoded]]


@pytest.fixture
def decode(client: TestClient, tmp_path: Path) -> Decode:
    """Ask for tiles and decode all of them in one run of Node."""
    node = shutil.which("node")
    assert node, "Node decodes the tiles; scripts/setup.sh test installs it"

    def made(keys: Sequence[TerrainKey]) -> list[Decoded]:
        files = []
        for number, key in enumerate(keys):
            answer = client.get(f"/terrain/{key.z}/{key.x}/{key.y}.terrain", headers={"Accept": ACCEPT})
            assert answer.status_code == 200, answer.text
            assert answer.headers["content-type"] == "application/vnd.quantized-mesh"
            files.append(tmp_path / f"{number}.terrain")
            files[-1].write_bytes(answer.content)
        done = subprocess.run([node, SCRIPT, *files], cwd=CHECKOUT, capture_output=True, check=True, timeout=60)
        return [_decoded(key, one) for key, one in zip(keys, json.loads(done.stdout), strict=True)]

    return made


def _decoded(key: TerrainKey, one: dict[str, Any]) -> Decoded:
    u, v, parts = np.array(one["vertices"], dtype=np.int64).reshape(3, -1)
    low, high = one["header"]["minHeight"], one["header"]["maxHeight"]
    return Decoded(
        key,
        one["header"],
        u,
        v,
        low + parts / STEPS * (high - low),
        np.array(one["triangles"], dtype=np.int64).reshape(-1, 3),
        {name: np.array(found, dtype=np.int64) for name, found in one["edges"].items()},
        None if one["normals"] is None else np.array(one["normals"], dtype=np.int64).reshape(-1, 2),
        one["metadata"],
    )


def test_triangles_cover_the_tile_once_and_face_up(decode: Decode) -> None:
    for tile in decode([key_at(z) for z in (0, 7, 14, 16, 18)]):
        a, b, c = (np.stack([tile.u, tile.v], 1)[tile.triangles[:, corner]] for corner in range(3))
        doubled = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
        assert (doubled > 0).all()
        assert doubled.sum() == 2 * STEPS**2
        assert set(tile.triangles.ravel()) == set(range(len(tile.u)))
        for edge, (on, at) in {"west": (tile.u, 0), "south": (tile.v, 0), "east": (tile.u, STEPS)}.items():
            assert set(tile.edges[edge]) == set(np.flatnonzero(on == at))
        assert set(tile.edges["north"]) == set(np.flatnonzero(tile.v == STEPS))


def test_the_surface_is_within_its_tolerance_of_the_raster(decode: Decode, store: CityStore) -> None:
    """At every cell of the terrain the tile covers, also between the places where the tile reads it."""
    raster = read_raster(store.city.folder / "rasters" / f"{TILE}.tif")
    x, y = np.meshgrid(*raster.grid.centres())
    longitude, latitude = transformer(9210, 4326).transform(x, y)
    for tile in decode([key_at(LEVEL_MOST), key_at(LEVEL_MOST - 1)]):
        west, south, east, north = tile.key.bounds
        inside = (longitude > west) & (longitude < east) & (latitude > south) & (latitude < north)
        assert inside.sum() > 5_000
        along, up = (longitude[inside] - west) / (east - west), (latitude[inside] - south) / (north - south)
        surface = LinearTriInterpolator(Triangulation(tile.u, tile.v, tile.triangles), tile.heights)
        off = np.abs(surface(along * STEPS, up * STEPS) - raster.values[inside])
        assert off.count() == inside.sum()
        # The hill's curvature is 8 m / 200 m² at most; between places that is missed along both axes.
        step = 180 / 2**tile.key.z / GRID * 111_320
        assert off.max() <= tolerance(tile.key.z) + 2 * (8 / 200) * step**2 / 8 + 0.004
        # It is not met by taking every place.
        assert len(tile.u) < GRID**2 / 10


def test_neighbours_have_the_same_edge_with_the_same_heights_and_normals(decode: Decode) -> None:
    middle = key_at(18)
    keys = [TerrainKey(18, middle.x + i, middle.y + j) for j in (0, 1) for i in (0, 1)]
    low_left, low_right, top_left, top_right = decode(keys)
    for one, other, (edge, opposite) in (
        (low_left, low_right, ("east", "west")),
        (top_left, top_right, ("east", "west")),
        (low_left, top_left, ("north", "south")),
        (low_right, top_right, ("north", "south")),
    ):
        np.testing.assert_array_equal(one.along(edge), other.along(opposite))
    # Edges that run over the hill have more than their corners.
    assert max(len(tile.edges[edge]) for tile in (low_left, top_right) for edge in ("east", "north", "west")) > 6


def test_edges_of_real_ground_match_too(make_store: Callable[..., CityStore], tmp_path: Path) -> None:
    """Noise of five centimetres all over, and several files: many vertices, none of them alone on its edge."""
    from api.mosaic import heights_at
    from api.open_rasters import OpenRasters
    from api.pictures import lattice_of
    from gis.crs import normalise
    from gis.raster import Raster, write_cog
    from gis.store.coverage import RasterFile
    from lidar.terrain_mesh import grid_mesh

    city = normalise("EPSG:9210+5727")
    random = np.random.default_rng(3)
    files = []
    for number in range(2):
        west = EAST - 50 + 150 * number
        raster = terrain(BoundingBox(west, NORTH - 50, west + 150, NORTH + 150, horizontal(city)))
        noisy = raster.values + random.normal(0, 0.05, raster.grid.shape).astype(np.float32)
        write_cog(Raster(noisy, raster.grid), tmp_path / f"{number}.tif", name="dtm", crs=city)
        files.append(RasterFile(Path(f"{number}.tif"), "2025", None, 0.5))
    z, x, y = 18, *_mercator_tile(18)
    opened = OpenRasters(4)
    grids = []
    for column in (x, x + 1):
        # Corners instead of middles of pixels: the last place of one tile is the first of the next.
        lattice = lattice_of(z, column, y, 128, 0)
        grids.append(heights_at(files, tmp_path, opened, _with_corners(lattice), city))
    opened.close()
    np.testing.assert_array_equal(grids[0][:, -1], grids[1][:, 0])
    left, right = (grid_mesh(np.nan_to_num(grid.astype(float)), 0.02) for grid in grids)
    rows = [np.sort(mesh.rows[mesh.columns == edge]) for mesh, edge in ((left, 128), (right, 0))]
    np.testing.assert_array_equal(*rows)
    assert len(rows[0]) > 20


def _mercator_tile(z: int) -> tuple[int, int]:
    from tests.api.test_tiles import QUAD

    found = QUAD.tile(*transformer(9210, 4326).transform(*PLACE), z)
    return found.x, found.y


def _with_corners(lattice: Any) -> Any:
    from dataclasses import replace

    return replace(lattice, offset=0.0, columns=lattice.columns + 1, rows=lattice.rows + 1)


def test_header_bounds_the_tile_in_space(decode: Decode) -> None:
    for tile in decode([key_at(18), key_at(8), key_at(0)]):
        longitude, latitude = tile.degrees
        points = np.stack(
            Transformer.from_crs(4979, 4978, always_xy=True).transform(longitude, latitude, tile.heights), axis=1
        )
        header = tile.header
        centre = np.array(
            [header["boundingSphereCenterX"], header["boundingSphereCenterY"], header["boundingSphereCenterZ"]]
        )
        away = np.linalg.norm(points - centre, axis=1)
        # Coordinates are cut into 32767 parts, after which they are a little elsewhere.
        slack = 2 * np.radians(180 / 2**tile.key.z) * 6_378_137 / STEPS
        assert away.max() <= header["boundingSphereRadius"] + slack
        assert away.max() >= 0.99 * header["boundingSphereRadius"] - slack
        assert header["minHeight"] <= tile.heights.min() <= tile.heights.max() <= header["maxHeight"]
        occludee = np.array([header[f"horizonOcclusionPoint{axis}"] for axis in "XYZ"])
        if tile.key.z > 5:
            # From nowhere at which a vertex is above the horizon is the point below it.
            assert _hidden_only_with_all(points, occludee)


def _hidden_only_with_all(points: NDArray[np.float64], occludee: NDArray[np.float64]) -> bool:
    """By the very test that clients make of the point (scaled space, a cone behind the horizon's plane)."""
    radii = np.array([6_378_137.0, 6_378_137.0, 6_356_752.314245])
    random = np.random.default_rng(5)

    def hidden(eye: NDArray[np.float64], targets: NDArray[np.float64]) -> NDArray[np.bool_]:
        beyond = eye @ eye - 1
        towards = targets - eye
        behind = -(towards @ eye)
        return (behind > beyond) & (behind**2 / (towards**2).sum(axis=1) > beyond)

    scaled = points / radii
    for _ in range(300):
        direction = random.normal(size=3)
        eye = direction / np.linalg.norm(direction) * (1 + 10 ** random.uniform(-4, 1))
        if hidden(eye, occludee[None])[0] and not hidden(eye, scaled).all():
            return False
    return True


def test_normals_are_those_of_the_slope(decode: Decode) -> None:
    (tile,) = decode([key_at(18)])
    assert tile.normals is not None
    flat = tile.normals / 255 * 2 - 1
    up = 1 - np.abs(flat).sum(axis=1)
    fold = up < 0
    flat[fold] = (1 - np.abs(flat[fold][:, ::-1])) * np.sign(flat[fold])
    vectors = np.column_stack([flat, up])
    vectors /= np.linalg.norm(vectors, axis=1)[:, None]
    longitude, latitude = tile.degrees
    x, y = transformer(4326, 9210).transform(longitude, latitude)
    hill = 8.0 * np.exp(-((x - EAST - 60) ** 2 + (y - NORTH - 60) ** 2) / 400.0)
    east, north = 0.01 - hill * (x - EAST - 60) / 200, 0.02 - hill * (y - NORTH - 60) / 200
    along, high = np.radians(longitude), np.radians(latitude)
    outward = np.stack([np.cos(high) * np.cos(along), np.cos(high) * np.sin(along), np.sin(high)], 1)
    eastward = np.stack([-np.sin(along), np.cos(along), 0 * along], 1)
    northward = np.cross(outward, eastward)
    expected = outward - east[:, None] * eastward - north[:, None] * northward
    expected /= np.linalg.norm(expected, axis=1)[:, None]
    inside = (x > EAST - 45) & (x < EAST + 345) & (y > NORTH - 45) & (y < NORTH + 145)
    # A byte's step is half a degree; the grid's north is within a tenth of a degree of the globe's here.
    assert np.degrees(np.arccos((vectors * expected).sum(axis=1)[inside])).max() < 1.5
    assert inside.sum() > 20


def test_what_is_available_is_listed_and_leads_to_terrain(client: TestClient, decode: Decode) -> None:
    document = client.get("/terrain/layer.json").json()
    assert document["format"] == "quantized-mesh-1.0"
    assert (document["scheme"], document["projection"]) == ("tms", "EPSG:4326")
    assert document["verticalDatum"]["crs"] == "EPSG:5727"
    assert "ellipsoid" in document["description"]
    for z, rectangles in enumerate(document["available"]):
        key = key_at(z)
        assert any(r["startX"] <= key.x <= r["endX"] and r["startY"] <= key.y <= r["endY"] for r in rectangles)
    assert len(document["available"]) == LEVEL_MOST + 1
    tenth = key_at(10)
    (told,) = decode([tenth])
    assert told.metadata["available"] == document["available"][11:]
    assert document["metadataAvailability"] == 10
    assert document["tiles"][0].endswith("/terrain/{z}/{x}/{y}.terrain")


def test_where_nothing_was_measured_the_ground_is_flat_at_the_datum(decode: Decode) -> None:
    for tile in decode([TerrainKey(5, 3, 9), TerrainKey(14, 5, 5), TerrainKey(18, 417_000, 146_000)]):
        assert (tile.heights == 0).all()


def test_extensions_come_as_asked(client: TestClient) -> None:
    key = key_at(10)
    path = f"/terrain/{key.z}/{key.x}/{key.y}.terrain"
    plain = client.get(path, params={"extensions": ""}).content
    lit = client.get(path, params={"extensions": "octvertexnormals"}).content
    full = client.get(path, headers={"Accept": ACCEPT}).content
    assert len(plain) < len(lit) < len(full)
    assert full.startswith(lit)
    assert lit.startswith(plain)
    assert client.get(path, params={"extensions": "secret"}).status_code == 400


def test_a_tile_is_not_sent_twice_and_is_compressed(client: TestClient) -> None:
    key = key_at(16)
    path = f"/terrain/{key.z}/{key.x}/{key.y}.terrain"
    whole = client.get(path, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in whole.headers
    tags = {whole.headers["etag"]}
    for accepted, coding in (("gzip, deflate, br", "br"), ("gzip, deflate", "gzip"), ("br;q=0.1, gzip", "gzip")):
        asked = {"Accept-Encoding": accepted}
        first = client.get(path, headers=asked)
        assert first.headers["content-encoding"] == coding
        assert int(first.headers["content-length"]) < len(whole.content)
        # Decoded by httpx.
        assert first.content == whole.content
        tags.add(first.headers["etag"])
        again = client.get(path, headers=asked | {"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    assert len(tags) == 3


def test_tiles_that_are_none_are_refused(client: TestClient) -> None:
    assert client.get("/terrain/19/1/1.terrain").status_code == 400
    assert client.get("/terrain/3/16/1.terrain").status_code == 404
    assert client.get("/terrain/3/1/8.terrain").status_code == 404
    assert client.get("/terrain/3/-1/8.terrain").status_code == 404

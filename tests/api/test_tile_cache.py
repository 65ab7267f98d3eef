"""What is kept of the tiles: never older than the register, never another's, never more than it may be."""

from __future__ import annotations

from datetime import date

import morecantile
import pytest

from api.encodings import Body
from api.tile_cache import OVERHEAD, KeptTile, TileCache, TileKey
from gis.crs import normalise
from gis.store.changes import Change
from gis.store.collections import NOW
from gis.tile_grid import WEB, TileGrid, city_grid

QUAD = morecantile.tms.get("WebMercatorQuad")
LON, LAT = 106.7, 10.78
CITY = city_grid(normalise("EPSG:9210+5727"))


def key(z: int, x: int, y: int, scope: str = "public", grid: TileGrid = WEB) -> TileKey:
    return TileKey(scope, grid, z, x, y, ("parcels",), NOW, date(2026, 1, 1))


def tile(at: TileKey, size: int = 10, changes: str = "parcels") -> KeptTile:
    bounds = at.grid.bounds(at.z, at.x, at.y)
    return KeptTile(Body(b"x" * size), {}, frozenset({changes}), bounds.buffered(bounds.width / 64))


@pytest.fixture
def cache() -> TileCache:
    made = TileCache(1_000_000)
    made.forget(hears=True)
    return made


def keep(cache: TileCache, *keys: TileKey, **more: str) -> None:
    for one in keys:
        cache.put(one, tile(one, **more), cache.told)


def around(zooms: range) -> list[TileKey]:
    """All tiles of some zooms in a square of 0.1° about the city's middle."""
    found = QUAD.tiles(LON - 0.05, LAT - 0.05, LON + 0.05, LAT + 0.05, zooms=list(zooms))
    return [key(one.z, one.x, one.y) for one in found]


@pytest.mark.parametrize("side", [1.0, 300.0, 9_000.0])
def test_exactly_the_tiles_a_change_touches_are_dropped(cache: TileCache, side: float) -> None:
    """Held against morecantile's tiles of the same box, grown by the buffer of each zoom."""
    keys = around(range(9, 16))
    keep(cache, *keys)
    west, south = QUAD.xy(LON, LAT)
    cache.hear(Change(1, "parcels", ((west, south, west + side, south + side),)))
    for one in keys:
        edge = QUAD.xy_bounds(one.x, one.y, one.z)
        margin = (edge.right - edge.left) / 64
        apart_x = west - 1 > edge.right + margin or west + side + 1 < edge.left - margin
        apart_y = south - 1 > edge.top + margin or south + side + 1 < edge.bottom - margin
        assert (cache.get(one) is None) == (not (apart_x or apart_y)), one


def test_a_change_of_something_else_drops_nothing(cache: TileCache) -> None:
    keys = around(range(14, 15))
    keep(cache, *keys)
    x, y = QUAD.xy(LON, LAT)
    assert cache.hear(Change(1, "roads", ((x, y, x + 1, y + 1),))) == 0
    assert len(cache) == len(keys)


def test_tiles_in_the_city_s_own_grid_are_dropped_too(cache: TileCache) -> None:
    z = 12
    x, y = 602_000.0, 1_191_500.0
    column, row = int((x - CITY.west) / (CITY.side / 2**z)), int((CITY.north - y) / (CITY.side / 2**z))
    here, far = key(z, column, row, grid=CITY), key(z, column + 40, row, grid=CITY)
    keep(cache, here, far)
    web = CITY.bounds(z, column, row).to(3857)
    middle = ((web.min_x + web.max_x) / 2, (web.min_y + web.max_y) / 2)
    cache.hear(Change(1, "parcels", ((*middle, middle[0] + 1, middle[1] + 1),)))
    assert cache.get(here) is None
    assert cache.get(far) is not None


def test_what_was_read_before_a_change_is_not_kept_after_it(cache: TileCache) -> None:
    here = key(*_tile(16))
    west, south, *_ = WEB.bounds(here.z, here.x, here.y).tuple
    told = cache.told
    cache.hear(Change(1, "parcels", ((west + 1, south + 1, west + 2, south + 2),)))
    cache.put(here, tile(here), told)
    assert cache.get(here) is None
    cache.put(here, tile(here), cache.told)
    assert cache.get(here) is not None
    far = key(16, here.x + 9, here.y)
    cache.put(far, tile(far), told)
    assert cache.get(far) is not None


def test_nothing_is_kept_while_changes_are_not_heard(cache: TileCache) -> None:
    here = key(*_tile(16))
    told = cache.told
    keep(cache, here)
    cache.forget(hears=False)
    keep(cache, here)
    assert cache.get(here) is None
    cache.forget(hears=True)
    # Read before the connection was lost, kept after it is back.
    cache.put(here, tile(here), told)
    assert cache.get(here) is None


def test_who_may_see_other_things_gets_other_tiles(cache: TileCache) -> None:
    keep(cache, key(*_tile(16), scope="district:q7"))
    assert cache.get(key(*_tile(16))) is None
    assert Body(b"a" * 600, "district:q7").etag() != Body(b"a" * 600, "district:q8").etag() != Body(b"a" * 600).etag()


def test_the_cache_holds_no_more_than_it_may_and_lets_the_unused_go(cache: TileCache) -> None:
    size = 9_000
    keys = [key(16, 50_000 + n, 30_000) for n in range(500)]
    for one in keys:
        cache.get(keys[0])
        cache.put(one, tile(one, size=size), cache.told)
        assert cache.bytes <= cache.bytes_most
    assert len(cache) == 1_000_000 // (size + OVERHEAD)
    assert cache.get(keys[0]) is not None
    assert cache.get(keys[1]) is None
    assert cache.get(keys[-1]) is not None


def _tile(z: int) -> tuple[int, int, int]:
    found = QUAD.tile(LON, LAT, z)
    return found.z, found.x, found.y


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("gzip, deflate, br", "br"),
        ("br;q=0.5, gzip", "gzip"),
        ("gzip", "gzip"),
        ("*", "br"),
        ("br;q=0, *;q=0.1", "gzip"),
        ("identity", ""),
        ("", ""),
        ("gzip;q=0", ""),
        ("br;q=x", ""),
        ("identity;q=1, gzip;q=0.5", ""),
        ("deflate", ""),
    ],
)
def test_the_best_coding_the_client_accepts_is_taken(accepted: str, expected: str) -> None:
    assert Body(b"a" * 1000).coding(accepted) == expected
    assert Body(b"a").coding(accepted) == ""

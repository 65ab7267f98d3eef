"""Tiles and features, side by side with tipg, pygeoapi and raw SQL, over the same PostGIS in one run.

`python benchmarks/serving.py [--parcels 500000] [--houses 150000] [--samples 200] [--rounds 3] [--keep FOLDER]` makes a
synthetic city in a private store and a table of its parcels in Web Mercator for the peers (the fastest they can have),
and asks the servers, one process each, the same in turn, one request after the other, gzip accepted:

- vector tiles of the parcels at zoom levels 10, 12, 14, 16 and 17, each tile once after the server was started, so that
  no cache of tiles has it; few tiles cover a city at the far levels, so servers are started anew in each round;
- one tile again and again;
- features in a box of about 100 m, at most 100, one client; and eight clients at once of each server alone.

Raw SQL is ST_AsMVT over the peers' table, and the same features as GeoJSON, by the driver and the login diaba has. All
pages come from memory: raw SQL is asked first, and once before it counts. Printed are medians and 95 of 100 in ms,
bytes on the wire and unpacked, and ratios. The cost of row security is told by the statement of diaba's tile as the
reader, whom policies bind, and as the owner, whom they do not. Peers live in an environment of their own in the user's
cache; where it is not there the command that makes it is printed and diaba is measured beside raw SQL alone.
"""

from __future__ import annotations

import argparse
import gzip
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import _peers
import numpy as np
from _city import Bench, bench_city, diaba, tile_of
from sqlalchemy import Connection, text

from gis.access.roles import Role

ZOOMS = (10, 12, 14, 16, 17)
BOX = 0.001
"""Degrees, about 100 m."""
AGAIN = 200
TILE = """
SELECT ST_AsMVT(t, 'parcels', 4096, 'g') FROM (
  SELECT uid, ward_code, sheet_no, parcel_no, land_use, area_legal,
    ST_AsMVTGeom(geom, ST_TileEnvelope(:z, :x, :y), 4096, 64, TRUE) AS g
  FROM peers.parcels WHERE geom && ST_TileEnvelope(:z, :x, :y, margin => 64.0 / 4096)
) AS t WHERE g IS NOT NULL
"""
ITEMS = """
SELECT uid, ward_code, sheet_no, parcel_no, land_use, area_legal, ST_AsGeoJSON(ST_Transform(geom, 4326))
FROM peers.parcels WHERE geom && ST_Transform(ST_MakeEnvelope(:west, :south, :east, :north, 4326), 3857) LIMIT 100
"""
LAYERS = "parcels,blocks,wards"
"""What the collection of parcels is shown as: below zoom 15 by what stands for them."""
Tile = tuple[int, int, int]
Box = tuple[float, float, float, float]


class Spent:
    """Times and sizes of one kind of question to one server."""

    def __init__(self) -> None:
        self.ms: list[float] = []
        self.wire: list[int] = []
        self.plain: list[int] = []

    def add(self, ms: float, wire: int, plain: int) -> None:
        self.ms.append(ms)
        self.wire.append(wire)
        self.plain.append(plain)

    @property
    def median(self) -> float:
        return float(np.median(self.ms)) if self.ms else float("nan")

    def line(self) -> str:
        p95 = np.percentile(self.ms, 95) if self.ms else float("nan")
        return (
            f"{len(self.ms):7} {self.median:9.2f} {p95:9.2f} {np.median(self.wire) / 1000:9.1f} "
            f"{max(self.wire) / 1000:9.1f} {np.median(self.plain) / 1000:10.1f}"
        )


HEAD = f"{'':34} {'asked':>7} {'p50 ms':>9} {'p95 ms':>9} {'p50 kB':>9} {'most kB':>9} {'unpacked':>10}"


def ask(client: HTTPConnection, path: str, spent: Spent) -> None:
    """One answer, read to its end but not unpacked, so that the servers are measured and not the client."""
    try:
        ms, answer, body = _asked(client, path)
    except ConnectionError:
        # A server hangs up on a client that was silent for seconds.
        client.close()
        client.connect()
        ms, answer, body = _asked(client, path)
    plain = gzip.decompress(body) if answer.getheader("content-encoding") == "gzip" else body
    # An empty tile is 204 with some.
    if answer.status not in (HTTPStatus.OK, HTTPStatus.NO_CONTENT):
        raise SystemExit(f"{path}: {answer.status} {plain[:300]!r}")
    spent.add(ms, len(body), len(plain))


def _asked(client: HTTPConnection, path: str) -> tuple[float, HTTPResponse, bytes]:
    began = time.perf_counter()
    client.request("GET", path, headers={"Accept-Encoding": "gzip"})
    answer = client.getresponse()
    body = answer.read()
    return 1000 * (time.perf_counter() - began), answer, body


def client_of(address: str) -> closing[HTTPConnection]:
    """A connection that stays open."""
    return closing(HTTPConnection(urlsplit(address).netloc, timeout=120))


def raw(connection: Connection, statement: str, values: dict[str, Any], spent: Spent) -> None:
    """One statement, made once before it counts."""
    connection.execute(text(statement), values).all()
    began = time.perf_counter()
    rows = connection.execute(text(statement), values).all()
    ms = 1000 * (time.perf_counter() - began)
    size = sum(len(value) for row in rows for value in row if isinstance(value, bytes | memoryview | str))
    spent.add(ms, size, size)


def tiles_of(bench: Bench, samples: int) -> dict[int, list[Tile]]:
    """Of each zoom level different tiles, at most so many, in the order of chance."""
    return {zoom: list(dict.fromkeys(tile_of(place, zoom) for place in bench.places))[:samples] for zoom in ZOOMS}


def boxes_of(bench: Bench, samples: int) -> list[Box]:
    return [(x, y, x + BOX, y + BOX) for x, y in bench.places[:samples]]


class Server:
    """One of those measured: how it is started, and its addresses."""

    def __init__(
        self,
        name: str,
        start: Callable[[], AbstractContextManager[str]],
        items: str,
        tile: str | None = None,
    ) -> None:
        self.name, self.start, self.items, self.tile = name, start, items, tile

    def item_path(self, box: Box) -> str:
        return f"{self.items}?bbox={','.join(map(str, box))}&limit=100"

    def tile_path(self, tile: Tile) -> str:
        z, x, y = tile
        return str(self.tile).format(z=z, x=x, y=y)


def servers(bench: Bench, work: Path) -> list[Server]:
    @contextmanager
    def own() -> Iterator[str]:
        with diaba(bench) as service:
            yield service.url

    found = [Server("diaba", own, "/collections/parcels/items", f"/tiles/{{z}}/{{x}}/{{y}}.mvt?layers={LAYERS}")]
    program = _peers.python()
    if program is not None:
        print(_peers.versions(program))
        collection = f"/collections/{_peers.TABLE}"
        tiles = f"{collection}/tiles/WebMercatorQuad/{{z}}/{{x}}/{{y}}"
        found += [
            Server("tipg", lambda: _peers.tipg(bench, program), f"{collection}/items", tiles),
            Server("pygeoapi", lambda: _peers.pygeoapi(bench, program, work), "/collections/parcels/items"),
        ]
    return found


class RawSql:
    """The same questions as statements, by the driver and the login diaba has."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        for setting in ("statement_timeout = 0", "jit = off", "plan_cache_mode = force_custom_plan"):
            connection.execute(text(f"SET LOCAL {setting}"))

    def tile(self, tile: Tile, spent: Spent) -> None:
        raw(self.connection, TILE, dict(zip("zxy", tile, strict=True)), spent)

    def items(self, box: Box, spent: Spent) -> None:
        raw(self.connection, ITEMS, dict(zip(("west", "south", "east", "north"), box, strict=True)), spent)


Results = dict[str, dict[str, Spent]]
"""Server → kind of question → what was spent."""


def measure(
    bench: Bench, named: Sequence[Server], tiles: dict[int, list[Tile]], boxes: Sequence[Box], rounds: int
) -> Results:
    """All servers run at once and are asked the same in turn, so that what disturbs the machine disturbs them all."""
    found: Results = {name: defaultdict(Spent) for name in ("raw SQL", *(server.name for server in named))}
    for turn in range(rounds):
        with ExitStack() as stack:
            sql = RawSql(stack.enter_context(bench.database.open(Role.READER)))
            clients = {server: stack.enter_context(client_of(stack.enter_context(server.start()))) for server in named}
            for server, client in clients.items():
                for box in boxes[-5:]:
                    ask(client, server.item_path(box), Spent())
                if server.tile is not None:
                    # Tiles that are not asked again, so that what is made at the first questions does not count.
                    for column in range(5):
                        ask(client, server.tile_path((18, column, 0)), Spent())
            with_tiles = {server: client for server, client in clients.items() if server.tile is not None}
            for zoom, listed in tiles.items():
                for tile in listed[turn::rounds] if len(listed) >= 10 * rounds else listed:
                    sql.tile(tile, found["raw SQL"][f"tile z{zoom}"])
                    for server, client in with_tiles.items():
                        ask(client, server.tile_path(tile), found[server.name][f"tile z{zoom}"])
            for _ in range(AGAIN if turn == 0 else 0):
                for server, client in with_tiles.items():
                    ask(client, server.tile_path(tiles[16][0]), found[server.name]["tile z16 again"])
            for box in boxes[turn::rounds]:
                sql.items(box, found["raw SQL"]["items in a box"])
                for server, client in clients.items():
                    ask(client, server.item_path(box), found[server.name]["items in a box"])
    return found


def throughput(server: Server, boxes: Sequence[Box]) -> float:
    """Features' answers a second at eight clients, with no other server awake."""

    def work(number: int) -> None:
        with client_of(address) as client:
            for box in boxes[number::8]:
                ask(client, server.item_path(box), Spent())

    with server.start() as address:
        with client_of(address) as client:
            ask(client, server.item_path(boxes[-1]), Spent())
        began = time.perf_counter()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        return len(boxes) / (time.perf_counter() - began)


def row_security(bench: Bench, tiles: dict[int, list[Tile]]) -> None:
    """Diaba's own tile as the reader and as the owner."""
    from gis.store.tiles import TileQuery, vector_tile

    spent = {Role.READER: Spent(), Role.OWNER: Spent()}
    for zoom in (14, 16, 17):
        for z, x, y in tiles[zoom]:
            for role, mine in spent.items():
                with bench.database.open(role) as connection:
                    connection.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))
                    query = TileQuery(z, x, y, ("parcels",))
                    vector_tile(connection, bench.city.crs, query)
                    began = time.perf_counter()
                    body = vector_tile(connection, bench.city.crs, query)
                    mine.add(1000 * (time.perf_counter() - began), len(body.data), len(body.data))
    with bench.database.open(Role.OWNER) as connection:
        on = connection.scalar(text("SELECT relrowsecurity FROM pg_class WHERE oid = 'diaba.parcel_version'::regclass"))
    print(f"\nrow security {'is on' if on else 'is not on in this store'}; tiles of z14, 16, 17 without HTTP")
    for role, mine in spent.items():
        print(f"{'as the ' + role.value:34} {mine.line()}")
    print(f"reader / owner: {spent[Role.READER].median / spent[Role.OWNER].median:.2f}")


def report(results: dict[str, dict[str, Spent]], rates: dict[str, float]) -> None:
    kinds = list(dict.fromkeys(kind for found in results.values() for kind in found))
    for kind in kinds:
        print(f"\n{kind}\n{HEAD}")
        for name, found in results.items():
            if kind in found:
                print(f"  {name:32} {found[kind].line()}")
        own, sql = results["diaba"].get(kind), results["raw SQL"].get(kind)
        if own is None:
            continue
        ratios = [f"diaba / raw SQL {own.median / sql.median:.2f}"] if sql else []
        ratios += [
            f"{name} / diaba {found[kind].median / own.median:.1f}"
            for name, found in results.items()
            if kind in found and name not in ("diaba", "raw SQL")
        ]
        print(f"  {'; '.join(ratios)}")
    again = results["diaba"]["tile z16 again"]
    if "tipg" in results:
        print(f"\na cached tile: tipg / diaba {results['tipg']['tile z16 again'].median / again.median:.1f}")
    print("\nfeatures in a box, eight clients at once, answers a second: ", end="")
    print(", ".join(f"{name} {rate:.0f}" for name, rate in rates.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parcels", type=int, default=500_000)
    parser.add_argument("--houses", type=int, default=150_000)
    parser.add_argument("--samples", type=int, default=200, help="tiles of a zoom level and boxes, at most")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="folder in which the city stays for the next run")
    chosen = parser.parse_args()
    with bench_city(chosen.parcels, chosen.houses, chosen.keep) as bench, TemporaryDirectory() as work:
        _peers.make_table(bench)
        tiles, boxes = tiles_of(bench, chosen.samples), boxes_of(bench, chosen.samples)
        named = servers(bench, Path(work))
        results = measure(bench, named, tiles, boxes, chosen.rounds)
        rates = {server.name: throughput(server, boxes) for server in named}
        report(results, rates)
        row_security(bench, tiles)
        print(f"\n{chosen.parcels:,} parcels, {chosen.houses:,} houses; load at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()

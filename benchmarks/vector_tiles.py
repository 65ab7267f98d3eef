"""Vector tiles of a town of lots and houses: the service beside bare ST_AsMVT through the same driver.

`python benchmarks/vector_tiles.py [--parcels 100000] [--tiles 60] [--keep FOLDER]` makes a town of lots in blocks of 50
along streets of 8 m, in wards of a square kilometre, with a house on three lots of ten, in a private cluster, and
serves it as a process of its own. For each zoom the tiles are drawn by chance, each asked for once (cold) and again
(kept). Bare: the layers the tile has, hand-written over the same stored geometry, one statement through psycopg, no
order, no limit, no HTTP; its plan is made for the tile as the service's is. Below zoom 15, where the service shows
blocks, wards and built-up areas, bare is all parcels and houses, with the time it takes; one tile of it is timed.
Times are wall clock in milliseconds, sizes kB before compression and after brotli. Layers are parcels and buildings.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from urllib.parse import urlsplit

import psycopg
from sqlalchemy import Connection, text

from gis.access.roles import Role
from gis.bounds import BoundingBox
from gis.crs import WEB_MERCATOR, horizontal, normalise, transformer
from gis.settings import City, Settings
from gis.store.cluster import Cluster
from gis.store.database import Database
from gis.store.server import dsn
from gis.tile_grid import WEB

CRS = normalise("EPSG:9210+5727")
EAST, NORTH = 596_000.0, 1_185_000.0
WIDTH, DEPTH, STREET, ROW = 4.0, 16.0, 8.0, 25
BLOCK_WIDTH, BLOCK_DEPTH = ROW * WIDTH + STREET, 2 * DEPTH + STREET
LAYERS = "parcels,blocks,wards,buildings,built_up"
STEP = 50_000

PLACES = """
SELECT i, x, y FROM (
    SELECT i, :east + (b % :across) * :block_width + (i % 25) * 4.0 AS x,
        :north + (b / :across) * :block_depth + ((i / 25) % 2) * 16.0 AS y
    FROM (SELECT i, i / 50 AS b FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) i) n
) p
"""
PARCELS = f"""
INSERT INTO diaba.parcel_version
    (uid, version, ward_code, sheet_no, parcel_no, land_use, area_legal, area_measured, address, geom, valid, recorded,
     digest)
SELECT 'p-' || lpad(i::text, 7, '0'), 1,
    '26' || lpad((floor(x / 1000)::int % 30 * 30 + floor(y / 1000)::int % 30)::text, 3, '0'),
    (floor(x / 250)::int % 100)::text, i::text, 'ODT', 64, 64, NULL,
    ST_MakeEnvelope(x, y, x + 4, y + 16, 9210), '[2009-03-01,)', tstzrange(now(), NULL), ''
FROM ({PLACES}) p
"""  # noqa: S608  constants
BUILDINGS = f"""
INSERT INTO diaba.building_version
    (uid, epoch, version, tile_key, status, footprint, height, sigma_height, ground_height, roof_height_max, area,
     sigma_area, lod, point_count, reason, source, valid, recorded, digest)
SELECT 'b-' || lpad(i::text, 7, '0'), '2025', 1, 't', 'measured', ST_MakeEnvelope(x, y, x + 4, y + 12, 9210),
    4 + i % 17, 0.05, 1.25, 6 + i % 17, 48, 0.4, '2.2', 400, 'none', 'lidar', '[2025-01-01,)',
    tstzrange(now(), NULL), ''
FROM ({PLACES}) p WHERE i % 10 IN (1, 4, 7)
"""  # noqa: S608  constants

NUMBER = "CAST(round(CAST(nullif({0}, 'NaN') AS numeric), 2) AS double precision) AS {0}"
FIELDS = {
    "parcels": ("uid", "ward_code", "sheet_no", "parcel_no", "land_use", NUMBER.format("area_legal")),
    "buildings": (
        *("uid", "lod", "reason"),
        *map(NUMBER.format, ("height", "sigma_height", "ground_height", "roof_height_max")),
    ),
}
TABLES = {"parcels": ("parcel_version", "geom_3857"), "buildings": ("building_version", "footprint_3857")}


def bare_layer(name: str, tile: str, around: str) -> str:
    table, geometry = TABLES[name]
    return (
        f"SELECT ST_AsMVT(t, '{name}', 4096, 'g') FROM (SELECT ST_AsMVTGeom({geometry}, {tile}, 4096, 64, TRUE) AS g, "  # noqa: S608
        f"{', '.join(FIELDS[name])} FROM diaba.{table} WHERE {geometry} && {around} AND upper_inf(recorded)) t"
    )


def build(database: Database, count: int) -> BoundingBox:
    """The town; how far it reaches."""
    across = max(1, round((count / 50 * BLOCK_DEPTH / BLOCK_WIDTH) ** 0.5))
    down = -(-count // 50 // across)
    reach = BoundingBox(EAST, NORTH, EAST + across * BLOCK_WIDTH, NORTH + down * BLOCK_DEPTH, horizontal(CRS))
    place = {"east": EAST, "north": NORTH, "across": across, "block_width": BLOCK_WIDTH, "block_depth": BLOCK_DEPTH}
    with database.open(Role.OWNER) as connection:
        # Lots that cannot overlap need not be checked.
        connection.execute(text("ALTER TABLE diaba.parcel_version DISABLE TRIGGER parcels_do_not_overlap"))
        for table in ("parcel_version", "building_version"):
            connection.execute(text(f"ALTER TABLE diaba.{table} DROP CONSTRAINT {table}_known_once"))
        connection.execute(text("INSERT INTO diaba.lidar_campaign (epoch) VALUES ('2025')"))
        connection.execute(
            text(
                "INSERT INTO diaba.build_tile (tile_key, epoch, extent, input_hash) "
                "VALUES ('t', '2025', ST_MakeEnvelope(0, 0, 1, 1, 9210), '')"
            )
        )
        for table, prefix in (("parcel", "p-"), ("building", "b-")):
            connection.execute(
                text(f"INSERT INTO diaba.{table} SELECT :p || lpad(i::text, 7, '0') FROM generate_series(0, :n) i"),  # noqa: S608
                {"p": prefix, "n": count},
            )
    seconds = {"rows": 0.0, "commits": 0.0}
    for first in range(0, count, STEP):
        connection = database.engine(Role.OWNER).connect()
        values = place | {"first": first, "last": min(first + STEP, count) - 1}
        began = time.perf_counter()
        for statement in (PARCELS, BUILDINGS):
            connection.execute(text(statement), values)
        seconds["rows"] += time.perf_counter() - began
        began = time.perf_counter()
        connection.commit()
        seconds["commits"] += time.perf_counter() - began
        connection.close()
    database.analyse()
    print(f"{count} parcels: {seconds['rows']:.1f} s to write; generalised in {seconds['commits']:.1f} s of commits")
    return reach


def edit_times(connection: Connection, count: int) -> list[float]:
    """Milliseconds of the generalisation a parcel's edit sets off."""
    times = []
    for _ in range(20):
        uid = f"p-{random.randrange(count):07d}"  # noqa: S311  no secret
        connection.execute(text("UPDATE diaba.parcel_version SET land_use = 'CLN' WHERE uid = :uid"), {"uid": uid})
        began = time.perf_counter()
        connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        times.append(1000 * (time.perf_counter() - began))
        connection.execute(text("SET CONSTRAINTS ALL DEFERRED"))
    connection.rollback()
    return times


@contextmanager
def served(home: Path, city: str) -> Iterator[str]:
    environment = os.environ | {"DIABA_HOME": str(home), "DIABA_CITY": city}
    program = [sys.executable, "-m", "api.cli.main", "serve", "--port", "0", "--json"]
    with subprocess.Popen(
        program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as run:
        said = ""
        assert run.stdout is not None  # noqa: S101
        for line in run.stdout:
            said += line
            if line.startswith("}"):
                break
        try:
            yield str(json.loads(said)["url"])
        finally:
            run.terminate()
            run.wait(20)


def timed(work: Callable[[], bytes]) -> tuple[float, int]:
    began = time.perf_counter()
    found = work()
    return 1000 * (time.perf_counter() - began), len(found)


def bare(session: psycopg.Connection, z: int, x: int, y: int, names: tuple[str, ...]) -> bytes:
    bounds = WEB.bounds(z, x, y)
    around = bounds.buffered(bounds.width / 64)
    edges = {f"t{i}": v for i, v in enumerate(bounds.tuple)} | {f"a{i}": v for i, v in enumerate(around.tuple)}
    tile = "ST_MakeEnvelope(%(t0)s, %(t1)s, %(t2)s, %(t3)s, 3857)"
    near = "ST_MakeEnvelope(%(a0)s, %(a1)s, %(a2)s, %(a3)s, 3857)"
    parts = " || ".join(f"({bare_layer(name, tile, near)})" for name in names)
    row = session.execute(f"SELECT {parts}".encode(), edges).fetchone()
    return bytes(row[0]) if row and row[0] else b""


def p95(values: list[float]) -> float:
    return sorted(values)[max(0, round(0.95 * len(values)) - 1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--parcels", type=int, default=100_000)
    parser.add_argument("--tiles", type=int, default=60, help="of each zoom")
    parser.add_argument("--keep", type=Path, help="a folder to build in, or that was built in before")
    options = parser.parse_args()
    home = options.keep or Path(mkdtemp(prefix="diaba-tiles-"))
    home.mkdir(exist_ok=True)
    home.chmod(0o755)
    cluster = Cluster(home)
    cluster.start()
    settings = Settings(home, None, None)
    city = City("tiles", CRS, home / "cities" / "tiles")
    try:
        is_new = not city.folder.exists()
        city.save()
        database = Database.of(city, settings, start=True)
        if is_new:
            reach = build(database, options.parcels)
            (home / "reach.json").write_text(json.dumps(reach.tuple))
        reach = BoundingBox(*json.loads((home / "reach.json").read_text()), crs=horizontal(CRS))
        with database.open(Role.OWNER) as connection:
            times = edit_times(connection, options.parcels)
            print(f"generalised after an edit of one parcel: {statistics.median(times):.1f} ms, p95 {p95(times):.1f}")
        with served(home, city.name) as url:
            compare(database, url, reach, options.tiles)
    finally:
        cluster.stop()
        shutil.rmtree(cluster.socket, ignore_errors=True)
        if options.keep is None:
            shutil.rmtree(home)


def compare(database: Database, url: str, reach: BoundingBox, count: int) -> None:
    chance = random.Random(11)  # noqa: S311  no secret
    parts = urlsplit(url)
    client = http.client.HTTPConnection(parts.hostname or "", parts.port)

    def ask(z: int, x: int, y: int, coding: str = "identity") -> bytes:
        client.request("GET", f"/tiles/{z}/{x}/{y}.mvt?layers={LAYERS}", headers={"Accept-Encoding": coding})
        return client.getresponse().read()

    to_web = transformer(CRS, WEB_MERCATOR)
    session = psycopg.connect(dsn(database.url(Role.READER)), autocommit=True)
    session.execute("SET plan_cache_mode = force_custom_plan")
    session.execute("SET jit = off")
    print(
        f"{'zoom':>4} {'tiles':>5} {'ms':>7} {'p95':>7} {'kB':>7} {'most':>7} {'br kB':>7} {'kept ms':>8} "
        f"{'bare ms':>8} {'p95':>7} {'kB':>8}  own/bare"
    )
    for z in range(10, 18):
        wanted = set()
        for _ in range(20 * count):
            place = to_web.transform(chance.uniform(reach.min_x, reach.max_x), chance.uniform(reach.min_y, reach.max_y))
            column, _, row, _ = WEB.columns_and_rows(z, BoundingBox(*place, *place, crs=WEB.crs))
            wanted.add((z, column, row))
            if len(wanted) == count:
                break
        tiles = sorted(wanted)
        # Pages from memory, statements known.
        for tile in tiles[:3]:
            bare(session, *tile, names=tuple(TABLES)) if z > 14 else None
        cold = [timed(lambda tile=tile: ask(*tile)) for tile in tiles]
        packed = [len(ask(*tile, "br")) for tile in tiles]
        kept = [timed(lambda tile=tile: ask(*tile)) for tile in tiles]
        some = tiles if z > 14 else tiles[:1]
        raw = [timed(lambda tile=tile: bare(session, *tile, names=tuple(TABLES))) for tile in some]
        own, other = statistics.median(t for t, _ in cold), statistics.median(t for t, _ in raw)
        print(
            f"{z:>4} {len(tiles):>5} {own:>7.1f} {p95([t for t, _ in cold]):>7.1f} "
            f"{statistics.mean(n for _, n in cold) / 1000:>7.1f} {max(n for _, n in cold) / 1000:>7.1f} "
            f"{statistics.mean(packed) / 1000:>7.1f} {statistics.median(t for t, _ in kept):>8.2f} "
            f"{other:>8.1f} {p95([t for t, _ in raw]):>7.1f} {statistics.mean(n for _, n in raw) / 1000:>8.1f}  "
            f"{own / other:.2f}"
        )


if __name__ == "__main__":
    main()

"""What row-level security costs a map tile, and the ways to have it: plans, pages, and times of the same tiles.

`python benchmarks/row_security.py [--parcels 120000] [--tiles 60] [--zoom 16]` fills a city of its own with lots in
square wards, each with a permit and a building, and one building of twenty with a difference. Then it asks for the same
tiles, in turn under each way, as the service does (one transaction, the service's settings, bound values):

- `nobody`: no policy on parcels, as a city that shows them to all has it;
- `naive`: a policy on parcels where `&&` is not leakproof;
- `leakproof`: the same policy where its owner says that `&&` is; this is what diaba does;
- `definer`: a function of the owner that takes the box and the wards and asks for both itself;
- `view`: a view of the owner with the wards in its condition, no barrier;
- `partitions`: parcels parted by ward, the policy on the whole, `&&` not leakproof.

Of each it prints whether the spatial index was used, pages touched, the processor's time of the server's process, and
median and 95 of 100 of the wall time through the driver. `own` is somebody of one ward in tiles of that ward, `all`
somebody who sees every ward. Then all layers of a tile and a page of features, which are what a client asks for.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp

import shapely
from sqlalchemy import Connection, text

from gis.access.openness import Parcels
from gis.access.roles import Role
from gis.access.scope import NOTHING_MORE, Scope, scope_of
from gis.bounds import BoundingBox
from gis.crs import normalise, transformer
from gis.settings import City, Settings
from gis.store import openness
from gis.store.cluster import Cluster
from gis.store.collections import COLLECTIONS
from gis.store.database import Database
from gis.store.items import ItemQuery, find_items
from gis.store.server import LEAKPROOF
from gis.store.tile_layers import GENERALISED_BELOW, LAYERS
from gis.store.tiles import TileQuery, tile_statement, tile_values, vector_tile, window_of
from gis.store.versions import driver

CRS = normalise("EPSG:9210+5727")
EAST, NORTH = 600_000.0, 1_190_000.0
WIDTH, DEPTH, STREET = 4.0, 16.0, 8.0
WARD_SIDE = 1_000.0
"""Metres; wards are squares."""

FILL = """
CREATE TABLE diaba.lot AS
SELECT i, format('p-%s', i) AS uid,
    format('w%s', floor((e - :east) / :side)::int * 1000 + floor((n - :north) / :side)::int) AS ward,
    ST_MakeEnvelope(e, n, e + :width, n + :depth, 9210) AS geom
FROM (
    SELECT i, :east + (i % :across) * :width + (i % :across) / 25 * :street AS e,
        :north + (i / :across) * :depth + (i / :across) / 2 * :street AS n
    FROM generate_series(0, :count - 1) i
) places;
INSERT INTO diaba.parcel SELECT uid FROM diaba.lot;
INSERT INTO diaba.parcel_version (uid, version, ward_code, sheet_no, parcel_no, land_use, area_legal, area_measured,
    address, geom, geom_3857, valid, recorded, digest)
SELECT uid, 1, ward, (i / 1000)::text, (i % 1000)::text, 'ODT', 64, 64, NULL, geom, ST_Transform(geom, 3857),
    '[2009-01-01,)', '[2009-01-01,)', ''
FROM diaba.lot;
INSERT INTO diaba.permit (permit_no, version, type, status, issued, parcel_uid, use, recorded, digest)
SELECT 'g-' || i, 1, 'new', 'valid', '2015-01-01', uid, 'house', '[2015-01-01,)', '' FROM diaba.lot;
INSERT INTO diaba.permit_limit (permit_no, version, geom, floors, height_m)
SELECT 'g-' || i, 1, geom, 3, 12 FROM diaba.lot;
INSERT INTO diaba.lidar_campaign VALUES ('2025', '2025-01-01', '2025-01-31');
INSERT INTO diaba.build_tile (tile_key, epoch, extent, input_hash)
SELECT 't', '2025', ST_MakeEnvelope(:east, :north, :east + 1, :north + 1, 9210), '';
INSERT INTO diaba.building SELECT 'b-' || i FROM diaba.lot;
INSERT INTO diaba.building_version (uid, epoch, version, tile_key, status, footprint, height, sigma_height,
    ground_height, roof_height_max, area, lod, point_count, reason, source, valid, recorded, digest)
SELECT 'b-' || i, '2025', 1, 't', 'measured', geom, 12.3, 0.1, 1.2, 13.5, 64, '1.2', 600, 'none', 'x', '[2025-02-01,)',
    '[2025-02-01,)', '' FROM diaba.lot;
INSERT INTO diaba.discrepancy (id, version, kind, building_uid, parcel_uid, permit_no, epoch, delta, confidence,
    recorded, digest)
SELECT 'd-' || i, 1, 'storeys', 'b-' || i, uid, 'g-' || i, '2025', 1, 0.99, '[2025-02-01,)', '' FROM diaba.lot
WHERE i % 20 = 0;
INSERT INTO diaba.admin_unit
SELECT ward, 'ward', ward, ST_Multi(ST_Envelope(ST_Collect(geom))), '[,)' FROM diaba.lot GROUP BY ward;
DROP TABLE diaba.lot
"""

DEFINER = """
CREATE FUNCTION diaba.bench_parcels(box geometry) RETURNS SETOF diaba.parcel_version
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    seen CONSTANT text[] := diaba.bench_seen();
BEGIN
    RETURN QUERY SELECT * FROM diaba.parcel_version v
    WHERE v.geom_3857 && box AND upper_inf(v.recorded) AND ('*' = ANY (seen) OR v.ward_code = ANY (seen));
END $$
"""
# In a function of the owner's, `seen_wards` would see the owner ask; this one asks for the setting alone.
SEEN = """
CREATE FUNCTION diaba.bench_seen() RETURNS text[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT string_to_array(substring(diaba.proven('diaba.scope') FROM '(?:^|;)land=([^;]*)'), ',')
$$
"""
VIEW = """
CREATE VIEW diaba.bench_view AS SELECT * FROM diaba.parcel_version v
WHERE CASE (SELECT diaba.bench_reach()) WHEN 'all' THEN true WHEN 'none' THEN false
    ELSE v.ward_code = ANY ((SELECT diaba.bench_seen())::text[]) END
"""
REACH = """
CREATE FUNCTION diaba.bench_reach() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT CASE WHEN '*' = ANY (diaba.bench_seen()) THEN 'all' ELSE 'some' END
$$
"""
PARTITIONS = """
CREATE TABLE diaba.bench_parted (LIKE diaba.parcel_version INCLUDING DEFAULTS) PARTITION BY LIST (ward_code);
DO $$ DECLARE ward text; BEGIN
    FOR ward IN SELECT DISTINCT ward_code FROM diaba.parcel_version LOOP
        EXECUTE format(
            'CREATE TABLE diaba.%I PARTITION OF diaba.bench_parted FOR VALUES IN (%L)', 'bench_' || ward, ward);
    END LOOP;
END $$;
INSERT INTO diaba.bench_parted SELECT * FROM diaba.parcel_version;
CREATE INDEX bench_parted_geom ON diaba.bench_parted USING gist (geom_3857) WHERE upper_inf(recorded);
CREATE POLICY scope ON diaba.bench_parted USING (
    CASE (SELECT diaba.reach('land')) WHEN 'all' THEN true WHEN 'none' THEN false ELSE
    ward_code = ANY ((SELECT diaba.seen_wards('land'))::text[]) END
    AND ward_code = ANY (CASE (SELECT diaba.reach('land')) WHEN 'all' THEN (SELECT array_agg(DISTINCT code) FROM
    diaba.admin_unit) ELSE (SELECT diaba.seen_wards('land'))::text[] END));
ALTER TABLE diaba.bench_parted ENABLE ROW LEVEL SECURITY
"""

Tile = tuple[int, int, int]
Ask = Callable[[Connection, Tile], int]


def fill(database: Database, count: int) -> None:
    """Lots in rows back to back with streets between, about as wide as deep."""
    across = int((count * (DEPTH + STREET / 2) / (WIDTH + STREET / 25)) ** 0.5) // 25 * 25
    values = {
        "east": EAST,
        "north": NORTH,
        "width": WIDTH,
        "depth": DEPTH,
        "street": STREET,
        "side": WARD_SIDE,
        "across": across,
        "count": count,
    }
    with database.open(Role.OWNER) as connection:
        for table in ("parcel_version", "permit", "building_version", "discrepancy"):
            connection.execute(text(f"ALTER TABLE diaba.{table} DROP CONSTRAINT {table}_known_once"))
        connection.execute(text("ALTER TABLE diaba.parcel_version DISABLE TRIGGER USER"))
    with database.open(Role.OWNER) as connection:
        for statement in FILL.split(";\n"):
            connection.execute(text(statement), values)
        session = driver(connection)
        for sql in (SEEN, DEFINER, REACH, VIEW, PARTITIONS):
            session.execute(sql)
        reader = Role.READER.login(database.name)
        session.execute(f'GRANT SELECT ON diaba.bench_view, diaba.bench_parted TO "{reader}"')
        session.execute(f'GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA diaba TO "{reader}"')
    with database.server.administrate(database.name) as session:
        session.execute("VACUUM (ANALYZE)")


@contextmanager
def under(database: Database, way: str) -> Iterator[None]:
    """The database as a way has it."""
    with database.server.administrate(database.name) as session:
        session.execute(LEAKPROOF)
        with database.open(Role.OWNER) as connection:
            openness.show(connection, Parcels.BY_WARD if way in ("naive", "leakproof") else Parcels.TO_ALL)
        if way in ("naive", "partitions"):
            session.execute("ALTER FUNCTION public.geometry_overlaps(geometry, geometry) NOT LEAKPROOF")
        yield
        session.execute(LEAKPROOF)


def sql_of(way: str) -> str:
    """The tile of parcels as a way asks for it."""
    layer = LAYERS["parcels"]
    source = {
        "definer": "diaba.bench_parcels(ST_MakeEnvelope(:web_west, :web_south, :web_east, :web_north, 3857)) v",
        "view": "diaba.bench_view v",
        "partitions": "diaba.bench_parted v",
    }.get(way, layer.source)
    return str(tile_statement(TileQuery(GENERALISED_BELOW, 0, 0), (replace(layer, source=source),)))


def window(tile: Tile, margin: float) -> BoundingBox:
    found = window_of(CRS, *tile, margin)
    if found is None:
        raise SystemExit("the tile is not in the city")
    return found


def values_of(tile: Tile) -> dict[str, object]:
    found = tile_values(CRS, TileQuery(*tile))
    if found is None:
        raise SystemExit("the tile is not in the city")
    return found


@contextmanager
def reading(database: Database, scope: Scope) -> Iterator[Connection]:
    """As the service reads."""
    from api.dependencies import READER
    from gis.store import row_scope

    with database.as_public(statement_timeout="60s", **READER).open(Role.READER) as connection:
        if told := database.signed(scope):
            row_scope.take(connection, told)
        yield connection


def plan(database: Database, scope: Scope, sql: str, values: dict[str, object]) -> tuple[bool, int]:
    """Whether the spatial index answers, and pages touched."""
    with reading(database, scope) as connection:
        found = connection.execute(text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}"), values).scalar_one()
    top, told = found[0]["Plan"], json.dumps(found)
    by_index = any(f'"Index Cond": "({opened}geom_3857 &&' in told for opened in ("", "("))
    return by_index, int(top["Shared Hit Blocks"]) + int(top["Shared Read Blocks"])


@dataclass(frozen=True, order=True)
class Times:
    """Milliseconds of one request, and what came back."""

    processor: float
    """Of the server's process: what a busy machine changes least."""
    median: float
    most: float
    """95 of 100."""
    size: int
    """Mean of the bytes or rows."""


def timed(database: Database, scope: Scope, tiles: list[Tile], ask: Ask) -> Times:
    """Of each tile, in a transaction of its own."""
    spent, used, size = [], 0.0, 0
    for tile in tiles:
        began = time.perf_counter()
        with reading(database, scope) as connection:
            process = driver(connection).info.backend_pid
            before = _used(process)
            size += ask(connection, tile)
        spent.append(1000.0 * (time.perf_counter() - began))
        used += _used(process) - before
    most = sorted(spent)[min(len(spent) - 1, int(0.95 * len(spent)))]
    return Times(used / len(tiles), statistics.median(spent), most, size // len(tiles))


def _used(process: int) -> float:
    """Milliseconds a process has had of a core; Linux tells."""
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e6


def tiles_of(zoom: int, count: int, wide: float) -> list[Tile]:
    """Tiles within the first ward, and as many anywhere, at random but the same in each run."""
    chance = random.Random(1836)  # noqa: S311  no secret
    found = []
    for _ in range(count):
        east, north = EAST + chance.uniform(0.2, 0.8) * wide, NORTH + chance.uniform(0.2, 0.8) * wide
        x, y = transformer(9210, 3857).transform(east, north)
        side = 2.0 * 20_037_508.342789244 / 2**zoom
        found.append((zoom, int((x + 20_037_508.342789244) / side), int((20_037_508.342789244 - y) / side)))
    return found


def whole_tile(connection: Connection, tile: Tile) -> int:
    return len(vector_tile(connection, CRS, TileQuery(*tile)).data)


def page(connection: Connection, tile: Tile) -> int:
    area = shapely.set_srid(shapely.box(*window(tile, 0.0).tuple), 9210)
    return len(find_items(connection, COLLECTIONS["parcels"], ItemQuery(100, area)))


def run(database: Database, tiles: int, zoom: int, side: float) -> None:
    """Each way, one after the other, then again in the other order; the better of the two counts."""
    own, everywhere = scope_of(["planning:w0"]), scope_of(["planning:*"])
    print(f"\nparcels' tiles at zoom {zoom}; times in ms\n")
    print("| way | who | index | pages | processor | median | 95 % | bytes |\n|---|---|---|---|---|---|---|---|")
    ways = ["nobody", "naive", "leakproof", "definer", "view", "partitions"]
    rows: dict[tuple[str, str], tuple[bool, int, Times]] = {}
    for way in (*ways, *reversed(ways)):
        statement = sql_of(way)

        def ask(connection: Connection, tile: Tile, statement: str = statement) -> int:
            return len(bytes(connection.execute(text(statement), values_of(tile)).one()[-2]))

        with under(database, way):
            for who, scope, wide in (("own", own, WARD_SIDE), ("all", everywhere, side)):
                chosen = tiles_of(zoom, tiles, wide)
                timed(database, scope, chosen[:3], ask)
                index, pages = plan(database, scope, statement, values_of(chosen[0]))
                found = timed(database, scope, chosen, ask)
                rows[way, who] = (index, pages, min(found, rows[way, who][2]) if (way, who) in rows else found)
    for (way, who), (index, pages, found) in rows.items():
        print(f"| {way} | {who} | {'yes' if index else 'no'} | {pages} | {_shown(found)} | {found.size} |")
    for who in ("own", "all"):
        ratio = rows["leakproof", who][2].processor / rows["nobody", who][2].processor
        print(f"\nleakproof / nobody, {who}: {ratio:.2f} of the processor", end="")
    print("\n\nall layers of a tile, and 100 features of a box with their number; times in ms\n")
    print("| what | parcels | who | processor | median | 95 % | ratio |\n|---|---|---|---|---|---|---|")
    half = scope_of([f"planning:w{column * 1000 + row}" for column in range(13) for row in range(13)])
    cases = (
        ("no policy at all", "anybody", NOTHING_MORE),
        (Parcels.TO_ALL, "public", NOTHING_MORE),
        (Parcels.TO_ALL, "planner of all wards", everywhere),
        (Parcels.BY_WARD, "planner of all wards", everywhere),
        (Parcels.BY_WARD, "planner of each ward by name", half),
    )
    chosen = tiles_of(zoom, tiles, side)
    for name, asked in (("tile", whole_tile), ("page", page)):
        best: dict[int, Times] = {}
        for number in (*range(len(cases)), *reversed(range(len(cases)))):
            shown, _, scope = cases[number]
            with database.open(Role.OWNER) as connection:
                openness.show(connection, Parcels.BY_WARD if shown == Parcels.BY_WARD else Parcels.TO_ALL)
                secured = "DISABLE" if shown == "no policy at all" else "ENABLE"
                connection.exec_driver_sql(f"ALTER TABLE diaba.discrepancy {secured} ROW LEVEL SECURITY")
            timed(database, scope, chosen[:3], asked)
            found = timed(database, scope, chosen, asked)
            best[number] = min(found, best.get(number, found))
        for number, (shown, who, _) in enumerate(cases):
            ratio = best[number].processor / best[0].processor
            print(f"| {name} | {shown} | {who} | {_shown(best[number])} | {ratio:.2f} |")


def _shown(found: Times) -> str:
    return f"{found.processor:.1f} | {found.median:.1f} | {found.most:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parcels", type=int, default=120_000)
    parser.add_argument("--tiles", type=int, default=60)
    parser.add_argument("--zoom", type=int, default=16)
    told = parser.parse_args()
    folder = Path(mkdtemp(prefix="diaba-bench-"))
    folder.chmod(0o755)
    settings = Settings(folder / "home", None, None)
    try:
        database = Database.of(City("bench", CRS, folder / "home" / "cities" / "bench"), settings, start=True)
        began = time.perf_counter()
        fill(database, told.parcels)
        side = (told.parcels * WIDTH * DEPTH * 1.3) ** 0.5
        print(f"{told.parcels} parcels, permits, buildings in {(side / WARD_SIDE) ** 2:.0f} wards; ", end="")
        print(f"filled in {time.perf_counter() - began:.0f} s")
        run(database, told.tiles, told.zoom, side)
    finally:
        cluster = Cluster(settings.home)
        cluster.stop()
        shutil.rmtree(cluster.socket, ignore_errors=True)
        if not cluster.data.is_relative_to(settings.home):
            shutil.rmtree(cluster.data.parent, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

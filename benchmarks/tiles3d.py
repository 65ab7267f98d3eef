"""The 3D city out of the store: buildings a second and bytes a building, and an edit until it is in its tile.

`python benchmarks/tiles3d.py [--buildings 150000] [--density 5000] [--repeat 3]` fills a store of its own with houses
of LoD 1.2 (one in five with a hip roof of LoD 2.2 above its block, one in three with a yard or a jutting corner) and
with permits, at so many houses a km². It then asks the service, without a network, for every tileset and every tile,
each level by itself: once cold (nothing kept; PostgreSQL's own pages are warm), once more as kept, and once more with
the ETag the client has. Encoding without the store (arrays, triangles, frame, glTF) is timed besides, and what a single
tile takes in each of its steps. Last, a building is given another height in the store, as a survey does it, and
its tile is asked for: time from the commit to the answer that shows it.
"""

from __future__ import annotations

import argparse
import gzip
import shutil
import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from math import ceil, sqrt
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from urllib.parse import urljoin

import numpy as np
import shapely
from fastapi.testclient import TestClient
from shapely import Polygon, box
from sqlalchemy import event, text

from api.main import create_app
from gis.access.roles import Role
from gis.bounds import BoundingBox
from gis.city_model.building import Building, Face, Solid, Surface
from gis.city_model.stepped import stepped_solid
from gis.city_model.tiles3d.content import tile_content
from gis.city_model.tiles3d.levels import Address
from gis.city_model.tiles3d.mesh import tile_mesh
from gis.city_model.tiles3d.properties import PUBLIC
from gis.crs import horizontal, normalise
from gis.settings import City, Settings
from gis.store import building_tiles, buildings, catalog, runs
from gis.store.cluster import Cluster
from gis.store.database import Database
from gis.store.runs import PlannedTile

EAST, NORTH = 600_064.0, 1_190_912.0
EPOCH = "2025"
BATCH = 5_000
TILE = "t"


def house(number: int, pitch: float, columns: int, random: np.random.Generator) -> Building:
    """The number-th of a grid: a lot of 4–6 m × 12–18 m, now and then with a yard, a corner cut out, or a hip roof."""
    east, north = EAST + pitch * (number % columns), NORTH + pitch * (number // columns)
    width, depth = round(random.uniform(4, 6), 2), round(random.uniform(10, 13), 2)
    outline = box(east, north, east + width, north + depth)
    kind = number % 6
    if kind == 0:
        outline = outline.difference(box(east + 1.5, north + 3, east + 2.5, north + 5))
    elif kind == 3:
        outline = outline.difference(box(east, north, east + 2, north + 3))
    ground = round(2 + 3 * np.sin(number / 1e4), 3)
    height = float(random.gamma(4, 2.2) + 3) if number % 400 else float(random.uniform(40, 130))
    block = stepped_solid([(outline, ground + round(height, 3))], ground)
    detailed = (
        hip(east, north, width, depth, ground, ground + height) if number % 5 == 1 and kind not in (0, 3) else None
    )
    return Building(
        uid=f"b-{number:06d}",
        footprint=outline,
        ground_height=ground,
        roof_height_min=ground + height,
        roof_height_50p=ground + height,
        roof_height_70p=ground + height,
        roof_height_max=ground + height,
        height=height,
        sigma_height=0.08,
        area=float(outline.area),
        sigma_area=0.5,
        lod="1.2" if detailed is None else "2.2",
        solid=block if detailed is None else detailed,
        point_count=500,
        point_density=10.0,
        no_data_fraction=0.0,
        attributes={"roof_type": "flat" if detailed is None else "sloped", "footprint_source": "known"},
        coarser={} if detailed is None else {"1.2": block},
    )


def hip(west: float, south: float, width: float, depth: float, ground: float, eaves: float) -> Solid:
    """A house with a hip roof of 45°."""
    east, north, rise = west + width, south + depth, width / 2
    corners = [
        (x, y, z) for z in (ground, eaves) for x, y in ((west, south), (east, south), (east, north), (west, north))
    ]
    middle = west + rise
    corners += [(middle, south + rise, eaves + rise), (middle, north - rise, eaves + rise)]
    walls = [Face(((i, (i + 1) % 4, (i + 1) % 4 + 4, i + 4),), Surface.WALL) for i in range(4)]
    roofs = [Face((ring,), Surface.ROOF) for ring in ((4, 5, 8), (5, 6, 9, 8), (6, 7, 9), (7, 4, 8, 9))]
    return Solid(np.array(corners).round(4), (Face(((0, 3, 2, 1),), Surface.GROUND), *walls, *roofs))


def city_of(count: int, density: float) -> tuple[Iterator[list[Building]], BoundingBox]:
    """Batches of houses, and how far they reach."""
    pitch, columns = 1000.0 / sqrt(density), ceil(sqrt(count))
    random = np.random.default_rng(0)
    side = pitch * columns
    bounds = BoundingBox(EAST, NORTH, EAST + side, NORTH + side, horizontal(normalise("EPSG:9210")))

    def batches() -> Iterator[list[Building]]:
        for start in range(0, count, BATCH):
            yield [house(n, pitch, columns, random) for n in range(start, min(start + BATCH, count))]

    return batches(), bounds


def fill(database: Database, count: int, density: float) -> None:
    batches, bounds = city_of(count, density)
    began = time.perf_counter()
    with database.open(Role.WRITER) as connection:
        catalog.save_campaign(connection, EPOCH, date(2025, 2, 1), date(2025, 2, 20))
        runs.plan(connection, EPOCH, [PlannedTile(f"{TILE}{n}", bounds, "x") for n in range(ceil(count / BATCH))])
    for number, houses in enumerate(batches):
        with database.open(Role.WRITER) as connection:
            buildings.save(connection, f"{TILE}{number}", EPOCH, houses)
    with database.open(Role.OWNER) as connection:
        connection.execute(text("INSERT INTO diaba.parcel SELECT 'p-' || uid FROM diaba.building"))
        connection.execute(
            text(
                "INSERT INTO diaba.permit (permit_no, version, type, status, issued, parcel_uid, recorded, digest) "
                "SELECT 'GPXD-' || uid, 1, 'new', 'valid', '2015-01-01', 'p-' || uid, tstzrange(now(), NULL), '' "
                "FROM diaba.building"
            )
        )
        connection.execute(
            text(
                "INSERT INTO diaba.permit_limit (permit_no, version, geom) "
                "SELECT 'GPXD-' || uid, 1, footprint FROM diaba.building_version"
            )
        )
    database.analyse()
    print(f"{count:,} buildings with permits stored in {time.perf_counter() - began:.0f} s")


def crawl(client: TestClient, url: str = "/3dtiles/tileset.json") -> tuple[list[str], list[str]]:
    """Addresses of tilesets and of tiles."""
    sets, tiles = [url], []
    todo = [client.get(url).json()["root"]]
    while todo:
        tile = todo.pop()
        todo.extend(tile.get("children", []))
        if "content" in tile:
            at = urljoin(url, tile["content"]["uri"])
            if at.endswith(".json"):
                inner = crawl(client, at)
                sets += inner[0]
                tiles += inner[1]
            else:
                tiles.append(at)
    return sets, tiles


def asked(client: TestClient, urls: list[str], headers: dict[str, str] | None = None) -> tuple[list[float], list[Any]]:
    """Seconds and answers."""
    seconds, answers = [], []
    for url in urls:
        began = time.perf_counter()
        answers.append(client.get(url, headers=headers))
        seconds.append(time.perf_counter() - began)
    return seconds, answers


def line(name: str, seconds: list[float], more: str = "") -> None:
    ordered = sorted(seconds)
    p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    print(
        f"{name:<34} {len(seconds):>6}  median {1000 * statistics.median(seconds):8.1f} ms  p95 {1000 * p95:8.1f} ms  "
        f"all {sum(seconds):7.2f} s  {more}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--buildings", type=int, default=150_000)
    parser.add_argument("--density", type=float, default=5_000.0, help="buildings a km²")
    parser.add_argument("--repeat", type=int, default=3, help="edits that are waited for")
    options = parser.parse_args()
    folder = Path(mkdtemp(prefix="diaba-bench-"))
    folder.chmod(0o755)
    settings = Settings(folder / "home", None, None)
    city = City("bench", normalise("EPSG:9210+5727"), settings.home / "cities" / "bench")
    city.save()
    database = Database.of(city, settings, start=True)
    try:
        fill(database, options.buildings, options.density)
        with TestClient(create_app(settings, city)) as client:
            measure(client)
            encoding(database, city)
            edits(client, database, options)
    finally:
        Cluster(settings.home).stop()
        shutil.rmtree(folder, ignore_errors=True)


def measure(client: TestClient) -> None:
    # Compiled code is loaded, and connections are opened, before it counts.
    client.get("/3dtiles/4/2344/4652.glb")
    began = time.perf_counter()
    sets, tiles = crawl(client)
    print(f"crawled {len(sets)} tilesets, {len(tiles)} tiles in {time.perf_counter() - began:.2f} s")
    client.app.state.tiles3d.clear()  # type: ignore[attr-defined]
    seconds, answers = asked(client, sets)
    line("tilesets, cold", seconds, f"{max(len(one.content) for one in answers):,} bytes the largest")
    for level in range(5):
        urls = [url for url in tiles if url.split("/")[2] == str(level)]
        if not urls:
            continue
        seconds, answers = asked(client, urls)
        raw, packed = (sum(f(one.content) for one in answers) for f in (len, lambda b: len(gzip.compress(b, 5))))
        held = sum(_features(one.content) for one in answers)
        line(
            f"level {level}, {Address(level, 0, 0).side:.0f} m, cold",
            seconds,
            f"{held:,} buildings, {held / sum(seconds):,.0f}/s, {raw / max(held, 1):.0f} bytes each, "
            f"{packed / max(held, 1):.0f} gzipped; largest {max(len(one.content) for one in answers):,}",
        )
        tags = [one.headers["etag"] for one in answers]
        line(f"level {level}, kept", asked(client, urls)[0])
        again = [asked(client, [url], {"If-None-Match": tag})[0][0] for url, tag in zip(urls, tags, strict=True)]
        line(f"level {level}, not modified", again)


def encoding(database: Database, city: City) -> None:
    """The steps of the fullest tile of level 3."""
    with database.open(Role.READER) as connection:
        middle = connection.execute(
            text("SELECT avg(ST_XMin(footprint)), avg(ST_YMin(footprint)) FROM diaba.building_version")
        ).one()
        address = Address(3, int(middle[0] // 512), int(middle[1] // 512))
        steps: dict[str, list[float]] = {}
        for _ in range(5):
            began = time.perf_counter()
            rows = building_tiles.tile_rows(connection, city.crs, address, differences="none", most=20_000)
            found = time.perf_counter()
            solids, letters = building_tiles.tile_models(connection, rows, is_detailed=False)
            fetched = time.perf_counter()
            mesh = tile_mesh(solids, letters, city.crs)
            meshed = time.perf_counter()
            raw = tile_content(mesh, [row.properties for row in rows], PUBLIC)
            written = time.perf_counter()
            for name, seconds in (
                ("rows", found - began),
                ("models", fetched - found),
                ("mesh", meshed - fetched),
                ("glTF", written - meshed),
                ("encoding alone", written - fetched),
            ):
                steps.setdefault(name, []).append(seconds)
        print(f"one tile of 512 m: {len(rows):,} buildings, {len(raw):,} bytes")
        for name, took in steps.items():
            best = min(took)
            print(f"  {name:<16} {1000 * best:7.1f} ms  {len(rows) / best:10,.0f} buildings/s")

        plans: list[str] = []

        def explain(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
            if not statement.startswith("EXPLAIN"):
                with conn.connection.cursor() as other:
                    other.execute("EXPLAIN (ANALYZE, BUFFERS) " + statement, parameters)
                    plans.extend(row[0] for row in other.fetchall())

        event.listen(connection, "before_cursor_execute", explain)
        building_tiles.tile_rows(connection, city.crs, address, differences="all", most=20_000)
        print("\n".join(f"    {one}" for one in plans))


def edits(client: TestClient, database: Database, options: argparse.Namespace) -> None:
    """A building gets another height; its tile shows it."""
    pitch, columns = 1000.0 / sqrt(options.density), ceil(sqrt(options.buildings))
    took = []
    with database.open(Role.READER) as connection:
        held = connection.scalars(
            text("SELECT uid FROM diaba.building_version WHERE tile_key = :key ORDER BY uid"), {"key": f"{TILE}0"}
        ).all()
    random = np.random.default_rng(0)
    houses = [house(n, pitch, columns, random) for n in range(len(held))]
    for turn in range(options.repeat):
        number = 7 + turn
        old = houses[number]
        outline: Polygon = old.footprint
        houses[number] = raised(old, 1.0 + turn)
        west, south, east, north = shapely.bounds(outline).tolist()
        x, y = int((west + east) / 2 // 256), int((south + north) / 2 // 256)
        before = client.get(f"/3dtiles/4/{x}/{y}.glb").headers["etag"]
        with database.open(Role.WRITER) as connection:
            buildings.save(connection, f"{TILE}0", EPOCH, houses)
        began = time.perf_counter()
        after = client.get(f"/3dtiles/4/{x}/{y}.glb", headers={"If-None-Match": before})
        took.append(time.perf_counter() - began)
        if after.status_code != 200:
            raise SystemExit("the edit is not in its tile")
    line("from commit to the tile that has it", took)


def raised(one: Building, by: float) -> Building:
    def up(solid: Solid) -> Solid:
        vertices = solid.vertices.copy()
        vertices[vertices[:, 2] > one.ground_height + 0.1, 2] += by
        return Solid(vertices, solid.faces)

    solid = None if one.solid is None else up(one.solid)
    return replace(one, height=one.height + by, solid=solid, coarser={lod: up(s) for lod, s in one.coarser.items()})


def _features(raw: bytes) -> int:
    at = raw.find(b'"featureCount":')
    return int(raw[at + 15 : at + 30].split(b",")[0]) if at > 0 else 0


if __name__ == "__main__":
    main()

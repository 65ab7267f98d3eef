"""Pages of features: what a box, a filter and a sort cost through the service, beside the statement alone.

`python benchmarks/features.py [--parcels 500000] [--repeat 300]` makes a town of lots whose keys are in no order of
place, as in a register that grew, and asks for boxes of a hundred metres here and there. Milliseconds: the median, and
95 of 100. `statement` is the SQL of the page through the same driver; `walking the keys` is the statement a planner
makes of `ORDER BY key LIMIT` with a box; `store` is the page from the store; `service` is the whole answer without a
network. Each query is made once before it counts.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import shapely
from fastapi.testclient import TestClient
from sqlalchemy import Connection, text

from api.main import create_app
from gis.access.roles import Role
from gis.crs import normalise
from gis.settings import City, Settings
from gis.store.cluster import Cluster
from gis.store.collections import COLLECTIONS
from gis.store.database import Database
from gis.store.items import Form, ItemQuery, find_page, statement

EAST, NORTH = 600_000.0, 1_190_000.0
BOX = 100.0
"""m; about 120 lots."""
FILL = text(
    "WITH lot AS (SELECT n, 'p-' || lpad((CAST(n AS bigint) * 7919 % :prime)::text, 7, '0') AS uid, "
    "ST_MakeEnvelope(:east + 5 * (n % :across), :north + 18 * (n / :across), :east + 5 * (n % :across) + 5, "
    ":north + 18 * (n / :across) + 16, 9210) AS geom FROM generate_series(0, :count - 1) AS n), "
    "named AS (INSERT INTO diaba.parcel SELECT uid FROM lot) "
    "INSERT INTO diaba.parcel_version (uid, version, ward_code, sheet_no, parcel_no, land_use, area_legal, "
    "area_measured, address, geom, valid, recorded, digest) "
    "SELECT uid, 1, (26700 + n / 5000)::text, (n / 300 % 60)::text, (n % 300)::text, "
    "CASE n % 10 WHEN 0 THEN 'CLN' ELSE 'ODT' END, 80, 80, n || ' Đường Nguyễn Trãi', geom, "
    "daterange('2009-03-01', NULL), tstzrange(now(), NULL), '' FROM lot"
)
PRIME = 9_999_991


def fill(connection: Connection, count: int) -> float:
    """Lots in rows, their keys in no order of place; gives the width of the town in metres."""
    across = int((count * 18 / 5) ** 0.5)
    values = {"east": EAST, "north": NORTH, "across": across, "count": count, "prime": PRIME}
    connection.execute(FILL, values)
    return 5.0 * across


def told(name: str, seconds: list[float]) -> None:
    ordered = sorted(1000 * one for one in seconds)
    print(f"{name:36} {statistics.median(ordered):8.2f} {ordered[int(0.95 * (len(ordered) - 1))]:8.2f}")


def timed(work: Callable[[Any], object], cases: list[Any]) -> list[float]:
    work(cases[0])
    found = []
    for case in cases:
        began = time.perf_counter()
        work(case)
        found.append(time.perf_counter() - began)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parcels", type=int, default=500_000)
    parser.add_argument("--repeat", type=int, default=300)
    told_ = parser.parse_args()
    folder = Path(mkdtemp(prefix="diaba-features-"))
    folder.chmod(0o755)
    settings = Settings(folder / "home", None, None)
    city = City("bench", normalise("EPSG:9210+5727"), settings.home / "cities" / "bench")
    cluster = Cluster(settings.home)
    try:
        cluster.start()
        measure(Database.of(city, settings, start=True), settings, told_.parcels, told_.repeat)
    finally:
        cluster.stop()
        shutil.rmtree(cluster.socket, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def measure(database: Database, settings: Settings, count: int, repeat: int) -> None:
    with database.open(Role.OWNER) as connection:
        width = fill(connection, count)
    database.analyse()
    chance = random.Random(1836)  # noqa: S311  no secret
    corners = [(EAST + chance.random() * (width - BOX), NORTH + chance.random() * (width - BOX)) for _ in range(repeat)]
    parcels, form = COLLECTIONS["parcels"], Form(4326, 8)
    queries = [ItemQuery(100, area=shapely.set_srid(shapely.box(x, y, x + BOX, y + BOX), 9210)) for x, y in corners]
    service = create_app(settings, database.city).state.service
    print(f"{count} parcels\n{'':36} {'median':>8} {'95 %':>8}")

    def alone(query: ItemQuery, *, collected: bool) -> None:
        sql, values = statement(parcels, query, form, collected=collected)
        connection.execute(text(sql), values).all()

    def stored(query: ItemQuery) -> None:
        with service.reading() as reading:
            find_page(reading, parcels, query, form)

    with service.reading() as connection:
        told("statement", timed(lambda query: alone(query, collected=True), queries))
        told("walking the keys", timed(lambda query: alone(query, collected=False), queries[: repeat // 10 or 1]))
    told("store", timed(stored, queries))
    with TestClient(create_app(settings, database.city), headers={"Accept-Encoding": "identity"}) as client:

        def asked(parameters: dict[str, Any]) -> None:
            answer = client.get("/collections/parcels/items", params={"bbox-crs": "EPSG:9210", **parameters})
            if answer.status_code != 200:
                raise SystemExit(answer.text)

        told("nothing (health/live)", timed(lambda _: client.get("/health/live"), corners))
        boxes = [{"bbox": f"{x},{y},{x + BOX},{y + BOX}", "limit": 100} for x, y in corners]
        told("service, box", timed(asked, boxes))
        told("service, box and filter", timed(asked, [{**one, "filter": "land_use = 'CLN'"} for one in boxes]))
        told("service, box, sorted", timed(asked, [{**one, "sortby": "-parcel_no"} for one in boxes]))
        told("service, first page of all", timed(asked, [{"limit": 100}] * min(repeat, 50)))
        told("service, whole town filtered", timed(asked, [{"filter": "land_use = 'CLN'"}] * min(repeat, 20)))


if __name__ == "__main__":
    main()

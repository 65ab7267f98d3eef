"""The register of parcels at the size of a district: import, search by number, address, place, and a window in time.

`python benchmarks/registers.py [--parcels 100000] [--repeat 400]` makes a town of lots along streets with Vietnamese
names as a GeoPackage and imports it twice: first as it was in 2009, then with another use and number since 2020, which
keeps the old numbers. Of each parcel the register then has three versions: the first is closed, two hold for their own
time. Imports are beside a bare COPY of the very same rows into a table with the same indexes and without any, and
beside `ogr2ogr` where it is installed. Searches are those of `diaba parcels find` and of the API, each timed from the
call to the parcels in Python; medians, 95 of 100 and plans are printed. Pages of the database come from memory: every
query is made once before it counts. The last column is the median of the server's own planning and execution; the rest
is sending, decoding and, on a busy machine, waiting for a core.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import statistics
import subprocess
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import shapely
from shapely import Polygon
from sqlalchemy import Connection, event, text

from gis.access.roles import Role
from gis.bounds import BoundingBox
from gis.crs import normalise
from gis.land.exchange import files
from gis.land.exchange.record import ParcelRecord, Reading
from gis.settings import City, Settings
from gis.store import parcel_staging, parcels
from gis.store.cluster import Cluster
from gis.store.database import Database
from gis.store.geometry import touches
from gis.store.parcel_search import When, find_at, find_by_address, find_by_number
from gis.store.schema import parcel_version
from gis.store.versions import at

CRS = normalise(9210)
EAST, NORTH = 600_000.0, 1_190_000.0
ROW, BLOCK = 25, 50
"""Lots along a street, and in a block of two rows back to back."""
WIDTH, DEPTH, STREET = 4.0, 16.0, 8.0
FAMILIES = (
    "Nguyễn",
    "Trần",
    "Lê",
    "Phạm",
    "Huỳnh",
    "Phan",
    "Vũ",
    "Võ",
    "Đặng",
    "Bùi",
    "Đỗ",
    "Hồ",
    "Ngô",
    "Dương",
    "Lý",
)
MIDDLES = ("Thị", "Văn", "Hữu", "Đức", "Quốc", "Minh", "Công", "Đình", "Xuân", "Ngọc", "Bá", "Thế")
GIVEN = ("Trãi", "Lợi", "Đạo", "Khai", "Thọ", "Sỹ", "Cừ", "Phụng", "Huệ", "Tuấn", "Định", "Hưởng", "Đồng", "Ẩn", "Ước")
FIRST, LATER, BETWEEN = date(2009, 3, 1), date(2020, 1, 1), date(2015, 6, 1)


def town(count: int) -> list[ParcelRecord]:
    """Lots in blocks, each block with a street of its own name on both sides, all turned a little to the north."""
    chance = random.Random(1836)  # noqa: S311  no secret
    streets = [f"{a} {b} {c}" for a in FAMILIES for b in MIDDLES for c in GIVEN]
    chance.shuffle(streets)
    across = int((count / BLOCK * (2 * DEPTH + STREET) / (ROW * WIDTH + STREET)) ** 0.5) + 1
    found: list[ParcelRecord] = []
    for number in range(count):
        block, place = divmod(number, BLOCK)
        column, line = block % across, block // across
        west = EAST + column * (ROW * WIDTH + STREET) + (place % ROW) * WIDTH
        south = NORTH + line * (2 * DEPTH + STREET) + (place // ROW) * DEPTH
        corners = [(west, south), (west + WIDTH, south), (west + WIDTH, south + DEPTH), (west, south + DEPTH)]
        street = streets[block % len(streets)]
        alley = f"{chance.randrange(2, 400)}/" if chance.random() < 0.3 else ""
        found.append(
            ParcelRecord(
                "town",
                Polygon(corners),
                uid=f"p-{number:06d}",
                ward_code=str(26700 + 3 * (block // 100)),
                sheet_no=str(1 + block // 6 % 60),
                parcel_no=str(1 + number % (6 * BLOCK)),
                land_use="ODT",
                address=f"{alley}{place + 1} Đường {street}, Phường {1 + block // 100}",
                area_legal=WIDTH * DEPTH,
                valid_from=FIRST,
            )
        )
    turned = rotated([record.shape for record in found])
    return [replace(record, shape=shape) for record, shape in zip(found, turned, strict=True)]


def rotated(shapes: Sequence[Any]) -> list[Any]:
    """The town 11° off the grid, in whole millimetres: rectangles of neighbours overlap as they do in a real town."""
    angle = np.radians(11.0)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    origin = np.array([EAST, NORTH])
    return list(
        shapely.transform(np.array(shapes, dtype=object), lambda xy: np.round((xy - origin) @ turn + origin, 3))
    )


def renumbered(records: Sequence[ParcelRecord]) -> list[ParcelRecord]:
    """The same land since 2020 with new numbers, the old ones kept."""
    return [
        replace(
            record,
            sheet_no=str(100 + int(str(record.sheet_no))),
            old_sheet_no=record.sheet_no,
            old_parcel_no=record.parcel_no,
            valid_from=LATER,
        )
        for record in records
    ]


def imported(database: Database, path: Path) -> dict[str, float]:
    """Seconds of each part of an import: until all blocks are checked and kept, and the writing."""
    began = time.perf_counter()
    incoming = files.read(path, Reading())
    marks = [began, time.perf_counter()]

    def mark(total: int) -> None:
        marks.append(time.perf_counter())

    done = parcel_staging.run(database, [path], Reading(), lambda: [incoming], valid_from=FIRST, advance=mark)
    if done.report.problems:
        raise SystemExit(f"{done.report.problems[0].record}: {done.report.problems[0].en}")
    seconds = {"read": marks[1] - marks[0], "check and keep": marks[-2] - marks[1], "write": marks[-1] - marks[-2]}
    return seconds | {"all": marks[-1] - began}


def copied(database: Database, count: int, indexed: bool) -> float:
    """Seconds of a COPY of the register's first rows into a table of the same columns."""
    with database.open(Role.OWNER) as connection:
        session = connection.connection.driver_connection
        if session is None:
            raise SystemExit("no session")
        names = ", ".join(column.name for column in parcel_version.columns if column.computed is None)
        rows = f"(SELECT {names} FROM diaba.parcel_version ORDER BY recorded, uid, version LIMIT {count})"  # noqa: S608
        with session.cursor() as cursor, cursor.copy(f"COPY {rows} TO STDOUT") as out:
            data = b"".join(bytes(part) for part in out)
        including = "INCLUDING ALL" if indexed else ""
        cursor = session.cursor()
        cursor.execute(f"CREATE TABLE diaba.bench_copy (LIKE diaba.parcel_version {including})")
        if indexed:
            cursor.execute(
                "ALTER TABLE diaba.bench_copy ADD EXCLUDE USING gist (uid WITH =, valid WITH &&, recorded WITH &&)"
            )
        began = time.perf_counter()
        with cursor.copy(f"COPY diaba.bench_copy ({names}) FROM STDIN") as sink:
            sink.write(data)
        seconds = time.perf_counter() - began
        connection.rollback()
    return seconds


def by_ogr(database: Database, path: Path) -> float | None:
    """Seconds of ogr2ogr with COPY into a table with a spatial index; None where it is not installed."""
    if shutil.which("ogr2ogr") is None:
        return None
    url = database.url(Role.OWNER)
    socket = url.query.get("host", url.host)
    target = f"PG:dbname={url.database} user={url.username} password={url.password} host={socket}"
    if url.port:
        target += f" port={url.port}"
    began = time.perf_counter()
    options = ["-lco", "SCHEMA=diaba", "-nln", "bench_ogr", "--config", "PG_USE_COPY", "YES"]
    subprocess.run(["ogr2ogr", "-f", "PostgreSQL", target, str(path), *options], check=True)
    return time.perf_counter() - began


def timed(
    connection: Connection, title: str, limit_ms: float, calls: Sequence[Callable[[], Any]], least: int = 1
) -> None:
    """Median and 95 of 100 of calls, each of which must find something; and the server's own time for some of them."""
    for call in calls:
        if len(call()) < least:
            raise SystemExit(f"{title}: found too little")
    spent = []
    for call in calls:
        began = time.perf_counter()
        call()
        spent.append(1000 * (time.perf_counter() - began))
    spent.sort()
    most = spent[min(len(spent) - 1, int(0.95 * len(spent)))]
    wanted = f"{limit_ms:8.0f}" if limit_ms else "        "
    server = [sum(map(float, re.findall(r" Time: ([0-9.]+) ms", plan_of(connection, call)))) for call in calls[:40]]
    print(
        f"{title:52} {len(calls):6} {statistics.median(spent):9.2f} {most:9.2f} {wanted} "
        f"{statistics.median(server):10.2f}",
        flush=True,
    )


def plan_of(connection: Connection, call: Callable[[], Any]) -> str:
    """The plan, with its times, of the last statement a call makes."""
    seen: list[tuple[str, Any]] = []

    def note(conn: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    call()
    event.remove(connection, "before_cursor_execute", note)
    statement, parameters = seen[-1]
    rows = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) {statement}", parameters).scalars()
    return "\n".join(f"    {row[:170]}" for row in rows)


def plain(address: str) -> str:
    letters = unicodedata.normalize("NFD", address.lower()).replace("đ", "d")
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def searches(database: Database, records: Sequence[ParcelRecord], repeat: int) -> None:
    chance = random.Random(1945)  # noqa: S311
    chosen = [chance.choice(records) for _ in range(repeat)]
    side = (1000 * (ROW * WIDTH + STREET) * (2 * DEPTH + STREET) / BLOCK) ** 0.5
    with database.open(Role.READER) as connection:
        # As the service and the command set their sessions.
        connection.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))
        connection.execute(text("SET LOCAL jit = off"))

        def number(r: ParcelRecord) -> Callable[[], Any]:
            return lambda: find_by_number(connection, str(100 + int(str(r.sheet_no))), str(r.parcel_no)).parcels

        def old(r: ParcelRecord) -> Callable[[], Any]:
            return lambda: find_by_number(connection, str(r.sheet_no), str(r.parcel_no)).parcels

        def earlier(r: ParcelRecord) -> Callable[[], Any]:
            return lambda: find_by_number(connection, str(r.sheet_no), str(r.parcel_no), When(BETWEEN)).parcels

        def address(words: str, when: When | None = None) -> Callable[[], Any]:
            return lambda: find_by_address(connection, words, when).parcels

        def place(r: ParcelRecord) -> Callable[[], Any]:
            point = r.shape.representative_point()
            return lambda: find_at(connection, point.x, point.y).parcels

        def bounds(r: ParcelRecord) -> BoundingBox:
            x, y = r.shape.centroid.coords[0]
            return BoundingBox(x - side / 2, y - side / 2, x + side / 2, y + side / 2, CRS)

        def window(box: BoundingBox) -> Callable[[], Any]:
            condition = at(parcel_version, BETWEEN) & touches(parcel_version.c.geom, box, connection)
            asked = parcel_version.select().with_only_columns(
                parcel_version.c.uid,
                parcel_version.c.sheet_no,
                parcel_version.c.parcel_no,
                parcel_version.c.land_use,
                parcel_version.c.address,
                text("ST_AsBinary(geom)"),
            )
            return lambda: connection.execute(asked.where(condition)).all()

        def frame(box: BoundingBox) -> Callable[[], Any]:
            return lambda: parcels.current(connection, BETWEEN, bounds=box)

        # In the middle of the town, where the window is full.
        low, high = len(records) // 4, 3 * len(records) // 4
        boxes = [bounds(records[chance.randrange(low, high)]) for _ in range(max(20, repeat // 8))]
        full = [box for box in boxes if len(window(box)()) > 800] or boxes
        sizes = [len(window(box)()) for box in full]
        house = [plain(str(r.address).split(",")[0]) for r in chosen]
        street = [plain(str(r.address).split("Đường ")[1].split(",")[0]) for r in chosen]
        print(f"{'search':52} {'calls':>6} {'median ms':>9} {'p95 ms':>9} {'wanted':>8} {'server ms':>10}")
        timed(connection, "number, today", 5, [number(r) for r in chosen])
        timed(connection, "old number, today", 5, [old(r) for r in chosen])
        timed(connection, "number, in 2015", 5, [earlier(r) for r in chosen])
        timed(connection, "address without accents: house and street", 30, [address(words) for words in house])
        timed(connection, "the same, in 2015", 30, [address(words, When(BETWEEN)) for words in house])
        timed(connection, "address with accents", 30, [address(str(r.address).split(",")[0]) for r in chosen])
        timed(connection, "street alone, the first 20 of 50 and more", 30, [address(words) for words in street])
        timed(connection, "a word that half of all have (duong), the first 20", 0, [address("duong")] * 5)
        timed(connection, "a street with a slip at its start", 0, [address(f"x{words}") for words in street[:40]])
        timed(connection, "place", 5, [place(r) for r in chosen])
        timed(connection, f"window in 2015, {min(sizes)}–{max(sizes)} parcels", 50, [window(box) for box in full])
        timed(connection, "the same as a GeoDataFrame", 0, [frame(box) for box in full])
        shown = (
            ("number, today", number(chosen[0])),
            ("address without accents", address(house[0])),
            ("place", place(chosen[0])),
            ("window in 2015", window(full[0])),
        )
        for title, call in shown:
            print(f"\n{title}:\n{plan_of(connection, call)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parcels", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=400, help="searches of each kind")
    chosen = parser.parse_args()
    folder = Path(mkdtemp(prefix="diaba-bench-"))
    folder.chmod(0o755)
    settings = Settings(folder / "home", None, None)
    cluster = Cluster(settings.home)
    cluster.start()
    try:
        database = Database.of(City("bench", normalise("EPSG:9210+5727"), folder / "city"), settings, start=True)
        records = town(chosen.parcels)
        for name, given in (("first", records), ("later", renumbered(records))):
            files.write(folder / f"{name}.gpkg", given, CRS)
        count = len(records)
        print(f"on {os.cpu_count()} cores with a load of {os.getloadavg()[0]:.1f} from others and this", flush=True)
        print(f"{'import of ' + format(count, ',') + ' parcels':44} {'s':>8} {'rows/s':>10} {'× COPY':>8}")
        spent = {name: imported(database, folder / f"{name}.gpkg") for name in ("first", "later")}
        bare, indexed = copied(database, count, indexed=False), copied(database, count, indexed=True)
        ogr = by_ogr(database, folder / "first.gpkg")
        for title, name in (("new", "first"), ("changed, two versions each", "later")):
            for part, seconds in spent[name].items():
                print(f"{title + ': ' + part:44} {seconds:8.2f} {count / seconds:10,.0f} {seconds / indexed:8.1f}")
        print(f"{'COPY of the same rows, same indexes':44} {indexed:8.2f} {count / indexed:10,.0f} {1:8.1f}")
        print(f"{'COPY of the same rows, no index':44} {bare:8.2f} {count / bare:10,.0f} {bare / indexed:8.1f}")
        if ogr is None:
            print("ogr2ogr is not installed here")
        else:
            print(f"{'ogr2ogr, spatial index alone':44} {ogr:8.2f} {count / ogr:10,.0f} {ogr / indexed:8.1f}")
        again = imported(database, folder / "later.gpkg")
        print(f"{'the same file again, nothing changes: all':44} {again['all']:8.2f} {count / again['all']:10,.0f}")
        database.analyse()
        with database.open(Role.OWNER) as connection:
            versions = connection.scalar(text("SELECT count(*) FROM diaba.parcel_version"))
            sizes = connection.execute(
                text(
                    "SELECT indexrelname, pg_size_pretty(pg_relation_size(indexrelid)) FROM pg_stat_user_indexes "
                    "WHERE relname = 'parcel_version' ORDER BY 1"
                )
            ).all()
        print(f"\n{versions:,} versions; indexes: {', '.join(f'{name} {size}' for name, size in sizes)}\n")
        searches(database, records, chosen.repeat)
        print(f"\nload at the end: {os.getloadavg()[0]:.1f}")
    finally:
        cluster.stop()
        shutil.rmtree(cluster.socket, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

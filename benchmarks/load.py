"""Ten minutes of mixed reads with edits going on, and the store killed in the middle.

`python benchmarks/load.py [--seconds 600] [--clients 16] [--parcels 50000] [--houses 15000] [--edits 2] [--kill-at 300]
[--down 5] [--keep FOLDER]` makes a synthetic city in a private store, starts `diaba serve` (one process) and asks it
from as many clients as told, each the next as soon as it has an answer: pages of features in a box, single features,
vector tiles of zoom levels 14 to 17, pictures and values of terrain, buildings with their models, parcels at a place.
Meanwhile roads are added to the register. At `--kill-at` PostgreSQL gets SIGKILL and is started again after `--down`
seconds. It prints, of each kind: answers, errors, median, 95 and 99 of 100 in ms; the memory of the service over time;
how long after the store was back the last 503 came; and whether each edit that was acknowledged is there. It ends with
1 if there was an error besides the 503s of the killed store, or an edit is lost.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import httpx
import numpy as np
from _city import Bench, Service, bench_city, diaba, tile_of
from registers import CRS, EAST, NORTH
from shapely import LineString
from sqlalchemy import text

from gis.access.roles import Role
from gis.crs import srid
from gis.errors import DiabaError
from gis.store import roads
from gis.store.cluster import Cluster
from gis.store.geometry import encode
from gis.store.postmaster import Postmaster
from gis.store.versions import since

SETTLED = 10.0
"""Seconds after the store is back in which a 503 is no error."""


@dataclass
class Seen:
    """What clients and the writer saw."""

    end: threading.Event = field(default_factory=threading.Event)
    answers: list[tuple[float, str, int, float]] = field(default_factory=list)
    """When, what, status (0: no answer), milliseconds."""
    acknowledged: list[str] = field(default_factory=list)
    refused_edits: int = 0
    memory: list[tuple[float, float]] = field(default_factory=list)
    killed: float = float("inf")
    up: float = float("inf")


def paths(bench: Bench, chance: random.Random) -> tuple[str, str]:
    """A kind of question, and one of it."""
    longitude, latitude = place = chance.choice(bench.places)
    kind = chance.choices(("items", "tile", "item", "raster", "value", "model", "search"), (20, 45, 8, 10, 5, 8, 4))[0]
    house = chance.choice(bench.houses)
    if kind == "items":
        layer = chance.choice(("parcels", "buildings"))
        box = f"{longitude},{latitude},{longitude + 0.001},{latitude + 0.001}"
        return kind, f"/collections/{layer}/items?bbox={box}&limit=100"
    if kind == "tile":
        zoom = chance.choices((14, 15, 16, 17), (1, 2, 6, 6))[0]
        z, x, y = tile_of(place, zoom)
        return f"tile z{zoom}", f"/tiles/{z}/{x}/{y}.mvt"
    if kind == "raster":
        z, x, y = tile_of(place, 16)
        return kind, f"/raster/dtm/{z}/{x}/{y}.png"
    return kind, {
        "item": f"/collections/buildings/items/{house}",
        "value": f"/raster/dtm/value?x={longitude}&y={latitude}",
        "model": f"/buildings/{house}/cityjson",
        "search": f"/parcels/search?at={longitude},{latitude}",
    }[kind]


def read(bench: Bench, url: str, seen: Seen, number: int) -> None:
    chance = random.Random(number)  # noqa: S311
    with httpx.Client(base_url=url, timeout=60, headers={"Accept-Encoding": "gzip"}) as client:
        while not seen.end.is_set():
            kind, path = paths(bench, chance)
            began = time.monotonic()
            try:
                status = client.get(path).status_code
            except httpx.HTTPError:
                status = 0
            # Of the terrain there is not everywhere some.
            status = 200 if kind == "value" and status == 404 else status
            seen.answers.append((began, kind, status, 1000 * (time.monotonic() - began)))


def edit(bench: Bench, seen: Seen, per_second: float) -> None:
    number = 0
    while not seen.end.wait(1 / per_second):
        uid = f"edit-{number:06d}"
        line = LineString([(EAST, NORTH + number / 10), (EAST + 100, NORTH + number / 10)])
        road = {"uid": uid, "name": uid, "reserve_width_m": 4.0, "geom": encode([line], srid(CRS))[0]}
        try:
            with bench.database.open(Role.WRITER) as connection:
                roads.save(connection, [{**road, "valid": since(date(2020, 1, 1))}])
        except DiabaError:
            seen.refused_edits += 1
            continue
        seen.acknowledged.append(uid)
        number += 1


def kill(bench: Bench, seen: Seen, after: float, down: float) -> None:
    if seen.end.wait(after):
        return
    cluster = Cluster(bench.settings.home)
    pid = Postmaster(cluster.data).pid()
    if pid is not None:
        seen.killed = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        time.sleep(down)
        cluster.start()
        seen.up = time.monotonic()


def watch(service: Service, seen: Seen, began: float) -> None:
    while not seen.end.wait(1.0):
        seen.memory.append((time.monotonic() - began, service.resident_mib()))


def report(bench: Bench, seen: Seen, began: float, seconds: float) -> int:
    """Print what was seen; how many errors there were."""
    excused = [one for one in seen.answers if one[2] == 503 and seen.killed - 1 < one[0] < seen.up + SETTLED]
    errors = [one for one in seen.answers if one[2] != 200 and one not in set(excused)]
    by_kind: dict[str, list[float]] = defaultdict(list)
    for _, kind, status, elapsed in seen.answers:
        if status == 200:
            by_kind[kind].append(elapsed)
    print(f"{'kind':10} {'answers':>8} {'errors':>7} {'p50 ms':>8} {'p95 ms':>8} {'p99 ms':>8} {'most ms':>8}")
    for kind, spent in sorted(by_kind.items()):
        p50, p95, p99 = np.percentile(spent, (50, 95, 99))
        wrong = sum(one[1] == kind for one in errors)
        print(f"{kind:10} {len(spent):8} {wrong:7} {p50:8.1f} {p95:8.1f} {p99:8.1f} {max(spent):8.0f}")
    print(f"{len(seen.answers) / seconds:.0f} answers a second, {len(errors)} errors")
    for at, kind, status, _ in errors[:10]:
        print(f"  error: {kind} {status or 'no answer'} at {at - began:.1f} s")
    memory = np.array(seen.memory)
    for share in (0.1, 0.25, 0.5, 0.75, 1.0):
        at, size = memory[max(0, int(share * len(memory)) - 1)]
        print(f"memory at {at:5.0f} s: {size:6.0f} MiB")
    if seen.up < float("inf"):
        last = max((one[0] for one in excused), default=seen.killed)
        print(
            f"store killed at {seen.killed - began:.1f} s, back at {seen.up - began:.1f} s, {len(excused)} times 503, "
            f"the last {last - seen.up:+.1f} s after it was back; {seen.refused_edits} edits refused"
        )
    with bench.database.open(Role.READER) as connection:
        held = set(connection.scalars(text("SELECT uid FROM diaba.road WHERE uid LIKE 'edit-%'")))
    lost = [uid for uid in seen.acknowledged if uid not in held]
    print(f"{len(seen.acknowledged)} edits acknowledged, {len(lost)} lost")
    return len(errors) + len(lost)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--parcels", type=int, default=50_000)
    parser.add_argument("--houses", type=int, default=15_000)
    parser.add_argument("--edits", type=float, default=2.0, help="a second")
    parser.add_argument("--kill-at", type=float, default=300, help="seconds; 0: never")
    parser.add_argument("--down", type=float, default=5)
    parser.add_argument("--keep", type=Path, help="folder in which the city stays for the next run")
    chosen = parser.parse_args()
    seen = Seen()
    with bench_city(chosen.parcels, chosen.houses, chosen.keep) as bench, diaba(bench) as service:
        began = time.monotonic()
        work = [(read, (bench, service.url, seen, number)) for number in range(chosen.clients)]
        work += [(edit, (bench, seen, chosen.edits)), (watch, (service, seen, began))]
        if chosen.kill_at:
            work.append((kill, (bench, seen, chosen.kill_at, chosen.down)))
        threads = [threading.Thread(target=task, args=given) for task, given in work]
        for thread in threads:
            thread.start()
        time.sleep(chosen.seconds)
        seen.end.set()
        for thread in threads:
            thread.join(90)
        print(f"{chosen.clients} clients, {chosen.seconds:g} s, load {os.getloadavg()[0]:.1f}")
        wrong = report(bench, seen, began, chosen.seconds)
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()

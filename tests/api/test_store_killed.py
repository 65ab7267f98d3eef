"""The store is killed in the middle of reads and edits: the service says so, recovers by itself, nothing is lost."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

import httpx
from shapely import LineString
from sqlalchemy import text

from gis.access.roles import Role
from gis.crs import srid
from gis.errors import StoreUnreachable
from gis.store import roads
from gis.store.cluster import Cluster
from gis.store.geometry import encode
from gis.store.postmaster import Postmaster
from gis.store.versions import since
from tests.api.conftest import CityStore
from tests.api.programs import serving
from tests.gis.store_samples import EAST, NORTH

PATHS = (
    "/collections/parcels/items?limit=20",
    "/tiles/16/52190/30794.mvt",
    "/raster/dtm/16/52190/30794.png",
    "/buildings/b-0003",
    "/health/ready",
)
DOWN_SECONDS = 2.0


@dataclass
class Seen:
    """What readers and the writer saw, with the time each began."""

    end: threading.Event = field(default_factory=threading.Event)
    answers: list[tuple[float, httpx.Response]] = field(default_factory=list)
    broken: list[Exception] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    refused: int = 0

    def read(self, url: str) -> None:
        with httpx.Client(base_url=url, timeout=30) as client:
            while not self.end.is_set():
                for path in PATHS:
                    try:
                        self.answers.append((time.monotonic(), client.get(path)))
                    except httpx.HTTPError as error:
                        self.broken.append(error)

    def edit(self, store: CityStore) -> None:
        number = 0
        while not self.end.is_set():
            uid = f"edit-{number:05d}"
            shape = encode([LineString([(EAST, NORTH + number), (EAST + 9, NORTH + number)])], srid(store.city.crs))[0]
            road = {"uid": uid, "name": uid, "reserve_width_m": 4.0, "geom": shape, "valid": since(date(2020, 1, 1))}
            try:
                with store.database.open(Role.WRITER) as connection:
                    roads.save(connection, [road])
            except StoreUnreachable:
                self.refused += 1
                time.sleep(0.05)
                continue
            self.acknowledged.append(uid)
            number += 1


def test_a_killed_store_costs_some_seconds_and_no_edit(store: CityStore) -> None:
    seen = Seen()
    tasks: list[Callable[[], None]] = [lambda: seen.edit(store)]
    with serving(store, DIABA_RATE_PER_SECOND="0") as program:
        tasks += [lambda: seen.read(program.url) for _ in range(3)]
        threads = [threading.Thread(target=task) for task in tasks]
        for thread in threads:
            thread.start()
        while len(seen.answers) < 3 * len(PATHS):
            time.sleep(0.05)
        cluster = Cluster(store.settings.home)
        pid = Postmaster(cluster.data).pid()
        assert pid is not None
        killed = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        time.sleep(DOWN_SECONDS)
        cluster.start()
        up = time.monotonic()
        before = len(seen.acknowledged)
        time.sleep(2.5)
        seen.end.set()
        for thread in threads:
            thread.join(30)
        assert program.process.poll() is None
    assert not seen.broken
    assert {answer.status_code for at, answer in seen.answers if at + answer.elapsed.total_seconds() < killed} == {200}
    assert {answer.status_code for at, answer in seen.answers} == {200, 503}
    refused = [answer for _, answer in seen.answers if answer.status_code == 503]
    assert all(answer.headers["retry-after"] == "5" for answer in refused)
    assert all(answer.json()["detail"] == "the store does not answer" for answer in refused)
    late = {str(answer.url): answer.status_code for at, answer in seen.answers if at > up + 1}
    assert len(late) == len(PATHS)
    assert set(late.values()) == {200}
    assert seen.refused
    assert len(seen.acknowledged) > before > 0
    with store.database.open(Role.OWNER) as connection:
        held = connection.scalars(text("SELECT uid FROM diaba.road WHERE uid LIKE 'edit-%' ORDER BY 1")).all()
        connection.execute(text("DELETE FROM diaba.road WHERE uid LIKE 'edit-%'"))
    # One more may be held: killed after it was committed and before the writer was told.
    assert held[: len(seen.acknowledged)] == seen.acknowledged
    assert len(held) <= len(seen.acknowledged) + 1

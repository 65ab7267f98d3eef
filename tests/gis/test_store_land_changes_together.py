"""Many writers at once, and writers that die: no lost update, no overlap, nothing half-written."""

from __future__ import annotations

import multiprocessing
import multiprocessing.synchronize
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from shapely import LineString
from sqlalchemy import Connection, text

from gis.access.roles import Role
from gis.errors import BadGeometry, BadInput, Conflict, NotFound
from gis.store import land_changes, lineage, parcels, versions
from gis.store.database import Database
from gis.store.land_changes import Order
from gis.store.schema import parcel_version
from gis.store.versions import at
from tests.gis.land_samples import adjoining, is_topology, lot_row, lots, place, random_line, register, total

WRITERS = 20
PROCESSES = 2
DAY = date(2020, 5, 1)


def _together(database: Database, work: Callable[[Database, int], str]) -> Counter[str]:
    """What each of twenty writers says, ten threads in each of two processes, all begun at one moment."""
    context = multiprocessing.get_context("fork")
    barrier, said = context.Barrier(WRITERS), context.SimpleQueue()

    def one(number: int) -> None:
        barrier.wait(60)
        try:
            said.put(work(database, number))
        except BaseException as error:  # noqa: BLE001  told to the test
            said.put(f"{type(error).__name__}: {error}")

    def many(first: int) -> None:
        threads = [threading.Thread(target=one, args=(first + n,)) for n in range(WRITERS // PROCESSES)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    processes = [context.Process(target=many, args=(n * WRITERS // PROCESSES,)) for n in range(PROCESSES)]
    for process in processes:
        process.start()
    answers = [said.get() for _ in range(WRITERS)]
    for process in processes:
        process.join(60)
    return Counter(answers)


def _seen(connection: Connection) -> dict[str, Any]:
    found = lineage.parcels_where(connection, at(parcel_version, DAY))
    return {parcel.uid: parcel for parcel in found}


def _split_the_same(database: Database, number: int) -> str:
    order = Order(DAY, if_version={"p-11": 1})
    line = LineString([place(21 + 0.9 * number, 29), place(39 - 0.9 * number, 61)])
    try:
        with database.open(Role.WRITER) as connection:
            land_changes.split(connection, "p-11", line, order)
    except Conflict as lost:
        return f"lost: {str(lost).rsplit(' ', 1)[0]}"
    return "won"


def test_of_twenty_who_split_one_parcel_one_wins_and_all_others_are_told_by_what(database: Database) -> None:
    with database.open(Role.WRITER) as connection:
        register(connection, lots(), ward_code=None)
    said = _together(database, _split_the_same)
    assert said == {"won": 1, "lost: parcel p-11 ended on 2020-05-01 by change": WRITERS - 1}
    with database.open(Role.READER) as connection:
        assert connection.scalar(text("SELECT count(*) FROM land_change")) == 1
        assert is_topology([parcel.polygon for parcel in _seen(connection).values()])


def _change_something(database: Database, number: int) -> str:
    """Three times: look, think, and change what was seen."""
    chance = random.Random(number)  # noqa: S311  for tests
    won, lost = 0, 0
    for _ in range(3):
        with database.open(Role.READER) as connection:
            seen = _seen(connection)
        outlines = {uid: parcel.polygon for uid, parcel in seen.items()}
        time.sleep(chance.uniform(0, 0.05))
        uid = max(chance.sample(sorted(seen), 2), key=lambda name: outlines[name].area)
        beside = adjoining(outlines, uid)
        uids = [uid, chance.choice(beside)] if beside and chance.random() < 0.5 else [uid]
        order = Order(DAY, if_version={name: seen[name].version for name in uids})
        try:
            with database.open(Role.WRITER) as connection:
                if len(uids) == 1 and chance.random() < 0.5:
                    land_changes.change_use(connection, uids, f"U{number}", order)
                elif len(uids) == 1:
                    land_changes.split(connection, uid, random_line(chance, outlines[uid]), order)
                elif chance.random() < 0.5:
                    land_changes.merge(connection, uids, order)
                else:
                    line = random_line(chance, outlines[uid].union(outlines[uids[1]]))
                    land_changes.adjust(connection, uids, line, order)
            won += 1
        except Conflict:
            lost += 1
        except (BadGeometry, BadInput):
            continue
    return f"{won} {lost}"


def test_twenty_writers_on_the_same_parcels_lose_no_update_and_make_no_overlap(database: Database) -> None:
    with database.open(Role.WRITER) as connection:
        register(connection, lots(turn=0.4), ward_code=None)
    said = _together(database, _change_something)
    counted = [tuple(map(int, answer.split())) for answer in said.elements()]
    won, lost = (sum(numbers) for numbers in zip(*counted, strict=True))
    with database.open(Role.READER) as connection:
        assert connection.scalar(text("SELECT count(*) FROM land_change")) == won
        # A lost update would be a version that two changes both took for the last one.
        twice = text(
            "SELECT parent_uid, parent_version FROM parcel_lineage GROUP BY 1, 2 HAVING count(DISTINCT change) > 1"
        )
        assert connection.execute(twice).all() == []
        polygons = [parcel.polygon for parcel in _seen(connection).values()]
        assert is_topology(polygons)
        assert abs(total(polygons) - total(lots(turn=0.4).values())) < 0.3
    assert won > 0
    assert lost > 0


def _overlap_at_once(database: Database, number: int) -> str:
    """Not by a land change: parcels recorded past it, each over all others."""
    shape = lots()["p-00"]
    try:
        with database.open(Role.WRITER) as connection:
            parcels.save(connection, [lot_row(f"over-{number}", shape, number)])
    except Conflict as lost:
        return f"lost: {str(lost).split(' by ')[-1]}"
    return "won"


def test_of_twenty_parcels_on_one_place_the_database_takes_one(database: Database) -> None:
    said = _together(database, _overlap_at_once)
    assert said == {"won": 1, "lost: 600.000 m² from 2009-03-01 on": WRITERS - 1}


def _die_in_the_middle(database: Database, written: multiprocessing.synchronize.Event) -> None:
    with database.open(Role.WRITER) as connection:
        land_changes.split(connection, "p-11", LineString([place(30, 29), place(30, 61)]), Order(DAY))
        written.set()
        time.sleep(600)


def test_a_writer_killed_in_the_middle_leaves_nothing_and_blocks_nobody(database: Database) -> None:
    with database.open(Role.WRITER) as connection:
        register(connection, lots(), ward_code=None)
        before = connection.execute(text("SELECT p::text FROM parcel_version p ORDER BY 1")).all()
    context = multiprocessing.get_context("fork")
    written = context.Event()
    process = context.Process(target=_die_in_the_middle, args=(database, written))
    process.start()
    assert written.wait(60)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(60)
    with database.open(Role.WRITER) as connection:
        assert connection.execute(text("SELECT p::text FROM parcel_version p ORDER BY 1")).all() == before
        for table in ("land_change", "parcel_lineage"):
            assert connection.scalar(text(f"SELECT count(*) FROM {table}")) == 0  # noqa: S608  names of this test
        assert connection.scalar(text("SELECT count(*) FROM parcel")) == 9
        land_changes.split(connection, "p-11", LineString([place(30, 29), place(30, 61)]), Order(DAY))


def _killed_at(database: Database, after: float) -> None:
    context = multiprocessing.get_context("fork")
    ready = context.Event()

    def split() -> None:
        with database.open(Role.WRITER) as connection:
            ready.set()
            land_changes.split(connection, "p-11", LineString([place(30, 29), place(30, 61)]), Order(DAY))

    process = context.Process(target=split)
    process.start()
    assert ready.wait(60)
    time.sleep(after)
    if process.pid is not None:
        os.kill(process.pid, signal.SIGKILL)
    process.join(60)


@pytest.mark.parametrize("after", [0.02, 0.06, 0.1, 0.2, 0.4])
def test_at_whatever_moment_a_writer_is_killed_all_is_there_or_nothing(
    make_database: Callable[..., Database], after: float
) -> None:
    database = make_database()
    with database.open(Role.WRITER) as connection:
        register(connection, lots(), ward_code=None)
    _killed_at(database, after)
    with database.open(Role.WRITER) as connection:
        # What the server had already been told to commit is committed once the lock is free.
        versions.lock(connection, parcel_version)
        changes = connection.scalar(text("SELECT count(*) FROM land_change"))
        now = set(_seen(connection))
        assert now == (set(lots()) if not changes else set(lots()) - {"p-11"} | {"p-11~1", "p-11~2"})
        assert is_topology([parcel.polygon for parcel in _seen(connection).values()])


def test_a_writer_that_waits_too_long_is_told_to_try_again(database: Database) -> None:
    with database.open(Role.WRITER) as connection:
        register(connection, lots(), ward_code=None)

    def waits() -> None:
        with database.open(Role.WRITER) as connection:
            connection.execute(text("SET LOCAL lock_timeout = '100ms'"))
            land_changes.change_use(connection, ["p-00"], "CLN", Order(DAY))

    with database.open(Role.WRITER) as first:
        land_changes.change_use(first, ["p-22"], "CLN", Order(DAY))
        with pytest.raises(Conflict, match=r"another change is being recorded .* try again"):
            waits()
    with database.open(Role.READER) as connection, pytest.raises(NotFound):
        lineage.find_change(connection, 2)

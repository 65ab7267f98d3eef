"""Blocks, wards and built-up areas against those made by hand, after each change; and word of the change."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from math import floor

import numpy as np
import psycopg
import pytest
import shapely
from sqlalchemy import Connection, text

from gis.access.roles import Role
from gis.bounds import BoundingBox
from gis.crs import horizontal, transformer
from gis.errors import BadInput
from gis.store import catalog, land_changes, parcels, runs, versions
from gis.store.changes import CHANNEL, Change, newest, read, since
from gis.store.database import Database
from gis.store.land_changes import Order
from gis.store.runs import PlannedTile
from gis.store.schema import parcel_version
from gis.store.server import dsn
from tests.gis.land_samples import WARD, lot_row, lots, random_line, register
from tests.gis.store_samples import EAST, NORTH, building

CELL = 512.0
"""Metres, as the migration has it."""
STREET = 12.0


def ground(geometry: shapely.Geometry) -> shapely.Geometry:
    """From Web Mercator to the city's CRS, the pinned way."""
    back = transformer(3857, 9210)
    return shapely.transform(geometry, lambda xy: np.column_stack(back.transform(xy[:, 0], xy[:, 1])))


def two_blocks() -> dict[str, shapely.Polygon]:
    """Two blocks of 24 lots with a street between them, both across the line x = 603 136 m between two cells."""
    south = lots(8, 3)
    north = {f"n{uid}": shapely.affinity.translate(lot, 0, 90 + STREET) for uid, lot in south.items()}
    return south | north


def by_hand(connection: Connection) -> dict[tuple[int, int], list[tuple[shapely.Geometry, int]]]:
    """Cell → its blocks, with how many parcels each has: united by GEOS, piece by piece."""
    rows = connection.execute(
        text(
            "SELECT ST_AsBinary(geom) FROM diaba.parcel_version WHERE upper_inf(recorded) AND valid @> current_date "
            "AND COALESCE(land_use, '') <> 'DGT'"
        )
    )
    cells: dict[tuple[int, int], list[shapely.Geometry]] = {}
    for (wkb,) in rows:
        shape = shapely.from_wkb(bytes(wkb))
        centre = shape.centroid
        cells.setdefault((floor(centre.x / CELL), floor(centre.y / CELL)), []).append(shape)
    found = {}
    for cell, shapes in cells.items():
        parts = shapely.get_parts(shapely.union_all(shapes))
        inside = [sum(part.buffer(0.01).contains(shape) for shape in shapes) for part in parts]
        found[cell] = list(zip(parts, inside, strict=True))
    return found


def stored(connection: Connection) -> dict[tuple[int, int], list[tuple[shapely.Geometry, int]]]:
    rows = connection.execute(text("SELECT cell_x, cell_y, ST_AsBinary(geom_3857), parcels FROM generalised_block"))
    found: dict[tuple[int, int], list[tuple[shapely.Geometry, int]]] = {}
    for x, y, wkb, count in rows:
        found.setdefault((x, y), []).append((ground(shapely.from_wkb(bytes(wkb))), count))
    return found


def check(connection: Connection) -> None:
    hand, kept = by_hand(connection), stored(connection)
    assert set(hand) == set(kept)
    for cell, blocks in hand.items():
        assert len(blocks) == len(kept[cell])
        for shape, count in blocks:
            (same,) = [one for one in kept[cell] if one[0].intersection(shape).area > 0.9 * shape.area]
            assert same[1] == count
            # Simplified by 1 m.
            assert same[0].hausdorff_distance(shape) < 1.2
    total = sum(count for blocks in hand.values() for _, count in blocks)
    roads = connection.scalar(text("SELECT count(*) FROM current_parcel WHERE land_use = 'DGT'"))
    assert connection.scalar(text("SELECT parcels FROM generalised_ward WHERE ward_code = :ward"), {"ward": WARD}) == (
        total + roads
    )


def settle(connection: Connection) -> None:
    """What is done at the end of a transaction, done now."""
    connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    connection.execute(text("SET CONSTRAINTS ALL DEFERRED"))


def test_blocks_are_those_made_by_hand_after_each_of_many_changes(writer: Connection) -> None:
    chance = random.Random(5)  # noqa: S311  no secret
    register(writer, two_blocks())
    street = shapely.box(EAST, NORTH + 91, EAST + 160, NORTH + 101)
    parcels.save(writer, [lot_row("street", street, 99, land_use="DGT")])
    settle(writer)
    check(writer)
    for _ in range(10):
        uids = writer.scalars(text("SELECT uid FROM current_parcel WHERE land_use = 'ODT' ORDER BY uid")).all()
        uid = chance.choice(uids)
        wkb = writer.scalar(text("SELECT ST_AsBinary(geom) FROM current_parcel WHERE uid = :uid"), {"uid": uid})
        line = random_line(chance, shapely.from_wkb(bytes(wkb)))
        order = Order(date(2020, 1, 1))
        match chance.choice(["split", "end", "use"]):
            case "split":
                try:
                    land_changes.split(writer, uid, line, order)
                except BadInput:
                    land_changes.change_use(writer, [uid], "CLN", order)
            case "use":
                land_changes.change_use(writer, [uid], "DGT", order)
            case _:
                versions.record(writer, parcel_version, [], gone=[((uid,), versions.since(date(2020, 1, 1)))])
        settle(writer)
        check(writer)
    counts = {cell: sorted(count for _, count in blocks) for cell, blocks in stored(writer).items()}
    assert writer.scalar(text("SELECT diaba.generalise(TRUE)")) > 1
    assert {cell: sorted(count for _, count in blocks) for cell, blocks in stored(writer).items()} == counts
    check(writer)


def test_a_ward_s_land_closes_over_its_streets(writer: Connection) -> None:
    register(writer, two_blocks())
    settle(writer)
    land = ground(shapely.from_wkb(bytes(writer.scalar(text("SELECT ST_AsBinary(geom_3857) FROM generalised_ward")))))
    whole = shapely.box(EAST, NORTH, EAST + 160, NORTH + 180 + STREET)
    assert land.symmetric_difference(whole).area < 0.02 * whole.area


def test_what_begins_by_the_calendar_is_generalised_on_its_day(shared_database: Database) -> None:
    soon = date.today() + timedelta(days=3)
    with shared_database.open(Role.OWNER) as connection:
        register(connection, lots(2, 1))
        beside = shapely.box(EAST + 40, NORTH, EAST + 60, NORTH + 30)
        parcels.save(connection, [lot_row("later", beside, 9, valid=versions.since(soon))])
        settle(connection)
        assert connection.scalar(text("SELECT sum(parcels) FROM generalised_block")) == 2
        assert connection.scalar(text("SELECT due FROM generalised_cell")) == soon
        # As if three days had gone by.
        connection.execute(text("ALTER TABLE parcel_version DISABLE TRIGGER USER"))
        connection.execute(text("UPDATE parcel_version SET valid = daterange(current_date, NULL) WHERE uid = 'later'"))
        connection.execute(text("ALTER TABLE parcel_version ENABLE TRIGGER USER"))
        connection.execute(text("UPDATE generalised_cell SET due = current_date"))
        assert connection.scalar(text("SELECT diaba.generalise()")) == 1
        assert connection.scalar(text("SELECT sum(parcels) FROM generalised_block")) == 3
        assert connection.scalar(text("SELECT due FROM generalised_cell")) is None
        assert connection.scalar(text("SELECT diaba.generalise()")) == 0
        connection.rollback()


def test_built_up_areas_cover_the_buildings_they_count(writer: Connection, shared_database: Database) -> None:
    flat = horizontal(shared_database.city.crs)
    bounds = BoundingBox(EAST - 50, NORTH - 50, EAST + 350, NORTH + 150, flat)
    houses = [building(n) for n in range(40)]
    for epoch, some in (("2012", houses[:10]), ("2025", houses)):
        catalog.save_campaign(writer, epoch, date(int(epoch), 1, 1), date(int(epoch), 1, 9))
        runs.plan(writer, epoch, [PlannedTile("t", bounds, epoch * 8)])
        runs.claim(writer, "t", epoch)
        runs.save_tile(writer, "t", epoch, rasters=[], points=None, buildings=some, statistics={})
    settle(writer)
    rows = writer.execute(
        text("SELECT ST_AsBinary(geom_3857), buildings, area, height, height_max FROM generalised_built_up")
    ).all()
    assert len(rows) == 2
    assert sum(row.buildings for row in rows) == 40
    assert sum(row.area for row in rows) == pytest.approx(40 * 80.0)
    assert {(row.height, row.height_max) for row in rows} == {(9.0, 9.0)}
    covered = shapely.union_all([ground(shapely.from_wkb(bytes(row[0]))) for row in rows])
    widened = shapely.union_all([one.footprint.buffer(10, join_style="mitre") for one in houses])
    expected = widened.buffer(-10, join_style="mitre")
    assert covered.symmetric_difference(expected).area < 0.02 * expected.area


def test_geometry_in_web_mercator_follows_the_register_the_pinned_way(writer: Connection) -> None:
    register(writer, lots(2, 2))
    rows = writer.execute(text("SELECT ST_AsBinary(geom), ST_AsBinary(geom_3857) FROM parcel_version")).all()
    there = transformer(9210, 3857)
    for own, web in rows:
        expected = shapely.transform(shapely.from_wkb(bytes(own)), lambda xy: np.column_stack(there.transform(*xy.T)))
        assert shapely.from_wkb(bytes(web)).equals_exact(expected, 0.001)


@pytest.fixture(scope="module")
def told_of(make_database: Callable[..., Database]) -> Database:
    """A database of these tests, which commit."""
    return make_database()


def test_a_change_is_told_at_its_commit_with_its_place_and_nothing_else(told_of: Database) -> None:
    outlines = lots(2, 1)
    with psycopg.connect(dsn(told_of.url(Role.READER)), autocommit=True) as session:
        session.execute(f"LISTEN {CHANNEL}")
        with told_of.open(Role.WRITER) as connection:
            register(connection, outlines)
            connection.rollback()
        assert list(session.notifies(timeout=0.2)) == []
        with told_of.open(Role.WRITER) as connection:
            register(connection, outlines)
        told = [read(notice.payload) for notice in session.notifies(timeout=0.5)]
    assert [one.collection for one in told if one] == ["parcels", "blocks", "wards"]
    first = told[0]
    assert first is not None
    ((west, south, east, north),) = first.boxes
    area = ground(shapely.box(west, south, east, north))
    land = shapely.union_all(list(outlines.values()))
    assert area.buffer(0.1).contains(land)
    assert area.area < 1.3 * land.area
    with told_of.open(Role.READER) as connection:
        assert newest(connection, 3) == told


def test_a_change_all_over_the_city_fits_into_one_notification(told_of: Database) -> None:
    first = shapely.box(EAST, NORTH + 900, EAST + 10, NORTH + 920)
    outlines = {f"far-{n}": shapely.affinity.translate(first, 1100.0 * n) for n in range(90)}
    with psycopg.connect(dsn(told_of.url(Role.READER)), autocommit=True) as session:
        session.execute(f"LISTEN {CHANNEL}")
        with told_of.open(Role.WRITER) as connection:
            register(connection, outlines)
        told = [read(notice.payload) for notice in session.notifies(timeout=0.5)]
    assert told[0] is not None
    assert len(told[0].boxes) == 1
    with told_of.open(Role.WRITER) as connection:
        some = {f"q{uid}": shapely.affinity.translate(lot, 0, 5000) for uid, lot in list(outlines.items())[:60]}
        register(connection, some)
    with told_of.open(Role.READER) as connection:
        assert max(len(one.boxes) for one in newest(connection, 3)) == 60


def test_who_lost_touch_is_told_what_was_committed_since_even_if_it_began_before(told_of: Database) -> None:
    """A number given early and committed late is not lost."""
    first, second, third = (psycopg.connect(dsn(told_of.url(Role.WRITER))) for _ in range(3))
    insert = (
        "INSERT INTO diaba.road (uid, version, name, geom, valid, recorded, digest) VALUES "
        "(%s, 1, 'x', ST_SetSRID(ST_MakeLine(ST_MakePoint(603000, 1191000), ST_MakePoint(603100, 1191000)), 9210), "
        "'[2009-01-01,)', '[2009-01-01,)', '')"
    )
    with first, second, third:
        first.execute(insert, ["slow"])
        second.execute(insert, ["quick"])
        second.commit()
        with told_of.open(Role.READER) as connection:
            (heard,) = newest(connection, 1)
        first.commit()
        third.execute(insert, ["later"])
        third.commit()
    with told_of.open(Role.READER) as connection:
        missed = since(connection, heard.number, 10)
        assert missed is not None
        assert {one.number for one in missed} == {heard.number - 1, heard.number + 1}
        assert since(connection, heard.number + 1, 10) == []
        assert since(connection, 99_999, 10) is None
        assert since(connection, heard.number, 1) is None


@pytest.mark.parametrize("payload", ["", "x", "1 parcels", "1 parcels 1,2,3", "x parcels 1,2,3,4", "1 a b 1,2,3,4"])
def test_a_notification_that_means_nothing_is_taken_as_any_change(payload: str) -> None:
    assert read(payload) is None
    assert read("7 parcels 1,2,3,4") == Change(7, "parcels", ((1, 2, 3, 4),))


@pytest.mark.parametrize("role", [Role.WRITER, Role.READER])
def test_no_login_writes_what_the_database_keeps_for_itself(shared_database: Database, role: Role) -> None:
    for table in ("change", "generalised_block", "generalised_ward", "generalised_built_up", "generalised_cell"):
        with psycopg.connect(dsn(shared_database.url(role))) as session:
            session.execute("SET default_transaction_read_only = off")
            session.commit()
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(f"DELETE FROM diaba.{table}")  # noqa: S608  a name of ours

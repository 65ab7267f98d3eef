"""Nothing recorded is lost: what the register knew at any moment, of any day, can be read again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, insert, select, text

from gis.access.roles import Role
from gis.errors import BadInput, Conflict
from gis.store import parcels, roads, versions
from gis.store.database import Database
from gis.store.geometry import encode
from gis.store.schema import parcel_version, road
from gis.store.versions import since
from tests.gis.store_samples import EAST, NORTH, lot

DAY = date(2010, 1, 1)
LINE = f"SRID=9210;LINESTRING({EAST} {NORTH}, {EAST + 1} {NORTH})"


def _road(name: str, start: int = 0, end: int | None = None, uid: str = "r") -> Mapping[str, object]:
    finish = None if end is None else DAY + timedelta(days=end)
    valid = since(DAY + timedelta(days=start), finish)
    return {"uid": uid, "name": name, "reserve_width_m": 12.0, "geom": LINE, "valid": valid}


def _now(connection: Connection) -> datetime:
    moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return moment


def _of_day(connection: Connection, day: int, known_at: datetime | None = None) -> str | None:
    found = roads.current(connection, DAY + timedelta(days=day), known_at=known_at)
    assert len(found) <= 1
    return None if found.empty else str(found.name.iloc[0])


def test_the_same_again_changes_nothing(writer: Connection) -> None:
    first = roads.save(writer, [_road("A")])
    before = writer.execute(select(road.c.uid, road.c.version, road.c.recorded)).all()
    again = roads.save(writer, [_road("A")])
    assert (first.counts, again.counts) == (
        {"added": 1, "closed": 0, "unchanged": 0},
        {"added": 0, "closed": 0, "unchanged": 1},
    )
    assert writer.execute(select(road.c.uid, road.c.version, road.c.recorded)).all() == before


def test_a_correction_closes_what_was_recorded_and_keeps_it(writer: Connection) -> None:
    roads.save(writer, [_road("wrong")])
    then = _now(writer)
    saved = roads.save(writer, [_road("right")])
    assert saved.counts == {"added": 1, "closed": 1, "unchanged": 0}
    assert _of_day(writer, 5) == "right"
    assert _of_day(writer, 5, known_at=then) == "wrong"


def test_a_change_from_a_day_on_leaves_what_was_before(writer: Connection) -> None:
    roads.save(writer, [_road("old")])
    then = _now(writer)
    roads.save(writer, [_road("new", 100)])
    assert (_of_day(writer, 99), _of_day(writer, 100)) == ("old", "new")
    assert _of_day(writer, 100, known_at=then) == "old"
    assert roads.save(writer, [_road("new", 100)]).unchanged == 1


def test_a_change_for_a_while_leaves_before_and_after(writer: Connection) -> None:
    roads.save(writer, [_road("usual")])
    roads.save(writer, [_road("widened", 10, 20)])
    assert [_of_day(writer, day) for day in (9, 10, 19, 20)] == ["usual", "widened", "widened", "usual"]


def test_what_is_gone_leaves_what_was_before_and_after(writer: Connection) -> None:
    roads.save(writer, [_road("usual")])
    then = _now(writer)
    gone = since(DAY + timedelta(days=10), DAY + timedelta(days=20))
    saved = versions.record(writer, road, [], gone=[(("r",), gone), (("unknown",), gone)])
    assert saved.counts == {"added": 2, "closed": 1, "unchanged": 0}
    assert [_of_day(writer, day) for day in (9, 10, 19, 20)] == ["usual", None, None, "usual"]
    assert _of_day(writer, 15, known_at=then) == "usual"


def test_several_times_of_one_key_are_told_at_one_moment(writer: Connection) -> None:
    roads.save(writer, [_road("usual")])
    gone = (("r",), since(DAY + timedelta(days=6), DAY + timedelta(days=8)))
    roads_told = [_road("A", 2, 4), _road("usual", 4, 6), _road("B", 8)]
    versions.record(writer, road, roads_told, gone=[gone])
    assert [_of_day(writer, day) for day in range(1, 10)] == [
        *("usual", "A", "A", "usual", "usual", None, None, "B", "B"),
    ]
    moments = writer.execute(
        text("SELECT DISTINCT lower(recorded) FROM road WHERE uid = 'r' AND upper_inf(recorded)")
    ).all()
    assert len(moments) == 1
    with pytest.raises(BadInput, match="road r: it occurs twice"):
        versions.record(writer, road, [_road("A", 2, 4)], gone=[(("r",), since(DAY + timedelta(days=3)))])


def _days(connection: Connection, known_at: datetime) -> dict[int, str]:
    """The name of each of twenty days, as it was known at a moment."""
    rows = connection.execute(select(road.c.name, road.c.valid).where(road.c.recorded.op("@>")(known_at))).all()
    days: dict[int, str] = {}
    for name, valid in rows:
        for day in range(20):
            if DAY + timedelta(days=day) in valid:
                assert day not in days
                days[day] = name
    return days


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from("ABC"), st.integers(0, 11), st.one_of(st.none(), st.integers(1, 6))),
        min_size=1,
        max_size=6,
    )
)
def test_history_equals_a_plain_table_of_days(writer: Connection, told: list[tuple[str, int, int | None]]) -> None:
    """Against a brute-force model: one name for each day, overwritten, with a copy kept after each telling."""
    savepoint = writer.begin_nested()
    model: dict[int, str] = {}
    copies: list[tuple[datetime, dict[int, str]]] = []
    for name, start, length in told:
        end = None if length is None else start + length
        roads.save(writer, [_road(name, start, end)])
        model |= dict.fromkeys(range(start, 20 if end is None else min(end, 20)), name)
        copies.append((_now(writer), dict(model)))
    for moment, copy in copies:
        assert _days(writer, moment) == copy
        assert _of_day(writer, 5, moment) == copy.get(5)
    assert _days(writer, _now(writer)) == model
    savepoint.rollback()


def test_two_rows_of_one_key_are_refused(writer: Connection) -> None:
    with pytest.raises(BadInput, match="road r: it occurs twice"):
        roads.save(writer, [_road("A"), _road("B")])


def _insert_twice(database: Database) -> None:
    recorded = versions.TimestamptzRange(datetime(2020, 1, 1).astimezone(), None)
    with database.open(Role.WRITER) as connection:
        for number in (1, 2):
            values = {"uid": "r", "version": number, "geom": LINE, "valid": since(DAY), "recorded": recorded}
            connection.execute(insert(road).values(**values, digest=b"x"))


def test_the_database_itself_refuses_two_truths_at_once(shared_database: Database) -> None:
    with pytest.raises(Conflict, match="road_known_once"):
        _insert_twice(shared_database)
    with shared_database.open(Role.READER) as connection:
        assert roads.current(connection).empty


def test_parcels_are_read_as_of_a_day_and_in_their_history(writer: Connection) -> None:
    def row(use: str, start: date) -> dict[str, object]:
        columns = {column.name for column in parcel_version.columns} - {"version", "recorded", "digest"}
        shape = {"geom": encode([lot(1)], 9210)[0], "area_measured": 100.0}
        return {**dict.fromkeys(columns), "uid": "p", "land_use": use, "valid": since(start), **shape}

    parcels.save(writer, [row("CLN", date(2000, 1, 1))])
    parcels.save(writer, [row("ODT", date(2015, 6, 1))])
    assert parcels.current(writer).land_use.tolist() == ["ODT"]
    assert parcels.current(writer, date(2015, 5, 31)).land_use.tolist() == ["CLN"]
    assert parcels.current(writer, date(1999, 12, 31)).empty
    history = parcels.history(writer, "p")
    assert history.land_use.tolist() == ["CLN", "CLN", "ODT"]
    assert history.recorded_to.isna().tolist() == [False, True, True]
    assert parcels.current(writer).geom.iloc[0].equals(lot(1))
    assert parcels.current(writer).crs.to_epsg() == 9210


def test_values_are_bound_not_spliced(writer: Connection) -> None:
    name = "'); DROP TABLE diaba.road; --"
    roads.save(writer, [_road(name, uid=name)])
    assert roads.current(writer).name.tolist() == [name]
    assert writer.scalar(select(road.c.uid)) == name


def test_insert_through_the_model_works(writer: Connection) -> None:
    values = {"uid": "m", "version": 1, "geom": LINE, "valid": since(DAY), "digest": b"x"}
    writer.execute(insert(road).values(**values, recorded=text("tstzrange(now(), NULL)")))
    assert roads.current(writer).uid.tolist() == ["m"]

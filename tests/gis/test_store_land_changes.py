"""Land changes in the register: what each does, what it refuses and names, and how it is undone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any

import pytest
import shapely
from shapely import LineString, Polygon, box
from sqlalchemy import Connection, text

from gis.access.roles import Role
from gis.errors import BadGeometry, BadInput, Conflict, NotFound
from gis.land.draft import Part
from gis.land.land_change import Basis, Draft, LandChangeKind
from gis.land.topology import area
from gis.store import land_changes, lineage, parcels
from gis.store.database import Database
from gis.store.land_changes import Order
from gis.store.land_register import Recorded
from tests.gis.land_samples import BEGIN, is_topology, lot_row, lots, place, register, total

DAY = date(2020, 5, 1)
LATER = date(2022, 1, 1)
TODAY = date(2026, 1, 1)


@pytest.fixture
def city(writer: Connection) -> Connection:
    """Nine lots: p-00 … p-22, numbered 1 … 9 on sheet 12."""
    register(writer, lots())
    return writer


def _line(x: float) -> LineString:
    """A line from south to north through the first row."""
    return LineString([place(x, -1), place(x, 31)])


def _done(done: object) -> Recorded:
    assert isinstance(done, Recorded)
    return done


def _on(connection: Connection, day: date, known_at: datetime | None = None) -> dict[str, Polygon]:
    found = parcels.current(connection, day, known_at=known_at)
    return dict(zip(found.uid, found.geom, strict=True))


def _now(connection: Connection) -> datetime:
    moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return moment


def test_a_split_ends_the_parcel_and_begins_its_pieces(city: Connection) -> None:
    before = _now(city)
    done = _done(land_changes.split(city, "p-01", _line(27), Order(DAY, Basis(DAY, "QĐ 1/2020", "26.0001"))))
    assert [child.uid for child in done.draft.children] == ["p-01~1", "p-01~2"]
    assert [child.parcel_no for child in done.draft.children] == ["10", "11"]
    assert [child.area_measured for child in done.draft.children] == [210.0, 390.0]
    assert (done.change.area_before, done.change.area_after, done.change.difference) == (600.0, 600.0, 0.0)
    assert set(_on(city, date(2020, 4, 30))) == set(lots())
    assert set(_on(city, DAY)) == set(lots()) - {"p-01"} | {"p-01~1", "p-01~2"}
    assert is_topology(list(_on(city, DAY).values()))
    assert set(_on(city, DAY, before)) == set(lots())
    # The neighbour to the north got the point, and only it.
    assert [after.uid for _, after in done.draft.neighbours] == ["p-11"]
    assert done.change.basis == Basis(DAY, "QĐ 1/2020", "26.0001")
    assert lineage.find_change(city, done.change.id) == done.change
    shown = lineage.parcel_at(city, "p-01~2", TODAY)
    assert (shown.change, shown.parcel.address, shown.parcel.area_legal) == (done.change.id, "2 Đường Thử Nghiệm", None)


def test_a_change_is_of_one_moment(city: Connection) -> None:
    """Whenever one asks, the whole change is known or nothing of it."""
    done = _done(land_changes.split(city, "p-01", _line(27), Order(DAY)))
    statement = text("SELECT DISTINCT lower(recorded) FROM parcel_version WHERE lower(recorded) >= :moment")
    assert city.scalars(statement, {"moment": done.change.recorded_at}).all() == [done.change.recorded_at]
    ends = text("SELECT DISTINCT upper(recorded) FROM parcel_version WHERE NOT upper_inf(recorded)")
    assert city.scalars(ends).all() == [done.change.recorded_at]


def test_a_split_into_parts_takes_what_the_survey_says(city: Connection) -> None:
    west, east = lots()["p-00"].bounds[0], lots()["p-00"].bounds[2]
    south, north = lots()["p-00"].bounds[1], lots()["p-00"].bounds[3]
    parts = [
        Part(box(west, south, west + 8, north), uid="front", parcel_no="101", land_use="TMD", area_legal=239.5),
        Part(box(west + 8, south, east, north), address="1/2 Đường Thử Nghiệm"),
    ]
    children = _done(land_changes.split(city, "p-00", parts, Order(DAY))).draft.children
    assert [(c.uid, c.parcel_no, c.land_use, c.area_legal, c.area_measured) for c in children] == [
        ("front", "101", "TMD", 239.5, 240.0),
        ("p-00~1", "10", "ODT", None, 360.0),
    ]
    assert children[1].address == "1/2 Đường Thử Nghiệm"


def test_a_merge_ends_the_parcels_and_begins_one(city: Connection) -> None:
    done = _done(land_changes.merge(city, ["p-00", "p-01"], Order(DAY), told={"uid": "both"}))
    (child,) = done.draft.children
    assert (child.uid, child.area_measured, child.area_legal, child.parcel_no) == ("both", 1200.0, 1200.0, "10")
    assert done.draft.notes == (
        "address: 1 Đường Thử Nghiệm, 2 Đường Thử Nghiệm; the new parcel keeps 1 Đường Thử Nghiệm",
    )
    handed = lineage.handed_on(city, done.change.id)
    assert [(one.parent_uid, one.child_uid, one.area) for one in handed] == [
        ("p-00", "both", 600.0),
        ("p-01", "both", 600.0),
    ]


def test_an_adjustment_moves_the_boundary_and_keeps_the_parcels(city: Connection) -> None:
    done = _done(land_changes.adjust(city, ["p-01", "p-00"], _line(22.5), Order(DAY)))
    assert [(c.uid, c.version, c.area_measured) for c in done.draft.children] == [
        ("p-01", 3, 525.0),
        ("p-00", 3, 675.0),
    ]
    handed = {
        (one.parent_uid, one.child_uid): one.area for one in lineage.handed_on(city, done.change.id) if not one.renoded
    }
    assert handed == {("p-00", "p-00"): 600.0, ("p-01", "p-00"): 75.0, ("p-01", "p-01"): 525.0}
    assert is_topology(list(_on(city, DAY).values()))


def test_a_renumbering_keeps_the_old_numbers_beside(city: Connection) -> None:
    land_changes.renumber(city, {"p-00": ("13", "45")}, Order(DAY))
    now, before = lineage.parcel_at(city, "p-00", DAY).parcel, lineage.parcel_at(city, "p-00", BEGIN).parcel
    assert (now.sheet_no, now.parcel_no, now.old_sheet_no, now.old_parcel_no) == ("13", "45", "12", "1")
    assert (before.sheet_no, before.parcel_no, before.old_sheet_no) == ("12", "1", None)
    with pytest.raises(Conflict, match="ward 26734 sheet 12 parcel 2 is the number of p-01"):
        land_changes.renumber(city, {"p-00": ("12", "2")}, Order(DAY))
    with pytest.raises(BadInput, match="nothing would change"):
        land_changes.renumber(city, {"p-01": ("12", "2")}, Order(DAY))
    # Two that change their numbers in one change are no conflict.
    land_changes.renumber(city, {"p-01": ("12", "3"), "p-02": ("12", "2")}, Order(DAY))


def test_a_ward_is_succeeded_with_all_its_parcels(city: Connection) -> None:
    done = _done(land_changes.succeed_unit(city, "26734", "26740", Order(date(2025, 7, 1))))
    assert len(done.draft.children) == 9
    assert set(parcels.current(city, TODAY).ward_code) == {"26740"}
    assert set(parcels.current(city, date(2025, 6, 30)).ward_code) == {"26734"}
    with pytest.raises(BadInput, match="ward 26734: it has no parcel"):
        land_changes.succeed_unit(city, "26734", "26740", Order(TODAY))


def _outline(*corners: tuple[float, float]) -> Part:
    return Part(Polygon([place(x, y) for x, y in corners]))


def test_a_resurvey_may_change_the_land_but_neither_overlap_nor_leave_a_gap(city: Connection) -> None:
    wider = _outline((-0.5, 0), (20, 0), (20, 30), (-0.5, 30))
    done = _done(land_changes.resurvey(city, {"p-00": wider}, Order(DAY)))
    assert done.change.difference == 15.0
    over = _outline((0, 0), (20.2, 0), (20.2, 30), (0, 30))
    with pytest.raises(BadInput, match=r"p-00 would overlap p-01 by 6\.000 m²"):
        land_changes.resurvey(city, {"p-00": over}, Order(LATER))
    short = _outline((-0.5, 0), (19.8, 0), (19.8, 30), (-0.5, 30))
    with pytest.raises(BadInput, match=r"6\.000 m² along p-01, p-10 would be nobody's"):
        land_changes.resurvey(city, {"p-00": short}, Order(LATER))
    both = {"p-00": short, "p-01": _outline((19.8, 0), (40, 0), (40, 30), (19.8, 30))}
    land_changes.resurvey(city, both, Order(LATER))
    assert is_topology(list(_on(city, LATER).values()))


def test_a_resurvey_leaves_no_gap_between_its_own_parcels(writer: Connection) -> None:
    register(writer, lots(columns=2, rows=1))
    west, east = _outline((0, 0), (19.8, 0), (19.8, 30), (0, 30)), _outline((20, 0), (41, 0), (41, 30), (20, 30))
    with pytest.raises(BadInput, match=r"6\.000 m² along p-00, p-01 would be nobody's"):
        land_changes.resurvey(writer, {"p-00": west, "p-01": east}, Order(DAY))
    # Where no parcel is registered beside, land may be given up.
    land_changes.resurvey(writer, {"p-00": _outline((0.2, 0), (20, 0), (20, 30), (0.2, 30)), "p-01": east}, Order(DAY))


@pytest.mark.parametrize(
    ("change", "error", "why"),
    [
        (lambda c: land_changes.split(c, "none", _line(5), Order(DAY)), NotFound, "no parcel none"),
        (lambda c: land_changes.split(c, "p-00", _line(25), Order(DAY)), BadGeometry, "does not cross the parcel"),
        (lambda c: land_changes.split(c, "p-00", _line(1), Order(DAY)), BadInput, r"area 30\.00 m², at least 36 m²"),
        (lambda c: land_changes.merge(c, ["p-00", "p-22"], Order(DAY)), BadGeometry, "do not adjoin"),
        (lambda c: land_changes.merge(c, ["p-00", "p-00"], Order(DAY)), BadInput, "named twice"),
        (lambda c: land_changes.merge(c, ["p-00"], Order(DAY)), BadGeometry, "at least two"),
        (lambda c: land_changes.adjust(c, ["p-00", "p-01"], _line(50), Order(DAY)), BadGeometry, "does not cross"),
        (lambda c: land_changes.change_use(c, ["p-00"], "ODT", Order(DAY)), BadInput, "nothing would change"),
        (lambda c: land_changes.split(c, "p-00", _line(5), Order(date(2009, 2, 28))), Conflict, "begins on 2009-03-01"),
        (lambda c: land_changes.undo(c, 999_999, Order(DAY)), NotFound, "no land change 999999"),
        (
            lambda c: land_changes.merge(c, ["p-00", "p-01"], Order(DAY), told={"uid": "p-22"}),
            Conflict,
            "parcel p-22: there is or was one",
        ),
        (
            lambda c: land_changes.merge(c, ["p-00", "p-01"], Order(DAY), told={"parcel_no": "9"}),
            Conflict,
            "sheet 12 parcel 9 is the number of p-22",
        ),
        (
            lambda c: land_changes.change_use(c, ["p-00"], "CLN", Order(DAY, if_version={"p-00": 4})),
            Conflict,
            "p-00 is at version 1, not 4",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(
    city: Connection, change: Callable[[Connection], object], error: type[Exception], why: str
) -> None:
    with pytest.raises(error, match=why):
        change(city)
    assert city.scalar(text("SELECT count(*) FROM land_change")) == 0
    assert city.scalar(text("SELECT count(*) FROM parcel_version")) == 9


def test_a_second_change_names_the_first(city: Connection) -> None:
    first = _done(land_changes.split(city, "p-00", _line(7), Order(DAY))).change.id
    with pytest.raises(Conflict, match=f"parcel p-00 ended on 2020-05-01 by change {first}"):
        land_changes.merge(city, ["p-00", "p-01"], Order(LATER))
    second = _done(land_changes.merge(city, ["p-00~1", "p-00~2"], Order(DAY))).change.id
    with pytest.raises(Conflict, match=f"p-00~1 is no more by change {second}, of the day it began"):
        land_changes.change_use(city, ["p-00~1"], "CLN", Order(DAY))
    use = _done(land_changes.change_use(city, ["p-22"], "TMD", Order(LATER))).change.id
    with pytest.raises(Conflict, match=f"p-22 changes on 2022-01-01 by change {use}; a change from 2020-05-01"):
        land_changes.change_use(city, ["p-22"], "CLN", Order(DAY))


def test_a_back_dated_change_puts_points_on_all_later_neighbours(city: Connection) -> None:
    """The neighbour was split after the day of the change: it and its pieces have the boundary too."""
    land_changes.split(city, "p-10", LineString([place(-1, 45), place(21, 45)]), Order(LATER))
    before = _now(city)
    done = _done(land_changes.split(city, "p-00", _line(7), Order(DAY)))
    assert sorted((n.uid, n.valid_from) for _, n in done.draft.neighbours) == [("p-10", DAY), ("p-10~1", LATER)]
    for day in (BEGIN, DAY, date(2021, 12, 31), LATER):
        assert is_topology(list(_on(city, day).values())), day
    assert set(_on(city, DAY, before)) == set(lots())


def test_a_dry_run_says_all_and_writes_nothing(city: Connection) -> None:
    drawn = land_changes.split(city, "p-01", _line(21), Order(DAY, dry_run=True))
    assert isinstance(drawn, Draft)
    assert [round(child.area_measured, 3) for child in drawn.children] == [30.0, 570.0]
    assert [check.holds for check in drawn.checks] == [False, True]
    assert len(drawn.problems) == 1
    taken = land_changes.merge(city, ["p-00", "p-01"], Order(DAY, dry_run=True), told={"uid": "p-22"})
    assert isinstance(taken, Draft)
    assert taken.problems == ("parcel p-22: there is or was one already; a new parcel needs a new uid",)
    assert city.scalar(text("SELECT count(*) FROM parcel_version")) == 9


def _undo_each(connection: Connection, changes: Sequence[Callable[[], object]]) -> None:
    """Each change undone two years later gives back outlines, uses and numbers of before."""
    for change in changes:
        before = parcels.current(connection, TODAY).set_index("uid").sort_index()
        done = _done(change())
        undone = _done(land_changes.undo(connection, done.change.id, Order(TODAY)))
        assert undone.change.undoes == done.change.id
        assert lineage.find_change(connection, done.change.id).undone_by == undone.change.id
        after = parcels.current(connection, TODAY).set_index("uid").sort_index()
        said = ["ward_code", "sheet_no", "parcel_no", "land_use", "area_legal", "area_measured", "address"]
        assert after[said].equals(before[said])
        # Points that the change put on boundaries stay; the land is the same.
        assert [one.equals(other) for one, other in zip(after.geom, before.geom, strict=True)] == [True] * len(before)
        assert is_topology(list(after.geom))
        with pytest.raises(Conflict, match=f"was undone already by change {undone.change.id}"):
            land_changes.undo(connection, done.change.id, Order(TODAY))


def test_every_kind_of_change_can_be_undone(city: Connection) -> None:
    order = Order(LATER)
    halves = {
        "p-00": _outline((0, 0), (21, 0), (21, 30), (0, 30)),
        "p-01": _outline((21, 0), (40, 0), (40, 30), (21, 30)),
    }
    _undo_each(city, [lambda: land_changes.split(city, "p-00", _line(7), order)])
    _undo_each(city, [lambda: land_changes.merge(city, ["p-10", "p-11"], order)])
    _undo_each(city, [lambda: land_changes.renumber(city, {"p-22": ("14", "1")}, order)])
    _undo_each(city, [lambda: land_changes.change_use(city, ["p-21", "p-20"], "TMD", order)])
    with pytest.raises(Conflict, match="begins on 2026-01-01 by change"):
        land_changes.adjust(city, ["p-00", "p-01"], _line(21), order)
    _undo_each(city, [lambda: land_changes.adjust(city, ["p-01", "p-02"], _line(42), Order(TODAY))])
    _undo_each(city, [lambda: land_changes.resurvey(city, halves, Order(TODAY))])
    _undo_each(city, [lambda: land_changes.succeed_unit(city, "26734", "26740", Order(TODAY))])
    kinds = set(city.scalars(text("SELECT kind FROM land_change")))
    assert kinds == {kind.value for kind in LandChangeKind}


def test_an_undoing_waits_for_what_was_changed_since(city: Connection) -> None:
    first = _done(land_changes.split(city, "p-00", _line(7), Order(DAY))).change.id
    second = _done(land_changes.change_use(city, ["p-00~1"], "TMD", Order(LATER))).change.id
    with pytest.raises(Conflict, match=f"p-00~1 was changed after change {first} by change {second}; undo that first"):
        land_changes.undo(city, first, Order(TODAY))
    with pytest.raises(Conflict, match="cannot be undone from 2009-03-01"):
        land_changes.undo(city, first, Order(BEGIN))
    # A neighbour's split puts a point on the boundary; that does not stand against it.
    land_changes.split(city, "p-10", LineString([place(4, 29), place(4, 61)]), Order(LATER))
    land_changes.undo(city, second, Order(TODAY))
    third = _done(land_changes.undo(city, first, Order(TODAY)))
    assert third.draft.kind is LandChangeKind.MERGE
    (back,) = third.draft.children
    assert (back.uid, back.area_measured) == ("p-00", 600.0)
    assert place(4, 30) in set(back.polygon.exterior.coords)
    # And an undoing can be undone: the pieces come back.
    again = _done(land_changes.undo(city, third.change.id, Order(TODAY)))
    assert [child.uid for child in again.draft.children] == ["p-00~1", "p-00~2"]
    assert is_topology(list(_on(city, TODAY).values()))
    family = lineage.family(city, "p-00~2")
    undone = set(city.scalars(text("SELECT id FROM land_change WHERE undoes = :id"), {"id": second}))
    known = {change.id for change in family.changes}
    assert known == {first, second, third.change.id, again.change.id} | undone


def test_a_name_that_somebody_gave_already_is_left_out(city: Connection) -> None:
    parcels.name(city, ["p-00~2"])
    children = _done(land_changes.split(city, "p-00", _line(7), Order(DAY))).draft.children
    assert [child.uid for child in children] == ["p-00~1", "p-00~3"]


def test_names_of_new_parcels_were_never_another_s(city: Connection) -> None:
    land_changes.split(city, "p-00", _line(7), Order(DAY))
    land_changes.merge(city, ["p-00~1", "p-00~2"], Order(LATER))
    children = _done(land_changes.split(city, "p-00~3", _line(10), Order(TODAY))).draft.children
    assert [(child.uid, child.parcel_no) for child in children] == [("p-00~4", "13"), ("p-00~5", "14")]


def test_a_parcel_of_another_day_is_said_with_its_days(city: Connection) -> None:
    land_changes.split(city, "p-00", _line(7), Order(DAY))
    with pytest.raises(NotFound, match="p-00 on 2021-01-01; it is registered for 2009-03-01 to 2020-05-01"):
        lineage.parcel_at(city, "p-00", date(2021, 1, 1))
    with pytest.raises(NotFound, match="no parcel nobody"):
        lineage.history(city, "nobody")


def test_outlines_off_the_grid_come_onto_it_with_their_neighbours(writer: Connection) -> None:
    """An import may hold more decimals; a change draws the parcel and the neighbours' common points to the grid."""
    shifted = {uid: shapely.transform(polygon, lambda xy: xy + 0.00037) for uid, polygon in lots(turn=0.3).items()}
    register(writer, shifted, ward_code=None)
    before = total(shifted.values())
    cut = LineString([place(10, -30, 0.3), place(10, 31, 0.3)])
    done = _done(land_changes.split(writer, "p-00", cut, Order(DAY)))
    assert {after.uid for _, after in done.draft.neighbours} == {"p-01", "p-10", "p-11"}
    after = _on(writer, DAY)
    pieces = [child.polygon for child in done.draft.children]
    beside = [after[uid] for uid in ("p-01", "p-10", "p-11")]
    assert shapely.coverage_is_valid([*pieces, *beside])
    assert abs(sum(polygon.area for polygon in after.values()) - before) < 0.2


def test_postgis_agrees_on_areas_unions_and_overlaps(city: Connection) -> None:
    line = LineString([place(3.333, -1), place(9.2, 13.7), place(4.1, 31)])
    pieces = _done(land_changes.split(city, "p-00", line, Order(DAY))).draft.children
    land_changes.adjust(city, ["p-01", "p-02"], LineString([place(38, -1), place(43, 31)]), Order(DAY))
    land_changes.merge(city, ["p-10", "p-11"], Order(DAY))
    for piece in pieces:
        found = city.scalar(text("SELECT ST_Area(geom) FROM parcel_version WHERE uid = :uid"), {"uid": piece.uid})
        assert found == pytest.approx(piece.area_measured, abs=1e-6)
    now = "SELECT * FROM parcel_version WHERE upper_inf(recorded) AND valid @> DATE '2020-05-01'"
    row = city.execute(
        text(
            f"WITH now AS ({now}) SELECT ST_Area(ST_Union(geom)), sum(ST_Area(geom)), "  # noqa: S608  of this test
            "ST_NumGeometries(ST_Multi(ST_Union(geom))), ST_NumInteriorRings(ST_Union(geom)), "
            "(SELECT count(*) FROM now a JOIN now b ON a.uid < b.uid AND ST_Overlaps(a.geom, b.geom)) FROM now"
        )
    ).one()
    assert row[:2] == (pytest.approx(5400.0, abs=0.05), pytest.approx(5400.0, abs=0.05))
    assert row[0] == pytest.approx(row[1], abs=1e-6)
    assert tuple(row[2:]) == (1, 0, 0)


def _overlapping(database: Database, begin: date = BEGIN) -> None:
    shape = Polygon([place(x, y) for x, y in ((19.9, 0), (39, 0), (39, 30), (19.9, 30))])
    with database.open(Role.WRITER) as connection:
        parcels.save(connection, [lot_row("over", shape, 77, begin)])


def test_the_database_itself_refuses_parcels_that_overlap(database: Database) -> None:
    with database.open(Role.WRITER) as connection:
        register(connection, {uid: lots()[uid] for uid in ("p-00",)})
        land_changes.split(connection, "p-00", _line(8), Order(DAY))
    with pytest.raises(Conflict, match=r"parcels over and p-00~?\d? overlap by 3\.000 m²"):
        _overlapping(database)
    with database.open(Role.WRITER) as connection:
        assert connection.scalar(text("SELECT count(*) FROM parcel WHERE uid = 'over'")) == 0
        # A millimetre is the grid's, not an overlap; and what was before or after is none.
        thin = Polygon([place(x, y) for x, y in ((19.999, 0), (39, 0), (39, 30), (19.999, 30))])
        parcels.save(connection, [lot_row("thin", thin, 78)])
        connection.rollback()
    with database.open(Role.WRITER) as connection:
        row: dict[str, Any] = lot_row("past", lots()["p-00"], 79)
        row["valid"] = type(row["valid"])(date(1990, 1, 1), BEGIN, "[)")
        parcels.save(connection, [row])


def test_the_writer_can_change_nothing_recorded(database: Database) -> None:
    with database.open(Role.WRITER) as connection:
        register(connection, {"p-00": lots()["p-00"]})
        land_changes.change_use(connection, ["p-00"], "CLN", Order(DAY))
    for statement in (
        "UPDATE parcel_version SET land_use = 'x'",
        "UPDATE parcel_version SET geom = geom",
        "UPDATE land_change SET legal_ref = 'x'",
        "DELETE FROM land_change",
        "UPDATE parcel_lineage SET area = 1",
        "DELETE FROM parcel_lineage",
    ):
        with pytest.raises(Exception, match="permission denied"), database.open(Role.WRITER) as connection:
            connection.execute(text(statement))


def test_points_of_three_parcels_meet(city: Connection) -> None:
    """A line to the corner of three lots uses that corner; no new point comes beside it."""
    line = LineString([place(5, -1), place(20.0003, 30.0002)])
    done = _done(land_changes.split(city, "p-00", line, Order(DAY)))
    corner = place(20, 30)
    assert all(corner in set(child.polygon.exterior.coords) for child in done.draft.children)
    assert done.draft.neighbours == ()
    assert sum(area(child.polygon) for child in done.draft.children) == 600.0

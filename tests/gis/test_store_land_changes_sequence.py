"""Two hundred random land changes in the store: the land stays whole, and no past answer ever changes."""

from __future__ import annotations

import graphlib
import random
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
import shapely
from shapely import Polygon
from sqlalchemy import Connection, text

from gis.access.roles import Role
from gis.errors import BadGeometry, BadInput, Conflict
from gis.land.draft import Part
from gis.land.topology import GRID
from gis.store import land_changes, lineage, parcels
from gis.store.database import Database
from gis.store.land_changes import Order
from gis.store.land_register import Recorded
from gis.store.schema import parcel_version
from gis.store.versions import at
from tests.gis.land_samples import BEGIN, adjoining, is_topology, lots, random_line, register, total

STEPS = 200
LAST = BEGIN + timedelta(days=4000)

Answer = tuple[tuple[str, int, str, str, str], ...]


def _answer(connection: Connection, day: date, known_at: datetime) -> Answer:
    """All the register says of a day as it was known at a moment, to the bit."""
    found = parcels.current(connection, day, known_at=known_at)
    said = found[["sheet_no", "parcel_no", "old_parcel_no", "land_use", "area_measured", "valid_from", "valid_to"]]
    return tuple(
        (uid, int(version), str(row), str(recorded), shape)
        for uid, version, row, recorded, shape in zip(
            found.uid,
            found.version,
            map(tuple, said.astype(str).to_numpy().tolist()),
            found.recorded_from,
            shapely.to_wkb(found.geom.to_numpy(), hex=True),
            strict=True,
        )
    )


def _now(connection: Connection) -> datetime:
    moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return moment


class Office:
    """Draws random changes and puts them through the store."""

    def __init__(self, database: Database, seed: int) -> None:
        self.database, self.chance = database, random.Random(seed)  # noqa: S311  for tests
        self.day = BEGIN
        self.done: list[Recorded] = []

    def outlines(self, connection: Connection, day: date) -> dict[str, Polygon]:
        found = lineage.parcels_where(connection, at(parcel_version, day))
        return {parcel.uid: parcel.polygon for parcel in found}

    def step(self) -> str | None:
        """One change; None where what was drawn is refused, which must leave everything as it was."""
        self.day += timedelta(days=self.chance.choice((0, 1, 30)))
        back = self.chance.random() < 0.15
        day = self.day - timedelta(days=self.chance.randint(1, 200)) if back else self.day
        kind = self.chance.choice(sorted(self.changes()))
        try:
            with self.database.open(Role.WRITER) as connection:
                outlines = self.outlines(connection, day)
                if not outlines:
                    return None
                done = self.changes()[kind](connection, outlines, Order(max(day, BEGIN)))
        except (BadGeometry, BadInput, Conflict):
            return None
        assert isinstance(done, Recorded)
        self.done.append(done)
        return kind

    def changes(self) -> dict[str, Callable[[Connection, dict[str, Polygon], Order], object]]:
        return {
            "split": self.split,
            "parts": self.parts,
            "merge": self.merge,
            "adjust": self.adjust,
            "undo": self.undo,
            "renumber": self.renumber,
            "use": self.use,
        }

    def split(self, connection: Connection, outlines: dict[str, Polygon], order: Order) -> object:
        # Of the larger ones, so that the land does not fall into crumbs.
        uid = max(self.chance.sample(sorted(outlines), min(3, len(outlines))), key=lambda name: outlines[name].area)
        return land_changes.split(connection, uid, random_line(self.chance, outlines[uid]), order)

    def parts(self, connection: Connection, outlines: dict[str, Polygon], order: Order) -> object:
        uid = self.chance.choice(sorted(outlines))
        west, south, east, north = outlines[uid].bounds
        where = self.chance.uniform(west, east)
        halves = [
            shapely.intersection(outlines[uid], shapely.box(*bounds), grid_size=GRID)
            for bounds in ((west - 1, south - 1, where, north + 1), (where, south - 1, east + 1, north + 1))
        ]
        parts = [Part(piece) for half in halves for piece in shapely.get_parts(half) if isinstance(piece, Polygon)]
        return land_changes.split(connection, uid, parts, order)

    def _pair(self, outlines: dict[str, Polygon]) -> list[str]:
        uid = min(self.chance.sample(sorted(outlines), min(3, len(outlines))), key=lambda name: outlines[name].area)
        beside = adjoining(outlines, uid)
        return [uid, self.chance.choice(beside)] if beside else [uid]

    def merge(self, connection: Connection, outlines: dict[str, Polygon], order: Order) -> object:
        return land_changes.merge(connection, self._pair(outlines), order)

    def adjust(self, connection: Connection, outlines: dict[str, Polygon], order: Order) -> object:
        pair = self._pair(outlines)
        both = shapely.union_all([outlines[uid] for uid in pair])
        return land_changes.adjust(connection, pair, random_line(self.chance, both), order)

    def undo(self, connection: Connection, outlines: dict[str, Polygon], order: Order) -> object:
        if not self.done:
            raise Conflict("nothing to undo")
        return land_changes.undo(connection, self.chance.choice(self.done[-12:]).change.id, order)

    def renumber(self, connection: Connection, outlines: dict[str, Polygon], order: Order) -> object:
        uid = self.chance.choice(sorted(outlines))
        return land_changes.renumber(connection, {uid: ("13", str(self.chance.randint(1, 10_000)))}, order)

    def use(self, connection: Connection, outlines: dict[str, Polygon], order: Order) -> object:
        return land_changes.change_use(
            connection, [self.chance.choice(sorted(outlines))], self.chance.choice(("ODT", "CLN", "TMD")), order
        )


def _check_lineage_is_acyclic(connection: Connection) -> None:
    """Versions in order of birth: what a version came from, and the version before it."""
    graph: dict[tuple[str, int], set[tuple[str, int]]] = {}
    rows = connection.execute(text("SELECT parent_uid, parent_version, child_uid, child_version FROM parcel_lineage"))
    for parent_uid, parent_version, child_uid, child_version in rows:
        graph.setdefault((child_uid, child_version), set()).add((parent_uid, parent_version))
    for uid, version in connection.execute(text("SELECT uid, version FROM parcel_version WHERE version > 1")):
        graph.setdefault((uid, version), set()).add((uid, version - 1))
    assert list(graphlib.TopologicalSorter(graph).static_order())


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1836])
def test_two_hundred_random_changes_keep_the_land_and_every_past_answer(
    make_database: Callable[..., Database], seed: int
) -> None:
    database = make_database()
    before = lots(turn=0.4)
    with database.open(Role.WRITER) as connection:
        register(connection, before, ward_code=None)
    office = Office(database, seed)
    told: dict[tuple[date, datetime], Answer] = {}
    outline = shapely.coverage_union_all(list(before.values())).boundary
    kinds: Counter[str] = Counter()
    changed = 0.0
    while len(office.done) < STEPS:
        kind = office.step()
        if kind is None:
            continue
        kinds[kind] += 1
        done = office.done[-1]
        assert abs(done.change.difference) <= GRID * sum(p.polygon.length for p in done.draft.parents)
        with database.open(Role.READER) as connection:
            now = list(office.outlines(connection, LAST).values())
            assert is_topology(now), kind
            whole = shapely.coverage_union_all(now)
            assert whole.area == pytest.approx(total(now), abs=1e-6)
            assert shapely.hausdorff_distance(whole.boundary, outline) < 0.003
            moment = _now(connection)
            day = office.day - timedelta(days=office.chance.choice((0, 1, 3, 400)))
            told[day, moment] = _answer(connection, day, moment)
        changed = total(now) - total(before.values())
        assert abs(changed) <= GRID * outline.length
    assert len(kinds) == len(office.changes()), kinds
    with database.open(Role.READER) as connection:
        for (day, moment), answer in told.items():
            assert _answer(connection, day, moment) == answer, (day, moment)
            assert day < BEGIN or is_topology([shapely.from_wkb(shape) for *_, shape in answer]), (day, moment)
        _check_lineage_is_acyclic(connection)
        wrong = connection.scalar(
            text(
                "SELECT count(*) FROM parcel_version a JOIN parcel_version b ON a.uid < b.uid AND a.geom && b.geom "
                "AND a.valid && b.valid AND a.recorded && b.recorded AND ST_Relate(a.geom, b.geom, '2********')"
            )
        )
        assert wrong == 0


def test_refused_changes_leave_nothing(database: Database) -> None:
    with database.open(Role.WRITER) as connection:
        register(connection, lots())

    def two_changes() -> None:
        with database.open(Role.WRITER) as connection:
            land_changes.change_use(connection, ["p-00"], "CLN", Order(date(2020, 1, 1)))
            land_changes.merge(connection, ["p-00", "p-22"], Order(date(2020, 1, 1)))

    with pytest.raises(BadGeometry, match="do not adjoin"):
        two_changes()
    with database.open(Role.READER) as connection:
        assert connection.scalar(text("SELECT count(*) FROM land_change")) == 0
        assert set(parcels.current(connection).land_use) == {"ODT"}

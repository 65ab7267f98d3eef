"""A tile's buildings: saved once or twice or after a kill, the register is the same."""

from __future__ import annotations

import dataclasses
import math
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from shapely import Polygon
from sqlalchemy import Connection, Text, cast, select, text

from gis.access.roles import Role
from gis.bounds import BoundingBox
from gis.city_model.building import Building, Solid
from gis.crs import normalise
from gis.errors import BadGeometry, BadInput, NotFound
from gis.store import buildings, catalog, runs
from gis.store.catalog import PointProduct, RasterProduct
from gis.store.database import Database
from gis.store.schema import building_version
from gis.store.versions import Saved
from tests.gis.city_model import roof_samples
from tests.gis.store_samples import EAST, NORTH, building

EPOCH = "2014"
BOUNDS = BoundingBox(EAST, NORTH, EAST + 100, NORTH + 100, normalise(9210))


def _plan(
    connection: Connection, keys: tuple[str, ...] = ("t1", "t2"), epoch: str = EPOCH, input_hash: str = "h"
) -> None:
    catalog.save_campaign(connection, epoch, date(int(epoch), 3, 1), date(int(epoch), 4, 15))
    runs.plan(connection, epoch, [runs.PlannedTile(key, BOUNDS, input_hash) for key in keys])


def _save(connection: Connection, houses: list[Building], key: str = "t1", epoch: str = EPOCH) -> Saved:
    return runs.save_tile(
        connection,
        key,
        epoch,
        rasters=[RasterProduct("dtm", f"rasters/{key}.tif", "0" * 64, 0.5, BOUNDS)],
        points=PointProduct(f"points/{key}.laz", "1" * 64, 1000, BOUNDS, {2: 600, 6: 400}),
        buildings=houses,
        statistics={"buildings": len(houses)},
    )


def _rows(connection: Connection) -> list[Any]:
    """All of the register of buildings, as text, but the recorded times."""
    columns = [cast(column, Text) for column in building_version.columns if column.name != "recorded"]
    order = [building_version.c[name] for name in ("uid", "epoch", "version")]
    return [tuple(row) for row in connection.execute(select(*columns).order_by(*order))]


def test_saving_again_the_same_changes_nothing(writer: Connection) -> None:
    _plan(writer)
    houses = [building(n, solid=n != 3) for n in range(8)]
    first = _save(writer, houses)
    before = writer.execute(text("SELECT uid, version, recorded FROM building_version ORDER BY 1")).all()
    second = _save(writer, houses[::-1])
    assert first.counts == {"added": 8, "closed": 0, "unchanged": 0}
    assert second.counts == {"added": 0, "closed": 0, "unchanged": 8}
    assert writer.execute(text("SELECT uid, version, recorded FROM building_version ORDER BY 1")).all() == before


def test_other_content_closes_the_old_versions_and_keeps_them(writer: Connection) -> None:
    _plan(writer)
    _save(writer, [building(n) for n in range(4)])
    saved = _save(writer, [building(0), building(1, height=12.0), building(4)])
    assert saved.counts == {"added": 2, "closed": 3, "unchanged": 1}
    now = buildings.current(writer, EPOCH)
    assert now.uid.tolist() == ["b-0000", "b-0001", "b-0004"]
    assert now.height.tolist() == [9.0, 12.0, 9.0]
    assert writer.scalar(text("SELECT count(*) FROM building_version")) == 6


def test_a_building_that_moves_to_another_tile_stays_one(writer: Connection) -> None:
    _plan(writer)
    _save(writer, [building(0), building(1)], "t1")
    _save(writer, [building(1), building(2)], "t2")
    assert buildings.current(writer, EPOCH).tile_key.tolist() == ["t1", "t2", "t2"]


def test_a_later_campaign_is_kept_beside_the_earlier(writer: Connection) -> None:
    for epoch, height in (("2024", 15.0), ("2014", 9.0)):
        _plan(writer, epoch=epoch)
        _save(writer, [building(0, height=height)], epoch=epoch)
    assert buildings.of_day(writer).height.tolist() == [15.0]
    assert buildings.of_day(writer, date(2020, 1, 1)).height.tolist() == [9.0]
    assert buildings.of_day(writer, date(2013, 1, 1)).empty
    assert buildings.current(writer, "2014").height.tolist() == [9.0]


def test_a_building_comes_back_as_it_was_measured(writer: Connection) -> None:
    _plan(writer)
    house, flat = building(0), building(1, solid=False)
    _save(writer, [house, flat])
    found = buildings.current(writer, EPOCH).set_index("uid")
    for one in (house, flat):
        row = found.loc[one.uid]
        assert row.footprint.equals_exact(one.footprint, 0)
        for field in dataclasses.fields(one):
            if field.name in {"uid", "footprint", "solid", "coarser"}:
                continue
            expected, actual = getattr(one, field.name), row[field.name]
            both_unknown = isinstance(expected, float) and math.isnan(expected) and math.isnan(actual)
            assert both_unknown or actual == expected, field.name
    ((uid, solid),) = list(buildings.solids(writer, EPOCH))
    assert uid == house.uid
    assert house.solid is not None
    assert sorted(map(tuple, solid.vertices)) == sorted(map(tuple, house.solid.vertices))
    assert list(buildings.solids(writer, EPOCH, ["b-0001"])) == []


def _corners(solid: Solid) -> list[list[list[list[float]]]]:
    return [[solid.vertices[list(ring)].tolist() for ring in face.rings] for face in solid.faces]


def test_every_model_is_kept_with_its_semantics_and_shown_as_a_closed_surface(writer: Connection) -> None:
    _plan(writer)
    houses = [house for house in roof_samples.houses() if house.uid.startswith(("hip", "nothing"))]
    _save(writer, houses)
    found = dict(buildings.models(writer, EPOCH))
    assert sorted(found) == [house.uid for house in houses]
    for house in houses:
        assert list(found[house.uid]) == list(house.models)
        for lod, solid in house.models.items():
            assert _corners(found[house.uid][lod]) == _corners(solid)
            assert [f.surface for f in found[house.uid][lod].faces] == [f.surface for f in solid.faces]
    rows = writer.execute(
        text("SELECT uid, lod, ST_IsClosed(solid), ST_SRID(solid) FROM current_building_model ORDER BY 1, 2")
    ).all()
    assert [tuple(row) for row in rows] == [("hip roof 1", lod, True, 9210) for lod in ("1.2", "1.3", "2.2")]


def test_other_coarser_models_are_another_version(writer: Connection) -> None:
    _plan(writer)
    (house, *_) = roof_samples.houses()
    _save(writer, [house])
    assert _save(writer, [house]).counts == {"added": 0, "closed": 0, "unchanged": 1}
    fewer = dataclasses.replace(house, coarser={"1.2": house.coarser["1.2"]})
    assert _save(writer, [fewer]).counts == {"added": 1, "closed": 1, "unchanged": 0}
    assert list(dict(buildings.models(writer, EPOCH))[house.uid]) == ["1.2", "2.2"]


def test_bounds_select_by_place_in_any_crs(writer: Connection) -> None:
    _plan(writer)
    _save(writer, [building(n) for n in range(10)])
    box = BoundingBox(EAST + 12.1, NORTH + 1, EAST + 19, NORTH + 2, normalise(9210))
    assert buildings.current(writer, EPOCH, bounds=box).uid.tolist() == ["b-0002", "b-0003"]
    assert {"b-0002", "b-0003"} <= set(buildings.current(writer, EPOCH, bounds=box.to(4326)).uid)


def test_a_bad_footprint_saves_nothing_of_the_tile(database: Database) -> None:
    with database.open(Role.WRITER) as connection:
        _plan(connection)
    crossed = Polygon([(EAST, NORTH), (EAST + 1, NORTH + 1), (EAST + 1, NORTH), (EAST, NORTH + 1)])
    bad = dataclasses.replace(building(1), footprint=crossed)
    with pytest.raises(BadGeometry, match="building b-0001"):
        _save_committed(database, [building(0), bad])
    with pytest.raises(BadInput, match="occurs twice"):
        _save_committed(database, [building(0), building(0)])
    with database.open(Role.READER) as connection:
        assert buildings.current(connection, EPOCH).empty
        assert catalog.rasters(connection, EPOCH).empty
        assert runs.states(connection, EPOCH)["t1"].state is runs.State.PENDING


def _save_committed(database: Database, houses: list[Building]) -> None:
    with database.open(Role.WRITER) as connection:
        _save(connection, houses)


def test_an_unplanned_tile_is_refused(writer: Connection) -> None:
    with pytest.raises(NotFound, match="no planned tile t9 of 2014"):
        _save(writer, [building(0)], "t9")


WORKER = """
import sys, time
from gis.access.roles import Role
from gis.settings import Settings
from gis.store.database import Database
from tests.gis.test_store_buildings import build_all
settings = Settings.from_environment()
build_all(Database.of(settings.city(sys.argv[1]), settings), pause=True)
"""


def build_all(database: Database, *, pause: bool = False) -> None:
    """Build four tiles as a build command does; with a pause, say so in the midst of the third and wait."""
    keys = ("t1", "t2", "t3", "t4")
    with database.open(Role.WRITER) as connection:
        _plan(connection, keys)
    for number, key in enumerate(keys):
        with database.open(Role.WRITER) as connection:
            if not runs.claim(connection, key, EPOCH):
                continue
        with database.open(Role.WRITER) as connection:
            _save(connection, [building(10 * number + n, height=6.0 + n) for n in range(10)], key)
            if pause and key == "t3":
                print("in the midst", flush=True)  # noqa: T201
                sys.stdin.read()


def test_a_build_that_is_killed_and_resumed_equals_an_undisturbed_one(make_database: Callable[..., Database]) -> None:
    undisturbed, disturbed = make_database(), make_database()
    build_all(undisturbed)
    environment = {**os.environ, "DIABA_HOME": str(disturbed.city.folder.parent.parent)}
    disturbed.city.save()
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, disturbed.city.name],
        env=environment,
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"in the midst\n"
        worker.kill()
    with disturbed.open(Role.READER) as connection:
        states = runs.states(connection, EPOCH)
        assert [state.state.value for state in states.values()] == ["done", "done", "running", "pending"]
        assert len(buildings.current(connection, EPOCH)) == 20
    build_all(disturbed)
    found = []
    for database in (undisturbed, disturbed):
        with database.open(Role.READER) as connection:
            products = catalog.rasters(connection, EPOCH), catalog.points(connection, EPOCH)
            found.append((_rows(connection), [frame.to_json() for frame in products]))
    assert found[0] == found[1]
    assert len(found[0][0]) == 40

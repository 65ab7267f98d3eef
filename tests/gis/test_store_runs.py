"""Where a build stands, and the catalogue of files beside it."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import Connection

from gis.bounds import BoundingBox
from gis.crs import normalise
from gis.errors import Conflict, NotFound
from gis.store import catalog, runs
from gis.store.catalog import LidarTile, PointProduct, RasterProduct
from gis.store.runs import PlannedTile, State
from tests.gis.store_samples import EAST, NORTH

EPOCH = "2014"


def _bounds(column: int) -> BoundingBox:
    return BoundingBox(EAST + 100 * column, NORTH, EAST + 100 * column + 100, NORTH + 100, normalise(9210))


@pytest.fixture
def planned(writer: Connection) -> Connection:
    catalog.save_campaign(writer, EPOCH, date(2014, 3, 1), date(2014, 4, 15), "dry season")
    assert runs.plan(writer, EPOCH, [PlannedTile(f"t{n}", _bounds(n), "h1") for n in range(3)]) == ["t0", "t1", "t2"]
    return writer


def test_a_tile_goes_from_pending_through_running_to_done(planned: Connection) -> None:
    assert runs.states(planned, EPOCH)["t0"].state is State.PENDING
    assert runs.claim(planned, "t0", EPOCH)
    assert runs.states(planned, EPOCH)["t0"].state is State.RUNNING
    runs.finish(planned, "t0", EPOCH, {"points": 12, "rmse": float("nan")})
    state = runs.states(planned, EPOCH)["t0"]
    assert state.state is State.DONE
    assert state.statistics == {"points": 12, "rmse": None}
    assert state.started_at is not None
    assert state.finished_at is not None
    assert not runs.claim(planned, "t0", EPOCH)


def test_a_tile_left_running_or_failed_may_be_claimed_again(planned: Connection) -> None:
    assert runs.claim(planned, "t0", EPOCH)
    assert runs.claim(planned, "t0", EPOCH)
    runs.fail(planned, "t0", EPOCH, "no points")
    assert runs.states(planned, EPOCH)["t0"].reason == "no points"
    assert runs.claim(planned, "t0", EPOCH)
    assert runs.states(planned, EPOCH)["t0"].reason is None


def test_planning_again_keeps_what_is_done_and_reopens_what_changed(planned: Connection) -> None:
    for key in ("t0", "t1"):
        runs.finish(planned, key, EPOCH, {})
    tiles = [
        PlannedTile("t0", _bounds(0), "h1"),
        PlannedTile("t1", _bounds(1), "h2"),
        PlannedTile("t3", _bounds(3), "h1"),
    ]
    assert runs.plan(planned, EPOCH, tiles) == ["t1", "t3"]
    assert runs.plan(planned, EPOCH, []) == []


@pytest.mark.parametrize(
    "act", [runs.claim, lambda c, k, e: runs.fail(c, k, e, "x"), lambda c, k, e: runs.finish(c, k, e, {})]
)
def test_an_unknown_tile_is_said(planned: Connection, act: object) -> None:
    with pytest.raises(NotFound, match="no planned tile t9 of 2014"):
        act(planned, "t9", EPOCH)  # type: ignore[operator]


def test_campaigns_are_told_more_of_and_never_less(planned: Connection) -> None:
    catalog.save_campaign(planned, EPOCH)
    catalog.save_campaign(planned, EPOCH, note="wet season")
    (row,) = catalog.campaigns(planned).to_dict("records")
    assert (row["epoch"], row["flown_from"].date(), row["note"]) == (EPOCH, date(2014, 3, 1), "wet season")


def test_files_are_known_by_their_content_and_found_by_place(planned: Connection) -> None:
    tiles = [
        LidarTile(f"{n}" * 64, f"lidar/{n}.laz", 10 * n, "EPSG:9210+5727", _bounds(n), 8.0, {2: n}) for n in range(3)
    ]
    assert catalog.save_tiles(planned, EPOCH, tiles) == 3
    assert catalog.save_tiles(planned, EPOCH, tiles[::-1]) == 0
    found = catalog.tiles(planned, EPOCH)
    assert found.path.tolist() == ["lidar/0.laz", "lidar/1.laz", "lidar/2.laz"]
    assert found.extent.iloc[1].equals(_bounds(1).polygon)
    assert found.classes.iloc[2] == {"2": 2}
    inside = BoundingBox(EAST + 110, NORTH + 10, EAST + 120, NORTH + 20, normalise(9210))
    assert catalog.tiles(planned, EPOCH, inside).path.tolist() == ["lidar/1.laz"]
    catalog.save_campaign(planned, "2024")
    with pytest.raises(Conflict, match="belongs to the campaign 2014"):
        catalog.save_tiles(planned, "2024", tiles[:1])


def test_products_of_a_tile_are_replaced_as_one(planned: Connection) -> None:
    dtm, dsm = (RasterProduct(kind, f"{kind}.tif", "a" * 64, 0.5, _bounds(0)) for kind in ("dtm", "dsm"))
    points = PointProduct("t0.laz", "b" * 64, 5, _bounds(0), {6: 5})
    catalog.save_products(planned, "t0", EPOCH, [dtm, dsm], points)
    assert catalog.rasters(planned, EPOCH)["product"].tolist() == ["dsm", "dtm"]
    assert catalog.points(planned, EPOCH).path.tolist() == ["t0.laz"]
    catalog.save_products(planned, "t0", EPOCH, [dtm], None)
    assert catalog.rasters(planned, EPOCH)["product"].tolist() == ["dtm"]
    assert catalog.rasters(planned, EPOCH, "dsm").empty
    assert catalog.points(planned, EPOCH).empty

"""Where a build stands: the state of each tile, and a tile's result saved in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert

from gis import crs as reference
from gis.bounds import BoundingBox
from gis.city_model.building import Building
from gis.errors import NotFound
from gis.store import buildings as building_register
from gis.store import catalog
from gis.store.catalog import PointProduct, RasterProduct
from gis.store.geometry import box, city_crs
from gis.store.schema import build_tile
from gis.store.versions import Saved, plain


class State(StrEnum):
    """Of a tile."""

    PENDING = "pending"
    RUNNING = "running"
    """Claimed; also what a killed build leaves, which may be claimed again."""
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class TileState:
    """Where a tile stands."""

    tile_key: str
    state: State
    input_hash: str
    """Digest of what the result depends on: files, parameters, versions."""
    reason: str | None
    """Why it failed."""
    statistics: Mapping[str, Any]
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class PlannedTile:
    """A tile to build."""

    tile_key: str
    bounds: BoundingBox
    input_hash: str


def plan(connection: Connection, epoch: str, tiles: Iterable[PlannedTile]) -> list[str]:
    """Make the tiles known and return the keys of those to build: all that are not done with this very input.

    A done tile whose input changed becomes pending; what it had saved stays until it is saved again.
    """
    flat = reference.horizontal(city_crs(connection))
    srid = reference.srid(flat)
    wanted = sorted(tiles, key=lambda tile: tile.tile_key)
    if not wanted:
        return []
    new = insert(build_tile)
    reset = {
        "input_hash": new.excluded.input_hash,
        "extent": new.excluded.extent,
        "state": State.PENDING.value,
        "reason": None,
        "started_at": None,
        "finished_at": None,
    }
    connection.execute(
        new.on_conflict_do_update(
            index_elements=["tile_key", "epoch"],
            set_=reset,
            where=build_tile.c.input_hash != new.excluded.input_hash,
        ),
        [
            {
                "tile_key": tile.tile_key,
                "epoch": epoch,
                "extent": box(tile.bounds.to(flat), srid),
                "input_hash": tile.input_hash,
                "state": State.PENDING.value,
                "statistics": {},
            }
            for tile in wanted
        ],
    )
    known = states(connection, epoch)
    return [tile.tile_key for tile in wanted if known[tile.tile_key].state is not State.DONE]


def states(connection: Connection, epoch: str) -> dict[str, TileState]:
    """The state of each tile of an epoch, by key."""
    table = build_tile
    columns = (table.c[name] for name in TileState.__dataclass_fields__)
    rows = connection.execute(select(*columns).where(table.c.epoch == epoch).order_by(table.c.tile_key))
    return {row[0]: TileState(row[0], State(row[1]), *row[2:]) for row in rows}


def reopen(connection: Connection, epoch: str, tile_keys: Iterable[str]) -> None:
    """Make done tiles pending again, whose files were lost; what they had saved stays until it is saved again."""
    changed = update(build_tile).where(build_tile.c.epoch == epoch, build_tile.c.tile_key.in_(list(tile_keys)))
    connection.execute(changed.values(state=State.PENDING, started_at=None, finished_at=None))


def claim(connection: Connection, tile_key: str, epoch: str) -> bool:
    """Mark a tile as running. Returns False when it is done already, so that its work can be spared.

    A running tile may be claimed again, for the build that ran it may be dead; building it twice changes nothing.

    Raises:
        NotFound: the tile was not planned.
    """
    changed = connection.execute(
        update(build_tile)
        .where(*_is(tile_key, epoch), build_tile.c.state != State.DONE)
        .values(state=State.RUNNING, reason=None, started_at=func.now(), finished_at=None)
    )
    return changed.rowcount == 1 or not _must_exist(connection, tile_key, epoch)


def finish(connection: Connection, tile_key: str, epoch: str, statistics: Mapping[str, Any]) -> None:
    """Mark a tile as done.

    Raises:
        NotFound: the tile was not planned.
    """
    values = {"state": State.DONE, "reason": None, "statistics": plain(statistics), "finished_at": func.now()}
    _set(connection, tile_key, epoch, values)


def fail(connection: Connection, tile_key: str, epoch: str, reason: str) -> None:
    """Mark a tile as failed, with the reason in one line; what it had saved before stays.

    Raises:
        NotFound: the tile was not planned.
    """
    _set(connection, tile_key, epoch, {"state": State.FAILED, "reason": reason, "finished_at": func.now()})


def save_tile(
    connection: Connection,
    tile_key: str,
    epoch: str,
    *,
    rasters: Sequence[RasterProduct],
    points: PointProduct | None,
    buildings: Sequence[Building],
    statistics: Mapping[str, Any],
    source: str = "lidar",
) -> Saved:
    """Save what a tile came to: its files, its buildings, its state; all of it in the caller's one transaction.

    Saving the same again changes nothing in the register of buildings. The files must be in place before.

    Returns:
        What changed in the register of buildings.

    Raises:
        NotFound: the tile was not planned.
        BadGeometry: a building's footprint is no valid polygon.
    """
    finish(connection, tile_key, epoch, statistics)
    catalog.save_products(connection, tile_key, epoch, rasters, points)
    return building_register.save(connection, tile_key, epoch, buildings, source=source)


def _set(connection: Connection, tile_key: str, epoch: str, values: Mapping[str, Any]) -> None:
    changed = connection.execute(update(build_tile).where(*_is(tile_key, epoch)).values(values))
    if changed.rowcount == 0:
        raise NotFound("planned tile", f"{tile_key} of {epoch}")


def _is(tile_key: str, epoch: str) -> tuple[Any, Any]:
    return (build_tile.c.tile_key == tile_key, build_tile.c.epoch == epoch)


def _must_exist(connection: Connection, tile_key: str, epoch: str) -> bool:
    if connection.scalar(select(build_tile.c.state).where(*_is(tile_key, epoch))) is None:
        raise NotFound("planned tile", f"{tile_key} of {epoch}")
    return True

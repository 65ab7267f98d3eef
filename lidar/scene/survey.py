"""The flight written down: points sorted into tiles, each written when no later strip can reach it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS
from shapely import box

from lidar.point_cloud import Class
from lidar.scene.recipe import Extent
from lidar.scene.rows import FLIGHT_DAY
from lidar.scene.scanner import Flight, Returns
from lidar.write import SCALE, write_laz

Key = tuple[int, int]
"""Row from the south and column from the west of a tile."""
WRITERS = 2


@dataclass(frozen=True, slots=True)
class Flown:
    """What the flight brought home."""

    pulses: int
    points: int
    strips: int
    tiles: tuple[str, ...]
    classes: dict[str, int]
    """Points by true class."""


def fly(
    flight: Flight,
    extent: Extent,
    out: Path,
    crs: CRS,
    advance: Callable[[int, int], None],
    flown_on: date = FLIGHT_DAY,
) -> Flown:
    """Fly all strips and write `lidar/*.laz` and `truth/points/*.laz`.

    Memory holds the tiles that a later strip may still reach, so it grows with the swath, not with the scene.
    """
    per_side = round(extent.size_m / extent.tile_m)
    last = _last_strips(flight, extent, per_side)
    held: dict[Key, list[Returns]] = {key: [] for key in last}
    done, names, writes = 0, [], list[Future[None]]()
    classes = np.zeros(256, dtype=np.int64)
    with ThreadPoolExecutor(WRITERS) as pool:
        for k, strip in enumerate(flight.strips):
            for pulses, returns in flight.returns_of(strip):
                _sort_into(held, returns, extent.tile_m, per_side)
                done += pulses
                advance(done, flight.total_pulses)
            for key in [key for key in held if last[key] <= k]:
                parts = held.pop(key)
                if not parts:
                    continue
                tile = Returns.joined(parts)
                classes += np.bincount(tile.classes, minlength=256)
                names.append(_name(key, extent))
                truth = tile.cloud(extent.origin_m, crs)
                measured = truth.with_classification(np.zeros_like(truth.classification))
                writes.append(pool.submit(write_laz, measured, out / "lidar" / names[-1], created=flown_on))
                writes.append(pool.submit(write_laz, truth, out / "truth" / "points" / names[-1], created=flown_on))
            for write in writes:
                write.result()
            writes.clear()
    counts = {Class(code).name.lower(): int(n) for code, n in enumerate(classes) if n}
    return Flown(done, int(classes.sum()), len(flight.strips), tuple(sorted(names)), counts)


def _last_strips(flight: Flight, extent: Extent, per_side: int) -> dict[Key, int]:
    """The last strip that reaches each tile."""
    covers = [strip.covers() for strip in flight.strips]
    side = extent.tile_m
    last = {}
    for row in range(per_side):
        for column in range(per_side):
            shape = box(column * side, row * side, (column + 1) * side, (row + 1) * side)
            last[(row, column)] = max((k for k, area in enumerate(covers) if area.intersects(shape)), default=0)
    return last


def _name(key: Key, extent: Extent) -> str:
    """After the tile's south-west corner."""
    row, column = key
    east, north = extent.origin_m[0] + column * extent.tile_m, extent.origin_m[1] + row * extent.tile_m
    return f"tile_{round(east)}_{round(north)}.laz"


def _sort_into(held: dict[Key, list[Returns]], returns: Returns, side: float, per_side: int) -> None:
    """Tiles are half-open, by the position that will be written."""
    units = np.round(returns.xyz[:, :2] / SCALE).astype(np.int64)
    place: NDArray[np.int64] = np.clip(units // round(side / SCALE), 0, per_side - 1)
    index = place[:, 1] * per_side + place[:, 0]
    for value in np.unique(index):
        held[(int(value) // per_side, int(value) % per_side)].append(returns.chosen(index == value))

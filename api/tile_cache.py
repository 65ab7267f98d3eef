"""Tiles kept in memory until what they show changes: by scope and moment, never older than the register."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from threading import Lock

from api.encodings import Body
from gis.bounds import BoundingBox
from gis.crs import WEB_MERCATOR, normalise
from gis.errors import BadParameter
from gis.store.changes import Change
from gis.store.collections import Moment
from gis.store.tiles import EXTENT
from gis.tile_grid import WEB, TileGrid

OVERHEAD = 1_000
"""Bytes a kept tile takes besides its body, about."""
REMEMBERED = 1_000
"""Changes a tile is held against that was read from the store while they were told."""


@dataclass(frozen=True, slots=True)
class TileKey:
    """Which tile, of when, for whom."""

    scope: str
    """`caller().scope_key`: what one may see another may not."""
    grid: TileGrid
    z: int
    x: int
    y: int
    layers: tuple[str, ...]
    moment: Moment
    day: date
    """Today: the city as it is changes at midnight without a commit."""


@dataclass(slots=True)
class KeptTile:
    """An answer, and what makes it old."""

    body: Body
    left_out: Mapping[str, int]
    changes: frozenset[str]
    """What of `diaba.change` its layers depend on."""
    reach: BoundingBox
    """The tile with its buffer, in the grid's CRS."""
    size: int = 0


class TileCache:
    """Tiles by key, those not asked for longest go first. Nothing is kept or given unless changes are being heard."""

    def __init__(self, bytes_most: int, buffer: int = 64) -> None:
        self.bytes_most, self.bytes = bytes_most, 0
        self.margin = buffer / EXTENT
        self.hits, self.misses, self.dropped = 0, 0, 0
        self._tiles: OrderedDict[TileKey, KeptTile] = OrderedDict()
        self._places: dict[tuple[str, int], dict[tuple[int, int], set[TileKey]]] = defaultdict(dict)
        self._grids: dict[str, TileGrid] = {}
        self._told = 0
        self._recent: deque[tuple[int, Change]] = deque(maxlen=REMEMBERED)
        self._hears = False
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._tiles)

    @property
    def told(self) -> int:
        """Counts what was told; taken before a tile is read from the store and given to `put`."""
        return self._told

    def get(self, key: TileKey) -> KeptTile | None:
        """The tile, if it is kept."""
        with self._lock:
            kept = self._tiles.get(key)
            if kept is None:
                self.misses += 1
                return None
            self.hits += 1
            self._tiles.move_to_end(key)
            self._weigh(kept)
            return kept

    def put(self, key: TileKey, tile: KeptTile, told: int) -> None:
        """Keep a tile, unless something it shows has changed since `told`, or nobody would say so."""
        with self._lock:
            if not self._hears or self._is_late(key, tile, told):
                return
            if (old := self._tiles.pop(key, None)) is not None:
                self.bytes -= old.size
            self._tiles[key] = tile
            self._grids[key.grid.id] = key.grid
            self._places[key.grid.id, key.z].setdefault((key.x, key.y), set()).add(key)
            tile.size = 0
            self._weigh(tile)

    def hear(self, change: Change) -> int:
        """Drop what a change makes old; how many tiles those were."""
        with self._lock:
            self._told += 1
            self._recent.append((self._told, change))
            old = [key for key in self._near(change) if change.collection in self._tiles[key].changes]
            for key in old:
                self._drop(key)
            self.dropped += len(old)
            return len(old)

    def forget(self, *, hears: bool) -> None:
        """Drop everything: changes may have been missed. Without `hears` nothing is kept until it is called again."""
        with self._lock:
            self._told += REMEMBERED
            self._recent.clear()
            self._hears = hears
            self.dropped += len(self._tiles)
            self._tiles.clear()
            self._places.clear()
            self.bytes = 0

    def _is_late(self, key: TileKey, tile: KeptTile, told: int) -> bool:
        if self._told - told >= REMEMBERED:
            return True
        missed = (change for number, change in self._recent if number > told)
        return any(
            change.collection in tile.changes and any(tile.reach.intersects(box) for box in _in_grid(change, key.grid))
            for change in missed
        )

    def _near(self, change: Change) -> Iterator[TileKey]:
        """Keys of the tiles a change touches."""
        found: set[TileKey] = set()
        for (name, z), places in self._places.items():
            grid = self._grids[name]
            for box in _in_grid(change, grid):
                # A tile shows what lies around it, too.
                around = box.buffered(grid.side / 2**z * self.margin + 1.0)
                first, last, top, bottom = grid.columns_and_rows(z, around)
                if (last - first + 1) * (bottom - top + 1) <= len(places):
                    asked = ((x, y) for x in range(first, last + 1) for y in range(top, bottom + 1))
                    for place in asked:
                        found |= places.get(place, set())
                else:
                    for (x, y), keys in places.items():
                        if first <= x <= last and top <= y <= bottom:
                            found |= keys
        return iter(found)

    def _weigh(self, tile: KeptTile) -> None:
        size = tile.body.size + OVERHEAD
        self.bytes += size - tile.size
        tile.size = size
        while self.bytes > self.bytes_most and self._tiles:
            self._drop(next(iter(self._tiles)))

    def _drop(self, key: TileKey) -> None:
        self.bytes -= self._tiles.pop(key).size
        places = self._places[key.grid.id, key.z]
        keys = places[key.x, key.y]
        keys.discard(key)
        if not keys:
            del places[key.x, key.y]


_WEB = normalise(WEB_MERCATOR)


def _in_grid(change: Change, grid: TileGrid) -> Iterator[BoundingBox]:
    """A change's boxes in the CRS of a grid; all of the grid where a box cannot be brought there."""
    for edges in change.boxes:
        box = BoundingBox(*edges, crs=_WEB)
        if grid is WEB:
            yield box
            continue
        try:
            yield box.to(grid.crs)
        except BadParameter:
            yield grid.bounds(0, 0, 0)

"""Vector tiles straight from the store: PostGIS clips and encodes them (Mapbox Vector Tile 2.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from pyproj import CRS
from sqlalchemy import Connection, TextClause, text

from gis.bounds import BoundingBox
from gis.crs import WEB_MERCATOR, horizontal, srid
from gis.store.changes import REACHES, Reach, reaches_of
from gis.store.collections import NOW, Moment
from gis.store.tile_layers import GENERALISED_BELOW, LAYERS, LAYERS_THEN, Layer
from gis.tile_grid import WEB, TileGrid, lies_beside

EXTENT = 4096
"""Units of a tile's grid."""
CLEAR_UNITS = 2.0
"""Of the tile's grid: a clearance on the ground that is enough, for a metre of Web Mercator is at most one there."""
UNITS_PER_PIXEL = EXTENT / 512
"""Maps draw a vector tile over 512 of their dots."""


@dataclass(frozen=True, slots=True)
class TileQuery:
    """Which tile of which grid, with what in it."""

    z: int
    x: int
    y: int
    layers: Sequence[str] = tuple(LAYERS)
    moment: Moment = NOW
    buffer: int = 64
    """Units of the tile's grid around the tile."""
    features_most: int = 20_000
    """Of one layer."""
    grid: TileGrid = WEB

    @property
    def bounds(self) -> BoundingBox:
        """The tile's rectangle, in the grid's CRS."""
        return self.grid.bounds(self.z, self.x, self.y)

    @property
    def shown(self) -> tuple[Layer, ...]:
        """The layers there are at this zoom and moment."""
        known = LAYERS if self.moment == NOW else LAYERS_THEN
        zoom = self.grid.detail(self.z)
        return tuple(layer for layer in known.values() if layer.id in self.layers and layer.is_shown(zoom))


@dataclass(frozen=True, slots=True)
class VectorTile:
    """An encoded tile; no bytes where nothing is in it."""

    data: bytes
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Layer → how many of its features did not go in, the smallest of them, as it holds too many."""
    reaches: Mapping[str, Reach] = field(default_factory=dict)
    """Collection → how much of its changes the caller may know; of those of the tile's layers."""


def vector_tile(connection: Connection, city: CRS, query: TileQuery) -> VectorTile:
    """The tile, cut out of what the spatial index finds; equal content gives equal bytes."""
    layers = query.shown
    values = tile_values(city, query) if layers else None
    if values is None:
        return VectorTile(b"")
    differences, land, data, *counts = connection.execute(tile_statement(query, layers), values).one()
    known = reaches_of(differences, land)
    over = [layer for layer, count in zip(layers, counts, strict=True) if count > query.features_most]
    if not over:
        return VectorTile(bytes(data), reaches=known)
    return replace(_largest(connection, query, layers, over, values), reaches=known)


def hold_still(connection: Connection) -> None:
    """Make a transaction that has just begun see one state of the register, and plan each tile for its own place."""
    connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
    connection.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))
    connection.execute(text("SET LOCAL jit = off"))


def generalise(connection: Connection, *, everything: bool = False) -> int:
    """Make blocks, wards and built-up areas anew where the calendar alone has changed them, or all; how many cells.

    Changes of the registers need none of this: their transaction does it.

    Args:
        connection: A writer's transaction.
        everything: All cells of the city.
    """
    return int(
        connection.execute(text("SELECT diaba.generalise(:everything)"), {"everything": everything}).scalar_one()
    )


def tile_bounds(z: int, x: int, y: int) -> BoundingBox:
    """The rectangle of a tile of Web Mercator, metres."""
    return WEB.bounds(z, x, y)


def window_of(city: CRS, z: int, x: int, y: int, margin: float) -> BoundingBox | None:
    """Such a tile's rectangle in the city's CRS, grown by a share of its side; None where the city cannot be."""
    bounds = tile_bounds(z, x, y)
    bounds = bounds.buffered(bounds.width * margin)
    return None if lies_beside(bounds, city) else bounds.to(horizontal(city))


def tile_values(city: CRS, query: TileQuery) -> dict[str, object] | None:
    """What the statement binds: the tile, what is around it in both CRS, the time; None where the city cannot be."""
    bounds = query.bounds
    around = bounds.buffered(bounds.width * query.buffer / EXTENT)
    values: dict[str, object] = {
        "day": query.moment.first_day,
        "known_at": query.moment.known_at,
        **_edges("tile", bounds),
        "buffer": query.buffer,
        "tolerance": bounds.width / EXTENT * UNITS_PER_PIXEL / 2.0,
        "clear": bounds.width / EXTENT * CLEAR_UNITS,
        "most": query.features_most,
    }
    if query.grid is WEB:
        if lies_beside(around, city):
            return None
        values |= _edges("web", around)
        if query.moment != NOW:
            values |= _edges("own", around.to(horizontal(city))) | {"srid": srid(city)}
        return values
    return values | _edges("web", around.to(WEB_MERCATOR)) | _edges("own", around) | {"srid": srid(city)}


def tile_statement(query: TileQuery, layers: Sequence[Layer], over: Sequence[str] = ()) -> TextClause:
    """One statement that encodes all layers and counts each; of layers `over` the most, the largest are taken."""
    is_web, is_now = query.grid is WEB, query.moment == NOW
    return _statement(tuple(layers), tuple(over), query.grid.detail(query.z), is_web, is_now)


@lru_cache(maxsize=256)
def _statement(layers: tuple[Layer, ...], over: tuple[str, ...], zoom: int, is_web: bool, is_now: bool) -> TextClause:
    parts = [_Part(layer, zoom, is_web, is_now) for layer in layers]
    selects = [part.largest if part.layer.id in over else part.select for part in parts]
    sources = ", ".join(f"({select}) AS of_{part.layer.id}" for select, part in zip(selects, parts, strict=True))
    tiles = " || ".join(f"of_{layer.id}.mvt" for layer in layers)
    counts = ", ".join(f"of_{layer.id}.n" for layer in layers)
    return text(f"SELECT {REACHES}, {tiles}, {counts} FROM {sources}")  # noqa: S608  constants of `tile_layers`


@dataclass(frozen=True, slots=True)
class _Part:
    """The SQL of a layer of a tile."""

    layer: Layer
    zoom: int
    is_web: bool
    is_now: bool

    @property
    def select(self) -> str:
        """Encodes the layer. Rows beside the tile, whose geometry is NULL, do not go in."""
        return (
            f"SELECT {self._encoded}, count(*) AS n FROM (SELECT {self._shape} AS __geometry, {self._fields} "  # noqa: S608
            f"FROM {self.layer.source} WHERE {self._where} ORDER BY {self._key} LIMIT :most + 1) AS tile"
        )

    @property
    def largest(self) -> str:
        """Encodes the largest; `n` counts all."""
        names = ", ".join(f'"{name}"' for name in self.layer.fields)
        return (
            f"SELECT {self._encoded}, max(__n) AS n FROM (SELECT __geometry, {names}, __n FROM ("  # noqa: S608
            "SELECT *, count(*) OVER () AS __n FROM ("
            f"SELECT {self._shape} AS __geometry, {self._key} AS __key, {self.layer.size} AS __size, {self._fields} "
            f"FROM {self.layer.source} WHERE {self._where} OFFSET 0) AS around "
            "WHERE __geometry IS NOT NULL ORDER BY __size DESC, __key LIMIT :most) AS kept ORDER BY __key) AS tile"
        )

    @property
    def _encoded(self) -> str:
        return f"COALESCE(ST_AsMVT(tile, '{self.layer.id}', {EXTENT}, '__geometry'), '') AS mvt"

    @property
    def _fields(self) -> str:
        return ", ".join(f'{expression} AS "{name}"' for name, (expression, _) in self.layer.fields.items())

    @property
    def _key(self) -> str:
        # By its bytes: the order of a language takes three times as long.
        return self.layer.key if self.layer.key.startswith("(") else f'{self.layer.key} COLLATE "C"'

    @property
    def _shape(self) -> str:
        if self.is_web:
            shape = self.layer.web
        else:
            shape = self.layer.geometry or f"ST_Transform({self.layer.web}, CAST(:srid AS integer))"
        if self.zoom < GENERALISED_BELOW:
            shape = f"ST_Simplify({shape}, :tolerance, TRUE)"
        grid = f"CAST({WEB_MERCATOR if self.is_web else ':srid'} AS integer)"
        clipped = f"ST_AsMVTGeom({shape}, ST_MakeEnvelope({_named('tile')}, {grid}), {EXTENT}, :buffer, TRUE)"
        if not self.is_web or self.zoom < GENERALISED_BELOW or self.layer.clearance is None:
            return clipped
        # ST_AsMVTGeom mends each polygon, which takes most of a tile's time. On the tile's grid each vertex moves by at
        # most 0.71 of a unit; a polygon whose clearance is twice that or more stays valid, and is only moved.
        grown = "CAST(:tile_east AS double precision) - :tile_west"
        moved = f"ST_TransScale({shape}, -:tile_west, -:tile_north, {EXTENT} / ({grown}), -{EXTENT} / ({grown}))"
        inside = f"{shape} @ ST_MakeEnvelope({_named('web')}, {WEB_MERCATOR})"
        return (
            f"CASE WHEN {inside} AND {self.layer.clearance} >= :clear "
            f"THEN ST_ForcePolygonCCW(ST_SnapToGrid({moved}, 1)) ELSE {clipped} END"
        )

    @property
    def _where(self) -> str:
        conditions = [self.layer.where]
        if (self.is_web and self.is_now) or self.layer.geometry is None:
            conditions.append(f"{self.layer.web} && ST_MakeEnvelope({_named('web')}, {WEB_MERCATOR})")
        else:
            conditions.append(f"{self.layer.geometry} && ST_MakeEnvelope({_named('own')}, CAST(:srid AS integer))")
        if self.is_now and self.zoom in self.layer.least:
            conditions.append(f"{self.layer.size} >= {self.layer.least[self.zoom]}")
        return " AND ".join(conditions)


def _largest(
    connection: Connection, query: TileQuery, layers: Sequence[Layer], over: Sequence[Layer], values: dict[str, object]
) -> VectorTile:
    statement = tile_statement(query, layers, [layer.id for layer in over])
    _, _, data, *counts = connection.execute(statement, values).one()
    found = dict(zip((layer.id for layer in layers), counts, strict=True))
    # What lies beside the tile was counted before, so that all may have found room after all.
    left_out = {layer.id: (found[layer.id] or 0) - query.features_most for layer in over}
    return VectorTile(bytes(data), {name: count for name, count in left_out.items() if count > 0})


def _edges(name: str, box: BoundingBox) -> dict[str, float]:
    return dict(zip((f"{name}_west", f"{name}_south", f"{name}_east", f"{name}_north"), box.tuple, strict=True))


def _named(name: str) -> str:
    return f":{name}_west, :{name}_south, :{name}_east, :{name}_north"

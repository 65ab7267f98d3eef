"""Vector tiles straight from the store: PostGIS cuts, clips and encodes them (Mapbox Vector Tile 2.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import pi

from pyproj import CRS
from sqlalchemy import Connection, text

from gis.bounds import BoundingBox
from gis.crs import WEB_MERCATOR, WGS84, horizontal, normalise, srid, transformer
from gis.store.collections import NEWEST_MEASURED, NOW, Moment, known, so_on_day

EXTENT = 4096
"""Units of a tile's grid."""
HALF_WORLD = pi * 6_378_137.0
"""Of Web Mercator, metres."""
MARGIN_DEGREES = 3.0
"""How far around a CRS's area of use a tile may lie and still be looked up."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of the tiles. SQL fragments here are constants of this module."""

    id: str
    description: str
    zoom_least: int
    source: str
    geometry: str
    extent_of: tuple[str, str]
    """Table and column whose index tells how far the features reach."""
    key: str
    size: str
    """Which features are kept where a tile holds too many: those with the greatest of this."""
    fields: Mapping[str, tuple[str, str]]
    """Public name → (SQL expression, its kind for people: "String" or "Number")."""
    where: str


def _versions(alias: str) -> str:
    return f"{so_on_day(alias)} AND {known(alias)}"


def _text(*names: str, of: str = "v") -> dict[str, tuple[str, str]]:
    return {name: (f"{of}.{name}", "String") for name in names}


def _number(*names: str, of: str = "v") -> dict[str, tuple[str, str]]:
    """Rounded to the centimetre; what is not known is left out of the tile."""
    return {
        name: (f"CAST(round(CAST(nullif({of}.{name}, 'NaN') AS numeric), 2) AS double precision)", "Number")
        for name in names
    }


def _count(*names: str, of: str = "v") -> dict[str, tuple[str, str]]:
    return {name: (f"{of}.{name}", "Number") for name in names}


_FLAGGED = (
    "SELECT string_agg(DISTINCT d.kind, ',' ORDER BY d.kind) AS kinds FROM diaba.discrepancy d "  # noqa: S608
    f"WHERE d.building_uid = v.uid AND d.epoch = v.epoch AND d.status = 'flagged' AND {known('d')}"
)
"""What is flagged at a building version `v`."""

VERDICT = (
    "CASE WHEN f.kinds IS NOT NULL THEN 'flagged' WHEN (SELECT diaba.reach('differences')) = 'all' THEN 'none' END"
)
"""Whether something is flagged. Who does not see all differences is not told that there is none."""

_PERMIT = (
    "SELECT * FROM diaba.permit p WHERE p.permit_no = l.permit_no AND p.version = l.version "  # noqa: S608
    f"AND {known('p')} OFFSET 0"
)
"""The permit of limits `l`. OFFSET 0: one look-up for each, whatever the planner knows of the two tables."""

LAYERS: Mapping[str, Layer] = {
    layer.id: layer
    for layer in (
        Layer(
            id="zones",
            description="Quy hoạch · planning zones",
            zoom_least=11,
            source="diaba.planning_zone v",
            geometry="v.geom",
            extent_of=("planning_zone", "geom"),
            key="v.uid",
            size="ST_Area(v.geom)",
            fields=_text("uid", "level", "land_use", "decision")
            | _count("floors_max")
            | _number("density_pct", "far", "height_max_m"),
            where=_versions("v"),
        ),
        Layer(
            id="roads",
            description="Đường · roads",
            zoom_least=12,
            source="diaba.road v",
            geometry="v.geom",
            extent_of=("road", "geom"),
            key="v.uid",
            size="ST_Length(v.geom)",
            fields=_text("uid", "name") | _number("reserve_width_m"),
            where=_versions("v"),
        ),
        Layer(
            id="parcels",
            description="Thửa đất · parcels",
            zoom_least=14,
            source="diaba.parcel_version v",
            geometry="v.geom",
            extent_of=("parcel_version", "geom"),
            key="v.uid",
            size="ST_Area(v.geom)",
            fields=_text("uid", "ward_code", "sheet_no", "parcel_no", "land_use") | _number("area_legal"),
            where=_versions("v"),
        ),
        Layer(
            id="permits",
            description="Giấy phép xây dựng · permitted footprints",
            zoom_least=14,
            source=f"diaba.permit_limit l JOIN LATERAL ({_PERMIT}) v ON TRUE",
            geometry="l.geom",
            extent_of=("permit_limit", "geom"),
            key="v.permit_no",
            size="ST_Area(l.geom)",
            fields=_text("permit_no", "type", "status", "parcel_uid", "use")
            | _count("floors", of="l")
            | _number("height_m", of="l"),
            where="TRUE",
        ),
        Layer(
            id="buildings",
            description="Công trình đo được · measured buildings; `verdict` is `flagged` where a difference is to be "
            "inspected, `none` where none is, and absent where the caller may not know",
            zoom_least=13,
            source=f"diaba.building_version v LEFT JOIN LATERAL ({_FLAGGED}) f ON TRUE",
            geometry="v.footprint",
            extent_of=("building_version", "footprint"),
            key="v.uid",
            size="v.area",
            fields=_text("uid", "lod", "reason")
            | _number("height", "sigma_height", "ground_height", "roof_height_max")
            | {
                "verdict": (VERDICT, "String"),
                "kinds": ("f.kinds", "String"),
            },
            where=f"{_versions('v')} AND {NEWEST_MEASURED}",
        ),
    )
}
ZOOM_LEAST = min(layer.zoom_least for layer in LAYERS.values())


@dataclass(frozen=True, slots=True)
class TileQuery:
    """Which tile of WebMercatorQuad, with what in it."""

    z: int
    x: int
    y: int
    layers: Sequence[Layer]
    moment: Moment = NOW
    buffer: int = 64
    """Units of the grid around the tile."""
    features_most: int = 20_000
    """Of one layer."""


def tile_bounds(z: int, x: int, y: int) -> BoundingBox:
    """The tile's rectangle in Web Mercator, metres."""
    side = 2.0 * HALF_WORLD / 2**z
    west, north = x * side - HALF_WORLD, HALF_WORLD - y * side
    return BoundingBox(west, north - side, west + side, north, normalise(WEB_MERCATOR))


def vector_tile(connection: Connection, city: CRS, query: TileQuery) -> bytes:
    """The encoded tile; no bytes where nothing is in it.

    The rectangle is brought into the city's CRS and grown by the buffer, so that the index on the stored geometry
    answers; only what it finds is brought into Web Mercator.
    """
    shown = [layer for layer in query.layers if layer.zoom_least <= query.z]
    window = window_of(city, query.z, query.x, query.y, query.buffer / EXTENT) if shown else None
    if window is None:
        return b""
    found = connection.execute(text(tile_sql(shown)), tile_values(city, query, window)).scalar_one()
    return bytes(found)


def tile_sql(layers: Sequence[Layer]) -> str:
    """One statement that encodes all layers; its order is fixed, so equal content gives equal bytes."""
    return "SELECT " + " || ".join(f"({_layer_sql(layer)})" for layer in layers)


def tile_values(city: CRS, query: TileQuery, window: BoundingBox) -> dict[str, object]:
    """What `tile_sql` binds."""
    bounds = tile_bounds(query.z, query.x, query.y)
    moment = query.moment
    return {
        "day": moment.first_day,
        "known_at": moment.known_at,
        "srid": srid(city),
        **dict(zip(("west", "south", "east", "north"), window.tuple, strict=True)),
        **dict(zip(("tile_west", "tile_south", "tile_east", "tile_north"), bounds.tuple, strict=True)),
        "buffer": query.buffer,
        "tolerance": window.width / (EXTENT + 2 * query.buffer) / 2.0,
        "most": query.features_most,
    }


def _layer_sql(layer: Layer) -> str:
    fields = ", ".join(f'{expression} AS "{name}"' for name, (expression, _) in layer.fields.items())
    names = ", ".join(f'"{name}"' for name in layer.fields)
    return (
        # The largest first, cut off at the most, then in the order of the key.
        f"SELECT COALESCE(ST_AsMVT(tile, '{layer.id}', {EXTENT}, '__geometry'), '') FROM ("  # noqa: S608
        f"SELECT __geometry, {names} FROM ("
        f"SELECT ST_AsMVTGeom(ST_Transform(ST_Simplify({layer.geometry}, :tolerance, TRUE), {WEB_MERCATOR}), "
        f"ST_MakeEnvelope(:tile_west, :tile_south, :tile_east, :tile_north, {WEB_MERCATOR}), {EXTENT}, :buffer, TRUE) "
        f"AS __geometry, {layer.key} AS __key, {fields} FROM {layer.source} WHERE {layer.where} "
        f"AND {layer.geometry} && ST_MakeEnvelope(:west, :south, :east, :north, :srid) "
        f"ORDER BY {layer.size} DESC, {layer.key} LIMIT :most) AS largest "
        "WHERE __geometry IS NOT NULL ORDER BY __key) AS tile"
    )


def window_of(city: CRS, z: int, x: int, y: int, margin: float) -> BoundingBox | None:
    """A tile's rectangle in the city's CRS, grown by a share of its side; None where the city cannot be."""
    bounds = tile_bounds(z, x, y)
    bounds = bounds.buffered(bounds.width * margin)
    use = city.area_of_use
    if use is not None:
        west, south, east, north = transformer(WEB_MERCATOR, WGS84).transform_bounds(*bounds.tuple)
        beside = west > use.east + MARGIN_DEGREES or east < use.west - MARGIN_DEGREES
        if beside or south > use.north + MARGIN_DEGREES or north < use.south - MARGIN_DEGREES:
            return None
    return bounds.to(horizontal(city))

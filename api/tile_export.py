"""Tiles of the city as one PMTiles archive (version 3): a file any web server can serve, without this service."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pmtiles.tile import Compression, TileType, zxy_to_tileid
from pmtiles.writer import Writer
from sqlalchemy import Connection

from api.encodings import compressed
from gis.bounds import BoundingBox
from gis.crs import WEB_MERCATOR, WGS84
from gis.errors import BadParameter, NotFound
from gis.files import written_whole
from gis.settings import City
from gis.store.tile_layers import LAYERS, described
from gis.store.tiles import TileQuery, vector_tile
from gis.tile_grid import WEB

TILES_MOST = 2_000_000
E7 = 10_000_000
"""Degrees are kept as whole numbers of these parts."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What is in an archive."""

    tiles: int
    """With something in them."""
    looked_at: int
    bytes: int
    left_out: int
    """Features for which a tile had no room."""


def tiles_over(area: BoundingBox, zooms: range) -> list[tuple[int, int, int]]:
    """(z, x, y) of all tiles that meet an area, in the order of their numbers in the archive (a Hilbert curve).

    Raises:
        BadParameter: they are too many for one archive.
    """
    web = area.to(WEB_MERCATOR)
    ranges = {z: WEB.columns_and_rows(z, web) for z in zooms}
    count = sum((last - first + 1) * (bottom - top + 1) for first, last, top, bottom in ranges.values())
    if count > TILES_MOST:
        raise BadParameter("zoom", f"{zooms[0]}-{zooms[-1]}", f"{count} tiles; at most {TILES_MOST} go into an archive")
    found = [
        (z, x, y)
        for z, (first, last, top, bottom) in ranges.items()
        for x in range(first, last + 1)
        for y in range(top, bottom + 1)
    ]
    return sorted(found, key=lambda tile: zxy_to_tileid(*tile))


def export(
    connection: Connection,
    city: City,
    path: Path,
    asked: TileQuery,
    area: BoundingBox,
    zooms: range,
    advance: Callable[[int], None],
) -> Exported:
    """Write the archive; it appears whole or not at all. The tiles are those the service gives, to the byte.

    Args:
        connection: A reader's transaction that sees one state of the register (`hold_still`).
        city: Whose.
        path: The archive.
        asked: Layers, moment and limits; its own place does not count.
        area: Tiles that meet it.
        zooms: Zoom levels.
        advance: Told of each tile.

    Raises:
        BadParameter: too many tiles.
        NotFound: nothing is in any of them.
    """
    places = tiles_over(area, zooms)
    written, left_out = 0, 0
    with written_whole(path) as part, part.open("wb") as file:
        # The library says no types.
        writer: Any = Writer(file)  # type: ignore[no-untyped-call]
        for place, tile in zip(places, _read(connection, city, asked, places), strict=True):
            advance(1)
            left_out += tile[1]
            if tile[0]:
                written += 1
                writer.write_tile(zxy_to_tileid(*place), compressed(tile[0], "gzip"))
        if not written:
            raise NotFound("tiles", "with anything in them in that area")
        west, south, east, north = area.to(WGS84).tuple
        header = {
            "version": 3,
            "tile_type": TileType.MVT,
            "tile_compression": Compression.GZIP,
            "min_lon_e7": round(west * E7),
            "min_lat_e7": round(south * E7),
            "max_lon_e7": round(east * E7),
            "max_lat_e7": round(north * E7),
            "center_zoom": zooms[len(zooms) // 2],
            "center_lon_e7": round((west + east) / 2 * E7),
            "center_lat_e7": round((south + north) / 2 * E7),
        }
        writer.finalize(header, _metadata(city, asked.layers, zooms))
    return Exported(written, len(places), path.stat().st_size, left_out)


def _read(
    connection: Connection, city: City, asked: TileQuery, places: Sequence[tuple[int, int, int]]
) -> Iterator[tuple[bytes, int]]:
    for z, x, y in places:
        query = TileQuery(z, x, y, asked.layers, asked.moment, asked.buffer, asked.features_most)
        tile = vector_tile(connection, city.crs, query)
        yield tile.data, sum(tile.left_out.values())


def _metadata(city: City, layers: Sequence[str], zooms: range) -> dict[str, object]:
    shown = [LAYERS[name] for name in layers]
    return {
        "name": f"diaba · {city.name}",
        "description": "; ".join(layer.description for layer in shown),
        "attribution": "diaba",
        "type": "overlay",
        "vector_layers": [
            described(layer, zooms[-1])
            for layer in shown
            if layer.zoom_least <= zooms[-1] and (layer.zoom_most is None or layer.zoom_most >= zooms[0])
        ],
    }

"""Terrain tiles for globes: quantized-mesh 1.0, in the order of its specification.

https://github.com/CesiumGS/quantized-mesh. A tile is a rectangle of longitudes and latitudes. Its heights are written
into the format as they come: the format means heights above the ellipsoid of WGS 84, ours are above the city's datum
(see `layer.json` of the service).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

MEDIA_TYPE = "application/vnd.quantized-mesh"
SEMI_MAJOR, FLATTENING = 6_378_137.0, 1 / 298.257223563
"""Of WGS 84, metres."""
SEMI_MINOR = SEMI_MAJOR * (1 - FLATTENING)
ECCENTRICITY_2 = FLATTENING * (2 - FLATTENING)
STEPS = 32_767
"""Parts a tile's width, height and range of heights are cut into."""
HEIGHT_STEP = 2.0**-7
"""Metres that heights are rounded to, the same in all tiles: so neighbours have the same heights on their edge."""
FLATTEST = 1.0
"""Metres of range at least, or a level tile had no range to cut into parts."""
NORMALS, METADATA = 1, 4
"""Numbers of the extensions."""

Degrees = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class TerrainTile:
    """A mesh over a rectangle of the globe."""

    bounds: Degrees
    """West, south, east, north, degrees."""
    u: NDArray[np.float64]
    """(v,) 0 in the west – 1 in the east."""
    v: NDArray[np.float64]
    """(v,) 0 in the south – 1 in the north."""
    heights: NDArray[np.float64]
    """(v,) metres."""
    triangles: NDArray[np.int32]
    """(t, 3) numbers of vertices, counter-clockwise seen from above."""
    slopes: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
    """(v,) rise per metre to the east and to the north at the vertices."""


def encode(tile: TerrainTile, *, with_normals: bool = True, metadata: Mapping[str, Any] | None = None) -> bytes:
    """The tile as quantized-mesh 1.0, not compressed."""
    order, triangles = _by_first_use(tile.triangles, len(tile.u))
    u, v = _parts(tile.u[order]), _parts(tile.v[order])
    low, high, parts = _quantised_heights(tile.heights[order])
    longitude, latitude = _degrees(tile.bounds, tile.u[order], tile.v[order])
    points = ecef(longitude, latitude, tile.heights[order])
    chunks = [
        _header(points, low, high),
        _vertices(u, v, parts),
        _indices(triangles, len(u)),
        _edges(u, v),
    ]
    if with_normals and tile.slopes is not None:
        east, north = (slope[order] for slope in tile.slopes)
        chunks.append(_extension(NORMALS, _oct_encoded(_normals(longitude, latitude, east, north))))
    if metadata is not None:
        text = orjson.dumps(dict(metadata))
        chunks.append(_extension(METADATA, struct.pack("<I", len(text)) + text))
    return b"".join(chunks)


def height_step(low: float, high: float) -> float:
    """Metres that heights between these are rounded to: 2⁻⁷, coarser only where they range over more than 256 m.

    There an edge may differ from the neighbour's by that coarser step.
    """
    step = HEIGHT_STEP
    while high - low + 2 * step > step * STEPS:
        step *= 2
    return step


def ecef(
    longitude: NDArray[np.float64], latitude: NDArray[np.float64], heights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n, 3) earth-centred, earth-fixed metres of degrees and metres above the ellipsoid."""
    along, up = np.radians(longitude), np.radians(latitude)
    radius = SEMI_MAJOR / np.sqrt(1 - ECCENTRICITY_2 * np.sin(up) ** 2)
    out = (radius + heights) * np.cos(up)
    return np.stack(
        [out * np.cos(along), out * np.sin(along), (radius * (1 - ECCENTRICITY_2) + heights) * np.sin(up)], 1
    )


def _by_first_use(triangles: NDArray[np.int32], count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Vertices in the order in which triangles first name them, which the coding of indices wants."""
    flat = triangles.ravel().astype(np.int64)
    _, first = np.unique(flat, return_index=True)
    order = flat[np.sort(first)]
    number = np.empty(count, dtype=np.int64)
    number[order] = np.arange(len(order))
    return order, number[flat]


def _parts(share: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.rint(share * STEPS).astype(np.int64)


def _quantised_heights(heights: NDArray[np.float64]) -> tuple[float, float, NDArray[np.int64]]:
    """Lowest and highest height of the header, and the parts between them; every part used is on the common step."""
    step = height_step(float(heights.min()), float(heights.max()))
    numbers = np.rint(heights / step).astype(np.int64)
    low = int(numbers.min())
    span = max(int(numbers.max()) - low, round(FLATTEST / step))
    parts_a_step = STEPS // span
    return low * step, low * step + step * STEPS / parts_a_step, (numbers - low) * parts_a_step


def _degrees(
    bounds: Degrees, u: NDArray[np.float64], v: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    west, south, east, north = bounds
    return west + u * (east - west), south + v * (north - south)


def _header(points: NDArray[np.float64], low: float, high: float) -> bytes:
    centre = (points.min(axis=0) + points.max(axis=0)) / 2
    radius = float(np.sqrt(((points - centre) ** 2).sum(axis=1).max()))
    return struct.pack("<3d2f4d3d", *centre, low, high, *centre, radius, *_occlusion(points, centre))


def _occlusion(points: NDArray[np.float64], centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """The point that is below the horizon only if all points are; in radii of the ellipsoid.

    Ring, K. (2013): Horizon culling. https://cesium.com/blog/2013/05/09/computing-the-horizon-occlusion-point/
    """
    radii = np.array([SEMI_MAJOR, SEMI_MAJOR, SEMI_MINOR])
    scaled, towards = points / radii, centre / radii
    towards = towards / np.linalg.norm(towards)
    length_2 = np.maximum((scaled**2).sum(axis=1), 1.0)
    direction = scaled / np.linalg.norm(scaled, axis=1)[:, None]
    cos_a = direction @ towards
    sin_a = np.linalg.norm(np.cross(direction, towards), axis=1)
    cos_b, sin_b = 1 / np.sqrt(length_2), np.sqrt(length_2 - 1) / np.sqrt(length_2)
    facing = cos_a * cos_b - sin_a * sin_b
    # Of a tile that reaches around the globe no such point exists; a distant one never hides it.
    magnitude = 1 / facing.min() if facing.min() > 1e-3 else 1e3
    found: NDArray[np.float64] = towards * magnitude
    return found


def _vertices(u: NDArray[np.int64], v: NDArray[np.int64], heights: NDArray[np.int64]) -> bytes:
    """Differences from one vertex to the next, signs folded in (zig-zag)."""
    columns = np.stack([u, v, heights])
    deltas: NDArray[np.int64] = columns - np.concatenate([np.zeros((3, 1), np.int64), columns[:, :-1]], axis=1)
    return struct.pack("<I", len(u)) + ((deltas << 1) ^ (deltas >> 63)).astype("<u2").tobytes()


def _indices(flat: NDArray[np.int64], count: int) -> bytes:
    """How far each index is below the highest one yet (high-water mark)."""
    highest = np.maximum.accumulate(np.concatenate([[0], flat + 1]))[:-1]
    wide = count > 65_536
    coded = (highest - flat).astype("<u4" if wide else "<u2").tobytes()
    # Vertices are six bytes each after 92 of header and number: four-byte indices want a multiple of four.
    padding = b"\0" * (-(92 + 6 * count) % 4) if wide else b""
    return padding + struct.pack("<I", len(flat) // 3) + coded


def _edges(u: NDArray[np.int64], v: NDArray[np.int64]) -> bytes:
    """Vertices of the west, south, east and north edge, each in the order along it."""
    kind = "<u4" if len(u) > 65_536 else "<u2"
    parts = []
    for on, along in ((u == 0, v), (v == 0, u), (u == STEPS, v), (v == STEPS, u)):
        found = np.flatnonzero(on)
        found = found[np.argsort(along[found], kind="stable")]
        parts.append(struct.pack("<I", len(found)) + found.astype(kind).tobytes())
    return b"".join(parts)


def _extension(number: int, content: bytes) -> bytes:
    return struct.pack("<BI", number, len(content)) + content


def _normals(
    longitude: NDArray[np.float64],
    latitude: NDArray[np.float64],
    to_east: NDArray[np.float64],
    to_north: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(n, 3) unit vectors away from the surface, earth-centred."""
    along, up = np.radians(longitude), np.radians(latitude)
    zero = np.zeros_like(along)
    east = np.stack([-np.sin(along), np.cos(along), zero], 1)
    north = np.stack([-np.sin(up) * np.cos(along), -np.sin(up) * np.sin(along), np.cos(up)], 1)
    away = np.stack([np.cos(up) * np.cos(along), np.cos(up) * np.sin(along), np.sin(up)], 1)
    vectors = away - to_east[:, None] * east - to_north[:, None] * north
    unit: NDArray[np.float64] = vectors / np.linalg.norm(vectors, axis=1)[:, None]
    return unit


def _oct_encoded(vectors: NDArray[np.float64]) -> bytes:
    """Two bytes each (Cigolle et al. 2014: A survey of efficient representations for independent unit vectors)."""
    flat = vectors[:, :2] / np.abs(vectors).sum(axis=1)[:, None]
    folded = (1 - np.abs(flat[:, ::-1])) * np.where(flat >= 0, 1.0, -1.0)
    flat = np.where((vectors[:, 2] < 0)[:, None], folded, flat)
    return np.asarray(np.rint((np.clip(flat, -1, 1) * 0.5 + 0.5) * 255), dtype=np.uint8).tobytes()

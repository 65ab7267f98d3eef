"""The octree of a COPC file (COPC 1.0): which chunks hold the points of a rectangle."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isfinite
from typing import BinaryIO

from gis.errors import UnreadableFile
from lidar.las.header import LasHeader
from lidar.las.laz_chunks import MAX_CHUNK_POINTS, Chunk

ENTRY = struct.Struct("<4iQii")
"""Level, x, y, z of a voxel; offset, byte size and point count of its chunk, or of a page of further entries (−1)."""
MAX_LEVEL = 30
MAX_ENTRIES = 20_000_000

Rectangle = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Root:
    """The octree's cube, in the file's units."""

    corner: tuple[float, float, float]
    """Lowest of x, y and z."""
    side: float
    spacing: float
    """Between the points of level 0."""
    page: tuple[int, int]
    """Place and size of the hierarchy's first page."""


@dataclass(frozen=True, slots=True)
class Voxel:
    """A part of the octree that holds points."""

    level: int
    x: int
    y: int
    z: int
    chunk: Chunk

    @property
    def key(self) -> tuple[int, int, int, int]:
        """Level, x, y, z."""
        return (self.level, self.x, self.y, self.z)


def chunks_within(
    handle: BinaryIO, header: LasHeader, rectangle: Rectangle | None, resolution: float | None = None
) -> list[Chunk]:
    """Chunks of the voxels that touch a rectangle, down to the level that has a resolution, in the file's order.

    Points of level 0 are about `spacing` apart, those of each further level half as far; a level and all above it
    together have the spacing of that level (COPC 1.0). The last level read is the first whose spacing is not larger
    than the resolution.

    Args:
        handle: the open file.
        header: its header.
        rectangle: (min x, min y, max x, max y) in the file's units; None for everywhere.
        resolution: in the file's units; None for all levels.

    Raises:
        UnreadableFile: the hierarchy is missing or damaged.
    """
    root = root_of(header)
    deepest = MAX_LEVEL if resolution is None else _level_of(header, root.spacing, resolution)
    west, south, _ = root.corner

    def wanted(level: int, column: int, row: int) -> bool:
        side = root.side / (1 << level)
        return level <= deepest and (
            rectangle is None or _touches(west + column * side, south + row * side, side, rectangle)
        )

    return sorted((voxel.chunk for voxel in _voxels(handle, header, wanted)), key=lambda chunk: chunk.offset)


def voxels_of(handle: BinaryIO, header: LasHeader, levels: int = MAX_LEVEL) -> list[Voxel]:
    """The voxels that hold points, the coarsest first, down to a level.

    Raises:
        UnreadableFile: the hierarchy is missing or damaged.
    """
    found = _voxels(handle, header, lambda level, column, row: level <= levels)
    return sorted(found, key=lambda voxel: voxel.key)


def root_of(header: LasHeader) -> Root:
    """The cube that the octree divides.

    Raises:
        UnreadableFile: the file does not say, or nonsense.
    """
    info = header.find("copc", 1)
    if info is None or len(info.data) < 160 or header.find("copc", 1000) is None:
        raise UnreadableFile(header.path, "damaged: its COPC hierarchy is missing")
    x, y, z, half, spacing, offset, size = struct.unpack_from("<5d2Q", info.data, 0)
    if not half > 0:
        raise UnreadableFile(header.path, f"damaged: its COPC octree has a half size of {half!r}")
    return Root((x - half, y - half, z - half), 2 * half, spacing, (offset, size))


def _voxels(handle: BinaryIO, header: LasHeader, wanted: Callable[[int, int, int], bool]) -> Iterator[Voxel]:
    """The voxels whose level, column and row are wanted and which hold points, page by page."""
    pages, seen = [root_of(header).page], set()
    read_entries = 0
    while pages:
        page = pages.pop()
        if page in seen:
            raise UnreadableFile(header.path, "damaged: its COPC hierarchy runs in a circle")
        seen.add(page)
        raw = _page(handle, header, *page)
        read_entries += len(raw) // ENTRY.size
        if read_entries > MAX_ENTRIES:
            raise UnreadableFile(header.path, "damaged: its COPC hierarchy has no end")
        for level, column, row, layer, offset, size, count in ENTRY.iter_unpack(raw):
            if not (0 <= level <= MAX_LEVEL and 0 <= column < 1 << level and 0 <= row < 1 << level and size >= 0):
                raise UnreadableFile(header.path, "damaged: its COPC hierarchy has an impossible voxel")
            if not wanted(level, column, row):
                continue
            if count == -1:
                pages.append((offset, size))
            elif count > 0:
                yield Voxel(level, column, row, layer, _chunk(header, offset, size, count))
            elif count < -1:
                raise UnreadableFile(header.path, f"damaged: its COPC hierarchy has a voxel of {count} points")


def _level_of(header: LasHeader, spacing: float, resolution: float) -> int:
    """The first level whose points are not farther apart than the resolution."""
    if not (isfinite(spacing) and spacing > 0):
        raise UnreadableFile(header.path, f"damaged: its COPC octree has a spacing of {spacing!r}")
    return next((level for level in range(MAX_LEVEL) if spacing / (1 << level) <= resolution), MAX_LEVEL)


def _touches(west: float, south: float, side: float, rectangle: Rectangle | None) -> bool:
    if rectangle is None:
        return True
    slack = side * 1e-6
    return (
        west - slack <= rectangle[2]
        and west + side + slack >= rectangle[0]
        and south - slack <= rectangle[3]
        and south + side + slack >= rectangle[1]
    )


def _page(handle: BinaryIO, header: LasHeader, offset: int, size: int) -> bytes:
    if size % ENTRY.size or size > header.file_size or offset > header.file_size - size:
        raise UnreadableFile(header.path, f"truncated or damaged: a COPC page of {size} bytes lies at byte {offset}")
    handle.seek(offset)
    return handle.read(size)


def _chunk(header: LasHeader, offset: int, size: int, count: int) -> Chunk:
    inside = header.offset_to_points + 8 <= offset and offset + size <= header.file_size
    if not inside or count > min(MAX_CHUNK_POINTS, header.point_count) or size < header.record_length + 4:
        raise UnreadableFile(
            header.path, f"damaged: its COPC hierarchy has a chunk of {count} points, {size} bytes at byte {offset}"
        )
    return Chunk(offset, size, count)

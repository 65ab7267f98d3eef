"""Points into COPC 1.0 (copc.io): one LAZ file that is also an octree, so that a part of it is read by itself.

Each voxel of the octree keeps at most one point in each cell of a grid of 128³ across it, so that the levels above
any one are an even thinning of the cloud; voxels with few points keep them all. Everything follows from the points
as a set: their order, and how they came here, does not matter, and the same points always make the same bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, Final

import laspy
import lazrs
import numpy as np
from laspy.vlrs.known import LasZipVlr
from numpy.typing import NDArray

from gis.errors import BadParameter
from gis.files import written_whole
from lidar.las.copc import ENTRY
from lidar.las.header import EVLR_HEADER
from lidar.point_cloud import PointCloud
from lidar.write import BATCH_POINTS, POINT_FORMAT, SCALE, columns_of, header_of, record_of, write_laz

COPC_ENDING: Final = ".copc.laz"
GRID_BITS: Final = 7
"""A voxel's grid has 2⁷ = 128 cells a side, as in EPT and Untwine: some 15,000 points of a surface."""
LEAF_POINTS: Final = 50_000
"""A voxel with no more points than this keeps them all: the size of LASzip's chunks, which its models are made for."""
AXIS_BITS: Final = 21
"""Bits of a Morton code for each axis: three fit into 63."""
INFO_SIZE: Final = 160
INFO: Final = struct.Struct("<5d2Q2d88x")
"""Centre (3), half of the side, spacing of the root; place and size of the root page; first and last GPS time."""
PAGE: Final = ("copc", 1000)


def write_points(
    points: PointCloud,
    path: Path | str,
    *,
    extra: Mapping[str, NDArray[Any]] | None = None,
    created: date | None = None,
) -> None:
    """Write COPC, LAZ or LAS, as the name ends in .copc.laz, .laz or .las. Arguments and errors as `write_laz`."""
    write = write_copc if str(path).lower().endswith(COPC_ENDING) else write_laz
    write(points, path, extra=extra, created=created)


def write_copc(
    points: PointCloud,
    path: Path | str,
    *,
    extra: Mapping[str, NDArray[Any]] | None = None,
    created: date | None = None,
) -> None:
    """Write a COPC file; it appears whole or not at all. Coordinates, dates and extra bytes as `write_laz` has them.

    Args:
        points: in metres; their order does not matter.
        path: ending in .copc.laz.
        extra: further columns of length n by name, kept as extra bytes.
        created: the creation date in the header.

    Raises:
        BadCrs: the CRS has no form in OGC WKT 1, which LAS 1.4 demands.
        BadParameter: a coordinate is not finite or does not fit, or an extra column cannot be stored.
    """
    final = Path(path)
    if not final.name.lower().endswith(COPC_ENDING):
        raise BadParameter("path", str(path), f"a COPC file ends in {COPC_ENDING}")
    columns = columns_of(points, extra)
    header = header_of(points, columns, created)
    octree = _octree(points, columns, header)
    extra_bytes = header.point_format.num_extra_bytes
    vlr = lazrs.LazVlr.new_for_compression(POINT_FORMAT, extra_bytes, use_variable_size_chunks=True)
    header.vlrs.insert(0, laspy.VLR("copc", 1, "COPC info VLR", bytes(INFO_SIZE)))
    header.vlrs.append(LasZipVlr(vlr.record_data()))
    header.are_points_compressed = True
    if len(points):
        header.mins, header.maxs = np.full(3, np.inf), np.full(3, -np.inf)
    with written_whole(final) as part, part.open("wb+") as sink:
        header.write_to(sink)
        sizes = _write_chunks(sink, vlr, points, columns, header, octree)
        _write_pages(sink, header, octree, sizes)
        header.vlrs[0].record_data = octree.info(sink.tell(), points.gps_time)
        sink.seek(0)
        header.write_to(sink, ensure_same_size=True)
        sink.flush()


@dataclass(frozen=True, slots=True)
class _Octree:
    """Voxels in the order of the file, and which points each keeps."""

    order: NDArray[np.int64]
    """(n,) indices of the points, voxel by voxel."""
    voxels: list[tuple[int, int, int, int]]
    """Level, x, y, z."""
    counts: list[int]
    """Points of each."""
    corner: tuple[float, float, float]
    """The lowest corner of the root."""
    side: float
    """Of the root, in metres."""

    def info(self, end: int, gps_time: NDArray[np.float64]) -> bytes:
        """The record that opens a COPC file, given where the file ends: with the root page."""
        size = ENTRY.size * len(self.voxels)
        first, last = (float(gps_time.min()), float(gps_time.max())) if len(gps_time) else (0.0, 0.0)
        half = self.side / 2
        centre = [low + half for low in self.corner]
        return INFO.pack(*centre, half, self.side / 2**GRID_BITS, end - size, size, first, last)


def _octree(points: PointCloud, columns: Mapping[str, NDArray[Any]], header: laspy.LasHeader) -> _Octree:
    """Which voxel keeps which points.

    The root is as wide as the points, from their lowest corner, so that readers that take it from the header's bounds
    instead of the record that says it (copclib) find the same voxels.
    """
    steps = [
        np.rint((getattr(points, axis) - header.offsets[i]) / SCALE).astype(np.int64) for i, axis in enumerate("xyz")
    ]
    lows = [int(step.min()) if len(points) else 0 for step in steps]
    extent = max((int(step.max()) - low for step, low in zip(steps, lows, strict=True) if len(points)), default=0)
    extent = max(extent, 1)
    code = np.zeros(len(points), dtype=np.uint64)
    for axis, (step, low) in enumerate(zip(steps, lows, strict=True)):
        place = np.minimum(((step - low) << AXIS_BITS) // extent, 2**AXIS_BITS - 1)
        code |= _spread(place.astype(np.uint64)) << np.uint64(axis)
    order = _sorted(points, columns, code)
    del steps
    level_of = _levels(code[order], AXIS_BITS)
    keys = code[order] >> np.uint64(3) * (np.uint64(AXIS_BITS) - level_of.astype(np.uint64))
    filed = np.lexsort((points.gps_time[order], keys, level_of))
    order, keys, level_of = order[filed], keys[filed], level_of[filed]
    starts = (
        np.flatnonzero(np.append(True, (np.diff(level_of) != 0) | (keys[1:] != keys[:-1]))) if len(order) else order
    )
    voxels = [(int(level_of[i]), *(int(_gathered(keys[i] >> np.uint64(axis))) for axis in range(3))) for i in starts]
    corner = tuple(float(header.offsets[i] + low * SCALE) for i, low in enumerate(lows))
    counts = np.diff(np.append(starts, len(order))).tolist()
    return _Octree(order, voxels, counts, corner, SCALE * extent)  # type: ignore[arg-type]


def _sorted(points: PointCloud, columns: Mapping[str, NDArray[Any]], code: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Indices along the Morton curve; points at one place by all else they have, so that no order of input is left."""
    order = np.argsort(code, kind="stable")
    same = code[order[1:]] == code[order[:-1]]
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
    if len(tied):
        those = order[tied]
        keys = [column[those] for column in (*columns.values(), *points.columns().values())]
        order[tied] = those[np.lexsort((*keys, code[those]))]
    return order


def _levels(code: NDArray[np.uint64], bits: int) -> NDArray[np.uint8]:
    """(n,) the level that keeps each point, given Morton codes in ascending order."""
    level_of = np.zeros(len(code), dtype=np.uint8)
    left = np.arange(len(code))
    for level in range(bits + 1):
        if len(left) == 0:
            break
        here = code[left]
        voxel = here >> np.uint64(3 * (bits - level))
        starts = np.flatnonzero(np.append(True, voxel[1:] != voxel[:-1]))
        count = np.diff(np.append(starts, len(left)))
        few = np.repeat((count <= LEAF_POINTS) | (level == bits), count)
        cell = here >> np.uint64(3 * max(bits - level - GRID_BITS, 0))
        kept = few | np.append(True, cell[1:] != cell[:-1])
        level_of[left[kept]] = level
        left = left[~kept]
    return level_of


def _write_chunks(
    sink: BinaryIO,
    vlr: lazrs.LazVlr,
    points: PointCloud,
    columns: Mapping[str, NDArray[Any]],
    header: laspy.LasHeader,
    octree: _Octree,
) -> list[int]:
    """Compress the voxels' points, a chunk each, and the table of chunks; the chunks' sizes in bytes."""
    start = sink.tell()
    if len(points) == 0:
        lazrs.ParLasZipCompressor(sink, vlr).done()
        return []
    compressor = lazrs.ParLasZipCompressor(sink, vlr)
    for batch in _batches(octree):
        chosen = np.concatenate([octree.order[piece] for piece in batch])
        record = record_of(points.subset(chosen), header, {name: column[chosen] for name, column in columns.items()})
        header.grow(record)
        raw = np.ascontiguousarray(record.array).view(np.uint8).reshape(len(chosen), -1)
        cuts = np.cumsum([0] + [piece.stop - piece.start for piece in batch])
        compressor.compress_chunks([raw[a:b].ravel() for a, b in pairwise(cuts)])
    compressor.done()
    end = sink.tell()
    sink.seek(start)
    table = lazrs.read_chunk_table(sink, vlr)
    sink.seek(end)
    return [size for _, size in table]


def _batches(octree: _Octree) -> Iterator[list[slice]]:
    """Ranges of points of voxels that follow each other, some at a time: memory is bounded, the cores are busy."""
    batch: list[slice] = []
    place = held = 0
    for count in octree.counts:
        batch.append(slice(place, place + count))
        place, held = place + count, held + count
        if held >= BATCH_POINTS:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def _write_pages(sink: BinaryIO, header: laspy.LasHeader, octree: _Octree, sizes: list[int]) -> None:
    """The hierarchy in one page, as the file's only extended record."""
    header.start_of_first_evlr, header.number_of_evlrs = sink.tell(), 1
    user, number = PAGE
    sink.write(EVLR_HEADER.pack(0, user.encode(), number, ENTRY.size * len(octree.voxels), b"EPT Hierarchy"))
    place = header.offset_to_point_data + 8
    for voxel, count, size in zip(octree.voxels, octree.counts, sizes, strict=True):
        sink.write(ENTRY.pack(*voxel, place, size, count))
        place += size


def _spread(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The lowest 21 bits, two zeros put between each and the next."""
    for shift, mask in _SPREADING:
        value = (value | (value << np.uint64(shift))) & np.uint64(mask)
    return value


def _gathered(value: Any) -> Any:
    """Every third bit: what `_spread` undoes."""
    masks = [0x1249249249249249, *(mask for _, mask in reversed(_SPREADING[:-1])), 0x1FFFFF]
    value = value & np.uint64(masks[0])
    for (shift, _), mask in zip(reversed(_SPREADING), masks[1:], strict=True):
        value = (value | (value >> np.uint64(shift))) & np.uint64(mask)
    return value


_SPREADING: Final = (
    (32, 0x001F00000000FFFF),
    (16, 0x001F0000FF0000FF),
    (8, 0x100F00F00F00F00F),
    (4, 0x10C30C30C30C30C3),
    (2, 0x1249249249249249),
)

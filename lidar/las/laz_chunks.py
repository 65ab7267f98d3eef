"""The compressed part of a LAZ file: where its chunks lie, whether they can be what they say, and their points.

The layout is LASzip's (Isenburg 2013); every count and length is checked against the file before memory is taken.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, TypeVar

import lazrs
import numpy as np
from numpy.typing import NDArray

from gis.errors import UnreadableFile
from lidar.las.header import RECORD_LENGTHS, LasHeader

T = TypeVar("T")

VARIABLE = 0xFFFFFFFF
"""Chunk size of a file whose chunks differ in length (COPC)."""
POINTWISE_CHUNKED, LAYERED_CHUNKED = 2, 3
"""Compressors of LASzip: point formats 0–5 and 6–10."""
ITEM_LAYERS = {10: 9, 11: 1, 12: 2, 13: 1}
"""Layers of each item of the layered compressor; extra bytes (item 14) have one a byte."""
ITEM_TYPES = {
    0: (6,),
    1: (6, 7),
    2: (6, 8),
    3: (6, 7, 8),
    4: (6, 7, 9),
    5: (6, 7, 8, 9),
    6: (10,),
    7: (10, 11),
    8: (10, 12),
    9: (10, 13),
    10: (10, 12, 13),
}
"""LASzip's items by point format: 6 POINT10, 7 GPSTIME11, 8 RGB12, 9 WAVEPACKET13, 10 POINT14, 11 RGB14, 12 RGBNIR14,
13 WAVEPACKET14; extra bytes follow as item 0 (BYTE) or 14 (BYTE14)."""
ITEM_SIZES = {6: 20, 7: 8, 8: 6, 9: 29, 10: 30, 11: 6, 12: 8, 13: 29}
EXTRA_BYTES = (0, 14)
MAX_CHUNK_POINTS = 50_000_000
"""A chunk is decoded as a whole; more points than this in one is damage, the usual size is 50,000."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A run of points that is decompressed as a whole."""

    offset: int
    size: int
    """Bytes."""
    point_count: int


@dataclass(frozen=True, slots=True)
class LazRecord:
    """The record "laszip encoded" 22204, checked against the header."""

    data: bytes
    chunk_size: int
    """Points a chunk, or VARIABLE."""
    layers: int
    """Layers of a chunk; 0 for the pointwise compressor."""
    version: int
    """Of the first item, which all formats have."""


def laz_record(header: LasHeader) -> LazRecord:
    """Find and check the LASzip record.

    Raises:
        UnreadableFile: it is missing, contradicts the header, or names a compressor nobody writes any more.
    """
    vlr = header.find("laszip encoded", 22204)
    if vlr is None or len(vlr.data) < 34:
        raise UnreadableFile(header.path, "damaged: the header says compressed, but the LASzip record is missing")
    compressor, coder, _, _, _, _, chunk_size, _, _, item_count = struct.unpack_from("<HHBBHIIqqH", vlr.data, 0)
    layered = header.point_format >= 6
    if coder != 0 or compressor != (LAYERED_CHUNKED if layered else POINTWISE_CHUNKED):
        raise UnreadableFile(
            header.path,
            f"its LASzip compressor {compressor} is damaged or too old; recompress the file with LASzip",
        )
    if len(vlr.data) != 34 + 6 * item_count:
        raise UnreadableFile(header.path, f"damaged: the LASzip record announces {item_count} items")
    items = [struct.unpack_from("<HHH", vlr.data, 34 + 6 * index) for index in range(item_count)]
    extra = header.record_length - RECORD_LENGTHS[header.point_format]
    expected = [(kind, ITEM_SIZES[kind]) for kind in ITEM_TYPES[header.point_format]]
    if extra:
        expected.append((EXTRA_BYTES[layered], extra))
    if [(kind, size) for kind, size, _ in items] != expected or any(
        version not in ((2, 3, 4) if layered else (1, 2)) for _, _, version in items
    ):
        raise UnreadableFile(header.path, "damaged: the LASzip record contradicts the point format")
    if not (chunk_size == VARIABLE or 1 <= chunk_size <= MAX_CHUNK_POINTS):
        raise UnreadableFile(header.path, f"damaged: the LASzip record says {chunk_size} points a chunk")
    layers = sum(ITEM_LAYERS.get(kind, size) for kind, size in expected) if layered else 0
    return LazRecord(vlr.data, chunk_size, layers, items[0][2])


def chunk_table(handle: BinaryIO, header: LasHeader, record: LazRecord) -> list[Chunk]:
    """All chunks in the order of the file; together they are every byte from the points' start to the table.

    Raises:
        UnreadableFile: the table is missing or does not add up.
    """
    start = header.offset_to_points + 8
    table = _table_offset(handle, header)
    if not start <= table <= header.file_size - 8:
        raise UnreadableFile(
            header.path,
            f"truncated: its chunk table is said to lie at byte {table}, the file has {header.file_size}",
        )
    handle.seek(table)
    version, count = struct.unpack("<II", handle.read(8))
    fewest = record.layers * 4 + header.record_length + (4 if record.layers else 0)
    if version != 0 or count > min((table - start) // fewest, header.point_count):
        raise UnreadableFile(header.path, f"damaged: its chunk table announces {count} chunks")
    fixed = record.chunk_size != VARIABLE
    if fixed and count != -(-header.point_count // record.chunk_size):
        raise UnreadableFile(
            header.path, f"damaged: {header.point_count} points in chunks of {record.chunk_size} are not {count} chunks"
        )
    if count == 0:
        if header.point_count:
            raise UnreadableFile(header.path, f"damaged: {header.point_count} points are announced in no chunk")
        return []
    handle.seek(table)
    entries = guarded(header, lambda: lazrs.read_chunk_table_only(handle, lazrs.LazVlr(record.data)))
    if fixed:
        last = header.point_count - (count - 1) * record.chunk_size
        entries = [(record.chunk_size, size) for _, size in entries[:-1]] + [(last, entries[-1][1])]
    return _laid_out(header, entries, start, table, fewest)


def _table_offset(handle: BinaryIO, header: LasHeader) -> int:
    """Where the table lies; writers that could not seek back say so in the last eight bytes of the file."""
    handle.seek(header.offset_to_points)
    raw = handle.read(8)
    if len(raw) == 8 and raw == b"\xff" * 8:
        handle.seek(header.file_size - 8)
        raw = handle.read(8)
    if len(raw) < 8:
        raise UnreadableFile(header.path, "truncated: it ends before its first point")
    offset: int = struct.unpack("<q", raw)[0]
    return offset


def _laid_out(header: LasHeader, entries: list[tuple[int, int]], start: int, table: int, fewest: int) -> list[Chunk]:
    chunks, place = [], start
    for points, size in entries:
        if not (fewest <= size <= table - place and 1 <= points <= MAX_CHUNK_POINTS):
            raise UnreadableFile(header.path, f"damaged: its chunk table has a chunk of {points} points, {size} bytes")
        chunks.append(Chunk(place, size, points))
        place += size
    if place != table or sum(chunk.point_count for chunk in chunks) != header.point_count:
        raise UnreadableFile(header.path, "damaged: its chunk table does not add up to the points announced")
    return chunks


def load(handle: BinaryIO, header: LasHeader, record: LazRecord, chunk: Chunk) -> bytes:
    """The compressed bytes of a chunk.

    Raises:
        UnreadableFile: they are missing, or the chunk's own lengths do not add up.
    """
    handle.seek(chunk.offset)
    compressed = handle.read(chunk.size)
    if len(compressed) < chunk.size:
        raise UnreadableFile(header.path, f"truncated: it ends at byte {header.file_size} amid its points")
    if record.layers:
        _check_layers(header, record, chunk, compressed)
    return compressed


def decompress(header: LasHeader, record: LazRecord, chunk: Chunk, compressed: bytes) -> NDArray[np.uint8]:
    """The raw point records, (points · record length,) bytes, of a chunk that `load` gave, by laz-rs.

    Raises:
        UnreadableFile: the compressed bytes are damaged.
    """
    points = np.empty(chunk.point_count * header.record_length, dtype=np.uint8)
    table = [(chunk.point_count, chunk.size)]
    guarded(header, lambda: lazrs.decompress_points_with_chunk_table(compressed, record.data, points, table, None))
    return points


def layer_lengths(header: LasHeader, record: LazRecord, chunk: bytes) -> tuple[int, ...]:
    """Bytes of each layer of a layered chunk, in the order they lie at its end."""
    return struct.unpack_from(f"<{record.layers}I", chunk, header.record_length + 4)


def _check_layers(header: LasHeader, record: LazRecord, chunk: Chunk, compressed: bytes) -> None:
    """A layered chunk opens with its first point, its point count and the length of each layer; they must add up."""
    head = header.record_length
    count, *lengths = struct.unpack_from(f"<{1 + record.layers}I", compressed, head)
    if count != chunk.point_count or head + 4 + 4 * record.layers + sum(lengths) != chunk.size:
        raise UnreadableFile(header.path, f"damaged: the chunk at byte {chunk.offset} does not add up")


def guarded(header: LasHeader, work: Callable[[], T]) -> T:
    """Run native code on bytes that may be damaged; its errors, and a panic of its own, become `UnreadableFile`."""
    try:
        return work()
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:
        why = " ".join(str(error).split())[:120]
        raise UnreadableFile(header.path, f"damaged or truncated: its points cannot be decompressed ({why})") from error

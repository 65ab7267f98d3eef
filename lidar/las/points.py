"""The points of an open file, chunk by chunk on all cores, each chunk checked, straight into their final columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Lock
from typing import BinaryIO, Final, TypeVar

import numba as nb
import numpy as np

from gis.errors import UnreadableFile
from lidar.las.copc import chunks_within
from lidar.las.header import RECORD_LENGTHS, LasHeader
from lidar.las.laz_arithmetic import SPARE
from lidar.las.laz_attributes import decode_byte
from lidar.las.laz_chunks import Chunk, LazRecord, chunk_table, decompress, laz_record, load
from lidar.las.laz_integrity import Integrity
from lidar.las.laz_layered import decode_layered, layers_for
from lidar.las.raw_columns import ATTRIBUTES, Columns, RawColumns, Seen
from lidar.las.records import (
    RawPoints,
    agrees_by_return,
    as_records,
    check_sane,
    confidence_at,
    raw_columns,
    raw_points,
    settled,
)

LAS_CHUNK: Final = 50_000
"""Points of an uncompressed file taken at a time, as many as a LAZ chunk usually has."""
OWN_VERSION: Final = 3
"""Version of the layered compressor that `lidar.las.laz_layered` decodes; laz-rs decodes the rest."""
Window = tuple[float, float, float, float]
T = TypeVar("T")


def all_columns(
    handle: BinaryIO,
    header: LasHeader,
    across: float = 1.0,
    up: float = 1.0,
    window: Window | None = None,
    resolution: float | None = None,
    attributes: frozenset[str] = ATTRIBUTES,
    seen: list[Seen] | None = None,
) -> Columns:
    """The points of a file, or those in a window, in the file's order.

    Args:
        handle: the open file.
        header: its header.
        across: metres in one unit of x and y.
        up: metres in one unit of z.
        window: (min x, min y, max x, max y) in metres; edges belong to it.
        resolution: metres; of a COPC file, the levels of the octree down to where its points are so far apart.
        attributes: those of `ATTRIBUTES` that are wanted; the others are zero.
        seen: takes in what was seen of each chunk.

    Raises:
        UnreadableFile: the points are truncated, damaged or cannot be decompressed.
    """
    in_file = (
        None if window is None else (window[0] / across, window[1] / across, window[2] / across, window[3] / across)
    )
    source = _Source(handle, header, in_file, None if resolution is None else resolution / across, attributes)
    if window is None:
        columns, parts = _in_place(source, across, up)
    else:
        columns, parts = _gathered(source, across, up, window)
    source.check_counts(parts, is_whole=window is None and resolution is None)
    if seen is not None:
        seen.extend(parts)
    return columns


def chunk_columns(
    handle: BinaryIO, header: LasHeader, chunk: Chunk, across: float, up: float, attributes: frozenset[str]
) -> Columns:
    """The points of one chunk, as `all_columns` has those of a file.

    Raises:
        UnreadableFile: it is damaged or cannot be decompressed.
    """
    return _in_place(_Source(handle, header, None, None, attributes, [chunk]), across, up)[0]


def batches(handle: BinaryIO, header: LasHeader) -> Iterator[RawPoints]:
    """All point records of an open file, some ten thousand at a time, as they stand in it, unchecked.

    Raises:
        UnreadableFile: the points are truncated or cannot be decompressed.
    """
    source = _Source(handle, header, None, None)
    for chunk in source.chunks:
        yield as_records(source.unpacked(chunk), header)


class _Source:
    """The chunks of an open file that are wanted; any thread may unpack one."""

    def __init__(
        self,
        handle: BinaryIO,
        header: LasHeader,
        window: Window | None,
        resolution: float | None,
        attributes: frozenset[str] = ATTRIBUTES,
        chunks: list[Chunk] | None = None,
    ) -> None:
        self.header, self._handle, self._lock = header, handle, Lock()
        self.attributes, self._layers_wanted = attributes, layers_for(attributes)
        self._record: LazRecord | None = None
        self._integrity: Integrity | None = None
        self._confidence = confidence_at(header) if "confidence" in attributes else None
        self.chunks: list[Chunk] = []
        if header.point_count and not header.is_compressed:
            self.chunks = _plain_chunks(header)
        elif header.point_count:
            self._record = laz_record(header)
            self._integrity = Integrity(header, self._record)
            if chunks is not None:
                self.chunks = chunks
            elif header.is_copc and (window is not None or resolution is not None):
                self.chunks = chunks_within(handle, header, window, resolution)
            else:
                self.chunks = chunk_table(handle, header, self._record)
        expect = getattr(handle, "expect", None)
        if expect is not None:
            expect([(chunk.offset, chunk.size) for chunk in self.chunks])

    def unpacked(self, chunk: Chunk) -> RawColumns:
        """The points of a chunk, decoded and checked."""
        if self._record is None or self._integrity is None:
            return raw_columns(self._plain(chunk), self.attributes)
        with self._lock:
            compressed = load(self._handle, self.header, self._record, chunk)
        if self._record.layers and self._record.version == OWN_VERSION:
            columns = self._layered(chunk, compressed, self._record, self._integrity)
            if columns is not None:
                return columns
        points = decompress(self.header, self._record, chunk, compressed)
        self._integrity.compare(compressed, points)
        return raw_columns(raw_points(points, self.header), self.attributes)

    def check_counts(self, seen: Iterable[Seen], *, is_whole: bool) -> None:
        """Refuse a file some of whose parts look damaged, and whose points by return are not those counted."""
        by_return = sum((one.by_return for one in seen), np.zeros(16, dtype=np.int64))
        doubtful = self._integrity is not None and self._integrity.differing > 0
        if doubtful and is_whole and not agrees_by_return(by_return, self.header):
            raise UnreadableFile(
                self.header.path, "damaged: its points by return number are not what the header counts"
            )

    def _layered(self, chunk: Chunk, compressed: bytes, record: LazRecord, integrity: Integrity) -> RawColumns | None:
        """By the own decoder; None where a confidence is wanted of a scanner with several channels."""
        data = np.frombuffer(compressed + bytes(SPARE), dtype=np.uint8)
        columns = RawColumns.zeros(chunk.point_count)
        length = self.header.record_length
        times = columns.time.view(np.int64)
        wanted = self._layers_wanted
        good, bad, channels = decode_layered(data, length, record.layers, wanted, *columns[:9], times)
        if self._confidence is not None:
            if channels > 1:
                return None
            extra = length - RECORD_LENGTHS[self.header.point_format]
            layer = record.layers - extra + self._confidence - RECORD_LENGTHS[self.header.point_format]
            well = decode_byte(data, length, record.layers, layer, self._confidence, columns.confidence)
            good, bad = good + well, bad + (not well)
        integrity.note(good, bad)
        return columns

    def _plain(self, chunk: Chunk) -> RawPoints:
        with self._lock:
            self._handle.seek(chunk.offset)
            data = self._handle.read(chunk.size)
        if len(data) < chunk.size:
            raise UnreadableFile(self.header.path, f"truncated: it ends amid its {self.header.point_count} points")
        return raw_points(np.frombuffer(data, dtype=np.uint8), self.header)


@dataclass(slots=True)
class _Settled:
    """A chunk's place in the whole, and what was kept of it."""

    start: int
    seen: Seen


def _in_place(source: _Source, across: float, up: float) -> tuple[Columns, list[Seen]]:
    """All points, every chunk decoded into its final place; the gaps that withheld points leave are closed after."""
    header = source.header
    ends = np.cumsum([chunk.point_count for chunk in source.chunks], dtype=np.int64)
    out = Columns.empty(int(ends[-1]) if len(ends) else 0, source.attributes)

    def work(number: int) -> _Settled:
        chunk = source.chunks[number]
        start = int(ends[number]) - chunk.point_count
        part = out.part(start, int(ends[number]))
        seen = settled(source.unpacked(chunk), part, header, across, up, attributes=source.attributes)
        check_sane(seen, header)
        return _Settled(start, seen)

    done = on_all_cores(work, range(len(source.chunks)))
    filled = 0
    for one in done:
        if filled != one.start:
            for column in out:
                column[filled : filled + one.seen.kept] = column[one.start : one.start + one.seen.kept]
        filled += one.seen.kept
    return (out if filled == len(out.x) else out.part(0, filled)), [one.seen for one in done]


def _gathered(source: _Source, across: float, up: float, window: Window) -> tuple[Columns, list[Seen]]:
    """The points of a window, copied out of each chunk."""
    header = source.header

    def work(number: int) -> tuple[Columns, Seen]:
        out = Columns.empty(source.chunks[number].point_count, source.attributes)
        seen = settled(source.unpacked(source.chunks[number]), out, header, across, up, window, source.attributes)
        check_sane(seen, header)
        return Columns._make(column[: seen.kept].copy() for column in out), seen

    done = on_all_cores(work, range(len(source.chunks)))
    return Columns.joined([columns for columns, _ in done] or [Columns.empty(0)]), [seen for _, seen in done]


def on_all_cores(work: Callable[[int], T], numbers: Sequence[int]) -> list[T]:
    """The results in order; the first error, in the order of the numbers, is raised as soon as there is one."""
    threads = min(nb.get_num_threads(), len(numbers))
    if threads <= 1:
        return [work(number) for number in numbers]
    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(work, number) for number in numbers]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
            return [future.result() for future in futures]
        finally:
            pool.shutdown(cancel_futures=True)


def _plain_chunks(header: LasHeader) -> list[Chunk]:
    length = header.record_length
    return [
        Chunk(header.offset_to_points + first * length, count * length, count)
        for first in range(0, header.point_count, LAS_CHUNK)
        for count in [min(LAS_CHUNK, header.point_count - first)]
    ]

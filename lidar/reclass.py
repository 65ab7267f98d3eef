"""A layered LAZ file with other classes: what else it holds is copied as it lies there, compressed.

In the point formats from 6 on each attribute of a chunk is a stream of its own, so that new classes and confidences
cost their own streams alone: a fifth of the time of writing all. Colours, flags, user data and extra bytes come along,
and scales, offsets and records stay as they are.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Final

import lazrs
import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from gis.errors import BadParameter, UnreadableFile
from gis.files import written_whole
from lidar.las.crs import in_metres
from lidar.las.file_crs import resolve_crs
from lidar.las.header import RECORD_LENGTHS, VLR_HEADER, LasHeader, is_url, open_file, parse_header
from lidar.las.laz_chunks import VARIABLE, LazRecord, chunk_table, layer_lengths, laz_record, load
from lidar.las.laz_coding import byte_layer, class_layer
from lidar.las.laz_layered import CLASS
from lidar.las.points import OWN_VERSION, on_all_cores
from lidar.las.raw_columns import Seen
from lidar.las.records import CONFIDENCE, EXTRA_SIZES, INPUT_CLASS, ONE_BYTE, extra_byte_at
from lidar.point_cloud import PointCloud
from lidar.read import read
from lidar.write import software

CLASS_AT: Final = 16
"""Place of the class in a record."""
EXTRA_ITEM: Final = 14
"""LASzip's item of extra bytes in layers."""
DESCRIPTOR: Final = 192
"""Bytes that describe an extra byte (LAS 1.4, table 24)."""
SOFTWARE_AT, OFFSET_AT, RECORDS_AT, LENGTH_AT = 58, 96, 100, 105
"""Places in the header: generating software, offset to points, number of records, length of a point."""
LARGEST_RECORD: Final = 65_535
AT_A_TIME: Final = 64
"""Chunks that are in memory at a time."""


@dataclass(frozen=True, slots=True)
class Original:
    """A file whose classes can be replaced, and what is known of it."""

    header: LasHeader
    record: LazRecord

    def write(
        self, points: PointCloud, target: Path | str, *, extra: Mapping[str, NDArray[np.uint8]] | None = None
    ) -> None:
        """Write the file again with the points' classes and confidences; it appears whole or not at all.

        Args:
            points: the file's, all of them and in their order.
            target: ending in .laz.
            extra: further extra bytes, (n,) by name.

        Raises:
            BadParameter: these are not as many points as the file has.
            UnreadableFile: the file is no longer what was read.
        """
        columns = dict(extra or {})
        # What the file says of its old classes must not stay with the new ones.
        if points.confidence.any() or extra_byte_at(self.header, CONFIDENCE) is not None:
            columns[CONFIDENCE] = points.confidence
        for name, column in {"points": points.classification, **columns}.items():
            if len(column) != self.header.point_count:
                raise BadParameter(name, len(column), f"the file holds {self.header.point_count} points")
        places = {name: extra_byte_at(self.header, name) for name in columns}
        added = [name for name, place in places.items() if place is None]
        replaced = {place: columns[name] for name, place in places.items() if place is not None}
        with open_file(self.header.path) as source, written_whole(target) as part, part.open("wb") as sink:
            if parse_header(source, self.header.path) != self.header:
                raise UnreadableFile(self.header.path, "has changed since it was read")
            head, record = _head(source, self.header, self.record, added)
            sink.write(head)
            table_at = sink.tell()
            sink.write(bytes(8))
            entries: list[tuple[int, int]] = []
            chunks = chunk_table(source, self.header, self.record)
            starts = np.cumsum([0, *(chunk.point_count for chunk in chunks)]).tolist()
            work = list(zip(starts, chunks, strict=False))
            for first in range(0, len(work), AT_A_TIME):
                batch = [
                    (start, chunk.point_count, load(source, self.header, self.record, chunk))
                    for start, chunk in work[first : first + AT_A_TIME]
                ]
                for (_, count, _), data in zip(
                    batch, self._coded(batch, points, replaced, [columns[name] for name in added]), strict=True
                ):
                    sink.write(data)
                    entries.append((count, len(data)))
            end = sink.tell()
            lazrs.write_chunk_table(sink, entries, lazrs.LazVlr(record))
            sink.seek(table_at)
            sink.write(struct.pack("<q", end))

    def _coded(
        self,
        batch: Sequence[tuple[int, int, bytes]],
        points: PointCloud,
        replaced: Mapping[int, NDArray[np.uint8]],
        added: Sequence[NDArray[np.uint8]],
    ) -> list[bytes]:
        """Chunks of so many points from a start on with other classes; with other bytes at places, and more behind."""
        returns = points.return_number, points.number_of_returns

        def work(number: int) -> bytes:
            start, count, data = batch[number]
            own = slice(start, start + count)
            number_returned, returned = (column[own] for column in returns)
            layer = class_layer(points.classification[own], number_returned, returned)
            changed = {place: column[own] for place, column in replaced.items()}
            return self._chunk(data, points.classification[start], layer, changed, [column[own] for column in added])

        return on_all_cores(work, range(len(batch)))

    def _chunk(
        self,
        data: bytes,
        code: int,
        layer: bytes,
        replaced: Mapping[int, NDArray[np.uint8]],
        added: Sequence[NDArray[np.uint8]],
    ) -> bytes:
        """A chunk with another layer of classes, whose first is `code`."""
        length, fixed = self.header.record_length, RECORD_LENGTHS[self.header.point_format]
        lengths = layer_lengths(self.header, self.record, data)
        ends = length + 4 + 4 * len(lengths) + np.cumsum([0, *lengths])
        layers = [data[start:end] for start, end in pairwise(ends.tolist())]
        first = bytearray(data[:length])
        first[CLASS_AT] = code
        layers[CLASS] = layer
        for place, values in replaced.items():
            first[place] = values[0]
            layers[len(lengths) - (length - fixed) + place - fixed] = byte_layer(values)
        for values in added:
            first.append(int(values[0]))
            layers.append(byte_layer(values))
        sizes = struct.pack(f"<{len(layers)}I", *map(len, layers))
        return b"".join([bytes(first), data[length : length + 4], sizes, *layers])


def read_to_reclass(source: Path | str, target: Path | str, crs: CRS | None) -> tuple[PointCloud, Original | None]:
    """All points of a file, as `read` gives them, and the file itself if its classes can be replaced.

    They can in a local LAZ of the formats 6 to 8, in metres and with a CRS of its own, from a scanner of one channel,
    where no point is withheld or without a return number; and where a plain LAZ is to be written. For anything else it
    is None: then all is written anew.

    Raises:
        UnreadableFile, MissingCrs, BadCrs: as `read`.
    """
    seen: list[Seen] = []
    points = read(source, crs=crs, seen=seen)
    name = str(target).lower()
    if is_url(source) or not name.endswith(".laz") or name.endswith(".copc.laz"):
        return points, None
    with open_file(source) as handle:
        header = parse_header(handle, source)
    return points, _original(header, crs) if _is_plain(seen, header.point_count) else None


def _original(header: LasHeader, crs: CRS | None) -> Original | None:
    """The file, if its header tells of nothing that would have to be made anew."""
    if not header.is_compressed or header.is_copc or header.point_format not in (6, 7, 8) or header.point_count == 0:
        return None
    record = laz_record(header)
    described = sum(EXTRA_SIZES.get(dimension.data_type, -1) for dimension in header.extra_dimensions)
    odd = any(d.name in (CONFIDENCE, INPUT_CLASS) and d.data_type != ONE_BYTE for d in header.extra_dimensions)
    appended = any(vlr.offset >= header.offset_to_points for vlr in header.vlrs)
    if (
        record.version != OWN_VERSION
        or record.chunk_size == VARIABLE
        or described != header.record_length - RECORD_LENGTHS[header.point_format]
        or odd
        or appended
        or header.crs is None
        or resolve_crs(header, crs) != header.crs
        or in_metres(header.crs)[1:] != (1.0, 1.0)
    ):
        return None
    return Original(header, record)


def _is_plain(seen: list[Seen], count: int) -> bool:
    """Whether every point was kept, has a return number, and is of the one channel."""
    channels = {part.channels for part in seen}
    return (
        sum(part.kept for part in seen) == count
        and not any(part.by_return[0] for part in seen)
        and len(channels) == 1
        and channels <= {1, 2, 4, 8}
    )


def _head(source: BinaryIO, header: LasHeader, record: LazRecord, added: list[str]) -> tuple[bytes, bytes]:
    """All that stands before the points, told of the extra bytes added; and the LASzip record in it."""
    source.seek(0)
    raw = bytearray(source.read(header.offset_to_points))
    before = [vlr for vlr in header.vlrs if vlr.offset < header.offset_to_points]
    start = before[0].offset - VLR_HEADER.size
    end = before[-1].offset + before[-1].size
    laszip = _laszip(record, len(added))
    descriptors = b"".join(_descriptor(name) for name in added)
    records, described = [], False
    for vlr in before:
        head = bytes(raw[vlr.offset - VLR_HEADER.size : vlr.offset])
        data = bytes(raw[vlr.offset : vlr.offset + vlr.size])
        if vlr.user_id == "laszip encoded":
            data = laszip
        elif vlr.user_id == "LASF_Spec" and vlr.record_id == 4 and not described:
            data, described = data + descriptors, True
        records.append(_sized(header, head, data))
    if descriptors and not described:
        head = VLR_HEADER.pack(0, b"LASF_Spec", 4, 0, b"extra bytes")
        records.append(_sized(header, head, descriptors))
    fixed, rest = raw[:start], bytes(raw[end:])
    fixed[SOFTWARE_AT : SOFTWARE_AT + 32] = software().encode()[:32].ljust(32, b"\0")
    struct.pack_into("<I", fixed, OFFSET_AT, len(fixed) + sum(map(len, records)) + len(rest))
    struct.pack_into("<I", fixed, RECORDS_AT, len(records))
    struct.pack_into("<H", fixed, LENGTH_AT, header.record_length + len(added))
    return b"".join([bytes(fixed), *records, rest]), laszip


def _sized(header: LasHeader, head: bytes, data: bytes) -> bytes:
    """A record, its header saying how long it is."""
    if len(data) > LARGEST_RECORD:
        raise BadParameter("extra", len(data), f"{header.path} has no room to describe further extra bytes")
    reserved, user, record_id, _, description = VLR_HEADER.unpack(head)
    return VLR_HEADER.pack(reserved, user, record_id, len(data), description) + data


def _laszip(record: LazRecord, added: int) -> bytes:
    """The LASzip record with so many more extra bytes."""
    if not added:
        return record.data
    count = struct.unpack_from("<H", record.data, 32)[0]
    items = [struct.unpack_from("<HHH", record.data, 34 + 6 * number) for number in range(count)]
    if items[-1][0] == EXTRA_ITEM:
        items[-1] = (EXTRA_ITEM, items[-1][1] + added, items[-1][2])
    else:
        items.append((EXTRA_ITEM, added, record.version))
    return record.data[:32] + struct.pack("<H", len(items)) + b"".join(struct.pack("<HHH", *item) for item in items)


def _descriptor(name: str) -> bytes:
    """Of an unsigned byte."""
    return (bytes([0, 0, ONE_BYTE, 0]) + name.encode().ljust(32, b"\0")).ljust(DESCRIPTOR, b"\0")

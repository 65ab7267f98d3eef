"""The public header of a LAS 1.0–1.4 file and its variable-length records, checked against the file before trusted.

Follows the LAS 1.4 specification, revision 15 (ASPRS 2019), table by table.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from math import isfinite
from pathlib import Path
from typing import BinaryIO, cast

from pyproj import CRS

from gis.errors import BadCrs, UnreadableFile
from lidar.las.crs import ProjectionRecords, contradiction, crs_of_records

SIGNATURE = b"LASF"
HEADER_SIZES = {0: 227, 1: 227, 2: 227, 3: 235, 4: 375}
"""Bytes of the public header by minor version (LAS 1.0 to 1.4)."""
RECORD_LENGTHS = {0: 20, 1: 28, 2: 26, 3: 34, 4: 57, 5: 63, 6: 30, 7: 36, 8: 38, 9: 59, 10: 67}
"""Bytes of a point record by point data record format, without extra bytes."""
MAX_EXTRA_BYTES = 4096
"""More extra bytes a point than any producer writes; beyond it the header is damaged."""
MAX_VLRS = 10_000
VLR_HEADER = struct.Struct("<H16sHH32s")
EVLR_HEADER = struct.Struct("<H16sHQ32s")
MAX_EVLR_KEPT = 16 << 20
"""EVLRs longer than this (waveforms), and COPC hierarchies, are located but not loaded."""
POINTS_PER_BYTE = 64
"""More points than this in one compressed byte is no survey but a bomb; real LAZ holds 0.1 to 1 point a byte."""
COMPRESSED = 0x80
"""Bit of the point format that LASzip sets."""


@dataclass(frozen=True, slots=True)
class Vlr:
    """One (extended) variable-length record."""

    user_id: str
    record_id: int
    offset: int
    """Where its data begins in the file."""
    size: int
    """Bytes of its data."""
    data: bytes
    """Empty for an extended record too long to load."""


@dataclass(frozen=True, slots=True)
class ExtraDimension:
    """One of the extra bytes dimensions a file describes (LAS 1.4, table 24)."""

    name: str
    data_type: int
    description: str


@dataclass(frozen=True, slots=True)
class LasHeader:
    """What a LAS or LAZ file says about itself; coordinates in the file's own units."""

    path: Path | str
    """A path, or the address of a file on a web server."""
    version: str
    """For example "1.4"."""
    point_format: int
    """Point data record format, 0 to 10."""
    record_length: int
    """Bytes of one uncompressed point."""
    point_count: int
    bounds: tuple[float, float, float, float]
    """(min x, min y, max x, max y) as the header claims."""
    z_range: tuple[float, float]
    scales: tuple[float, float, float]
    offsets: tuple[float, float, float]
    crs: CRS | None
    """None where the file does not say, or says what nobody understands (see `crs_problem`)."""
    crs_problem: str
    """Why the CRS in the file cannot be understood; empty otherwise."""
    generating_software: str
    system_identifier: str
    creation_date: date | None
    is_compressed: bool
    is_copc: bool
    extra_dimensions: tuple[ExtraDimension, ...]
    count_by_return: tuple[int, ...]
    """Points by return number, 5 entries (15 from LAS 1.4), as the header claims."""
    gps_time_is_standard: bool
    """Adjusted standard GPS time (seconds since 1980-01-06 less 10⁹); GPS week time otherwise."""
    offset_to_points: int
    file_size: int
    vlrs: tuple[Vlr, ...]

    @property
    def extra_dims(self) -> tuple[str, ...]:
        """Names of the extra bytes dimensions."""
        return tuple(dimension.name for dimension in self.extra_dimensions)

    def find(self, user_id: str, record_id: int) -> Vlr | None:
        """The first record of that kind."""
        return next((v for v in self.vlrs if v.user_id == user_id and v.record_id == record_id), None)


@dataclass(frozen=True, slots=True)
class _Block:
    """The fixed part of the header, as it stands in the file."""

    minor: int
    global_encoding: int
    header_size: int
    offset_to_points: int
    vlr_count: int
    point_format: int
    is_compressed: bool
    record_length: int
    point_count: int
    count_by_return: tuple[int, ...]
    scales: tuple[float, float, float]
    offsets: tuple[float, float, float]
    extremes: tuple[float, float, float, float, float, float]
    """max x, min x, max y, min y, max z, min z."""
    evlr_start: int
    evlr_count: int
    system_identifier: str
    generating_software: str
    creation_date: date | None


def open_file(path: Path | str) -> BinaryIO:
    """Open a regular file, or one on a web server, for reading; what could block, a pipe or a device, is refused.

    Raises:
        UnreadableFile: it is missing, no regular file, may not be read, or its server gives no ranges.
    """
    if is_url(path):
        from lidar.las.remote import RemoteFile  # its HTTP client takes long to import

        return cast(BinaryIO, RemoteFile(str(path)))
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:
        raise UnreadableFile(path, _reason(error)) from error
    if not stat.S_ISREG(mode := os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UnreadableFile(path, "is a folder" if stat.S_ISDIR(mode) else "is not a regular file")
    return os.fdopen(descriptor, "rb")


def is_url(path: Path | str) -> bool:
    """Whether a path is the address of a file on a web server."""
    return isinstance(path, str) and path.lower().startswith(("http://", "https://"))


def read_header(path: Path | str) -> LasHeader:
    """Read and check the header, the VLRs and the EVLRs; no point is read and nothing large is allocated.

    Raises:
        UnreadableFile: the file is missing, truncated, damaged or no LAS/LAZ.
    """
    with open_file(path) as handle:
        return parse_header(handle, path)


def parse_header(handle: BinaryIO, path: Path | str) -> LasHeader:
    """`read_header` on an open file.

    Raises:
        UnreadableFile: as `read_header`.
    """
    try:
        size = handle.seek(0, os.SEEK_END)
        handle.seek(0)
        block = _block(handle, path, size)
        vlrs = tuple(_vlrs(handle, path, block)) + tuple(_evlrs(handle, path, block, size))
    except OSError as error:
        raise UnreadableFile(path, _reason(error)) from error
    _check_space(path, block, size)
    path = path if is_url(path) else Path(path)
    crs, problem = _crs(vlrs, prefer_wkt=bool(block.global_encoding & 0x10))
    max_x, min_x, max_y, min_y, max_z, min_z = block.extremes
    if crs is not None and (problem := contradiction(crs, (min_x, min_y, max_x, max_y), (min_z, max_z))):
        crs = None
    return LasHeader(
        path=path,
        version=f"1.{block.minor}",
        point_format=block.point_format,
        record_length=block.record_length,
        point_count=block.point_count,
        bounds=(min_x, min_y, max_x, max_y),
        z_range=(min_z, max_z),
        scales=block.scales,
        offsets=block.offsets,
        crs=crs,
        crs_problem=problem,
        generating_software=block.generating_software,
        system_identifier=block.system_identifier,
        creation_date=block.creation_date,
        is_compressed=block.is_compressed,
        is_copc=bool(vlrs) and vlrs[0].user_id == "copc" and vlrs[0].record_id == 1,
        extra_dimensions=_extra_dimensions(vlrs),
        count_by_return=block.count_by_return,
        gps_time_is_standard=bool(block.global_encoding & 0x1),
        offset_to_points=block.offset_to_points,
        file_size=size,
        vlrs=vlrs,
    )


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, PermissionError):
        return "may not be read: permission denied"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _block(handle: BinaryIO, path: Path | str, size: int) -> _Block:
    """Parse and check the fixed part, in the order of LAS 1.4's table 3."""
    raw = handle.read(HEADER_SIZES[4])
    if not raw:
        raise UnreadableFile(path, "the file is empty")
    if raw[:4] != SIGNATURE:
        raise UnreadableFile(path, "is no LAS or LAZ file: it does not begin with LASF")
    if len(raw) < HEADER_SIZES[0]:
        raise UnreadableFile(path, f"truncated: {len(raw)} bytes are less than a LAS header")
    major, minor = raw[24], raw[25]
    if major != 1 or minor not in HEADER_SIZES:
        raise UnreadableFile(path, f"damaged header: there is no LAS version {major}.{minor}")
    day, year, header_size, offset_to_points, vlr_count = struct.unpack_from("<HHHII", raw, 90)
    if not HEADER_SIZES[minor] <= header_size <= size:
        raise UnreadableFile(
            path, f"damaged header: it says it is {header_size} bytes long, LAS 1.{minor} has {HEADER_SIZES[minor]}"
        )
    if not header_size <= offset_to_points <= size:
        raise UnreadableFile(
            path, f"truncated or damaged: points are said to begin at byte {offset_to_points} of {size}"
        )
    format_byte, record_length = struct.unpack_from("<BH", raw, 104)
    point_format, is_compressed = format_byte & 0x3F, bool(format_byte & COMPRESSED)
    least = RECORD_LENGTHS.get(point_format)
    if least is None or format_byte & 0x40:
        raise UnreadableFile(path, f"damaged header: there is no point format {format_byte & 0x7F}")
    if not least <= record_length <= least + MAX_EXTRA_BYTES:
        raise UnreadableFile(
            path, f"damaged header: point format {point_format} takes {least} bytes a point, not {record_length}"
        )
    legacy_count, *legacy_returns = struct.unpack_from("<6I", raw, 107)
    numbers = struct.unpack_from("<12d", raw, 131)
    point_count, by_return, evlr_start, evlr_count = legacy_count, tuple(legacy_returns), 0, 0
    if minor >= 4:
        evlr_start, evlr_count, count, *returns = struct.unpack_from("<QIQ15Q", raw, 235)
        if legacy_count not in (0, count):
            raise UnreadableFile(path, f"damaged header: it counts {count} points and {legacy_count} points")
        point_count, by_return = count, tuple(returns)
    block = _Block(
        minor=minor,
        global_encoding=struct.unpack_from("<H", raw, 6)[0] if minor >= 2 else 0,
        header_size=header_size,
        offset_to_points=offset_to_points,
        vlr_count=vlr_count,
        point_format=point_format,
        is_compressed=is_compressed,
        record_length=record_length,
        point_count=point_count,
        count_by_return=by_return,
        scales=numbers[0:3],
        offsets=numbers[3:6],
        extremes=numbers[6:12],
        evlr_start=evlr_start,
        evlr_count=evlr_count,
        system_identifier=_text(raw[26:58]),
        generating_software=_text(raw[58:90]),
        creation_date=date(year, 1, 1) + timedelta(day - 1) if 1900 <= year <= 9000 and 1 <= day <= 366 else None,
    )
    _check_numbers(path, block)
    return block


def _check_numbers(path: Path | str, block: _Block) -> None:
    """Scales, offsets and bounds must be numbers a coordinate can be made of."""
    for axis, scale, offset in zip("xyz", block.scales, block.offsets, strict=True):
        if not (isfinite(scale) and 1e-12 < scale < 1e6):
            raise UnreadableFile(path, f"damaged header: the scale of {axis} is {scale!r}")
        if not (isfinite(offset) and abs(offset) < 1e12):
            raise UnreadableFile(path, f"damaged header: the offset of {axis} is {offset!r}")
    if block.point_count == 0:
        return
    for index, axis in enumerate("xyz"):
        high, low = block.extremes[2 * index], block.extremes[2 * index + 1]
        if not (isfinite(low) and isfinite(high)):
            raise UnreadableFile(path, f"damaged header: the bounds of {axis} are {low!r} to {high!r}")
        if low > high:
            raise UnreadableFile(path, f"damaged header: the minimum of {axis}, {low!r}, exceeds the maximum, {high!r}")


def _vlrs(handle: BinaryIO, path: Path | str, block: _Block) -> Iterator[Vlr]:
    """The records between header and points."""
    if block.vlr_count > MAX_VLRS:
        raise UnreadableFile(path, f"damaged header: it announces {block.vlr_count} variable-length records")
    handle.seek(block.header_size)
    raw = handle.read(block.offset_to_points - block.header_size)
    place = 0
    for number in range(1, block.vlr_count + 1):
        if place + VLR_HEADER.size > len(raw):
            raise UnreadableFile(path, f"damaged header: record {number} of {block.vlr_count} runs into the points")
        _, user, record, size, _ = VLR_HEADER.unpack_from(raw, place)
        place += VLR_HEADER.size
        if place + size > len(raw):
            raise UnreadableFile(path, f"damaged: record {number} ({_text(user)} {record}) of {size} bytes is cut off")
        yield Vlr(_text(user), record, block.header_size + place, size, raw[place : place + size])
        place += size


def _evlrs(handle: BinaryIO, path: Path | str, block: _Block, size: int) -> Iterator[Vlr]:
    """The extended records behind the points (LAS 1.4)."""
    if block.evlr_count == 0:
        return
    if block.evlr_count > MAX_VLRS:
        raise UnreadableFile(path, f"damaged header: it announces {block.evlr_count} extended records")
    place = block.evlr_start
    if place < block.offset_to_points:
        raise UnreadableFile(path, f"damaged header: extended records are said to begin at byte {place}")
    for number in range(1, block.evlr_count + 1):
        if place + EVLR_HEADER.size > size:
            raise UnreadableFile(
                path, f"truncated or damaged: extended record {number} lies at byte {place}, the file has {size}"
            )
        handle.seek(place)
        _, user, record, length, _ = EVLR_HEADER.unpack(handle.read(EVLR_HEADER.size))
        place += EVLR_HEADER.size
        if length > size - place:
            raise UnreadableFile(
                path, f"truncated or damaged: extended record {number} of {length} bytes does not fit into the file"
            )
        data = handle.read(length) if length <= MAX_EVLR_KEPT and _text(user) != "copc" else b""
        yield Vlr(_text(user), record, place, length, data)
        place += length


def _check_space(path: Path | str, block: _Block, size: int) -> None:
    """The points announced must fit into the bytes there are, before memory is taken for them."""
    room = size - block.offset_to_points
    if block.is_compressed:
        if block.point_count > room * POINTS_PER_BYTE:
            raise UnreadableFile(
                path, f"truncated or damaged: {block.point_count} points are announced, {room} bytes hold them"
            )
    elif block.point_count * block.record_length > room:
        raise UnreadableFile(
            path,
            f"truncated: {block.point_count} points are announced, "
            f"the file ends after {room // block.record_length} of them",
        )


def _crs(vlrs: tuple[Vlr, ...], *, prefer_wkt: bool) -> tuple[CRS | None, str]:
    records: dict[int, bytes] = {}
    for vlr in vlrs:
        if vlr.user_id == "LASF_Projection" and vlr.data:
            records.setdefault(vlr.record_id, vlr.data)
    wanted = ProjectionRecords(
        wkt=records.get(2112, b""),
        directory=records.get(34735, b""),
        doubles=records.get(34736, b""),
        ascii=records.get(34737, b""),
    )
    try:
        return crs_of_records(wanted, prefer_wkt=prefer_wkt), ""
    except BadCrs as error:
        return None, str(error)


def _extra_dimensions(vlrs: tuple[Vlr, ...]) -> tuple[ExtraDimension, ...]:
    """Descriptors of 192 bytes each in the record LASF_Spec 4."""
    found = next((v.data for v in vlrs if v.user_id == "LASF_Spec" and v.record_id == 4), b"")
    return tuple(
        ExtraDimension(_text(found[at + 4 : at + 36]), found[at + 2], _text(found[at + 160 : at + 192]))
        for at in range(0, len(found) - 191, 192)
    )


def _text(raw: bytes) -> str:
    """Text up to the first zero, printable on one line."""
    text = raw.split(b"\0", 1)[0].decode("utf-8", "replace").strip()
    return "".join(letter if letter.isprintable() else "?" for letter in text)

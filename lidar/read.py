"""Points out of LAS 1.0–1.4, LAZ and COPC files: in metres, in a known CRS, or a clear refusal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from gis.bounds import BoundingBox
from gis.crs import horizontal, name_of, normalise, vertical
from gis.errors import BadCrs, BadParameter, MissingCrs, UnreadableFile
from lidar.copc import chunks_within
from lidar.crs_of_las import hint_for, in_metres, same
from lidar.las_header import LasHeader, open_file, parse_header, read_header
from lidar.las_records import RawPoints, agrees_by_return, check_sane, count_by_return, decoded, raw_points
from lidar.laz_chunks import chunk_table, decompress, laz_record, load
from lidar.laz_integrity import Integrity
from lidar.point_cloud import PointCloud

__all__ = ["LasHeader", "batches", "read", "read_header", "read_many", "resolve_crs"]

BATCH_POINTS = 400_000
"""Points decoded at a time: several LAZ chunks, so that all cores have work, in little memory."""


def read(path: Path | str, *, crs: CRS | None = None, bounds: BoundingBox | None = None) -> PointCloud:
    """All points of a file, or those inside `bounds` (edges included; read through the octree from COPC).

    Coordinates are in metres: a file in feet is converted (z by the vertical CRS' unit, or the horizontal one where
    there is none) and its CRS replaced by the same one with metre axes. Points flagged as withheld are left out.

    Args:
        path: a LAS 1.0–1.4, LAZ or COPC file.
        crs: for a file that does not say its CRS. Given for one that does, it must have the same horizontal part;
            its vertical part is added where the file names none.
        bounds: in any CRS; the rectangle is carried into the file's.

    Raises:
        UnreadableFile: the file is missing, truncated, damaged or something else.
        MissingCrs: neither the file nor the caller says the CRS; the hint names candidates.
        BadCrs: the CRS contradicts `crs`, is not understood, or is not projected.
    """
    with open_file(path) as handle:
        header = parse_header(handle, Path(path))
        target, across, up = in_metres(resolve_crs(header, crs))
        window = None if bounds is None else bounds.to(horizontal(target)).tuple
        try:
            columns = _gather(_batches(handle, header, _scaled(window, across)), header, window, across, up)
        except MemoryError as error:
            raise UnreadableFile(path, f"{header.point_count} points do not fit into memory; give bounds") from error
        except OSError as error:
            raise UnreadableFile(path, f"cannot be read: {error.strerror or error}") from error
    return PointCloud(**columns, crs=target)


def read_many(paths: Sequence[Path | str], bounds: BoundingBox | None = None, crs: CRS | None = None) -> PointCloud:
    """The points of several files of one CRS, in the order of the files; those outside of `bounds` are not read.

    Raises:
        BadCrs: two files differ in their CRS.
        BadParameter: no file was given.
        UnreadableFile, MissingCrs: as `read`.
    """
    if not paths:
        raise BadParameter("paths", paths, "give at least one file")
    clouds: list[PointCloud] = []
    for path in paths:
        cloud = read(path, crs=crs, bounds=bounds)
        if clouds and not same(cloud.crs, clouds[0].crs):
            raise BadCrs(
                f"{path}: is in {name_of(cloud.crs)[:80]}, {paths[0]} in {name_of(clouds[0].crs)[:80]}; "
                "files read together must share one CRS"
            )
        clouds.append(cloud)
    return PointCloud.concatenated(clouds)


def resolve_crs(header: LasHeader, given: CRS | None = None) -> CRS:
    """The CRS a file is in, by its header and by what the caller says, in the file's own units.

    Raises:
        MissingCrs: neither says.
        BadCrs: they contradict each other, or the header's is not understood and none was given.
    """
    given = None if given is None else normalise(given)
    if header.crs is None:
        if given is not None:
            return given
        if header.crs_problem:
            raise BadCrs(f"{header.path}: {header.crs_problem}; say which CRS it is with --crs")
        raise MissingCrs(header.path, hint_for(header.bounds))
    if given is None:
        return header.crs
    agree = same(horizontal(header.crs), horizontal(given))
    own, added = vertical(header.crs), vertical(given)
    if not agree or (own is not None and added is not None and not same(own, added)):
        raise BadCrs(
            f"{header.path}: the file says it is in {_short(header.crs)}, but {_short(given)} was given; "
            "leave --crs out, or reproject the file"
        )
    return header.crs if added is None or own is not None else given


def batches(handle: BinaryIO, header: LasHeader) -> Iterator[RawPoints]:
    """All point records of an open file, some hundred thousand at a time, as they stand in it, unchecked.

    Raises:
        UnreadableFile: the points are truncated or cannot be decompressed.
    """
    yield from _batches(handle, header, None)


def _batches(
    handle: BinaryIO, header: LasHeader, window: tuple[float, float, float, float] | None
) -> Iterator[RawPoints]:
    if header.point_count == 0:
        return
    if not header.is_compressed:
        yield from _uncompressed(handle, header)
        return
    record = laz_record(header)
    if window is not None and header.is_copc:
        chunks = chunks_within(handle, header, window)
    else:
        chunks = chunk_table(handle, header, record)
    integrity = Integrity(header, record)
    by_return = np.zeros(16, dtype=np.int64)
    first = 0
    while first < len(chunks):
        last, points = first + 1, chunks[first].point_count
        while last < len(chunks) and points + chunks[last].point_count <= BATCH_POINTS:
            points += chunks[last].point_count
            last += 1
        compressed = load(handle, header, record, chunks[first:last])
        records = decompress(header, record, chunks[first:last], compressed)
        integrity.check(chunks[first:last], compressed, records)
        batch = raw_points(records, header)
        by_return += count_by_return(batch, header)
        yield batch
        first = last
    if integrity.differing and window is None and not agrees_by_return(by_return, header):
        raise UnreadableFile(header.path, "damaged: its points by return number are not what the header counts")


def _uncompressed(handle: BinaryIO, header: LasHeader) -> Iterator[RawPoints]:
    handle.seek(header.offset_to_points)
    left = header.point_count
    while left:
        wanted = min(left, BATCH_POINTS) * header.record_length
        data = handle.read(wanted)
        if len(data) < wanted:
            raise UnreadableFile(header.path, f"truncated: {left} of its {header.point_count} points are missing")
        yield raw_points(np.frombuffer(data, dtype=np.uint8), header)
        left -= wanted // header.record_length


def _gather(
    source: Iterator[RawPoints],
    header: LasHeader,
    window: tuple[float, float, float, float] | None,
    across: float,
    up: float,
) -> dict[str, NDArray[Any]]:
    """Decode the batches into columns; into their final place at once where all points are wanted."""
    kept: list[dict[str, NDArray[Any]]] = []
    whole: dict[str, NDArray[Any]] | None = None
    filled = 0
    for batch in source:
        check_sane(batch, header)
        part = decoded(batch, header, across, up)
        if window is not None:
            x, y = part["x"], part["y"]
            inside = (x >= window[0]) & (x <= window[2]) & (y >= window[1]) & (y <= window[3])
            kept.append({name: column[inside] for name, column in part.items()})
            continue
        if whole is None:
            whole = {name: np.empty(header.point_count, column.dtype) for name, column in part.items()}
        count = len(part["x"])
        for name, column in part.items():
            whole[name][filled : filled + count] = column
        filled += count
    if whole is not None:
        return {name: column[:filled] for name, column in whole.items()}
    if not kept:
        kept = [decoded(raw_points(np.empty(0, dtype=np.uint8), header), header, across, up)]
    return {name: np.concatenate([part[name] for part in kept]) for name in kept[0]}


def _scaled(
    window: tuple[float, float, float, float] | None, metres_per_unit: float
) -> tuple[float, float, float, float] | None:
    if window is None:
        return None
    west, south, east, north = (value / metres_per_unit for value in window)
    return west, south, east, north


def _short(crs: CRS) -> str:
    name = name_of(crs)
    return f"{name} ({crs.name})" if name.startswith("EPSG:") else crs.name

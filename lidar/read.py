"""Points out of LAS 1.0–1.4, LAZ and COPC files: in metres, in a known CRS, or a clear refusal."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from pathlib import Path

from pyproj import CRS

from gis.bounds import BoundingBox
from gis.crs import horizontal, name_of
from gis.errors import BadCrs, BadParameter, UnreadableFile
from lidar.las.crs import in_metres, same
from lidar.las.file_crs import resolve_crs
from lidar.las.header import LasHeader, open_file, parse_header, read_header
from lidar.las.points import all_columns, batches
from lidar.las.raw_columns import ATTRIBUTES, Seen
from lidar.point_cloud import PointCloud

__all__ = ["ATTRIBUTES", "LasHeader", "batches", "read", "read_header", "read_many"]


def read(
    path: Path | str,
    *,
    crs: CRS | None = None,
    bounds: BoundingBox | None = None,
    resolution: float | None = None,
    attributes: frozenset[str] = ATTRIBUTES,
    seen: list[Seen] | None = None,
) -> PointCloud:
    """All points of a file, or those inside `bounds` (edges included; read through the octree from COPC).

    Coordinates are in metres: a file in feet is converted (z by the vertical CRS' unit, or the horizontal one where
    there is none) and its CRS replaced by the same one with metre axes. Points flagged as withheld are left out. A
    point without a return number is a single return: return numbers of 0 become 1.

    Args:
        path: a LAS 1.0–1.4, LAZ or COPC file, or its http(s) address: then only the ranges needed are fetched, which
            of a plain LAZ are all.
        crs: for a file that does not say its CRS. Given for one that does, it must have the same horizontal part (or
            be the same system in metres); its vertical part is added where the file names none.
        bounds: in any CRS; the rectangle is carried into the file's.
        resolution: metres; of a COPC file, only the levels of its octree down to the first whose points are not
            farther apart.
        attributes: columns to read beside coordinates, returns and classes; the others are zero. In the layered LAZ of
            the point formats 6–10 they are not decompressed, nor is damage in their layers noticed.
        seen: takes in what was seen of each chunk of the file, for those who write into it again.

    Raises:
        BadParameter: a resolution is asked for that is no length, or of a file that is no COPC.
        UnreadableFile: the file is missing, truncated, damaged or something else.
        MissingCrs: neither the file nor the caller says the CRS; the hint names candidates.
        BadCrs: the CRS contradicts `crs`, is not understood, or is not projected.
    """
    with open_file(path) as handle:
        header = parse_header(handle, path)
        _check_resolution(resolution, header)
        target, across, up = in_metres(resolve_crs(header, crs))
        window = None if bounds is None else bounds.to(horizontal(target)).tuple
        try:
            columns = all_columns(handle, header, across, up, window, resolution, attributes, seen)
        except MemoryError as error:
            raise UnreadableFile(path, f"{header.point_count} points do not fit into memory; give bounds") from error
        except OSError as error:
            raise UnreadableFile(path, f"cannot be read: {error.strerror or error}") from error
    return PointCloud(**columns._asdict(), crs=target)


def read_many(
    paths: Sequence[Path | str],
    bounds: BoundingBox | None = None,
    crs: CRS | None = None,
    *,
    attributes: frozenset[str] = ATTRIBUTES,
) -> PointCloud:
    """The points of several files of one CRS, in the order of the files; those outside of `bounds` are not read.

    `attributes` as of `read`.

    Raises:
        BadCrs: two files differ in their CRS.
        BadParameter: no file was given.
        UnreadableFile, MissingCrs: as `read`.
    """
    if not paths:
        raise BadParameter("paths", paths, "give at least one file")
    clouds: list[PointCloud] = []
    for path in paths:
        cloud = read(path, crs=crs, bounds=bounds, attributes=attributes)
        if clouds and not same(cloud.crs, clouds[0].crs):
            raise BadCrs(
                f"{path}: is in {name_of(cloud.crs)[:80]}, {paths[0]} in {name_of(clouds[0].crs)[:80]}; "
                "files read together must share one CRS"
            )
        clouds.append(cloud)
    return PointCloud.concatenated(clouds)


def _check_resolution(resolution: float | None, header: LasHeader) -> None:
    if resolution is None:
        return
    if not (isfinite(resolution) and resolution > 0):
        raise BadParameter("resolution", resolution, "metres, more than 0")
    if not header.is_copc:
        raise BadParameter("resolution", resolution, f"{header.path} is no COPC file; only those have levels to choose")

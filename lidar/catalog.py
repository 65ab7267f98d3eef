"""The files of a survey, and the aligned tiles they cover."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import floor
from pathlib import Path

from pyproj import CRS
from shapely.geometry.base import BaseGeometry
from shapely.prepared import prep

from gis.bounds import BoundingBox
from gis.crs import horizontal
from gis.errors import BadCrs, BadParameter, DiabaError, UnreadableFile
from gis.files import sha256
from lidar.las.crs import in_metres
from lidar.las.file_crs import resolve_crs
from lidar.las.header import LasHeader, is_url, read_header
from lidar.tile import HEADER_SLACK, LARGEST_BUFFER, Tile

ENDINGS = frozenset({".las", ".laz"})
"""Of the files taken from a folder; COPC ends in .copc.laz."""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file of a survey: what it is, or why it cannot be used."""

    path: Path | str
    """A path, or an http(s) address as text."""
    sha256: str
    """Of the content; of a file on a web server, of its address: it is not fetched whole for that. Empty when the file
    cannot be read at all."""
    header: LasHeader | None
    bounds: BoundingBox | None
    """In the file's horizontal CRS, taken in metres."""
    crs: CRS | None
    """The file's CRS, or the one given for files that do not say theirs."""
    problem: DiabaError | None = None
    """Why the file is left out."""

    @property
    def usable(self) -> bool:
        """Whether tiles are made from it."""
        return self.problem is None


def scan(paths: Iterable[Path | str], crs: CRS | None = None) -> list[FileRecord]:
    """Look at each file's header and content hash. A bad file gets a record that says why, and stops no other.

    Args:
        paths: files, and folders whose LAS and LAZ files are all taken, in alphabetical order.
        crs: of files that do not say their own.

    Returns:
        One record a file, in order. A file that repeats another's content is marked as a problem: its points would
        count twice.
    """
    records: list[FileRecord] = []
    first_with: dict[str, Path | str] = {}
    for path in files_named(paths):
        record = _record(path, crs)
        if record.usable and record.sha256 in first_with:
            same = UnreadableFile(path, f"left out: its content is that of {first_with[record.sha256]}")
            record = FileRecord(path, record.sha256, record.header, record.bounds, record.crs, same)
        elif record.usable:
            first_with[record.sha256] = path
        records.append(record)
    return records


def tiles_over(
    records: Sequence[FileRecord],
    size: float,
    buffer: float,
    area: BoundingBox | BaseGeometry | None = None,
) -> list[Tile]:
    """Square tiles that the usable files reach into, from south to north, then west to east.

    A tile that a file only touches is among them; it may turn out to hold no point.

    Corners are multiples of the size, so the same city has the same tiles whatever files are scanned.

    Args:
        records: of `scan`; all usable ones in one horizontal CRS.
        size: m, side of a tile.
        buffer: m read beyond a tile's bounds.
        area: only tiles that touch it; a geometry is in the files' CRS.

    Raises:
        BadCrs: the files are not in one horizontal CRS.
        BadParameter: the size or the buffer makes no sense.
    """
    if not size > 0:
        raise BadParameter("size", size, "a tile's side is a positive number of metres")
    if not 0 <= buffer <= LARGEST_BUFFER:
        raise BadParameter("buffer", buffer, f"must be 0 to {LARGEST_BUFFER:g} m")
    usable = [r for r in records if r.usable and r.bounds is not None and r.crs is not None]
    if not usable:
        return []
    crs = usable[0].crs
    for record in usable[1:]:
        if record.bounds.crs != usable[0].bounds.crs:  # type: ignore[union-attr]  # usable: it has bounds
            raise BadCrs(f"{record.path} and {usable[0].path} are in different CRS: build them as two surveys")
    wanted = _wanted(area, usable[0].bounds.crs)  # type: ignore[union-attr]
    corners = sorted({corner for r in usable for corner in _corners(r.bounds, size)}, key=lambda c: (c[1], c[0]))  # type: ignore[arg-type]
    tiles = []
    for column, row in corners:
        bounds = BoundingBox(
            column * size,
            row * size,
            (column + 1) * size,
            (row + 1) * size,
            usable[0].bounds.crs,  # type: ignore[union-attr]
        )
        if wanted is not None and not prep(wanted).intersects(bounds.polygon):
            continue
        reach = bounds.buffered(LARGEST_BUFFER)
        near = [r for r in usable if r.bounds.intersects(reach)]  # type: ignore[union-attr]
        key = f"x{column * size:.12g}_y{row * size:.12g}_{size:g}"
        tiles.append(Tile(key, bounds, tuple(r.path for r in near), crs, buffer, tuple(r.bounds for r in near)))  # type: ignore[arg-type,misc]
    return tiles


def files_named(paths: Iterable[Path | str]) -> list[Path | str]:
    """The files named, and the LAS and LAZ files in the folders named, in alphabetical order; each once."""
    found: dict[Path | str, None] = {}
    for named in paths:
        if is_url(named):
            found[named] = None
            continue
        path = Path(named)
        inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in ENDINGS) if path.is_dir() else [path]
        found.update(dict.fromkeys(inside))
    return list(found)


def _record(path: Path | str, crs: CRS | None) -> FileRecord:
    digest, header = "", None
    try:
        header = read_header(path)
        digest = hashlib.sha256(str(path).encode()).hexdigest() if is_url(path) else sha256(path)
        own = resolve_crs(header, crs)
        return FileRecord(path, digest, header, _bounds(header, own), own)
    except DiabaError as error:
        return FileRecord(path, digest, header, None, None, error)
    except OSError as error:
        return FileRecord(path, digest, header, None, None, UnreadableFile(path, f"cannot be read ({error.strerror})"))


def _bounds(header: LasHeader, crs: CRS) -> BoundingBox:
    if header.point_count == 0:
        raise UnreadableFile(header.path, "it holds no points")
    metric, unit, _ = in_metres(crs)
    west, south, east, north = (value * unit for value in header.bounds)
    return BoundingBox(west, south, east, north, horizontal(metric))


def _corners(bounds: BoundingBox, size: float) -> Iterable[tuple[int, int]]:
    # The slack to the east and north alone: surveys are cut on round lines, of which a file holds the lower ones.
    west, south = floor(bounds.min_x / size), floor(bounds.min_y / size)
    east, north = floor((bounds.max_x + HEADER_SLACK) / size), floor((bounds.max_y + HEADER_SLACK) / size)
    for row in range(south, north + 1):
        for column in range(west, east + 1):
            yield column, row


def _wanted(area: BoundingBox | BaseGeometry | None, crs: CRS) -> BaseGeometry | None:
    return area.to(crs).polygon if isinstance(area, BoundingBox) else area

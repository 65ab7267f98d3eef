"""The CRS of a file: what its header says, what the caller says, and whether they agree.

Apart from reading points, so that to look at headers loads no decoder.
"""

from __future__ import annotations

from pyproj import CRS

from gis.crs import horizontal, name_of, normalise, vertical
from gis.errors import BadCrs, MissingCrs
from lidar.las.crs import hint_for, in_metres, same
from lidar.las.header import LasHeader


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
    if same(given, _metre_twin(header.crs)):
        return header.crs  # What the points of this file come out in, said back by whoever looked at it before.
    agree = same(horizontal(header.crs), horizontal(given))
    own, added = vertical(header.crs), vertical(given)
    if not agree or (own is not None and added is not None and not same(own, added)):
        raise BadCrs(
            f"{header.path}: the file says it is in {_short(header.crs)}, but {_short(given)} was given; "
            "leave --crs out, or reproject the file"
        )
    return header.crs if added is None or own is not None else given


def _metre_twin(crs: CRS) -> CRS:
    """The CRS a file in `crs` is read into; itself, where it is none that can be read."""
    try:
        return in_metres(crs)[0]
    except BadCrs:
        return crs


def _short(crs: CRS) -> str:
    name = name_of(crs)
    return f"{name} ({crs.name})" if name.startswith("EPSG:") else crs.name

"""Many solids at once, out of the store's binary form into arrays: a thousand in some milliseconds.

A solid is stored as a PolyhedralSurface Z of extended well-known binary (PostGIS), little-endian, with one letter a
face: G ground, W wall, R roof.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gis.errors import BadGeometry

ROOF, WALL, GROUND = ord("R"), ord("W"), ord("G")
_HEADER: Final = 9
"""Bytes of a part's byte order, type and count."""
_CLOSED: Final = 3
"""Corners of the smallest ring."""
_KIND, _SRID = 0x8000000F, 0x20000000


@dataclass(frozen=True, slots=True)
class Shells:
    """Faces of many solids, without the ground."""

    xyz: NDArray[np.float64]
    """(p, 3) metres in the city's CRS: corners, ring by ring, not closed; each face has its own."""
    rings: NDArray[np.int64]
    """(r + 1,): ring i has the corners `rings[i]:rings[i + 1]`."""
    faces: NDArray[np.int64]
    """(f + 1,): face i has the rings `faces[i]:faces[i + 1]`, the outer one first."""
    solid: NDArray[np.int64]
    """(f,): which of the solids a face is of."""
    surface: NDArray[np.uint8]
    """(f,): its letter."""


def read_shells(solids: Sequence[bytes], letters: Sequence[str]) -> Shells:
    """Roofs and walls of the solids; the ground below them is not seen from outside.

    Args:
        solids: extended well-known binary.
        letters: one for each face of each solid.

    Raises:
        BadGeometry: one is something else, or has not one letter for each face.
    """
    data = np.frombuffer(b"".join(solids), dtype=np.uint8)
    ends = np.cumsum([0, *(len(one) for one in solids)])
    kinds = np.frombuffer("".join(letters).encode("latin-1", "replace"), dtype=np.uint8)
    starts = np.cumsum([0, *(len(one) for one in letters)])
    bad, faces, rings, _ = _counted(data, ends, kinds, starts)
    if bad >= 0:
        raise BadGeometry(f"solid {bad}", "not a polyhedral surface with a letter for each face")
    ring_at, ring_points = np.empty(rings, dtype=np.int64), np.empty(rings, dtype=np.int64)
    face_rings, solid = np.empty(faces, dtype=np.int64), np.empty(faces, dtype=np.int64)
    surface = np.empty(faces, dtype=np.uint8)
    _listed(data, ends, kinds, starts, ring_at, ring_points, face_rings, solid, surface)
    raw = np.empty(24 * int(ring_points.sum()), dtype=np.uint8)
    _gathered(data, ring_at, ring_points, raw)
    return Shells(
        raw.view("<f8").reshape(-1, 3),
        np.concatenate([[0], np.cumsum(ring_points)]),
        np.concatenate([[0], np.cumsum(face_rings)]),
        solid,
        surface,
    )


@njit(cache=True, nogil=True)
def _u32(data, at):  # type: ignore[no-untyped-def]
    return (
        np.int64(data[at]) | np.int64(data[at + 1]) << 8 | np.int64(data[at + 2]) << 16 | np.int64(data[at + 3]) << 24
    )


@njit(cache=True, nogil=True)
def _counted(data, ends, kinds, starts):  # type: ignore[no-untyped-def]
    """The first solid that is damaged (−1: none), and how many faces, rings and corners are kept."""
    faces, rings, points = 0, 0, 0
    for i in range(len(ends) - 1):
        at, end = ends[i], ends[i + 1]
        if end - at < _HEADER or data[at] != 1 or _u32(data, at + 1) & ~_SRID != _KIND:
            return i, 0, 0, 0
        at += _HEADER if _u32(data, at + 1) & _SRID else _HEADER - 4
        if end - at < 4 or _u32(data, at) != starts[i + 1] - starts[i]:
            return i, 0, 0, 0
        at += 4
        for k in range(starts[i], starts[i + 1]):
            if end - at < _HEADER:
                return i, 0, 0, 0
            count = _u32(data, at + 5)
            at += _HEADER
            if count < 1:
                return i, 0, 0, 0
            for _ in range(count):
                if end - at < 4:
                    return i, 0, 0, 0
                corners = _u32(data, at)
                at += 4 + 24 * corners
                if corners <= _CLOSED or at > end:
                    return i, 0, 0, 0
                if kinds[k] != GROUND:
                    rings += 1
                    points += corners - 1
            if kinds[k] != GROUND:
                faces += 1
        if at != end:
            return i, 0, 0, 0
    return -1, faces, rings, points


@njit(cache=True, nogil=True)
def _listed(data, ends, kinds, starts, ring_at, ring_points, face_rings, solid, surface):  # type: ignore[no-untyped-def]
    """Where the corners of each ring lie and how many they are, how many rings a face has, and whose it is."""
    face, ring = 0, 0
    for i in range(len(ends) - 1):
        at = ends[i] + (_HEADER if _u32(data, ends[i] + 1) & _SRID else _HEADER - 4) + 4
        for k in range(starts[i], starts[i + 1]):
            count = _u32(data, at + 5)
            at += _HEADER
            kept = kinds[k] != GROUND
            for _ in range(count):
                corners = _u32(data, at)
                if kept:
                    ring_at[ring], ring_points[ring] = at + 4, corners - 1
                    ring += 1
                at += 4 + 24 * corners
            if kept:
                face_rings[face], solid[face], surface[face] = count, i, kinds[k]
                face += 1


@njit(cache=True, nogil=True)
def _gathered(data, ring_at, ring_points, raw):  # type: ignore[no-untyped-def]
    to = 0
    for i in range(len(ring_at)):
        size = 24 * ring_points[i]
        raw[to : to + size] = data[ring_at[i] : ring_at[i] + size]
        to += size

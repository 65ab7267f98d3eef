"""The arithmetic coder of LAZ, for the layers of a chunk that are made anew: class codes and extra bytes.

The other half of `lidar.las.laz_arithmetic`, with the same models; what it codes is what LASzip would have coded.
"""

from __future__ import annotations

from typing import Any, Final

import numba as nb
import numpy as np
from numpy.typing import NDArray

from lidar.las.laz_arithmetic import EIGHT, HEAD, LEAST_LENGTH, ONE, PRECISION, TWO, WHOLE, ZERO, U, start, update
from lidar.las.laz_attributes import place_in_pulse

SYMBOLS: Final = 256
_MODEL: Final = U(HEAD + 2 * SYMBOLS)
_N: Final = U(SYMBOLS)
_LAST_BYTE: Final = U(24)
MOST_BYTES: Final = 2
"""A symbol takes, at most: its share of an interval is not below 2⁻¹⁵, less a step in 512."""
ENDING: Final = 16
"""Bytes a stream takes beyond its symbols, at most."""


def class_layer(
    classes: NDArray[np.uint8], return_number: NDArray[np.uint8], number_of_returns: NDArray[np.uint8]
) -> bytes:
    """The layer of the class codes of a chunk from a scanner of one channel; empty where all are the first's.

    Args:
        classes: (n,) codes.
        return_number: (n,) from 1.
        number_of_returns: (n,).
    """
    if (classes == classes[0]).all():
        return b""
    out = np.empty(MOST_BYTES * len(classes) + ENDING, dtype=np.uint8)
    return out[: _code_classes(classes, return_number, number_of_returns, out)].tobytes()


def byte_layer(values: NDArray[np.uint8]) -> bytes:
    """The layer of an extra byte of such a chunk, (n,) values; empty where all are the first's."""
    if (values == values[0]).all():
        return b""
    out = np.empty(MOST_BYTES * len(values) + ENDING, dtype=np.uint8)
    return out[: _code_bytes(values, out)].tobytes()


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _code_classes(classes: Any, return_number: Any, number_of_returns: Any, out: Any) -> Any:
    """`decode_classes` the other way; the bytes written."""
    m = np.zeros(U(64) * _MODEL, dtype=np.uint16)
    place, base, length = 0, ZERO, WHOLE
    last = np.int64(classes[0])
    for i in range(1, len(classes)):
        single = 1 if place_in_pulse(np.int64(return_number[i]), np.int64(number_of_returns[i])) == 3 else 0
        b = U(((last & 31) << 1) + single) * _MODEL
        last = np.int64(classes[i])
        place, base, length = _coded(m, b, U(last), out, place, base, length)
    return _closed(out, place, base, length)


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _code_bytes(values: Any, out: Any) -> Any:
    """`decode_byte` the other way; the bytes written."""
    m = np.zeros(_MODEL, dtype=np.uint16)
    place, base, length = 0, ZERO, WHOLE
    for i in range(1, len(values)):
        step = (np.int64(values[i]) - np.int64(values[i - 1])) & 255
        place, base, length = _coded(m, ZERO, U(step), out, place, base, length)
    return _closed(out, place, base, length)


@nb.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _coded(m: Any, b: Any, s: Any, out: Any, place: Any, base: Any, length: Any) -> Any:
    """(place, base, length) after a symbol by the model at m[b]."""
    if m[b] == 0:
        start(m, b, _N, ZERO)
    counts = b + U(HEAD)
    step = length >> PRECISION
    low = U(m[counts + s]) * step
    high = U(m[counts + s + ONE]) * step if s + ONE < _N else length
    base, length = _carried(out, place, base + low), high - low
    while length < LEAST_LENGTH:
        out[place] = base >> _LAST_BYTE
        place += 1
        base, length = (base << EIGHT) & WHOLE, length << EIGHT
    m[counts + _N + s] += nb.uint16(1)
    left = U(m[b]) - ONE
    m[b] = left
    if left == ZERO:
        update(m, b, _N, ZERO)
    return place, base, length


@nb.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _carried(out: Any, place: Any, base: Any) -> Any:
    """The base in 32 bits; what goes over is added to the bytes already out."""
    if base > WHOLE:
        at = place - 1
        while out[at] == 255:
            out[at] = 0
            at -= 1
        out[at] += nb.uint8(1)
    return base & WHOLE


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _closed(out: Any, place: Any, base: Any, length: Any) -> Any:
    """Close the last interval as LASzip does, and give the bytes there are."""
    wide = length > TWO * LEAST_LENGTH
    base = _carried(out, place, base + (LEAST_LENGTH if wide else LEAST_LENGTH >> ONE))
    for _ in range(1 if wide else 2):
        out[place] = base >> _LAST_BYTE
        place += 1
        base = (base << EIGHT) & WHOLE
    zeros = 3 if wide else 2
    for _ in range(zeros):
        out[place] = 0
        place += 1
    return place

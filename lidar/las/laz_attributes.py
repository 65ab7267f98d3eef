"""The lesser layers of a layered LAZ chunk: class, flags, intensity, scan angle, flight strip, extra bytes.

Each kernel decodes one layer for all points of a chunk into `out[1:]`, the first point being in `out[0]`, and says
whether the layer ends as a coder ends. Each channel of the scanner has models and a last value of its own, which it
takes over from the channel before when it first comes up.
"""

from __future__ import annotations

from typing import Any, Final

import numba as nb
import numpy as np

from lidar.las.laz_arithmetic import (
    U,
    correction,
    ends_well,
    integer_size,
    model_size,
    opened,
    symbol,
    table_bits,
    wrapped,
    wrapped_short,
)

CHANNELS: Final = 4
"""Channels of a scanner; the models of each are its own."""
CHANGED_GPS, CHANGED_SCAN, CHANGED_SOURCE, NEW_CHANNEL = 4, 8, 16, 32
"""What is told of each point, beside its channel in the two lowest bits."""

_BITS_256, _SIZE_256 = U(table_bits(256)), U(model_size(256))
_BITS_64, _SIZE_64 = U(table_bits(64)), U(model_size(64))
_INTENSITY_SIZE = U(integer_size(16, 4))
_SCAN_SIZE = U(integer_size(16, 2))
_SOURCE_SIZE = U(integer_size(16, 1))


@nb.njit(cache=True, nogil=True, forceinline=True)
def place_in_pulse(r: Any, n: Any) -> Any:
    """3 for a single return, 1 for the first, 2 for the last, 0 between; of return number and number of returns."""
    return (1 if r == 1 else 0) + (2 if r >= n else 0)


@nb.njit(cache=True, nogil=True, error_model="numpy")
def decode_classes(data: Any, start: int, stop: int, returns: Any, about: Any, classes: Any) -> Any:
    """Class codes, each by the one before and whether the point is a single return."""
    m = np.zeros(CHANNELS * U(64) * _SIZE_256, dtype=np.uint16)
    last = np.full(CHANNELS, -1, dtype=np.int64)
    c = np.int64(about[0] & 3)
    last[c] = classes[0]
    end = U(stop)
    place, value, length = opened(data, start, stop)
    for i in range(1, len(classes)):
        if about[i] & NEW_CHANNEL:
            d = np.int64(about[i] & 3)
            if last[d] < 0:
                last[d] = last[c]
            c = d
        context = ((last[c] & 31) << 1) + (1 if place_in_pulse(returns[i] & 15, returns[i] >> 4) == 3 else 0)
        b = (U(c) * U(64) + U(context)) * _SIZE_256
        s, place, value, length = symbol(m, b, U(256), _BITS_256, data, end, place, value, length)
        last[c] = np.int64(s)
        classes[i] = s
    return ends_well(data, stop, place, value, length)


@nb.njit(cache=True, nogil=True, error_model="numpy")
def decode_flags(data: Any, start: int, stop: int, about: Any, flags: Any) -> Any:
    """Edge and direction of the scan, and the flags of the class; the channel is put between them."""
    m = np.zeros(CHANNELS * U(64) * _SIZE_64, dtype=np.uint16)
    last = np.full(CHANNELS, -1, dtype=np.int64)
    c = np.int64(about[0] & 3)
    last[c] = (flags[0] & 15) | ((flags[0] >> 6) << 4)
    end = U(stop)
    place, value, length = opened(data, start, stop)
    for i in range(1, len(flags)):
        if about[i] & NEW_CHANNEL:
            d = np.int64(about[i] & 3)
            if last[d] < 0:
                last[d] = last[c]
            c = d
        b = (U(c) * U(64) + U(last[c])) * _SIZE_64
        s, place, value, length = symbol(m, b, U(64), _BITS_64, data, end, place, value, length)
        last[c] = np.int64(s)
        flags[i] = (last[c] & 15) | c << 4 | (last[c] >> 4) << 6
    return ends_well(data, stop, place, value, length)


@nb.njit(cache=True, nogil=True, error_model="numpy")
def decode_intensity(data: Any, start: int, stop: int, returns: Any, about: Any, intensity: Any) -> Any:
    """Intensities, by the place in the pulse and whether the time changed."""
    m = np.zeros(CHANNELS * _INTENSITY_SIZE, dtype=np.uint16)
    levels = np.zeros((CHANNELS, 8), dtype=np.int64)
    last = np.zeros(CHANNELS, dtype=np.int64)
    used = np.zeros(CHANNELS, dtype=np.bool_)
    c = np.int64(about[0] & 3)
    used[c], last[c] = True, intensity[0]
    levels[c, :] = intensity[0]
    end = U(stop)
    place, value, length = opened(data, start, stop)
    for i in range(1, len(intensity)):
        if about[i] & NEW_CHANNEL:
            d = np.int64(about[i] & 3)
            if not used[d]:
                used[d] = True
                levels[d, :] = last[c]
            c = d
        where = place_in_pulse(returns[i] & 15, returns[i] >> 4)
        level = 2 * where + (1 if about[i] & CHANGED_GPS else 0)
        step, _, place, value, length = correction(
            m, U(c) * _INTENSITY_SIZE, False, U(4), U(where), data, end, place, value, length
        )
        last[c] = wrapped_short(levels[c, level] + step) & 0xFFFF
        levels[c, level] = last[c]
        intensity[i] = last[c]
    return ends_well(data, stop, place, value, length)


@nb.njit(cache=True, nogil=True, error_model="numpy")
def decode_scan_angle(data: Any, start: int, stop: int, about: Any, scan_angle: Any) -> Any:
    """Scan angles, where they changed."""
    m = np.zeros(CHANNELS * _SCAN_SIZE, dtype=np.uint16)
    last = np.zeros(CHANNELS, dtype=np.int64)
    used = np.zeros(CHANNELS, dtype=np.bool_)
    c = np.int64(about[0] & 3)
    used[c], last[c] = True, scan_angle[0]
    end = U(stop)
    place, value, length = opened(data, start, stop)
    for i in range(1, len(scan_angle)):
        if about[i] & NEW_CHANNEL:
            d = np.int64(about[i] & 3)
            if not used[d]:
                used[d], last[d] = True, last[c]
            c = d
        if about[i] & CHANGED_SCAN:
            step, _, place, value, length = correction(
                m, U(c) * _SCAN_SIZE, False, U(2), U((about[i] >> 2) & 1), data, end, place, value, length
            )
            last[c] = np.int16(wrapped_short(last[c] + step))
        scan_angle[i] = last[c]
    return ends_well(data, stop, place, value, length)


@nb.njit(cache=True, nogil=True, error_model="numpy")
def decode_source(data: Any, start: int, stop: int, about: Any, source: Any) -> Any:
    """Flight strips, where they changed."""
    m = np.zeros(CHANNELS * _SOURCE_SIZE, dtype=np.uint16)
    last = np.full(CHANNELS, -1, dtype=np.int64)
    c = np.int64(about[0] & 3)
    last[c] = source[0]
    end = U(stop)
    place, value, length = opened(data, start, stop)
    for i in range(1, len(source)):
        if about[i] & NEW_CHANNEL:
            d = np.int64(about[i] & 3)
            if last[d] < 0:
                last[d] = last[c]
            c = d
        if about[i] & CHANGED_SOURCE:
            step, _, place, value, length = correction(
                m, U(c) * _SOURCE_SIZE, False, U(1), U(0), data, end, place, value, length
            )
            last[c] = wrapped_short(last[c] + step) & 0xFFFF
        source[i] = last[c]
    return ends_well(data, stop, place, value, length)


@nb.njit(cache=True, nogil=True, error_model="numpy")
def decode_byte(data: Any, record_length: int, layers: int, layer: int, at: int, out: Any) -> Any:
    """Decode an extra byte of a chunk of one channel, and say whether its layer ends well.

    Args:
        data: as `decode_layered`.
        record_length: bytes of a point.
        layers: of the chunk.
        layer: the number of the byte's.
        at: its place in a record.
        out: (n,) where it goes.
    """
    start = record_length + 4 + 4 * layers
    for k in range(layer):
        start += int32_at(data, record_length + 4 + 4 * k)
    size = int32_at(data, record_length + 4 + 4 * layer)
    out[:] = data[at]
    if size <= 0:
        return True
    m = np.zeros(_SIZE_256, dtype=np.uint16)
    last, end = np.int64(data[at]), U(start + size)
    place, value, length = opened(data, start, start + size)
    for i in range(1, len(out)):
        s, place, value, length = symbol(m, U(0), U(256), _BITS_256, data, end, place, value, length)
        last = (last + np.int64(s)) & 255
        out[i] = last
    return ends_well(data, start + size, place, value, length)


@nb.njit(cache=True, nogil=True)
def int32_at(data: Any, at: int) -> Any:
    """The signed integer of four bytes at a place."""
    number = np.int64(0)
    for i in range(4):
        number |= np.int64(data[at + i]) << np.int64(8 * i)
    return wrapped(number)


@nb.njit(cache=True, nogil=True)
def uint16_at(data: Any, at: int) -> Any:
    """The unsigned integer of two bytes at a place."""
    return np.int64(data[at]) | np.int64(data[at + 1]) << np.int64(8)

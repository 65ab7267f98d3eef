"""Chunks of the point formats 6–10 (LASzip's POINT14, version 3), layer by layer, each checked by how it ends.

Each attribute is a stream of its own; a layer is decoded for all points of the chunk before the next. Layers nobody
asks for (user data, colours, waveforms, extra bytes) are left alone. The layout is that of LASzip (Isenburg, "LAZ 1.4
specification").
"""

from __future__ import annotations

from typing import Any, Final

import numba as nb
import numpy as np
from numpy.typing import NDArray

from lidar.las.laz_arithmetic import (
    ONE,
    U,
    correction,
    ends_well,
    integer_size,
    model_size,
    opened,
    symbol,
    table_bits,
    wrapped,
)
from lidar.las.laz_attributes import (
    CHANGED_GPS,
    CHANGED_SCAN,
    CHANGED_SOURCE,
    CHANNELS,
    NEW_CHANNEL,
    decode_classes,
    decode_flags,
    decode_intensity,
    decode_scan_angle,
    decode_source,
    int32_at,
    uint16_at,
)
from lidar.las.laz_times import decode_times

XY, Z, CLASS, FLAGS, INTENSITY, SCAN_ANGLE, USER_DATA, SOURCE, GPS_TIME = range(9)
"""Layers in the order of the chunk."""
LAYERS: Final = 9
_ALWAYS: Final = 1 << XY | 1 << Z | 1 << CLASS | 1 << FLAGS
_LAYER_OF: Final = {"intensity": INTENSITY, "scan_angle": SCAN_ANGLE, "point_source_id": SOURCE, "gps_time": GPS_TIME}


def layers_for(attributes: frozenset[str]) -> int:
    """A bit for each layer that must be decoded for the attributes, beside shape, returns and classes."""
    return _ALWAYS | sum(1 << layer for name, layer in _LAYER_OF.items() if name in attributes)


def _return_map() -> NDArray[np.uint8]:
    """(16, 16) by number of returns and return number: six contexts (LASzip's table)."""
    rows = """0123453445555555 1013333333333333 2124444444433333 3345444444444444 4344544444444444 5344454444444444
    3344445444444444 4344444544444444 4344444454444444 5344444445444444 5344444444544444 5334444444455444
    5334444444455544 5334444444445554 5334444444444555 5334444444444455"""
    return np.array([[int(digit) for digit in row] for row in rows.split()], dtype=np.uint8)


_RETURN_MAP: Final = _return_map()
_RETURN_LEVEL: Final = np.minimum(np.abs(np.arange(16)[:, None] - np.arange(16)[None, :]), 7).astype(np.uint8)
"""(16, 16) by number of returns and return number: returns still to come."""

_BITS_128, _SIZE_128 = U(table_bits(128)), U(model_size(128))
_SIZE_16 = U(model_size(16))
_CHANNEL_AT = U(8) * _SIZE_128
_COUNT_AT = _CHANNEL_AT + U(model_size(3))
_RETURN_AT = _COUNT_AT + U(16) * _SIZE_16
_SAME_TIME_AT = _RETURN_AT + U(16) * _SIZE_16
_DX_AT = _SAME_TIME_AT + U(model_size(13))
_DY_AT = _DX_AT + U(integer_size(32, 2))
_XY_SIZE = _DY_AT + U(integer_size(32, 22))
_Z_SIZE = U(integer_size(32, 20))


@nb.njit(cache=True, nogil=True, error_model="numpy")
def decode_layered(
    data: Any,
    record_length: int,
    layers: int,
    wanted: int,
    x: Any,
    y: Any,
    z: Any,
    intensity: Any,
    returns: Any,
    flags: Any,
    classes: Any,
    scan_angle: Any,
    source: Any,
    time_bits: Any,
) -> Any:
    """Decode one chunk, whose lengths were checked, into columns of its length, as its records have them.

    `data` are the chunk's bytes and `SPARE` more: its first point of `record_length` bytes, the point count, the
    lengths of its `layers`, the layers. `wanted` has a bit for each layer to decode; the columns of the others stay as
    they are. `time_bits` are the bits of the doubles.

    Returns:
        Layers that end as a coder ends, layers that do not, and 1 for one channel of the scanner, 2 for more.
    """
    n = len(x)
    x[0], y[0], z[0] = int32_at(data, 0), int32_at(data, 4), int32_at(data, 8)
    returns[0], flags[0], classes[0] = data[14], data[15], data[16]
    if wanted & (1 << INTENSITY):
        intensity[0] = uint16_at(data, 12)
    if wanted & (1 << SCAN_ANGLE):
        scan_angle[0] = np.int16(np.uint16(uint16_at(data, 18)))
    if wanted & (1 << SOURCE):
        source[0] = uint16_at(data, 20)
    if wanted & (1 << GPS_TIME):
        for i in range(8):
            time_bits[0] |= np.int64(data[22 + i]) << np.int64(8 * i)
    about = np.empty(n, dtype=np.uint8)
    z_context = np.empty(n, dtype=np.uint8)
    about[0] = (data[15] >> 4) & 3
    good, bad = 0, 0
    end = record_length + 4 + 4 * layers
    for layer in range(LAYERS):
        start, size = end, int32_at(data, record_length + 4 + 4 * layer)
        end = start + size
        if not wanted & (1 << layer):
            continue
        if size <= 0:
            _constant(
                layer, x, y, z, intensity, returns, flags, classes, scan_angle, source, time_bits, about, z_context
            )
            continue
        if layer == XY:
            well = _xy(data, start, end, x, y, returns, about, z_context)
        elif layer == Z:
            well = _z(data, start, end, returns, about, z_context, z)
        elif layer == CLASS:
            well = decode_classes(data, start, end, returns, about, classes)
        elif layer == FLAGS:
            well = decode_flags(data, start, end, about, flags)
        elif layer == INTENSITY:
            well = decode_intensity(data, start, end, returns, about, intensity)
        elif layer == SCAN_ANGLE:
            well = decode_scan_angle(data, start, end, about, scan_angle)
        elif layer == SOURCE:
            well = decode_source(data, start, end, about, source)
        elif layer == GPS_TIME:
            well = decode_times(data, start, end, about, time_bits)
        else:
            continue
        good += well
        bad += not well
    channels = 0
    for i in range(n):
        channels |= 1 << (about[i] & 3)
    return good, bad, 1 if channels & (channels - 1) == 0 else 2


@nb.njit(cache=True, nogil=True)
def _constant(
    layer: int,
    x: Any,
    y: Any,
    z: Any,
    intensity: Any,
    returns: Any,
    flags: Any,
    classes: Any,
    scan_angle: Any,
    source: Any,
    time_bits: Any,
    about: Any,
    z_context: Any,
) -> None:
    """An empty layer: its attribute is the first point's throughout."""
    if layer == XY:
        x[:], y[:], returns[:], about[:] = x[0], y[0], returns[0], about[0]
        z_context[:] = 0
    elif layer == Z:
        z[:] = z[0]
    elif layer == CLASS:
        classes[:] = classes[0]
    elif layer == FLAGS:
        for i in range(1, len(flags)):
            flags[i] = (flags[0] & 0xCF) | ((about[i] & 3) << 4)
    elif layer == INTENSITY:
        intensity[:] = intensity[0]
    elif layer == SCAN_ANGLE:
        scan_angle[:] = scan_angle[0]
    elif layer == SOURCE:
        source[:] = source[0]
    elif layer == GPS_TIME:
        time_bits[:] = time_bits[0]


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _xy(data: Any, start: int, stop: int, x: Any, y: Any, returns: Any, about: Any, z_context: Any) -> Any:
    m = np.zeros(CHANNELS * _XY_SIZE, dtype=np.uint16)
    used = np.zeros(CHANNELS, dtype=np.bool_)
    medians_x = np.zeros((CHANNELS * 12, 6), dtype=np.int64)
    medians_y = np.zeros((CHANNELS * 12, 6), dtype=np.int64)
    last_x, last_y = np.zeros(CHANNELS, dtype=np.int64), np.zeros(CHANNELS, dtype=np.int64)
    last_n, last_r = np.zeros(CHANNELS, dtype=np.int64), np.zeros(CHANNELS, dtype=np.int64)
    last_gps = np.zeros(CHANNELS, dtype=np.int64)
    c = np.int64(about[0] & 3)
    used[c] = True
    last_x[c], last_y[c], last_r[c], last_n[c] = x[0], y[0], returns[0] & 15, returns[0] >> 4
    end = U(stop)
    place, value, length = opened(data, start, stop)
    for i in range(1, len(x)):
        b = U(c) * _XY_SIZE
        r, n = last_r[c], last_n[c]
        before = (1 if r == 1 else 0) + (2 if r >= n else 0) + 4 * last_gps[c]
        s, place, value, length = symbol(
            m, b + U(before) * _SIZE_128, U(128), _BITS_128, data, end, place, value, length
        )
        changed = np.int64(s)
        told = 0
        if changed & 64:
            s, place, value, length = symbol(m, b + _CHANNEL_AT, U(3), U(0), data, end, place, value, length)
            d = (c + np.int64(s) + 1) & 3
            if not used[d]:
                used[d] = True
                last_x[d], last_y[d], last_r[d], last_n[d], last_gps[d] = last_x[c], last_y[c], r, n, 0
            c = d
            b = U(c) * _XY_SIZE
            r, n = last_r[c], last_n[c]
            told = NEW_CHANNEL
        gps = (changed >> 4) & 1
        if changed & 4:
            s, place, value, length = symbol(
                m, b + _COUNT_AT + U(n) * _SIZE_16, U(16), U(0), data, end, place, value, length
            )
            n = np.int64(s)
        step = changed & 3
        if step == 1:
            r = (r + 1) & 15
        elif step == 2:
            r = (r + 15) & 15
        elif step == 3:
            if gps:
                s, place, value, length = symbol(
                    m, b + _RETURN_AT + U(r) * _SIZE_16, U(16), U(0), data, end, place, value, length
                )
                r = np.int64(s)
            else:
                s, place, value, length = symbol(m, b + _SAME_TIME_AT, U(13), U(0), data, end, place, value, length)
                r = (r + np.int64(s) + 2) & 15
        single = 1 if n == 1 else 0
        which = c * 12 + 2 * np.int64(_RETURN_MAP[n, r]) + gps
        d_x, k_x, place, value, length = correction(
            m, b + _DX_AT, True, U(2), U(single), data, end, place, value, length
        )
        d_x = wrapped(d_x + medians_x[which, 2])
        _add(medians_x, which, d_x)
        context = single + (np.int64(k_x & ~ONE) if k_x < U(20) else 20)
        d_y, k_y, place, value, length = correction(
            m, b + _DY_AT, True, U(22), U(context), data, end, place, value, length
        )
        d_y = wrapped(d_y + medians_y[which, 2])
        _add(medians_y, which, d_y)
        k_z = (k_x + k_y) >> ONE
        z_context[i] = single + (np.int64(k_z & ~ONE) if k_z < U(18) else 18)
        last_x[c], last_y[c] = wrapped(last_x[c] + d_x), wrapped(last_y[c] + d_y)
        last_r[c], last_n[c], last_gps[c] = r, n, gps
        x[i], y[i] = last_x[c], last_y[c]
        returns[i] = r | n << 4
        about[i] = (
            c
            | told
            | (CHANGED_GPS if gps else 0)
            | (CHANGED_SCAN if changed & 8 else 0)
            | (CHANGED_SOURCE if changed & 32 else 0)
        )
    return ends_well(data, stop, place, value, length)


@nb.njit(cache=True, nogil=True, forceinline=True)
def _add(medians: Any, row: Any, new: Any) -> None:
    """LASzip's streaming median of five: the values in order, and which end gives way next."""
    if medians[row, 5] == 0:
        if new < medians[row, 2]:
            medians[row, 4] = medians[row, 3]
            medians[row, 3] = medians[row, 2]
            if new < medians[row, 0]:
                medians[row, 2] = medians[row, 1]
                medians[row, 1] = medians[row, 0]
                medians[row, 0] = new
            elif new < medians[row, 1]:
                medians[row, 2] = medians[row, 1]
                medians[row, 1] = new
            else:
                medians[row, 2] = new
        else:
            if new < medians[row, 3]:
                medians[row, 4] = medians[row, 3]
                medians[row, 3] = new
            else:
                medians[row, 4] = new
            medians[row, 5] = 1
    elif medians[row, 2] < new:
        medians[row, 0] = medians[row, 1]
        medians[row, 1] = medians[row, 2]
        if medians[row, 4] < new:
            medians[row, 2] = medians[row, 3]
            medians[row, 3] = medians[row, 4]
            medians[row, 4] = new
        elif medians[row, 3] < new:
            medians[row, 2] = medians[row, 3]
            medians[row, 3] = new
        else:
            medians[row, 2] = new
    else:
        if medians[row, 1] < new:
            medians[row, 0] = medians[row, 1]
            medians[row, 1] = new
        else:
            medians[row, 0] = new
        medians[row, 5] = 0


@nb.njit(cache=True, nogil=True, error_model="numpy")
def _z(data: Any, start: int, stop: int, returns: Any, about: Any, z_context: Any, z: Any) -> Any:
    m = np.zeros(CHANNELS * _Z_SIZE, dtype=np.uint16)
    levels = np.zeros((CHANNELS, 8), dtype=np.int64)
    last = np.zeros(CHANNELS, dtype=np.int64)
    used = np.zeros(CHANNELS, dtype=np.bool_)
    c = np.int64(about[0] & 3)
    used[c], last[c] = True, z[0]
    levels[c, :] = z[0]
    end = U(stop)
    place, value, length = opened(data, start, stop)
    for i in range(1, len(z)):
        if about[i] & NEW_CHANNEL:
            d = np.int64(about[i] & 3)
            if not used[d]:
                used[d] = True
                levels[d, :] = last[c]
            c = d
        level = _RETURN_LEVEL[returns[i] >> 4, returns[i] & 15]
        d_z, _, place, value, length = correction(
            m, U(c) * _Z_SIZE, True, U(20), U(z_context[i]), data, end, place, value, length
        )
        last[c] = wrapped(levels[c, level] + d_z)
        levels[c, level] = last[c]
        z[i] = last[c]
    return ends_well(data, stop, place, value, length)

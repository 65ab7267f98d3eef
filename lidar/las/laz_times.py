"""The layer of GPS times of a layered LAZ chunk: up to four interleaved sequences of steps.

A time is coded as a multiple of the last step of its sequence and a correction, as a difference of 32 bits, or anew.
"""

from __future__ import annotations

from typing import Any, Final

import numba as nb
import numpy as np

from lidar.las.laz_arithmetic import (
    ONE,
    U,
    correction,
    ends_well,
    integer_size,
    model_size,
    opened,
    plain,
    symbol,
    table_bits,
    wrapped,
)
from lidar.las.laz_attributes import CHANGED_GPS, CHANNELS, NEW_CHANNEL

MULTI: Final = 500
"""Multiples of the last time step that are coded as such."""
MULTI_MINUS: Final = -10
MULTI_FULL: Final = MULTI - MULTI_MINUS + 1
MULTI_SYMBOLS: Final = U(MULTI - MULTI_MINUS + 5)
_MULTI_BITS = U(table_bits(int(MULTI_SYMBOLS)))
_NO_STEP_AT = U(model_size(int(MULTI_SYMBOLS)))
_TIME_AT = _NO_STEP_AT + U(model_size(5))
_TIME_SIZE = _TIME_AT + U(integer_size(32, 9))
SWITCHES: Final = 4
"""Sequences of times between which a point may switch; no coder switches twice for one point."""


@nb.njit(cache=True, nogil=True, error_model="numpy")
def decode_times(data: Any, start: int, stop: int, about: Any, time_bits: Any) -> Any:
    """The bits of the times of a chunk into `time_bits[1:]`, and whether the layer ends as a coder ends."""
    m = np.zeros(CHANNELS * _TIME_SIZE, dtype=np.uint16)
    last = np.zeros(CHANNELS, dtype=np.int64)
    used = np.zeros(CHANNELS, dtype=np.bool_)
    newest = np.zeros(CHANNELS, dtype=np.int64)
    times = np.zeros((CHANNELS, SWITCHES), dtype=np.int64)
    steps = np.zeros((CHANNELS, SWITCHES), dtype=np.int64)
    extremes = np.zeros((CHANNELS, SWITCHES), dtype=np.int64)
    current = np.zeros(CHANNELS, dtype=np.int64)
    c = np.int64(about[0] & 3)
    used[c], times[c, 0], current[c] = True, time_bits[0], time_bits[0]
    end = U(stop)
    place, value, length = opened(data, start, stop)
    for i in range(1, len(time_bits)):
        if about[i] & NEW_CHANNEL:
            d = np.int64(about[i] & 3)
            if not used[d]:
                used[d], times[d, 0], current[d] = True, current[c], current[c]
            c = d
        if about[i] & CHANGED_GPS:
            b = U(c) * _TIME_SIZE
            at, multi, place, value, length = _sequence(m, b, last[c], steps, c, data, end, place, value, length)
            if multi == MULTI_FULL:
                high, _, place, value, length = correction(
                    m, b + _TIME_AT, True, U(9), U(8), data, end, place, value, length
                )
                high = wrapped(high + wrapped(times[c, at] >> 32))
                low, place, value, length = plain(U(16), data, end, place, value, length)
                upper, place, value, length = plain(U(16), data, end, place, value, length)
                newest[c] = (newest[c] + 1) & 3
                at = newest[c]
                times[c, at] = high << 32 | np.int64(low) | np.int64(upper) << 16
                steps[c, at], extremes[c, at] = 0, 0
            else:
                context, expected = _expected(multi, steps[c, at])
                step, _, place, value, length = correction(
                    m, b + _TIME_AT, True, U(9), U(context), data, end, place, value, length
                )
                step = wrapped(step + expected)
                times[c, at] += step
                if context == 0:
                    steps[c, at], extremes[c, at] = step, 0
                elif context == 1:
                    extremes[c, at] = 0
                elif context == 7 or context == 4 or context == 6:
                    extremes[c, at] += 1
                    if extremes[c, at] > 3:
                        steps[c, at], extremes[c, at] = step, 0
            last[c] = at
            current[c] = times[c, at]
        time_bits[i] = current[c]
    return ends_well(data, stop, place, value, length)


@nb.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _sequence(
    m: Any, b: Any, at: Any, steps: Any, c: Any, data: Any, end: Any, place: Any, value: Any, length: Any
) -> Any:
    """(sequence, multiple of its last step, place, value, length); −1 for a step where the last was none."""
    for _ in range(SWITCHES):
        if steps[c, at] == 0:
            s, place, value, length = symbol(m, b + _NO_STEP_AT, U(5), U(0), data, end, place, value, length)
            if s == U(0):
                return at, np.int64(MULTI_FULL + 1), place, value, length
            if s == ONE:
                return at, np.int64(MULTI_FULL), place, value, length
            at = (at + np.int64(s) - 1) & 3
        else:
            s, place, value, length = symbol(m, b, MULTI_SYMBOLS, _MULTI_BITS, data, end, place, value, length)
            multi = np.int64(s)
            if multi <= MULTI_FULL:
                return at, multi, place, value, length
            at = (at + multi - MULTI_FULL) & 3
    return at, np.int64(MULTI_FULL + 1), place, value, length


@nb.njit(cache=True, nogil=True, forceinline=True)
def _expected(multi: Any, step: Any) -> Any:
    """(context, expected step) of a time for a multiple of the last step; the context tells how far off it may be."""
    if multi > MULTI_FULL:
        return 0, np.int64(0)
    if multi == 0:
        return 7, np.int64(0)
    if multi == 1:
        return 1, step
    if multi < MULTI:
        return (2 if multi < 10 else 3), wrapped(multi * step)
    if multi == MULTI:
        return 4, wrapped(MULTI * step)
    multi = MULTI - multi
    if multi > MULTI_MINUS:
        return 5, wrapped(multi * step)
    return 6, wrapped(MULTI_MINUS * step)

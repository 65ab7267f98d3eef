"""The arithmetic decoder of LAZ, its adaptive models and its integers, as kernels whose state stays in registers.

Coder and models are FastAC's (Said 2004) as LASzip uses them (Isenburg 2013): 32-bit intervals, cumulative counts
of 15 bits, periodic updates. All models of a stream lie in one array of 16-bit numbers, zero until first used.

A stream is told from a damaged one by how it ends (`ends_well`): the coder that wrote it closed its last interval in
one way only, so that a stream whose points would not compress to its very bytes does not end so. Any bytes may be
decoded: values are bounded by construction, and what lies behind the end counts as zeros.
"""

from __future__ import annotations

from typing import Any, Final

import numba as nb
import numpy as np

U = np.uint64
"""All decoding is in this type: numba makes floats of signed and unsigned 64-bit integers together."""
ZERO, ONE, TWO, EIGHT = U(0), U(1), U(2), U(8)
LEAST_LENGTH: Final = U(1 << 24)
"""The interval is widened by a byte below this length."""
WHOLE: Final = U((1 << 32) - 1)
PRECISION: Final = U(15)
"""Bits of a cumulative count."""
MOST_COUNTED: Final = U(1 << 15)
BIT_PRECISION: Final = U(13)
MOST_BITS_COUNTED: Final = U(1 << 13)
LONGEST_BIT_CYCLE: Final = U(64)
HEAD: Final = 4
"""Places of a model before its tables: symbols until the next update, the cycle of updates, symbols counted."""
SMALL: Final = 16
"""Alphabets up to here are searched without a table."""
BIT_MODEL: Final = 8
"""Places of a model of one bit: until, cycle, bits counted, zeros counted, probability of a zero."""
HIGH_BITS: Final = 8
"""Bits of a correction that are coded by a model; those below them are stored as they are."""
BROKEN: Final = U(1 << 40)
"""Added to a stream's place where a value was met that no coder writes, so that it cannot end well."""
SPARE: Final = 3
"""Bytes that must follow a stream in memory, of any value."""
I32_SPAN: Final = 1 << 32
I32_HALF: Final = 1 << 31


def table_bits(symbols: int) -> int:
    """log₂ of the entries of a model's look-up table; 0 for none."""
    bits = 3
    while symbols > 1 << (bits + 2):
        bits += 1
    return bits if symbols > SMALL else 0


def model_size(symbols: int) -> int:
    """Places a model takes: head, cumulative counts, counts, table."""
    bits = table_bits(symbols)
    return HEAD + 2 * symbols + ((1 << bits) + 2 if bits else 0)


def integer_size(bits: int, contexts: int) -> int:
    """Places the models of an integer of so many bits take."""
    return contexts * model_size(bits + 1) + int(_CORRECTORS[bits + 1, 0])


def _correctors() -> np.ndarray[Any, np.dtype[np.uint64]]:
    """By the size k of a correction: where its model lies behind the contexts', its symbols, its table's bits."""
    rows, place = [(0, 2, 0)], BIT_MODEL
    for k in range(1, 34):
        symbols = 1 << min(k, HIGH_BITS)
        rows.append((place, symbols, table_bits(symbols)))
        place += model_size(symbols)
    return np.array(rows, dtype=np.uint64)


_CORRECTORS: Final = _correctors()


@nb.njit(cache=True, nogil=True, error_model="numpy")
def opened(data: Any, start: Any, end: Any) -> Any:
    """(place, value, length) of a decoder at the first byte of a stream."""
    value = ZERO
    for i in range(4):
        value = (value << EIGHT) | (U(data[start + i]) if start + i < end else ZERO)
    if value == WHOLE:
        return U(start) + U(4) + BROKEN, value - ONE, WHOLE
    return U(start) + U(4), value, WHOLE


@nb.njit(cache=True, nogil=True, error_model="numpy")
def ends_well(data: Any, end: Any, place: Any, value: Any, length: Any) -> Any:
    """Whether a stream was read to its last byte, and that is how a coder ends which coded these symbols.

    A coder ends in the middle of its last interval, with the fewest digits that lie in it and zeros behind them.
    """
    if place != U(end):
        return False
    last = ZERO
    for i in range(end - 4, end):
        last = (last << EIGHT) | U(data[i])
    base = (last - value) & WHOLE
    if length > TWO * LEAST_LENGTH:
        return ((base + LEAST_LENGTH) & U(0xFF000000)) == last
    return ((base + (LEAST_LENGTH >> ONE)) & U(0xFFFF0000)) == last


@nb.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def symbol(m: Any, b: Any, n: Any, bits: Any, data: Any, end: Any, place: Any, value: Any, length: Any) -> Any:
    """(symbol, place, value, length): the next symbol by the model of n symbols at m[b]."""
    if m[b] == 0:
        start(m, b, n, bits)
    counts = b + U(HEAD)
    step = length >> PRECISION
    low, high = ZERO, length
    if bits > ZERO:
        target = U(np.uint32(value) // np.uint32(step))
        t = counts + n + n + (target >> (PRECISION - bits))
        found = U(m[t])
        beyond = U(m[t + ONE]) + ONE
        while beyond > found + ONE:
            k = (found + beyond) >> ONE
            above = ZERO - U(U(m[counts + k]) > target)
            beyond = (k & above) | (beyond & ~above)
            found = (found & above) | (k & ~above)
        low = U(m[counts + found]) * step
        next_low = U(m[counts + found + ONE]) * step
        high = next_low if found + ONE < n else length
    else:
        found, beyond = ZERO, n
        k = n >> ONE
        while k != found:
            z = U(m[counts + k]) * step
            if z > value:
                beyond, high = k, z
            else:
                found, low = k, z
            k = (found + beyond) >> ONE
    value -= low
    length = high - low
    place, value, length = _widened(data, end, place, value, length)
    m[counts + n + found] += nb.uint16(1)
    left = U(m[b]) - ONE
    m[b] = left
    if left == ZERO:
        update(m, b, n, bits)
    return found, place, value, length


@nb.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _widened(data: Any, end: Any, place: Any, value: Any, length: Any) -> Any:
    """(place, value, length) after as many bytes, at most three, as the interval has become too short for.

    Without a branch, which would be guessed wrong half of the time. Bytes are taken from wherever the place is, even
    behind the end of the stream, where none matters; `data` has `SPARE` bytes more.
    """
    at = min(place, U(len(data) - SPARE))
    coming = (U(data[at]) << U(16)) | (U(data[at + ONE]) << EIGHT) | U(data[at + TWO])
    short = U(length < LEAST_LENGTH) + U(length < U(1 << 16)) + U(length < U(1 << 8))
    shift = short << U(3)
    return place + short, (value << shift) | (coming >> (U(24) - shift)), length << shift


@nb.njit(cache=True, nogil=True, error_model="numpy")
def start(m: Any, b: Any, n: Any, bits: Any) -> None:
    """Make the model at m[b] one that has seen each of its n symbols once; without bits it has no table."""
    counts = b + U(HEAD) + n
    for i in range(n):
        m[counts + U(i)] = 1
    m[b + ONE] = n
    m[b + TWO] = 0
    update(m, b, n, bits)
    m[b] = m[b + ONE] = (n + U(6)) >> ONE


@nb.njit(cache=True, nogil=True, error_model="numpy")
def update(m: Any, b: Any, n: Any, bits: Any) -> None:
    """Cumulative counts and look-up table from the counts, which are halved when they grow too large."""
    cumulative = b + U(HEAD)
    counts = cumulative + n
    table = counts + n
    cycle = U(m[b + ONE])
    total = U(m[b + TWO]) + cycle
    if total > MOST_COUNTED:
        total = ZERO
        for i in range(n):
            halved = (U(m[counts + U(i)]) + ONE) >> ONE
            m[counts + U(i)] = halved
            total += halved
    m[b + TWO] = total
    scale = U(0x80000000) // total
    summed, s = ZERO, ZERO
    shift = PRECISION - bits
    for i in range(n):
        k = U(i)
        share = (scale * summed) >> U(16)
        m[cumulative + k] = share
        summed += U(m[counts + k])
        if bits > ZERO:
            w = share >> shift
            while s < w:
                s += ONE
                m[table + s] = k - ONE
    if bits > ZERO:
        m[table] = 0
        while s <= (ONE << bits):
            s += ONE
            m[table + s] = n - ONE
    cycle = min((U(5) * cycle) >> TWO, (n + U(6)) << U(3))
    m[b] = m[b + ONE] = cycle


@nb.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def bit(m: Any, b: Any, data: Any, end: Any, place: Any, value: Any, length: Any) -> Any:
    """(bit, place, value, length): the next bit by the model at m[b]."""
    if m[b] == 0:
        m[b] = m[b + ONE] = 4
        m[b + TWO], m[b + U(3)], m[b + U(4)] = 2, 1, 1 << 12
    split = U(m[b + U(4)]) * (length >> BIT_PRECISION)
    found = ZERO
    if value >= split:
        value -= split
        length -= split
        found = ONE
    else:
        length = split
        m[b + U(3)] += nb.uint16(1)
    place, value, length = _widened(data, end, place, value, length)
    left = U(m[b]) - ONE
    m[b] = left
    if left == ZERO:
        cycle = U(m[b + ONE])
        counted, zeros = U(m[b + TWO]) + cycle, U(m[b + U(3)])
        if counted > MOST_BITS_COUNTED:
            counted, zeros = (counted + ONE) >> ONE, (zeros + ONE) >> ONE
            if zeros == counted:
                counted += ONE
        m[b + TWO], m[b + U(3)] = counted, zeros
        m[b + U(4)] = (zeros * (U(0x80000000) // counted)) >> U(18)
        m[b] = m[b + ONE] = min((U(5) * cycle) >> TWO, LONGEST_BIT_CYCLE)
    return found, place, value, length


@nb.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def plain(count: Any, data: Any, end: Any, place: Any, value: Any, length: Any) -> Any:
    """(number, place, value, length): the next `count` bits, at most 24, stored without a model."""
    number, shift = ZERO, ZERO
    if count > U(19):
        number, place, value, length = _plain(U(16), data, end, place, value, length)
        shift = U(16)
        count -= shift
    upper, place, value, length = _plain(count, data, end, place, value, length)
    return number | (upper << shift), place, value, length


@nb.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _plain(count: Any, data: Any, end: Any, place: Any, value: Any, length: Any) -> Any:
    length >>= count
    number = U(np.uint32(value) // np.uint32(length))
    most = (ONE << count) - ONE
    if number > most:
        number, value, place = most, length - ONE, place + BROKEN
    else:
        value -= length * number
    place, value, length = _widened(data, end, place, value, length)
    return number, place, value, length


@nb.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def correction(
    m: Any, b: Any, wide: bool, contexts: Any, context: Any, data: Any, end: Any, place: Any, value: Any, length: Any
) -> Any:
    """(correction, its bits, place, value, length) of an integer's prediction; of 32 bits if wide, else of 16."""
    n, bits = (U(33), U(4)) if wide else (U(17), U(3))
    stride = U(HEAD) + n + n + (ONE << bits) + TWO
    k, place, value, length = symbol(m, b + context * stride, n, bits, data, end, place, value, length)
    b += contexts * stride
    if k == ZERO:
        one, place, value, length = bit(m, b, data, end, place, value, length)
        return np.int64(one), k, place, value, length
    if k >= U(32):
        return -I32_HALF, k, place, value, length
    found, place, value, length = symbol(
        m, b + _CORRECTORS[k, 0], _CORRECTORS[k, 1], _CORRECTORS[k, 2], data, end, place, value, length
    )
    if k > U(HIGH_BITS):
        rest, place, value, length = plain(k - U(HIGH_BITS), data, end, place, value, length)
        found = (found << (k - U(HIGH_BITS))) | rest
    if found >= ONE << (k - ONE):
        return np.int64(found) + 1, k, place, value, length
    return np.int64(found) - (np.int64(1) << np.int64(k)) + 1, k, place, value, length


@nb.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def wrapped(number: Any) -> Any:
    """A sum as a signed integer of 32 bits holds it."""
    return ((number + I32_HALF) & (I32_SPAN - 1)) - I32_HALF


@nb.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def wrapped_short(number: Any) -> Any:
    """A prediction and its correction, folded into 0 to 65535 as LASzip does it."""
    return number + 65_536 if number < 0 else number - 65_536 if number >= 65_536 else number

"""Randomness that depends on a seed and a name alone, never on the order of calls or the number of threads."""

from __future__ import annotations

from zlib import crc32

import numpy as np
from numpy.random import Generator


def stream(seed: int, *names: str | int) -> Generator:
    """A generator of its own for each subject, so that one subject's draws do not move another's."""
    words = [crc32(str(name).encode()) for name in names]
    return np.random.default_rng([seed & 0xFFFFFFFF, *words])


def between(rng: Generator, bounds: tuple[float, float]) -> float:
    """A uniform draw from a closed range."""
    low, high = bounds
    return float(low + (high - low) * rng.random())

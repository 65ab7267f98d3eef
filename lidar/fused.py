"""Products added with a single rounding: what the products of matrices are made of where a processor has it.

Numpy leaves products of matrices to a library that rounds as the processor at hand does. Compiled loops say it instead.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import intrinsic

from lidar.morphology import compiled


def _fused(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """Its type and how it is made; numba asks."""
    signature = types.float64(types.float64, types.float64, types.float64)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.fma(*values)

    return signature, generate


fused: Any = intrinsic(_fused)
"""The sum a · b + c of three numbers, rounded once (IEEE 754's fusedMultiplyAdd); in compiled code alone."""


@compiled
def along(x: Any, y: Any, ux: Any, uy: Any) -> Any:
    """How far a place lies along a direction: (x, y) · (ux, uy)."""
    return fused(x, ux, y * uy)

"""What may be built on a lot of an attached house: Decision 56/2021 of Ho Chi Minh City, annex 18, and QCVN 01:2021."""

from __future__ import annotations

import numpy as np

_RESERVE_M = (25.0, 16.0, 6.0, 3.5, 0.0)
_FLOORS = (6, 5, 4, 3, 3)
_BALCONY = ((20.0, 1.4), (12.0, 1.2), (7.0, 0.9), (0.0, 0.0))
DENSITY_AREA_M2 = (50.0, 100.0, 200.0, 300.0, 500.0)
DENSITY_PCT = (100.0, 90.0, 70.0, 60.0, 50.0)


def most_floors(reserve_m: float) -> int:
    """Floors by the reserve width of the road in front (base, without bonus)."""
    return next(floors for least, floors in zip(_RESERVE_M, _FLOORS, strict=True) if reserve_m >= least)


def density_pct(area_m2: float) -> float:
    """Greatest building density of the lot, linear between the table's rows."""
    return float(np.interp(area_m2, DENSITY_AREA_M2, DENSITY_PCT))


def rear_setback(area_m2: float, depth_m: float) -> float:
    """Metres kept free at the back of the lot."""
    if area_m2 <= 50 or depth_m < 9:
        return 0.0
    return 2.0 if depth_m >= 16 else 1.0


def balcony(reserve_m: float) -> float:
    """How far a balcony may stand out over the street, metres."""
    return next(out for least, out in _BALCONY if reserve_m >= least)

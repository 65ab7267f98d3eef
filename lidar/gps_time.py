"""Times of points: seconds that name a day, and seconds of a week that name none."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final

WEEK: Final = 604_800.0
"""s: GPS week time starts anew after it."""
EPOCH: Final = datetime(1980, 1, 6, tzinfo=UTC)
ADJUSTED: Final = 1e9
"""s: taken off standard GPS time, which counts from the epoch, so that it stays small (LAS 1.4)."""
LATEST: Final = 3e9
"""s: no survey has been flown so late, in 2106."""


def day_of(seconds: float) -> date | None:
    """The day of an adjusted standard GPS time; None of what may be seconds of a week, 0 among them, or is no time."""
    if not (-ADJUSTED <= seconds < LATEST) or abs(seconds) <= WEEK:
        return None
    return (EPOCH + timedelta(seconds=ADJUSTED + seconds)).date()

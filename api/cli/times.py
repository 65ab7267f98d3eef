"""The two times of a question on the command line: of which day, and as known when."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import click

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
"""Of moments that do not say theirs."""


class DayType(click.ParamType[date]):
    """A day: 2026-03-02."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Parse it, as wrong usage when it cannot be."""
        try:
            return value if isinstance(value, date) else date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no day; write 2026-03-02", param, ctx)


class MomentType(click.ParamType[datetime]):
    """A moment: 2026-03-02T15:30, or with +07:00; a day alone is its end, so that all recorded on it counts."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Parse it, as wrong usage when it cannot be."""
        if isinstance(value, datetime):
            return value
        try:
            if len(value) == len("2026-03-02"):
                return datetime.combine(date.fromisoformat(value) + timedelta(days=1), time(), ZONE)
            moment = datetime.fromisoformat(value)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no moment; write 2026-03-02 or 2026-03-02T15:30", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=ZONE)


as_of_option = click.option("--as-of", type=DayType(), metavar="DAY", help="What was so on this day; today by default.")
known_at_option = click.option(
    "--known-at", type=MomentType(), metavar="MOMENT", help="As the register knew it then; as it knows now by default."
)

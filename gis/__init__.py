"""What the city knows: its values, its rules, its store.

import gis

city = gis.open_city()
city.buildings().plot("height")
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gis.client import CityView
    from gis.construction.procedure import Clock

__all__ = ["open_city", "permit_clock"]


def open_city(where: str | None = None, *, token: str | None = None) -> CityView:
    """The city of a name in this installation's store, or of a service's address; see `gis.client.open_city`."""
    from gis import client

    return client.open_city(where, token=token)


def permit_clock(
    procedure: str,
    filed: date | str,
    pauses: Sequence[tuple[date | str, date | str]] = (),
    extended_days: int = 0,
) -> Clock:
    """When a permit is due under the law of its filing date; see `gis.construction.due.permit_clock`."""
    from gis.construction import due

    return due.permit_clock(procedure, filed, pauses, extended_days)

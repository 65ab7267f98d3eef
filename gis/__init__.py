"""What the city knows: its values, its rules, its store.

import gis

city = gis.open_city()
city.buildings().plot("height")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gis.client import CityView

__all__ = ["open_city"]


def open_city(where: str | None = None, *, token: str | None = None) -> CityView:
    """The city of a name in this installation's store, or of a service's address; see `gis.client.open_city`."""
    from gis import client

    return client.open_city(where, token=token)

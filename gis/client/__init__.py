"""A city as planners ask it in a notebook: GeoDataFrames and rasters, from the store or through HTTP alike."""

from __future__ import annotations

import os

from gis.client.view import CityView

__all__ = ["CityView", "open_city"]


def open_city(where: str | None = None, *, token: str | None = None) -> CityView:
    """The city of a name in this installation's store, or of a service's address.

    Args:
        where: A city's name, or an address such as "https://city.example/gis". Without it what DIABA_CITY says, a name
            or an address, or the only city there is; the private store is started if it sleeps.
        token: What the service gave to know you by, sent as `Authorization: Bearer`.

    Raises:
        BadParameter: there are several cities and none was named, or a token is given for a store.
        NotFound: there is no such city.
        StoreUnreachable: the store or the service does not answer.
    """
    where = where or os.environ.get("DIABA_CITY") or None
    if where is not None and "://" in where:
        from gis.client.remote import RemoteCity

        return RemoteCity.at(where, token)
    from gis.client.local import LocalCity

    return LocalCity.named(where, token)

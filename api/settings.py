"""What an installation of the service allows: sizes, zooms, times, rates."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields
from ipaddress import IPv4Network, IPv6Network, ip_network
from math import isfinite
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from gis.errors import BadParameter

Network: TypeAlias = "IPv4Network | IPv6Network"


@dataclass(frozen=True, slots=True)
class Rates:
    """How often one may ask: each asks from a bucket that is filled at a rate, up to what it holds. 0: no limit.

    Somebody known is counted by name, the public by address (of IPv6 the /64, which one subscriber has). The counts
    are those of one process.
    """

    rate_per_second: float = 100.0
    """Requests a second of one caller, for as long as it likes."""
    rate_burst: int = 1_000
    """Requests at once after a rest: a map opens with hundreds of tiles."""
    lookups_per_minute: float = 10.0
    """Public look-ups of a dossier by one caller: its secret can be guessed, if slowly."""
    lookups_burst: int = 10
    """Of them at once."""
    concurrent_most: int = 64
    """Requests of one caller that are worked on at once."""


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """Limits of the HTTP service. Sizes guard the store; they are not a promise about the data."""

    page_size: int = 100
    """Features in an answer when the client does not say how many."""
    page_size_most: int = 1_000
    """A client that asks for more gets this many, as OGC API Features has it."""
    offset_most: int = 100_000
    """Further pages are reached by the `next` link, which does not count rows."""
    zoom_most: int = 22
    """Closest zoom level of a tile."""
    tile_buffer: int = 64
    """Units of the tile's grid of 4096 by which geometries reach over its edge, so that outlines join."""
    features_per_layer: int = 20_000
    """Most features of a layer in one tile: the largest are kept."""
    raster_zoom_least: int = 10
    """Below, one picture would be read from thousands of files."""
    raster_files_most: int = 1024
    """Most files read for one picture, profile or mesh: 16 km × 16 km of tiles of half a kilometre."""
    raster_cells_most: int = 6_000_000
    """Most cells of a raster sent as values: 24 MB of heights and as much of their σ."""
    open_rasters_most: int = 256
    """Most raster files kept open between requests."""
    rendered_bytes: int = 64 * 2**20
    """Pictures and meshes kept in memory, per process."""
    statement_seconds: float = 15.0
    """A query that takes longer is stopped."""
    retry_seconds: int = 5
    """What a client is told to wait when the store does not answer."""
    threads: int = 16
    """Requests worked on at once; also the most connections to the store."""
    requests_most: int = 256
    """Requests held at once, worked on or waiting; who comes then is told to come again."""
    streams_most: int = 1_000
    """Streams of events open at once; they are not among the requests held."""
    url_bytes_most: int = 16_384
    """Path and query of a request; a filter may hold a polygon."""
    header_bytes_most: int = 16_384
    """All header fields of a request."""
    body_bytes_most: int = 10_000_000
    """Body of a request."""
    body_seconds: float = 30.0
    """Longest silence while a body is sent."""
    shutdown_seconds: int = 20
    """What requests in flight have to end when the service is told to stop."""
    trusted_proxies: tuple[Network, ...] = ()
    """Networks whose X-Forwarded-For is believed; without one nobody's is."""
    tile_age_seconds: int = 0
    """How long a client may show a vector tile without asking again; it is told (304) where nothing has changed."""
    raster_age_seconds: int = 60
    """The same of a picture of the terrain."""
    tile_cache_bytes: int = 256_000_000
    """Most that vector tiles take in memory."""
    listeners_most: int = 200
    """Most maps that are told of changes at once."""
    public_url: str | None = None
    """Where clients reach the service, when a proxy stands before it; else what the request says."""
    rates: Rates | None = None
    """None: nobody is counted. `diaba serve` counts by the defaults of `Rates`."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> ServiceSettings:
        """Read every setting from `DIABA_` and its name in capitals, those of `Rates` too.

        Raises:
            BadParameter: a value is not of its setting's kind.
        """
        env = os.environ if environment is None else environment
        return cls(**_given(cls, env), rates=Rates(**_given(Rates, env)))


def variable(setting: Field[Any]) -> str:
    """Name of the environment variable of a setting."""
    return f"DIABA_{setting.name.upper()}"


def _given(settings: type[ServiceSettings | Rates], env: Mapping[str, str]) -> dict[str, Any]:
    asked = {one: env.get(variable(one), "").strip() for one in fields(settings) if one.name != "rates"}
    return {one.name: _value(one, text, settings is Rates) for one, text in asked.items() if text}


def _value(setting: Field[Any], text: str, zero: bool) -> Any:
    if setting.name == "public_url":
        return _url(variable(setting), text)
    if setting.name == "trusted_proxies":
        return _networks(variable(setting), text)
    kind = type(setting.default) if setting.default is not MISSING else str
    try:
        value = kind(text)
    except ValueError as error:
        raise BadParameter(variable(setting), text, f"give {_KINDS.get(kind, 'a text')}") from error
    least_is_zero = zero or setting.name in _MAY_BE_ZERO
    if isinstance(value, int | float) and (not isfinite(value) or value < 0 or (value == 0 and not least_is_zero)):
        raise BadParameter(
            variable(setting), text, f"give {_KINDS[kind]}, {'at least' if least_is_zero else 'above'} 0"
        )
    return value


_MAY_BE_ZERO = frozenset({"tile_buffer", "raster_zoom_least", "tile_age_seconds", "raster_age_seconds"})

_KINDS: Mapping[type, str] = {int: "a whole number", float: "a number"}


def _url(name: str, text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise BadParameter(name, text, "give an address such as https://city.example/gis")
    return text.rstrip("/")


def _networks(name: str, text: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(part.strip(), strict=False) for part in text.split(","))
    except ValueError as error:
        raise BadParameter(name, text, "give addresses or networks by commas, such as 127.0.0.1,10.0.0.0/8") from error

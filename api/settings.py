"""What an installation of the service allows: sizes, zooms, times."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from gis.errors import BadParameter


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
    tile_buffer: int = 64
    """Units of the tile's grid of 4096 by which geometries reach over its edge, so that outlines join."""
    features_per_layer: int = 20_000
    """Most features of a layer in one tile: the largest are kept."""
    raster_zoom_least: int = 10
    """Below, one picture would be read from thousands of files."""
    raster_files_most: int = 256
    """Most files read for one picture."""
    statement_seconds: float = 15.0
    """A query that takes longer is stopped."""
    retry_seconds: int = 5
    """What a client is told to wait when the store does not answer."""
    threads: int = 16
    """Requests worked on at once; also the most connections to the store."""
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

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> ServiceSettings:
        """Read DIABA_PUBLIC_URL.

        Raises:
            BadParameter: it is not an http or https URL.
        """
        env = os.environ if environment is None else environment
        url = env.get("DIABA_PUBLIC_URL") or None
        if url is not None:
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.netloc:
                raise BadParameter("DIABA_PUBLIC_URL", url, "give an address such as https://city.example/gis")
        return cls(public_url=url.rstrip("/") if url else None)

"""Every route of the service as a door: where somebody of another ward might see a row, and what is expected there.

A route that is not listed here fails `tests/api/test_security.py`: say of a new one what it shows of a ward's rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI

from api.query import token
from gis.crs import transformer
from tests.gis.store_samples import lot

HERE, THERE = "26734", "26737"
"""The ward of who asks, and the one whose rows must not be seen."""
FIRST_THERE, PARCELS = 20, 40
"""Parcels from the twentieth on are there."""
KIND = "over_the_line"
"""A difference that is flagged there alone."""
_THERE = "|".join(str(number) for number in range(FIRST_THERE, PARCELS))
_ADDRESSES = "|".join(str(number + 1) for number in range(FIRST_THERE, PARCELS))
MARKS = re.compile(rf"p-00({_THERE})\b|GPXD-00({_THERE})\b|{KIND}|{THERE}|\b({_ADDRESSES}) Đường".encode())
"""What of a row there is nowhere else."""
_CENTRE = lot(25).centroid
LONGITUDE, LATITUDE = transformer(9210, 4326).transform(_CENTRE.x, _CENTRE.y)
BOX = f"{LONGITUDE - 1e-5:.6f},{LATITUDE - 1e-5:.6f},{LONGITUDE + 1e-5:.6f},{LATITUDE + 1e-5:.6f}"


@dataclass(frozen=True)
class Door:
    """A route as somebody tries it."""

    why: str
    """What is seen of another ward's rows."""
    tries: tuple[str, ...] = ()
    shows: bool = False
    """Whether who sees all wards is shown rows by the same tries: else nothing would be tried."""


def _tile(ending: str) -> tuple[str, ...]:
    import morecantile

    found = morecantile.tms.get("WebMercatorQuad").tile(LONGITUDE, LATITUDE, 17)
    address = f"/tiles/{found.z}/{found.x}/{found.y}.{ending}"
    return (address, f"{address}?layers=parcels,permits", f"{address}?as_of=2026-01-31", f"{address}?layers=buildings")


_PAGES = (
    *(f"/collections/{name}/items" for name in ("parcels", "permits", "discrepancies")),
    *(f"/collections/{name}/items?bbox={BOX}" for name in ("parcels", "permits", "discrepancies")),
    "/collections/parcels/items?limit=1000",
    "/collections/parcels/items?offset=20&limit=5",
    f"/collections/parcels/items?token={token('p-0024')}",
    f"/collections/parcels/items?ward_code={THERE}",
    "/collections/parcels/items?parcel_no=26",
    "/collections/parcels/items?datetime=2009-01-01/..",
    "/collections/permits/items?parcel_uid=p-0025",
    "/collections/permits/items?datetime=2012-01-01/..",
    f"/collections/discrepancies/items?kind={KIND}",
    "/collections/discrepancies/items?building_uid=b-0025",
    "/collections/discrepancies/items?parcel_uid=p-0025",
)
_SEARCHES = (
    f"/parcels/search?text={quote('26 Đường Thử Nghiệm')}",
    f"/parcels/search?text={quote('nghiem')}",
    f"/parcels/search?text={quote('nghiemm')}",
    "/parcels/search?text=12/26",
    "/parcels/search?text=p-0025",
    "/parcels/search?sheet=12&parcel=26",
    f"/parcels/search?sheet=12&parcel=26&ward={THERE}",
    f"/parcels/search?at={LONGITUDE:.6f},{LATITUDE:.6f}",
)
_NOTHING = "nothing: it holds no row of a register"
_MEASURED = "what is measured from the air, as everybody; no difference"

DOORS = {
    "/": Door(_NOTHING, ("/", "/?f=html")),
    "/api": Door(_NOTHING, ("/api",)),
    "/conformance": Door(_NOTHING, ("/conformance",)),
    "/collections": Door("extents of the rows that are seen", ("/collections",)),
    "/collections/{collectionId}": Door(
        "the extent of the rows that are seen", ("/collections/parcels", "/collections/discrepancies")
    ),
    "/collections/{collectionId}/items": Door("no row, and no count of them", _PAGES, shows=True),
    "/collections/{collectionId}/items/{featureId}": Door(
        "404, as for a key that never was",
        ("/collections/parcels/items/p-0025", "/collections/permits/items/GPXD-0025"),
        shows=True,
    ),
    "/tiles.json": Door("bounds of the rows that are seen", ("/tiles.json",)),
    "/tiles/metadata.json": Door("bounds of the rows that are seen", ("/tiles/metadata.json",)),
    "/tiles/{layer}.json": Door("bounds of the rows that are seen", ("/tiles/parcels.json", "/tiles/buildings.json")),
    "/tiles/{z}/{x}/{y}.mvt": Door("no row; buildings without a verdict", _tile("mvt"), shows=True),
    "/tiles/{z}/{x}/{y}.pbf": Door("no row; buildings without a verdict", _tile("pbf"), shows=True),
    "/raster/{product}/tiles.json": Door(_NOTHING, ("/raster/dtm/tiles.json",)),
    "/raster/{product}/value": Door(_NOTHING, (f"/raster/dtm/value?x={LONGITUDE}&y={LATITUDE}",)),
    "/raster/{product}/{z}/{x}/{y}.png": Door(_NOTHING, ("/raster/dtm/3/1/1.png",)),
    "/buildings/{uid}": Door(_MEASURED, ("/buildings/b-0025",), shows=True),
    "/buildings/{uid}/cityjson": Door(_MEASURED, ("/buildings/b-0025/cityjson",)),
    "/parcels/search": Door("no parcel", _SEARCHES, shows=True),
    "/permits/status": Door(
        "404, whoever asks without the receipt's secret",
        ("/permits/status?receipt=760-2026-000001&secret=0000-0000-0000-0000",),
    ),
    "/health/live": Door(_NOTHING, ("/health/live",)),
    "/health/ready": Door(_NOTHING, ("/health/ready",)),
    "/viewer": Door(_NOTHING, ("/viewer",)),
    "/viewer/": Door(_NOTHING, ("/viewer/",)),
    "/viewer/{name}": Door(_NOTHING, ("/viewer/viewer.js", "/viewer/..%2f..%2fmain.py")),
    "/viewer/vendor/{name}": Door(
        _NOTHING, ("/viewer/vendor/maplibre-gl.css", "/viewer/vendor/..%2f..%2fetc%2fpasswd")
    ),
}
"""Path of a route → the door."""


def routes(app: FastAPI) -> Iterator[str]:
    """The paths of all routes of the application, described or not."""

    def walk(listed: Any) -> Iterator[str]:
        for route in listed:
            inner = getattr(route, "original_router", None) or getattr(route, "app", None)
            if getattr(route, "path", None) is not None and not hasattr(inner, "routes"):
                yield str(route.path)
            elif inner is not None:
                yield from walk(inner.routes)

    yield from walk(app.routes)


def shown_there(body: bytes, asked: str) -> set[bytes]:
    """Marks of rows there in an answer, but for what the question itself named."""
    return {match[0] for match in MARKS.finditer(body) if match[0].decode() not in asked}

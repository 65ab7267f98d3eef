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
from gis.city_model.tiles3d.levels import Address
from gis.crs import transformer
from gis.store.discrepancies import identity
from tests.gis.store_samples import lot

HERE, THERE = "26734", "26737"
"""The ward of who asks, and the one whose rows must not be seen."""
FIRST_THERE, PARCELS = 20, 40
"""Parcels from the twentieth on are there."""
KIND = "over_the_line"
"""A difference that is flagged there alone."""
CASE = identity("2025", KIND, "b-0025", "p-0025", "GPXD-0025")
"""Its id."""
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


def _place(zoom: int) -> tuple[int, int, int]:
    """Zoom, row and column of the tile there, as OGC API Tiles writes them."""
    import morecantile

    found = morecantile.tms.get("WebMercatorQuad").tile(LONGITUDE, LATITUDE, zoom)
    return zoom, found.y, found.x


def _pictures(ending: str) -> tuple[str, ...]:
    zoom, row, column = _place(15)
    return tuple(f"/raster/{layer}/{zoom}/{column}/{row}{ending}" for layer in ("dtm", "hillshade"))


def _cells() -> tuple[str, ...]:
    """The tiles of the 3D city there, of each level, and as it was."""
    return tuple(
        f"/3dtiles/{z}/{int(_CENTRE.x // side)}/{int(_CENTRE.y // side)}.glb{then}"
        for z, side in ((level, Address(level, 0, 0).side) for level in range(5))
        for then in ("", "?as_of=2026-01-31")
    )


def _filtered(collection: str, *filters: str) -> tuple[str, ...]:
    return tuple(f"/collections/{collection}/items?filter={quote(one)}" for one in filters)


_PAGES = (
    *(f"/collections/{name}/items" for name in ("parcels", "permits", "discrepancies")),
    *(f"/collections/{name}/items?bbox={BOX}" for name in ("parcels", "permits", "discrepancies")),
    "/collections/parcels/items?limit=1000",
    "/collections/parcels/items?offset=20&limit=5",
    f"/collections/parcels/items?token={token(('p-0024',))}",
    f"/collections/parcels/items?ward_code={THERE}",
    "/collections/parcels/items?parcel_no=26",
    "/collections/parcels/items?datetime=2009-01-01/..",
    "/collections/permits/items?parcel_uid=p-0025",
    "/collections/permits/items?datetime=2012-01-01/..",
    f"/collections/discrepancies/items?kind={KIND}",
    "/collections/discrepancies/items?building_uid=b-0025",
    "/collections/discrepancies/items?parcel_uid=p-0025",
)
_FILTERS = (
    *_filtered(
        "parcels",
        "uid = 'p-0025'",
        "uid LIKE 'p-00%'",
        f"ward_code = '{THERE}'",
        f"ward_code <> '{HERE}'",
        "NOT (uid = 'p-0001')",
        "CASEI(address) LIKE CASEI('%thử%')",
        "ACCENTI(address) LIKE ACCENTI('%nghiem%')",
        f"S_INTERSECTS(geometry, POINT({LONGITUDE:.6f} {LATITUDE:.6f}))",
        "area_legal / (area_legal - area_legal) > 1",
        "T_AFTER(valid_from, DATE('2000-01-01'))",
    ),
    *_filtered("permits", "parcel_uid = 'p-0025'", "permit_no LIKE 'GPXD-002%'"),
    *_filtered("discrepancies", f"kind = '{KIND}'", "building_uid = 'b-0025'", "confidence > 0 OR confidence IS NULL"),
    "/collections/parcels/items?sortby=-uid&limit=3",
    "/collections/parcels/items?sortby=-ward_code,address&limit=3",
    f"/collections/parcels/items?sortby=-ward_code&token={token(('26734', 'p-0010'))}",
    "/collections/discrepancies/items?sortby=-confidence",
    "/collections/parcels/items?properties=uid,ward_code&limit=1000",
    "/collections/parcels/items?f=html&limit=1000",
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
_CASE = identity("2025", KIND, "b-0025", "p-0025", "GPXD-0025")
_NOTHING = "nothing: it holds no row of a register"
_CLOSED = ("parcels", "permits", "discrepancies")
_SURVEYED = "what LIDAR surveyed, point clouds and terrain, as everybody: no register is in it"
_CORNERS = ((-1e-4, -1e-4), (1e-4, -1e-4), (1e-4, 1e-4), (-1e-4, -1e-4))
_SQUARE = "POLYGON((" + ",".join(f"{LONGITUDE + x:.6f} {LATITUDE + y:.6f}" for x, y in _CORNERS) + "))"
_LINE = f"LINESTRING({LONGITUDE - 1e-4:.6f} {LATITUDE:.6f},{LONGITUDE + 1e-4:.6f} {LATITUDE:.6f})"
_MEASURED = "what is measured from the air, as everybody; no difference"

DOORS = {
    "/": Door(_NOTHING, ("/", "/?f=html")),
    "/api": Door(_NOTHING, ("/api",)),
    "/conformance": Door(_NOTHING, ("/conformance",)),
    "/collections": Door("extents of the rows that are seen", ("/collections",)),
    "/collections/{collectionId}": Door(
        "the extent of the rows that are seen", ("/collections/parcels", "/collections/discrepancies")
    ),
    "/collections/{collectionId}/items": Door("no row, and no count of them", (*_PAGES, *_FILTERS), shows=True),
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
    "/buildings/{uid}": Door(_MEASURED, ("/buildings/b-0025",), shows=True),
    "/buildings/{uid}/cityjson": Door(_MEASURED, ("/buildings/b-0025/cityjson",)),
    "/buildings/{uid}/obj": Door(_MEASURED, ("/buildings/b-0025/obj",)),
    "/buildings/{uid}/glb": Door(_MEASURED, ("/buildings/b-0025/glb",)),
    "/buildings": Door(_MEASURED, (f"/buildings?bbox={BOX}", f"/buildings?bbox={BOX}&f=cityjson")),
    "/collections/{collectionId}/queryables": Door(
        "names of properties; no value", tuple(f"/collections/{name}/queryables" for name in _CLOSED)
    ),
    "/collections/{collectionId}/sortables": Door(
        "names of properties; no value", tuple(f"/collections/{name}/sortables" for name in _CLOSED)
    ),
    "/batch": Door("nothing by GET; its changes are in tests/api/test_security.py", ("/batch",)),
    "/changes": Door("no change of what is not seen", ("/changes", "/changes?after=1"), shows=False),
    "/tileMatrixSets": Door(_NOTHING, ("/tileMatrixSets",)),
    "/tileMatrixSets/{tileMatrixSetId}": Door(_NOTHING, ("/tileMatrixSets/WebMercatorQuad",)),
    "/tiles": Door("bounds of the rows that are seen", ("/tiles",)),
    "/tiles/{tileMatrixSetId}": Door("bounds of the rows that are seen", ("/tiles/WebMercatorQuad",)),
    "/tiles/{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}": Door(
        "no row; buildings without a verdict",
        tuple("/tiles/WebMercatorQuad/{}/{}/{}".format(*_place(zoom)) for zoom in (10, 13, 14, 15, 17)),
        shows=True,
    ),
    "/collections/{collectionId}/tiles": Door(
        "bounds of the rows that are seen", tuple(f"/collections/{name}/tiles" for name in ("parcels", "permits"))
    ),
    "/collections/{collectionId}/tiles/{tileMatrixSetId}": Door(
        "bounds of the rows that are seen",
        tuple(f"/collections/{name}/tiles/WebMercatorQuad" for name in ("parcels", "permits")),
    ),
    "/collections/{collectionId}/tiles/{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}": Door(
        "no row, and no block nor ward that stands for some",
        tuple(
            "/collections/{}/tiles/WebMercatorQuad/{}/{}/{}".format(name, *_place(zoom))
            for name in ("parcels", "permits")
            for zoom in (9, 12, 14, 17)
        ),
        shows=True,
    ),
    "/3dtiles/tileset.json": Door(_MEASURED, ("/3dtiles/tileset.json",)),
    "/3dtiles/{x}/{y}/tileset.json": Door(
        _MEASURED, (f"/3dtiles/{int(_CENTRE.x // 4096)}/{int(_CENTRE.y // 4096)}/tileset.json",)
    ),
    "/3dtiles/{z}/{x}/{y}.glb": Door("no permit; buildings without a verdict", _cells(), shows=True),
    "/points/{epoch}/tileset.json": Door(_SURVEYED, ("/points/2025/tileset.json",)),
    "/points/{epoch}/{tile_key}/tileset.json": Door(_SURVEYED, ("/points/2025/1206_2382/tileset.json",)),
    "/points/{epoch}/{tile_key}/{level}-{x}-{y}-{z}.glb": Door(_SURVEYED, ("/points/2025/1206_2382/0-0-0-0.glb",)),
    "/raster/{layer}/tiles.json": Door(_SURVEYED, ("/raster/dtm/tiles.json", "/raster/hillshade/tiles.json")),
    "/raster/{layer}/{z}/{x}/{y}.png": Door(_SURVEYED, _pictures(".png")),
    "/raster/{layer}/{z}/{x}/{y}@2x.png": Door(_SURVEYED, _pictures("@2x.png")),
    "/raster/{product}/value": Door(_SURVEYED, (f"/raster/dtm/value?x={LONGITUDE}&y={LATITUDE}",)),
    "/raster/{product}/statistics": Door(_SURVEYED, (f"/raster/dtm/statistics?coords={quote(_SQUARE)}",)),
    "/raster/{product}/coverage": Door(_SURVEYED, (f"/raster/dtm/coverage?bbox={BOX}",)),
    "/raster/profile": Door(_SURVEYED, (f"/raster/profile?coords={quote(_LINE)}",)),
    "/change/buildings": Door("no change on a parcel that is not seen", ("/change/buildings?from=2012&to=2025",)),
    "/change/earth": Door(_SURVEYED, (f"/change/earth?from=2012&to=2025&bbox={BOX}",)),
    "/change/earth/coverage": Door(_SURVEYED, (f"/change/earth/coverage?from=2012&to=2025&bbox={BOX}",)),
    "/flood": Door("the land under water; no lot that is not seen", (f"/flood?level=90&bbox={BOX}",), shows=True),
    "/wmts": Door(_SURVEYED, ("/wmts?service=WMTS&request=GetCapabilities",)),
    "/wmts/1.0.0/WMTSCapabilities.xml": Door(_SURVEYED, ("/wmts/1.0.0/WMTSCapabilities.xml",)),
    "/terrain/layer.json": Door(_SURVEYED, ("/terrain/layer.json",)),
    "/terrain/{z}/{x}/{y}.terrain": Door(_SURVEYED, ("/terrain/0/0/0.terrain", "/terrain/0/1/0.terrain")),
    "/stac": Door(_SURVEYED, ("/stac",)),
    "/stac/api": Door(_NOTHING, ("/stac/api",)),
    "/stac/conformance": Door(_NOTHING, ("/stac/conformance",)),
    "/stac/collections": Door(_SURVEYED, ("/stac/collections",)),
    "/stac/collections/{collectionId}": Door(_SURVEYED, ("/stac/collections/survey", "/stac/collections/dtm")),
    "/stac/collections/{collectionId}/items": Door(_SURVEYED, ("/stac/collections/survey/items",)),
    "/stac/collections/{collectionId}/items/{itemId}": Door(_SURVEYED, ("/stac/collections/survey/items/x",)),
    "/stac/search": Door(_SURVEYED, ("/stac/search", f"/stac/search?bbox={BOX}")),
    "/files/{collection}/{name}": Door(
        f"{_SURVEYED}; a path out of it leads nowhere", ("/files/dtm/x.tif", "/files/survey/..%2f..%2fregisters.gpkg")
    ),
    "/parcels/search": Door("no parcel", _SEARCHES, shows=True),
    "/parcels/{uid}/envelope": Door(
        "404, as for a parcel that never was",
        (
            "/parcels/p-0025/envelope",
            "/parcels/p-0025/envelope?as_of=2026-01-31&f=glb&height=9",
            "/parcels/p-0025/envelope?f=cityjson&height=9",
        ),
        shows=True,
    ),
    "/session": Door("who asks, and nobody else", ("/session",)),
    "/session/token": Door("nothing by GET; a code is passed on by POST", ("/session/token",)),
    "/permits/status": Door(
        "404, whoever asks without the receipt's secret",
        ("/permits/status?receipt=760-2026-000001&secret=0000-0000-0000-0000",),
    ),
    "/compliance/cases": Door(
        "no case, and no count of them",
        (
            *(
                f"/compliance/cases{asked}"
                for asked in ("", "?f=csv", "?limit=1000", "?sort=-id", "?known_at=2999-01-01")
            ),
            *(f"/compliance/cases?{asked}" for asked in ("building=b-0025", "parcel=p-0025", f"ward={THERE}")),
            f"/compliance/cases?kind={KIND}",
            f"/compliance/cases?bbox={BOX}",
            f"/compliance/cases?sort=id&after={token(('0' * 32, '0' * 32))}",
        ),
        shows=True,
    ),
    "/compliance/cases/{caseId}": Door(
        "404, as for a case that never was",
        tuple(f"/compliance/cases/{_CASE}{then}" for then in ("", "?known_at=2999-01-01")),
        shows=True,
    ),
    "/compliance/cases/{caseId}/inspections": Door(
        "404, as for a case that never was; tests/api/test_cases.py posts", (f"/compliance/cases/{_CASE}/inspections",)
    ),
    "/compliance/cases/{caseId}/assignment": Door(
        "404, as for a case that never was; tests/api/test_cases.py posts", (f"/compliance/cases/{_CASE}/assignment",)
    ),
    "/compliance/statistics": Door(
        "counts of the cases that are seen", ("/compliance/statistics", "/compliance/statistics?epoch=2025"), shows=True
    ),
    "/compliance/cases/{id}/evidence.html": Door(
        "404, as for a case that never was", (f"/compliance/cases/{CASE}/evidence.html?lang=en",), shows=True
    ),
    "/compliance/cases/{id}/evidence.pdf": Door(
        "404, as for a case that never was", (f"/compliance/cases/{CASE}/evidence.pdf",)
    ),
    "/evidence/{digest}": Door(
        "to whoever holds a sheet what it is of: neither parcel nor permit", (f"/evidence/{'0' * 64}",)
    ),
    "/health/live": Door(_NOTHING, ("/health/live",)),
    "/health/ready": Door(_NOTHING, ("/health/ready",)),
    "/viewer": Door(_NOTHING, ("/viewer",)),
    "/viewer/": Door(_NOTHING, ("/viewer/",)),
    "/viewer/sheet.html": Door(_NOTHING, ("/viewer/sheet.html",)),
    "/viewer/{name}": Door(_NOTHING, ("/viewer/app.js", "/viewer/..%2f..%2fmain.py")),
    "/viewer/fonts/{name}": Door(_NOTHING, ("/viewer/fonts/..%2f..%2fetc%2fpasswd",)),
    "/position": Door(_NOTHING, (f"/position?x={LONGITUDE}&y={LATITUDE}",)),
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

"""The first page, and what the service conforms to."""

from __future__ import annotations

from html import escape
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.answers import HTML, JSON, answer, json_bytes
from api.dependencies import BaseDep, ServiceDep
from api.errors import PROBLEMS

router = APIRouter(tags=["Service"])

CONFORMS_TO = (
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
    "http://www.opengis.net/spec/ogcapi-features-2/1.0/conf/crs",
    *(
        f"http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/{name}"
        for name in ("core", "tileset", "tilesets-list", "dataset-tilesets", "geodata-tilesets", "mvt")
    ),
    *(f"http://www.opengis.net/spec/tms/2.0/conf/{name}" for name in ("tilematrixset", "json-tilematrixset")),
)


@router.get("/", operation_id="getLandingPage", summary="Landing page", responses=PROBLEMS)
def landing(request: Request, service: ServiceDep, base: BaseDep, f: str | None = None) -> Response:
    """Where everything is: as JSON, or as a page for a browser."""
    links = _links(base)
    if f == "html" or (f is None and prefers_html(request)):
        return answer(request, _page(service.city.name, links).encode(), HTML)
    document = {
        "title": f"diaba · {service.city.name}",
        "description": "Land and construction information of the city: parcels, permits, plans, and the city as "
        "measured by LIDAR.",
        "links": links,
    }
    return answer(request, json_bytes(document), JSON)


@router.get("/conformance", operation_id="getConformance", summary="Conformance classes", responses=PROBLEMS)
def conformance(request: Request) -> Response:
    """The classes of OGC API the service implements."""
    return answer(request, json_bytes({"conformsTo": CONFORMS_TO}), JSON)


def prefers_html(request: Request) -> bool:
    """Whether the client names HTML before JSON, as browsers do."""
    accepted = [part.split(";")[0].strip() for part in request.headers.get("accept", "").lower().split(",")]
    html = accepted.index("text/html") if "text/html" in accepted else None
    json = accepted.index("application/json") if "application/json" in accepted else None
    return html is not None and (json is None or html < json)


def _links(base: str) -> list[dict[str, Any]]:
    def link(rel: str, path: str, media_type: str, title: str) -> dict[str, Any]:
        return {"rel": rel, "href": f"{base}{path}", "type": media_type, "title": title}

    return [
        link("self", "/?f=json", "application/json", "This document"),
        link("alternate", "/?f=html", "text/html", "This document as a page"),
        link("service-desc", "/api", "application/vnd.oai.openapi+json;version=3.1", "OpenAPI description"),
        link("conformance", "/conformance", "application/json", "Conformance classes"),
        link("data", "/collections", "application/json", "Lớp dữ liệu · Feature collections"),
        link(
            "http://www.opengis.net/def/rel/ogc/1.0/tilesets-vector",
            "/tiles",
            "application/json",
            "Ô bản đồ vector · Vector tiles",
        ),
        link(
            "http://www.opengis.net/def/rel/ogc/1.0/tiling-schemes", "/tileMatrixSets", "application/json", "Tile grids"
        ),
        link("related", "/tiles.json", "application/json", "Vector tiles (TileJSON)"),
        link("related", "/changes", "application/json", "Thay đổi · Changes"),
        link(
            "http://www.opengis.net/def/rel/ogc/1.0/tilesets-map",
            "/raster/dtm/tiles.json",
            "application/json",
            "Địa hình · Shaded relief (TileJSON)",
        ),
        link("related", "/viewer/", "text/html", "Bản đồ · Viewer"),
        link("status", "/health/ready", "application/json", "Health"),
    ]


def _page(city: str, links: list[dict[str, Any]]) -> str:
    rows = "\n".join(
        f'<li><a href="{escape(link["href"])}">{escape(link["title"])}</a> <code>{escape(link["type"])}</code></li>'
        for link in links
        if link["rel"] not in ("self", "alternate")
    )
    return f"""<!doctype html>
<html lang="vi">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>diaba · {escape(city)}</title>
<link rel="stylesheet" href="viewer/viewer.css">
</head>
<body class="page">
<h1>diaba · {escape(city)}</h1>
<p>Thông tin đất đai và xây dựng của thành phố · Land and construction information of the city</p>
<p><a class="button" href="viewer/">Mở bản đồ · Open the map</a></p>
<ul>
{rows}
</ul>
</body>
</html>
"""

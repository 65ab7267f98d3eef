"""The web viewer's files, and the map library it runs on, from this machine alone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Path as PathParameter
from starlette.responses import RedirectResponse, Response

from api.answers import answer
from gis.errors import NotFound

router = APIRouter(prefix="/viewer", include_in_schema=False)

_FOLDER = Path(__file__).resolve().parent.parent / "viewer"
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}
PAGES = frozenset({"index.html", "viewer.js", "style.js", "viewer.css", "features.js", "pages.css"})
LIBRARY = frozenset({"maplibre-gl.mjs", "maplibre-gl-shared.mjs", "maplibre-gl-worker.mjs", "maplibre-gl.css"})
LIBRARY_AGE = 86_400
"""Seconds a browser may keep the library without asking."""
Name = Annotated[str, PathParameter(description="A file.")]


@router.get("")
def without_slash(request: Request) -> Response:
    """The viewer's own links are relative to /viewer/."""
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"viewer/{query}", status_code=308)


@router.get("/")
def index(request: Request) -> Response:
    """The page."""
    return page(request, "index.html")


@router.get("/{name}")
def page(request: Request, name: Name) -> Response:
    """One of the viewer's files."""
    if name not in PAGES:
        raise NotFound("page", ascii(name[:60])[1:-1])
    return answer(request, (_FOLDER / name).read_bytes(), _KINDS[Path(name).suffix])


@router.get("/vendor/{name}")
def library(request: Request, name: Name) -> Response:
    """One of the map library's files: from the wheel, or from the checkout's node_modules."""
    if name not in LIBRARY:
        raise NotFound("page", ascii(name[:60])[1:-1])
    for folder in library_folders():
        if (folder / name).is_file():
            return answer(request, (folder / name).read_bytes(), _KINDS[Path(name).suffix], max_age=LIBRARY_AGE)
    raise NotFound("map library", "on this machine; run in the checkout: npm install")


def library_folders() -> tuple[Path, ...]:
    """Where MapLibre GL JS may be."""
    packaged = Path("node_modules", "maplibre-gl", "dist")
    return (_FOLDER / "vendor", _FOLDER.parent.parent / packaged, Path(sys.prefix).parent / packaged)

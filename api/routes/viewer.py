"""The web viewer's files, as they were bundled, and the map library it runs on: from this machine alone."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Path as PathParameter
from starlette.responses import RedirectResponse, Response

from api.answers import HTML, answer
from api.encodings import Body
from api.routes.evidence import POLICY as SHEET_POLICY
from gis.errors import NotFound

router = APIRouter(prefix="/viewer", include_in_schema=False)

BUILT = Path(__file__).resolve().parent.parent / "viewer" / "built"
"""Made by scripts/bundle.mjs, in the set-up or before the wheel."""
KINDS = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
_NAMED_BY_BYTES = re.compile(r"(chunk|maplibre-worker)-[A-Za-z0-9]+\.js", re.ASCII)
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}", re.ASCII)
FOR_GOOD = 31_536_000
"""Seconds a browser may keep what another version would have another name for."""
FONT_AGE = 86_400
Name = Annotated[str, PathParameter(description="A file.")]


def index(request: Request) -> Response:
    """The viewer's page, for the service's first address: its links are relative to that."""
    text = _read(BUILT / "index.html").plain
    return answer(request, text.replace(b"%BASE%", b"./").replace(b"%FILES%", b"viewer"), HTML)


@router.get("")
def without_slash(request: Request) -> Response:
    """The viewer is the service's first page for people."""
    return _to_first_page(request, "./")


@router.get("/")
def former(request: Request) -> Response:
    """Where the viewer was; the browser takes the part after # along."""
    return _to_first_page(request, "../")


@router.get("/sheet.html")
def sheet(request: Request) -> Response:
    """The page into which the viewer puts an evidence sheet it fetched: with a style of its own, without scripts."""
    return answer(request, _read(BUILT / "sheet.html").plain, HTML, headers={"Content-Security-Policy": SHEET_POLICY})


@router.get("/{name}")
def file(request: Request, name: Name) -> Response:
    """One of the viewer's files."""
    return _file(request, BUILT, name, FOR_GOOD if _NAMED_BY_BYTES.fullmatch(name) else 0)


@router.get("/fonts/{name}")
def font(request: Request, name: Name) -> Response:
    """A file of the typeface, for the page and for the map's labels."""
    return _file(request, BUILT / "fonts", name, FONT_AGE)


def _to_first_page(request: Request, path: str) -> Response:
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"{path}{query}", status_code=308)


def _file(request: Request, folder: Path, name: str, age: int) -> Response:
    kind = KINDS.get(Path(name).suffix)
    if kind is None or not _FILE.fullmatch(name) or not (folder / name).is_file():
        _check_built()
        raise NotFound("page", ascii(name[:60])[1:-1])
    return answer(request, _read(folder / name), kind, max_age=age)


def _read(path: Path) -> Body:
    """A file with what it becomes on the wire, which is made once."""
    try:
        return _kept(path, path.stat().st_mtime_ns)
    except OSError as error:
        _check_built()
        raise NotFound("page", path.name) from error


@lru_cache(maxsize=64)
def _kept(path: Path, changed: int) -> Body:
    # Fonts are compressed within themselves.
    return Body(path.read_bytes(), compress=path.suffix != ".woff2")


def _check_built() -> None:
    if not (BUILT / "index.html").is_file():
        raise NotFound("viewer", "on this machine; run in the checkout: scripts/setup.sh")

"""The catalogue's files, by their identity in it: whole, or a range of bytes at a time."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from starlette.responses import RedirectResponse, Response

from api.dependencies import ServiceDep
from api.errors import MEDIA_TYPE, PROBLEMS
from api.file_ranges import file_answer
from api.middleware import HEAD_ONLY
from api.query import key
from api.stac import MEDIA_TYPES, file_of, media_type_of
from gis.errors import NotFound
from gis.store.holdings import find_one

router = APIRouter(prefix="/files", tags=["Catalogue"])

CollectionName = Literal["dtm", "dsm", "ndsm", "points", "survey"]
_ENDING = re.compile(r"\.(tif|copc\.laz|laz|las)$")
BINARY: dict[str, Any] = {one: {"schema": {"type": "string", "format": "binary"}} for one in MEDIA_TYPES}
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file.", "content": BINARY},
    206: {"description": "The range asked for.", "content": BINARY},
    307: {"description": "The file lies elsewhere."},
    416: {
        "description": "The range lies beyond the file.",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    },
    **PROBLEMS,
}


@router.get(
    "/{collection}/{name}",
    operation_id="getFile",
    summary="File of the catalogue",
    responses=ANSWERS,
    response_class=Response,
)
def file(
    request: Request,
    service: ServiceDep,
    collection: Annotated[CollectionName, Path(description="A collection of the catalogue.")],
    name: Annotated[str, Path(description="The item's id with the file's ending, as its asset has it.")],
) -> Response:
    """A raster (COG) or points (COPC, LAZ) as they lie in the catalogue; one range at a time with the header Range.

    The ETag is the SHA-256 the catalogue knows the file by. GDAL reads rasters by `/vsicurl/`, readers of COPC points
    by their address, both without fetching the whole file. Several ranges in one request are refused.
    """
    wanted = key("file", _ENDING.sub("", name))
    with service.reading() as connection:
        found = find_one(connection, collection, wanted)
    if found is None:
        raise NotFound("file", ascii(name[:80])[1:-1])
    place = file_of(service.city.folder, found)
    if isinstance(place, str):
        return RedirectResponse(place)
    if not place.is_file():
        raise NotFound("file", f"{wanted}: the catalogue's file is missing")
    is_head = bool(request.scope.get(HEAD_ONLY))
    return file_answer(request, place, f'"{found.sha256}"', media_type_of(found), is_head=is_head)

"""OGC API Features, part 4: features are created, replaced, updated and ended, one by one or several at once.

Nothing is overwritten: each change begins on a day (`valid_from`, today without it) and adds a version; what was so
before stays so until that day, and what the register knew stays known. Who may change what is asked before anything.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote

import orjson
from fastapi import APIRouter, Depends, Header, Path, Query, Request
from starlette.responses import Response

from api.answers import GEOJSON, JSON, answer, json_bytes
from api.crs_names import CRS84, LONGITUDE_LATITUDE, named
from api.dependencies import BaseDep, Service, ServiceDep
from api.errors import NotAllowed, NotByHand, problems
from api.recording import recording
from api.routes.collections import CollectionId, find
from api.writing import (
    ACCEPTED_FEATURES,
    ACCEPTED_PATCHES,
    MERGE_PATCH,
    Occasion,
    authorise_write,
    basis_of,
    body_of,
    day_of,
    document_of,
    edit_of,
)
from gis.errors import BadInput, DiabaError, NotFound
from gis.store.edits import CHANGED_ONLY, WRITABLE, Action, Edit, apply, as_changed
from gis.store.items import Feature, Form, find_feature, find_item

router = APIRouter(tags=["Changes"])

BATCH_MOST = 200
"""Changes of one batch."""
_METHODS = {"POST": Action.CREATE, "PUT": Action.REPLACE, "PATCH": Action.UPDATE, "DELETE": Action.END}

Body = Annotated[bytes, Depends(body_of)]
FeatureId = Annotated[str, Path(alias="featureId", description="The feature's key.")]
ContentType = Annotated[str | None, Header(alias="Content-Type", include_in_schema=False)]
IfMatch = Annotated[
    str | None, Header(alias="If-Match", description="The ETag of the feature that was seen; `*` takes any.")
]
ContentCrs = Annotated[
    str | None,
    Header(alias="Content-Crs", description="CRS of the coordinates sent, as `<URI>`; CRS84 without it."),
]
PROBLEMS = problems(
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.PRECONDITION_FAILED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.REQUEST_URI_TOO_LONG,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.PRECONDITION_REQUIRED,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


def occasion(
    service: ServiceDep,
    valid_from: Annotated[
        str | None, Query(description="The first day of the change, today without it.", examples=["2026-01-31"])
    ] = None,
    approved_at: Annotated[str | None, Query(description="Of a change of land: the day it was approved.")] = None,
    legal_ref: Annotated[str | None, Query(description="Of a change of land: the decision it rests on.")] = None,
    dossier: Annotated[str | None, Query(description="Of a change of land: the number of its dossier.")] = None,
    content_crs: ContentCrs = None,
) -> Occasion:
    """When a change begins, on what it rests, and how its coordinates are to be read."""
    crs = LONGITUDE_LATITUDE
    if content_crs is not None:
        crs = named("Content-Crs", content_crs.strip().removeprefix("<").removesuffix(">"), service.crs_offered)
    return Occasion(day_of(valid_from), basis_of(approved_at, legal_ref, dossier), crs, service.city.crs)


OccasionDep = Annotated[Occasion, Depends(occasion)]


def _takes(*media_types: str) -> dict[str, Any]:
    schema = {"schema": {"type": "object"}}
    return {"requestBody": {"required": True, "content": dict.fromkeys(media_types, schema)}}


@router.post(
    "/collections/{collectionId}/items",
    operation_id="createFeature",
    summary="Create a feature",
    status_code=HTTPStatus.CREATED,
    responses={201: {"description": "The feature as it is now.", "content": {GEOJSON: {}}}, **PROBLEMS},
    response_class=Response,
    openapi_extra=_takes(*ACCEPTED_FEATURES),
)
def create(
    request: Request,
    service: ServiceDep,
    base: BaseDep,
    collection_id: CollectionId,
    body: Body,
    at: OccasionDep,
    content_type: ContentType = None,
) -> Response:
    """Add a feature to a register; its key is the one it names as `uid`, or a new one."""
    _writable(collection_id)
    document = document_of(body, content_type, *ACCEPTED_FEATURES)
    edit = edit_of(collection_id, Action.CREATE, None, document, None, at)
    key, feature = _done(request, service, edit)
    here = f"{base}/collections/{collection_id}/items/{quote(key, safe='')}"
    made = _answer(request, feature, {"Location": here})
    made.status_code = HTTPStatus.CREATED
    return made


@router.put(
    "/collections/{collectionId}/items/{featureId}",
    operation_id="replaceFeature",
    summary="Replace a feature",
    responses={200: {"description": "The feature as it is now.", "content": {GEOJSON: {}}}, **PROBLEMS},
    response_class=Response,
    openapi_extra=_takes(*ACCEPTED_FEATURES),
)
def replace(
    request: Request,
    service: ServiceDep,
    collection_id: CollectionId,
    feature_id: FeatureId,
    body: Body,
    at: OccasionDep,
    if_match: IfMatch = None,
    content_type: ContentType = None,
) -> Response:
    """Say anew what a feature is; a property that is not told has no value any more."""
    _writable(collection_id)
    document = document_of(body, content_type, *ACCEPTED_FEATURES)
    edit = edit_of(collection_id, Action.REPLACE, feature_id, document, if_match, at)
    return _answer(request, _done(request, service, edit)[1], {})


@router.patch(
    "/collections/{collectionId}/items/{featureId}",
    operation_id="updateFeature",
    summary="Update a feature",
    responses={200: {"description": "The feature as it is now.", "content": {GEOJSON: {}}}, **PROBLEMS},
    response_class=Response,
    openapi_extra=_takes(MERGE_PATCH, *ACCEPTED_FEATURES),
)
def update(
    request: Request,
    service: ServiceDep,
    collection_id: CollectionId,
    feature_id: FeatureId,
    body: Body,
    at: OccasionDep,
    if_match: IfMatch = None,
    content_type: ContentType = None,
) -> Response:
    """Change some properties of a feature, or its geometry (JSON Merge Patch, RFC 7396); null takes a value away."""
    _writable(collection_id)
    document = document_of(body, content_type, *ACCEPTED_PATCHES)
    edit = edit_of(collection_id, Action.UPDATE, feature_id, document, if_match, at)
    return _answer(request, _done(request, service, edit)[1], {})


@router.delete(
    "/collections/{collectionId}/items/{featureId}",
    operation_id="endFeature",
    summary="End a feature",
    status_code=HTTPStatus.NO_CONTENT,
    responses=PROBLEMS,
    response_class=Response,
    dependencies=[Depends(body_of)],
)
def end(
    request: Request,
    service: ServiceDep,
    collection_id: CollectionId,
    feature_id: FeatureId,
    at: OccasionDep,
    if_match: IfMatch = None,
) -> Response:
    """From the day on the feature is no more so; what it was before, and what was known of it, stays."""
    _writable(collection_id)
    edit = edit_of(collection_id, Action.END, feature_id, {}, if_match, at)
    with recording(request, service) as connection:
        apply(connection, edit, _allowing(service, edit))
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.post(
    "/batch",
    operation_id="changeFeatures",
    summary="Several changes at once, all or none",
    responses={200: {"description": "What became of each.", "content": {JSON: {}}}, **PROBLEMS},
    response_class=Response,
    openapi_extra=_takes(JSON),
)
def batch(
    request: Request, service: ServiceDep, body: Body, at: OccasionDep, content_type: ContentType = None
) -> Response:
    """Changes of several features in one transaction.

    The body is `{"requests": [{"method", "collection", "id", "if_match", "body"}, …]}`: `method` is POST, PUT, PATCH or
    DELETE, `body` what the method takes, `if_match` what its header says. Where one cannot be done none is, and the
    problem names it by its place, counted from 1.
    """
    document = document_of(body, content_type, JSON)
    listed = document.get("requests")
    if not isinstance(listed, list) or not 1 <= len(listed) <= BATCH_MOST:
        raise BadInput(f"requests is a list of 1 to {BATCH_MOST} changes")
    results: list[dict[str, Any]] = []
    with recording(request, service) as connection:
        for place, one in enumerate(listed, 1):
            try:
                edit = _listed(one, at)
                key = apply(connection, edit, _allowing(service, edit))
            except DiabaError as error:
                error.args = (f"request {place}: {error}",)
                raise
            results.append({"collection": edit.collection, "id": key, "action": edit.action.value})
    return answer(request, json_bytes({"results": results}), JSON)


def _listed(one: Any, at: Occasion) -> Edit:
    if not isinstance(one, dict) or one.get("method") not in _METHODS:
        raise BadInput(f"method is one of {', '.join(_METHODS)}")
    told = one.get("body", {})
    texts = (one.get("collection", ""), one.get("id"), one.get("if_match"))
    if not isinstance(told, dict) or any(text is not None and not isinstance(text, str) for text in texts):
        raise BadInput("collection, id and if_match are texts, body is a JSON object")
    collection, name, if_match = texts
    find(str(collection))
    action = _METHODS[one["method"]]
    if name is None and action is not Action.CREATE:
        raise BadInput("id names the feature that is changed")
    return edit_of(str(collection), action, name, told, if_match, at)


def _writable(collection_id: str) -> None:
    """Raises what the caller is to hear before its body is looked at."""
    find(collection_id)
    if collection_id not in WRITABLE:
        raise NotByHand(collection_id, WRITABLE)


def _allowing(service: Service, edit: Edit) -> Callable[[str | None], None]:
    """Refuses who may not change the feature: as one that is not there, where it may not be seen either."""

    def allow(ward: str | None) -> None:
        try:
            authorise_write(edit.collection, ward)
        except NotAllowed:
            if edit.key is None or edit.collection != CHANGED_ONLY:
                raise
            with service.reading() as connection:
                seen = find_item(connection, find(edit.collection), edit.key)
            if seen is None:
                raise NotFound("parcel", edit.key) from None
            raise

    return allow


def _done(request: Request, service: Service, edit: Edit) -> tuple[str, Feature]:
    """Do a change, and see what it made in the same transaction."""
    form = Form(LONGITUDE_LATITUDE.srid, LONGITUDE_LATITUDE.decimals)
    with recording(request, service) as connection:
        key = apply(connection, edit, _allowing(service, edit))
        feature = find_feature(connection, find(edit.collection), key, form, as_changed(connection, edit))
    if feature is None:
        raise NotFound("feature", key)
    return key, feature


def _answer(request: Request, feature: Feature, headers: dict[str, str]) -> Response:
    return answer(
        request,
        orjson.dumps(orjson.Fragment(feature.text)),
        GEOJSON,
        headers={"Content-Crs": f"<{CRS84}>", **headers},
        revision=feature.version,
    )

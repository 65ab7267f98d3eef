"""Who asks, and how somebody signs in with a browser."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request
from starlette.responses import Response

from api.access.settings import AccessSettings
from api.access.sign_in import SignIn, check_redirect
from api.answers import JSON, answer, json_bytes
from api.caller import Caller, caller
from api.dependencies import BaseDep
from api.errors import PROBLEMS, BodyTooLarge, IssuerUnreachable, problems
from api.limits import count_lookup
from api.register_schemas import SESSION, TOKENS
from api.writing import document_of
from gis.access.scope import EVERY, Grant, Subject
from gis.errors import BadParameter

router = APIRouter(prefix="/session", tags=["Service"])

BODY_MOST = 20_000
"""Bytes of a request."""
TEXT_MOST = 4_000
"""Characters of a code or an address."""
FIELDS = ("code", "code_verifier", "redirect_uri")


async def sign_in_of(request: Request) -> SignIn:
    """How the application's callers sign in."""
    found: SignIn = request.app.state.sign_in
    return found


async def small_body(request: Request) -> bytes:
    """The request's body: whoever signs in is not known yet, so little is read.

    Raises:
        BodyTooLarge: it is larger.
    """
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > BODY_MOST:
            raise BodyTooLarge(BODY_MOST)
    return body


SignInDep = Annotated[SignIn, Depends(sign_in_of)]


@router.get(
    "",
    operation_id="getSession",
    summary="Who asks",
    responses={
        200: {"description": "Who asks and how to sign in.", "content": {JSON: {"schema": SESSION}}},
        **PROBLEMS,
    },
    response_class=Response,
)
def session(request: Request, sign_in: SignInDep) -> Response:
    """Who the token or key is of, and what it grants; without one the public.

    `sign_in.oidc` is where a browser gets a token (OpenID Connect, code flow with PKCE): null where no issuer is set,
    or it does not answer now.
    """
    document = _document(caller()) | {
        "sign_in": {"development": sign_in.settings.dev_issuer, "oidc": _issuer(sign_in)},
    }
    return answer(request, json_bytes(document), JSON, headers={"Cache-Control": "no-store"})


@router.post(
    "/token",
    operation_id="exchangeCode",
    summary="A token for a code",
    responses={
        200: {"description": "What the issuer gives for it.", "content": {JSON: {"schema": TOKENS}}},
        **PROBLEMS,
        **problems(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
    },
    response_class=Response,
    dependencies=[Depends(count_lookup)],
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                JSON: {
                    "schema": {
                        "type": "object",
                        "required": list(FIELDS),
                        "properties": {name: {"type": "string", "maxLength": TEXT_MOST} for name in FIELDS},
                    }
                }
            },
        }
    },
)
def token(
    base: BaseDep,
    sign_in: SignInDep,
    body: Annotated[bytes, Depends(small_body)],
    content_type: Annotated[str | None, Header(alias="Content-Type", include_in_schema=False)] = None,
) -> Response:
    """Pass a code of the issuer on to it, with the verifier that only the browser knows which asked for the code.

    The service keeps neither code nor token. Nobody can use another's code: the issuer wants the verifier too.
    """
    code, verifier, redirect_uri = _fields(document_of(body, content_type, JSON))
    check_redirect(redirect_uri, base)
    found = sign_in.exchange(code, verifier, redirect_uri)
    document = {
        "access_token": found.access_token,
        "token_type": "Bearer",
        "expires_in": found.expires_in,
        "id_token": found.id_token,
    }
    return Response(json_bytes(document), 200, {"Cache-Control": "no-store"}, JSON)


def _fields(document: Mapping[str, Any]) -> tuple[str, str, str]:
    """Code, verifier and address.

    Raises:
        BadParameter: one of them is missing, or no text.
    """
    values = []
    for name in FIELDS:
        value = document.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= TEXT_MOST or not value.isprintable():
            raise BadParameter(name, "…", f"give a text of at most {TEXT_MOST} characters")
        values.append(value)
    return values[0], values[1], values[2]


def _document(who: Caller) -> dict[str, Any]:
    grants = sorted(who.scope.grants, key=lambda one: (one.department, sorted(one.wards), one.may_change))
    wards = set().union(*(one.wards for one in grants)) if grants else set()
    return {
        "subject": who.subject,
        "departments": sorted({str(one.department) for one in grants}),
        "wards": [EVERY] if EVERY in wards else sorted(wards),
        "grants": [_grant(one) for one in grants],
        "sees": {str(about): sorted(who.scope.wards(about)) for about in Subject if who.scope.wards(about)},
    }


def _grant(one: Grant) -> dict[str, Any]:
    return {"department": str(one.department), "wards": sorted(one.wards), "may_change": one.may_change}


def _issuer(sign_in: SignIn) -> dict[str, str] | None:
    settings: AccessSettings = sign_in.settings
    if not sign_in.is_offered:
        return None
    try:
        addresses = sign_in.addresses()
    except IssuerUnreachable:
        return None
    found = {
        "issuer": str(settings.issuer),
        "authorization_endpoint": addresses.authorization,
        "client_id": str(settings.client_id),
        "scope": settings.scope,
    }
    return found | ({} if settings.resource is None else {"resource": settings.resource})

"""Tokens (JWT, RFC 7519, as RFC 8725 advises): whether one is of an issuer that is believed, and what it grants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt
from jwt.exceptions import PyJWTError

from api.access.key_sets import KeySet
from api.access.settings import ALGORITHMS
from api.caller import Caller
from api.errors import NotAuthenticated
from gis.access.scope import scope_within

TOKEN_MOST = 16_384
"""Characters of a token."""
SUBJECT_MOST = 200
GRANTS_MOST = 5_000
"""Entries of the claim that are read."""
REQUIRED = ["iss", "aud", "exp", "sub"]
TYPES = frozenset({None, "jwt", "at+jwt", "application/at+jwt"})
"""Of tokens that say who may do what; others (of logout, of an event) are signed with the same keys."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who makes tokens that are believed."""

    name: str
    audience: str
    keys: KeySet
    claim: str
    leeway_seconds: int = 30


@dataclass(frozen=True, slots=True)
class Checked:
    """A token that was found good, and until when it is."""

    caller: Caller
    expires: float
    """Seconds since 1970."""


def check(token: str, issuers: Sequence[Issuer], districts: Mapping[str, frozenset[str]]) -> Checked:
    """Who a token says asks.

    Only the issuer it names is asked, with a key that this issuer published, of a kind that the key is for. What the
    token itself says about keys (`jwk`, `jku`, `x5u`) is not looked at.

    Raises:
        NotAuthenticated: it is forged, expired, not valid yet, for somebody else, or no token.
        IssuerUnreachable: the issuer's keys cannot be had.
    """
    if len(token) > TOKEN_MOST:
        raise NotAuthenticated(f"the token is longer than {TOKEN_MOST} characters")
    try:
        header = jwt.get_unverified_header(token)
        named = jwt.decode(token, options={"verify_signature": False}).get("iss")
    except (PyJWTError, ValueError) as error:
        raise NotAuthenticated("this is no token") from error
    issuer = next((one for one in issuers if one.name == named), None)
    if issuer is None:
        raise NotAuthenticated("the token is of another issuer")
    if header.get("alg") not in ALGORITHMS:
        raise NotAuthenticated(f"tokens are signed with {', '.join(ALGORITHMS)}")
    kind = header.get("typ")
    if "crit" in header or (kind.lower() if isinstance(kind, str) else kind) not in TYPES:
        raise NotAuthenticated("the token is of a kind that is not known here")
    key = issuer.keys.find(header.get("kid"))
    if key is None or key.algorithm_name != header["alg"]:
        raise NotAuthenticated("the token is signed with a key that its issuer does not have")
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            audience=issuer.audience,
            issuer=issuer.name,
            leeway=issuer.leeway_seconds,
            options={"require": REQUIRED},
        )
    except (PyJWTError, ValueError) as error:
        raise NotAuthenticated(_why(error)) from error
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_MOST or not subject.isprintable():
        raise NotAuthenticated("the token does not say of whom it is")
    scope = scope_within(granted(claims, issuer.claim), districts)
    return Checked(Caller.of(subject, scope), float(claims["exp"]))


def granted(claims: Mapping[str, Any], path: str) -> list[Any]:
    """What a claim lists: a JSON array, or words of one text as in `scope`. A path's dots lead into objects."""
    found: Any = claims.get(path)
    if found is None:
        found = claims
        for part in path.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        found = found.split()
    return found[:GRANTS_MOST] if isinstance(found, list) else []


def _why(error: Exception) -> str:
    """One sentence that does not repeat what the token says."""
    known = {
        jwt.ExpiredSignatureError: "the token has expired",
        jwt.ImmatureSignatureError: "the token is not valid yet",
        jwt.InvalidAudienceError: "the token is for another service",
        jwt.InvalidIssuerError: "the token is of another issuer",
        jwt.InvalidSignatureError: "the token's signature is wrong",
    }
    why = next((text for cls, text in known.items() if isinstance(error, cls)), "the token cannot be used")
    return f"{why}: it lacks {error.claim}" if isinstance(error, jwt.MissingRequiredClaimError) else why

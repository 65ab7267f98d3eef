"""Whom an installation of the service believes: an issuer of tokens, and for how long what it was told holds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from gis.errors import BadParameter

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
CLAIM = "diaba"
ALGORITHMS = ("RS256", "ES256", "EdDSA")
"""Signatures that are believed: all asymmetric, so that whoever checks a token cannot make one."""


@dataclass(frozen=True, slots=True)
class AccessSettings:
    """How callers are told from each other. Without an issuer there are keys of machines and the public."""

    issuer: str | None = None
    """The issuer of tokens, exactly as their `iss` says it."""
    audience: str | None = None
    """What tokens for this service have as `aud`."""
    keys: str | None = None
    """The issuer's public keys (JWKS): a URL or a file; by discovery of the issuer when not given."""
    claim: str = CLAIM
    """The claim that lists the grants; dots lead into objects: `realm_access.roles`."""
    dev_issuer: bool = False
    """Whether tokens of `diaba token` are believed."""
    leeway_seconds: int = 30
    """By which clocks may differ."""
    keys_seconds: float = 600.0
    """How long the issuer's keys are used before they are asked for again."""
    keys_stale_seconds: float = 86_400.0
    """How long they are used when the issuer does not answer."""
    keys_pause_seconds: float = 10.0
    """Least time between two questions to the issuer, whatever tokens say."""
    fetch_seconds: float = 5.0
    """How long the issuer may take."""
    token_seconds: float = 60.0
    """How long a token that was checked is not checked again."""
    api_key_seconds: float = 5.0
    """How long a key that was checked is not checked again: a revoked one works as long."""
    client_id: str | None = None
    """What the viewer is called at the issuer; without it nobody signs in there with a browser."""
    scope: str = "openid"
    """What the viewer asks the issuer for, words apart."""
    resource: str | None = None
    """Of issuers that make tokens for the audience they are asked for (RFC 8707): that audience."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> AccessSettings:
        """Read DIABA_AUTH_ISSUER, _AUDIENCE, _JWKS and _CLAIM; and of the viewer _CLIENT_ID, _SCOPE and _RESOURCE.

        Raises:
            BadParameter: an issuer without an audience or the other way round, or an address that is not https (but
                for this machine's own).
        """
        env = os.environ if environment is None else environment
        issuer, audience = env.get("DIABA_AUTH_ISSUER") or None, env.get("DIABA_AUTH_AUDIENCE") or None
        keys, claim = env.get("DIABA_AUTH_JWKS") or None, env.get("DIABA_AUTH_CLAIM") or CLAIM
        if (issuer is None) != (audience is None):
            raise BadParameter("DIABA_AUTH_ISSUER", issuer, "give both DIABA_AUTH_ISSUER and DIABA_AUTH_AUDIENCE")
        if keys is not None and issuer is None:
            raise BadParameter("DIABA_AUTH_JWKS", keys, "give DIABA_AUTH_ISSUER and DIABA_AUTH_AUDIENCE too")
        if issuer is not None and keys is None:
            check_url("DIABA_AUTH_ISSUER", issuer)
        if keys is not None and is_url(keys):
            check_url("DIABA_AUTH_JWKS", keys)
        elif keys is not None and not Path(keys).is_file():
            raise BadParameter("DIABA_AUTH_JWKS", keys, "neither a URL nor a file")
        client = env.get("DIABA_AUTH_CLIENT_ID") or None
        if client is not None:
            if issuer is None:
                raise BadParameter("DIABA_AUTH_CLIENT_ID", client, "give DIABA_AUTH_ISSUER and DIABA_AUTH_AUDIENCE too")
            check_url("DIABA_AUTH_ISSUER", issuer)
        scope, resource = env.get("DIABA_AUTH_SCOPE") or "openid", env.get("DIABA_AUTH_RESOURCE") or None
        return cls(issuer, audience, keys, claim, client_id=client, scope=scope, resource=resource)


def is_url(text: str) -> bool:
    """Whether it names a scheme."""
    return "://" in text


def check_url(parameter: str, text: str) -> None:
    """Whether keys may be fetched there: nobody on the way can change them.

    Raises:
        BadParameter: they may not.
    """
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        host = None
    if host is None or not (parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK)):
        raise BadParameter(parameter, text[:80], "give an https address")

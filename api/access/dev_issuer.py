"""An issuer of tokens for development: this machine itself, with a key in its home."""

from __future__ import annotations

from collections.abc import Iterable
from time import time

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.access.key_sets import KeySet
from api.access.settings import CLAIM, AccessSettings
from api.access.tokens import Issuer
from gis.settings import City, Settings
from gis.store import secret_files
from gis.store.server import Server

NAME = "urn:diaba:dev-issuer"
KEY_FILE = "dev_issuer.key"
KEY_ID = "dev"


def token(settings: Settings, city: City, subject: str, grants: Iterable[str], seconds: int) -> str:
    """A token for a city's service that believes this issuer.

    Args:
        settings: The installation's.
        city: The city; its name is the audience.
        subject: Who it says asks.
        grants: As `gis.access.scope` reads them.
        seconds: How long it is valid.
    """
    now = int(time())
    claims = {
        "iss": NAME,
        "aud": audience(city),
        "sub": subject,
        "iat": now,
        "nbf": now,
        "exp": now + seconds,
        CLAIM: list(grants),
    }
    return jwt.encode(claims, _key(settings), algorithm="EdDSA", headers={"kid": KEY_ID})


def issuer(settings: Settings, city: City, access: AccessSettings) -> Issuer:
    """The issuer as a service believes it."""

    def public() -> dict[str, object]:
        key = jwt.algorithms.OKPAlgorithm.to_jwk(_key(settings).public_key(), as_dict=True)
        return {"keys": [{**key, "kid": KEY_ID, "alg": "EdDSA", "use": "sig"}]}

    return Issuer(NAME, audience(city), KeySet(public, access), CLAIM, access.leeway_seconds)


def audience(city: City) -> str:
    """What tokens for a city's service have as `aud`."""
    return f"diaba:{city.name}"


def _key(settings: Settings) -> Ed25519PrivateKey:
    """Made at first use, in a file that only its owner reads."""
    return Ed25519PrivateKey.from_private_bytes(secret_files.key(Server.of(settings).secrets, KEY_FILE))

"""Tokens and keys that must not work, and those that must: what is tried, and how the service answers.

`python -m tests.api.security_tries > docs/reference/security.md` writes the table anew.
"""

from __future__ import annotations

import hmac
import json
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ISSUER, AUDIENCE = "https://issuer.example/realms/city", "diaba"
GRANT = "inspection:26734"
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class Keys:
    """An issuer's keys, one of each kind, and a stranger's."""

    def __init__(self) -> None:
        self.rsa = rsa.generate_private_key(65537, 2048)
        self.ec = ec.generate_private_key(ec.SECP256R1())
        self.ed = ed25519.Ed25519PrivateKey.generate()
        self.strange = ec.generate_private_key(ec.SECP256R1())

    def published(self) -> dict[str, Any]:
        """The issuer's JWKS, with what must not be used among it."""
        return {
            "keys": [
                {
                    **RSAAlgorithm.to_jwk(self.rsa.public_key(), as_dict=True),
                    "kid": "rsa",
                    "alg": "RS256",
                    "use": "sig",
                },
                {**ECAlgorithm.to_jwk(self.ec.public_key(), as_dict=True), "kid": "ec", "alg": "ES256"},
                {**OKPAlgorithm.to_jwk(self.ed.public_key(), as_dict=True), "kid": "ed"},
                {"kty": "oct", "kid": "oct", "k": urlsafe_b64encode(b"s" * 32).decode().rstrip("="), "alg": "HS256"},
                {**RSAAlgorithm.to_jwk(self.rsa.public_key(), as_dict=True), "kid": "enc", "use": "enc"},
                {"kty": "RSA", "kid": "broken", "n": "?", "e": "AQAB"},
                "nonsense",
            ]
        }


def claims(**changed: Any) -> dict[str, Any]:
    """Good claims but for what is changed; None takes one away."""
    now = int(time.time())
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "an.inspector", "iat": now, "exp": now + 300, "diaba": [GRANT]}
    return {name: value for name, value in (good | changed).items() if value is not None}


def signed(key: Key, algorithm: str, kid: str | None, told: Mapping[str, Any], **header: Any) -> str:
    """A token by the library."""
    return jwt.encode(dict(told), key, algorithm, headers={**({"kid": kid} if kid else {}), **header})


def by_hand(header: Mapping[str, Any], told: Mapping[str, Any], secret: bytes | None) -> str:
    """A token that a library would not make: unsigned, or with HMAC under any secret."""
    parts = [urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, told)]
    seal = b"" if secret is None else hmac.new(secret, b".".join(parts), sha256).digest()
    return b".".join([*parts, urlsafe_b64encode(seal).rstrip(b"=")]).decode()


def _public_pem(keys: Keys) -> bytes:
    return keys.rsa.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _tampered(keys: Keys) -> str:
    """The claims of another token under a good signature."""
    head, _, seal = signed(keys.ed, "EdDSA", "ed", claims()).split(".")
    told = signed(keys.ed, "EdDSA", "ed", claims(diaba=["inspection:*"])).split(".")[1]
    return f"{head}.{told}.{seal}"


@dataclass(frozen=True)
class Try:
    """One token, and the answer."""

    what: str
    token: Callable[[Keys], str]
    status: int
    says: str = ""


TRIES = (
    Try("a token by RS256", lambda k: signed(k.rsa, "RS256", "rsa", claims()), 200),
    Try("a token by ES256", lambda k: signed(k.ec, "ES256", "ec", claims()), 200),
    Try("a token by EdDSA", lambda k: signed(k.ed, "EdDSA", "ed", claims()), 200),
    Try("one of several audiences", lambda k: signed(k.ed, "EdDSA", "ed", claims(aud=["x", AUDIENCE])), 200),
    Try("an access token (typ at+jwt)", lambda k: signed(k.ed, "EdDSA", "ed", claims(), typ="at+jwt"), 200),
    Try(
        "expired within the clocks' leeway",
        lambda k: signed(k.ed, "EdDSA", "ed", claims(exp=int(time.time()) - 5)),
        200,
    ),
    Try("expired", lambda k: signed(k.ed, "EdDSA", "ed", claims(exp=int(time.time()) - 60)), 401, "has expired"),
    Try(
        "not valid yet", lambda k: signed(k.ed, "EdDSA", "ed", claims(nbf=int(time.time()) + 600)), 401, "not valid yet"
    ),
    Try(
        "issued in the future",
        lambda k: signed(k.ed, "EdDSA", "ed", claims(iat=int(time.time()) + 600)),
        401,
        "not valid yet",
    ),
    Try("without an end", lambda k: signed(k.ed, "EdDSA", "ed", claims(exp=None)), 401, "lacks exp"),
    Try("an end that is no number", lambda k: by_hand({"alg": "EdDSA", "kid": "ed"}, claims(exp="x"), b""), 401),
    Try("without a subject", lambda k: signed(k.ed, "EdDSA", "ed", claims(sub=None)), 401, "lacks sub"),
    Try("a subject with a line break", lambda k: signed(k.ed, "EdDSA", "ed", claims(sub="a\nb")), 401, "of whom"),
    Try("another audience", lambda k: signed(k.ed, "EdDSA", "ed", claims(aud="mail")), 401, "another service"),
    Try("without an audience", lambda k: signed(k.ed, "EdDSA", "ed", claims(aud=None)), 401, "lacks aud"),
    Try(
        "another issuer",
        lambda k: signed(k.ed, "EdDSA", "ed", claims(iss="https://evil.example")),
        401,
        "another issuer",
    ),
    Try(
        "an issuer that only begins so",
        lambda k: signed(k.ed, "EdDSA", "ed", claims(iss=ISSUER + "/x")),
        401,
        "another issuer",
    ),
    Try("without an issuer", lambda k: signed(k.ed, "EdDSA", "ed", claims(iss=None)), 401, "another issuer"),
    Try(
        "the development issuer, where it is not believed",
        lambda k: signed(k.ed, "EdDSA", "dev", claims(iss="urn:diaba:dev-issuer")),
        401,
        "another issuer",
    ),
    Try(
        "a stranger's key under a known id",
        lambda k: signed(k.strange, "ES256", "ec", claims()),
        401,
        "signature is wrong",
    ),
    Try("an unknown key id", lambda k: signed(k.strange, "ES256", "new", claims()), 401, "does not have"),
    Try(
        "no key id where there are several keys", lambda k: signed(k.ed, "EdDSA", None, claims()), 401, "does not have"
    ),
    Try("a key id of another kind of key", lambda k: signed(k.ed, "EdDSA", "rsa", claims()), 401, "does not have"),
    Try("the key meant for encryption", lambda k: signed(k.rsa, "RS256", "enc", claims()), 401, "does not have"),
    Try(
        "a key the token brings along (jwk)",
        lambda k: signed(
            k.strange, "ES256", "new", claims(), jwk=ECAlgorithm.to_jwk(k.strange.public_key(), as_dict=True)
        ),
        401,
        "does not have",
    ),
    Try(
        "an address of keys the token brings along (jku)",
        lambda k: signed(k.strange, "ES256", "ec", claims(), jku="https://evil.example/keys"),
        401,
        "signature is wrong",
    ),
    Try("alg none", lambda k: by_hand({"alg": "none", "kid": "ed"}, claims(), None), 401, "signed with"),
    Try("alg None, in capitals", lambda k: by_hand({"alg": "NONE", "kid": "ed"}, claims(), None), 401, "signed with"),
    Try(
        "HS256 with the public key as the secret",
        lambda k: by_hand({"alg": "HS256", "kid": "rsa"}, claims(), _public_pem(k)),
        401,
        "signed with",
    ),
    Try(
        "HS256 with the published symmetric key",
        lambda k: by_hand({"alg": "HS256", "kid": "oct"}, claims(), b"s" * 32),
        401,
        "signed with",
    ),
    Try(
        "an empty signature under a good algorithm",
        lambda k: by_hand({"alg": "EdDSA", "kid": "ed"}, claims(), None),
        401,
        "signature is wrong",
    ),
    Try("claims changed under a good signature", _tampered, 401, "signature is wrong"),
    Try("a critical header nobody knows", lambda k: signed(k.ed, "EdDSA", "ed", claims(), crit=["x"], x=1), 401),
    Try("a logout token (typ)", lambda k: signed(k.ed, "EdDSA", "ed", claims(), typ="logout+jwt"), 401, "kind"),
    Try("truncated", lambda k: signed(k.ed, "EdDSA", "ed", claims())[:-20], 401),
    Try("two parts", lambda k: signed(k.ed, "EdDSA", "ed", claims()).rpartition(".")[0], 401, "no token"),
    Try("five parts", lambda k: signed(k.ed, "EdDSA", "ed", claims()) + ".x.y", 401, "no token"),
    Try(
        "a header that is no object",
        lambda k: "W10." + signed(k.ed, "EdDSA", "ed", claims()).partition(".")[2],
        401,
        "no token",
    ),
    Try(
        "claims that are no object",
        lambda k: signed(k.ed, "EdDSA", "ed", claims()).split(".")[0] + ".W10.x",
        401,
        "no token",
    ),
    Try("200 kB", lambda k: "a" * 200_000, 401, "at most"),
    Try("deeply nested JSON", lambda k: urlsafe_b64encode(b"[" * 5_000).decode() + ".e30.x", 401, "no token"),
    Try("not ASCII", lambda k: "é", 401, "no token"),
    Try("empty", lambda k: "", 401, "no token"),
    Try(
        "grants that are none", lambda k: signed(k.ed, "EdDSA", "ed", claims(diaba=["root", "land:*;x", 7, None])), 200
    ),
    Try("grants that are no list", lambda k: signed(k.ed, "EdDSA", "ed", claims(diaba={"land": "*"})), 200),
)
"""With 200 the caller is known, which does not say that it sees anything."""

PAGE = """<!-- Made by `python -m tests.api.security_tries`; change the tests instead. -->

# What was tried against the service

Each row is tried in the tests (`tests/api/test_security.py`) through the whole service, against PostGIS. A token that
is not good is refused, also where the public would be answered. The doors by which rows of another ward were tried to
be seen follow below; the city of these tries shows parcels by ward.

| token | answer |
|---|---|
{tokens}

| door, as somebody of another ward | what is seen |
|---|---|
{doors}
"""


def page() -> str:
    """The table as Markdown."""
    from tests.api.security_doors import DOORS

    tokens = "\n".join(f"| {one.what} | {one.status}{f', “…{one.says}…”' if one.says else ''} |" for one in TRIES)
    doors = "\n".join(f"| `{path}` | {door.why} |" for path, door in DOORS.items())
    return PAGE.format(tokens=tokens, doors=doors)


if __name__ == "__main__":
    sys.stdout.write(page())

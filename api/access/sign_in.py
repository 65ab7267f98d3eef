"""Signing in with a browser at the city's issuer: OpenID Connect, the code flow with PKCE (RFC 7636, RFC 9700).

The browser goes to the issuer and comes back with a code; the service exchanges it. So no page of the viewer speaks to
another host, and the service keeps nothing: the token goes to the browser, which sends it as every client does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from api.access.key_sets import BYTES_MOST, discovered
from api.access.settings import AccessSettings, check_url
from api.errors import IssuerUnreachable, NotAuthenticated
from gis.errors import BadParameter, NotFound

log = logging.getLogger("diaba.api")

PAUSE_SECONDS: Final = 10.0
"""Least time between two questions to an issuer that does not answer."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where an issuer is asked."""

    authorization: str
    token: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the issuer gives for a code."""

    access_token: str
    expires_in: int | None
    """Seconds."""
    id_token: str | None


@dataclass(eq=False)
class SignIn:
    """How somebody signs in at the issuer of the settings."""

    settings: AccessSettings
    clock: Callable[[], float] = monotonic
    _known: Addresses | None = None
    _asked: float | None = None
    _lock: Lock = field(default_factory=Lock)

    @property
    def is_offered(self) -> bool:
        """Whether the settings name an issuer and what the viewer is called there."""
        return self.settings.issuer is not None and self.settings.client_id is not None

    def addresses(self) -> Addresses:
        """Where the issuer is asked, as it says of itself; asked once, and again while it has not answered.

        Raises:
            NotFound: nobody can sign in here with a browser.
            IssuerUnreachable: the issuer does not say it now.
        """
        if not self.is_offered:
            raise NotFound("issuer", "to sign in at with a browser; set DIABA_AUTH_CLIENT_ID")
        with self._lock:
            if self._known is not None:
                return self._known
            now = self.clock()
            if self._asked is not None and now - self._asked < PAUSE_SECONDS:
                raise IssuerUnreachable
            self._asked = now
            try:
                about = discovered(str(self.settings.issuer), self.settings.fetch_seconds)
                found = Addresses(str(about.get("authorization_endpoint")), str(about.get("token_endpoint")))
                check_url("authorization_endpoint", found.authorization)
                check_url("token_endpoint", found.token)
            except (httpx.HTTPError, OSError, ValueError) as error:
                log.warning("the issuer does not say where to sign in: %s", error)
                raise IssuerUnreachable from error
            self._known = found
            return found

    def exchange(self, code: str, verifier: str, redirect_uri: str) -> Tokens:
        """The tokens for a code (RFC 6749, 4.1.3), of a client that has no secret and proves itself by PKCE.

        Raises:
            NotAuthenticated: the issuer does not take the code.
            IssuerUnreachable: it does not answer, or not as it should.
        """
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": verifier,
            "redirect_uri": redirect_uri,
            "client_id": str(self.settings.client_id),
        }
        if self.settings.resource is not None:
            form["resource"] = self.settings.resource
        status, document = self._post(self.addresses().token, form)
        if status in (httpx.codes.BAD_REQUEST, httpx.codes.UNAUTHORIZED):
            raise NotAuthenticated("the issuer does not take the code; sign in again")
        token = document.get("access_token")
        is_bearer = str(document.get("token_type")).lower() == "bearer"
        if status != httpx.codes.OK or not isinstance(token, str) or not is_bearer:
            log.warning("the issuer answers %d to a code", status)
            raise IssuerUnreachable
        seconds, identity = document.get("expires_in"), document.get("id_token")
        return Tokens(
            token,
            int(seconds) if isinstance(seconds, int | float) else None,
            identity if isinstance(identity, str) else None,
        )

    def _post(self, address: str, form: Mapping[str, str]) -> tuple[int, Mapping[str, Any]]:
        try:
            with (
                httpx.Client(timeout=self.settings.fetch_seconds, follow_redirects=False) as client,
                client.stream("POST", address, data=dict(form), headers={"Accept": "application/json"}) as answer,
            ):
                body = b""
                for part in answer.iter_bytes():
                    body += part
                    if len(body) > BYTES_MOST:
                        raise IssuerUnreachable
            document = httpx.Response(200, content=body).json() if body else {}
        except (httpx.HTTPError, OSError, ValueError) as error:
            log.warning("the issuer does not exchange a code: %s", error)
            raise IssuerUnreachable from error
        return answer.status_code, document if isinstance(document, dict) else {}


def check_redirect(redirect_uri: str, base: str) -> None:
    """Whether a code was sent to a page of this service.

    Raises:
        BadParameter: it was sent elsewhere.
    """
    ours, told = urlsplit(base), urlsplit(redirect_uri)
    same = (told.scheme, told.netloc) == (ours.scheme, ours.netloc)
    if not same or not told.path.startswith(ours.path) or told.query or told.fragment:
        raise BadParameter("redirect_uri", ascii(redirect_uri[:80])[1:-1], "give the address of the viewer")

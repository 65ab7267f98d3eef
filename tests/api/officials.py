"""Officials with tokens of an issuer the service believes, for tests of what they may do."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi.testclient import TestClient

from api.access.settings import AccessSettings
from api.main import create_app
from tests.api.conftest import CityStore
from tests.api.security_tries import AUDIENCE, ISSUER, Keys, claims, signed

VALID_SECONDS = 3_000


class Officials:
    """An issuer's keys, and tokens signed with them."""

    def __init__(self, folder: Path) -> None:
        self.keys = Keys()
        jwks = folder / "jwks.json"
        jwks.write_text(json.dumps(self.keys.published()))
        self.access = AccessSettings(issuer=ISSUER, audience=AUDIENCE, keys=str(jwks))

    def __call__(self, *grants: str, subject: str = "an.official") -> dict[str, str]:
        """The headers of somebody with these grants."""
        told = claims(sub=subject, diaba=list(grants), exp=int(time.time()) + VALID_SECONDS)
        return {"Authorization": f"Bearer {signed(self.keys.ed, 'EdDSA', 'ed', told)}"}

    @contextmanager
    def serve(self, store: CityStore) -> Iterator[TestClient]:
        """The service of a city that believes the issuer, asked by nobody known unless headers say who."""
        app = create_app(store.settings, store.city, access=self.access)
        with TestClient(app, raise_server_exceptions=False) as made:
            yield made

"""A real city that shows its parcels by ward, and the service that believes an issuer of tokens."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from api.access.settings import AccessSettings
from api.main import create_app
from gis.access.openness import Parcels
from gis.access.roles import Role
from gis.construction.dossier import DossierType
from gis.construction.procedure import Procedure
from gis.store import discrepancies, dossiers, openness
from tests.api.conftest import NEW, CityStore, furnish
from tests.api.security_doors import FIRST_THERE, KIND, THERE
from tests.api.security_tries import AUDIENCE, ISSUER, Keys, claims, signed

NO_MEMORY = AccessSettings(token_seconds=0, api_key_seconds=0, keys_pause_seconds=0)
"""Every credential is checked each time."""


@pytest.fixture(scope="module")
def keys() -> Keys:
    return Keys()


@pytest.fixture(scope="module")
def closed(make_store: Callable[..., CityStore], tmp_path_factory: pytest.TempPathFactory) -> CityStore:
    """A real city of two wards, with a difference and a dossier in each, which shows its parcels by ward."""
    store = make_store("closed")
    furnish(store, tmp_path_factory.mktemp("closed"))
    with store.database.open(Role.OWNER) as connection:
        there = {"ward": THERE, "first": f"p-{FIRST_THERE:04d}"}
        connection.execute(text("UPDATE diaba.parcel_version SET ward_code = :ward WHERE uid >= :first"), there)
        openness.show(connection, Parcels.BY_WARD)
    with store.database.open(Role.WRITER) as connection:
        found = {"kind": KIND, "building_uid": "b-0025", "parcel_uid": "p-0025", "permit_no": "GPXD-0025", "epoch": NEW}
        discrepancies.save(connection, [found | {"evidence": {"parcel": "p-0025"}}])
        filing = dossiers.Filing("760", Procedure.SINGLE_HOUSE, DossierType.NEW, date(2026, 7, 1), parcel_uid="p-0025")
        dossiers.file(connection, filing, actor="A clerk")
    return store


@pytest.fixture(scope="module")
def jwks(keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "jwks.json"
    path.write_text(json.dumps(keys.published()))
    return path


@pytest.fixture(scope="module")
def service(closed: CityStore, jwks: Path) -> Iterator[TestClient]:
    """The service that believes the issuer."""
    access = replace(NO_MEMORY, issuer=ISSUER, audience=AUDIENCE, keys=str(jwks))
    with TestClient(create_app(closed.settings, closed.city, access=access), raise_server_exceptions=False) as made:
        yield made


def bearer(keys: Keys, *grants: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {signed(keys.ed, 'EdDSA', 'ed', claims(diaba=list(grants)))}"}

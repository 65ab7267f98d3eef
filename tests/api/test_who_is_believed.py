"""Who is believed: tokens, keys of machines and the issuer of development, against the service and PostGIS."""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from api.access import dev_issuer
from api.access.settings import AccessSettings
from api.main import create_app
from gis.access.roles import Role
from gis.errors import BadParameter
from gis.store import api_keys
from tests.api.closed_city import NO_MEMORY, bearer
from tests.api.closed_city import closed as closed
from tests.api.closed_city import jwks as jwks
from tests.api.closed_city import keys as keys
from tests.api.closed_city import service as service
from tests.api.conftest import CityStore, Run
from tests.api.security_doors import FIRST_THERE, HERE, PARCELS, THERE
from tests.api.security_tries import AUDIENCE, ISSUER, TRIES, Keys, Try, claims, signed


@pytest.mark.parametrize("one", TRIES, ids=[one.what for one in TRIES])
def test_a_token_is_believed_only_when_all_of_it_is_right(service: TestClient, keys: Keys, one: Try) -> None:
    token = one.token(keys).encode()
    for path in ("/collections/parcels/items?limit=1", "/health/live"):
        answer = service.get(path, headers={"Authorization": b"Bearer " + token})
        assert answer.status_code == one.status, answer.text
        if one.status != 200:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["www-authenticate"].startswith("Bearer ")
            assert answer.json()["type"] == "urn:diaba:problem:not-authenticated"
            assert one.says in answer.json()["detail"]
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert len(answer.content) < 1_000


def test_a_refused_token_is_refused_to_browsers_of_other_origins_too(service: TestClient) -> None:
    answer = service.get("/", headers={"Authorization": "Bearer x", "Origin": "https://maps.example"})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, "*")
    asked = {"Origin": "https://maps.example", "Access-Control-Request-Method": "GET"}
    before = service.options("/", headers=asked | {"Access-Control-Request-Headers": "authorization"})
    assert before.status_code == 200


@pytest.mark.parametrize(
    "shown",
    [
        [("Authorization", "Negotiate abc")],
        [("Authorization", "Basic not-base64!")],
        [("Authorization", "Basic " + b64encode(b"user:guess").decode())],
        [("Authorization", "Bearer")],
        [("X-API-Key", "")],
        [("X-API-Key", "diaba_0123456789ab_" + "A" * 43)],
        [("X-API-Key", "diaba_0123456789ab_' OR 1=1 --")],
        [("Authorization", "Bearer a"), ("X-API-Key", "b")],
        [("Authorization", "Bearer a"), ("Authorization", "Bearer b")],
    ],
)
def test_what_is_no_credential_is_refused(service: TestClient, shown: list[tuple[str, str]]) -> None:
    assert service.get("/collections", headers=shown).status_code == 401


def test_grants_are_found_where_the_issuer_puts_them(closed: CityStore, keys: Keys, jwks: Path) -> None:
    access = replace(NO_MEMORY, issuer=ISSUER, audience=AUDIENCE, keys=str(jwks), claim="realm_access.roles")
    with TestClient(create_app(closed.settings, closed.city, access=access)) as client:
        for told, seen in (
            ({"realm_access": {"roles": ["offline_access", f"land:{HERE}"]}}, FIRST_THERE),
            ({"realm_access.roles": f"land:{HERE} land:{THERE}"}, PARCELS),
            ({"realm_access": "land:*"}, 0),
            ({}, 0),
        ):
            token = signed(keys.ed, "EdDSA", "ed", claims(diaba=None, **told))
            answer = client.get("/collections/parcels/items", headers={"Authorization": f"Bearer {token}"})
            assert answer.json()["numberMatched"] == seen


def test_a_district_is_its_wards(closed: CityStore, keys: Keys, jwks: Path) -> None:
    file = closed.city.folder / "districts.csv"
    file.write_text(f"district,ward\n760,{HERE}\n760,{THERE}\n", encoding="utf-8")
    access = replace(NO_MEMORY, issuer=ISSUER, audience=AUDIENCE, keys=str(jwks))
    try:
        with TestClient(create_app(closed.settings, closed.city, access=access)) as client:
            found = client.get("/collections/parcels/items", headers=bearer(keys, "land:760")).json()
            assert found["numberMatched"] == PARCELS
            assert client.get("/collections/parcels/items", headers=bearer(keys, "land:761")).json()["features"] == []
    finally:
        file.unlink()


class IssuersServer:
    """An issuer on this machine that can be silent, and change its keys."""

    def __init__(self, keys: Keys) -> None:
        self.document, self.answers, self.asked = keys.published(), True, [""]
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                about = {"issuer": outer.address, "jwks_uri": f"{outer.address}/keys"}
                body = json.dumps(about if self.path.startswith("/.well-known") else outer.document).encode()
                self.send_response(200 if outer.answers else 503)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def issuer(keys: Keys) -> Iterator[IssuersServer]:
    made = IssuersServer(keys)
    yield made
    made.server.shutdown()
    made.server.server_close()


@contextmanager
def believing(store: CityStore, issuer: IssuersServer, **changed: Any) -> Iterator[Callable[[str], Any]]:
    """The service that finds the issuer's keys by discovery; asks with a token."""
    access = replace(NO_MEMORY, issuer=issuer.address, audience=AUDIENCE, fetch_seconds=2.0, **changed)
    with TestClient(create_app(store.settings, store.city, access=access), raise_server_exceptions=False) as client:
        yield lambda token: client.get("/health/live", headers={"Authorization": f"Bearer {token}"})


def test_an_issuer_s_keys_are_discovered_and_kept_and_follow_when_they_change(
    closed: CityStore, issuer: IssuersServer, keys: Keys
) -> None:
    old = signed(keys.ec, "ES256", "ec", claims(iss=issuer.address))
    new = signed(keys.strange, "ES256", "new", claims(iss=issuer.address))
    with believing(closed, issuer) as ask:
        assert ask(old).status_code == 200
        assert issuer.asked[1:] == ["/.well-known/openid-configuration", "/keys"]
        assert ask(old).status_code == 200
        assert len(issuer.asked) == 3
        assert ask(new).status_code == 401
        # The issuer takes the new key and gives up the old ones.
        fresh = Keys()
        fresh.ec = keys.strange
        issuer.document = {"keys": [{**one, "kid": "new"} for one in fresh.published()["keys"][1:2]]}
        assert ask(new).status_code == 200
        assert ask(old).status_code == 401


def test_a_silent_issuer_is_a_503_for_its_new_keys_and_nothing_for_the_known_ones(
    closed: CityStore, issuer: IssuersServer, keys: Keys
) -> None:
    good = signed(keys.ec, "ES256", "ec", claims(iss=issuer.address))
    unknown = signed(keys.strange, "ES256", "new", claims(iss=issuer.address))
    issuer.answers = False
    with believing(closed, issuer) as ask:
        answer = ask(good)
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:diaba:problem:issuer-unreachable")
        assert answer.headers["retry-after"]
        issuer.answers = True
        assert ask(good).status_code == 200
        issuer.answers = False
        assert ask(good).status_code == 200
        assert ask(unknown).status_code == 503
    with believing(closed, issuer, keys_seconds=0.0, keys_stale_seconds=0.0) as ask:
        assert ask(good).status_code == 503


def test_forged_tokens_do_not_make_the_service_ask_the_issuer_again_and_again(
    closed: CityStore, issuer: IssuersServer, keys: Keys
) -> None:
    with believing(closed, issuer, keys_pause_seconds=60.0) as ask:
        for number in range(20):
            assert ask(signed(keys.strange, "ES256", f"k{number}", claims(iss=issuer.address))).status_code == 401
    assert len(issuer.asked) <= 3


def test_an_issuer_that_calls_itself_otherwise_is_not_believed(
    closed: CityStore, issuer: IssuersServer, keys: Keys
) -> None:
    real, issuer.address = issuer.address, "https://evil.example"
    with believing(closed, replace_address(issuer, real)) as ask:
        assert ask(signed(keys.ec, "ES256", "ec", claims(iss=real))).status_code == 503


def replace_address(issuer: IssuersServer, address: str) -> Any:
    """The issuer as the settings name it, while it calls itself otherwise."""
    return type("Named", (), {"address": address})()


@pytest.mark.parametrize(
    "environment",
    [
        {"DIABA_AUTH_ISSUER": "https://a.example"},
        {"DIABA_AUTH_AUDIENCE": "diaba"},
        {"DIABA_AUTH_JWKS": "https://a.example/keys"},
        {"DIABA_AUTH_ISSUER": "http://a.example", "DIABA_AUTH_AUDIENCE": "diaba"},
        {"DIABA_AUTH_ISSUER": "ftp://localhost", "DIABA_AUTH_AUDIENCE": "diaba"},
        {"DIABA_AUTH_ISSUER": "x", "DIABA_AUTH_AUDIENCE": "diaba", "DIABA_AUTH_JWKS": "http://10.0.0.1/keys"},
        {"DIABA_AUTH_ISSUER": "x", "DIABA_AUTH_AUDIENCE": "diaba", "DIABA_AUTH_JWKS": "/no/such/file"},
        {"DIABA_AUTH_ISSUER": "https://[", "DIABA_AUTH_AUDIENCE": "diaba"},
    ],
)
def test_settings_that_would_believe_anybody_are_refused(environment: dict[str, str]) -> None:
    with pytest.raises(BadParameter, match="DIABA_AUTH"):
        AccessSettings.from_environment(environment)


def test_a_key_of_a_machine_works_until_it_is_revoked(closed: CityStore, service: TestClient) -> None:
    with closed.database.open(Role.OWNER) as connection:
        told, made = api_keys.add(connection, "map-server", [f"inspection:{HERE}"], 30)
        short, _ = api_keys.add(connection, "old", ["land:*"], 30)
        connection.execute(text("UPDATE diaba.api_key SET expires = now() WHERE subject = 'old'"))
        stored = connection.execute(text("SELECT * FROM diaba.api_key")).all()
    assert told not in repr(stored)
    assert told.split("_")[2] not in repr(stored)

    def ask(key: str) -> int:
        shown = [
            {"X-API-Key": key},
            {"Authorization": f"Bearer {key}"},
            {"Authorization": "Basic " + b64encode(f"qgis:{key}".encode()).decode()},
        ]
        answers = [service.get("/collections/discrepancies/items", headers=one) for one in shown]
        assert len({answer.status_code for answer in answers}) == 1
        if answers[0].status_code == 200:
            assert {answer.json()["numberMatched"] for answer in answers} == {1}
        return answers[0].status_code

    assert ask(told) == 200
    last = "A" if told[-1] != "A" else "B"
    other = told.replace(made.prefix, "000000000000")
    for wrong in (told[:-1], told + "A", told[:-1] + last, other, told.upper(), short, told.replace("_", "-", 1)):
        assert ask(wrong) == 401
    with closed.database.open(Role.OWNER) as connection:
        api_keys.revoke(connection, made.prefix)
    assert ask(told) == 401


def test_keys_are_made_listed_and_revoked_by_the_operator(
    closed: CityStore, command_line: Callable[..., Run], keys: Keys
) -> None:
    run = command_line(closed.settings.home, "--city", closed.city.name)
    code, out, _ = run("db", "key", "add", "exchange", "--grant", f"land:{HERE}:change", "--days", "2", "--json")
    made = json.loads(out)
    assert code == 0
    assert made["key"].startswith(f"diaba_{made['prefix']}_")
    listed = json.loads(run("db", "key", "list", "--json")[1])["keys"]
    assert made["prefix"] in [one["prefix"] for one in listed]
    assert made["key"] not in json.dumps(listed)
    assert json.loads(run("db", "key", "revoke", made["prefix"], "--json")[1])["revoked"]
    for wrong in (
        ("add", "x", "--grant", "all"),
        ("add", "x", "--grant", "land:1", "--days", "0"),
        ("revoke", "nothing"),
    ):
        assert run("db", "key", *wrong)[0] == 3
    assert json.loads(run("db", "access", "--json")[1]) == {
        "city": "closed",
        "parcels": "by-ward",
        "index_under_policies": True,
    }


def test_tokens_for_development_are_believed_where_the_service_was_told_so(
    closed: CityStore, command_line: Callable[..., Run]
) -> None:
    run = command_line(closed.settings.home, "--city", closed.city.name)
    token = run("token", f"inspection:{HERE}")[1].strip()
    assert run("token", "everything")[0] == 3
    headers = {"Authorization": f"Bearer {token}"}
    for believed, status in ((True, 200), (False, 401)):
        app = create_app(closed.settings, closed.city, access=replace(NO_MEMORY, dev_issuer=believed))
        with TestClient(app) as client:
            assert client.get("/collections/discrepancies/items", headers=headers).status_code == status
    key = closed.database.server.secrets / dev_issuer.KEY_FILE
    assert key.stat().st_mode & 0o777 == 0o600
    # For one city and not for another.
    other = replace(closed.city, name="another")
    with TestClient(create_app(closed.settings, other, access=replace(NO_MEMORY, dev_issuer=True))) as client:
        assert client.get("/health/live", headers=headers).status_code == 401
    # Where others could ask, a real city's service does not believe its own machine.
    assert run("serve", "--host", "0.0.0.0", "--port", "0", "--dev-issuer")[0] == 3  # noqa: S104  refused

"""Who asks, and how a browser gets a token: against an issuer that is somebody else's program (oidc-provider)."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient

from api.access import dev_issuer
from api.access.settings import AccessSettings
from api.main import create_app
from gis.errors import BadParameter
from tests.api.conftest import CityStore
from tests.api.officials import Officials

ISSUER = Path(__file__).parent / "browser" / "issuer.mjs"
AUDIENCE = "urn:diaba:city"
CLIENT = "diaba-viewer"
HERE = "http://127.0.0.1"
VIEWER = f"{HERE}/"


@contextmanager
def issuer(checkout: Path, redirect_uri: str) -> Iterator[str]:
    """A provider of OpenID Connect on a port of its own; it believes any name, as its maker's example does."""
    with subprocess.Popen(
        ["node", str(ISSUER), redirect_uri, CLIENT, AUDIENCE],
        cwd=checkout,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield str(json.loads(process.stdout.readline())["issuer"])
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def issued(checkout: Path) -> Iterator[str]:
    with issuer(checkout, VIEWER) as url:
        yield url


def settings(url: str) -> AccessSettings:
    return AccessSettings(issuer=url, audience=AUDIENCE, client_id=CLIENT, scope="openid diaba", resource=AUDIENCE)


@pytest.fixture(scope="module")
def service(store: CityStore, issued: str) -> Iterator[TestClient]:
    app = create_app(store.settings, store.city, access=settings(issued))
    with TestClient(app, HERE, raise_server_exceptions=False) as made:
        yield made


class _Form(HTMLParser):
    """The action and the hidden fields of a page's first form."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action, self.fields = "", dict[str, str]()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag == "form" and not self.action:
            self.action = told.get("action") or ""
        if tag == "input" and told.get("type") == "hidden" and told.get("name"):
            self.fields[str(told["name"])] = told.get("value") or ""


def code_for(oidc: dict[str, str], name: str, verifier: str, redirect_uri: str = VIEWER) -> str:
    """What the issuer sends back after somebody gave a name and agreed, as a browser would do it."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "response_type": "code",
        "client_id": oidc["client_id"],
        "redirect_uri": redirect_uri,
        "scope": oidc["scope"],
        "resource": oidc["resource"],
        "state": "s",
        "nonce": "n",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    with httpx.Client() as browser:
        answer = browser.get(oidc["authorization_endpoint"], params=asked)
        for _ in range(20):
            if answer.is_redirect:
                target = urljoin(str(answer.url), answer.headers["location"])
                if target.startswith(redirect_uri):
                    return parse_qs(urlsplit(target).query)["code"][0]
                answer = browser.get(target)
                continue
            form = _Form(answer.text)
            assert form.action, answer.text[:500]
            told = {**form.fields, "login": name, "password": "x"}
            answer = browser.post(urljoin(str(answer.url), form.action), data=told)
    raise AssertionError("the issuer never came back")


def exchanged(service: TestClient, code: str, verifier: str, redirect_uri: str = VIEWER) -> httpx.Response:
    told = {"code": code, "code_verifier": verifier, "redirect_uri": redirect_uri}
    return service.post("/session/token", json=told)


def test_the_public_is_nobody_and_told_where_to_sign_in(service: TestClient, issued: str) -> None:
    found = service.get("/session")
    assert found.headers["cache-control"] == "no-store"
    document = found.json()
    assert document["subject"] is None
    assert document["grants"] == document["departments"] == document["wards"] == []
    oidc = document["sign_in"]["oidc"]
    about = httpx.get(f"{issued}/.well-known/openid-configuration").json()
    assert oidc["authorization_endpoint"] == about["authorization_endpoint"]
    assert (oidc["issuer"], oidc["client_id"]) == (issued, CLIENT)
    assert document["sign_in"]["development"] is False


def test_a_code_of_the_issuer_becomes_a_token_of_who_signed_in(service: TestClient) -> None:
    oidc = service.get("/session").json()["sign_in"]["oidc"]
    verifier = secrets.token_urlsafe(48)
    code = code_for(oidc, "inspection:26734:change", verifier)
    answer = exchanged(service, code, verifier)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    who = service.get("/session", headers={"Authorization": f"Bearer {told['access_token']}"}).json()
    assert who["subject"] == "inspection:26734:change"
    assert who["grants"] == [{"department": "inspection", "wards": ["26734"], "may_change": True}]
    assert who["sees"] == {"land": ["26734"], "differences": ["26734"]}
    claims = json.loads(base64.urlsafe_b64decode(told["id_token"].split(".")[1] + "=="))
    assert claims["nonce"] == "n"
    # A code is good once.
    assert exchanged(service, code, verifier).status_code == 401


def test_a_code_is_worth_nothing_without_its_verifier(service: TestClient) -> None:
    oidc = service.get("/session").json()["sign_in"]["oidc"]
    code = code_for(oidc, "planning:*", secrets.token_urlsafe(48))
    answer = exchanged(service, code, secrets.token_urlsafe(48))
    assert answer.status_code == 401
    assert answer.json()["detail"] == "the issuer does not take the code; sign in again"


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({"code": "c", "code_verifier": "v", "redirect_uri": "https://elsewhere.example/"}, 400),
        ({"code": "c", "code_verifier": "v", "redirect_uri": "http://127.0.0.1.elsewhere.example/"}, 400),
        ({"code": "c", "code_verifier": "v"}, 400),
        ({"code": "", "code_verifier": "v", "redirect_uri": VIEWER}, 400),
        ({"code": ["c"], "code_verifier": "v", "redirect_uri": VIEWER}, 400),
        ({"code": "c" * 30_000, "code_verifier": "v", "redirect_uri": VIEWER}, 413),
        ({"code": "no such", "code_verifier": "v" * 43, "redirect_uri": VIEWER}, 401),
    ],
)
def test_an_exchange_that_cannot_be_is_refused(service: TestClient, told: dict[str, Any], status: int) -> None:
    answer = service.post("/session/token", json=told)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_only_json_is_exchanged_so_that_no_other_site_s_form_is(service: TestClient) -> None:
    assert service.post("/session/token", data={"code": "c"}).status_code == 415


def test_without_an_issuer_nobody_signs_in_with_a_browser(client: TestClient) -> None:
    assert client.get("/session").json()["sign_in"] == {"development": False, "oidc": None}
    told = {"code": "c", "code_verifier": "v", "redirect_uri": VIEWER}
    assert client.post("/session/token", json={**told, "redirect_uri": "http://testserver/"}).status_code == 404


def test_an_issuer_that_does_not_answer_keeps_nobody_from_the_public_s_data(store: CityStore) -> None:
    away = settings("http://127.0.0.1:9")
    with TestClient(
        create_app(store.settings, store.city, access=away), HERE, raise_server_exceptions=False
    ) as service:
        assert service.get("/session").json()["sign_in"]["oidc"] is None
        told = {"code": "c", "code_verifier": "v", "redirect_uri": VIEWER}
        assert service.post("/session/token", json=told).status_code == 503


def test_tokens_of_development_are_said_to_be_believed(store: CityStore) -> None:
    app = create_app(store.settings, store.city, access=AccessSettings(dev_issuer=True))
    made = dev_issuer.token(store.settings, store.city, "a.planner", ["planning:*", "land:26734:change"], 60)
    with TestClient(app) as service:
        assert service.get("/session").json()["sign_in"]["development"] is True
        found = service.get("/session", headers={"Authorization": f"Bearer {made}"}).json()
    assert (found["subject"], found["departments"], found["wards"]) == ("a.planner", ["land", "planning"], ["*"])


def test_a_token_of_the_issuer_says_its_wards(store: CityStore, tmp_path: Path) -> None:
    officials = Officials(tmp_path)
    with officials.serve(store) as service:
        found = service.get("/session", headers=officials("land:26737", "land:26734")).json()
    assert found["wards"] == ["26734", "26737"]
    assert found["sees"]["rights"] == ["26734", "26737"]


def test_a_client_s_name_needs_an_issuer() -> None:
    with pytest.raises(BadParameter, match="DIABA_AUTH_ISSUER"):
        AccessSettings.from_environment({"DIABA_AUTH_CLIENT_ID": "x"})
    told = {"DIABA_AUTH_ISSUER": "https://i.example", "DIABA_AUTH_AUDIENCE": "a", "DIABA_AUTH_CLIENT_ID": "x"}
    assert AccessSettings.from_environment(told).client_id == "x"

"""The service itself: first page, description, health, errors, headers."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from sqlalchemy import text

from api.errors import STATUS, handler
from api.main import create_app
from api.middleware import RequestIdFilter
from api.settings import ServiceSettings
from gis import errors
from gis.errors import BadParameter, DiabaError
from gis.settings import Settings
from tests.api.conftest import CityStore


def problem(client: TestClient, path: str, status: int, **headers: str) -> dict[str, Any]:
    answer = client.get(path, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["status"] == status
    assert document["title"] == HTTPStatus(status).phrase
    assert document["type"].startswith("urn:diaba:problem:")
    return document


def test_the_first_page_links_to_everything_that_answers(client: TestClient) -> None:
    document = client.get("/").json()
    assert {"self", "service-desc", "conformance", "data"} <= {link["rel"] for link in document["links"]}
    for link in document["links"]:
        answer = client.get(link["href"])
        assert answer.status_code == 200, link
        assert answer.headers["content-type"].split(";")[0] == link["type"].split(";")[0]


def test_browsers_get_a_page_and_programs_json(client: TestClient) -> None:
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    page = client.get("/", headers={"Accept": browser})
    assert page.headers["content-type"].startswith("text/html")
    assert "viewer/app.js" in page.text
    assert "Accept" in page.headers["vary"]
    for accept in ("*/*", "application/json", "application/json, text/html"):
        assert client.get("/", headers={"Accept": accept}).headers["content-type"] == "application/json"
    assert client.get("/?f=html").headers["content-type"].startswith("text/html")


def test_every_route_is_described_with_an_operation_of_its_own(client: TestClient) -> None:
    document = client.get("/api?f=openapi31").json()
    assert document["openapi"].startswith("3.1")
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert all(operation["summary"] and operation["description"] for operation in operations)
    assert all("_" not in name for name in names)
    assert not any("422" in operation["responses"] for operation in operations)
    for operation in operations:
        for parameter in operation.get("parameters", []):
            assert parameter.get("description") or parameter["name"] in ("f", "product"), (operation, parameter)


def test_conformance_names_what_is_implemented(client: TestClient) -> None:
    classes = client.get("/conformance").json()["conformsTo"]
    assert "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core" in classes
    assert "http://www.opengis.net/spec/ogcapi-features-2/1.0/conf/crs" in classes


def test_gis_clients_of_any_origin_may_read(client: TestClient) -> None:
    answer = client.get("/collections", headers={"Origin": "https://maps.example"})
    assert answer.headers["access-control-allow-origin"] == "*"
    before = client.options(
        "/collections", headers={"Origin": "https://maps.example", "Access-Control-Request-Method": "GET"}
    )
    assert before.status_code == 200
    refused = client.options(
        "/collections", headers={"Origin": "https://maps.example", "Access-Control-Request-Method": "DELETE"}
    )
    assert refused.status_code == 400


@pytest.mark.parametrize("path", ["/", "/viewer/", "/tiles.json", "/collections/nothing", "/nowhere"])
def test_every_answer_carries_the_security_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "server" not in headers


def test_head_is_get_without_its_body(client: TestClient) -> None:
    for path in ("/", "/collections/parcels/items", "/tiles/16/52190/30794.mvt", "/nowhere"):
        head, get = client.head(path), client.get(path)
        assert head.content == b""
        assert head.status_code == get.status_code
        assert head.headers.get("etag") == get.headers.get("etag")
        assert head.headers["content-length"] == get.headers["content-length"]


def test_a_request_keeps_its_identity_into_the_log(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.addFilter(RequestIdFilter())
    with caplog.at_level(logging.INFO, logger="diaba.api"):
        assert client.get("/health/live", headers={"X-Request-Id": "abc-1"}).headers["x-request-id"] == "abc-1"
    record = next(one for one in caplog.records if "/health/live" in one.getMessage())
    assert record.__dict__["request_id"] == "abc-1"
    for forged in ("a b", "x" * 65, "1\x7f"):
        assert client.get("/health/live", headers={"X-Request-Id": forged}).headers["x-request-id"] != forged
    assert problem(client, "/nowhere", 404, **{"X-Request-Id": "abc-2"})["request_id"] == "abc-2"


def test_a_line_break_in_a_path_makes_no_line_in_the_log(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="diaba.api"):
        client.get("/nowhere%0a2026-01-01 forged")
    assert all("\n" not in record.getMessage() for record in caplog.records)


def test_errors_become_the_status_of_their_class(client: TestClient) -> None:
    for cls, status in STATUS.items():
        answer = handler(status, 5)(None, BadParameter("x", 1, "no") if cls is errors.BadInput else _made(cls))  # type: ignore[arg-type]
        assert answer.status_code == status
        assert ("retry-after" in answer.headers) == (status == 503)


def _made(cls: type[Exception]) -> Exception:
    error = cls.__new__(cls)
    Exception.__init__(error, "secret /path")
    return error


def test_every_child_of_the_family_has_a_status() -> None:
    children = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, DiabaError)]
    for child in children:
        assert next(cls for cls in child.__mro__ if cls in STATUS) in STATUS


def test_what_went_wrong_inside_is_not_told(client: TestClient) -> None:
    answer = handler(HTTPStatus.INTERNAL_SERVER_ERROR, 5)(None, RuntimeError("password at /home"))  # type: ignore[arg-type]
    assert b"password" not in answer.body


def test_what_nobody_foresaw_is_a_problem_with_its_identity(store: CityStore) -> None:
    app = create_app(store.settings, store.city)

    def fail() -> None:
        raise ZeroDivisionError("/home/secret")

    app.router.routes.append(APIRoute("/fail", fail))
    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.get("/fail", headers={"X-Request-Id": "abc-3"})
    assert answer.status_code == 500
    assert answer.json()["request_id"] == answer.headers["x-request-id"] == "abc-3"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "secret" not in answer.text


def test_a_wrong_method_and_a_wrong_path_are_problems_too(client: TestClient) -> None:
    problem(client, "/nowhere", 404)
    answer = client.post("/collections")
    assert answer.status_code == 405
    assert answer.json()["type"] == "urn:diaba:problem:method-not-allowed"
    assert "GET" in answer.headers["allow"]


def test_nothing_is_opened_before_the_service_starts(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "home", None, None)
    create_app(settings, settings.city("hcmc"))
    assert not (tmp_path / "home").exists()


def test_without_its_store_the_service_lives_and_says_so(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "home", "postgresql://nobody@127.0.0.1:1/nothing", None)
    app = create_app(settings, settings.city("hcmc"))
    with TestClient(app, raise_server_exceptions=False) as client:
        assert client.get("/health/live").status_code == 200
        for path in (
            "/health/ready",
            "/collections",
            "/collections/parcels/items",
            "/tiles/16/52190/30794.mvt",
            "/raster/dtm/16/52190/30794.png",
            "/buildings/b-1",
            "/tiles.json",
        ):
            document = problem(client, path, 503)
            assert document["detail"] == "the store does not answer"
        assert client.get("/health/ready").headers["retry-after"] == "5"
        assert client.get("/").status_code == 200


def test_a_store_that_is_back_is_used_again(store: CityStore) -> None:
    """All sessions are ended from outside, as a restart of the server does."""
    with TestClient(create_app(store.settings, store.city), raise_server_exceptions=False) as client:
        assert client.get("/health/ready").status_code == 200
        with store.database.server.administrate() as session:
            session.execute(
                # Until they have ended, which on a busy machine takes a while.
                "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity "
                "WHERE datname = %s AND pid <> pg_backend_pid()",
                (store.database.name,),
            )
        assert client.get("/health/ready").status_code == 200


def test_a_query_that_takes_too_long_is_stopped(store: CityStore) -> None:
    app = create_app(store.settings, store.city, ServiceSettings(statement_seconds=0.1))

    def slow() -> None:
        with app.state.service.reading() as connection:
            connection.execute(text("SELECT pg_sleep(5)"))

    app.router.routes.append(APIRoute("/slow", slow))
    with TestClient(app, raise_server_exceptions=False) as client:
        document = problem(client, "/slow", 400)
        assert "0.1 s" in document["detail"]
        assert document["type"] == "urn:diaba:problem:too-slow"
        assert client.get("/health/ready").status_code == 200


def test_the_service_can_neither_write_nor_see_who_somebody_is(store: CityStore) -> None:
    app: FastAPI = create_app(store.settings, store.city)
    for statement in (
        "DELETE FROM diaba.parcel",
        "INSERT INTO diaba.parcel VALUES ('x')",
        "SELECT name FROM diaba.party",
        "SELECT id_no_encrypted FROM diaba.party",
        "CREATE TABLE diaba.mine (x int)",
        "SET ROLE postgres",
    ):
        with (
            pytest.raises(Exception, match=r"permission denied|read-only|cannot execute|does not exist"),
            app.state.service.reading() as connection,
        ):
            connection.execute(text(statement))


def test_links_lead_to_the_public_address(store: CityStore) -> None:
    limits = replace(ServiceSettings(), public_url="https://city.example/gis")
    with TestClient(create_app(store.settings, store.city, limits)) as client:
        assert client.get("/tiles.json").json()["tiles"][0].startswith("https://city.example/gis/tiles/")
        assert "testserver" not in json.dumps(client.get("/collections").json())


def test_the_public_address_comes_from_the_environment() -> None:
    assert ServiceSettings.from_environment({}).public_url is None
    assert (
        ServiceSettings.from_environment({"DIABA_PUBLIC_URL": "https://a.example/x/"}).public_url
        == "https://a.example/x"
    )
    with pytest.raises(BadParameter):
        ServiceSettings.from_environment({"DIABA_PUBLIC_URL": "javascript:alert(1)"})

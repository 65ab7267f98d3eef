"""Who asks, and what is shown to whom: every try is through the whole service, against PostGIS."""

from __future__ import annotations

import json
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from api.access import dev_issuer
from api.access.settings import AccessSettings
from api.main import create_app
from gis.access.openness import Parcels
from gis.access.roles import Role
from gis.construction.dossier import DossierType
from gis.construction.procedure import Procedure
from gis.errors import BadParameter
from gis.store import api_keys, discrepancies, dossiers, openness
from tests.api.conftest import NEW, CityStore, Run, furnish, served
from tests.api.security_doors import DOORS, FIRST_THERE, HERE, KIND, PARCELS, THERE, routes, shown_there
from tests.api.security_tries import AUDIENCE, ISSUER, TRIES, Keys, Try, claims, page, signed

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


def test_every_route_says_what_it_shows(service: TestClient) -> None:
    found = set(routes(service.app))  # type: ignore[arg-type]
    assert len(found) > 20
    assert found == set(DOORS), "say in tests/api/security_doors.py what a route shows of a ward's rows"


@pytest.mark.parametrize("path", DOORS)
def test_no_door_shows_another_ward_s_rows(service: TestClient, keys: Keys, path: str) -> None:
    everybody = ("planning:*", "inspection:*")
    seen = False
    for asked in DOORS[path].tries:
        for headers in ({}, bearer(keys), bearer(keys, f"inspection:{HERE}", f"land:{HERE}", f"construction:{HERE}")):
            answer = service.get(asked, headers=headers, follow_redirects=False)
            assert answer.status_code < 500
            assert shown_there(answer.content, asked) == set(), asked
        seen |= bool(shown_there(service.get(asked, headers=bearer(keys, *everybody)).content, asked))
    assert seen is DOORS[path].shows


@pytest.mark.parametrize(
    ("hidden", "nothing"),
    [
        ("/collections/parcels/items/p-0025", "/collections/parcels/items/p-9925"),
        ("/collections/permits/items/GPXD-0025", "/collections/permits/items/GPXD-9925"),
        ("/collections/parcels/items?parcel_no=26", "/collections/parcels/items?parcel_no=96"),
        ("/parcels/search?text=p-0025", "/parcels/search?text=p-9925"),
        ("/parcels/search?sheet=12&parcel=26", "/parcels/search?sheet=12&parcel=96"),
    ],
)
def test_what_is_hidden_is_answered_like_what_never_was(
    service: TestClient, keys: Keys, hidden: str, nothing: str
) -> None:
    for headers in ({}, bearer(keys, f"inspection:{HERE}")):
        one, other = (service.get(path, headers=headers | {"X-Request-Id": "same"}) for path in (hidden, nothing))
        assert one.status_code == other.status_code
        assert one.text.replace("0025", "9925").replace("=26", "=96") == other.text


def test_counts_pages_and_sorting_know_of_no_row_that_is_hidden(service: TestClient, keys: Keys) -> None:
    own = bearer(keys, f"planning:{HERE}")
    first = service.get("/collections/parcels/items?limit=15", headers=own).json()
    assert first["numberMatched"] == FIRST_THERE
    onward = next(link["href"] for link in first["links"] if link["rel"] == "next")
    second = service.get(onward, headers=own).json()
    found = [one["id"] for one in (*first["features"], *second["features"])]
    assert found == [f"p-{number:04d}" for number in range(FIRST_THERE)]
    assert not any(link["rel"] == "next" for link in second["links"])
    for path in ("parcels", "permits", "discrepancies"):
        assert service.get(f"/collections/{path}/items").json()["numberMatched"] == 0
    assert service.get("/collections/discrepancies/items", headers=own).json()["numberMatched"] == 1


def test_extents_reach_as_far_as_the_rows_that_are_seen(service: TestClient, keys: Keys) -> None:
    def west_east(headers: dict[str, str]) -> list[float]:
        found = service.get("/collections/parcels", headers=headers).json()["extent"]["spatial"]["bbox"][0]
        return [found[0], found[2]]

    here, there = west_east(bearer(keys, f"land:{HERE}")), west_east(bearer(keys, f"land:{THERE}"))
    assert here[1] < there[0]
    assert "extent" not in service.get("/collections/parcels").json()
    assert west_east(bearer(keys, "land:*")) == [here[0], there[1]]


def test_an_etag_of_another_s_answer_is_no_way_to_ask_whether_it_is_so(service: TestClient, keys: Keys) -> None:
    for path in ("/collections/parcels/items", DOORS["/tiles/{z}/{x}/{y}.mvt"].tries[0]):
        all_of_it = service.get(path, headers=bearer(keys, "planning:*"))
        for headers in ({}, bearer(keys, f"planning:{HERE}")):
            again = service.get(path, headers=headers | {"If-None-Match": all_of_it.headers["etag"]})
            assert again.status_code == 200
            assert again.headers["etag"] != all_of_it.headers["etag"]
        same = service.get(path, headers=bearer(keys, "planning:*") | {"If-None-Match": all_of_it.headers["etag"]})
        assert same.status_code == 304


def test_what_somebody_is_shown_is_in_no_cache_of_others(service: TestClient, keys: Keys) -> None:
    for path in ("/collections/parcels/items", DOORS["/tiles/{z}/{x}/{y}.mvt"].tries[0]):
        answer = service.get(path, headers=bearer(keys, f"planning:{HERE}"))
        assert "private" in answer.headers["cache-control"]
        assert "public" not in answer.headers["cache-control"]
        for each in (answer, service.get(path)):
            assert {"Authorization", "X-API-Key"} <= set(each.headers["vary"].split(", "))


def test_nobody_is_told_that_nothing_is_flagged_who_may_not_know(service: TestClient, keys: Keys) -> None:
    import mapbox_vector_tile

    def verdicts(headers: dict[str, str]) -> dict[str, Any]:
        body = service.get(DOORS["/tiles/{z}/{x}/{y}.mvt"].tries[3], headers=headers).content
        features = mapbox_vector_tile.decode(body)["buildings"]["features"]
        return {one["properties"]["uid"]: one["properties"].get("verdict") for one in features}

    assert set(verdicts({}).values()) == {None}
    assert verdicts(bearer(keys, f"inspection:{THERE}"))["b-0025"] == "flagged"
    assert set(verdicts(bearer(keys, "planning:*")).values()) == {"flagged", "none"}
    assert "differences" not in service.get("/buildings/b-0025").json()["properties"]
    for uid, count in (("b-0025", 1), ("b-0026", 0)):
        facts = service.get(f"/buildings/{uid}", headers=bearer(keys, "planning:*")).json()["properties"]
        assert len(facts["differences"]) == count


def test_buildings_in_3d_say_of_differences_what_the_caller_may_know(service: TestClient, keys: Keys) -> None:
    def told(headers: dict[str, str]) -> tuple[dict[str, Any], bytes]:
        body = service.get(DOORS["/3dtiles/{z}/{x}/{y}.glb"].tries[-2], headers=headers).content
        length = int.from_bytes(body[12:16], "little")
        document = json.loads(body[20 : 20 + length])
        table = document["extensions"]["EXT_structural_metadata"]
        named = table["schema"]["classes"]["building"]["properties"]
        if "verdict" not in named:
            return named, b""
        view = document["bufferViews"][table["propertyTables"][0]["properties"]["verdict"]["values"]]
        start = 20 + length + 8 + view.get("byteOffset", 0)
        return named, body[start : start + view["byteLength"]]

    none, flagged, unsaid = range(3)
    for headers in ({}, bearer(keys, f"land:{HERE}")):
        named, verdicts = told(headers)
        assert "verdict" not in named
    named, verdicts = told(bearer(keys, "planning:*"))
    assert named["verdict"]["noData"] == "unsaid"
    assert sorted(verdicts) == [*[none] * (len(verdicts) - 1), flagged]
    # Of one ward: what is flagged there, and of no other building that nothing is.
    assert sorted(told(bearer(keys, f"inspection:{THERE}"))[1]) == [flagged, *[unsaid] * (len(verdicts) - 1)]
    assert list(told(bearer(keys, f"inspection:{HERE}"))[1]) == [unsaid] * len(verdicts)


def _flag_again(store: CityStore, confidence: float) -> None:
    """Record a difference there anew: a change of the differences and of nothing else."""
    with store.database.open(Role.WRITER) as connection:
        found = {"kind": KIND, "building_uid": "b-0025", "parcel_uid": "p-0025", "permit_no": "GPXD-0025", "epoch": NEW}
        discrepancies.save(connection, [found | {"evidence": {"parcel": "p-0025"}, "confidence": confidence}])


def test_nobody_hears_of_a_change_of_what_he_is_not_shown(closed: CityStore, service: TestClient, keys: Keys) -> None:
    def asked(headers: dict[str, str], after: int | None = None) -> tuple[bool, list[dict[str, Any]]]:
        address = "/changes" if after is None else f"/changes?after={after}"
        found = service.get(address, headers=headers).json()
        return found["complete"], found["changes"]

    planner, inspector = bearer(keys, "planning:*"), bearer(keys, f"inspection:{HERE}")
    before = asked(planner)[1][-1]["number"]
    public = asked({})[1]
    assert {one["collection"] for one in public}.isdisjoint({"discrepancies", "parcels", "permits", "blocks", "wards"})
    since = asked({}, public[-1]["number"])
    _flag_again(closed, 0.75)
    complete, changes = asked(planner, before)
    assert complete
    assert {one["collection"] for one in changes} == {"discrepancies"}
    number = changes[-1]["number"]
    # The public's list is what it was, and a number it was never told is one that never was.
    assert asked({})[1] == public
    assert asked({}, public[-1]["number"]) == since
    assert asked({}, number) == asked({}, number + 1_000_000) == (False, [])
    # Of one ward: that something may have changed, anywhere.
    assert asked(inspector, before) == (False, [])
    assert "discrepancies" not in {one["collection"] for one in asked(inspector)[1]}


def test_no_tile_of_the_public_s_gets_old_by_what_is_not_in_it(
    closed: CityStore, service: TestClient, keys: Keys
) -> None:
    """Else one could ask for a small tile again and again, and hear when something is flagged in it."""
    address = DOORS["/tiles/{z}/{x}/{y}.mvt"].tries[3]
    service.get(address)
    assert service.get(address).headers["x-tile-cache"] == "hit"
    planner = bearer(keys, "planning:*")
    shown = service.get(address, headers=planner)
    assert "x-tile-cache" not in shown.headers
    _flag_again(closed, 0.8)
    for _ in range(10):
        time.sleep(0.1)
        assert service.get(address).headers["x-tile-cache"] == "hit"


def test_when_the_city_closes_its_parcels_what_was_kept_of_them_is_given_up(
    closed: CityStore, service: TestClient
) -> None:
    address = DOORS["/tiles/{z}/{x}/{y}.mvt"].tries[1]
    with closed.database.open(Role.OWNER) as connection:
        openness.show(connection, Parcels.TO_ALL)
    try:
        _until(lambda: b"p-0025" in service.get(address).content)
    finally:
        with closed.database.open(Role.OWNER) as connection:
            openness.show(connection, Parcels.BY_WARD)
    _until(lambda: b"p-0025" not in service.get(address).content)


def _until(so: Callable[[], bool], seconds: float = 5.0) -> None:
    ends = time.monotonic() + seconds
    while not so():
        assert time.monotonic() < ends
        time.sleep(0.05)


def test_whoever_changes_parcels_is_not_told_of_those_he_is_not_shown(service: TestClient, keys: Keys) -> None:
    headers = bearer(keys, f"land:{HERE}:change") | {"If-Match": "*", "X-Request-Id": "same"}
    patch = {"properties": {"address": "x"}}

    def answers(uid: str) -> list[tuple[int, str]]:
        one = {"method": "PATCH", "collection": "parcels", "id": uid, "if_match": "*", "body": patch}
        tried = (
            service.patch(f"/collections/parcels/items/{uid}", json=patch, headers=headers),
            service.post("/batch", json={"requests": [one]}, headers=headers),
        )
        return [(answer.status_code, answer.text.replace(uid, "")) for answer in tried]

    assert answers("p-0025") == answers("p-9925")
    assert {status for status, _ in answers("p-0025")} == {404}
    # One that is shown and may not be changed is another thing.
    other = bearer(keys, f"land:{HERE}:change", f"planning:{THERE}") | {"If-Match": "*"}
    assert service.patch("/collections/parcels/items/p-0025", json=patch, headers=other).status_code == 403


def test_callers_beside_each_other_are_not_mixed_up(service: TestClient, keys: Keys) -> None:
    """Many at once on the same pool of sessions; each is shown its own."""
    expected = {
        (): 0,
        (f"land:{HERE}",): FIRST_THERE,
        ("land:*",): PARCELS,
        (f"planning:{THERE}",): PARCELS - FIRST_THERE,
    }
    wrong: list[object] = []

    def ask(grants: tuple[str, ...]) -> None:
        headers = bearer(keys, *grants) if grants else {}
        for _ in range(8):
            found = service.get("/collections/parcels/items?limit=1", headers=headers).json()["numberMatched"]
            if found != expected[grants]:
                wrong.append((grants, found))

    threads = [threading.Thread(target=ask, args=(grants,)) for grants in expected for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize(
    ("method", "path", "content", "headers"),
    [
        ("GET", "/collections/parcels/items?ward_code=" + "x" * 60_000, b"", {}),
        ("GET", "/" + "a/" * 20_000, b"", {}),
        ("GET", "/collections/parcels/items", b"x" * 2_000_000, {}),
        ("GET", "/collections", b"", {"Authorization": "Bearer " + "x" * 100_000}),
        ("GET", "/collections", b"", {"X-API-Key": "x" * 100_000}),
        ("GET", "/collections", b"", {"If-None-Match": "x" * 100_000}),
        ("GET", "/collections", b"", {"X-Request-Id": "x" * 100_000}),
        ("POST", "/collections/parcels/items", b"x" * 2_000_000, {"Content-Type": "application/json"}),
        ("PUT", "/collections/parcels/items/p-0025", b"{}", {}),
        ("DELETE", "/collections/parcels/items/p-0025", b"", {}),
    ],
)
def test_what_is_too_large_or_not_offered_is_a_problem_of_the_client(
    service: TestClient, method: str, path: str, content: bytes, headers: dict[str, str]
) -> None:
    answer = service.request(method, path, content=content, headers=headers)
    assert answer.status_code < 500
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert len(answer.content) < 2_000


def test_the_service_as_a_program_believes_its_key(closed: CityStore) -> None:
    """Through the network, with the limits of the server's own parser."""
    import httpx

    with closed.database.open(Role.OWNER) as connection:
        told, _ = api_keys.add(connection, "stranger's client", [f"land:{THERE}"], 1)
    with served(closed) as address, httpx.Client(base_url=address) as client:
        found = client.get("/collections/parcels/items", headers={"X-API-Key": told}).json()
        assert found["numberMatched"] == PARCELS - FIRST_THERE
        assert client.get("/collections/parcels/items").json()["numberMatched"] == 0
        for path, headers in (
            ("/collections", {"X-Large": "x" * 200_000}),
            ("/collections/parcels/items?ward_code=" + "x" * 64_000, {}),
        ):
            try:
                assert client.get(path, headers=headers).status_code in (400, 414, 431)
            except httpx.TransportError:
                # The server has said no and closed before all was sent.
                continue
        assert client.get("/health/ready").status_code == 200


def test_the_table_of_tries_is_the_one_in_the_documentation(checkout: Path) -> None:
    written = (checkout / "docs" / "reference" / "security.md").read_text(encoding="utf-8")
    assert written == page(), "run: python -m tests.api.security_tries > docs/reference/security.md"

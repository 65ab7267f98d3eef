"""What may be built on a lot, asked by HTTP and by the client: worked by hand, and judged by others' geometry."""

from __future__ import annotations

import json
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from fastapi.testclient import TestClient
from pyproj import Geod
from shapely.geometry import shape

import gis
from gis.calendar import today
from gis.city_model.cityjson import read_cityjson
from gis.construction.rule_tables import city_rules
from gis.errors import BadParameter, NotFound
from lidar.validate import defects, signed_volume
from tests.api.conftest import CityStore
from tests.gis.store_samples import EAST, NORTH, lot

LOT = "/parcels/p-0003/envelope"
DAY = {"filed_on": "2026-03-02", "use": "attached"}
STORED = "http://www.opengis.net/def/crs/EPSG/0/9210"
HAND = [(0.0, 17.0, 90.0), (17.0, 21.0, 72.5)]
"""Of 5 m × 20 m on a road of 12 m: 2 m of rear; 17 m at the line, then 3.5 m back up to the zone's 21 m."""


def asked(client: TestClient, path: str = LOT, **query: Any) -> dict[str, Any]:
    answer = client.get(path, params=DAY | query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def limit(found: dict[str, Any], quantity: str) -> dict[str, Any]:
    return next(one for one in found["limits"] if one["quantity"] == quantity and one["binds"])


def test_the_space_of_a_tube_lot_is_the_one_worked_by_hand(client: TestClient) -> None:
    found = asked(client, crs=STORED)
    told = [(step["base_m"], step["top_m"], step["area_m2"]) for step in found["envelope"]["steps"]]
    assert told == HAND
    assert found["envelope"]["volume_m3"] == 90 * 17 + 72.5 * 4
    assert found["verdict"] == "pass"
    assert found["no_envelope"] is None
    first, second = (shape(step["polygon"]) for step in found["envelope"]["steps"])
    west = EAST + 18
    assert first.equals(shapely.box(west, NORTH, west + 5, NORTH + 18))
    assert second.equals(shapely.box(west, NORTH + 3.5, west + 5, NORTH + 18))
    assert found["lot"]["fronts"] == [{"road": "Đường Thử Nghiệm", "reserve_width_m": 12.0, "frontage_m": 5.0}]


def test_a_map_gets_degrees_that_cover_the_same_ground(client: TestClient) -> None:
    found = asked(client)
    areas = [
        abs(Geod(ellps="WGS84").geometry_area_perimeter(shape(s["polygon"]))[0]) for s in found["envelope"]["steps"]
    ]
    # TM-3 shrinks lengths by 1/10,000 at its middle.
    assert areas == pytest.approx([area for _, _, area in HAND], rel=5e-4)
    assert found["crs"].endswith("CRS84")


def test_each_limit_names_its_text_and_since_when_it_holds(client: TestClient) -> None:
    found = asked(client)
    rows = {(row.source, row.article, row.unit, row.valid_from) for row in city_rules().rows}
    for one in (*found["lot_checks"], *found["limits"]):
        assert one["citation"] == f"{one['source']}, {one['article']}"
        if one["source"] not in ("QĐ thử nghiệm", "lot line"):
            assert (one["source"], one["article"], one["unit"], one["in_force_from"]) in rows
            assert one["in_force_from"] <= "2026-03-02"
    height = limit(found, "height")
    assert (height["value"], height["source"], height["in_force_from"]) == (21.0, "QĐ thử nghiệm", "2013-01-01")
    assert {one["rule"] for one in found["lot_checks"]} == {"minimum_lot", "frontage"}
    assert all(one["verdict"] != "fail" for one in found["lot_checks"])
    assert found["taken_for_granted"] == ["area_kind"]


def test_the_ground_is_the_terrain_s_median_over_the_lot(client: TestClient) -> None:
    found = asked(client)["ground"]
    # The sample's own formula at the middle of each cell in the lot.
    west = EAST + 18
    x, y = np.meshgrid(np.arange(west + 0.25, west + 5, 0.5), np.arange(NORTH + 0.25, NORTH + 20, 0.5))
    hill = 8.0 * np.exp(-((x - EAST - 60) ** 2 + (y - NORTH - 60) ** 2) / 400.0)
    heights = 1.0 + 0.01 * (x - EAST) + 0.02 * (y - NORTH) + hill
    assert found["height_m"] == pytest.approx(float(np.median(heights)), abs=0.002)
    assert (found["lowest_m"], found["highest_m"]) == pytest.approx((heights.min(), heights.max()), abs=0.002)
    assert found["sigma_m"] == 0.07
    assert found["reference"] == "Hon Dau 1992 height"


def test_a_solid_stands_on_the_ground_and_holds_the_space(client: TestClient, tmp_path: Path) -> None:
    ground = asked(client)["ground"]["height_m"]
    answer = client.get(LOT, params={**DAY, "f": "cityjson"})
    assert answer.headers["content-type"] == "application/city+json"
    path = tmp_path / "space.city.json"
    path.write_bytes(answer.content)
    ((building,), crs) = read_cityjson(path)
    assert building.uid == "envelope-p-0003"
    assert crs.is_compound
    assert building.solid is not None
    assert defects(building.solid) == ()
    assert signed_volume(building.solid) == pytest.approx(90 * 17 + 72.5 * 4, rel=1e-4)
    heights = sorted(set(np.round(building.solid.vertices[:, 2] - ground, 3)))
    assert heights == pytest.approx([0.0, 17.0, 21.0], abs=0.002)


def test_a_glb_is_one_by_khronos_validator(client: TestClient, checkout: Path, tmp_path: Path) -> None:
    path = tmp_path / "space.glb"
    path.write_bytes(client.get(LOT, params={**DAY, "f": "glb"}).content)
    command = ["node", str(checkout / "tests" / "gltf_validator.mjs"), str(path)]
    told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=checkout)
    assert '"numErrors":0' in json.dumps(json.loads(told.stdout), separators=(",", ":"))


def test_where_nothing_limits_the_height_the_answer_says_so_and_a_solid_is_refused(
    client: TestClient,
) -> None:
    before = {"filed_on": "2026-03-02", "as_of": "2012-06-01", "use": "detached"}
    found = client.get(LOT, params=before).json()
    # The zone began in 2013.
    assert found["envelope"] is None
    assert found["no_envelope"]["reason"] == "no_height_limit"
    assert found["limits"]
    refused = client.get(LOT, params={**before, "f": "glb"})
    assert refused.status_code == 409
    assert refused.headers["content-type"] == "application/problem+json"
    assert "nothing limits the height" in refused.json()["detail"]
    assert client.get(LOT, params={**before, "height": 12}).json()["envelope"]["height_m"] == 12.0


def test_each_day_has_its_own_zones(client: TestClient) -> None:
    assert limit(asked(client, as_of="2012-06-01"), "height")["value"] == 22.4
    assert limit(asked(client), "height")["value"] == 21.0


@pytest.mark.parametrize(
    ("path", "query", "status", "says"),
    [
        ("/parcels/nobody/envelope", {}, 404, "no parcel nobody"),
        (LOT, {"as_of": "1999-01-01"}, 404, "no parcel p-0003 on 1999-01-01"),
        (LOT, {"use": "castle"}, 400, "use"),
        (LOT, {"filed_on": "tomorrow"}, 400, "a day such as"),
        (LOT, {"height": "0.5"}, 400, "height"),
        (LOT, {"height": "nan"}, 400, "height"),
        (LOT, {"f": "dwg"}, 400, "f"),
        ("/parcels/%00/envelope", {}, 404, "no parcel"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_the_reason(
    client: TestClient, path: str, query: dict[str, str], status: int, says: str
) -> None:
    answer = client.get(path, params=query)
    assert answer.status_code == status, answer.text
    assert says in answer.json()["detail"]


def test_links_lead_to_the_same_question_as_a_solid(client: TestClient) -> None:
    links = {link["type"]: link["href"] for link in asked(client)["links"]}
    assert "filed_on=2026-03-02" in links["model/gltf-binary"]
    assert client.get(links["application/city+json"]).status_code == 200


def test_planners_get_the_same_from_the_store_and_through_http(
    store: CityStore, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIABA_HOME", str(store.settings.home))
    monkeypatch.delenv("DIABA_DATABASE_URL", raising=False)
    remote, local = gis.open_city(address), gis.open_city(store.city.name)
    told = [city.envelope("p-0003", filed_on="2026-03-02", use="attached") for city in (remote, local)]
    for one in told:
        assert [tuple(row) for row in one.steps[["base_m", "top_m", "area_m2"]].to_numpy()] == HAND
        assert one.shape.equals(lot(3))
        assert one.why_not is None
    assert told[0].limits.equals(told[1].limits)
    same = ("ground", "allowed", "notes", "lot_checks", "as_of", "filed_on", "verdict")
    for name in same[1:]:
        assert told[0].document[name] == told[1].document[name]
    assert told[0].document["ground"]["height_m"] == told[1].document["ground"]["height_m"]
    assert remote.envelope("p-0003", as_of="2012-06-01", use="detached").why_not is not None
    for city in (remote, local):
        with pytest.raises(NotFound):
            city.envelope("nobody")
    with pytest.raises(BadParameter):
        local.envelope("p-0003", use="castle")


def test_by_default_it_is_today_s_rules_and_today_s_lot(client: TestClient) -> None:
    found = client.get(LOT).json()
    assert (found["filed_on"], found["as_of"]) == (today().isoformat(),) * 2
    later = (today() + timedelta(days=400)).isoformat()
    assert client.get(LOT, params={"filed_on": later}).json()["as_of"] == today().isoformat()

"""`gis.open_city`: the same frames from the store and through HTTP, and both what the store holds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import geopandas
import httpx
import numpy as np
import pandas as pd
import pytest
import shapely
from fastapi.testclient import TestClient
from pandas.testing import assert_frame_equal

import gis
from api.main import create_app
from api.settings import Rates, ServiceSettings
from gis.access.roles import Role
from gis.bounds import BoundingBox
from gis.client import CityView, local, remote
from gis.construction.dossier import DossierType
from gis.construction.procedure import Procedure
from gis.crs import transformer
from gis.errors import BadInput, BadParameter, NotFound, StoreUnreachable
from gis.store import buildings, cases, discrepancies, dossiers, parcels, permits, zones
from gis.store.dossiers import Filing
from tests.api.conftest import FLAGGED, NEW, PARCELS, CityStore
from tests.api.officials import Officials
from tests.gis.store_samples import EAST, NORTH

HALF_MILLIMETRE = 0.00051
"""HTTP gives whole millimetres."""


@pytest.fixture(scope="module")
def through_http(address: str) -> CityView:
    return gis.open_city(address)


@pytest.fixture
def in_store(store: CityStore, monkeypatch: pytest.MonkeyPatch) -> CityView:
    monkeypatch.setenv("DIABA_HOME", str(store.settings.home))
    monkeypatch.delenv("DIABA_DATABASE_URL", raising=False)
    return gis.open_city(store.city.name)


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PAGE", 7)
    monkeypatch.setattr(local, "AT_ONCE", 9)


def same(first: geopandas.GeoDataFrame, second: geopandas.GeoDataFrame, tolerance: float = HALF_MILLIMETRE) -> None:
    assert first.crs == second.crs
    assert_frame_equal(pd.DataFrame(first.drop(columns="geometry")), pd.DataFrame(second.drop(columns="geometry")))
    assert (first.geometry.isna() == second.geometry.isna()).all()
    known = first.geometry.notna()
    assert shapely.equals_exact(first.geometry[known], second.geometry[known], tolerance=tolerance).all()


ASKED: dict[str, Callable[[CityView], Any]] = {
    "parcels": lambda city: city.parcels(),
    "parcels in a box": lambda city: city.parcels((EAST + 31, NORTH, EAST + 101.25, NORTH + 9)),
    "parcels of a use": lambda city: city.parcels(land_use="ODT", parcel_no="7"),
    "parcels before the register began": lambda city: city.parcels(as_of="1999-01-01"),
    "parcels before anything was known": lambda city: city.parcels(known_at="2001-01-01T00:00:00"),
    "permits": lambda city: city.permits(),
    "buildings": lambda city: city.buildings(),
    "buildings in 2015": lambda city: city.buildings(as_of="2015-06-01"),
    "zones": lambda city: city.zones(),
    "roads": lambda city: city.roads(),
    "discrepancies": lambda city: city.discrepancies(),
    "point clouds": lambda city: city.layer("lidar_tiles"),
    "a number": lambda city: city.search("12/7"),
    "an address": lambda city: city.search("thu nghiem", limit=5),
    "nothing": lambda city: city.search("no such street"),
}


@pytest.mark.parametrize("what", ASKED)
def test_frames_are_the_same_from_the_store_and_through_http(
    what: str, in_store: CityView, through_http: CityView
) -> None:
    same(ASKED[what](in_store), ASKED[what](through_http))


def test_frames_hold_what_the_register_holds(through_http: CityView, store: CityStore) -> None:
    with store.database.open(Role.READER) as connection:
        expected = {
            "parcels": parcels.current(connection),
            "permits": permits.current(connection),
            "planning_zones": zones.current(connection),
            "buildings": buildings.current(connection, NEW).set_geometry("footprint"),
        }
        flagged = discrepancies.current(connection)
    for name, frame in expected.items():
        found = through_http.layer(name)
        assert len(found) == len(frame) > 0
        assert found.geometry.area.sum() == pytest.approx(frame.geometry.area.sum(), abs=0.01)
        both = sorted(set(found) & set(frame) - {"geometry", "version", "attributes"})
        assert len(both) >= 5
        order = both[0] if name == "permits" else "uid"
        order = "permit_no" if name == "permits" else order
        assert_frame_equal(
            pd.DataFrame(found[both]).sort_values(order, ignore_index=True),
            pd.DataFrame(frame[both]).sort_values(order, ignore_index=True),
            check_dtype=False,
        )
    assert len(through_http.parcels()) == PARCELS
    assert list(through_http.discrepancies()["building_uid"]) == list(flagged["building_uid"]) == [FLAGGED]


def test_a_box_finds_what_touches_it_in_whatever_crs_it_is_given(through_http: CityView) -> None:
    everything = through_http.parcels()
    box = BoundingBox(EAST + 31, NORTH + 2, EAST + 101.25, NORTH + 9, through_http.crs)
    expected = set(everything["uid"][everything.geometry.intersects(box.polygon)])
    assert 0 < len(expected) < PARCELS
    assert set(through_http.parcels(box)["uid"]) == expected
    degrees = through_http.parcels(box.to(4326).tuple, crs=4326)
    # A box of degrees is a little turned against the city's grid; the box around it touches the same lots.
    assert set(degrees["uid"]) >= expected
    assert degrees.crs == "EPSG:4326"


def test_degrees_are_those_the_service_gives(in_store: CityView, through_http: CityView, address: str) -> None:
    told = httpx.get(f"{address}/collections/parcels/items?limit=100").json()["features"]
    served = {one["id"]: shapely.geometry.shape(one["geometry"]) for one in told}
    for city in (in_store, through_http):
        frame = city.parcels(crs=4326)
        for uid, shape in zip(frame["uid"], frame.geometry, strict=True):
            # A millimetre is 9e-9 of a degree.
            assert shapely.equals_exact(shape.normalize(), served[uid].normalize(), tolerance=2e-8), uid


def test_terrain_is_the_same_cells_and_knows_its_sigma(in_store: CityView, through_http: CityView) -> None:
    box = (EAST + 40.3, NORTH + 41.0, EAST + 80.0, NORTH + 77.7)
    first, second = in_store.terrain(box), through_http.terrain(box)
    assert first.grid == second.grid
    assert first.grid.resolution == 0.5
    assert np.array_equal(first.values, second.values, equal_nan=True)
    assert np.array_equal(first.bands["sigma"], second.bands["sigma"], equal_nan=True)
    x, y = np.meshgrid(*first.grid.centres())
    hill = 8.0 * np.exp(-((x - EAST - 60) ** 2 + (y - NORTH - 60) ** 2) / 400.0)
    expected = 1.0 + 0.01 * (x - EAST) + 0.02 * (y - NORTH) + hill
    assert np.abs(first.values - expected).max() < 1e-4
    whole = through_http.terrain()
    assert whole.grid == in_store.terrain().grid
    assert whole.grid.shape == (400, 800)
    beyond = through_http.terrain((EAST - 60.0, NORTH, EAST - 40.0, NORTH + 1.0))
    assert np.isnan(beyond.values).sum() == np.isfinite(beyond.values).sum() == 40


def test_a_height_is_that_of_the_cell(in_store: CityView, through_http: CityView) -> None:
    x, y = EAST + 33.3, NORTH + 12.9
    values = through_http.terrain((x - 5, y - 5, x + 5, y + 5))
    expected = float(values.at(np.array([x]), np.array([y]))[0])
    longitude, latitude = transformer(through_http.crs, 4326).transform(x, y)
    for city in (in_store, through_http):
        assert city.height_at(x, y) == pytest.approx(expected, abs=0.0005)
        assert city.height_at(longitude, latitude, crs=4326) == pytest.approx(expected, abs=0.0005)
        assert np.isnan(city.height_at(x + 5000, y))
        assert np.isnan(city.height_at(x, y, product="ndsm"))


BOX = (EAST, NORTH, EAST + 120, NORTH + 30)


def test_models_are_the_same_solids_from_the_store_and_through_http(in_store: CityView, through_http: CityView) -> None:
    first, second = in_store.models(BOX), through_http.models(BOX)
    inside = in_store.buildings(BOX)
    assert [one.uid for one in first] == [one.uid for one in second] == list(inside["uid"])
    assert len(first) > 5
    for here, there in zip(first, second, strict=True):
        assert (here.lod, here.height) == (there.lod, pytest.approx(there.height, nan_ok=True))
        if here.solid is not None and there.solid is not None:
            assert len(here.solid.faces) == len(there.solid.faces)
            assert np.abs(here.solid.vertices.max(axis=0) - there.solid.vertices.max(axis=0)).max() < 0.001
    assert {one.uid for one in first if one.solid is None} == {one.uid for one in second if one.solid is None}


def test_models_of_another_day_are_those_of_then(in_store: CityView, through_http: CityView) -> None:
    for city in (in_store, through_http):
        told = {one.uid: one.height for one in city.models(BOX, as_of="2015-06-01")}
        measured = city.buildings(BOX, as_of="2015-06-01")
        assert told == pytest.approx(dict(zip(measured["uid"], measured["height"], strict=True)))


def test_roofs_have_the_area_of_their_models(in_store: CityView, through_http: CityView) -> None:
    first, second = in_store.roofs(BOX), through_http.roofs(BOX)
    assert (
        list(first.columns) == list(second.columns) == ["uid", "lod", "slope_deg", "azimuth_deg", "area_m2", "geometry"]
    )
    assert list(first["uid"]) == list(second["uid"])
    footprints = in_store.buildings(BOX).set_index("uid").geometry.area
    for frame in (first, second):
        assert frame.has_z.all()
        # Flat roofs: as large as what they cover.
        assert frame.groupby("uid")["area_m2"].sum().to_dict() == pytest.approx(
            footprints[sorted(set(frame["uid"]))].to_dict(), rel=1e-3
        )


def test_files_are_named_where_they_lie(in_store: CityView, through_http: CityView, store: CityStore) -> None:
    (path,) = in_store.files("dtm", (EAST + 1, NORTH + 1, EAST + 2, NORTH + 2))
    (address,) = through_http.files("dtm", (EAST + 1, NORTH + 1, EAST + 2, NORTH + 2))
    assert isinstance(path, Path)
    assert httpx.get(str(address)).content == path.read_bytes()
    for city in (in_store, through_http):
        assert city.files("dtm", (EAST + 5000, NORTH, EAST + 5001, NORTH + 1)) == []
        assert city.files("dtm", epoch=NEW) == city.files("dtm")
        assert city.files("dtm", epoch="2012") == []
        assert len(city.files("survey")) == 2
        assert len(city.files("survey", epoch="2012")) == 1


def test_a_dossier_is_told_the_same_to_whoever_holds_its_receipt(
    in_store: CityView, through_http: CityView, store: CityStore
) -> None:
    filing = Filing("760", Procedure.SINGLE_HOUSE, DossierType.NEW, date(2026, 7, 1), parcel_uid="p-0001")
    with store.database.open(Role.WRITER) as connection:
        receipt = dossiers.file(connection, filing, actor="Văn phòng thử nghiệm (hư cấu)")
    asked = (receipt.receipt_no, receipt.secret)
    assert in_store.dossier(*asked) == through_http.dossier(*asked)
    assert in_store.dossier(*asked)["due"] == "2026-07-10"
    for city in (in_store, through_http):
        with pytest.raises(NotFound):
            city.dossier(receipt.receipt_no, "0000-0000-0000-0000")


def test_an_inspection_is_recorded_by_who_may(in_store: CityView, through_http: CityView, store: CityStore) -> None:
    case = in_store.discrepancies(building_uid=FLAGGED).iloc[0]["id"]
    with pytest.raises(remote.Refused, match=r"\((401|403)\)"):
        through_http.inspect(case, "confirmed", value=12.4)
    in_store.inspect(case, "not_accessible", on="2026-07-01", note="khóa cửa (hư cấu)")
    for city in (in_store, through_http):
        with pytest.raises(BadParameter, match="outcome"):
            city.inspect(case, "guilty")
        with pytest.raises(BadParameter, match="still to come"):
            city.inspect(case, "confirmed", on="2999-01-01")
    with pytest.raises(NotFound):
        in_store.inspect("0" * 32, "confirmed")
    with store.database.open(Role.READER) as connection:
        assert [one["outcome"] for one in cases.case(connection, case).inspections] == ["not_accessible"]


def test_the_environment_may_name_a_service(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIABA_CITY", address)
    assert gis.open_city().name == "small"


@pytest.mark.parametrize(
    ("ask", "raised"),
    [
        (lambda city: city.layer("parties"), NotFound),
        (lambda city: city.parcels(owner="x"), BadInput),
        (lambda city: city.parcels(as_of="yesterday"), BadParameter),
        (lambda city: city.parcels(known_at="now"), BadParameter),
        (lambda city: city.parcels((5, 0, 1, 1)), BadParameter),
        (lambda city: city.search(""), BadInput),
        (lambda city: city.terrain(product="ndsm"), NotFound),
        (lambda city: city.files("parties"), NotFound),
        (lambda city: city.models((5, 0, 1, 1)), BadParameter),
    ],
)
def test_what_cannot_be_asked_raises_the_same(
    ask: Callable[[CityView], Any], raised: type[Exception], in_store: CityView, through_http: CityView
) -> None:
    for city in (in_store, through_http):
        with pytest.raises(raised):
            ask(city)


def test_a_service_that_is_none_or_does_not_answer_is_told(store: CityStore) -> None:
    with pytest.raises(StoreUnreachable):
        gis.open_city("http://127.0.0.1:1")
    with pytest.raises(BadParameter):
        gis.open_city("ftp://127.0.0.1/")
    with pytest.raises(BadParameter):
        gis.open_city("small", token="secret")


def test_it_waits_as_long_as_it_is_told_to_and_sends_its_token(
    store: CityStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    officials = Officials(tmp_path)
    shown = officials("inspection:26734")["Authorization"]
    limits = replace(ServiceSettings(), rates=Rates(rate_per_second=2.0, rate_burst=4))
    app = create_app(store.settings, store.city, limits, officials.access)
    tokens: list[str] = []

    async def listening(scope: Any, receive: Any, send: Any) -> None:
        tokens.extend(value.decode() for name, value in scope.get("headers", []) if name == b"authorization")
        await app(scope, receive, send)

    waited: list[float] = []
    sleep = time.sleep
    monkeypatch.setattr(remote.time, "sleep", lambda seconds: (waited.append(seconds), sleep(seconds)))
    monkeypatch.setattr(remote.httpx, "Client", lambda headers, **_: TestClient(listening, headers=headers))
    city = gis.open_city("http://testserver/", token=shown.removeprefix("Bearer "))
    assert city.name == "small"
    assert list(city.parcels()["uid"]) == [f"p-{n:04d}" for n in range(PARCELS)]
    assert waited
    assert set(waited) == {1.0}
    assert set(tokens) == {shown}
    # The first page, the collection, six pages of parcels, and what was refused.
    assert len(tokens) == 8 + len(waited)

"""A street surveyed twice: what changed is found, kept, served and asked for, the same by every door."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
import shapely
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.io import MemoryFile
from sqlalchemy import text

from api.main import create_app
from gis.access.roles import Role
from gis.bounds import BoundingBox
from gis.city_model.building import Building
from gis.client.local import LocalCity
from gis.client.remote import RemoteCity
from gis.crs import horizontal, transformer
from gis.errors import BadParameter, NotFound
from gis.files import sha256
from gis.grid import Grid
from gis.raster import Raster, write_cog
from gis.store import building_changes, catalog, registers, runs
from gis.store.building_changes import Comparison
from gis.store.catalog import RasterProduct
from gis.store.runs import PlannedTile
from tests.api.conftest import CityStore, Run, served
from tests.gis.store_samples import EAST, NORTH, building, lot, register_layers, write_registers

OLD, NEW, TILE = "2012", "2025", "t1"
TALLER, GONE, FRESH = 2, 5, 7
PIT = (EAST + 40, NORTH + 30, EAST + 60, NORTH + 40)
"""Dug by 1.5 m between the surveys: 300 m³."""
HIGHER = 0.06
"""m by which all of the later survey lies higher."""
RIVER = 0.3
"""m: level of the river in the south."""


def houses(epoch: str) -> list[Building]:
    standing = [building(n, height=6.0) for n in range(12) if n != FRESH or epoch == NEW]
    if epoch == NEW:
        standing[TALLER] = building(TALLER, height=9.4)
        ground = {"ground_fraction": 0.95, "footprint_source": "known"}
        standing[GONE] = replace(building(GONE, height=0.2), attributes=ground)
    return standing


def rasters(epoch: str, bounds: BoundingBox) -> dict[str, Raster]:
    """Ground that rises northwards from a river, with a pit; houses upon it; noise of 3 cm."""
    random = np.random.default_rng(int(epoch))
    grid = Grid.covering(bounds, 0.5)
    x, y = np.meshgrid(*grid.centres())
    ground = 1.0 + 0.01 * (y - NORTH) + random.normal(0, 0.03, grid.shape)
    ground[y < NORTH - 20] = RIVER
    if epoch == NEW:
        ground[(x > PIT[0]) & (x < PIT[2]) & (y > PIT[1]) & (y < PIT[3])] -= 1.5
        ground += HIGHER
    shapes = [(one.footprint, one.height) for one in houses(epoch)]
    above = rasterize(shapes, out_shape=grid.shape, transform=grid.transform, dtype="float32")
    sigma: NDArray[np.float32] = np.full(grid.shape, 0.03, dtype=np.float32)
    dtm = Raster(ground.astype(np.float32), grid, {"sigma": sigma})
    return {"dtm": dtm, "dsm": Raster(dtm.values + above, grid), "ndsm": Raster(above, grid)}


@pytest.fixture(scope="module")
def street(make_store: Callable[..., CityStore], tmp_path_factory: pytest.TempPathFactory) -> CityStore:
    made = make_store("street")
    bounds = BoundingBox(EAST - 10, NORTH - 40, EAST + 110, NORTH + 60, horizontal(made.city.crs))
    path = write_registers(tmp_path_factory.mktemp("street") / "r.gpkg", register_layers(14))
    with made.database.open(Role.OWNER) as connection:
        connection.execute(text("UPDATE diaba.city SET is_demo = true"))
    with made.database.open(Role.WRITER) as connection:
        registers.import_registers(connection, path)
        for epoch, flown in ((OLD, date(2012, 3, 1)), (NEW, date(2025, 2, 1)), ("2030", date(2030, 1, 1))):
            catalog.save_campaign(connection, epoch, flown, flown.replace(day=20))
            if epoch == "2030":
                continue
            runs.plan(connection, epoch, [PlannedTile(TILE, bounds, epoch * 8)])
            runs.claim(connection, TILE, epoch)
            files = []
            for product, raster in rasters(epoch, bounds).items():
                tif = made.city.folder / "rasters" / f"{epoch}-{product}.tif"
                write_cog(raster, tif, name=product, crs=made.city.crs)
                told = str(tif.relative_to(made.city.folder))
                files.append(RasterProduct(product, told, sha256(tif), 0.5, bounds))  # type: ignore[arg-type]
            measured = houses(epoch)
            runs.save_tile(connection, TILE, epoch, rasters=files, points=None, buildings=measured, statistics={})
    return made


@pytest.fixture
def diaba(command_line: Callable[..., Run], street: CityStore) -> Run:
    return command_line(street.settings.home, "--city", street.city.name)


@pytest.fixture(scope="module")
def compared(street: CityStore) -> dict[str, Any]:
    """As the command found and kept it."""
    from api.change import compare_epochs

    told: list[tuple[int, int]] = []
    found = compare_epochs(
        street.database, street.city, OLD, NEW, advance=lambda done, total: told.append((done, total))
    )
    assert told[-1][0] == told[-1][1]
    return {one.uid: (one.change.value, parcel, one) for one, parcel in zip(found.changes, found.parcels, strict=True)}


@pytest.fixture(scope="module")
def asked(street: CityStore, compared: dict[str, Any]) -> Iterator[TestClient]:
    with TestClient(create_app(street.settings, street.city), raise_server_exceptions=False) as made:
        yield made


def box(west: float, south: float, east: float, north: float) -> str:
    change = transformer(9210, 4326)
    corners = [*change.transform(west, south), *change.transform(east, north)]
    return ",".join(f"{value:.7f}" for value in corners)


def test_what_was_changed_is_found_with_its_lot(compared: dict[str, Any]) -> None:
    assert {uid: told[:2] for uid, told in compared.items()} == {
        f"b-{TALLER:04d}": ("taller", f"p-{TALLER:04d}"),
        f"b-{GONE:04d}": ("demolished", f"p-{GONE:04d}"),
        f"b-{FRESH:04d}": ("new", f"p-{FRESH:04d}"),
    }
    higher = compared[f"b-{TALLER:04d}"][2]
    assert higher.delta == pytest.approx(3.4 - HIGHER, abs=0.05)
    assert compared[f"b-{FRESH:04d}"][2].delta == pytest.approx(80.0)


def test_the_command_says_it_and_found_again_it_is_the_same_row(
    diaba: Run, street: CityStore, compared: dict[str, Any]
) -> None:
    def kept() -> list[tuple[str, int]]:
        with street.database.open(Role.READER) as connection:
            return sorted(connection.execute(text("SELECT id, version FROM diaba.building_change")).all())  # type: ignore[arg-type]

    before = kept()
    code, out, err = diaba("compliance", "change", "--from", OLD, "--to", NEW, "--json")
    assert code == 0, err
    said = json.loads(out)
    assert said["by_change"] == {"demolished": 1, "new": 1, "taller": 1}
    assert said["shift"]["up"] == pytest.approx(HIGHER, abs=0.01)
    assert kept() == before
    west = f"{EAST - 5},{NORTH - 5},{EAST + 25},{NORTH + 20}"
    code, out, err = diaba("compliance", "change", "--from", OLD, "--to", NEW, "--area", west, "--json")
    assert json.loads(out)["by_change"] == {"taller": 1}
    with street.database.open(Role.READER) as connection:
        assert len(building_changes.current(connection, OLD, NEW)) == 3
    assert "taller" in diaba("compliance", "change", "--from", OLD, "--to", NEW)[1]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--from", OLD, "--to", OLD), "same survey"),
        (("--from", OLD, "--to", "1999"), "there are 2012, 2025, 2030"),
        (("--from", OLD, "--to", "2030"), "both surveys"),
        (("--from", OLD, "--to", NEW, "--area", "0,0,1,1"), "outside of what was surveyed"),
        (("--from", OLD, "--to", NEW, "--area", "1,2,3"), "four numbers"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_a_line(diaba: Run, arguments: tuple[str, ...], why: str) -> None:
    code, out, err = diaba("compliance", "change", *arguments)
    assert (code, out) == (3, "")
    assert why in err
    assert len(err.strip().splitlines()) == 1


def test_the_service_shows_what_was_found(asked: TestClient, compared: dict[str, Any]) -> None:
    answer = asked.get("/change/buildings", params={"from": OLD, "to": NEW, "crs": "EPSG:9210"})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert {one["properties"]["uid"]: one["properties"]["change"] for one in found["features"]} == {
        uid: told[0] for uid, told in compared.items()
    }
    assert found["registration"]["up"] == pytest.approx(HIGHER, abs=0.01)
    near = asked.get("/change/buildings", params={"from": OLD, "to": NEW, "bbox": box(*lot(FRESH).bounds)}).json()
    assert [one["properties"]["uid"] for one in near["features"]] == [f"b-{FRESH:04d}"]
    items = asked.get("/collections/building_changes/items", params={"change": "new"}).json()
    assert [one["properties"]["building_uid"] for one in items["features"]] == [f"b-{FRESH:04d}"]
    again = asked.get(
        "/change/buildings?from=2012&to=2025&crs=EPSG:9210", headers={"If-None-Match": answer.headers["etag"]}
    )
    assert again.status_code == 304


def test_earth_moved_is_the_pit(asked: TestClient) -> None:
    west, south, east, north = PIT
    around = {"from": OLD, "to": NEW, "bbox": box(west - 5, south - 5, east + 5, north + 5)}
    found = asked.get("/change/earth", params=around).json()
    assert found["cut"]["m3"] == pytest.approx(300.0, abs=4 * found["cut"]["sigma"])
    assert found["cut"]["area_m2"] == pytest.approx(200.0, abs=1)
    assert found["fill"]["area_m2"] < 5
    assert found["offset_m"] == pytest.approx(HIGHER, abs=0.01)
    assert 0 < found["cut"]["sigma"] < 10
    corners = transformer(9210, 4326).transform(*np.array(shapely.box(*PIT).exterior.coords).T)
    ring = ", ".join(f"{x:.8f} {y:.8f}" for x, y in zip(*corners, strict=True))
    inside = asked.get("/change/earth", params={"from": OLD, "to": NEW, "coords": f"POLYGON(({ring}))"}).json()
    assert inside["net_of_all"]["m3"] == pytest.approx(-300.0, abs=4 * inside["net_of_all"]["sigma"])
    tif = asked.get("/change/earth/coverage", params=around)
    with MemoryFile(tif.content) as file, file.open() as source:
        assert source.descriptions == ("change", "sigma", "detected")
        assert next(source.sample([((west + east) / 2, (south + north) / 2)]))[0] == pytest.approx(-1.5, abs=0.2)


def test_water_reaches_what_is_low_and_the_lots_in_it(asked: TestClient) -> None:
    everywhere = box(EAST - 10, NORTH - 40, EAST + 110, NORTH + 60)
    asked_for = {"level": 1.26, "bbox": everywhere, "epoch": NEW, "crs": "EPSG:9210", "sigma_level": 0.05}
    found = asked.get("/flood", params=asked_for).json()
    water = [one for one in found["features"] if one["properties"]["kind"] == "water"]
    lots = {one["id"]: one["properties"] for one in found["features"] if one["properties"]["kind"] == "lot"}
    # The ground is 1.06 m at the lots' front and rises by 1 cm a metre: all of their 20 m but for the noise.
    assert set(lots) == {f"p-{n:04d}" for n in range(14)}
    assert lots["p-0003"]["depth"] == pytest.approx(0.1, abs=0.03)
    assert 0.9 < lots["p-0003"]["share"] <= 1.0
    largest = shapely.geometry.shape(water[0]["geometry"])
    assert largest.area == pytest.approx(120 * (40 + 20), rel=0.05)
    assert water[0]["properties"]["volume"] == pytest.approx(120 * (20 * 0.9 + 40 * 0.2), rel=0.1)
    low = asked.get("/flood", params={**asked_for, "level": 0.5, "sigma_level": 0}).json()
    assert [one for one in low["features"] if one["properties"]["kind"] == "lot"] == []


@pytest.mark.parametrize(
    ("path", "status", "why"),
    [
        ("/change/buildings?from=2012&to=2030", 404, "diaba compliance change --from 2012 --to 2030"),
        ("/change/earth?from=2012&to=2012&bbox={box}", 400, "same survey"),
        ("/change/earth?from=2012&to=1999&bbox={box}", 404, "no epoch 1999"),
        ("/change/earth?from=2012&to=2025", 400, "either bbox or coords"),
        ("/change/earth?from=2012&to=2025&bbox=106.6,10.6,106.8,10.8", 400, "smaller area"),
        ("/flood?level=1&bbox=106.6,10.6,106.8,10.8", 400, "smaller area"),
        ("/flood?level=1&bbox=1,1,1.001,1.001", 404, "in this box"),
        ("/flood?level=nan&bbox={box}", 400, "level"),
        ("/flood?bbox={box}", 400, "level"),
    ],
)
def test_what_cannot_be_answered_says_why(asked: TestClient, path: str, status: int, why: str) -> None:
    answer = asked.get(path.format(box=box(*PIT)))
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    assert why in answer.text


def test_a_notebook_gets_the_same_from_the_store_and_through_http(street: CityStore, compared: dict[str, Any]) -> None:
    west, south, east, north = PIT
    where = (west - 5, south - 5, east + 5, north + 5)
    with served(street) as url:
        local, remote = LocalCity(street.city, street.database), RemoteCity.at(url)
        for ask in (
            lambda city: city.changes(OLD, NEW),
            lambda city: city.changes(OLD, NEW, lot(FRESH).bounds),
            lambda city: city.flood(1.26, (EAST, NORTH - 10, EAST + 40, NORTH + 10), sigma_level=0.05),
        ):
            first, second = ask(local), ask(remote)
            assert len(first) == len(second) > 0
            for name in sorted({*first.columns} - {"geometry"}):
                assert list(first[name].astype(str)) == list(second[name].astype(str)), name
            assert shapely.equals_exact(first.geometry, second.geometry, tolerance=2e-3).all()
        assert local.earth(OLD, NEW, where) == remote.earth(OLD, NEW, where)
        for city in (local, remote):
            with pytest.raises(NotFound, match="diaba compliance change"):
                city.changes(NEW, "2030")
            with pytest.raises((BadParameter, ValueError), match="same survey"):
                city.earth(NEW, NEW, where)


def test_who_sees_no_differences_sees_no_changes(street: CityStore, asked: TestClient) -> None:
    """A new house may be one without a permit: in a real city the public is not told."""
    try:
        with street.database.open(Role.OWNER) as connection:
            connection.execute(text("UPDATE diaba.city SET is_demo = false"))
        assert asked.get("/change/buildings?from=2012&to=2025").json()["features"] == []
        assert asked.get("/collections/building_changes/items").json()["features"] == []
    finally:
        with street.database.open(Role.OWNER) as connection:
            connection.execute(text("UPDATE diaba.city SET is_demo = true"))
    assert len(asked.get("/change/buildings?from=2012&to=2025").json()["features"]) == 3


def test_a_change_that_is_not_found_again_is_closed(street: CityStore, compared: dict[str, Any]) -> None:
    with street.database.open(Role.WRITER) as connection:
        frame = building_changes.current(connection, OLD, NEW)
        rows = frame.drop(columns=["id", "version", "recorded_from", "from_epoch", "to_epoch"]).to_dict("records")
        comparison = Comparison(OLD, NEW, 0.01, 0.0, 0.0, 0.0, None, None, None)
        building_changes.save(connection, comparison, rows[:2])
        assert len(building_changes.current(connection, OLD, NEW)) == 2
        assert building_changes.comparison_of(connection, OLD, NEW) == comparison
        held = connection.execute(text("SELECT count(*) FROM diaba.building_change")).scalar_one()
        assert held == 3
        connection.rollback()

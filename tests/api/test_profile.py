"""Rasters along lines and over polygons, held against the rasters themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from fastapi.testclient import TestClient

from gis.crs import transformer
from tests.api.conftest import CityStore
from tests.api.measured import HOLE, NEW, OLD, ROOF, SUNK, TILES, above, ground
from tests.gis.store_samples import EAST, NORTH

LINE = [(EAST + 10.0, NORTH + 20.0), (EAST + 190.0, NORTH + 60.0), (EAST + 190.0, NORTH + 180.0)]


def wkt(places: list[tuple[float, float]], kind: str = "LINESTRING") -> str:
    said = ", ".join(f"{x!r} {y!r}" for x, y in places)
    return f"{kind}({said})" if kind == "LINESTRING" else f"{kind}(({said}))"


def asked(client: TestClient, **given: Any) -> dict[str, Any]:
    answer = client.get("/raster/profile", params={"crs": "EPSG:9210", "coords": wkt(LINE), **given})
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def cell_value(store: CityStore, epoch: str, x: float, y: float) -> float:
    for key, (west, south) in TILES.items():
        if west <= x < west + 100 and south <= y < south + 100:
            return float(ground(key, epoch, store).at(np.array([x]), np.array([y]))[0])
    return float("nan")


def test_a_profile_has_the_cells_values_where_the_line_runs(measured_client: TestClient, measured: CityStore) -> None:
    found = asked(measured_client, step=2.5, epochs=f"{NEW},{OLD}", products="dtm,ndsm")
    line = shapely.LineString(LINE)
    assert found["length"] == pytest.approx(line.length, abs=0.001)
    assert found["count"] == len(found["distance"]) == len(found["x"]) == int(line.length // 2.5) + 2
    newest, older, over, _ = found["series"]
    assert [(one["product"], one["epoch"]) for one in found["series"]] == [
        ("dtm", NEW),
        ("dtm", OLD),
        ("ndsm", NEW),
        ("ndsm", OLD),
    ]
    unknown = 0
    for distance, x, y, new, old, high in zip(
        found["distance"], found["x"], found["y"], newest["value"], older["value"], over["value"], strict=True
    ):
        place = line.interpolate(distance)
        assert (x, y) == pytest.approx((place.x, place.y), abs=0.002)
        # A place on the line between two cells may be told of either.
        around = [cell_value(measured, NEW, place.x + dx, place.y + dy) for dx in (-1e-6, 1e-6) for dy in (-1e-6, 1e-6)]
        assert any(new == pytest.approx(one, abs=0.0006) or (new is None and np.isnan(one)) for one in around)
        assert high == (ROOF if x < EAST + 100 and y < NORTH + 100 else 0.0)
        assert (old is None) == (x >= EAST + 100)
        if old is not None:
            assert old - new == pytest.approx(SUNK, abs=0.0011)
        unknown += new is None
    assert unknown >= 1
    assert {sigma for sigma in newest["sigma"] if sigma is not None} == {0.05}
    assert {sigma for sigma in older["sigma"] if sigma is not None} == {0.1}
    assert "Hon Dau" in newest["reference"]
    assert over["reference"] == "ground"


def test_without_a_campaign_the_newest_that_knows_a_place_gives_it(measured_client: TestClient) -> None:
    x, y = HOLE
    across = wkt([(x - 100, y), (x + 40, y)])
    (series,) = asked(measured_client, coords=across, step=1)["series"]
    assert series["epochs"] == [NEW, OLD]
    # East of the older campaign's tiles the hole stays.
    assert [value is None for value in series["value"]].count(True) == 4
    assert set(series["from"]) == {0, -1}


def test_a_profile_agrees_with_single_values(measured_client: TestClient) -> None:
    longitudes, latitudes = transformer(9210, 4326).transform(*np.array(LINE).T)
    line = wkt(list(zip(longitudes.tolist(), latitudes.tolist(), strict=True)))
    found = measured_client.get("/raster/profile", params={"coords": line, "samples": 12}).json()
    assert found["crs"].endswith("CRS84")
    assert found["count"] == 12
    for x, y, value in zip(found["x"], found["y"], found["series"][0]["value"], strict=True):
        one = measured_client.get("/raster/dtm/value", params={"x": x, "y": y})
        # Coordinates are rounded to the millimetre, beside a cell's edge that may be the next cell.
        assert one.status_code == 404 if value is None else one.json()["value"] == pytest.approx(value, abs=0.02)


def test_statistics_are_those_of_the_cells_inside(measured_client: TestClient, measured: CityStore) -> None:
    ring = [(EAST + 30, NORTH + 20), (EAST + 180, NORTH + 35), (EAST + 160, NORTH + 170), (EAST + 40, NORTH + 110)]
    hole = [(EAST + 90, NORTH + 60), (EAST + 110, NORTH + 60), (EAST + 100, NORTH + 80)]
    polygon = shapely.Polygon(ring, [hole])
    inside = []
    for key in TILES:
        raster = ground(key, NEW, measured)
        x, y = np.meshgrid(*raster.grid.centres())
        inside.append(raster.values[shapely.contains_xy(polygon, x, y)])
    cells = np.concatenate(inside).astype(float)
    known = cells[~np.isnan(cells)]
    given = {"coords": polygon.wkt, "crs": "EPSG:9210", "epoch": NEW}
    found = measured_client.get("/raster/dtm/statistics", params=given).json()
    assert found["cells"] == len(known)
    assert found["share_known"] == pytest.approx(len(known) / len(cells), abs=1e-5)
    assert found["share_known"] < 1
    assert found["area"] == pytest.approx(len(known) / 4)
    assert found["mean"] == pytest.approx(known.mean(), abs=0.0002)
    assert found["standard_deviation"] == pytest.approx(known.std(), abs=0.0002)
    assert (found["minimum"], found["maximum"]) == pytest.approx((known.min(), known.max()), abs=0.0006)
    assert found["percentiles"]["50"] == pytest.approx(np.median(known), abs=0.0006)
    assert found["sigma"] == pytest.approx(0.05, abs=1e-4)
    assert found["epochs"] == [NEW]


def test_statistics_of_heights_above_ground(measured_client: TestClient, measured: CityStore) -> None:
    square = shapely.box(EAST + 90, NORTH + 10, EAST + 110, NORTH + 20)
    given = {"coords": square.wkt, "crs": "EPSG:9210"}
    found = measured_client.get("/raster/ndsm/statistics", params=given).json()
    assert found["mean"] == pytest.approx(ROOF / 2)
    assert found["reference"] == "ground"
    assert found["sigma"] is None
    assert above("x0_y0", measured).values.max() == ROOF


@pytest.mark.parametrize(
    ("path", "given", "parameter"),
    [
        ("profile", {"coords": "LINESTRING(106.69 10.76)"}, "coords"),
        ("profile", {"coords": "POINT(106.69 10.76)"}, "coords"),
        ("profile", {"coords": "LINESTRING(106.69 10.76, 106.69 10.76)"}, "coords"),
        ("profile", {"coords": "LINESTRING(106.0 10.76, 107.9 10.76)"}, "coords"),
        ("profile", {"coords": "LINESTRING EMPTY"}, "coords"),
        ("profile", {"coords": "LINESTRING(1e400 10.76, 106.7 10.77)"}, "coords"),
        ("profile", {"coords": "x" * 16_100}, "coords"),
        ("profile", {"step": 0.001}, "step"),
        ("profile", {"step": 0.02}, "step"),
        ("profile", {"samples": 6000}, "samples"),
        ("profile", {"samples": 10, "step": 1}, "samples"),
        ("profile", {"products": "dtm,secret"}, "products"),
        ("profile", {"epochs": ",".join(map(str, range(9)))}, "epochs"),
        ("dtm/statistics", {"coords": "POLYGON((0 0, 1 1, 1 0, 0 1, 0 0))"}, "coords"),
        ("dtm/statistics", {"coords": "LINESTRING(106.69 10.76, 106.7 10.77)"}, "coords"),
        (
            "dtm/statistics",
            {"coords": "POLYGON((106.5 10.6, 106.9 10.6, 106.9 10.9, 106.5 10.9, 106.5 10.6))"},
            "coords",
        ),
    ],
)
def test_what_is_too_much_or_no_shape_is_refused(
    measured_client: TestClient, path: str, given: dict[str, Any], parameter: str
) -> None:
    coords = {"coords": "LINESTRING(106.693 10.768, 106.698 10.7695)"}
    answer = measured_client.get(f"/raster/{path}", params=coords | given)
    assert answer.status_code == 400, answer.text
    assert answer.json()["parameter"] == parameter

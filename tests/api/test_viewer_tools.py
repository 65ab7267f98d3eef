"""The viewer's tools in a real browser: what the map really shows, and what the store holds afterwards."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import rasterio
from sqlalchemy import text

from api.access import dev_issuer
from gis.access.roles import Role
from gis.bounds import BoundingBox
from gis.calendar import today
from gis.crs import horizontal, transformer
from gis.files import sha256
from gis.raster import Raster, write_cog
from gis.store import building_changes, discrepancies
from gis.store.building_changes import Comparison
from tests.api.conftest import FLAGGED, NEW, OLD, PARCELS, TILE, CityStore, furnish, served, terrain
from tests.api.test_session import AUDIENCE, CLIENT, issuer
from tests.api.test_viewer import BROWSERS, CHECKOUT, SCRIPTS
from tests.gis.store_samples import EAST, NORTH, building, lot

TO_DEGREES = transformer(9210, 4326)
"""The one way there is between them; any other is up to a metre beside it."""
OF_OLD = -0.75
"""m by which the ground of the first survey lies lower."""
ROOF = 6.0
"""m by which the surface lies above the terrain."""


def _difference(kind: str, number: int, delta: float, sigma: float) -> dict[str, Any]:
    told = {"building_uid": f"b-{number:04d}", "parcel_uid": f"p-{number:04d}", "epoch": NEW}
    return {"kind": kind, **told, "delta": delta, "sigma": sigma}


SETBACK, LARGEST = _difference("setback", 7, 0.4, 0.1), _difference("footprint", 11, 9.5, 1.2)
STOREYS = _difference("storeys", int(FLAGGED.removeprefix("b-")), 0.8, 0.1)
CHANGES = [
    {
        **{"change": change, "building_uid": uid, "parcel_uid": uid.replace("b", "p"), "delta": delta, "sigma": sigma},
        **{"unit": unit, "confidence": 0.999, "evidence": {}, "geom": building(int(uid[2:])).footprint},
    }
    for change, uid, delta, unit, sigma in (("taller", FLAGGED, 6.4, "m", 0.2), ("new", "b-0038", 80.0, "m²", 1.1))
]
CONFIDENCE = {"setback": 0.95, "footprint": 0.995, "storeys": 0.99}
Seen = tuple[dict[str, Any], Path]


def degrees(x: float, y: float) -> list[float]:
    return [round(float(value), 7) for value in TO_DEGREES.transform(x, y)]


@pytest.fixture(scope="module")
def city(make_store: Callable[..., CityStore], tmp_path_factory: pytest.TempPathFactory) -> CityStore:
    """The small city, with a terrain of each survey, a surface, and three differences."""
    made = make_store("tools")
    furnish(made, tmp_path_factory.mktemp("tools"))
    bounds = BoundingBox(EAST - 50, NORTH - 50, EAST + 350, NORTH + 150, horizontal(made.city.crs))
    ground = terrain(bounds)
    rows = []
    for epoch, product, above in ((OLD, "dtm", OF_OLD), (NEW, "dsm", ROOF)):
        path = made.city.folder / "rasters" / f"{epoch}-{product}.tif"
        values = Raster(ground.values + np.float32(above), ground.grid, ground.bands)
        write_cog(values, path, name=product, crs=made.city.crs)
        told = {"epoch": epoch, "product": product, "tile": TILE, "sha": sha256(path)}
        rows.append({**told, "path": str(path.relative_to(made.city.folder))})
    with made.database.open(Role.OWNER) as connection:
        connection.execute(text("UPDATE diaba.city SET is_demo = true"))
        connection.execute(
            text(
                "INSERT INTO diaba.raster_product (tile_key, epoch, product, path, sha256, resolution, extent) "
                "SELECT :tile, :epoch, :product, :path, :sha, 0.5, extent FROM diaba.raster_product LIMIT 1"
            ),
            rows,
        )
    shown = {"actual": 12.4, "limit_value": 11.6, "unit": "m", "evidence": {"citation": "giấy phép GPXD-0003"}}
    found = [{**one, **shown, "confidence": CONFIDENCE[str(one["kind"])]} for one in (SETBACK, LARGEST, STOREYS)]
    with made.database.open(Role.WRITER) as connection:
        discrepancies.save(connection, found, epoch=NEW)
        building_changes.save(connection, Comparison(OLD, NEW, 0.01, 0.0, 0.0, 0.0, None, None, None), CHANGES)
    return made


@pytest.fixture(scope="module")
def ids(city: CityStore) -> dict[str, str]:
    """Kind → the case's id."""
    with city.database.open(Role.READER) as connection:
        rows = connection.execute(text("SELECT kind, id FROM diaba.discrepancy WHERE upper_inf(recorded)"))
        return {row.kind: row.id for row in rows}


LINE = ((EAST + 10.25, NORTH + 60.25), (EAST + 110.25, NORTH + 60.25))


@pytest.fixture(scope="module")
def visit(city: CityStore, ids: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """What the browser saw, and the folder of its pictures."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    node = shutil.which("node")
    if browser is None or node is None or not (CHECKOUT / "node_modules" / "playwright-core").exists():
        pytest.fail("the tools' test needs Chromium and Node: run scripts/setup.sh test", pytrace=False)
    grants = ["inspection:26734:change", "land:26734"]
    west, south = degrees(EAST - 10, NORTH - 15)
    east, north = degrees(EAST + 6 * PARCELS, NORTH + 40)
    questions = {
        "lot": degrees(*lot(3).centroid.coords[0]),
        "bounds": [[west, south], [east, north]],
        "before": PARCELS - 2,
        "after": PARCELS,
        "epochs": [OLD, NEW],
        "changes": len(CHANGES),
        "line": [degrees(*place) for place in LINE],
        "token": dev_issuer.token(city.settings, city.city, "an.inspector", grants, 3_000),
        "setbacks": [ids["setback"]],
        "sure": [ids["footprint"], ids["storeys"]],
        "largest": ids["footprint"],
        "other": SETBACK["building_uid"],
        "nowhere": degrees(EAST + 300, NORTH + 130),
    }
    folder = tmp_path_factory.mktemp("pictures")
    with issuer(CHECKOUT, "http://127.0.0.1/") as issued:
        believed = {"ISSUER": issued, "AUDIENCE": AUDIENCE, "CLIENT_ID": CLIENT, "RESOURCE": AUDIENCE}
        told = {f"DIABA_AUTH_{name}": value for name, value in (believed | {"SCOPE": "openid diaba"}).items()}
        with served(city, "--dev-issuer", **told) as address:
            command = [node, str(SCRIPTS / "tools.mjs"), address, browser, str(folder), json.dumps(questions)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False, cwd=CHECKOUT)
            assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    (folder / "seen.json").write_text(done.stdout)
    # Nobody's token is in anything that is told.
    assert questions["token"] not in done.stdout
    return seen, folder


def pixels(path: Path) -> np.ndarray[Any, np.dtype[np.int64]]:
    with rasterio.open(path) as source:
        return source.read([1, 2, 3]).astype(np.int64)


def heights(places: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The sample's terrain by its formula, at the middle of the cells that places (n, 2) lie in."""
    x, y = (np.floor(places.T / 0.5) + 0.5) * 0.5
    hill = 8.0 * np.exp(-((x - EAST - 60) ** 2 + (y - NORTH - 60) ** 2) / 400.0)
    found: np.ndarray[Any, np.dtype[np.float64]] = 1.0 + 0.01 * (x - EAST) + 0.02 * (y - NORTH) + hill
    return found


def test_every_tool_was_worked_with_to_the_end(visit: Seen) -> None:
    assert visit[0]["broken"] == []


def test_nothing_is_complained_of_and_no_other_host_is_asked(visit: Seen) -> None:
    seen, _ = visit
    assert seen["console"] == []
    assert seen["failed"] == []
    assert seen["foreign"] == []
    assert seen["missing"] == []


def test_axe_finds_nothing_serious_in_any_tool(visit: Seen) -> None:
    found = visit[0]["axe"]
    assert len(found) >= 14
    assert found == {name: [] for name in found}


def test_the_envelope_stands_on_the_lot_as_worked_by_hand(visit: Seen) -> None:
    seen, folder = visit
    # Once for each tile that holds a part of it.
    assert set(map(tuple, seen["envelope"]["steps"])) == {(0, 17), (17, 21)}
    told = seen["envelope"]["text"]
    for words in ("Chiều cao tối đa", "21 m", "QĐ thử nghiệm", "hiệu lực từ 01/01/2013", "Bề rộng mặt tiền"):
        assert words in told
    red, green, blue = pixels(folder / "envelope.png")[:, :, 215:450]
    with_it = ((green > red + 20) & (green > blue + 8)).sum()
    red, green, blue = pixels(folder / "no-envelope.png")[:, :, 215:450]
    assert with_it > ((green > red + 20) & (green > blue + 8)).sum() + 250
    assert seen["envelope"]["cleared"] == 0
    assert seen["envelope"]["focus"] == "part-envelope"
    assert [parse_qs(urlsplit(link).query)["f"] for link in seen["envelope"]["files"]] == [["cityjson"], ["glb"]]


def test_the_envelope_follows_use_and_day(visit: Seen) -> None:
    seen, _ = visit
    # By the rules and plans of 2012 nothing that is known limited the height.
    day, why, told = seen["envelope"]["before"]
    assert (day, why) == ("2012-06-01", "no_height_limit")
    assert "Không quy định nào giới hạn chiều cao ở đây" in told
    assert seen["envelope"]["detached"]["height_m"] == 21


def test_the_slider_goes_by_days_and_months_and_the_map_with_it(visit: Seen) -> None:
    seen = visit[0]["time"]
    assert len(seen["now"]["buildings"]) == PARCELS
    assert 27 <= seen["stepped"]["days"] <= 30
    year, month, day = seen["stepped"]["asOf"].split("-")
    assert seen["stepped"]["told"] == f"{day}/{month}/{year}"
    assert seen["then"]["buildings"] == [f"b-{n:04d}" for n in range(PARCELS - 2)]
    # All were 6 m high in the first survey.
    assert seen["then"]["heights"] == [6]
    assert len(seen["now"]["heights"]) > 20
    assert "01/06/2015" in seen["then"]["chip"]
    assert "as_of=2015-06-01" in seen["then"]["address"]
    assert seen["mark"] == "2012-03-20"
    assert seen["reset"] == {"asOf": None, "chip": True}


def test_the_marks_are_surveys_and_days_of_changes(visit: Seen) -> None:
    marks = [" ".join(mark.split()) for mark in visit[0]["time"]["marks"]]
    assert "20/02/2025 Đợt bay 2025" in marks
    assert "20/03/2012 Đợt bay 2012" in marks
    assert any(mark.startswith("01/01/2013") for mark in marks)
    assert f"01/03/2009 {PARCELS + 1} thay đổi đăng ký" in marks


def test_the_split_screen_shows_two_surveys_that_move_together(visit: Seen) -> None:
    seen = visit[0]["split"]
    assert seen["counts"] == [PARCELS - 2, PARCELS]
    assert seen["labels"] == [f"Đợt bay {OLD}", f"Đợt bay {NEW}"]
    assert {OLD, NEW} <= set(seen["epochs"])
    assert seen["changes"] == [[f"{FLAGGED} Cao thêm 6,4 ± 0,2 m", "b-0038 Mới 80,0 ± 1,1 m²"]] * 2
    assert seen["changesTold"].split("\n") == ["Mới: 1", "Cao thêm: 1"]
    for where in ("led", "dragged"):
        first, second = seen[where]
        assert first == pytest.approx(second, abs=1e-6)
    assert seen["led"][0][:2] != pytest.approx(seen["dragged"][0][:2], abs=1e-6)
    assert seen["at"][:2] == ["50", "44"]
    assert int(seen["at"][2]) == pytest.approx(70, abs=2)
    left = re.search(r"([\d.]+)%\)$", seen["clip"])
    assert left is not None
    assert float(left[1]) == pytest.approx(70, abs=2)
    assert seen["after"] == {"asOf": None, "focus": "Chia đôi màn hình"}


@pytest.mark.parametrize(("series", "above"), [(0, 0.0), (1, ROOF)])
def test_a_profile_s_heights_are_those_of_the_raster(visit: Seen, series: int, above: float) -> None:
    told = visit[0]["profile"]["typed"]
    along = np.array(told["distance"])
    start, end = np.array(LINE)
    places = start + np.outer(along / 100.0, end - start)
    values = np.array(told["series"][series]["value"], dtype=float)
    assert told["series"][series]["product"] == ("dtm", "dsm")[series]
    # A place within a centimetre of a cell's edge may be the neighbour's: coordinates went through degrees.
    assert np.abs(values - heights(places) - above).max() < 0.35
    assert np.median(np.abs(values - heights(places) - above)) < 0.002


def test_the_profile_has_a_chart_a_table_and_a_file(visit: Seen) -> None:
    seen = visit[0]["profile"]
    told = seen["typed"]
    rows = list(csv.DictReader(io.StringIO(seen["csv"]["text"])))
    assert seen["csv"]["name"] == "profile.csv"
    assert len(rows) == seen["rows"] == len(told["distance"])
    assert [float(row["dtm_m"]) for row in rows] == told["series"][0]["value"]
    assert [float(row["longitude"]) for row in rows] == told["x"]
    assert seen["path"].count("L") == len(told["distance"]) - 1
    assert "Địa hình" in seen["here"]
    assert "±" in seen["here"]
    assert seen["hovered"] != seen["here"]
    assert seen["drawn"] >= 3


def test_the_profile_shows_every_survey_beside_the_others(visit: Seen) -> None:
    every = {(one["product"], one["epoch"]): one["value"] for one in visit[0]["profile"]["every"]["series"]}
    assert set(every) == {("dtm", OLD), ("dtm", NEW), ("dsm", OLD), ("dsm", NEW)}
    difference = np.array(every["dtm", OLD], dtype=float) - np.array(every["dtm", NEW], dtype=float)
    assert difference == pytest.approx(np.full(len(difference), OF_OLD), abs=0.002)
    assert set(every["dsm", OLD]) == {None}


def test_a_line_is_typed_or_drawn_by_mouse_keyboard_or_finger(visit: Seen) -> None:
    seen, _ = visit
    assert seen["profile"]["bad"] == "Dòng 2: nhập kinh độ, vĩ độ, ví dụ 106.7001, 10.7702"
    assert len(seen["profile"]["mouse"].splitlines()) == 2
    assert len(seen["profile"]["keyboard"].splitlines()) == 2
    assert seen["phone"]["profile"] > 10


def test_the_list_of_cases_is_the_store_s_filtered_and_in_order(visit: Seen, ids: dict[str, str]) -> None:
    seen = visit[0]["cases"]
    assert sorted(seen["all"]) == seen["onMap"] == sorted(ids.values())
    assert seen["count"] == "3 hồ sơ"
    assert seen["setbacks"] == [ids["setback"]]
    assert sorted(seen["sure"]) == sorted([ids["footprint"], ids["storeys"]])
    assert seen["sorted"] == [ids["footprint"], ids["storeys"], ids["setback"]]
    assert "min_confidence%3D0.99" in seen["address"]
    assert seen["nowhere"] == "0 hồ sơ"


def test_list_and_map_are_in_step(visit: Seen, ids: dict[str, str]) -> None:
    seen = visit[0]["cases"]
    assert set(seen["chosen"]) == {ids["footprint"]}
    assert "9,5 ± 1,2 m" in seen["card"]
    assert "giấy phép GPXD-0003" in seen["card"]
    assert any("evidence.html?lang=vi" in link for link in seen["links"])
    assert seen["current"] == [ids["setback"]]
    assert seen["fromBuilding"] == {"chosen": {"kind": "cases", "id": ids["setback"]}, "focus": "card"}


def test_the_evidence_of_a_case_opens_with_the_token_in_the_language_of_the_page(
    visit: Seen, ids: dict[str, str]
) -> None:
    seen = visit[0]["cases"]
    asked, has_token = seen["sheetAsked"][0]
    assert asked.endswith(f"/compliance/cases/{ids['footprint']}/evidence.html?lang=vi")
    assert has_token
    sheet = seen["sheet"]
    assert sheet["language"] == "vi"
    assert "b-0011" in sheet["text"]
    assert "9,5" in sheet["text"]
    assert sheet["address"].endswith("/viewer/sheet.html")
    assert sheet["scripts"] == 0
    # 27 mm by the sheet's own style, which the map's page would not let in.
    assert float(sheet["wide"].removesuffix("px")) == pytest.approx(27 / 25.4 * 96, abs=1)
    assert sheet["drawn"]


def test_an_inspection_is_in_the_store_and_a_conflict_was_told(
    visit: Seen, city: CityStore, ids: dict[str, str]
) -> None:
    seen, _ = visit
    assert "vừa được người khác thay đổi" in seen["conflict"]["told"]
    assert seen["conflict"]["kept"] == "Đo bằng máy toàn đạc"
    assert "somebody.else" in seen["conflict"]["card"]
    assert any(one.startswith("412 ") for one in seen["conflict"]["refused"])
    with city.database.open(Role.OWNER) as connection:
        rows = connection.execute(
            text("SELECT outcome, measured_value, note, actor, inspected_on FROM diaba.inspection WHERE case_id = :id"),
            {"id": ids["footprint"]},
        ).all()
        status = connection.execute(
            text("SELECT status FROM diaba.discrepancy WHERE id = :id AND upper_inf(recorded)"),
            {"id": ids["footprint"]},
        ).scalar_one()
    assert [tuple(row) for row in rows] == [("confirmed", 12.34, "Đo bằng máy toàn đạc", "an.inspector", today())]
    assert status == "confirmed"
    assert "12,34 m" in seen["inspected"]
    assert "100 % (21" in seen["statistics"]
    assert "Larger than permitted" in seen["english"]["statistics"]
    assert "It is as measured" in seen["english"]["card"]


def test_a_token_of_development_signs_in_and_a_wrong_one_does_not(visit: Seen) -> None:
    seen = visit[0]["session"]
    assert "Chưa đăng nhập" in seen["public"]
    assert "Không đăng nhập được" in seen["wrong"]
    assert "an.inspector" in seen["in"]
    assert "Thanh tra xây dựng" in seen["in"]
    assert "token" not in seen["address"]


def test_the_issuer_signs_in_and_no_token_is_in_any_address(visit: Seen) -> None:
    seen = visit[0]["oidc"]
    asked = parse_qs(urlsplit(seen["asked"]).query)
    assert seen["text"]["subject"] == "inspection:26734:change" == seen["again"]
    assert not urlsplit(seen["address"]).query
    assert seen["colour"] == "height"
    assert seen["storage"] == ["diaba.token"]
    assert not any("token" in name for name in seen["local"])
    assert seen["left"] == []
    assert seen["tiles"]
    assert all(seen["tiles"][-1:])
    assert seen["stream"][-1] is True
    assert asked == {} or asked["code_challenge_method"] == ["S256"]


def test_a_sign_in_that_was_not_asked_for_is_refused(visit: Seen) -> None:
    seen = visit[0]["oidc"]["stolen"]
    assert "không do trang này yêu cầu" in seen["told"]
    assert "code=" not in seen["address"]


def test_all_tools_fit_a_phone_and_a_finger(visit: Seen) -> None:
    phone = visit[0]["phone"]
    names = ("envelope", "Time", "Compare", "Profile", "Inspect", "Account")
    assert {name: phone[name] for name in names} == {name: {"small": [], "width": 360} for name in names}

"""The viewer, in a real browser that reaches this machine alone."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from pyproj import Transformer

from api.routes.viewer import BUILT
from gis.access.roles import Role
from gis.construction.dossier import DossierType
from gis.construction.procedure import Procedure
from gis.store import dossiers
from gis.store.dossiers import Filing
from gis.store.tile_layers import LAYERS
from tests.api.conftest import FLAGGED, NEW, OLD, PARCELS, CityStore
from tests.gis.store_samples import EAST, NORTH, building, lot

CHECKOUT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(__file__).parent / "browser"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
TO_DEGREES = Transformer.from_crs(9210, 4326, always_xy=True)
"""Not the service's own transformation: up to a metre beside it."""
BESIDE = 2e-5
"""Degrees, two metres."""
HILL, FOOT = (EAST + 60, NORTH + 60), (EAST + 200, NORTH + 100)
HILL_ABOVE_FOOT = (1 + 0.6 + 1.2 + 8) - (1 + 2 + 2)
"""m: the formula of the terrain in conftest, without the hill's tail."""

Seen = tuple[dict[str, Any], Path]


def degrees(x: float, y: float) -> list[float]:
    return [float(value) for value in TO_DEGREES.transform(x, y)]


def sexagesimal(value: float) -> str:
    minutes, seconds = divmod(round(value * 3600, 2), 60)
    return f"{int(minutes // 60)}°{int(minutes % 60)}'{seconds:05.2f}\""


def searches(receipt: str) -> dict[str, dict[str, Any]]:
    """What is typed, what is offered, and what the card then tells."""
    places = [(lot(n).centroid.x, lot(n).centroid.y) for n in (2, 12, 22, 32)]
    # Cut, not rounded: the card tells more digits.
    told = [f"{degrees(*place)[0]:.7f}"[:8] for place in places]
    longitude, latitude = degrees(*places[2])
    in_degrees = degrees(*places[3])
    coded = f"{sexagesimal(in_degrees[1])}N {sexagesimal(in_degrees[0])}E"
    return {
        "number": {"text": "12/4", "expected": "12/4", "card": "12/4"},
        "address": {"text": "7 duong thu nghiem", "expected": "7 Đường Thử Nghiệm", "card": "7 Đường Thử Nghiệm"},
        "building": {"text": "b-0005", "expected": "b-0005", "card": "b-0005"},
        "permit": {"text": "GPXD-0003", "expected": "GPXD-0003", "card": "Issued"},
        "northing first": {"text": f"{places[0][1]:.2f} {places[0][0]:.2f}", "expected": "VN-2000", "card": told[0]},
        "easting first": {"text": f"{places[1][0]:.2f}, {places[1][1]:.2f}", "expected": "VN-2000", "card": told[1]},
        "latitude first": {"text": f"{latitude:.7f} {longitude:.7f}", "expected": "VN-2000", "card": told[2]},
        "sexagesimal": {"text": coded, "expected": "VN-2000", "card": told[3]},
        "receipt": {"text": receipt, "expected": receipt, "card": receipt},
    }


@pytest.fixture(scope="session")
def visit(store: CityStore, address: str, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """What the browser saw, and the folder of its pictures."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    node = shutil.which("node")
    if browser is None or node is None or not (CHECKOUT / "node_modules" / "playwright-core").exists():
        pytest.fail(
            "the viewer's test needs Chromium, Node and `npm install`: run scripts/setup.sh test", pytrace=False
        )
    filing = Filing(*("760", Procedure.SINGLE_HOUSE, DossierType.NEW, date(2026, 7, 1)), parcel_uid="p-0001", note=None)
    with store.database.open(Role.WRITER) as connection:
        receipt = dossiers.file(connection, filing, actor="Trần Văn Thử (hư cấu)")
    centre = building(3).footprint.centroid
    questions = {
        "flagged": FLAGGED,
        "flaggedAt": degrees(centre.x, centre.y),
        "hill": degrees(*HILL),
        "foot": degrees(*FOOT),
        "searches": searches(receipt.receipt_no),
        "secret": receipt.secret,
    }
    folder = tmp_path_factory.mktemp("viewer")
    told = subprocess.run(
        [node, str(SCRIPTS / "viewer.mjs"), address, browser, str(folder), json.dumps(questions)],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
        cwd=CHECKOUT,
    )
    assert told.returncode == 0, told.stderr
    seen: dict[str, Any] = json.loads(told.stdout)
    assert receipt.secret not in told.stdout
    return seen, folder


def colours(path: Path) -> NDArray[np.int64]:
    """Red, green and blue of a picture's dots, (3, rows, columns): one for four of the page's (COARSE, browser.mjs)."""
    with rasterio.open(path) as source:
        return source.read([1, 2, 3]).astype(np.int64)


def red_dots(path: Path) -> int:
    """Dots of what is flagged, lit or in shade, right of the panel with the legend."""
    red, green, blue = colours(path)[:, :, 215:]
    return int(((red > 90) & (green < 0.35 * red) & (blue < 0.35 * red)).sum())


def test_the_browser_has_nothing_to_complain_about(visit: Seen) -> None:
    seen, _ = visit
    assert seen["console"] == []
    assert seen["failed"] == []
    assert seen["first"]["message"] == ""
    assert seen["missing"] == []


def test_nothing_is_fetched_from_anywhere_else(visit: Seen) -> None:
    seen, _ = visit
    assert seen["foreign"] == []
    assert seen["requests"] > 30


def test_the_whole_city_is_drawn_with_its_names(visit: Seen) -> None:
    seen, folder = visit
    first = seen["first"]
    assert first["buildings"] == first["parcels"] == PARCELS
    assert first["flagged"] == [FLAGGED]
    assert first["roads"] == ["Đường Thử Nghiệm"]
    assert first["fonts"].count("Be Vietnam Pro") >= 2
    assert np.unique(colours(folder / "viewer.png").reshape(3, -1), axis=1).shape[1] > 200


def test_vietnamese_comes_first(visit: Seen) -> None:
    first = visit[0]["first"]
    assert first["language"] == "vi"
    assert first["title"] == "small · Bản đồ · diaba"
    assert "Có khác biệt cần kiểm tra" in first["legend"]


def test_colours_follow_what_is_chosen_and_the_legend_follows_the_colours(visit: Seen) -> None:
    seen, folder = visit
    flagged, by_height = red_dots(folder / "viewer.png"), red_dots(folder / "height.png")
    assert flagged > 25
    # The mark of what is to be inspected stays.
    assert by_height < flagged / 2
    assert "6–12 m" in seen["heightLegend"]
    assert set(seen["roofs"]) == {"flat", "sloped"}


def test_permits_zones_and_coverage_are_drawn_when_asked_for_with_patterns_beside_colours(visit: Seen) -> None:
    layers = visit[0]["layers"]
    assert layers["permits"] > 0
    assert layers["zones"] == ["z-1"]
    assert layers["lidar"] == [OLD, NEW]
    assert {"flag", "lidar-0", "lidar-1", "zone-ODT"} <= set(layers["patterns"])
    assert f"Phủ LIDAR {OLD}" in layers["legend"]
    assert "Quy hoạch ODT" in layers["legend"]
    assert layers["hidden"] == 0
    shown = re.search(r"layers=([^&]+)", layers["address"])
    assert shown is not None
    assert {"permits", "zones", "lidar"} <= set(shown[1].split(","))


def test_the_terrain_stands_as_high_as_it_is(visit: Seen) -> None:
    terrain = visit[0]["terrain"]
    assert terrain["hill"] - terrain["foot"] == pytest.approx(HILL_ABOVE_FOOT, abs=0.5)
    assert terrain["steeper"] == 4
    assert terrain["off"] is None


def test_a_click_on_a_building_tells_its_facts_and_what_differs_in_words(visit: Seen) -> None:
    seen, _ = visit
    card = seen["card"]
    assert "12,4 ± 0,1 m" in card
    assert "80,0 ± 0,4 m²" in card
    assert "khoảng 4 (3–5)" in card
    assert "Cao hơn giấy phép: hơn 0,8 ± 0,1 m (đo 12,4 m, cho phép 11,6 m)" in card
    assert [link.rsplit("/", 1)[1] for link in seen["links"]][:2] == ["cityjson", "glb"]
    assert seen["chosen"] == {"chosen": True}
    assert "4" in seen["labels"]["parcels"]
    assert seen["labels"]["heights"] > 0


def test_english_is_a_switch_away(visit: Seen) -> None:
    english = visit[0]["english"]
    assert english["language"] == "en"
    assert "12.4 ± 0.1 m" in english["card"]
    assert "Taller than permitted: by 0.8 ± 0.1 m" in english["card"]
    assert "In view" in english["tabs"]


def test_everything_is_found_as_people_write_it(visit: Seen) -> None:
    found = visit[0]["searches"]
    assert found["number"]["options"][0].startswith("Parcel 12/4")
    assert found["address"]["options"][0].endswith("7 Đường Thử Nghiệm · 26734")
    for name, number in (("number", 3), ("address", 6)):
        middle = lot(number).centroid
        assert found[name]["centre"] == pytest.approx(degrees(middle.x, middle.y), abs=2e-4), name
    for name, number in (("northing first", 2), ("easting first", 12), ("latitude first", 22), ("sexagesimal", 32)):
        middle = lot(number).centroid
        wanted = degrees(middle.x, middle.y)
        told = re.search(r"(\d+\.\d+), (\d+\.\d+)", found[name]["card"])
        assert told is not None
        assert [float(told[2]), float(told[1])] == pytest.approx(wanted, abs=BESIDE), name
        assert f"12/{number + 1}" in found[name]["card"]
    assert all(one["active"] == "search-0" and one["focus"] == "card" for one in found.values())


def test_a_dossier_is_told_to_who_has_its_secret_which_stays_out_of_the_address(visit: Seen) -> None:
    found = visit[0]["searches"]["receipt"]
    assert "10/07/2026" in found["card"]
    assert "Examine the dossier" in found["card"]


def test_an_address_makes_the_same_view_again(visit: Seen) -> None:
    link = visit[0]["link"]
    assert link["language"] == "en"
    assert "12.4 ± 0.1 m" in link["card"]
    assert link["colour"] == "roof"
    assert link["permits"]
    assert link["after"] == pytest.approx(link["before"], abs=1e-6)


def test_all_of_the_page_is_reached_by_the_keyboard_and_one_sees_where_one_is(visit: Seen) -> None:
    seen, _ = visit
    names = [stop["name"] for stop in seen["stops"]]
    assert names[:4] == ["skip-map", "skip-list", "search-box", "language"]
    assert {"tab-layers", "layer-buildings", "layer-relief3d", "Bản đồ"} <= set(names)
    assert [stop["name"] for stop in seen["stops"] if not stop["ring"]] == []


def test_a_list_stands_for_the_map(visit: Seen) -> None:
    keyboard = visit[0]["keyboard"]
    assert "1 công trình cần kiểm tra" in keyboard["list"]
    assert keyboard["first"] == f"buildings:{FLAGGED}"
    assert keyboard["second"] != keyboard["first"]
    assert FLAGGED in keyboard["opened"]
    assert keyboard["inside"] == "card"
    # Escape closes what is nearest and leads back to where one was.
    assert keyboard["back"] == keyboard["first"]
    assert keyboard["closed"]
    assert keyboard["tab"] == "tab-view"
    assert keyboard["other"] == "tab-layers"
    assert FLAGGED in keyboard["middle"]
    assert FLAGGED in keyboard["aloud"]
    west, east = keyboard["moved"]
    assert east[0] > west[0]


@pytest.mark.parametrize("state", ["first", "panel", "card"])
def test_a_phone_shows_it_without_scrolling_sideways_and_a_finger_hits_it(visit: Seen, state: str) -> None:
    phone = visit[0]["phone"][state]
    assert phone["width"] == 360
    assert phone["small"] == []
    if "box" in phone:
        assert phone["box"]["x"] == 0
        assert phone["box"]["width"] == 360
        # The map stays in sight above the sheet.
        assert phone["box"]["y"] > 200


def test_axe_finds_nothing_serious(visit: Seen) -> None:
    found = visit[0]["axe"]
    assert len(found) == 6
    assert {state: violations for state, violations in found.items() if violations} == {}


def test_the_bundle_is_that_of_the_sources() -> None:
    node = shutil.which("node")
    assert node is not None
    told = subprocess.run([node, "scripts/bundle.mjs", "--check"], cwd=CHECKOUT, check=False)
    assert told.returncode == 0, "run scripts/setup.sh, or node scripts/bundle.mjs"


def test_the_style_is_one_by_maplibre_s_validator_and_draws_every_layer() -> None:
    node = shutil.which("node")
    assert node is not None
    told = subprocess.run(
        [node, "--no-warnings", str(SCRIPTS / "style.mjs")], capture_output=True, text=True, check=True
    )
    found = json.loads(told.stdout)
    assert found["errors"] == found["dangling"] == []
    assert set(found["drawn"]) == set(LAYERS)
    assert found["untranslated"] == []


def test_browsers_get_the_viewer_and_its_former_address_leads_to_it(client: TestClient) -> None:
    page = client.get("/", headers={"Accept": BROWSER})
    assert page.headers["content-type"].startswith("text/html")
    assert 'src="viewer/app.js"' in page.text
    assert "%" not in page.text
    assert "default-src 'none'; script-src 'self'" in page.headers["content-security-policy"]
    for path, place in (("/viewer", "./"), ("/viewer/", "../"), ("/viewer/?f=1", "../?f=1")):
        answer = client.get(path, follow_redirects=False)
        assert answer.status_code == 308
        assert answer.headers["location"] == place
    assert "Mở bản đồ" in client.get("/?f=html").text
    assert client.get("/").headers["content-type"] == "application/json"


def test_every_file_of_the_bundle_is_served_as_what_it_is_and_nothing_else(client: TestClient) -> None:
    kinds = {".js": "text/javascript", ".css": "text/css", ".txt": "text/plain", ".woff2": "font/woff2"}
    files = [path for path in BUILT.rglob("*") if path.suffix in kinds]
    assert len(files) > 8
    for path in files:
        answer = client.get(f"/viewer/{path.relative_to(BUILT)}")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kinds[path.suffix])
        assert answer.content == path.read_bytes()
        is_named_by_bytes = path.name.startswith(("chunk-", "maplibre-worker-")) and path.suffix == ".js"
        assert ("max-age=31536000" in answer.headers["cache-control"]) == is_named_by_bytes
    for name in ("style.js", "index.html", "state.js", "..%2f__init__.py", "fonts", ".hidden.js"):
        assert client.get(f"/viewer/{name}").status_code == 404


def test_the_page_for_an_evidence_sheet_lets_in_styles_and_no_script(client: TestClient) -> None:
    page = client.get("/viewer/sheet.html")
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'; style-src 'unsafe-inline'" in policy
    assert "script" not in policy


def test_a_position_is_the_same_in_degrees_and_in_the_registers_metres(client: TestClient) -> None:
    place = lot(3).centroid
    there = client.get("/position", params={"x": place.x, "y": place.y, "crs": "register"}).json()
    assert [there["longitude"], there["latitude"]] == pytest.approx(degrees(place.x, place.y), abs=BESIDE)
    back = client.get("/position", params={"x": there["longitude"], "y": there["latitude"]}).json()
    assert [back["x"], back["y"]] == pytest.approx([place.x, place.y], abs=0.01)
    assert back["crs"].endswith("/9210")
    assert client.get("/position", params={"x": "far", "y": 1}).status_code == 400


def test_the_viewers_own_code_names_no_other_host() -> None:
    for path in (CHECKOUT / "api" / "viewer").rglob("*.*"):
        if path.is_relative_to(BUILT) or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text
        assert "https:" not in text
        assert "innerHTML" not in text

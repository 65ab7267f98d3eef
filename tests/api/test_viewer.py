"""The viewer, in a real browser that reaches this machine alone."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from fastapi.testclient import TestClient

from api.routes.viewer import LIBRARY, PAGES, library_folders
from gis.store.tile_layers import LAYERS
from tests.api.conftest import FLAGGED, PARCELS

CHECKOUT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).parent / "browser" / "viewer.mjs"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def visit(address: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """What the browser saw, and the folder of its pictures."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    node = shutil.which("node")
    if browser is None or node is None or not (CHECKOUT / "node_modules" / "playwright-core").exists():
        pytest.fail(
            "the viewer's test needs Chromium, Node and `npm install`: run scripts/setup.sh test", pytrace=False
        )
    folder = tmp_path_factory.mktemp("viewer")
    told = subprocess.run(
        [node, str(SCRIPT), address, browser, str(folder)],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        cwd=CHECKOUT,
    )
    assert told.returncode == 0, told.stderr
    seen: dict[str, Any] = json.loads(told.stdout)
    return seen, folder


def test_the_browser_has_nothing_to_complain_about(visit: tuple[dict[str, Any], Path]) -> None:
    seen, _ = visit
    assert seen["console"] == []
    assert seen["failed"] == []
    assert seen["message"] == ""


def test_nothing_is_fetched_from_anywhere_else(visit: tuple[dict[str, Any], Path]) -> None:
    seen, _ = visit
    assert seen["foreign"] == []
    assert seen["requests"] > 10


def test_the_whole_city_is_drawn(visit: tuple[dict[str, Any], Path]) -> None:
    seen, folder = visit
    assert seen["buildings"] == seen["parcels"] == PARCELS
    assert seen["flagged"] == [FLAGGED]
    assert seen["terrain"]
    with rasterio.open(folder / "viewer.png") as source:
        red, green, blue = source.read([1, 2, 3]).astype(int)
    assert np.unique(np.stack([red, green, blue]).reshape(3, -1), axis=1).shape[1] > 200
    assert ((red > 120) & (green < 60) & (blue < 60)).sum() > 20


def test_a_click_on_a_building_shows_its_facts_in_both_languages(visit: tuple[dict[str, Any], Path]) -> None:
    card = visit[0]["card"]
    assert FLAGGED in card
    assert "Chiều cao · Height" in card
    assert "12.4 ± 0.1 m" in card
    assert "Cao hơn giấy phép · Taller than permitted" in card


def test_a_layer_can_be_hidden(visit: tuple[dict[str, Any], Path]) -> None:
    assert visit[0]["hidden"] == 0


def test_the_map_library_is_on_this_machine() -> None:
    assert any(all((folder / name).is_file() for name in LIBRARY) for folder in library_folders())


def test_the_style_is_one_by_maplibre_s_validator_and_draws_every_layer() -> None:
    node = shutil.which("node")
    assert node is not None
    told = subprocess.run(
        [node, "--no-warnings", str(SCRIPT.with_name("style.mjs"))], capture_output=True, text=True, check=True
    )
    found = json.loads(told.stdout)
    assert found["errors"] == found["dangling"] == []
    assert set(found["drawn"]) == set(LAYERS)


def test_every_file_of_the_viewer_is_served_as_what_it_is(client: TestClient) -> None:
    kinds = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".mjs": "text/javascript"}
    for path in [*PAGES, "", *(f"vendor/{name}" for name in LIBRARY)]:
        answer = client.get(f"/viewer/{path}")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kinds[Path(path or "index.html").suffix])
    assert client.get("/viewer", follow_redirects=False).headers["location"] == "viewer/"


def test_the_viewers_own_code_names_no_other_host() -> None:
    folder = CHECKOUT / "api" / "viewer"
    for name in PAGES:
        text = (folder / name).read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text
        assert "https:" not in text
        assert "innerHTML" not in text
        assert "glyphs:" not in text

"""The pages for people, in a real browser that reaches this machine alone."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import rasterio

from tests.api.conftest import PARCELS
from tests.api.test_viewer import BROWSERS, CHECKOUT

SCRIPT = Path(__file__).parent / "browser" / "pages.mjs"


def test_people_walk_through_the_pages_and_see_a_map(address: str, tmp_path: Path) -> None:
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    node = shutil.which("node")
    if browser is None or node is None:
        pytest.fail("the pages' test needs Chromium and Node: run scripts/setup.sh test", pytrace=False)
    command = [node, str(SCRIPT), address, browser, str(tmp_path)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False, cwd=CHECKOUT)
    assert told.returncode == 0, told.stderr
    seen = json.loads(told.stdout)
    assert seen["console"] == seen["failed"] == seen["foreign"] == []
    assert seen["titles"] == ["diaba · small", "Thửa đất · Parcels", "Thửa đất · Parcels: p-0003"]
    assert seen["rows"] == PARCELS
    for name in ("features", "feature"):
        with rasterio.open(tmp_path / f"{name}.png") as picture:
            pixels = picture.read([1, 2, 3]).reshape(3, -1)
        # The map's fill over its ground: #0b5c8a at a quarter over #eef1ee.
        blue = np.abs(pixels.T.astype(int) - (181, 204, 213)).max(axis=1) <= 6
        assert blue.sum() > 500, name

"""The notebooks as files: short cells, no outputs, a picture of each on the planners' page; JupyterLab opens them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import httpx
import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LONGEST_CELL = 15
"""Lines; what is longer belongs into a module with tests."""
PICTURE_MOST = 150_000
"""Bytes."""


def ids(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("path", NOTEBOOKS, ids=ids)
def test_a_notebook_is_kept_without_outputs_and_in_short_cells(path: Path) -> None:
    content = nbformat.read(path, as_version=4)
    nbformat.validate(content)
    code = [cell for cell in content.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert max(len(cell.source.splitlines()) for cell in code) <= LONGEST_CELL
    assert "assert" not in "".join(cell.source for cell in code)
    assert content.metadata.kernelspec.name == "python3"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=ids)
def test_a_notebook_says_that_the_city_is_simulated_and_what_one_must_not_conclude(path: Path) -> None:
    text = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown")
    assert "simulated" in text or "invented" in text
    assert "## What one must not conclude" in text
    assert text.lstrip().startswith("# ")


def test_there_are_six_and_the_planners_page_shows_each() -> None:
    assert [path.name[:2] for path in NOTEBOOKS] == [f"{number}_" for number in range(1, 7)]
    page = (ROOT / "docs" / "planner.md").read_text(encoding="utf-8")
    for path in NOTEBOOKS:
        picture = ROOT / "docs" / "images" / f"notebook_{path.name[0]}.png"
        assert f"../notebooks/{path.name}" in page
        assert f"images/{picture.name}" in page
        assert 5_000 < picture.stat().st_size < PICTURE_MOST


def test_make_notebooks_opens_jupyterlab_on_them(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # A city behind an address: no store of this machine is started.
    environment = {**os.environ, "DIABA_CITY": "http://127.0.0.1:1", "HOME": str(tmp_path)}
    environment |= dict.fromkeys(("DISPLAY", "WAYLAND_DISPLAY"), "")
    command = [ROOT / "scripts" / "notebooks.sh", f"--port={port}", "--IdentityProvider.token=known"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            for _ in range(600):
                try:
                    answer = httpx.get(f"http://127.0.0.1:{port}/api/contents?token=known", timeout=5)
                    break
                except httpx.TransportError:
                    assert process.poll() is None, process.stderr and process.stderr.read()
                    time.sleep(0.1)
            listed = json.loads(answer.content)["content"]
            assert {path.name for path in NOTEBOOKS} <= {entry["name"] for entry in listed}
            assert httpx.get(f"http://127.0.0.1:{port}/lab?token=known", timeout=30).status_code == 200
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)

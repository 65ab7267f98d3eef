"""The service against its own description, judged by schemathesis: no failure of the server, no answer undescribed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from fastapi.testclient import TestClient

from tests.api.conftest import CityStore
from tests.api.programs import serving

BOUNDS = ("--phases", "coverage,fuzzing", "--max-examples", "3", "--seed", "1836", "--workers", "2", "--no-color")
"""Of each operation the cases that cover its parameters, and some by chance; `make fuzz` goes on for ten minutes."""


def test_no_answer_fails_or_differs_from_the_description(store: CityStore, checkout: Path, client: TestClient) -> None:
    with serving(store, DIABA_RATE_PER_SECOND="0", DIABA_LOOKUPS_PER_MINUTE="0") as service:
        command = [sys.executable, "-m", "scripts.fuzz", service.url, *BOUNDS]
        done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-2_000:]
    operations = sum(map(len, client.get("/api").json()["paths"].values()))
    assert f"Tested: {operations}" in done.stdout
    cases = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert cases is not None
    assert int(cases[1]) > 10 * operations
    # It saw more than refusals.
    for path in ("/buildings/b-", "/collections/parcels/items"):
        assert any(path in line and " 200 " in line for line in service.log), path

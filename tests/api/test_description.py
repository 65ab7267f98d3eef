"""The service against its own description, judged by schemathesis: no failure of the server, no answer undescribed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

from fastapi.testclient import TestClient

from tests.api.conftest import CityStore, served

BOUNDS = ("--phases", "coverage,fuzzing", "--max-examples", "2", "--seed", "1836", "--workers", "1", "--no-color")
"""Of each operation the cases that cover its parameters, and some by chance; `make fuzz` goes on for ten minutes."""


def test_no_answer_fails_or_differs_from_the_description(
    store: CityStore, checkout: Path, client: TestClient, tmp_path: Path
) -> None:
    report = tmp_path / "asked.har"
    # With a limit of requests a second most answers would be that there were too many.
    with served(store, DIABA_RATE_PER_SECOND="0") as address:
        command = [sys.executable, "-m", "scripts.fuzz", address, *BOUNDS, "--report-har-path", str(report)]
        done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-2_000:]
    operations = sum(map(len, client.get("/api").json()["paths"].values()))
    assert f"Tested: {operations}" in done.stdout
    # It saw more than refusals, and of the service's features those it has.
    asked = [
        (urlsplit(entry["request"]["url"]).path, entry["response"]["status"])
        for entry in json.loads(report.read_text(encoding="utf-8"))["log"]["entries"]
    ]
    statuses = Counter(status for _, status in asked)
    assert len(asked) > 10 * operations
    assert statuses[200] > 2 * operations
    assert ("/buildings/b-0000", 200) in asked

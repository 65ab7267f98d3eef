"""The viewer in Chromium: first picture cold and warm, bytes and requests, frames a second while the map is moved.

A limit stands beside them in the same run: the same browser fetches the same files and tiles without drawing anything,
and draws an empty map of the same size while it is moved. Without arguments it serves the stored city.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="Visits of each kind.")
    parser.add_argument("--seconds", type=float, default=5.0, help="How long the map is moved.")
    arguments = parser.parse_args()
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        print("skipped: no Chromium on the PATH")
        return 0
    serve = [sys.executable, "-m", "api.cli.main", "serve", "--port", "0", "--json"]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as service:
        try:
            script = [str(Path(__file__).with_suffix(".mjs")), _address(service), browser]
            options = [str(arguments.runs), str(arguments.seconds)]
            done = subprocess.run(["node", *script, *options], check=True, capture_output=True, text=True, cwd=CHECKOUT)
        finally:
            service.terminate()
    _tell(json.loads(done.stdout))
    return 0


def _address(service: subprocess.Popen[str]) -> str:
    said = ""
    for line in service.stdout or ():
        said += line
        if line.startswith("}"):
            return str(json.loads(said)["url"])
    raise SystemExit("the service did not start; is there a city (make demo)?")


def _tell(seen: dict[str, Any]) -> None:
    print(f"{seen['browser']}, drawing by software, 1280 × 760; median of the visits")
    for name in ("cold", "warm"):
        visits = seen[name]
        picture = median(visit["picture"] for visit in visits)
        limit = median(visit["limit"] for visit in visits)
        print(
            f"  first picture, {name}: {picture / 1000:.2f} s; fetching alone {limit / 1000:.2f} s "
            f"({picture / limit:.1f} ×); {visits[0]['requests']} requests, {visits[0]['bytes'] / 1e6:.2f} MB, "
            f"{visits[0]['buildings']} buildings"
        )
    frames, empty = seen["frames"], seen["frames_empty"]
    print(f"  while panning: {frames:.1f} frames/s; an empty map {empty:.1f} ({frames / empty:.2f} ×)")


if __name__ == "__main__":
    sys.exit(main())

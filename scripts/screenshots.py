"""Makes the README's pictures of the viewer: serves the stored city, drives a browser, writes docs/images."""

from __future__ import annotations

import argparse
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import rasterio
from rasterio.io import MemoryFile

CHECKOUT = Path(__file__).resolve().parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LARGEST = 300_000
"""Bytes of a picture."""


def main() -> int:
    """Serve, draw, and keep each picture with as many colours as it may have."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=CHECKOUT / "docs" / "images")
    folder: Path = parser.parse_args().folder
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        sys.stderr.write("no Chromium on the PATH: run scripts/setup.sh test\n")
        return 2
    serve = [sys.executable, "-m", "api.cli.main", "serve", "--port", "0", "--json"]
    with TemporaryDirectory() as drawn, (Path(drawn) / "log").open("w") as log:
        with subprocess.Popen(serve, stdout=subprocess.PIPE, stderr=log, text=True, cwd=CHECKOUT) as service:
            try:
                address = _address(service)
                script = ["node", str(CHECKOUT / "scripts" / "screenshots.mjs"), address, browser, drawn]
                subprocess.run(script, check=True, cwd=CHECKOUT)
            finally:
                service.terminate()
        for picture in sorted(Path(drawn).glob("*.png")):
            body = _small(picture)
            (folder / picture.name).write_bytes(body)
            sys.stdout.write(f"{picture.name} {len(body)} bytes\n")
    return 0


def _address(service: subprocess.Popen[str]) -> str:
    said = ""
    for line in service.stdout or io.StringIO():
        said += line
        if line.startswith("}"):
            return str(json.loads(said)["url"])
    raise SystemExit("the service did not start")


def _small(picture: Path) -> bytes:
    """The picture with a palette; with fewer bits of a colour where it is larger than it may be."""
    with rasterio.open(picture) as source:
        colours = source.read([1, 2, 3])
    body = picture.read_bytes()
    for bits in (0, 1, 2, 3, 4):
        if len(body) <= LARGEST:
            break
        step = 1 << bits
        coarse = np.minimum(colours.astype(np.int32) // step * step + step // 2, 255).astype(np.uint8)
        with MemoryFile() as memory:
            profile = {"driver": "PNG", "count": 3, "dtype": "uint8", "zlevel": 9}
            with memory.open(height=coarse.shape[1], width=coarse.shape[2], **profile) as target:
                target.write(coarse)
            body = bytes(memory.read())
    return body


if __name__ == "__main__":
    sys.exit(main())

"""Make the pictures of the documentation anew, in docs/images.

Usage: python -m scripts.pictures [NAME …]    all of them, or ward, viewer, inspect, qgis, globe

`ward`, `viewer` and `inspect` show the city of `make demo`; the others come out of the tests that draw them.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gis.settings import Settings

CHECKOUT = Path(__file__).resolve().parent.parent
IMAGES = CHECKOUT / "docs" / "images"
DIABA = (sys.executable, "-m", "api.cli.main", "--city", "demo")
WARD_WIDTH = 1000
"""Dots of the map in the README."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DRAWN_SECONDS = 30
"""Of the browser's own clock, until a page is photographed."""


def ward(target: Path) -> None:
    """The map of the demo, smaller."""
    from PIL import Image

    with Image.open(Settings.from_environment().home / "cities" / "demo" / "map.png") as drawn:
        size = (WARD_WIDTH, round(drawn.height * WARD_WIDTH / drawn.width))
        drawn.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(target)


def viewer(target: Path) -> None:
    """The viewer as it opens on the demo."""
    with served() as address:
        photograph(f"{address}/viewer/", target, (1000, 700))


def inspect(target: Path) -> None:
    """The page of `diaba lidar inspect` on a tile of the demo."""
    tile = min((Settings.from_environment().home / "cities" / "demo" / "scene" / "lidar").glob("*.laz"))
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "tile.html")
        subprocess.run([*DIABA, "lidar", "inspect", tile, "--html", page], check=True, stdout=subprocess.DEVNULL)
        photograph(page.as_uri(), target, (780, 912))


def qgis(target: Path) -> None:
    """The map that QGIS draws in its test."""
    out_of_test("tests/api/test_qgis.py", "map.png", target)


def globe(target: Path) -> None:
    """The buildings that CesiumJS shows in its test."""
    out_of_test("tests/api/test_globe.py", "cesium-1.png", target)


MAKERS: dict[str, Callable[[Path], None]] = {
    "ward": ward,
    "viewer": viewer,
    "inspect": inspect,
    "qgis": qgis,
    "globe": globe,
}


def out_of_test(test: str, name: str, target: Path) -> None:
    """Run a file of tests and keep a picture it made."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", test, "--basetemp", f"{folder}/made"], cwd=CHECKOUT, check=True
        )
        (made,) = Path(folder, "made").rglob(name)
        shutil.copyfile(made, target)


def photograph(address: str, target: Path, size: tuple[int, int]) -> None:
    """What a browser shows at an address."""
    browser = next(found for name in BROWSERS if (found := shutil.which(name)))
    subprocess.run(
        [
            browser,
            *("--headless", "--no-sandbox", "--hide-scrollbars", "--disable-background-networking"),
            *("--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
            f"--window-size={size[0]},{size[1]}",
            f"--virtual-time-budget={DRAWN_SECONDS * 1000}",
            f"--screenshot={target}",
            address,
        ],
        check=True,
        stderr=subprocess.DEVNULL,
    )


def in_a_palette(picture: Path) -> None:
    """Write a picture anew in 256 colours, a third of its size."""
    from PIL import Image  # which matplotlib brings

    with Image.open(picture) as made:
        dots = made.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    dots.save(picture, optimize=True)


@contextmanager
def served() -> Iterator[str]:
    """The service of the demo while the context lasts; gives its address."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        port = tried.getsockname()[1]
    with subprocess.Popen([*DIABA, "serve", "--port", str(port)], stdout=subprocess.DEVNULL) as process:
        try:
            while process.poll() is None:
                with socket.socket() as tried:
                    if tried.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def main(names: Sequence[str]) -> int:
    """Make the named pictures, all without names."""
    if wrong := set(names) - MAKERS.keys():
        sys.stderr.write(f"no picture {', '.join(sorted(wrong))}; there are {', '.join(MAKERS)}\n")
        return 2
    for name in names or MAKERS:
        target = IMAGES / f"{name}.png"
        MAKERS[name](target)
        in_a_palette(target)
        sys.stdout.write(f"docs/images/{name}.png\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Make the pictures of the documentation anew, in docs/images.

Usage: python -m scripts.pictures [NAME …]

NAME is ward, inspect, evidence-storey, evidence-lookalike, qgis or globe; all are made without one. The first four show
the city of `make demo`, the others come out of the tests that draw them. Those of the viewer are made by
scripts/screenshots.py, those of the notebooks by scripts/notebook_pictures.py.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from gis.settings import Settings

CHECKOUT = Path(__file__).resolve().parent.parent
IMAGES = CHECKOUT / "docs" / "images"
DIABA = (sys.executable, "-m", "api.cli.main", "--city", "demo")
WARD_WIDTH = 1000
"""Dots of the map in the README."""
STOREY, LOOKALIKE = "40bf1b8af0044fe25ad443db8f6ac5f0", "b-000149"
"""A case and a building of the ward of `make demo`: its seed makes the same each time."""
SHEET_SCALE = 1.35
"""Dots for 1/72 inch of a sheet."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DRAWN_SECONDS = 30
"""Of the browser's own clock, until a page is photographed."""


def ward(target: Path) -> None:
    """The map of the demo, smaller."""
    from PIL import Image

    with Image.open(Settings.from_environment().home / "cities" / "demo" / "map.png") as drawn:
        size = (WARD_WIDTH, round(drawn.height * WARD_WIDTH / drawn.width))
        drawn.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(target)


def inspect(target: Path) -> None:
    """The page of `diaba lidar inspect` on a tile of the demo."""
    tile = min((Settings.from_environment().home / "cities" / "demo" / "scene" / "lidar").glob("*.laz"))
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "tile.html")
        subprocess.run([*DIABA, "lidar", "inspect", tile, "--html", page], check=True, stdout=subprocess.DEVNULL)
        photograph(page.as_uri(), target, (780, 912))


def evidence_storey(target: Path) -> None:
    """The first page of the sheet of a house a storey higher than its permit."""
    sheet((STOREY,), target)


def evidence_lookalike(target: Path) -> None:
    """The first page of the sheet of a house whose stair head alone is higher than its permit."""
    sheet(("--building", LOOKALIKE), target)


def sheet(of: Sequence[str], target: Path) -> None:
    """The first page of an evidence sheet, of a case or a building."""
    from pypdfium2 import PdfDocument

    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "sheet.pdf")
        subprocess.run([*DIABA, "compliance", "evidence", *of, made], check=True, stdout=subprocess.DEVNULL)
        document = PdfDocument(made)
        document[0].render(scale=SHEET_SCALE).to_pil().save(target)
        document.close()


def qgis(target: Path) -> None:
    """The map that QGIS draws in its test."""
    out_of_test("tests/api/test_qgis.py", "map.png", target)


def globe(target: Path) -> None:
    """The buildings that CesiumJS shows in its test."""
    out_of_test("tests/api/test_globe.py", "cesium-1.png", target)


MAKERS: dict[str, Callable[[Path], None]] = {
    "ward": ward,
    "inspect": inspect,
    "evidence-storey": evidence_storey,
    "evidence-lookalike": evidence_lookalike,
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

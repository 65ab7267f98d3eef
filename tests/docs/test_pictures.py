"""Every picture of the documentation is shown somewhere and has a maker."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import rasterio

from gis.settings import Settings
from scripts.docs.homes import CHECKOUT
from scripts.notebook_pictures import SHOWN
from scripts.pictures import IMAGES, MAKERS, in_a_palette, main, ward

ROW = re.compile(r"^\| `([\w.-]+)` \| `([^`]+)`", re.MULTILINE)


def listed() -> dict[str, str]:
    """Picture → the command that makes it."""
    return dict(ROW.findall((IMAGES / "README.md").read_text(encoding="utf-8")))


def pictures() -> set[str]:
    return {path.name for path in IMAGES.iterdir() if path.suffix != ".md"}


def test_every_picture_has_a_line_with_its_maker_and_every_line_a_picture() -> None:
    assert listed().keys() == pictures(), "docs/images/README.md lists what is in docs/images"


def test_every_maker_is_there() -> None:
    targets = set(re.findall(r"^\.PHONY: (\w+)", (CHECKOUT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for picture, command in listed().items():
        program, target, *rest = command.split()
        assert program == "make", picture
        assert target in targets, f"{picture}: `{command}` is no target of the Makefile"
        if target == "pictures" and rest:
            assert f"{rest[0].removeprefix('ARGS=')}.png" == picture
            assert picture.removesuffix(".png") in MAKERS
        elif target == "pictures":
            assert picture.removesuffix(".png").removeprefix("notebook_") in SHOWN
        else:
            assert f'"{picture.removesuffix(".png")}"' in (CHECKOUT / "scripts" / "screenshots.mjs").read_text("utf-8")


def test_every_picture_is_shown_and_every_one_shown_is_there() -> None:
    pages = [CHECKOUT / "README.md", *(CHECKOUT / "docs").rglob("*.md")]
    shown = {name for page in pages for name in re.findall(r"!\[[^]]*\]\((?:docs/)?images/([^)]+)\)", page.read_text())}
    assert shown == pictures()


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_the_wards_map_is_made_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "cities" / "demo"
    folder.mkdir(parents=True)
    monkeypatch.setenv("DIABA_HOME", str(tmp_path))
    assert Settings.from_environment().home == tmp_path
    dots = np.zeros((3, 300, 2000), dtype=np.uint8)
    dots[:, :, 1000:] = 255
    with rasterio.open(folder / "map.png", "w", driver="PNG", dtype="uint8", count=3, height=300, width=2000) as sink:
        sink.write(dots)
    ward(tmp_path / "ward.png")
    in_a_palette(tmp_path / "ward.png")
    with rasterio.open(tmp_path / "ward.png") as made:
        assert (made.width, made.height) == (1000, 150)
        colours = made.colormap(1)
        assert [colours[made.read(1)[75, column]] for column in (400, 600)] == [(0, 0, 0, 255), (255, 255, 255, 255)]


def test_a_picture_nobody_makes_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sunset"]) == 2
    assert "no picture sunset; there are ward, inspect" in capsys.readouterr().err

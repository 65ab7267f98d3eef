"""What every test may ask for: the real data, and the programs diaba calls."""

from __future__ import annotations

import json.encoder
import os
from pathlib import Path

import pytest

# cjio, imported, makes `json` write every float of the process with six digits, for good: PROJ's parameters, the
# store's figures, all. So it is imported here once, and `json` is put back as it was.
_ENCODER = json.encoder.c_make_encoder
import cjio.cityjson  # noqa: E402, F401

json.encoder.c_make_encoder = _ENCODER
vars(json.encoder).pop("float", None)

CHECKOUT = Path(__file__).resolve().parent.parent
LONG = ("test_build_faults.py", "test_tiling.py", "test_interrupted_build.py", "test_demo.py")
"""Files of tests that take minutes."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long files first, so that no worker has one of them left when the others have ended."""
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The checkout's root."""
    return CHECKOUT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real point clouds and registers; the test fails where it is missing."""
    named = os.environ.get("DIABA_SHARED_DATA")
    folder = Path(named) if named else CHECKOUT.parent / "shared" / "data"
    if not (folder / "README.md").exists():
        pytest.fail(
            f"no real data in {folder}: put the folder `shared/data` beside the checkout, or name it in "
            "DIABA_SHARED_DATA; its README.md lists what it holds and where each file comes from",
            pytrace=False,
        )
    return folder


@pytest.fixture(scope="session")
def pdal() -> Path:
    """The PDAL program; the test fails where it is missing."""
    from gis.errors import MissingProgram
    from lidar.pdal import find_pdal

    try:
        return find_pdal().path
    except MissingProgram as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def browser() -> Path:
    """A Chromium or Chrome for the viewer's tests; the test fails where there is none."""
    import shutil

    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if found := shutil.which(name):
            return Path(found)
    pytest.fail("no Chromium or Chrome on the PATH: run `scripts/setup.sh test`", pytrace=False)

"""Where the real data lies, and clouds made by hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data; a test that asks for it fails where it is not there."""
    folder = Path(os.environ.get("DIABA_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
    if not folder.is_dir():
        pytest.fail(f"the shared data is not at {folder}: set DIABA_SHARED_DATA to its folder")
    return folder

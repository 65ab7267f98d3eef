"""What the LIDAR tests share: where the real data is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real samples; a test that needs it fails where it is absent."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    folder = Path(os.environ.get("DIABA_SHARED_DATA", beside))
    if not folder.is_dir():
        pytest.fail(f"the real samples are not in {folder}; say where they are with DIABA_SHARED_DATA")
    return folder

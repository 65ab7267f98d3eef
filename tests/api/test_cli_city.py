"""A mistyped city is an error, not a new city."""

from pathlib import Path

import pytest

from api.cli.main import run


@pytest.mark.parametrize("command", [["lidar", "build"], ["compliance", "run"], ["serve", "--port", "0"]])
def test_a_city_that_was_not_made_is_named(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DIABA_HOME", str(tmp_path))
    assert run(["--city", "nosuch", *command]) == 3
    assert "no city nosuch" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []

"""`diaba db`: each command, its JSON, its exit code, and its examples."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest

from api.cli.db import command
from tests.api.conftest import Run, own_home


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with own_home() as folder:
        yield folder


@pytest.fixture
def diaba(home: Path, command_line: Callable[..., Run]) -> Run:
    return command_line(home)


def _json(done: tuple[int, str, str]) -> dict[str, Any]:
    assert done[0] == 0, done[2]
    document: dict[str, Any] = orjson.loads(done[1])
    return document


def test_a_store_lives_from_start_to_stop(diaba: Run, tmp_path: Path) -> None:
    assert _json(diaba("db", "status", "--json"))["running"] is False
    started = _json(diaba("db", "start", "--json"))
    assert (started["running"], started["crs"]) == (True, "EPSG:9210+5727")
    assert started["revision"] == started["newest_revision"]
    code, out, _ = diaba("db", "status")
    assert code == 0
    assert f"pid: {started['pid']}" in out

    url = diaba("db", "url")[1].strip()
    with psycopg.connect(url) as session:
        assert session.execute("SELECT current_user").fetchone() == ("diaba_hcmc_reader",)
    assert _json(diaba("db", "url", "--role", "writer", "--json"))["role"] == "writer"

    assert _json(diaba("db", "migrate", "--to", "base", "--json"))["revision"] is None
    assert _json(diaba("db", "migrate", "--json"))["revision"] == started["newest_revision"]

    file = tmp_path / "a city.diaba"
    assert _json(diaba("db", "backup", str(file), "--json"))["size"] == file.stat().st_size
    assert _json(diaba("db", "restore", str(file), "--json"))["crs"] == "EPSG:9210+5727"

    assert _json(diaba("db", "stop", "--json")) == {"stopped": True}
    assert _json(diaba("db", "stop", "--json")) == {"stopped": False}


def test_a_city_elsewhere_is_started_with_its_crs(diaba: Run) -> None:
    # EPSG has a number of its own for this pair.
    delft = _json(diaba("--city", "delft", "db", "start", "--crs", "EPSG:28992+5709", "--json"))
    assert (delft["crs"], delft["database"]) == ("EPSG:7415", "diaba_delft")
    code, _, err = diaba("--city", "delft", "db", "start", "--crs", "EPSG:9210+5727")
    assert code == 3
    assert "already" in err
    assert _json(diaba("--city", "delft", "db", "start", "--json"))["crs"] == "EPSG:7415"


def test_stopping_is_of_all_cities(diaba: Run) -> None:
    diaba("--city", "hcmc", "db", "start")
    diaba("--city", "delft", "db", "start", "--crs", "EPSG:28992+5709")
    assert _json(diaba("db", "stop", "--json")) == {"stopped": True}


def _one_line(done: tuple[int, str, str], code: int) -> str:
    assert done[0] == code
    assert done[1] == ""
    assert done[2].count("\n") == 1
    assert "Traceback" not in done[2]
    return done[2]


def test_bad_input_ends_with_3_and_one_line(diaba: Run, tmp_path: Path) -> None:
    diaba("--city", "hcmc", "db", "start")
    bad = tmp_path / "bad.diaba"
    bad.write_bytes(b"no backup")
    assert "not a backup" in _one_line(diaba("--city", "hcmc", "db", "restore", str(bad)), 3)
    _one_line(diaba("--city", "hcmc", "db", "restore", str(tmp_path / "none.diaba")), 3)
    _one_line(diaba("--city", "hcmc", "db", "migrate", "--to", "nonsense"), 3)


def test_wrong_usage_ends_with_2(diaba: Run) -> None:
    for arguments in (
        ("db", "url", "--role", "king"),
        ("db", "backup"),
        ("db", "nonsense"),
        ("db", "start", "--crs", "x"),
    ):
        assert diaba(*arguments)[0] == 2


def test_an_unreachable_store_ends_with_4_and_shows_no_password(
    diaba: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DIABA_DATABASE_URL", "postgresql://somebody:hidden@127.0.0.1:9/")
    for arguments in (("start",), ("status",), ("migrate",), ("backup", str(tmp_path / "x"))):
        assert "hidden" not in _one_line(diaba("--city", "hcmc", "db", *arguments), 4)
    assert not (tmp_path / "x").exists()
    assert "not diaba's to stop" in _one_line(diaba("--city", "hcmc", "db", "stop"), 3)
    assert "hidden" not in _one_line(diaba("--city", "hcmc", "db", "stop"), 3)


def test_every_command_shows_an_example_that_it_can_read() -> None:
    for name, sub in command.commands.items():
        examples = re.findall(r"^ +diaba (.+)$", sub.help or "", re.MULTILINE)
        assert examples, name
        for example in examples:
            words = example.split()
            assert name in words
            sub.make_context(name, words[words.index(name) + 1 :])


def test_the_command_works_from_any_folder(home: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "DIABA_HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-m", "api.cli.main", "--city", "hcmc", "db", "migrate", "--json"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert orjson.loads(done.stdout)["database"] == "diaba_hcmc"

"""The list of compiled loops fits the code, and what it names is compiled before it is called."""

from __future__ import annotations

import importlib
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest
from numba.core.dispatcher import Dispatcher

from scripts.loops.__main__ import LIST
from scripts.loops.signatures import called, read, written

ROOT = Path(__file__).resolve().parent.parent
LINES = LIST.read_text(encoding="utf-8").splitlines()
CALLER = "lidar.bins _means int64[3C] int64 int64[2C] float32[2C]"
PROGRAM = """
import sys
from scripts.loops.__main__ import compile_all
from scripts.loops.signatures import called
for one, reason in compile_all([called(line) for line in sys.argv[1:]], 2):
    print(one.name, reason)
"""


def test_every_listed_loop_is_there_and_takes_as_much() -> None:
    wrong = []
    for line in LINES:
        one = called(line)
        loop = getattr(importlib.import_module(one.module), one.name, None)
        if not isinstance(loop, Dispatcher):
            wrong.append(f"{one.module}.{one.name} is not there")
        elif len(inspect.signature(loop.py_func).parameters) != len(one.arguments):
            wrong.append(f"{one.module}.{one.name} takes another number of arguments")
        assert one.line() == line
    assert not wrong, "\n".join([*wrong, "list them anew: make demo, then python -m scripts.loops --record"])
    assert len(LINES) > 300


@pytest.mark.parametrize(
    "text", ["int32", "bool", "float32[2C]", "uint8[1A!]", "(int64,(float64,bool))", "int=3", "bool=True"]
)
def test_a_type_is_read_as_it_was_written(text: str) -> None:
    assert written(read(text)) == text


@pytest.mark.parametrize("text", ["", "int31", "float32[2X]", "str"])
def test_what_is_no_type_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no type"):
        read(text)


def test_what_was_compiled_beside_each_other_lies_in_the_cache(tmp_path: Path) -> None:
    gone = "lidar.bins _no_such_loop int64"
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, CALLER, gone],
        cwd=ROOT,
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.startswith("_no_such_loop is not there any more")
    assert [path.name.split("-")[0] for path in tmp_path.rglob("*.nbc")] == ["bins._means"]

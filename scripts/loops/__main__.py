"""Compile the loops beside each other on all processors, as they are listed in loops.txt.

A fresh checkout has no compiled loop. A build would compile them one after the other in each of its processes: minutes
in which it does nothing else. Here they are compiled once, each when those it calls are there, and lie in numba's cache
on disk, where every process finds them. What the list does not name is compiled when it is called, as ever.

    python -m scripts.loops             what is listed and not yet compiled
    python -m scripts.loops --record    the list anew, of what lies in the cache: after `make demo` and `make test`
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import sys
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from types import CodeType, ModuleType

from numba.core.dispatcher import Dispatcher

import gis
import lidar
from scripts.loops.signatures import Called, called

LIST = Path(__file__).with_name("loops.txt")
MOST = 8
"""Processes: each has numba and what it compiled in memory, some 700 MB."""


def main() -> None:
    """Compile, or record."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--record", action="store_true", help="write the list anew, of what the cache holds")
    options.add_argument("--processes", type=int, default=min(os.cpu_count() or 1, MOST))
    asked = options.parse_args()
    if asked.record:
        lines = sorted({line for one in _cached() if (line := _line(one)) is not None})
        LIST.write_text("\n".join(lines) + "\n", encoding="utf-8")
        sys.stdout.write(f"{len(lines)} loops listed\n")
        return
    lines = LIST.read_text(encoding="utf-8").splitlines()
    failed = compile_all([called(line) for line in lines], asked.processes)
    for one, reason in failed:
        sys.stderr.write(f"{one.module}.{one.name}: {reason}\n")


def compile_all(listed: list[Called], processes: int) -> list[tuple[Called, str]]:
    """Compile what is listed, a caller after those it calls; gives what could not be compiled and why.

    A list older than the code names what is not there any more: nothing is lost but the time.
    """
    waits_for = {one: {other for other in listed if (other.module, other.name) in _calls(one)} for one in listed}
    for one, needed in waits_for.items():
        needed.discard(one)
    failed, done = [], set[Called]()
    with ProcessPoolExecutor(processes) as pool:
        running: dict[Future[str | None], Called] = {}
        while waits_for or running:
            ready = [one for one, needed in waits_for.items() if needed <= done]
            # Those that call each other in a circle wait for nobody.
            for one in ready or ([] if running else list(waits_for)):
                del waits_for[one]
                running[pool.submit(_compile, one.line())] = one
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                one = running.pop(future)
                done.add(one)
                if (reason := future.result()) is not None:
                    failed.append((one, reason))
    return failed


def _compile(line: str) -> str | None:
    """Compile one, or load it from the cache; why it cannot be, if it cannot."""
    one = called(line)
    dispatcher = getattr(importlib.import_module(one.module), one.name, None)
    if not isinstance(dispatcher, Dispatcher):
        return "is not there any more; list the loops anew with --record"
    try:
        dispatcher.compile(one.arguments)
    except Exception as error:  # noqa: BLE001  whatever the compiler says of an old signature
        return str(error).splitlines()[0][:200]
    return None


def _calls(one: Called) -> set[tuple[str, str]]:
    """The compiled loops a loop calls, by module and name."""
    dispatcher = getattr(importlib.import_module(one.module), one.name, None)
    if not isinstance(dispatcher, Dispatcher):
        return set()
    names, known = _names(dispatcher.py_func.__code__), dispatcher.py_func.__globals__
    found = [value for name in names if isinstance(value := known.get(name), Dispatcher)]
    return {(value.py_func.__module__, value.py_func.__name__) for value in found}


def _names(code: CodeType) -> set[str]:
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return {*code.co_names, *(name for one in inner for name in _names(one))}


def _cached() -> Iterator[Called]:
    """What lies in the cache for the code as it is."""
    for module in _modules():
        for name, value in vars(module).items():
            if isinstance(value, Dispatcher) and value.py_func.__module__ == module.__name__:
                # There is no public way to ask.
                files = getattr(getattr(value, "_cache", None), "_cache_file", None)
                for key in files._load_index() if files is not None else ():
                    yield Called(module.__name__, name, tuple(key[0]))


def _line(one: Called) -> str | None:
    try:
        return one.line()
    except ValueError as error:
        sys.stderr.write(f"{one.module}.{one.name}: {error}\n")
        return None


def _modules() -> Iterator[ModuleType]:
    for package in (gis, lidar):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".migrations" not in found.name:
                yield importlib.import_module(found.name)


if __name__ == "__main__":
    main()

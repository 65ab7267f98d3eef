"""`diaba serve` as the program it is: options, environment, log, signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.api.conftest import CityStore


@dataclass(frozen=True)
class Program:
    """A running service."""

    process: subprocess.Popen[str]
    said: dict[str, str]
    """What it printed: its addresses."""
    log: list[str]
    """Lines of stderr so far."""

    @property
    def url(self) -> str:
        return self.said["url"]

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def resident_bytes(self) -> int:
        pages = Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def serving(store: CityStore, *options: str, **environment: str) -> Iterator[Program]:
    """The service until the context ends, or until the test ended it."""
    env = os.environ | {"DIABA_HOME": str(store.settings.home), "DIABA_CITY": store.city.name} | environment
    command = [sys.executable, "-m", "api.cli.main", "serve", "--port", "0", "--json", *options]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        log: list[str] = []
        reader = threading.Thread(target=log.extend, args=(process.stderr,), daemon=True)
        reader.start()
        said = ""
        for line in process.stdout:
            said += line
            if line.startswith("}"):
                break
        assert said, "".join(log)
        try:
            yield Program(process, json.loads(said), log)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(30)
            reader.join(5)

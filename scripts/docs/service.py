"""The service a page starts with `diaba serve`: a process of its own on a free port, for the page always on 8000."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

HOST = "127.0.0.1"
SHOWN, SHOWN_METRICS = 8000, 9108
"""Ports as pages write them."""
_PORTS = range(7100, 7999)
"""Of as many digits as the one shown, so that sizes of answers are those of the page."""
_LAST = "Ctrl-C stops it."
_START_SECONDS = 120.0


@dataclass(slots=True)
class Service:
    """The running service, if there is one, and its ports in place of those of the page."""

    folder: Path
    process: subprocess.Popen[str] | None = None
    ports: dict[int, int] = field(default_factory=dict)
    """Port as shown → as it is."""

    def start(self, text: str, environment: Mapping[str, str]) -> tuple[str, int]:
        """Start it in place of the one that runs; gives what it said until it answers, and its exit code.

        Args:
            text: the command as typed, `2> FILE` at its end names the file of its log.
            environment: what it is started with.
        """
        self.stop()
        typed, _, named = text.partition(" 2> ")
        log = self.folder / (named.strip() or "serve.log")
        self.ports = dict(zip((SHOWN, SHOWN_METRICS), free_ports(2), strict=True))
        words = shlex.split(typed)[1:]
        words += ["--port", str(self.ports[SHOWN])]
        if "--metrics-port" in words:
            words += ["--metrics-port", str(self.ports[SHOWN_METRICS])]
        with log.open("w", encoding="utf-8") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "api.cli.main", *words],
                cwd=self.folder,
                env=dict(environment),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        said = self._announced(self.process)
        if self.process.poll() is None:
            return said, 0
        code = self.process.wait()
        self.process = None
        return said + log.read_text(encoding="utf-8"), code

    def _announced(self, process: subprocess.Popen[str]) -> str:
        said = ""
        for line in process.stdout or ():
            if line.strip() == _LAST:
                self._await()
                return said + line
            said += line
        process.wait()
        return said

    def _await(self) -> None:
        """Wait until it accepts: it says where before."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            with socket.socket() as tried:
                if tried.connect_ex((HOST, self.ports[SHOWN])) == 0:
                    return
            time.sleep(0.05)

    def stop(self) -> None:
        """End it as Ctrl-C does."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.process = None

    def inward(self, text: str) -> str:
        """A page's text with the ports there are."""
        for shown, real in self.ports.items():
            text = re.sub(rf"\b({re.escape(HOST)}|localhost):{shown}\b", rf"\1:{real}", text)
        return text

    def outward(self, text: str) -> str:
        """What was said with the ports as shown."""
        for shown, real in self.ports.items():
            text = re.sub(rf"\b({re.escape(HOST)}|localhost)(:|%3A){real}\b", rf"\1\g<2>{shown}", text)
        return text


def free_ports(count: int) -> list[int]:
    """Ports nobody listens at."""
    found: list[int] = []
    # Runs beside each other look from another place on: a port is taken some seconds after it was found free.
    first = os.getpid() * 10 % len(_PORTS)
    for port in (*_PORTS[first:], *_PORTS[:first]):
        with socket.socket() as tried:
            try:
                tried.bind((HOST, port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError(f"no free port from {_PORTS.start} to {_PORTS.stop}")

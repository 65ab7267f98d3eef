"""The server process of a data folder: whether it is alive, and what a dead one left behind."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

_STATUS_LINE = 7
"""Line of `postmaster.pid` (counted from 0) that says "ready" once sessions are accepted."""
_ORPHAN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Postmaster:
    """The server process of a data folder, known by its working folder: a number alone may be another process's."""

    data: Path

    def pid(self) -> int | None:
        """Its process number, or None when it does not run, whatever a stale file says."""
        lines = self._lines()
        try:
            pid = int(lines[0])
        except (IndexError, ValueError):
            return None
        return pid if self._is_ours(pid) else None

    def is_ready(self) -> bool:
        """Whether it runs and accepts sessions."""
        lines = self._lines()
        return self.pid() is not None and len(lines) > _STATUS_LINE and lines[_STATUS_LINE].strip() == "ready"

    def end(self, how: signal.Signals, seconds: float) -> bool:
        """Send it a signal and wait until it is gone. Returns whether it is."""
        pid = self.pid()
        if pid is None:
            return True
        os.kill(pid, how)
        deadline = time.monotonic() + seconds
        while self._is_ours(pid):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def clear_stale(self) -> None:
        """Make way for a start after a crash: end what outlived its server, forget a number that is another's now.

        Call it only when `pid()` is None. Sessions that outlive a killed server still write to the data; they
        leave by themselves when they notice, else they are ended, which recovery makes good.
        """
        deadline = time.monotonic() + _ORPHAN_SECONDS
        while orphans := self._processes():
            if time.monotonic() > deadline:
                for orphan in orphans:
                    os.kill(orphan, signal.SIGKILL)
            time.sleep(0.05)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _lines(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []

    def _is_ours(self, pid: int) -> bool:
        process = Path(f"/proc/{pid}")
        try:
            # By its name too: a person's shell may stand in the data folder.
            return (process / "comm").read_text() == "postgres\n" and (process / "cwd").samefile(self.data)
        except OSError:
            # Gone, a zombie, or a process of somebody else: not this folder's server.
            return False

    def _processes(self) -> list[int]:
        numbers = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
        return [pid for pid in numbers if self._is_ours(pid)]

"""Time and peak memory of a piece of work in a process of its own, so that one does not weigh on the next."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

MIB = 1024 * 1024


def in_child(script: str, work: str, folder: Path, *more: str) -> dict[str, Any]:
    """What `script --work work --folder folder` reports by `report`; {"failure": why} if it does not."""
    command = [sys.executable, script, "--work", work, "--folder", str(folder), *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        said = (done.stderr or done.stdout).strip().splitlines()
        return {"failure": said[-1][:110] if said else f"ended with {done.returncode}"}
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def report(**values: Any) -> None:
    """Say what was measured, to the process that asked."""
    print(json.dumps(values))


def measured(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds, peak memory in bytes above what was held before (programs it starts included), and the result."""
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the kernel counts the peak anew
    began = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - began
    own = _status("VmHWM") - before
    return seconds, max(own, 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss), result


def _status(name: str) -> int:
    """Bytes, of a line of /proc/self/status."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return 1024 * int(line.split()[1])
    raise SystemExit("peak memory is read from /proc/self/status, which Linux has")

"""The program PDAL: where it is, which release it is, and how it is started."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gis.errors import MissingProgram, ProgramFailed

OLDEST = (2, 2)
"""The oldest PDAL the pipelines are written for."""


@dataclass(frozen=True, slots=True)
class PdalProgram:
    """Where PDAL is, and the environment it is started in."""

    path: Path
    environment: Mapping[str, str]


def find_pdal(environment: Mapping[str, str] | None = None) -> PdalProgram:
    """Find PDAL: the program DIABA_PDAL names, else one on the PATH, else the set-up's private one.

    Raises:
        MissingProgram: there is none, or DIABA_PDAL names none.
    """
    env = dict(os.environ if environment is None else environment)
    if named := env.get("DIABA_PDAL"):
        found = shutil.which(named, path=env.get("PATH"))
        if found is None:
            raise MissingProgram("pdal", f"DIABA_PDAL names {named}, which is no program")
        return PdalProgram(Path(found), env)
    if found := shutil.which("pdal", path=env.get("PATH")):
        return PdalProgram(Path(found), env)
    for folder in _cache_folders(env):
        private = sorted(folder.glob(f"pdal-*-{platform.machine()}/bin/pdal"))
        if private and os.access(private[-1], os.X_OK):
            return PdalProgram(private[-1], env)
    raise MissingProgram(
        "pdal", "run scripts/pdal.sh in the checkout, or `conda install -c conda-forge pdal`, or name it in DIABA_PDAL"
    )


def _cache_folders(env: Mapping[str, str]) -> list[Path]:
    """Where scripts/common.sh keeps what checkouts share, in its order."""
    if named := env.get("DIABA_CACHE"):
        return [Path(named)]
    if named := env.get("XDG_CACHE_HOME"):
        return [Path(named) / "diaba"]
    homes = [Path(env["HOME"])] if env.get("HOME") else []
    try:
        import pwd

        homes.append(Path(pwd.getpwuid(os.getuid()).pw_dir))
    except (ImportError, KeyError):
        pass
    homes.append(Path(__file__).resolve().parent.parent / ".diaba" / "home")
    return [home / ".cache" / "diaba" for home in homes]


def version(program: PdalProgram | None = None) -> tuple[int, int, int]:
    """PDAL's release, for example (2, 2, 0).

    Raises:
        MissingProgram: there is no PDAL.
        ProgramFailed: it does not start, does not say its version, or is older than 2.2.
    """
    program = program or find_pdal()
    said = run_program(program, ["--version"], time_limit=60).stdout
    match = re.search(r"(\d+)\.(\d+)\.(\d+)", said)
    if match is None:
        raise ProgramFailed("pdal", f"{program.path} does not say its version")
    release = (int(match[1]), int(match[2]), int(match[3]))
    if release[:2] < OLDEST:
        raise ProgramFailed("pdal", f"{program.path} is release {match[0]}; 2.2 or later is needed")
    return release


def run_program(program: PdalProgram, arguments: list[str], time_limit: float) -> subprocess.CompletedProcess[str]:
    """Run PDAL to its end, whatever its exit code.

    Raises:
        ProgramFailed: it took longer than the time limit (seconds), and was ended.
        MissingProgram: it does not start.
    """
    try:
        return subprocess.run(
            [str(program.path), *arguments],
            env=dict(program.environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=time_limit,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ProgramFailed("pdal", f"not done after {time_limit:.0f} s") from error
    except OSError as error:
        raise MissingProgram("pdal", f"{program.path} does not start ({error.strerror})") from error

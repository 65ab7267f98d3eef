"""PostgreSQL's programs: where they are, and as whom they run."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gis.errors import MissingProgram, ProgramFailed

HOW_TO_INSTALL = "install PostgreSQL with PostGIS, on Debian: apt install postgresql postgresql-postgis"
DEBIAN_FOLDER = Path("/usr/lib/postgresql")
_ENVIRONMENT = ("PATH", "LANG", "TZ", "LD_LIBRARY_PATH", "PROJ_DATA", "PROJ_LIB")


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the operating system."""

    name: str
    uid: int
    gid: int
    switch: bool
    """Whether a program must be switched to it, because this process runs as root."""


def account(data: Path) -> Account:
    """Who runs the server of a data folder: this process's user; in place of root, whom PostgreSQL refuses, `postgres`.

    Where root meets data that another user made, that user runs it.

    Raises:
        MissingProgram: this process is root's and there is no user for it.
    """
    if os.geteuid() != 0:
        uid = os.geteuid()
        try:
            name = pwd.getpwuid(uid).pw_name
        except KeyError:
            name = str(uid)
        return Account(name, uid, os.getegid(), switch=False)
    try:
        owner = data.stat().st_uid if data.exists() else 0
        entry = pwd.getpwuid(owner) if owner else pwd.getpwnam("postgres")
    except KeyError as error:
        raise MissingProgram(
            "postgresql", f"root may not run it and there is no user postgres; {HOW_TO_INSTALL}"
        ) from error
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, switch=True)


def folders() -> list[Path]:
    """Folders that hold a PostgreSQL server, the newest version first; those of the PATH come last."""

    def major(folder: Path) -> int:
        return int(folder.parent.name) if folder.parent.name.isdigit() else 0

    debian = sorted(DEBIAN_FOLDER.glob("*/bin"), key=major, reverse=True)
    found = [folder for folder in debian if (folder / "postgres").exists()]
    on_path = shutil.which("postgres")
    if on_path is not None and Path(on_path).resolve().parent not in found:
        found.append(Path(on_path).resolve().parent)
    return found


def program(name: str, major: str | None = None) -> Path:
    """The newest installed program of that name, or the one of a given major version.

    Raises:
        MissingProgram: it is not installed; the text says how to get it.
    """
    for folder in folders():
        if (folder / name).exists() and (major is None or version(folder) == major):
            return folder / name
    if major is not None:
        raise MissingProgram(f"{name} of PostgreSQL {major}", "the data folder was made by that version; install it")
    client = shutil.which(name)
    if client is not None and name not in {"postgres", "initdb"}:
        return Path(client)
    raise MissingProgram(name, HOW_TO_INSTALL)


def version(folder: Path) -> str:
    """Major version of the server in a folder of programs."""
    if folder.parent.parent == DEBIAN_FOLDER:
        return folder.parent.name
    told = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"(\d+)(?:\.\d+)?\s*$|(\d+)\.", told)
    return next((group for group in match.groups() if group), "") if match else ""


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a program of PostgreSQL may see of this process's environment; no PG* variable of the caller's."""
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    return {"PATH": "/usr/bin:/bin", **kept, "LC_ALL": "C.UTF-8", **(extra or {})}


def run(arguments: Sequence[str | Path], *, extra: Mapping[str, str] | None = None, by: Account | None = None) -> str:
    """Run a program to its end and return what it printed.

    Args:
        arguments: The program and its arguments.
        extra: Environment variables to add.
        by: The account to switch to.

    Raises:
        ProgramFailed: it ended with an error; the text is its last line.
    """
    switched = by is not None and by.switch
    done = subprocess.run(
        arguments,
        env=environment(extra),
        cwd="/",
        user=by.uid if by and switched else None,
        group=by.gid if by and switched else None,
        extra_groups=[] if switched else None,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise ProgramFailed(Path(arguments[0]).name, reason(done.stderr or done.stdout, done.returncode))
    return done.stdout


def reason(printed: str, code: int) -> str:
    """The line of a program's output that says what went wrong."""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    told = [line for line in lines if re.search(r"error:|FATAL:|PANIC:|ERROR:", line)]
    return (told or lines or [f"ended with {code}"])[0]

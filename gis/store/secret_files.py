"""Passwords and keys: random, in files that only their owner reads, outside of the database."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from gis.errors import UnreadableFile

_PASSWORD = re.compile(r"[A-Za-z0-9_-]{16,}")
_NAME = re.compile(r"[A-Za-z0-9_.-]+")


def password(folder: Path, name: str) -> str:
    """The password of that name, made at first use.

    Raises:
        UnreadableFile: the file holds no password.
    """
    text = _kept(folder, name, lambda: secrets.token_urlsafe(32))
    if not _PASSWORD.fullmatch(text):
        raise UnreadableFile(folder / name, "not a password written by diaba")
    return text


def key(folder: Path, name: str) -> bytes:
    """The 32-byte key of that name, made at first use.

    Raises:
        UnreadableFile: the file holds no key.
    """
    text = _kept(folder, name, lambda: secrets.token_hex(32))
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != 32:
        raise UnreadableFile(folder / name, "not a key written by diaba")
    return found


def written_at(folder: Path, name: str) -> int:
    """When a secret was written, in nanoseconds; 0 of one that is not there yet."""
    try:
        return (folder / name).stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def replace(folder: Path, name: str, new: str, *, kept: str) -> None:
    """Put a secret in the place of another, which is kept under a name of its own; there is a secret at any moment."""
    if not (folder / kept).exists():
        os.link(folder / name, folder / kept)
    (folder / new).replace(folder / name)


def _kept(folder: Path, name: str, make: object) -> str:
    """Read the secret; make it first where there is none. Of two that make it at once, both get the same."""
    if not _NAME.fullmatch(name) or not callable(make):
        raise UnreadableFile(folder / name, "not a name of a secret")
    path = folder / name
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # A name of its own: threads of one process may make it at once too.
        part = folder / f".{name}.{secrets.token_hex(8)}.part"
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(handle, str(make()).encode("ascii"))
            os.fsync(handle)
            if os.geteuid() == 0:
                # Root may work in the home of another, who must be able to read it afterwards.
                home = folder.stat()
                os.fchown(handle, home.st_uid, home.st_gid)
        finally:
            os.close(handle)
        try:
            # A link is made only where none is: the first of two processes wins, the other reads its secret.
            os.link(part, path)
        except FileExistsError:
            pass
        finally:
            part.unlink(missing_ok=True)
    if path.stat().st_mode & 0o077:
        raise UnreadableFile(path, "others may read this secret; run chmod 600 on it")
    return path.read_text(encoding="utf-8", errors="replace").strip()

"""Homes of diaba in which pages begin: made once by the command a page names, then copied."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gis.store.cluster import Cluster
from gis.store.postmaster import Postmaster
from scripts.docs.page import EMPTY

CHECKOUT = Path(__file__).resolve().parents[2]
HOME = ".diaba"
SAID = "said.txt"
_OF_THE_MACHINE = ("DIABA_PDAL", "DIABA_SHARED_DATA")
"""Variables that say where programs and real data lie."""


class Homes:
    """The homes pages begin with, each made when it is first asked for, in a folder that keeps them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def place(self, home: str) -> Path:
        """The folder that keeps a home and what its command said, once it is made."""
        return self.folder / hashlib.sha256(home.encode()).hexdigest()[:12]

    def said(self, home: str) -> str:
        """What the command said that made the home."""
        return (self._made(home) / SAID).read_text(encoding="utf-8")

    @contextmanager
    def copy(self, home: str) -> Iterator[Path]:
        """A folder to run a page in, with a copy of the home in it; all of it is gone in the end."""
        made = self._made(home)
        with own_folder() as folder:
            copied(made / HOME, folder / HOME)
            yield folder

    def _made(self, home: str) -> Path:
        """The folder of a home, its server not running."""
        folder = self.place(home)
        if (folder / SAID).exists():
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o755, parents=True)
        self.folder.chmod(0o755)
        if home == EMPTY:
            # With a server that is set up, which takes longer than all else.
            command = "diaba db start"
        else:
            copied(self._made(EMPTY) / HOME, folder / HOME)
            # Its city is not that of the page: of two, each command would have to name one.
            shutil.rmtree(folder / HOME / "cities")
            command = home
        done = subprocess.run(
            [sys.executable, "-m", "api.cli.main", *command.split()[1:]],
            cwd=CHECKOUT,
            env=environment(folder),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"the home '{home}' cannot be made: {done.stdout}")
        Cluster(folder / HOME).stop()
        (folder / SAID).write_text(plain(done.stdout, folder), encoding="utf-8")
        return folder


@contextmanager
def own_folder() -> Iterator[Path]:
    """A folder the store's account may enter; in the end what runs in its home is ended, and it is deleted."""
    folder = Path(tempfile.mkdtemp(prefix="diaba-docs-")).resolve()
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        cluster = Cluster(folder / HOME)
        if cluster.folder.exists():
            # Nothing of it is kept, so that no checkpoint need be waited for.
            Postmaster(cluster.data).end(signal.SIGQUIT, 30)
            shutil.rmtree(cluster.socket, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def copied(source: Path, target: Path) -> None:
    """Copy a home with the owners of its files."""
    subprocess.run(["cp", "-a", source, target], check=True)


def environment(folder: Path) -> dict[str, str]:
    """What a page's programs are started with: its own home, and nothing of who runs it."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("DIABA_") or k in _OF_THE_MACHINE}
    return kept | {
        "DIABA_HOME": str(folder / HOME),
        "DIABA_ACTOR": "lan",
        "COLUMNS": "120",
        "CURL_HOME": str(folder),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(CHECKOUT),
    }


def plain(text: str, folder: Path) -> str:
    """What was said, with files of the page's folder named as its reader would see them."""
    return text.replace(f"{folder}/", "").replace(str(folder), ".")

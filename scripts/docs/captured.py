"""What this process and its children say, caught; and the process as if it stood in a page's folder."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path


@contextmanager
def standing_in(folder: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """This process in a folder and with an environment, for a while."""
    before, where = dict(os.environ), Path.cwd()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(where)
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def captured() -> Iterator[Callable[[], str]]:
    """Catch standard output and error together, in the order they were written, of children and libraries too.

    Yields a function that gives what was said so far.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    with tempfile.TemporaryFile("w+b") as sink:
        kept = os.dup(1), os.dup(2)
        try:
            for number in (1, 2):
                os.dup2(sink.fileno(), number)
            # Another description of the same file would write over what was written; a duplicate goes on behind it.
            stream = io.TextIOWrapper(os.fdopen(os.dup(sink.fileno()), "wb", 0), encoding="utf-8", write_through=True)

            def said() -> str:
                stream.flush()
                sink.seek(0)
                text = sink.read().decode("utf-8", "replace")
                sink.seek(0, os.SEEK_END)
                return text

            with stream, redirect_stdout(stream), redirect_stderr(stream):
                yield said
        finally:
            for number, saved in zip((1, 2), kept, strict=True):
                os.dup2(saved, number)
                os.close(saved)

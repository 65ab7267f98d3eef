"""Raster files that stay open between requests: opening one takes longer than reading a tile of it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import rasterio
from rasterio.errors import RasterioError

FACTS_KEPT = 16
"""Files of which is known what they say of themselves, for each one that may be open."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where a handle belongs: a file as it was when it was opened, at one of its levels."""

    path: Path
    inode: int
    modified: int
    """Nanoseconds."""
    level: int | None
    """Number of the overview; None for the file's own cells."""


@dataclass(frozen=True, slots=True)
class RasterFacts:
    """What a raster file says of itself."""

    resolution: float
    """Cell size."""
    factors: tuple[int, ...]
    """How many times coarser each overview is."""
    bands: tuple[str, ...]
    data_type: str
    nodata: float | None


class OpenRasters:
    """Handles of GDAL, each lent to one thread at a time; those lent longest ago are closed above the most.

    A file that was replaced is another file: products are renamed into their place whole, with a new inode.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = Lock()
        self._idle: OrderedDict[Shelf, list[Any]] = OrderedDict()
        self._count = 0
        self._facts: OrderedDict[Shelf, RasterFacts] = OrderedDict()

    @contextmanager
    def open(self, path: Path, level: int | None = None) -> Iterator[Any]:
        """A dataset to read from.

        Raises:
            FileNotFoundError: there is no such file.
            RasterioError: it cannot be opened.
        """
        state = path.stat()
        shelf = Shelf(path, state.st_ino, state.st_mtime_ns, level)
        source = self._taken(shelf)
        if source is None:
            source = rasterio.open(path) if level is None else rasterio.open(path, overview_level=level)
        try:
            yield source
        except BaseException:
            source.close()
            raise
        self._put_back(shelf, source)

    def described(self, path: Path) -> RasterFacts:
        """What a file says of itself, read once.

        Raises:
            FileNotFoundError: there is no such file.
            RasterioError: it cannot be opened.
        """
        state = path.stat()
        shelf = Shelf(path, state.st_ino, state.st_mtime_ns, None)
        with self._lock:
            found = self._facts.get(shelf)
        if found is None:
            with self.open(path) as source:
                names = tuple(name or f"band{i}" for i, name in enumerate(source.descriptions, start=1))
                found = RasterFacts(
                    float(source.transform.a), tuple(source.overviews(1)), names, source.dtypes[0], source.nodata
                )
            with self._lock:
                self._facts[shelf] = found
                while len(self._facts) > FACTS_KEPT * self._most:
                    self._facts.popitem(last=False)
        return found

    def facts(self, path: Path) -> RasterFacts | None:
        """`described`; None of a file that is missing or damaged."""
        try:
            return self.described(path)
        except (OSError, RasterioError):
            return None

    def close(self) -> None:
        """Close all that are not lent."""
        with self._lock:
            idle = [source for sources in self._idle.values() for source in sources]
            self._idle.clear()
            self._count = 0
        for source in idle:
            source.close()

    def _taken(self, shelf: Shelf) -> Any | None:
        with self._lock:
            sources = self._idle.get(shelf)
            if not sources:
                return None
            source = sources.pop()
            self._count -= 1
            if not sources:
                del self._idle[shelf]
            return source

    def _put_back(self, shelf: Shelf, source: Any) -> None:
        old = []
        with self._lock:
            self._idle.setdefault(shelf, []).append(source)
            self._idle.move_to_end(shelf)
            self._count += 1
            while self._count > self._most:
                first, sources = next(iter(self._idle.items()))
                old.append(sources.pop(0))
                self._count -= 1
                if not sources:
                    del self._idle[first]
        for one in old:
            one.close()

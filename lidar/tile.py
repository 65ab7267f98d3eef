"""One square of the city, and the files to read for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pyproj import CRS

from gis.bounds import BoundingBox

LARGEST_BUFFER = 600.0
"""m: the farthest beyond a tile's bounds that is read, for a building that large at its edge."""

HEADER_SLACK = 0.01
"""m: how far points may lie beyond the bounds their header says: those are rounded, here and there to a step short."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile of the city: what is inside its half-open bounds is its own, what is in the buffer is context."""

    key: str
    """Unique in the city: "x603000_y1191000_500", the lower-left corner and the side, in metres."""
    bounds: BoundingBox
    paths: tuple[Path | str, ...]
    """The files that reach into the bounds grown by the buffer; further ones may follow, up to `LARGEST_BUFFER`."""
    crs: CRS
    """CRS of files that do not say their own; of the others it must be the same horizontally."""
    buffer: float
    """m read beyond the bounds."""
    extents: tuple[BoundingBox, ...] = ()
    """Where each file lies, as far as that is known: those out of reach are not even opened."""

    @property
    def needed(self) -> tuple[Path | str, ...]:
        """The files that reach into what is read."""
        if len(self.extents) != len(self.paths):
            return self.paths
        seen = self.bounds.buffered(self.buffer + HEADER_SLACK)
        return tuple(path for path, extent in zip(self.paths, self.extents, strict=True) if extent.intersects(seen))

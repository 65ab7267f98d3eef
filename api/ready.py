"""The service's compiled loops, made ready while it starts: in a fresh checkout a request would wait for a compiler."""

from __future__ import annotations

from threading import Thread

import numpy as np


def get_ready() -> Thread:
    """Compile, or load from the cache on disk, what terrain and relief are made with; returns the thread that does."""
    thread = Thread(target=_compile, name="compile", daemon=True)
    thread.start()
    return thread


def _compile() -> None:
    from api.relief import contours_png, hillshade_png, slope_png
    from lidar.resample import Accumulated
    from lidar.terrain_mesh import grid_mesh

    grid_mesh(np.zeros((3, 3)), 1.0)
    heights = np.full((3, 3), np.nan, dtype=np.float32)
    found = Accumulated(heights.shape)
    found.add(np.zeros((2, 2, 2)), (0, 0), np.ones((3, 3), dtype=np.float32), np.nan, (0.0, 0.0), (1.0, 1.0))
    found.fill(heights)
    hillshade_png(heights, 1.0, 315.0, 45.0)
    slope_png(heights, 1.0)
    contours_png(heights, 1.0)

"""Depression filling and inundation beside their peers, in one run on one raster.

`python benchmarks/flood.py [--size 2000] [--dtm FILE.tif] [--repeat 3]` fills the depressions of a rough surface (or of
a DTM) with `lidar.priority_flood`, with RichDEM (`pip install py-richdem`) and scikit-image's reconstruction by erosion
where they are installed, and finds what a level inundates with `lidar.flood` and with labelled components of SciPy,
which answers for one level and knows no probability. Printed are the best of the repeats in seconds, the ratio of each
peer to ours (above 1: ours is faster) and the largest difference in height, which must be 0. The tiled flood is made of
4 × 4 tiles and must be the same bits.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, label

from gis.crs import normalise
from gis.grid import Grid
from gis.raster import Raster, read_raster
from lidar.flood import inundate
from lidar.flood_tiles import flood_in_tiles
from lidar.ponds import drained_area, find_ponds
from lidar.priority_flood import priority_flood, rim


def best(work: Callable[[], Any], repeat: int) -> tuple[float, Any]:
    """Seconds of the fastest of some runs, after one to compile, and the result."""
    result, fastest = work(), float("inf")
    for _ in range(repeat):
        started = time.perf_counter()
        result = work()
        fastest = min(fastest, time.perf_counter() - started)
    return fastest, result


def surface(size: int) -> Raster:
    random = np.random.default_rng(0)
    z = gaussian_filter(random.normal(size=(size, size)), 8) * 20 + random.normal(size=(size, size)) * 0.02 + 2
    grid = Grid(normalise("EPSG:9210"), 0.5, 1_206_000, 2_382_000, size, size)
    return Raster(z.astype(np.float32), grid, {"sigma": np.full(z.shape, 0.05, dtype=np.float32)})


def richdem(z: NDArray[np.float32]) -> Callable[[], Any] | None:
    try:
        import richdem as rd
    except ImportError:
        return None
    given = rd.rdarray(z, no_data=-9999)
    given.geotransform = (0, 0.5, 0, 0, 0, -0.5)
    return lambda: np.asarray(rd.FillDepressions(given))


def scikit_image(z: NDArray[np.float32]) -> Callable[[], Any] | None:
    try:
        from skimage.morphology import reconstruction
    except ImportError:
        return None
    seed = np.where(rim(z), z, z.max())
    return lambda: reconstruction(seed, z, method="erosion", footprint=np.ones((3, 3)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=2000)
    parser.add_argument("--dtm", type=Path)
    parser.add_argument("--repeat", type=int, default=3)
    chosen = parser.parse_args()
    terrain = surface(chosen.size) if chosen.dtm is None else read_raster(chosen.dtm)
    z = terrain.values
    print(f"{z.shape[0]} × {z.shape[1]} cells")
    ours, flooded = best(lambda: priority_flood(z), chosen.repeat)
    print(f"fill depressions, with ways out: {ours:8.3f} s")
    whole = bool(np.isfinite(z).all())
    for name, peer in (("RichDEM", richdem(z)), ("scikit-image", scikit_image(z))):
        if peer is None or not whole:
            print(f"  {name}: {'not installed' if peer is None else 'left out: cells without height'}")
            continue
        seconds, filled = best(peer, 1 if name == "scikit-image" else chosen.repeat)
        off = float(np.abs(filled - flooded.level).max())
        print(f"  {name}: {seconds:8.3f} s, ratio {seconds / ours:6.2f}, differs by {off:g} m at most")
    level = float(np.nanquantile(z, 0.4))
    edge = rim(z)
    ours, found = best(lambda: inundate(terrain, level, sigma_level=0.1), chosen.repeat)
    print(f"inundate, with probability: {ours:8.3f} s, {found.area:,.0f} m²")

    def components() -> NDArray[np.bool_]:
        parts, _ = label(z <= np.float32(level), structure=np.ones((3, 3)))
        reached = np.unique(parts[edge])
        return np.isin(parts, reached[reached > 0])

    seconds, wet = best(components, chosen.repeat)
    differ = int((wet != (found.threshold <= np.float32(level))).sum())
    print(f"  SciPy, one level: {seconds:8.3f} s, ratio {seconds / ours:6.2f}, {differ} cells differ")
    seconds, ponds = best(lambda: find_ponds(terrain, least_depth=0.1, least_area=5), chosen.repeat)
    print(f"ponds: {seconds:8.3f} s, {len(ponds.ponds):,} of them")
    seconds, _ = best(lambda: drained_area(terrain, flooded), chosen.repeat)
    print(f"drained area (D8): {seconds:8.3f} s")
    rows, columns = (np.linspace(0, n, 5).astype(int) for n in z.shape)

    def read(key: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        window = slice(*rows[key[0] : key[0] + 2]), slice(*columns[key[1] : key[1] + 2])
        return z[window], edge[window]

    keys = [(r, c) for r in range(4) for c in range(4)]
    seconds, tiles = best(lambda: dict(flood_in_tiles(read, keys)), 1)
    same = all(
        np.array_equal(tiles[r, c], flooded.level[rows[r] : rows[r + 1], columns[c] : columns[c + 1]], equal_nan=True)
        for r, c in keys
    )
    print(f"in 16 tiles, each looked at twice: {seconds:8.3f} s, {'the same bits' if same else 'DIFFERS'}")


if __name__ == "__main__":
    main()

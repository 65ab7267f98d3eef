"""Reading LAZ beside laspy with lazrs, on the same files in one run: seconds, ratio, and whether columns are equal.

`python benchmarks/reading.py [FILE…]`; without files, two million simulated points in scan lines are written by laspy
in point formats 1 and 6. Ours gives checked columns in metres, once with the own decoder of formats 6 to 10 and once
with lazrs and its check, compressing again; laspy's time is that of reading and of scaling, nothing is checked.
Each is the best of five, taken in turns.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import laspy
import numpy as np
from pyproj import CRS

from lidar.read import read

POINTS = 2_000_000
ROUNDS = 5
COLUMNS = ("x", "y", "z", "classification", "intensity", "return_number", "point_source_id")


def simulated(path: Path, point_format: int) -> Path:
    """Scan lines over houses, 8 points/m², with times, as a scanner delivers them."""
    rng = np.random.default_rng(5)
    number = np.arange(POINTS)
    line, place = number // 1_000, number % 1_000
    x, y = 0.35 * place + rng.normal(0, 0.02, POINTS), 0.35 * line + rng.normal(0, 0.02, POINTS)
    house = (x % 24 < 12) & (y % 30 < 15)
    las = laspy.LasData(laspy.LasHeader(version="1.4", point_format=point_format))
    las.header.scales, las.header.offsets = np.full(3, 0.001), np.array([600_000.0, 1_190_000.0, 0.0])
    las.header.add_crs(CRS.from_epsg(9210), keep_compatibility=False)
    las.x, las.y = 600_000 + x, 1_190_000 + y
    las.z = 2 + np.where(house, 3 + (x // 24 + y // 30) % 9, 0) + rng.normal(0, 0.03, POINTS)
    las.intensity = rng.integers(200, 3_000, POINTS)
    las.return_number, las.number_of_returns = np.ones((2, POINTS), dtype=np.uint8)
    las.classification = np.where(house, 6, 2)
    las.gps_time = 3e8 + number * 2e-6
    las.write(path)
    return path


def by_laspy(backend: laspy.LazBackend) -> Callable[[Path], dict[str, Any]]:
    def make(path: Path) -> dict[str, Any]:
        with laspy.open(path, laz_backend=backend) as reader:
            las = reader.read()
        return {name: np.asarray(getattr(las, name)) for name in COLUMNS}

    return make


def ours(path: Path) -> dict[str, Any]:
    points = read(path, crs=CRS.from_epsg(9210) if not laspy.open(path).header.parse_crs() else None)
    return {name: getattr(points, name) for name in COLUMNS}


def through_lazrs(path: Path) -> dict[str, Any]:
    """Ours, if there were no own decoder."""
    with patch("lidar.las.points.OWN_VERSION", -1):
        return ours(path)


def main() -> None:
    """Print a line for each reader and file."""
    readers = {
        "diaba": ours,
        "diaba through lazrs": through_lazrs,
        "laspy, lazrs on all cores": by_laspy(laspy.LazBackend.LazrsParallel),
        "laspy, lazrs on one core": by_laspy(laspy.LazBackend.Lazrs),
    }
    with TemporaryDirectory() as folder:
        files = [Path(name) for name in sys.argv[1:]]
        files = files or [simulated(Path(folder) / f"format_{number}.laz", number) for number in (1, 6)]
        for file in files:
            best = dict.fromkeys(readers, np.inf)
            results: dict[str, dict[str, Any]] = {}
            for _ in range(ROUNDS):
                for name, reader in readers.items():
                    began = time.perf_counter()
                    results[name] = reader(file)
                    best[name] = min(best[name], time.perf_counter() - began)
            count = len(results["diaba"]["x"])
            print(f"{file.name}: {count:,} points, {file.stat().st_size / count:.1f} bytes a point")
            for name, seconds in best.items():
                equal = all(np.allclose(results[name][c], results["diaba"][c], rtol=0, atol=1e-6) for c in COLUMNS)
                print(
                    f"  {name:26} {seconds:6.3f} s  {count / seconds / 1e6:5.1f} M points/s  "
                    f"{seconds / best['diaba']:4.2f} × diaba  {'equal' if equal else 'DIFFERENT'}"
                )


if __name__ == "__main__":
    main()

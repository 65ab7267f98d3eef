"""How good each class of the full classification is, and how far its confidence can be trusted.

On a simulated city every return knows what it hit; on labelled surveys (`--labelled`) only the classes their labels
tell apart are counted. Printed are precision, recall and F1 of each class, and of its points the share that is right
by tenths of confidence.

    .venv/bin/python benchmarks/classes.py [--recipe alley] [--seed 5] [--density 8] [--labelled FILE… --crs EPSG:28992]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from gis.crs import normalise
from lidar.accuracy import confidence_table
from lidar.pipeline import classified
from lidar.point_cloud import Class, PointCloud
from lidar.read import read, read_many
from lidar.scene.make import make_scene
from lidar.scene.recipe import read_recipe

TENTHS = np.arange(0, 101, 10)
FEWEST = 20
"""Points that a share is told of."""


def rows(made: PointCloud, truth: NDArray[np.uint8]) -> Iterator[str]:
    """The table's lines, one a class; classes that the truth does not have are left out."""
    told = np.isin(made.classification, np.unique(truth))
    names = {member.value: member.name.lower() for member in Class}
    heads = " ".join(f"{low:>3}–{low + 9:<2}" for low in TENTHS[:-1])
    yield f"{'class':20} {'points':>10} {'prec':>6} {'recall':>6} {'F1':>6}   share right by confidence"
    yield f"{'':53}{heads}"
    for code in [None, *np.unique(truth)]:
        mine = told if code is None else made.classification == code
        right = made.classification == truth
        hit = np.count_nonzero(right & mine)
        precision = hit / max(np.count_nonzero(mine), 1)
        recall = hit / max(np.count_nonzero(told if code is None else truth == code), 1)
        f1 = 2 * precision * recall / max(precision + recall, 1e-9)
        table = confidence_table(made.confidence[mine], right[mine], TENTHS)
        shares = " ".join(f"{share:6.2f}" if n >= FEWEST else f"{'–':>6}" for n, share in table)
        name = "all" if code is None else names.get(int(code), str(code))
        yield f"{name:20} {np.count_nonzero(mine):10,d} {precision:6.3f} {recall:6.3f} {f1:6.3f}   {shares}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="alley", help="of the simulated city")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--density", type=float, default=8.0, help="first returns per m²")
    parser.add_argument("--labelled", nargs="+", type=Path, metavar="FILE", help="surveys with classes, instead")
    parser.add_argument("--crs", help="of files that do not say theirs")
    options = parser.parse_args()
    if options.labelled:
        crs = normalise(options.crs) if options.crs else None
        points = PointCloud.concatenated([read(path, crs=crs) for path in options.labelled])
    else:
        with TemporaryDirectory(prefix="diaba-classes-") as folder:
            make_scene(Path(folder), read_recipe(options.recipe), options.seed, density=options.density)
            points = read_many(sorted((Path(folder) / "truth").rglob("*.laz")))
    truth = points.classification
    made = classified(points.with_classification(np.zeros_like(truth)))
    print(f"{options.labelled or f'recipe {options.recipe}, seed {options.seed}, {options.density:g}/m²'}")
    for row in rows(made, truth):
        print(row)


if __name__ == "__main__":
    main()

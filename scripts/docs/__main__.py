"""Run the examples of the pages and name each place where a page does not show what the program says.

Usage: python -m scripts.docs [--write] [--homes FOLDER] [PAGE.md …]

Without a page all are run. `--write` puts what the program says into the pages. `--homes` keeps the cities the pages
begin with in a folder, so that the next run need not make them. Ends with 1 where something differs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from scripts.docs.faults import PageFault
from scripts.docs.homes import CHECKOUT, Homes
from scripts.docs.page import read_page
from scripts.docs.runner import differences, write


def pages() -> list[Path]:
    """The pages that are run: README.md and those of the users, by name."""
    return [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]


def main() -> int:
    """Run the pages and say what differs."""
    parser = argparse.ArgumentParser(prog="python -m scripts.docs", description=__doc__)
    parser.add_argument("pages", nargs="*", type=Path, metavar="PAGE.md")
    parser.add_argument("--write", action="store_true", help="put what the program says into the pages")
    parser.add_argument(
        "--homes",
        type=Path,
        help="folder that keeps the cities the pages begin with; delete it when what makes them changed",
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="diaba-homes-") as passing:
        homes, found = Homes((asked.homes or Path(passing)).resolve()), 0
        for path in asked.pages or pages():
            started = time.perf_counter()
            try:
                page = read_page(path.resolve())
                if asked.write:
                    told = f"{write(page, homes)} answers written"
                else:
                    here = list(differences(page, homes))
                    found += len(here)
                    for one in here:
                        _say(str(one))
                    told = f"{len(here)} differences"
            except PageFault as fault:
                found += 1
                told = str(fault)
            _say(f"{path.name}: {told} ({time.perf_counter() - started:.1f} s)")
    return 1 if found else 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

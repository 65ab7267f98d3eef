"""What may be wrong with a page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class PageFault(Exception):
    """A page that cannot be run as it is written."""

    def __init__(self, path: Path, line: int, why: str) -> None:
        super().__init__(f"{path}:{line}: {why}")


@dataclass(frozen=True, slots=True)
class Difference:
    """A place where a page does not show what the program says."""

    path: Path
    line: int
    """In the page, from 1."""
    command: str
    shown: str | None
    """The page's line; None where it shows none."""
    said: str | None
    """The program's line; None where it said no more."""

    def __str__(self) -> str:
        told = [f"{self.path}:{self.line}: differs, after `{self.command}`"]
        told.append(f"  the page shows    {'nothing more' if self.shown is None else repr(self.shown)}")
        told.append(f"  the program says  {'nothing more' if self.said is None else repr(self.said)}")
        return "\n".join(told)

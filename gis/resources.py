"""Where the tables, recipes and pipelines that come with diaba are."""

from __future__ import annotations

from pathlib import Path

from gis.errors import NotFound

_PACKAGE = Path(__file__).parent


def resource(*parts: str) -> Path:
    """A file or folder of `data/`, from a checkout or from an installed wheel.

    Raises:
        NotFound: there is no such file.
    """
    for root in (_PACKAGE / "_data", _PACKAGE.parent / "data"):
        path = root.joinpath(*parts)
        if path.exists():
            return path
    raise NotFound("data file", "/".join(parts))

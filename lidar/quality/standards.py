"""What the standards for LIDAR ask of accuracy, out of the tables in `data/accuracy`, where each names its source."""

from __future__ import annotations

import csv
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from gis.resources import resource

Group = Literal["NVA", "VVA"]
"""Non-vegetated or vegetated vertical accuracy."""

D_WITH_STROKE: Final = str.maketrans("đĐ", "dD")
"""Letters that do not come apart into a letter and an accent."""


@dataclass(frozen=True, slots=True)
class QualityLevel:
    """A quality level of the USGS Lidar Base Specification."""

    name: str
    pulses: float
    """Least aggregate nominal pulse density, pulses a square metre."""
    nva_rmse: float
    """Greatest RMSE of the non-vegetated vertical accuracy, metres."""
    smooth_surface: float
    """Greatest RMSD_z of a smooth surface within a swath, metres."""
    swath_overlap: float
    """Greatest RMSD_z between overlapping swaths, metres."""


@lru_cache(maxsize=1)
def land_cover_groups() -> dict[str, Group]:
    """Word of a land cover, as `plain_word` makes it → group."""
    return {plain_word(row["word"]): "NVA" if row["group"] == "NVA" else "VVA" for row in _rows("land_cover.csv")}


@lru_cache(maxsize=1)
def vertical_classes() -> tuple[float, ...]:
    """RMSE_V of the common ASPRS vertical accuracy classes, metres, the best first."""
    return tuple(sorted(float(row["rmse_m"]) for row in _rows("asprs_vertical_classes.csv")))


@lru_cache(maxsize=1)
def quality_levels() -> tuple[QualityLevel, ...]:
    """QL0 to QL3, the best first."""
    return tuple(
        QualityLevel(
            row["level"],
            float(row["pulses_per_m2"]),
            float(row["nva_rmse_m"]),
            float(row["smooth_surface_rmsdz_m"]),
            float(row["swath_overlap_rmsdz_m"]),
        )
        for row in _rows("usgs_quality_levels.csv")
    )


def check_points_required(area: float) -> int:
    """How many check points ASPRS Edition 2 asks for over an area in square metres."""
    steps = [(float(row["up_to_km2"]), int(row["check_points"])) for row in _rows("asprs_check_points.csv")]
    return next(count for most, count in sorted(steps) if area / 1e6 <= most)


def plain_word(text: str) -> str:
    """A word in lower case, without accents, with single blanks for blanks, underscores and hyphens."""
    bare = unicodedata.normalize("NFKD", text.translate(D_WITH_STROKE))
    letters = "".join(letter for letter in bare if not unicodedata.combining(letter))
    return " ".join(letters.lower().replace("_", " ").replace("-", " ").split())


def _rows(name: str) -> list[dict[str, str]]:
    with resource("accuracy", name).open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))

"""Names and colours of the commoner LAS classes, for tables and pictures of a survey as it was delivered."""

from __future__ import annotations

from typing import Final

CLASS_NAMES: Final = {
    0: "never classified",
    1: "unclassified",
    2: "ground",
    3: "low vegetation",
    4: "medium vegetation",
    5: "high vegetation",
    6: "building",
    7: "low noise",
    9: "water",
    10: "rail",
    11: "road",
    12: "overlap",
    14: "wire",
    15: "tower",
    17: "bridge deck",
    18: "high noise",
}
"""Code → name (LAS 1.4 R15, tables 9 and 17)."""
CLASS_COLOURS: Final = {
    0: "#c8c8c8",
    1: "#a0a0a0",
    2: "#b08050",
    3: "#a6d96a",
    4: "#66bd63",
    5: "#1a7a37",
    6: "#d6604d",
    7: "#ff00ff",
    9: "#4393c3",
    10: "#8c6d5a",
    11: "#707070",
    12: "#d9d9f0",
    14: "#ffd700",
    15: "#ff8c00",
    17: "#5e3c99",
    18: "#e000e0",
}
"""Code → colour."""


def name_and_colour(code: int) -> tuple[str, str]:
    """Of a class; all other codes share one."""
    return CLASS_NAMES.get(code, "other"), CLASS_COLOURS.get(code, "#000000")

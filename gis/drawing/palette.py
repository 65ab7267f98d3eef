"""The colours and signs of all pictures, told apart by everybody.

Single colours are those of Okabe, M. and Ito, K. (2008): Color Universal Design, https://jfly.uni-koeln.de/color/,
which people with any of the usual colour vision deficiencies tell apart; ramps change in lightness all along. What
differs in colour also differs in its sign, so that nothing is told by colour alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

BLACK, GREY, LIGHT, PAPER, INK = "#000000", "#6c757d", "#c3c9cf", "#ffffff", "#22302f"
ORANGE, SKY, GREEN, YELLOW = "#e69f00", "#56b4e9", "#009e73", "#f0e442"
BLUE, VERMILION, PURPLE = "#0072b2", "#d55e00", "#cc79a7"


class Look(NamedTuple):
    """How a kind of thing is shown."""

    colour: str
    sign: str
    """A marker of matplotlib."""
    title_vi: str
    title: str

    @property
    def label(self) -> str:
        """For a legend."""
        return f"{self.title_vi} · {self.title}"


DIFFERENCES: Mapping[str, Look] = MappingProxyType(
    {
        "no_permit": Look(VERMILION, "s", "không thấy giấy phép", "no permit found"),
        "storeys": Look(BLUE, "^", "cao hơn giấy phép", "taller than permitted"),
        "footprint": Look(PURPLE, "D", "ngoài phạm vi giấy phép", "outside the permitted outline"),
        "parcel_line": Look(GREEN, "o", "vượt ranh thửa", "over the parcel line"),
        "setback": Look(ORANGE, "v", "vào khoảng lùi", "into the setback"),
        "reserve": Look(YELLOW, "P", "trong lộ giới", "in the road's reserve"),
        "zone": Look(SKY, "*", "vượt chỉ tiêu quy hoạch", "over the zone's limits"),
        "ground_level": Look(SKY, "_", "khác cốt nền", "off the levelling height"),
        "demolished": Look(BLACK, "X", "đã phá dỡ", "gone, though registered"),
        "standing": Look(BLACK, "p", "chưa phá dỡ", "still standing"),
        "unfinished": Look(GREY, "h", "chưa hoàn thành", "not finished in time"),
    }
)
"""Each kind of difference to inspect. None is a finding against anybody, so none is called an offence."""
CLASSES: Mapping[int, Look] = MappingProxyType(
    {
        2: Look("#b99a63", ".", "mặt đất", "ground"),
        3: Look("#b5e3d2", ".", "cây thấp", "low vegetation"),
        4: Look("#5cc3a2", ".", "cây vừa", "medium vegetation"),
        5: Look(GREEN, ".", "cây cao", "high vegetation"),
        6: Look(VERMILION, ".", "công trình", "building"),
        7: Look(PURPLE, "x", "nhiễu thấp", "low noise"),
        9: Look(BLUE, ".", "mặt nước", "water"),
        14: Look(ORANGE, ".", "dây điện", "wire"),
        15: Look(ORANGE, "+", "cột điện", "tower"),
        17: Look(BLACK, ".", "mặt cầu", "bridge deck"),
        18: Look(PURPLE, "x", "nhiễu cao", "high noise"),
    }
)
"""Classes of points (LAS 1.4, table 17); others are grey."""
OTHER_CLASS = Look("#9aa3ab", ".", "khác", "other")

SERIES = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION, YELLOW, BLACK)
"""Of several lines or bars, in this order."""
HEIGHT_STEPS = (0.0, 6.0, 12.0, 20.0, 40.0, 100.0)
HEIGHT_COLOURS = ("#f3ead3", "#e3c98f", "#c99a5b", "#9a6a48", "#5b4350", "#2f2a4a")
"""Metres above ground from which a colour holds; the viewer's map has the same."""
DEPTH_COLOURS = ("#d6ecfa", "#9ccbe8", "#4c9ccf", "#0072b2", "#08306b")
"""Of water over ground, shallow to deep."""
TERRAIN_RAMP = "cividis"
"""The ramp of matplotlib for ground heights."""
UNKNOWN_COLOUR = "#b9bdbb"
"""What was not measured."""


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue of "#rrggbb", 0 to 255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)

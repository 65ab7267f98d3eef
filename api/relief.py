"""Heights as pictures: shaded relief in colours of height, slope, lines, and heights coded as colours for 3D terrain.

Each function takes heights (rows + 2, columns + 2), metres, with one more place all round that slopes look at, and
gives a PNG of (rows, columns). All but the codes have a palette: a quarter of the bytes to compress.
"""

from __future__ import annotations

from functools import lru_cache
from math import sin

import numpy as np
from numpy.typing import NDArray

from api.png import palette_png, rgba_png
from lidar.drawn_contours import SHADES, drawn_contours
from lidar.hillshade import shade
from lidar.slope import gradients_of

Ramp = tuple[tuple[float, tuple[int, int, int]], ...]

RAMP: Ramp = (
    (-5.0, (38, 84, 124)),
    (0.0, (90, 150, 178)),
    (1.5, (166, 206, 200)),
    (3.0, (196, 219, 176)),
    (6.0, (223, 226, 178)),
    (12.0, (236, 217, 169)),
    (30.0, (214, 178, 132)),
    (100.0, (170, 132, 100)),
    (500.0, (240, 240, 240)),
)
"""Height above the datum (m) → colour. Absolute, so that neighbouring tiles agree; finest where a delta city floods."""
ABOVE_GROUND: Ramp = (
    (0.0, (247, 247, 243)),
    (2.0, (222, 235, 205)),
    (5.0, (160, 208, 150)),
    (10.0, (252, 214, 120)),
    (20.0, (240, 140, 80)),
    (50.0, (190, 50, 90)),
    (150.0, (80, 20, 100)),
)
"""Height above the ground (m) → colour: a shrub, a house, a tree or five storeys, a tower."""
STEEPNESS: Ramp = (
    (0.0, (255, 255, 255)),
    (5.0, (254, 240, 200)),
    (15.0, (253, 190, 110)),
    (30.0, (227, 90, 60)),
    (60.0, (140, 20, 70)),
    (90.0, (40, 0, 40)),
)
"""Degrees → colour."""
LINE_COLOUR = (120, 70, 30)
DARKEST, BRIGHTEST = 0.45, 1.15
"""What a slope in full shade keeps of its colour, and what one that faces the sun gains."""
HEIGHTS_A_STEP, LIGHTS = 16, 64
"""Colours between two of a ramp, and degrees of light, at the finest; a picture has as many as its palette holds."""
PALETTE = 255
"""Colours beside the transparent one."""
RGB_ZERO, RGB_STEP = -10_000.0, 0.1
"""Terrain-RGB: height = −10 000 m + 0.1 m · (65 536 R + 256 G + B)."""
TERRARIUM_ZERO, TERRARIUM_STEP = -32_768.0, 1 / 256
"""Terrarium: height = −32 768 m + 256 m · R + 1 m · G + B / 256 m."""


def hillshade_png(heights: NDArray[np.float32], resolution: float, azimuth: float, altitude: float) -> bytes:
    """Light alone, in greys: 1 (dark) – 255 (lit), 0 (transparent) where nothing is known.

    Args:
        heights: see above.
        resolution: metres on the ground between two places; an exaggeration divides it.
        azimuth: where the sun stands, degrees clockwise from north.
        altitude: degrees above the horizon.
    """
    return palette_png(_light(heights, resolution, azimuth, altitude), _greys())


def relief_png(
    heights: NDArray[np.float32], resolution: float, azimuth: float, altitude: float, ramp: Ramp = RAMP
) -> bytes:
    """Colours of height, lit; transparent where nothing is known. Arguments as of `hillshade_png`."""
    light = _light(heights, resolution, azimuth, altitude)
    steps = [height for height, _ in ramp]
    inner = heights[1:-1, 1:-1]
    known = light > 0
    level = np.interp(np.where(known, inner, steps[0]), steps, HEIGHTS_A_STEP * np.arange(len(ramp))) + 0.5
    # A level place keeps its colour; the rest is darker or lighter than that.
    relative = np.clip((light.astype(np.float32) - 1) / np.float32(254 * sin(np.radians(altitude))), 0.0, BRIGHTEST)
    number = np.rint(relative * ((LIGHTS - 1) / BRIGHTEST)).astype(np.uint16)
    return _joint_palette(level.astype(np.uint16), number, known, ramp)


def slope_png(heights: NDArray[np.float32], resolution: float) -> bytes:
    """Degrees of slope as colours, in steps of a third of a degree; transparent where it is not known."""
    east, north = gradients_of(heights, resolution)
    degrees = np.degrees(np.arctan(np.hypot(east, north)))[1:-1, 1:-1]
    indices = np.nan_to_num(1 + np.rint(degrees * ((PALETTE - 1) / 90)), nan=0.0).astype(np.uint8)
    return palette_png(indices, _slope_colours())


def contours_png(heights: NDArray[np.float32], interval: float) -> bytes:
    """Contour lines on a transparent ground, every fifth one bold."""
    return palette_png(np.ascontiguousarray(drawn_contours(heights, interval)[1:-1, 1:-1]), _line_colours())


def coded_png(heights: NDArray[np.float32], zero: float, step: float) -> bytes:
    """Heights as 24 bits of colour: height = zero + step · (65 536 R + 256 G + B). The unknown is 0 m, transparent.

    Clients that build a surface of it do not look at transparency, so the unknown must still be a sane height.
    """
    inner = heights[1:-1, 1:-1]
    code = np.rint((np.nan_to_num(inner.astype(np.float64)) - zero) / step)
    code = np.clip(code, 0, 256**3 - 1).astype(np.uint32)
    opacity = np.where(np.isnan(inner), 0, 255).astype(np.uint32)
    # The bytes of a big-endian number are red, green, blue, opacity.
    return rgba_png(((code << 8) | opacity).astype(">u4").view(np.uint8).reshape(*inner.shape, 4))


def clear_png(size: int) -> bytes:
    """A transparent picture."""
    return palette_png(np.zeros((size, size), dtype=np.uint8), np.zeros((1, 4), dtype=np.uint8))


def clear_code_png(size: int, zero: float, step: float) -> bytes:
    """A transparent picture of coded heights: 0 m everywhere."""
    return coded_png(np.full((size + 2, size + 2), np.nan, dtype=np.float32), zero, step)


def _light(heights: NDArray[np.float32], resolution: float, azimuth: float, altitude: float) -> NDArray[np.uint8]:
    """`shade` without the margin; a place whose neighbours are not known is lit as a level one."""
    light = np.ascontiguousarray(shade(heights, resolution, azimuth, altitude)[1:-1, 1:-1])
    light[(light == 0) & ~np.isnan(heights[1:-1, 1:-1])] = round(1 + 254 * sin(np.radians(altitude)))
    return light


def _joint_palette(level: NDArray[np.uint16], light: NDArray[np.uint16], known: NDArray[np.bool_], ramp: Ramp) -> bytes:
    """A picture whose palette holds the pairs of height and light that occur, as finely as it can."""
    levels = HEIGHTS_A_STEP * (len(ramp) - 1) + 1
    coarser = 0, 0
    counts = np.bincount((level * np.uint16(LIGHTS) + light)[known], minlength=levels * LIGHTS).reshape(levels, LIGHTS)
    while True:
        wide, long = (1 << shift for shift in coarser)
        padded = np.zeros((-(-levels // wide) * wide, LIGHTS), dtype=np.int64)
        padded[:levels] = counts
        occurs = padded.reshape(padded.shape[0] // wide, wide, LIGHTS // long, long).any(axis=(1, 3))
        pairs = np.argwhere(occurs)
        if len(pairs) <= PALETTE:
            break
        coarser = (coarser[0], coarser[1] + 1) if coarser[1] <= coarser[0] else (coarser[0] + 1, coarser[1])
    table = np.zeros(occurs.shape, dtype=np.uint8)
    table[occurs] = 1 + np.arange(len(pairs))
    indices = np.where(known, table[level >> coarser[0], light >> coarser[1]], np.uint8(0))
    at = ((pairs[:, 0] + 0.5) * wide - 0.5) / HEIGHTS_A_STEP
    shine = DARKEST + (1 - DARKEST) * ((pairs[:, 1] + 0.5) * long - 0.5) * (BRIGHTEST / (LIGHTS - 1))
    bands = [np.interp(at, range(len(ramp)), [colour[band] for _, colour in ramp]) * shine for band in range(3)]
    colours = np.zeros((len(pairs) + 1, 4), dtype=np.uint8)
    colours[1:, :3] = np.clip(np.rint(np.stack(bands, axis=1)), 0, 255)
    colours[1:, 3] = 255
    return palette_png(indices.astype(np.uint8), colours)


@lru_cache(maxsize=1)
def _greys() -> NDArray[np.uint8]:
    grey = np.arange(256, dtype=np.uint8)
    return np.stack([grey, grey, grey, np.where(grey > 0, 255, 0).astype(np.uint8)], axis=1)


@lru_cache(maxsize=1)
def _slope_colours() -> NDArray[np.uint8]:
    degrees = np.arange(PALETTE) * (90 / (PALETTE - 1))
    steps = [step for step, _ in STEEPNESS]
    colours = np.zeros((PALETTE + 1, 4), dtype=np.uint8)
    for band in range(3):
        colours[1:, band] = np.rint(np.interp(degrees, steps, [colour[band] for _, colour in STEEPNESS]))
    colours[1:, 3] = 255
    return colours


@lru_cache(maxsize=1)
def _line_colours() -> NDArray[np.uint8]:
    colours = np.zeros((2 * SHADES + 1, 4), dtype=np.uint8)
    colours[1:, :3] = LINE_COLOUR
    cover = 255 * np.arange(1, SHADES + 1) / SHADES
    colours[1 : SHADES + 1, 3] = np.rint(cover * 0.75)
    colours[SHADES + 1 :, 3] = np.rint(cover)
    return colours

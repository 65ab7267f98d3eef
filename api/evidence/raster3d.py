"""A small rasteriser with a depth buffer: triangles, lines and dots in parallel projection, into an RGB picture.

Parallel lines stay parallel and lengths of one direction comparable, as a drawing that proves something needs; what
lies behind something is hidden pixel by pixel, which painters' orders of whole faces do not get right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class View:
    """Where is looked from: the azimuth the eye looks to, clockwise from north, and how far down, degrees."""

    azimuth: float
    down: float

    def turned(self, places: Floats) -> Floats:
        """(n, 3) metres → right, up, and away from the eye."""
        a, d = np.radians(self.azimuth), np.radians(self.down)
        right = np.array([np.cos(a), -np.sin(a), 0.0])
        away = np.array([np.sin(a) * np.cos(d), np.cos(a) * np.cos(d), -np.sin(d)])
        up = np.cross(right, away)
        found: Floats = places @ np.stack([right, up, away], axis=1)
        return found


class Canvas:
    """A white picture of rows and columns, with the depth and the height of what each pixel shows."""

    def __init__(self, view: View, shown: Floats, rows: int, columns: int, margin: int = 24) -> None:
        """Make room for places (n, 3), metres."""
        self.view = view
        flat = view.turned(shown)[:, :2]
        low, high = flat.min(axis=0), flat.max(axis=0)
        room = np.array([columns - 2 * margin, rows - 2 * margin], dtype=np.float64)
        self.scale = float((room / np.maximum(high - low, 1e-6)).min())
        self._offset = np.array([columns, rows]) / 2 - self.scale * (low + high) / 2
        self.colour = np.full((rows, columns, 3), 255, np.uint8)
        self.depth = np.full((rows, columns), np.inf)
        self.height = np.full((rows, columns), np.nan)

    def placed(self, places: Floats) -> Floats:
        """(n, 3) metres → column, row, depth."""
        turned = self.view.turned(places)
        found = np.column_stack([self.scale * turned[:, :2] + self._offset, turned[:, 2]])
        found[:, 1] = self.colour.shape[0] - found[:, 1]
        return found

    def triangles(self, corners: Floats, colours: NDArray[np.uint8], *, opacity: float = 1.0) -> NDArray[np.bool_]:
        """Fill triangles (t, 3, 3) with colours (t, 3); opaque ones hide what is behind. Which pixels were hit."""
        hit = np.zeros(self.depth.shape, bool)
        placed = self.placed(corners.reshape(-1, 3)).reshape(-1, 3, 3)
        for triangle, world, colour in zip(placed, corners, colours, strict=True):
            found = self._covered(triangle)
            if found is None:
                continue
            rows, columns, weights = found
            depth = weights @ triangle[:, 2]
            nearer = depth < self.depth[rows, columns]
            rows, columns, weights = rows[nearer], columns[nearer], weights[nearer]
            if opacity < 1:
                mixed = (1 - opacity) * self.colour[rows, columns] + opacity * colour.astype(np.float64)
                self.colour[rows, columns] = np.rint(mixed).astype(np.uint8)
            else:
                self.colour[rows, columns] = colour
                self.depth[rows, columns] = depth[nearer]
                self.height[rows, columns] = weights @ world[:, 2]
            hit[rows, columns] = True
        return hit

    def _covered(self, triangle: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats] | None:
        """Rows and columns of pixels with their middle in a triangle, and the weights (p, 3) of its corners there."""
        rows, columns = self.depth.shape
        low = np.maximum(np.floor(triangle[:, :2].min(axis=0)).astype(int), 0)
        high = np.minimum(np.ceil(triangle[:, :2].max(axis=0)).astype(int), [columns, rows])
        (x0, y0), (x1, y1), (x2, y2) = triangle[:, :2]
        twice = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if (low >= high).any() or abs(twice) < 1e-9:
            return None
        x, y = np.meshgrid(np.arange(low[0], high[0]) + 0.5, np.arange(low[1], high[1]) + 0.5)
        second = ((x - x0) * (y2 - y0) - (x2 - x0) * (y - y0)) / twice
        third = ((x1 - x0) * (y - y0) - (x - x0) * (y1 - y0)) / twice
        inside = (second >= -1e-9) & (third >= -1e-9) & (second + third <= 1 + 1e-9)
        at_rows, at_columns = np.nonzero(inside)
        weights = np.column_stack([1 - second[inside] - third[inside], second[inside], third[inside]])
        return at_rows + low[1], at_columns + low[0], weights

    def line(
        self,
        start: Floats,
        end: Floats,
        colour: tuple[int, int, int],
        *,
        thick: int = 2,
        dash: tuple[int, int] | None = None,
        bias: float = 0.1,
    ) -> None:
        """A line between two places, hidden where something is nearer by more than the bias, metres."""
        (x0, y0, d0), (x1, y1, d1) = self.placed(np.array([start, end]))
        steps = max(int(np.hypot(x1 - x0, y1 - y0) * 1.5), 1)
        share = np.linspace(0, 1, steps + 1)
        if dash is not None:
            share = share[(np.arange(steps + 1) / 1.5) % sum(dash) < dash[0]]
        self._stamp(x0 + share * (x1 - x0), y0 + share * (y1 - y0), d0 + share * (d1 - d0), colour, thick, bias)

    def dots(self, places: Floats, colour: tuple[int, int, int], *, thick: int = 2, bias: float = 0.3) -> None:
        """Squares of so many pixels at places (n, 3)."""
        if len(places):
            x, y, depth = self.placed(places).T
            self._stamp(x, y, depth, colour, thick, bias)

    def _stamp(
        self, x: Floats, y: Floats, depth: Floats, colour: tuple[int, int, int], thick: int, bias: float
    ) -> None:
        rows, columns = self.depth.shape
        for across in range(thick):
            for down in range(thick):
                column = np.floor(x + across - (thick - 1) / 2).astype(int)
                row = np.floor(y + down - (thick - 1) / 2).astype(int)
                inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
                row, column, near = row[inside], column[inside], depth[inside]
                seen = near - bias < self.depth[row, column]
                self.colour[row[seen], column[seen]] = colour

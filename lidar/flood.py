"""What a risen water level puts under water: only what the water can reach, and how sure that is.

"Bathtub with connectivity" (Poulter and Halpin 2008, "Raster modelling of coastal flooding from sea-level rise",
International Journal of Geographical Information Science 22): land below the level is dry behind a dike that is higher.
By priority-flood from where the water comes in, each cell has the one level from which on it is reached, so one pass
answers for all levels. It is a still water: neither time, nor waves, nor pumps and closed gates, nor culverts that the
terrain does not show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize, shapes
from scipy.ndimage import label
from scipy.special import ndtr
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from gis.errors import BadParameter
from gis.grid import Grid
from gis.raster import Raster
from lidar.ponds import label_ponds
from lidar.priority_flood import STEPS, Flooded, priority_flood, rim

LEVEL_MOST = 9000.0
"""m: no water of the Earth stands higher."""
OPEN_WATER_LEAST = 200.0
"""m² of one height that are taken for open water: DTMs are levelled over water, land never is to the millimetre."""
SAME_HEIGHT = 0.001


@dataclass(frozen=True, slots=True)
class Inundation:
    """Land under water at a level."""

    grid: Grid
    threshold: NDArray[np.float32]
    """(rows, columns) m above the datum, or above the surface of levels: from where on water reaches the cell."""
    depth: NDArray[np.float32]
    """(rows, columns) m of water; 0 where it is dry, NaN where nothing is known."""
    probability: NDArray[np.float32]
    """(rows, columns) that the cell is under water, for normal errors of terrain and level; NaN where unknown.

    A cell behind a dike is as sure as the height of the dike where it is lowest.
    """

    @property
    def raster(self) -> Raster:
        """Depth, with the bands `probability` and `threshold`."""
        return Raster(self.depth, self.grid, {"probability": self.probability, "threshold": self.threshold})

    @property
    def area(self) -> float:
        """m² under water."""
        return float(np.count_nonzero(self.depth > 0) * self.grid.resolution**2)

    @property
    def volume(self) -> float:
        """m³ of water above the ground."""
        return float(np.nansum(self.depth, dtype=np.float64) * self.grid.resolution**2)

    @property
    def expected_area(self) -> float:
        """m²: the sum of the probabilities."""
        return float(np.nansum(self.probability, dtype=np.float64) * self.grid.resolution**2)


def inundate(
    terrain: Raster,
    level: float | Raster,
    *,
    sigma_level: float = 0.0,
    sources: NDArray[np.bool_] | None = None,
    neighbours: int = 8,
) -> Inundation:
    """Put the land under water that a level reaches.

    Args:
        terrain: heights of the ground, m, with the band `sigma` where it is known (without it 0).
        level: of the water, m above the terrain's datum; or a raster of levels on the terrain's grid. Where a raster
            has none, no water comes.
        sigma_level: 1σ of the level, m, of all cells at once.
        sources: where water comes in; the edges of what is known without them. Land on an edge is then open to it.
        neighbours: 8 (water passes between two cells that touch at a corner: never too little) or 4.

    Raises:
        BadParameter: a level or σ makes no sense, or grids differ.
    """
    _check(terrain, level, sigma_level, sources)
    levels = level.values if isinstance(level, Raster) else np.float32(level)
    # Above the water's surface; so a sloping one is as easy as a level one.
    heights = terrain.values - levels
    came_in = rim(heights) if sources is None else sources
    flooded = priority_flood(heights, came_in, neighbours=neighbours)
    # Where no water can come at all the cell is dry for sure.
    reach = np.where(np.isnan(flooded.level) & np.isfinite(terrain.values), np.float32(np.inf), flooded.level)
    depth = np.where(reach <= 0, -heights, np.where(np.isnan(reach), np.float32(np.nan), np.float32(0)))
    sigma = terrain.bands.get("sigma")
    spread = _sigma_of_pass(flooded, heights, sigma) if sigma is not None else np.zeros_like(heights)
    total = np.hypot(spread, np.float32(sigma_level))
    with np.errstate(divide="ignore", invalid="ignore"):
        sure = np.where(reach <= 0, np.float32(1), np.float32(0))
        chance = np.where(total > 0, ndtr(-reach / total), sure)
    chance[np.isnan(reach)] = np.nan
    above = reach + levels
    above[~np.isfinite(above)] = np.nan
    return Inundation(
        terrain.grid,
        np.asarray(above, dtype=np.float32),
        np.asarray(depth, dtype=np.float32),
        np.asarray(chance, dtype=np.float32),
    )


def open_water(terrain: Raster, least_area: float = OPEN_WATER_LEAST) -> NDArray[np.bool_]:
    """(rows, columns) cells of one height, to the millimetre, over at least an area: levelled water of a DTM.

    Water that slopes is not found, and a level that a program filled in over a gap may be: look at it.
    """
    z = terrain.values
    with np.errstate(invalid="ignore"):
        along, down = np.abs(np.diff(z, axis=1)) < SAME_HEIGHT, np.abs(np.diff(z, axis=0)) < SAME_HEIGHT
    level = np.zeros(z.shape, dtype=bool)
    level[:, 1:] |= along
    level[:, :-1] |= along
    level[1:] |= down
    level[:-1] |= down
    both = np.zeros_like(level)
    both[:-1, :-1] = along[:-1] & down[:, :-1]
    labels, _ = label(both)
    cells = np.bincount(labels.ravel())
    cells[0] = 0
    found = cells[labels] * terrain.grid.resolution**2 >= least_area
    # Each of these squares stands for its upper left corner: its others belong to the water as well.
    found[1:] |= found[:-1].copy()
    found[:, 1:] |= found[:, :-1].copy()
    return np.asarray(found & level, dtype=bool)


def outer_water(terrain: Raster, least_area: float = OPEN_WATER_LEAST) -> NDArray[np.bool_]:
    """(rows, columns) open water that runs off the map, by which a tide comes in; the edges where there is none."""
    edge = rim(terrain.values)
    labels, _ = label(open_water(terrain, least_area), structure=np.ones((3, 3)), output=np.int32)
    outer = np.unique(labels[edge])
    found = np.isin(labels, outer[outer > 0])
    return found if found.any() else edge


def sources_in(terrain: Raster, polygons: Sequence[BaseGeometry | None]) -> NDArray[np.bool_]:
    """(rows, columns) cells that polygons or lines in the terrain's CRS touch: where water comes in.

    Raises:
        BadParameter: none of them touches the terrain.
    """
    told = [one for one in polygons if one is not None and not one.is_empty]
    grid = terrain.grid
    found = np.zeros(grid.shape, dtype=bool)
    if told:
        burnt = rasterize(told, out_shape=grid.shape, transform=grid.transform, all_touched=True, dtype="uint8")
        found = (burnt > 0) & np.isfinite(terrain.values)
    if not found.any():
        raise BadParameter("sources", len(told), f"none of them touches the known terrain, {grid.bounds.tuple}")
    return found


def water_areas(found: Inundation, *, least_area: float = 0.0) -> list[tuple[BaseGeometry, float, float]]:
    """The areas under water as (polygon along cell edges, mean depth m, volume m³), the largest first.

    Args:
        found: the inundation.
        least_area: m²; smaller puddles are left out.
    """
    wet = found.depth > 0
    labels, count = label(wet, structure=np.ones((3, 3)), output=np.int32)
    if count == 0:
        return []
    cell = found.grid.resolution**2
    cells = np.bincount(labels.ravel(), minlength=count + 1)
    depths = np.bincount(labels.ravel(), weights=np.nan_to_num(found.depth).ravel(), minlength=count + 1)
    kept = cells * cell >= least_area
    kept[0] = False
    parts: dict[int, list[BaseGeometry]] = {}
    for outline, number in shapes(labels, mask=kept[labels], connectivity=4, transform=found.grid.transform):
        parts.setdefault(int(number), []).append(shape(outline))
    made = [(shapely.union_all(one), int(number)) for number, one in parts.items()]
    areas = [(area, float(depths[n] / cells[n]), float(depths[n] * cell)) for area, n in made]
    return sorted(areas, key=lambda area: (-area[0].area, area[0].bounds))


def _check(terrain: Raster, level: float | Raster, sigma_level: float, sources: NDArray[np.bool_] | None) -> None:
    if isinstance(level, Raster):
        if level.grid != terrain.grid:
            raise BadParameter("level", level.grid.bounds.tuple, f"lies on another grid than the terrain, "
                               f"{terrain.grid.bounds.tuple} in cells of {terrain.grid.resolution:g} m")  # fmt: skip
    elif not abs(level) <= LEVEL_MOST:
        raise BadParameter("level", level, f"a level lies within ±{LEVEL_MOST:g} m of the datum")
    if not 0 <= sigma_level <= LEVEL_MOST:
        raise BadParameter("sigma_level", sigma_level, "a standard deviation in metres is 0 or more")
    if sources is not None and sources.shape != terrain.grid.shape:
        raise BadParameter("sources", sources.shape, f"the terrain has the shape {terrain.grid.shape}")


def _sigma_of_pass(flooded: Flooded, heights: NDArray[np.float32], sigma: NDArray[np.float32]) -> NDArray[np.float32]:
    """σ of the cell whose height decides when water comes: the cell's own, or of the lowest place on the way to it."""
    labels, count = label_ponds(flooded.level - heights)
    own = np.nan_to_num(sigma)
    if count == 0:
        return own
    first = np.zeros(count, dtype=np.int64)
    numbers = labels.ravel()
    wet = np.flatnonzero(numbers)
    first[numbers[wet[::-1]] - 1] = wet[::-1]
    return np.where(labels > 0, np.concatenate(([0.0], own.ravel()[_out(first, flooded, labels)]))[labels], own).astype(
        np.float32
    )


def _out(cells: NDArray[np.int64], flooded: Flooded, labels: NDArray[np.int32]) -> NDArray[np.int64]:
    """The cells outside of their ponds to which the ways from these lead, all flat indices."""
    columns, ways, numbers = labels.shape[1], flooded.way.ravel(), labels.ravel()
    offsets = STEPS @ np.array([columns, 1])
    found = cells.copy()
    inside = np.arange(len(cells))
    while len(inside):
        found[inside] += offsets[ways[found[inside]]]
        inside = inside[numbers[found[inside]] > 0]
    return found

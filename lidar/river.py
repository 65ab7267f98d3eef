"""Rivers that fall: water levels along a river's line made monotone, over its whole length.

A terrain has each piece of water on its own level (`lidar.water_level`); along a river the levels of pieces measured in
other strips, at other tides or hours, go up and down by decimetres, and a flow over the terrain would stand before each
step. Here the levels along a given line are replaced by the closest ones, in the least squares, that never rise
downstream: isotonic regression by pooling adjacent violators (Barlow et al. 1972, Statistical Inference under Order
Restrictions). Which end is downstream is what the levels say, not how the line was drawn. This is global along the
river and therefore done on the finished terrain, not in tiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import CRS
from scipy.optimize import isotonic_regression
from shapely.geometry import LineString

from gis.crs import horizontal, normalise, transformer
from gis.errors import BadParameter, MissingCrs, UnreadableFile
from gis.raster import Raster

STATION = 10.0
"""Metres along the line that share one level before it is made to fall."""
LINES = (int(shapely.GeometryType.LINESTRING), int(shapely.GeometryType.MULTILINESTRING))
FARTHEST = 300.0
"""Metres from the line to the farthest water that is the river's: half the width of the Saigon at its mouth."""


class _Course(NamedTuple):
    """Levels along one line, from its beginning."""

    place: NDArray[np.float64]
    """(k,) metres from the line's beginning."""
    level: NDArray[np.float64]
    """(k,) metres, never rising in one of the two directions."""


def read_rivers(path: Path | str, crs: CRS) -> tuple[LineString, ...]:
    """The lines of a vector file, in a CRS.

    Args:
        path: any vector file OGR knows; its first layer.
        crs: that the lines are wanted in; only its horizontal part counts.

    Raises:
        UnreadableFile: the file is missing or damaged, or holds no line.
        MissingCrs: it does not say its CRS.
    """
    if not Path(path).exists():
        raise UnreadableFile(path, "there is no such file")
    try:
        meta, _, encoded, _ = pyogrio.raw.read(path, force_2d=True, columns=[])
    except (DataSourceError, DataLayerError, RuntimeError, ValueError) as error:
        raise UnreadableFile(path, f"not a readable vector file ({' '.join(str(error).split())})") from error
    geometries = np.array([] if encoded is None else shapely.from_wkb(encoded, on_invalid="ignore"), dtype=object)
    drawn = geometries[np.isin(shapely.get_type_id(geometries), LINES)]
    lines = [line for line in shapely.get_parts(shapely.line_merge(drawn)) if line.length > 0]
    if not lines:
        raise UnreadableFile(path, "it holds no line; rivers are given by their middle lines")
    if not meta["crs"]:
        raise MissingCrs(path)
    own, target = horizontal(normalise(meta["crs"])), horizontal(crs)
    if own == target:
        return tuple(lines)
    move = transformer(own, target)
    return tuple(LineString(np.column_stack(move.transform(*line.xy))) for line in lines)


def let_fall(dtm: Raster, rivers: Sequence[LineString], farthest: float = FARTHEST) -> Raster:
    """The terrain with water that never rises downstream along each river.

    Args:
        dtm: heights with the bands `sigma` and `water` (1 where a cell lies in water), metres.
        rivers: middle lines, in the terrain's CRS; a cell belongs to the nearest.
        farthest: metres from a line to water that is its river's.

    Returns:
        The same without the band `water`; where a level was moved, σ is widened by how far.

    Raises:
        BadParameter: there is no band `water`, or the distance is no length.
    """
    if "water" not in dtm.bands:
        raise BadParameter("dtm", sorted(dtm.bands), "has no band that says where water is")
    if not (isfinite(farthest) and farthest > 0):
        raise BadParameter("farthest", farthest, "metres, more than 0")
    bands = {name: band for name, band in dtm.bands.items() if name != "water"}
    values = dtm.values.copy()
    row, column = np.nonzero((dtm.bands["water"] == 1) & np.isfinite(values))
    if len(rivers) and len(row):
        x, y = dtm.grid.centres()
        cells = np.asarray(shapely.points(x[column], y[row]))
        which, river = shapely.STRtree(list(rivers)).query_nearest(cells, max_distance=farthest, all_matches=False)
        for number, line in enumerate(rivers):
            own = which[river == number]
            if len(own):
                at = np.asarray(shapely.line_locate_point(line, cells[own]))
                course = _course(at, values[row[own], column[own]])
                values[row[own], column[own]] = np.interp(at, course.place, course.level)
    if "sigma" in bands:
        bands["sigma"] = np.hypot(bands["sigma"], values - dtm.values)
    return Raster(values, dtm.grid, bands)


def _course(at: NDArray[np.float64], level: NDArray[np.float32]) -> _Course:
    """Levels at the stations of a line, falling towards the end they fall towards by the smaller correction."""
    station = np.floor(at / STATION).astype(np.int64)
    stations, of_cell = np.unique(station, return_inverse=True)
    weight = np.bincount(of_cell).astype(np.float64)
    mean = np.bincount(of_cell, level.astype(np.float64)) / weight
    fits = [isotonic_regression(mean, weights=weight, increasing=up).x for up in (False, True)]
    costs = [float((weight * (fit - mean) ** 2).sum()) for fit in fits]
    return _Course(
        np.asarray((stations + 0.5) * STATION, dtype=np.float64),
        np.asarray(fits[int(costs[1] < costs[0])], dtype=np.float64),
    )

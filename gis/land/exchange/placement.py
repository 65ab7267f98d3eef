"""Whether coordinates are where their file says: units, axes, datum and zone, held against known corners.

VN-2000 read as WGS 84 lies 225 m beside the truth and looks right on a map of the city. Corners of parcels that the
register has already tell it: under the right reading they coincide, under a wrong one they do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS
from scipy.spatial import cKDTree

from gis import crs as reference
from gis.errors import BadCrs
from gis.land.exchange.problems import Kind, Problem

Corners = NDArray[np.float64]
"""(n, 2), x before y."""
KnownCorners = Callable[[tuple[float, float, float, float]], Corners]
"""Corners the register has within a rectangle of the city's CRS."""

COINCIDE = 0.05
"""m within which corners of two files are the same corner of land."""
SAMPLE = 2000
"""Corners that are looked at."""
LEAST_SHARE = 0.02
"""Share of coinciding corners by which the CRS that is said is believed."""
LEAST, MARGIN = 8, 4
"""Another reading is believed with so many coinciding corners, and so many times those of the one that is said."""
DEGREES_MOST = 360.0
USED_MARGIN = 0.5
"""Degrees around a CRS's area of use."""
DATUM_MOST = 1000.0
"""m; two readings nearer than this differ by their datum, not by their zone."""
_VIETNAMESE = (9210, 3405, 3406, 5896, 5897, 5898, 5899, *range(9205, 9219), 4756)
_OTHERS = (4326, 32648, 32649, 3857)


@dataclass(frozen=True, slots=True)
class _ReadingOf:
    """A way to read a file's coordinates."""

    name: str
    corners: Corners
    """In the city's CRS."""
    is_swapped: bool = False
    is_said: bool = False


def check_placement(
    record: str, corners: Corners, said: CRS | None, city: CRS, known: KnownCorners
) -> tuple[Problem | None, str]:
    """What is wrong with where a file's corners lie, and by which CRS they would fit.

    Args:
        record: The file, for the message.
        corners: All or many of its corners, in the file's CRS.
        said: That CRS; None where nobody says.
        city: The register's CRS.
        known: The register's corners.

    Returns:
        The problem, or None; and a hint where the CRS is not said.
    """
    target = reference.horizontal(city)
    sample = corners[:: max(1, len(corners) // SAMPLE)]
    if len(sample) == 0:
        return None, ""
    if said is not None:
        name = reference.name_of(said)
        in_degrees = bool(np.abs(sample).max() <= DEGREES_MOST)
        if said.is_geographic != in_degrees:
            return Problem(Kind.METRES if said.is_geographic else Kind.DEGREES, record, {"said": name}), ""
    readings = [*_readings(sample, said, target)]
    first = readings[0] if readings and readings[0].is_said else None
    hits = _coinciding(first, known) if first else 0
    if first is not None and hits >= max(LEAST, LEAST_SHARE * len(sample)):
        return None, ""
    rivals = [(found, other) for other in readings if other is not first and (found := _coinciding(other, known))]
    need = max(3, min(LEAST, len(sample) // 2), MARGIN * hits + 1)
    best = max(rivals, key=lambda pair: pair[0], default=(0, None))
    if best[1] is not None and best[0] >= need:
        evidence = f"{best[0]} of {len(sample)} corners coincide with the register's, as said {hits}"
        return (_contradiction(record, first, best[1], said, evidence) if said else None), f"they fit {best[1].name}"
    return _outside(record, readings, first, said, target)


def _readings(sample: Corners, said: CRS | None, city: CRS) -> Iterator[_ReadingOf]:
    """The reading that is said, first; then with axes swapped, in other CRS, and with the datum shifted."""
    if said is not None:
        name = reference.name_of(said)
        yield _ReadingOf(name, _moved(sample, said, city), is_said=True)
        yield _ReadingOf(name, _moved(sample[:, ::-1], said, city), is_swapped=True)
    codes = [reference.srid(city), *(_VIETNAMESE if reference.is_vietnamese(city) else ()), *_OTHERS]
    in_degrees = bool(np.abs(sample).max() <= DEGREES_MOST)
    for code in dict.fromkeys(codes):
        crs = _known_crs(code)
        if crs is None or crs.is_geographic != in_degrees or (said is not None and crs == said):
            continue
        yield _ReadingOf(f"EPSG:{code}", _moved(sample, crs, city))
        yield _ReadingOf(f"EPSG:{code}", _moved(sample[:, ::-1], crs, city), is_swapped=True)
    if said is not None and reference.is_vietnamese(city):
        yield from _shifted(_moved(sample, said, city), reference.name_of(said), city)


def _shifted(corners: Corners, name: str, city: CRS) -> Iterator[_ReadingOf]:
    """The two ways to lose the datum's shift, undone: it was left out, or made on what was shifted already."""
    geographic = reference.normalise(reference.VN2000)
    angles = _moved(corners, city, geographic)
    yield _ReadingOf(f"{name} on WGS 84", _moved(angles, reference.normalise(reference.WGS84), city))
    shifted = _moved(corners, city, reference.normalise(reference.WGS84))
    yield _ReadingOf(f"{name} with VN-2000 read as WGS 84", _moved(shifted, geographic, city))


def _moved(corners: Corners, source: CRS, target: CRS) -> Corners:
    if source == target:
        return corners
    return np.column_stack(reference.transformer(source, target).transform(corners[:, 0], corners[:, 1]))


@lru_cache(maxsize=64)
def _known_crs(code: int) -> CRS | None:
    try:
        crs = reference.horizontal(code)
    except BadCrs:
        return None
    return crs if crs.is_projected or crs.is_geographic else None


def _coinciding(reading: _ReadingOf, known: KnownCorners) -> int:
    corners = reading.corners[np.isfinite(reading.corners).all(axis=1)]
    if len(corners) == 0:
        return 0
    low, high = corners.min(axis=0) - 1.0, corners.max(axis=0) + 1.0
    there = known((float(low[0]), float(low[1]), float(high[0]), float(high[1])))
    if len(there) == 0:
        return 0
    distance, _ = cKDTree(there).query(corners, distance_upper_bound=COINCIDE)
    return int(np.isfinite(distance).sum())


def _contradiction(record: str, first: _ReadingOf | None, best: _ReadingOf, said: CRS, evidence: str) -> Problem:
    name = reference.name_of(said)
    facts = {"fits": best.name, "said": name, "evidence": evidence}
    if best.is_swapped and best.name == name:
        return Problem(Kind.SWAPPED_AXES, record, facts)
    if first is not None and not best.is_swapped:
        apart = first.corners - best.corners
        shift = float(np.median(np.hypot(apart[:, 0], apart[:, 1])))
        if np.isfinite(shift) and shift < DATUM_MOST:
            return Problem(Kind.WRONG_DATUM, record, facts | {"shift_m": shift})
    return Problem(Kind.SWAPPED_AXES if best.is_swapped else Kind.WRONG_CRS, record, facts)


def _outside(
    record: str, readings: list[_ReadingOf], first: _ReadingOf | None, said: CRS | None, city: CRS
) -> tuple[Problem | None, str]:
    """Without known corners: whether all lies where the city's CRS is used at all, and by which reading it would."""
    inside = [(_share_inside(reading.corners, city), reading) for reading in readings]
    if first is not None and said is not None:
        share = inside[0][0]
        if share > 0.5:
            return None, ""
        evidence = f"{share:.0%} of its corners lie where {reference.name_of(city)} is used"
        facts = {"said": reference.name_of(said), "evidence": evidence}
        fitting = [reading for part, reading in inside[1:] if part > 0.99]
        if not fitting:
            return Problem(Kind.OUTSIDE, record, facts), ""
        straight = [reading.name for reading in fitting if not reading.is_swapped]
        # The first reading after the one that is said is the same CRS with its axes swapped.
        is_swapped = fitting[0] is readings[1] or not straight
        names = [fitting[0].name] if is_swapped else straight[:3]
        kind = Kind.SWAPPED_AXES if is_swapped else Kind.WRONG_CRS
        return Problem(kind, record, facts | {"fits": " or ".join(names)}), ""
    fits = [r.name for part, r in inside if part > 0.99 and not r.is_swapped]
    return None, f"they may be in {' or '.join(dict.fromkeys(fits[:4]))}" if fits else ""


def _share_inside(corners: Corners, city: CRS) -> float:
    use = city.area_of_use
    finite = corners[np.isfinite(corners).all(axis=1)]
    if len(finite) == 0:
        return 0.0
    if use is None:
        return 1.0
    lon, lat = reference.transformer(city, reference.WGS84).transform(finite[:, 0], finite[:, 1])
    good = (lon > use.west - USED_MARGIN) & (lon < use.east + USED_MARGIN)
    good &= (lat > use.south - USED_MARGIN) & (lat < use.north + USED_MARGIN)
    return float(good.sum() / len(corners))

"""What is compared: a building as measured, permits, parcels, zones; what the office chooses; and what is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from math import hypot
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from shapely import Polygon

UNKNOWN = float("nan")
LOW_GROUND = 1.645
"""σ of the terrain by which its 5th percentile along an outline, the ground's height, may lie too low: of values that
only scatter the 5th percentile lies so far below their mean."""


class Kind(StrEnum):
    """What is different."""

    NO_PERMIT = "no_permit"
    STOREYS = "storeys"
    """Higher than its permit allows, by about a storey or more."""
    FOOTPRINT = "footprint"
    """Stands outside of the permitted footprint."""
    PARCEL_LINE = "parcel_line"
    SETBACK = "setback"
    """Nearer to the front or the rear line of its parcel than its permit allows."""
    RESERVE = "reserve"
    """In the land kept for a road."""
    ZONE = "zone"
    """Over the planning zone's floors, height, density or floor area ratio, and over what its permit grants."""
    GROUND_LEVEL = "ground_level"
    """The finished ground lies below the levelling height of the permit."""
    DEMOLISHED = "demolished"
    """The building on the map, and maybe permitted, stands no more."""
    STANDING = "standing"
    """Still there after a demolition notice, or after the end of its temporary permit."""
    UNFINISHED = "unfinished"
    """The permit's date is past, and less stands than permitted."""


@dataclass(frozen=True, slots=True)
class Observation:
    """A building as measured at one epoch; metres and square metres, register's CRS. NaN where not known."""

    uid: str
    footprint: Polygon
    height: float
    """Of the main roof above the ground, its 70th percentile."""
    sigma_height: float
    sigma_outline: float
    """Planimetric standard deviation of the footprint's walls."""
    known: bool
    """Whether the footprint is a base map's (one building), or was derived from points (maybe several in a row)."""
    sigma_below: float = UNKNOWN
    """How much lower the roof may be than told, as a standard deviation; `sigma_height` where not known."""
    top: float = UNKNOWN
    """Of the highest roof point above the ground."""
    ground: float = UNKNOWN
    """Height of the ground beside it, in the city's vertical datum."""
    sigma_ground: float = UNKNOWN
    ground_share: float = 0.0
    """Share of the footprint's seen cells that are ground and no roof."""
    roof_share: float = 1.0
    """Roof points over those that a roof would have where anything was seen, at the survey's density."""
    support: float = 1.0
    """Share of a derived outline's length that points support."""
    wall_offsets: NDArray[np.float64] | None = None
    """(k, 2) metres by which each side of the outer ring lies farther out in the points, and σ; NaN unmeasured."""
    surveyed: date | None = None

    @property
    def sigma_upward(self) -> float:
        """Standard deviation that counts when it is asked whether the building is lower than it seems."""
        if np.isnan(self.sigma_below) or np.isnan(self.sigma_ground):
            return self.sigma_height
        return hypot(self.sigma_below, LOW_GROUND * self.sigma_ground)

    @property
    def sigma_level(self) -> float:
        """Standard deviation that counts when it is asked whether the ground is higher than it seems.

        Where the ground's own is not known that of the height holds, which contains it.
        """
        return self.sigma_height if np.isnan(self.sigma_ground) else self.sigma_ground * hypot(1.0, LOW_GROUND)


@dataclass(frozen=True, slots=True)
class Permit:
    """A permit's limits, as far as a survey from the air can see them. NaN where it sets none."""

    permit_no: str
    parcel_uid: str | None
    footprint: Polygon | None
    height: float
    floors: int
    """0 where it does not say."""
    setback_front: float
    setback_rear: float = UNKNOWN
    ground_area: float = UNKNOWN
    floor_area: float = UNKNOWN
    """m², of all floors."""
    ground_level: float = UNKNOWN
    """Levelling height, in the city's vertical datum."""
    type: str = "new"
    issued: date | None = None
    expires: date | None = None


@dataclass(frozen=True, slots=True)
class Parcel:
    """A parcel's boundary."""

    uid: str
    boundary: Polygon


@dataclass(frozen=True, slots=True)
class Zone:
    """A planning zone's limits; NaN where it sets none."""

    uid: str
    area: Polygon
    floors: float
    height: float
    density: float
    """Per cent of the lot that may be built upon."""
    far: float
    decision: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference, flagged: what was measured, what is allowed, by how much, and how sure."""

    kind: Kind
    building_uid: str | None
    parcel_uid: str | None
    permit_no: str | None
    actual: float
    limit: float
    unit: str
    delta: float
    sigma: float
    confidence: float
    """Probability that the true difference exceeds the tolerance, for normal errors."""
    evidence: Mapping[str, float | int | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ComplianceParameters:
    """What the office chooses; the defaults are conventions, not law."""

    false_alarm_rate: float = 0.01
    """Accepted probability that a building within its limits is flagged, for each kind."""
    height_tolerance: float = 1.6
    """Metres above the permitted height that are no storey: half of one of 3.2–3.4 m, so that a parapet passes."""
    outline_tolerance: float = 0.30
    """Metres by which a wall may miss its permitted place through finishing, plaster and eaves."""
    line_tolerance: float = 0.15
    """Metres by which a wall may lie over a parcel's or a road's line: a convention for what a corner of a cadastral
    map may be off by. The text that sets the survey's own limit (Circular 25/2014/TT-BTNMT) was not at hand."""
    level_tolerance: float = 0.20
    """Metres by which the ground may lie below the levelling height: paving and garden soil are yet to come."""
    overhang: float = 1.4
    """Metres that a roof seen from the air may reach beyond its walls: the deepest balcony (QĐ 56/2021/QĐ-UBND, annex
    18)."""
    smallest_building: float = 9.0
    """m²; what is smaller needs a look on the ground, not from the air."""
    smallest_off_parcel: float = 30.0
    """m² for an outline from points on no parcel: below it, crowns over streets and awnings look like buildings."""
    lowest_building: float = 2.0
    """m above ground; an outline where nothing that high was measured is no building now, whatever the map shows."""
    covered_share: float = 0.5
    """Share of a building's footprint that a permit must cover to be the permit of this building."""
    open_share: float = 0.25
    """Share of a standing building's footprint where ground may show: light wells, courts, a map's error."""
    least_support: float = 0.5
    """Share of a derived outline's length that points must support before its walls are held against lines."""

    @property
    def k(self) -> float:
        """Number of standard deviations for the one-sided false-alarm rate."""
        return self.k_of(1)

    def k_of(self, tests: int) -> float:
        """The same when the greatest of several is tested, so that the rate holds for all of them together (Šidák)."""
        rate = 1.0 - (1.0 - self.false_alarm_rate) ** (1.0 / max(tests, 1))
        return NormalDist().inv_cdf(1.0 - rate)


def confidence(delta: float, tolerance: float, sigma: float) -> float:
    """Probability that what is more than allowed by `delta` ± `sigma` is so by more than the tolerance."""
    return float(NormalDist().cdf((delta - tolerance) / max(sigma, 1e-6)))

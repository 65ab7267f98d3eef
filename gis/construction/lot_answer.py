"""What may be built on a lot of the register: its limits with their texts, what they say of the lot, and the space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

import numpy as np
import shapely
from shapely import Polygon
from shapely.geometry.base import BaseGeometry

from gis.city_model.building import Building
from gis.construction.checks import Check, Rule
from gis.construction.envelope import Step, building_of, steps
from gis.construction.planning_rules import Judgement, judge
from gis.construction.proposal import AreaKind, Proposal, Road, Use, Zone
from gis.construction.rule_tables import RuleTables
from gis.errors import BadGeometry, NoEnvelope
from gis.raster import Raster

MOST_CORNERS: Final = 1_000
"""Of a lot, as of a lot that is drawn (`gis.construction.proposal_file`)."""
ON_LOT: Final = (Rule.MINIMUM_LOT, Rule.FRONTAGE)
"""What is asked of the lot itself."""


@dataclass(frozen=True, slots=True)
class Lot:
    """A parcel of the register with what lies around it. Geometry in the city's CRS, metres."""

    uid: str
    shape: Polygon
    facts: Mapping[str, Any]
    """Number, ward, land use and address, as the register shows them to everybody."""
    roads: tuple[Road, ...]
    zones: tuple[Zone, ...]
    without_reserve: tuple[str, ...] = ()
    """Names of roads beside it whose reserve the register does not know."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody would build there, and by the rules of which day."""

    filed_on: date
    jurisdiction: str
    use: Use | None = None
    area_kind: AreaKind | None = None
    height: float | None = None
    """Metres the building would have, where nothing else limits it."""


@dataclass(frozen=True, slots=True)
class Ground:
    """How high the ground of a lot lies, metres above the city's vertical datum."""

    height: float
    """The median of its cells: a heap or a hole does not lift it."""
    sigma: float | None
    """Of one cell."""
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class LotAnswer:
    """What the rules say of a lot."""

    lot: Lot
    judgement: Judgement
    steps: tuple[Step, ...]
    """Empty where there is no space."""
    why_not: NoEnvelope | None
    """Why there is none."""
    taken: tuple[str, ...]
    """Names of what was not said and taken for granted: `use`, `area_kind`."""

    def building(self, ground: float | None = None) -> Building:
        """The space as a solid, its heights from the ground.

        Raises:
            NoEnvelope: there is none.
        """
        if self.why_not is not None:
            raise self.why_not
        return replace(building_of(self.judgement, self.steps, ground or 0.0), uid=f"envelope-{self.lot.uid}")


def answer(lot: Lot, asked: Asked, tables: RuleTables) -> LotAnswer:
    """Ask all rules about a lot.

    Raises:
        BadGeometry: the lot has more corners than one that is drawn may have.
    """
    corners = len(shapely.get_coordinates(lot.shape))
    if corners > MOST_CORNERS:
        raise BadGeometry(f"parcel {lot.uid}", f"its {corners} corners are too many; at most {MOST_CORNERS} are judged")
    judgement = judge(_proposal(lot, asked), tables)
    taken = tuple(name for name in ("use", "area_kind") if getattr(asked, name) is None)
    try:
        return LotAnswer(lot, judgement, steps(judgement, tables), None, taken)
    except NoEnvelope as why:
        return LotAnswer(lot, judgement, (), why, taken)


def _proposal(lot: Lot, asked: Asked) -> Proposal:
    assumed = [f"{name} has no road reserve in the register: it was left out" for name in lot.without_reserve]
    return Proposal(
        lot=lot.shape,
        roads=lot.roads,
        masses=(),
        zones=lot.zones,
        use=asked.use or Use.ATTACHED,
        filed_on=asked.filed_on,
        # The stricter of the two.
        area_kind=asked.area_kind or AreaKind.NEW,
        design_height=asked.height,
        jurisdiction=asked.jurisdiction,
        assumed=tuple(assumed),
    )


def ground_of(terrain: Raster, lot: Polygon) -> Ground | None:
    """The ground of a lot: of the cells whose middle lies in it, or of the one under its middle; None where unknown.

    Args:
        terrain: heights over the lot, with a band `sigma` where it is known.
        lot: in the raster's CRS.
    """
    x, y = np.meshgrid(*terrain.grid.centres())
    inside = shapely.contains_xy(lot, x, y)
    if not inside.any():
        place = lot.representative_point()
        inside = np.hypot(x - place.x, y - place.y) == np.hypot(x - place.x, y - place.y).min()
    known = inside & np.isfinite(terrain.values)
    if not known.any():
        return None
    heights = terrain.values[known].astype(np.float64)
    spread = terrain.bands["sigma"][known].astype(np.float64) if "sigma" in terrain.bands else np.array([np.nan])
    spread = spread[np.isfinite(spread)]
    return Ground(
        float(np.median(heights)),
        float(np.sqrt((spread**2).mean())) if spread.size else None,
        float(heights.min()),
        float(heights.max()),
    )


def document_of(found: LotAnswer, ground: Ground | None) -> dict[str, Any]:
    """The answer for programs: numbers with their units in the names, what is not known is null.

    Geometries are left out; `shapes_of` gives them, so that each caller puts them in its own CRS.
    """
    judgement, lot = found.judgement, found.lot
    proposal, sides = judgement.proposal, judgement.sides
    return {
        "parcel": {"uid": lot.uid, **lot.facts},
        "filed_on": proposal.filed_on.isoformat(),
        "use": proposal.use.value,
        "area_kind": proposal.area_kind.value,
        "taken_for_granted": list(found.taken),
        "jurisdiction": proposal.jurisdiction,
        "lot": {
            "area_m2": round(float(proposal.lot.area), 3),
            "depth_m": sides.depth,
            "fronts": [
                {"road": f.road.name, "reserve_width_m": f.road.reserve_width, "frontage_m": f.frontage}
                for f in sides.fronts
            ],
        },
        "verdict": judgement.verdict.value,
        "lot_checks": [_limit(check) for check in judgement.checks if check.rule in ON_LOT],
        "limits": [_limit(check) for check in judgement.checks if check.rule not in ON_LOT],
        "allowed": dict(judgement.allowed),
        "envelope": _envelope(found.steps),
        "no_envelope": None
        if found.why_not is None
        else {"reason": found.why_not.reason, "detail": str(found.why_not)},
        "ground": None
        if ground is None
        else {
            "height_m": round(ground.height, 3),
            "sigma_m": None if ground.sigma is None else round(ground.sigma, 3),
            "lowest_m": round(ground.lowest, 3),
            "highest_m": round(ground.highest, 3),
        },
        "notes": list(judgement.notes),
    }


def shapes_of(found: LotAnswer) -> Sequence[BaseGeometry]:
    """The lot, then the area of each step, in the city's CRS."""
    return (found.lot.shape, *(step.area for step in found.steps))


def _limit(check: Check) -> dict[str, Any]:
    whole = check.unit == "floors"
    return {
        "rule": check.rule.value,
        "quantity": check.quantity,
        "bound": "at_most" if check.at_most else "at_least",
        "value": int(check.limit) if whole and check.limit is not None else check.limit,
        "actual": check.actual,
        "unit": check.unit,
        "verdict": check.verdict.value,
        "binds": check.binds,
        "source": check.source,
        "article": check.article,
        "citation": f"{check.source}, {check.article}",
        "jurisdiction": check.jurisdiction,
        "in_force_from": check.in_force_from,
        "is_doubtful": check.doubt is not None,
        "doubt": check.doubt,
        "inputs": dict(check.inputs),
        "note": check.note,
    }


def _envelope(found: Sequence[Step]) -> dict[str, Any] | None:
    if not found:
        return None
    return {
        "ground_area_m2": round(float(found[0].area.area), 3),
        "height_m": found[-1].top,
        "volume_m3": round(sum(float(step.area.area) * (step.top - step.base) for step in found), 3),
        "steps": [
            {"base_m": step.base, "top_m": step.top, "area_m2": round(float(step.area.area), 3)} for step in found
        ],
    }

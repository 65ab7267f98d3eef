"""Every observation held against the registers: which checks there are, and in which order what they find is told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Sequence

from gis.construction.compliance.adjust import adjusted
from gis.construction.compliance.heights import below_level, too_high
from gis.construction.compliance.outlines import against_lines
from gis.construction.compliance.place import Placed, Registers
from gis.construction.compliance.presence import demolished, stands, still_standing, unfinished, without_permit
from gis.construction.compliance.values import ComplianceParameters, Difference, Observation, Parcel, Permit, Zone
from gis.construction.compliance.zones import over_zone
from gis.construction.proposal import Road

DEFAULT = ComplianceParameters()


def differences(
    observations: Sequence[Observation],
    permits: Sequence[Permit],
    parcels: Sequence[Parcel],
    roads: Sequence[Road],
    parameters: ComplianceParameters = DEFAULT,
    *,
    zones: Sequence[Zone] = (),
    only: Container[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Difference]:
    """Hold every observation against permits in force, parcels, roads and zones, in one CRS in metres.

    Args:
        observations: of one epoch.
        permits: in force, with notices to demolish.
        parcels: the land.
        roads: with their reserves.
        parameters: the office's.
        zones: planning zones.
        only: uids of the buildings that are asked for; all without it. What the others measured still counts: walls
            have in common what all of a survey have, and a lot's density is that of all its buildings.
        progress: told how many of how many buildings are done.

    Returns:
        The flagged differences, ordered by building and kind; the same for any order of the input.
    """
    register = Registers(permits, parcels, roads, zones)
    found: list[Difference | None] = []
    everywhere: list[Placed] = []
    for observation in adjusted(sorted(observations, key=lambda one: one.uid)):
        if stands(observation, parameters):
            everywhere += register.placed(observation, parameters)
        elif only is None or observation.uid in only:
            found.append(demolished(observation, register, parameters))
    on_parcel: dict[str, list[Placed]] = defaultdict(list)
    for placed in everywhere:
        if placed.parcel is not None:
            on_parcel[placed.parcel.uid].append(placed)
    asked = [one for one in everywhere if only is None or one.observation.uid in only]
    for number, placed in enumerate(asked, start=1):
        beside = on_parcel[placed.parcel.uid] if placed.parcel is not None else [placed]
        found += _of(placed, beside, register, parameters)
        if progress is not None:
            progress(number, len(asked))
    found += still_standing(asked, register, parameters)
    told = [one for one in found if one is not None]
    return sorted(told, key=lambda d: (d.building_uid or "", d.kind, d.parcel_uid or "", d.permit_no or ""))


def _of(
    placed: Placed, beside: Sequence[Placed], register: Registers, parameters: ComplianceParameters
) -> list[Difference | None]:
    """What one building differs in."""
    zone = over_zone(placed, beside, register, parameters)
    if placed.permit is None:
        lines = against_lines(placed, register, parameters)
        return [without_permit(placed, register, parameters), zone, *lines]
    return [
        too_high(placed, parameters),
        below_level(placed, parameters),
        unfinished(placed, parameters),
        zone,
        *against_lines(placed, register, parameters),
    ]

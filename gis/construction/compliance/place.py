"""Permits, parcels, roads and zones, ready to be asked by place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import shapely
from shapely import STRtree
from shapely.geometry.base import BaseGeometry

from gis.construction.compliance.values import ComplianceParameters, Observation, Parcel, Permit, Zone
from gis.construction.lot_sides import REACH, LotSides, sides_of
from gis.construction.proposal import Road

DEMOLITION = "demolition_notice"
TEMPORARY = "temporary"
ADJOINING = 1.0
"""m between a permitted house and what was built onto it."""
WIDEST = 60.0
"""m: half of the widest road reserve that is looked for beside a lot."""
LEAST_SHARE = 0.1
"""Share of a building that must lie on a parcel to stand on it."""
ROW_SHARE = 0.35
"""Share of a further parcel that an outline from points must cover to be a house of its own there."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A building, or its part, on one parcel or on none, with the permit it is held against."""

    observation: Observation
    parcel: Parcel | None
    part: BaseGeometry
    permit: Permit | None

    @property
    def parcel_uid(self) -> str | None:
        """The parcel it stands on; without one, the one of its permit."""
        if self.parcel is not None:
            return self.parcel.uid
        return self.permit.parcel_uid if self.permit is not None else None


class Registers:
    """What the city has registered, indexed."""

    def __init__(
        self, permits: Sequence[Permit], parcels: Sequence[Parcel], roads: Sequence[Road], zones: Sequence[Zone]
    ) -> None:
        listed = sorted(permits, key=lambda p: p.permit_no)
        self.building = [p for p in listed if p.type != DEMOLITION and p.footprint is not None]
        """Permits to build, with their drawing."""
        self.undrawn = {p.parcel_uid: p for p in listed[::-1] if p.type != DEMOLITION and p.footprint is None}
        self.notices = [p for p in listed if p.type == DEMOLITION]
        self.parcels = sorted(parcels, key=lambda p: p.uid)
        self.by_uid = {p.uid: p for p in self.parcels}
        self.roads = sorted(roads, key=lambda r: (r.name, r.axis.wkt))
        self.zones = sorted(zones, key=lambda z: z.uid)
        self._permit_tree = STRtree([p.footprint for p in self.building if p.footprint is not None])
        self._parcel_tree = STRtree([p.boundary for p in self.parcels])
        self._road_tree = STRtree([r.axis for r in self.roads])
        self.reserves = [road.reserve for road in self.roads]
        self._reserve_tree = STRtree(self.reserves)
        self._zone_tree = STRtree([z.area for z in self.zones])

    def placed(self, observation: Observation, parameters: ComplianceParameters) -> list[Placed]:
        """The building on its parcel; an outline from points may be one on each of several parcels."""
        return [
            Placed(observation, parcel, part, self.permit_of(parcel, part, parameters))
            for parcel, part in self._parts(observation, parameters)
        ]

    def _parts(
        self, observation: Observation, parameters: ComplianceParameters
    ) -> list[tuple[Parcel | None, BaseGeometry]]:
        footprint = observation.footprint
        shares = sorted(
            (
                (float(shapely.area(part)), index, part)
                for index in self._parcel_tree.query(footprint, predicate="intersects")
                for part in (shapely.intersection(footprint, self.parcels[index].boundary),)
            ),
            key=lambda share: (-share[0], share[1]),
        )
        if not shares or shares[0][0] < LEAST_SHARE * footprint.area:
            return [(None, footprint)]
        if observation.known:
            return [(self.parcels[shares[0][1]], footprint)]
        # A row of houses seen as one roof stands on several parcels; a sliver on the neighbour's is a wall's error.
        return [
            (self.parcels[index], part)
            for rank, (area, index, part) in enumerate(shares)
            if rank == 0 or area > max(parameters.smallest_building, ROW_SHARE * self.parcels[index].boundary.area)
        ]

    def permit_of(self, parcel: Parcel | None, part: BaseGeometry, parameters: ComplianceParameters) -> Permit | None:
        """The permit whose footprint covers most of the building, the latest of several.

        A permit without a drawing is that of what stands on its parcel where no drawing fits.
        """
        best: Permit | None = None
        most = 0.0
        size = float(shapely.area(part))
        for index in sorted(self._permit_tree.query(part, predicate="intersects")):
            one = self.building[index]
            area = float(shapely.area(shapely.intersection(part, one.footprint)))
            if area < parameters.covered_share * min(size, float(shapely.area(one.footprint))):
                continue
            as_large = best is not None and area > most - 1e-6
            if area > most + 1e-6 or (as_large and _day(one) > _day(best)):
                best, most = one, area
        return best or (self.undrawn.get(parcel.uid) if parcel is not None else None)

    def permit_beside(self, parcel: Parcel, part: BaseGeometry) -> Permit | None:
        """The permit on the same parcel that the part adjoins: the part is then an extension, not a building."""
        near = (self.building[i] for i in self._permit_tree.query(part, predicate="dwithin", distance=ADJOINING))
        return min((p for p in near if p.parcel_uid == parcel.uid), key=lambda p: p.permit_no, default=None)

    def covered(self, part: BaseGeometry) -> float:
        """Share of a building's footprint that any permit covers."""
        near = [self.building[i].footprint for i in self._permit_tree.query(part, predicate="intersects")]
        if not near:  # GEOS does not always bear the union of nothing
            return 0.0
        return float(shapely.area(shapely.intersection(part, shapely.union_all(near))) / shapely.area(part))

    def parcel_under(self, shape: BaseGeometry) -> Parcel | None:
        """The parcel that holds most of a shape."""
        near = sorted(self._parcel_tree.query(shape, predicate="intersects"))
        areas = [float(shapely.area(shapely.intersection(shape, self.parcels[i].boundary))) for i in near]
        return self.parcels[near[areas.index(max(areas))]] if areas else None

    def sides(self, parcel: Parcel) -> LotSides:
        """The parcel's front, rear and flanks, from the roads beside it."""
        near = self._road_tree.query(parcel.boundary, predicate="dwithin", distance=REACH + WIDEST)
        return sides_of(parcel.boundary, [self.roads[i] for i in sorted(near)])

    def reserves_under(self, footprint: BaseGeometry) -> list[tuple[Road, BaseGeometry]]:
        """The roads whose reserves a footprint reaches into."""
        near = sorted(self._reserve_tree.query(footprint, predicate="intersects"))
        return [(self.roads[i], self.reserves[i]) for i in near]

    def zone_of(self, part: BaseGeometry) -> Zone | None:
        """The zone in which most of a building stands."""
        near = sorted(self._zone_tree.query(part, predicate="intersects"))
        areas = [float(shapely.area(shapely.intersection(part, self.zones[i].area))) for i in near]
        return self.zones[near[areas.index(max(areas))]] if areas else None


def _day(permit: Permit | None) -> str:
    """The day of issue as text, empty where none is known: the later one is the greater."""
    return permit.issued.isoformat() if permit is not None and permit.issued is not None else ""

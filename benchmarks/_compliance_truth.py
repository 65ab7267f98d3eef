"""The simulated city's exact geometry held against its registers: how large every difference really is."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import shapely
from shapely.geometry.base import BaseGeometry

from gis.construction.compliance import Kind, Permit, Zone
from gis.construction.proposal import Road

REAL_M, REAL_M2 = 0.15, 0.3
"""A wall beyond a line by less, or by less area, is no difference: the scene's own measure."""


@dataclass(frozen=True)
class Real:
    """A difference that exists: its size in the unit in which its check measures."""

    kind: Kind
    building: str
    parcel: str | None
    size: float


@dataclass(frozen=True)
class Truth:
    """What is so."""

    real: list[Real]
    look_alikes: dict[str, str]
    """Building → why it only seems to differ."""
    buildings: gpd.GeoDataFrame
    """By uid."""
    on_map: frozenset[str]
    """Buildings that the base map shows."""

    @property
    def places(self) -> set[tuple[str, str]]:
        """Kind and building, or kind and parcel, of everything real."""
        return {(one.kind.value, key) for one in self.real for key in (one.building, one.parcel) if key}


def read_truth(scene: Path, permits: list[Permit], roads: list[Road], zones: list[Zone]) -> Truth:
    """The planted differences and those that follow from the exact geometry."""
    listed = json.loads((scene / "truth" / "differences.json").read_text(encoding="utf-8"))
    buildings = gpd.read_file(scene / "truth" / "buildings.gpkg", layer="buildings").set_index("uid")
    parcels = gpd.read_file(scene / "registers.gpkg", layer="parcels").set_index("uid").geometry
    on_map = gpd.read_file(scene / "registers.gpkg", layer="footprints")["uid"]
    real: dict[tuple[str, Kind], Real] = {}

    def add(kind: Kind, building: str, parcel: str | None, size: float) -> None:
        old = real.get((building, kind))
        if old is None or size > old.size:
            real[building, kind] = Real(kind, building, parcel, size)

    for row in listed["differences"]:
        kind = Kind(row["kind"])
        size = row.get("delta_m", row["delta"])
        if kind is not Kind.FOOTPRINT:
            add(kind, row["building_uid"], row["parcel_uid"], float(size))
    of_parcel: dict[str, list[Permit]] = defaultdict(list)
    for permit in permits:
        of_parcel[(permit.parcel_uid or "").removesuffix("-2003")].append(permit)
    reserves = [road.reserve for road in roads]
    tree, zone_tree = shapely.STRtree(reserves), shapely.STRtree([zone.area for zone in zones])
    for uid, row in buildings.iterrows():
        shape, parcel = row.geometry, row.parcel_uid
        own = of_parcel.get(parcel, [])
        for permit in own:
            if permit.footprint is not None and (reach := _reach(shape, permit.footprint)) > REAL_M:
                add(Kind.FOOTPRINT, uid, parcel, reach)
        for index in tree.query(shape, predicate="intersects"):
            inside = shapely.intersection(shape, reserves[index])
            corners = shapely.points(shapely.get_coordinates(inside))
            deep = float(shapely.distance(corners, reserves[index].boundary).max())
            if inside.area > REAL_M2 and deep > REAL_M:
                add(Kind.RESERVE, uid, parcel, deep)
        for index in zone_tree.query(shape.representative_point(), predicate="intersects"):
            over = _over_zone(row, float(parcels[parcel].area), own, zones[index])
            if over > 0:
                add(Kind.ZONE, uid, parcel, over)
    for uid in set(on_map) - set(buildings.index):
        if uid.endswith("-gone"):
            add(Kind.DEMOLISHED, uid, None, 100.0)
    alike = {row["building_uid"]: row["kind"] for row in listed["look_alikes"]}
    return Truth(list(real.values()), alike, buildings, frozenset(on_map))


def _reach(shape: BaseGeometry, inside: BaseGeometry) -> float:
    """Metres that a shape's farthest corner lies outside."""
    outside = shapely.difference(shape, inside)
    if outside.area <= REAL_M2:
        return 0.0
    return float(shapely.distance(shapely.points(shapely.get_coordinates(outside)), inside).max())


def _over_zone(row: gpd.GeoSeries, lot: float, permits: list[Permit], zone: Zone) -> float:
    """Floors beyond the zone's and the permit's limit; a small number where only another limit is passed."""
    floors = max([zone.floors, *(float(permit.floors) for permit in permits)])
    if row.floors > floors:
        return float(row.floors - floors)
    area = max([zone.density * lot / 100.0, *(permit.ground_area for permit in permits)])
    total = max([zone.far * lot, *(permit.floor_area for permit in permits)])
    over = row.geometry.area > area * 1.02 or row.geometry.area * row.floors > total * 1.02
    return 0.5 if over else 0.0

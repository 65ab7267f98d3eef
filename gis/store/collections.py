"""The collections of features the API shows: which rows, which of their columns, at which moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypedDict

DAY = "COALESCE(CAST(:day AS date), CURRENT_DATE)"
KNOWN_AT = "COALESCE(CAST(:known_at AS timestamptz), now())"
WITHIN = "daterange(CAST(:first_day AS date), CAST(:last_day AS date), '[]')"


@dataclass(frozen=True, slots=True)
class Moment:
    """When it was so, and when the register knew it. Without a day it is today, without `known_at` it is now."""

    first_day: date | None = None
    last_day: date | None = None
    is_interval: bool = False
    known_at: datetime | None = None


NOW = Moment()


@dataclass(frozen=True, slots=True)
class Collection:
    """One layer of features: where its rows come from and what of them is public.

    SQL fragments here are constants of this module; what a caller sends is only ever bound.
    """

    id: str
    title: str
    description: str
    source: str
    """FROM clause, the table of the versions first."""
    key: str
    geometry: str
    properties: Mapping[str, str]
    """Public name → SQL expression. Parties and their identity are in none of them."""
    known: str = "TRUE"
    """Rows the register knew at the moment asked for."""
    valid_on: str = "TRUE"
    """Rows that were so on the day asked for."""
    valid_within: str = "TRUE"
    """Rows that were so on some day of the interval asked for, both ends included; an open end is NULL."""
    newest: str = ""
    """Of several versions of one key within an interval the one with the greatest of this is shown."""
    extent_of: tuple[str, str] = ("", "")
    """Table and column whose index tells how far the features reach."""
    version: str = "NULL"
    """The number of the version that is shown; it names the state a change was decided upon."""


def so_on_day(alias: str) -> str:
    """Rows that were so on the day asked for. IS TRUE: nearly all rows are, so an index on it would mislead."""
    return f"({alias}.valid @> {DAY}) IS TRUE"


def known(alias: str) -> str:
    """Rows the register knew at the moment asked for."""
    return f"({alias}.recorded @> {KNOWN_AT}) IS TRUE"


def _plain(*names: str, of: str) -> dict[str, str]:
    return {name: f"{of}.{name}" for name in names}


class _Clauses(TypedDict):
    known: str
    valid_on: str
    valid_within: str
    newest: str


def _versioned(alias: str) -> _Clauses:
    """The clauses of a table with `valid daterange` and `recorded tstzrange`."""
    return {
        "known": known(alias),
        "valid_on": so_on_day(alias),
        "valid_within": f"{alias}.valid && {WITHIN}",
        "newest": f"lower({alias}.valid)",
    }


NEWEST_MEASURED = (
    "NOT EXISTS (SELECT 1 FROM diaba.building_version n WHERE n.uid = v.uid "  # noqa: S608  constants of this module
    f"AND {so_on_day('n')} AND {known('n')} AND (lower(n.valid), n.epoch) > (lower(v.valid), v.epoch) OFFSET 0)"
)
"""A building version `v` that no later campaign has measured again.

OFFSET 0 keeps it a look-up by uid: as a join the planner takes it, where it has no statistics yet, by comparing every
building with every other.
"""

_VALIDITY = {"valid_from": "lower(v.valid)", "valid_to": "upper(v.valid)"}

COLLECTIONS: Mapping[str, Collection] = {
    collection.id: collection
    for collection in (
        Collection(
            id="parcels",
            version="v.version",
            title="Thửa đất · Parcels",
            description="Land parcels of the register with their map sheet, land use and area (m²).",
            source="diaba.parcel_version v",
            key="v.uid",
            geometry="v.geom",
            extent_of=("parcel_version", "geom"),
            properties=_plain(
                "uid",
                "ward_code",
                "sheet_no",
                "parcel_no",
                "land_use",
                "area_legal",
                "area_measured",
                "address",
                of="v",
            )
            | _VALIDITY,
            **_versioned("v"),
        ),
        Collection(
            id="permits",
            version="v.version",
            title="Giấy phép xây dựng · Building permits",
            description="Building permits with the permitted footprint and limits (m, m²), known to the register.",
            source="diaba.permit v LEFT JOIN diaba.permit_limit l "
            "ON l.permit_no = v.permit_no AND l.version = v.version",
            key="v.permit_no",
            geometry="l.geom",
            extent_of=("permit_limit", "geom"),
            properties=_plain(
                "permit_no", "type", "status", "issued", "expires", "superseded_by", "parcel_uid", "use", of="v"
            )
            | _plain(
                "floors",
                "basements",
                "height_m",
                "ground_area_m2",
                "gross_floor_area_m2",
                "setback_front_m",
                "setback_rear_m",
                "ground_level_m",
                of="l",
            ),
            known=known("v"),
            valid_within=f"daterange(v.issued, v.expires, '[]') && {WITHIN}",
            newest="v.issued",
        ),
        Collection(
            id="buildings",
            version="v.version",
            title="Công trình đo được · Measured buildings",
            description="Buildings as measured by LIDAR: heights above the vertical datum and above ground (m), "
            "each with its standard deviation.",
            source="diaba.building_version v",
            key="v.uid",
            geometry="v.footprint",
            extent_of=("building_version", "footprint"),
            properties=_plain(
                "uid",
                "epoch",
                "status",
                "ground_height",
                "roof_height_min",
                "roof_height_50p",
                "roof_height_70p",
                "roof_height_max",
                "height",
                "sigma_height",
                "area",
                "sigma_area",
                "lod",
                "point_count",
                "point_density",
                "no_data_fraction",
                "reason",
                "source",
                of="v",
            )
            | _VALIDITY,
            known=known("v"),
            valid_on=f"{so_on_day('v')} AND {NEWEST_MEASURED}",
            valid_within=f"v.valid && {WITHIN}",
            newest="lower(v.valid) DESC, v.epoch",
        ),
        Collection(
            id="roads",
            version="v.version",
            title="Đường và lộ giới · Roads and reserve lines",
            description="Road centre lines with the width of the road reserve (lộ giới, m).",
            source="diaba.road v",
            key="v.uid",
            geometry="v.geom",
            extent_of=("road", "geom"),
            properties=_plain("uid", "name", "reserve_width_m", of="v") | _VALIDITY,
            **_versioned("v"),
        ),
        Collection(
            id="planning_zones",
            version="v.version",
            title="Quy hoạch · Planning zones",
            description="Planning zones with land use, density (%), floor area ratio, floors and height (m).",
            source="diaba.planning_zone v",
            key="v.uid",
            geometry="v.geom",
            extent_of=("planning_zone", "geom"),
            properties=_plain(
                "uid", "level", "land_use", "density_pct", "far", "floors_max", "height_max_m", "decision", of="v"
            )
            | _VALIDITY,
            **_versioned("v"),
        ),
        Collection(
            id="discrepancies",
            version="d.version",
            title="Khác biệt cần kiểm tra · Differences to inspect",
            description="Where the measured city differs from the registered one by more than the measurement's "
            "uncertainty. A difference is a reason to look, not a finding against anybody.",
            source="diaba.discrepancy d "
            "LEFT JOIN diaba.building_version b ON b.uid = d.building_uid AND b.epoch = d.epoch "
            f"AND {known('b')} "
            "LEFT JOIN diaba.parcel_version p ON p.uid = d.parcel_uid "
            f"AND {so_on_day('p')} AND {known('p')}",
            key="d.id",
            known=known("d"),
            geometry="COALESCE(b.footprint, p.geom)",
            extent_of=("building_version", "footprint"),
            properties=_plain(
                "id",
                "kind",
                "status",
                "building_uid",
                "parcel_uid",
                "permit_no",
                "epoch",
                "actual",
                "limit_value",
                "unit",
                "delta",
                "sigma",
                "confidence",
                "evidence",
                of="d",
            ),
        ),
        Collection(
            id="building_changes",
            version="d.version",
            title="Biến động công trình · Changes of buildings",
            description="Buildings that are new, gone, taller, lower, extended or reduced between two surveys, each by "
            "more than the measurement's uncertainty (m or m², with σ). Whether it was permitted is not said here.",
            source="diaba.building_change d",
            key="d.id",
            known=known("d"),
            geometry="d.geom",
            extent_of=("building_change", "geom"),
            properties=_plain(
                "id",
                "change",
                "building_uid",
                "parcel_uid",
                "from_epoch",
                "to_epoch",
                "delta",
                "unit",
                "sigma",
                "confidence",
                "evidence",
                of="d",
            ),
        ),
        Collection(
            id="lidar_tiles",
            title="Ô LIDAR · LIDAR tiles",
            description="Point cloud files of the catalogue: extent, epoch, number of points and density (points/m²).",
            source="diaba.lidar_tile v LEFT JOIN diaba.lidar_campaign c ON c.epoch = v.epoch",
            key="v.sha256",
            geometry="v.extent",
            extent_of=("lidar_tile", "extent"),
            properties=_plain("sha256", "epoch", "point_count", "density", "crs", "classes", of="v")
            | {"flown_from": "c.flown_from", "flown_to": "c.flown_to"},
            valid_within=f"daterange(c.flown_from, c.flown_to, '[]') && {WITHIN}",
        ),
    )
}

"""One measured building, whole: its facts, its solid and what is flagged at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shapely import Polygon
from sqlalchemy import Connection, text

from gis.city_model.building import Building, Reason
from gis.errors import NotFound
from gis.store import buildings, row_scope
from gis.store.case_verdicts import STANDING
from gis.store.collections import COLLECTIONS, NOW, Moment, known
from gis.store.items import Item, find_item


@dataclass(frozen=True, slots=True)
class MeasuredBuilding:
    """A building as the last campaign before a day measured it."""

    item: Item
    building: Building
    differences: tuple[dict[str, Any], ...] | None
    """Flagged and not dismissed, the surest first. None for who may not know whether there are any."""


def measured_building(connection: Connection, uid: str, moment: Moment = NOW) -> MeasuredBuilding:
    """The building of that uid.

    Raises:
        NotFound: none of that uid was measured.
    """
    item = find_item(connection, COLLECTIONS["buildings"], uid, moment)
    if item is None or not isinstance(item.geometry, Polygon):
        raise NotFound("building", uid)
    facts = item.properties
    epoch = facts["epoch"]
    coarser = dict(buildings.models(connection, epoch, [uid])).get(uid, {})
    solid = coarser.pop(facts["lod"], None)
    building = Building(
        uid=uid,
        footprint=item.geometry,
        lod=facts["lod"],
        solid=solid,
        coarser=coarser,
        point_count=facts["point_count"],
        reason=Reason(facts["reason"]),
        attributes={"epoch": epoch, "status": facts["status"], "source": facts["source"]},
        **{name: known_figure(facts[name]) for name in FIGURES},
    )
    return MeasuredBuilding(item, building, _flagged(connection, uid, epoch, moment))


FIGURES = (
    "ground_height",
    "roof_height_min",
    "roof_height_50p",
    "roof_height_70p",
    "roof_height_max",
    "height",
    "sigma_height",
    "area",
    "sigma_area",
    "point_density",
    "no_data_fraction",
)
"""Columns of a measured building that are numbers."""


def known_figure(value: float | None) -> float:
    """The number; NaN of one that is not known."""
    return float("nan") if value is None else float(value)


def _flagged(connection: Connection, uid: str, epoch: str, moment: Moment) -> tuple[dict[str, Any], ...] | None:
    columns = ", ".join(
        f'{expression} AS "{name}"' for name, expression in COLLECTIONS["discrepancies"].properties.items()
    )
    sql = (
        f"SELECT {columns} FROM diaba.discrepancy d WHERE d.building_uid = :uid AND d.epoch = :epoch "  # noqa: S608
        f"AND {STANDING} AND {known('d')} ORDER BY d.confidence DESC NULLS LAST, d.id"
    )
    rows = connection.execute(text(sql), {"uid": uid, "epoch": epoch, "known_at": moment.known_at})
    found = tuple(dict(row._mapping) for row in rows)
    return found if found or row_scope.reach(connection, "differences") == "all" else None

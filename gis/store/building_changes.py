"""What changed between two surveys, kept as the register of differences is: found anew, it is the same row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, and_, func, select

from gis import crs as reference
from gis.bounds import BoundingBox
from gis.errors import NotFound
from gis.store import frames, versions
from gis.store.geometry import city_crs, encode, touches
from gis.store.schema import building_change, building_version, lidar_campaign, survey_comparison
from gis.store.versions import Saved

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

FIGURES = ("east", "north", "up", "sigma_east", "sigma_north", "sigma_up")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two surveys that were compared, and where the later one lies beside the earlier, m ± 1σ; None where unknown."""

    from_epoch: str
    to_epoch: str
    false_alarm_rate: float
    east: float
    north: float
    up: float
    sigma_east: float | None
    sigma_north: float | None
    sigma_up: float | None


def identity(from_epoch: str, to_epoch: str, change: str, building_uid: str) -> str:
    """The stable identity of a change: the same finding has it again in the next run."""
    return hashlib.sha256("\x1f".join((from_epoch, to_epoch, change, building_uid)).encode()).hexdigest()[:32]


def save(
    connection: Connection,
    comparison: Comparison,
    rows: Iterable[Mapping[str, Any]],
    *,
    within: BoundingBox | None = None,
) -> Saved:
    """Make these all the changes between two epochs; what was found before and is not now is closed.

    Args:
        connection: The caller's transaction.
        comparison: The epochs and how their surveys lie.
        rows: building_uid, parcel_uid (or None), change, delta, unit, sigma, confidence, evidence and `geom`, a polygon
            in the city's horizontal CRS.
        within: only what touches this was looked at: what was found elsewhere stays.
    """
    pair = {"from_epoch": comparison.from_epoch, "to_epoch": comparison.to_epoch}
    figures = {name: getattr(comparison, name) for name in (*FIGURES, "false_alarm_rate")}
    versions.record(connection, survey_comparison, [{**pair, **figures}])
    given = list(rows)
    shapes = encode([row["geom"] for row in given], reference.srid(city_crs(connection)))
    named = [
        {
            **row,
            **pair,
            "id": identity(comparison.from_epoch, comparison.to_epoch, row["change"], row["building_uid"]),
            "geom": shape,
        }
        for row, shape in zip(given, shapes, strict=True)
    ]
    former = _of(building_change, **pair)
    if within is not None:
        former = and_(former, touches(building_change.c.geom, within, connection))
    return versions.record(connection, building_change, named, instead_of=former)


def comparison_of(connection: Connection, from_epoch: str, to_epoch: str) -> Comparison:
    """The last comparison of two epochs.

    Raises:
        NotFound: they were not compared.
    """
    table = survey_comparison
    condition = and_(_of(table, from_epoch, to_epoch), func.upper_inf(table.c.recorded))
    columns = [table.c[name] for name in ("false_alarm_rate", *FIGURES)]
    row = connection.execute(select(*columns).where(condition)).one_or_none()
    if row is None:
        how = f"diaba compliance change --from {from_epoch} --to {to_epoch}"
        raise NotFound("comparison", f"of {from_epoch} and {to_epoch}; it is made by: {how}")
    return Comparison(from_epoch, to_epoch, *row)


def current(
    connection: Connection,
    from_epoch: str,
    to_epoch: str,
    *,
    bounds: BoundingBox | None = None,
    most: int | None = None,
) -> GeoDataFrame:
    """The changes between two epochs that the register knows now, by id: that touch the bounds, so many at most."""
    table = building_change
    condition = and_(_of(table, from_epoch, to_epoch), func.upper_inf(table.c.recorded))
    if bounds is not None:
        condition = and_(condition, touches(table.c.geom, bounds, connection))
    if most is not None:
        first = select(table.c.id).where(condition).order_by(table.c.id).limit(most)
        condition = and_(condition, table.c.id.in_(first))
    return frames.read(connection, list(table.columns), condition, [table.c.id])


def epochs_built(connection: Connection) -> list[str]:
    """Campaigns that buildings were measured in, the oldest first."""
    flown = lidar_campaign.c.flown_from
    statement = (
        select(lidar_campaign.c.epoch)
        .where(lidar_campaign.c.epoch.in_(select(building_version.c.epoch).distinct()))
        .order_by(flown.asc().nulls_first(), lidar_campaign.c.epoch)
    )
    return list(connection.scalars(statement))


def _of(table: Any, from_epoch: str, to_epoch: str) -> Any:
    return and_(table.c.from_epoch == from_epoch, table.c.to_epoch == to_epoch)

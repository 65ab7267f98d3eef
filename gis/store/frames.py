"""Rows of the store as GeoDataFrames, with the city's CRS and dates and numbers of one type a column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import geopandas
import pandas as pd
import shapely
from geoalchemy2 import Geometry
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Date,
    DateTime,
    Double,
    Integer,
    Select,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import DATERANGE, TSTZRANGE

from gis import crs as reference
from gis.store.geometry import city_crs

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

HIDDEN = frozenset({"digest", "solid", "solid_surfaces", "coarser", "address_key", "geom_3857", "footprint_3857"})
"""Columns that no frame shows: the content's digest, what search and tiles look in, and solids, which have their own
reader."""


def read(
    connection: Connection,
    columns: Sequence[Column[Any]],
    condition: ColumnElement[bool],
    order: Sequence[Column[Any]],
    *,
    source: Any = None,
    geometry: str = "geom",
) -> GeoDataFrame:
    """The rows that fulfil a condition, in an order.

    Days become `datetime64[s]`, a valid time the columns `valid_from` and `valid_to` (its first day after), a recorded
    time `recorded_from`; missing numbers are NaN; a column of whole numbers without gaps stays whole.

    Returns:
        A frame in the horizontal part of the city's CRS.
    """
    flat = reference.horizontal(city_crs(connection))
    series = _series(connection, columns, condition, order, source)
    return geopandas.GeoDataFrame(series, geometry=geometry, crs=flat)


def table(
    connection: Connection,
    columns: Sequence[Column[Any]],
    condition: ColumnElement[bool],
    order: Sequence[Column[Any]],
    *,
    source: Any = None,
) -> pd.DataFrame:
    """As `read`, of rows without geometry."""
    return pd.DataFrame(_series(connection, columns, condition, order, source))


def _series(
    connection: Connection,
    columns: Sequence[Column[Any]],
    condition: ColumnElement[bool],
    order: Sequence[Column[Any]],
    source: Any,
) -> dict[str, Any]:
    shown = [column for column in columns if column.name not in HIDDEN]
    selected = [part for column in shown for part in _selected(column)]
    statement: Select[Any] = select(*selected).where(condition).order_by(*order)
    if source is not None:
        statement = statement.select_from(source)
    rows = connection.execute(statement).all()
    names = [part.name for part in selected]
    values = dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(names, ())
    series: dict[str, Any] = {}
    for column in shown:
        for part in _selected(column):
            series[part.name] = _typed(column, list(values[part.name]))
    return series


def _selected(column: Column[Any]) -> list[Any]:
    if isinstance(column.type, Geometry):
        # ST_AsBinary alone: the model's own conversion would make one Python object of each value.
        return [func.ST_AsBinary(column, type_=None).label(column.name)]
    if isinstance(column.type, DATERANGE):
        return [func.lower(column, type_=Date).label("valid_from"), func.upper(column, type_=Date).label("valid_to")]
    if isinstance(column.type, TSTZRANGE):
        return [func.lower(column, type_=DateTime(timezone=True)).label("recorded_from")]
    return [column]


def _typed(column: Column[Any], values: list[Any]) -> Any:
    if isinstance(column.type, Geometry):
        return shapely.from_wkb([None if value is None else bytes(value) for value in values])
    if isinstance(column.type, Date | DATERANGE):
        return pd.Series(values, dtype="datetime64[s]")
    if isinstance(column.type, Integer | BigInteger) and None not in values:
        return pd.Series(values, dtype="int64")
    if isinstance(column.type, Integer | BigInteger | Double):
        return pd.Series(values, dtype="float64")
    return pd.Series(values, dtype="object")

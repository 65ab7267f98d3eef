"""Features as a GeoDataFrame: columns of one type each, the same wherever the features came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import isnan
from numbers import Number
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from gis.crs import CrsLike, horizontal, transformer
from gis.store.collections import COLLECTIONS
from gis.store.property_types import TYPES, Kind

if TYPE_CHECKING:
    from geopandas import GeoDataFrame


@dataclass(frozen=True, slots=True)
class Feature:
    """One row."""

    geometry: BaseGeometry | None
    properties: Mapping[str, Any]


def frame(
    features: Iterable[Feature],
    city: CRS,
    crs: CrsLike | None,
    collection: str | None,
    names: Sequence[str] = (),
) -> GeoDataFrame:
    """The features as a frame in a CRS, the city's when none is given; outer rings are counter-clockwise.

    Its columns are the first feature's properties, or those of the collection where there is none; then all of `names`.

    Days are `datetime64[s]`; counts without gaps are whole, all other numbers float with NaN; the rest is as it is.
    """
    import geopandas

    rows = list(features)
    listed = COLLECTIONS[collection].properties if collection else ()
    names = list(dict.fromkeys((*(rows[0].properties if rows else listed), *names)))
    columns = {name: _typed(name, [row.properties.get(name) for row in rows]) for name in names}
    shapes = shapely.orient_polygons(np.array([row.geometry for row in rows], dtype=object))
    target = horizontal(crs or city)
    if target != city:
        change = transformer(city, target)
        shapes = shapely.transform(shapes, lambda xy: np.column_stack(change.transform(xy[:, 0], xy[:, 1])))
    return geopandas.GeoDataFrame(columns, geometry=list(shapes), crs=target)


def _typed(name: str, values: list[Any]) -> Any:
    import pandas as pd

    kind = TYPES[name].kind if name in TYPES else None
    if kind is Kind.DATE:
        days = [date.fromisoformat(value[:10]) if isinstance(value, str) else value for value in values]
        return pd.Series(days, dtype="datetime64[s]")
    # JSON has no NaN; the store has.
    values = [None if isinstance(value, float) and isnan(value) else value for value in values]
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, Number | Decimal) and not isinstance(value, bool) for value in known):
        # JSON does not tell 20 m from 20 pieces.
        may_be_whole = kind in (None, Kind.INTEGER) and len(known) == len(values)
        whole = may_be_whole and all(isinstance(value, int) for value in known)
        return pd.Series(values, dtype="int64" if whole else "float64")
    return pd.Series(values, dtype="object")

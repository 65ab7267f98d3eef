"""What may be built on a lot, as planners have it: tables of limits and of the steps of the space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from pyproj import CRS

from gis.crs import CrsLike, horizontal, transformer

if TYPE_CHECKING:
    import pandas as pd
    from geopandas import GeoDataFrame

SHOWN = (
    *("rule", "quantity", "bound", "value", "unit", "actual", "verdict", "binds", "citation", "in_force_from"),
    *("is_doubtful", "doubt", "note"),
)
"""Columns of the table of limits."""


@dataclass(frozen=True, slots=True)
class LotEnvelope:
    """The answer of `CityView.envelope`."""

    document: Mapping[str, Any]
    """All of it, as the service's description has it."""
    shape: shapely.Polygon
    """The lot."""
    limits: pd.DataFrame
    """One row a limit, those of the lot itself first."""
    steps: GeoDataFrame
    """The space from the ground up, with `base_m` and `top_m` above the lot's ground; no row where there is none."""

    @classmethod
    def of(cls, document: Mapping[str, Any], outlines: list[Any], city: CRS, crs: CrsLike | None) -> LotEnvelope:
        """From an answer and its outlines, the lot's and then the steps', in the city's CRS (x, y)."""
        import geopandas
        import pandas as pd

        target = horizontal(crs or city)
        if target != city:
            change = transformer(city, target)
            outlines = [
                shapely.transform(one, lambda xy: np.column_stack(change.transform(xy[:, 0], xy[:, 1])))
                for one in outlines
            ]
        told = [*document["lot_checks"], *document["limits"]]
        listed = (document["envelope"] or {"steps": []})["steps"]
        names = ("base_m", "top_m", "area_m2")
        columns = {name: pd.Series([step[name] for step in listed], dtype="float64") for name in names}
        return cls(
            document,
            outlines[0],
            pd.DataFrame([{name: one[name] for name in SHOWN} for one in told], columns=list(SHOWN)),
            geopandas.GeoDataFrame(columns, geometry=outlines[1:], crs=target),
        )

    @property
    def why_not(self) -> str | None:
        """Why there is no space; None where there is one."""
        told = self.document["no_envelope"]
        return None if told is None else str(told["detail"])

"""Points as a value: columns of one length, one CRS."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from gis.bounds import BoundingBox
from gis.errors import BadParameter


class Class(IntEnum):
    """Classification codes of the LAS 1.4 specification (table 17)."""

    NEVER_CLASSIFIED = 0
    UNCLASSIFIED = 1
    GROUND = 2
    LOW_VEGETATION = 3
    MEDIUM_VEGETATION = 4
    HIGH_VEGETATION = 5
    BUILDING = 6
    LOW_NOISE = 7
    WATER = 9
    WIRE_CONDUCTOR = 14
    TOWER = 15
    BRIDGE_DECK = 17
    HIGH_NOISE = 18


NOISE = (Class.LOW_NOISE, Class.HIGH_NOISE)


@dataclass(frozen=True, slots=True)
class PointCloud:
    """n points, one array a column, all of length n. Never changed in place."""

    x: NDArray[np.float64]
    """Easting, in the CRS' unit (metres)."""
    y: NDArray[np.float64]
    """Northing."""
    z: NDArray[np.float64]
    """Height above the vertical datum."""
    classification: NDArray[np.uint8]
    """LAS 1.4 class codes."""
    intensity: NDArray[np.uint16]
    return_number: NDArray[np.uint8]
    """1 is the first return of a pulse."""
    number_of_returns: NDArray[np.uint8]
    point_source_id: NDArray[np.uint16]
    """The flight strip."""
    gps_time: NDArray[np.float64]
    """Zero where the file has none."""
    scan_angle: NDArray[np.float32]
    """Degrees from nadir."""
    confidence: NDArray[np.uint8]
    """Percent: how sure the class is; 0 where nobody said."""
    crs: CRS
    """Horizontal or compound (with a vertical part)."""

    def __post_init__(self) -> None:
        lengths = {name: len(column) for name, column in self.columns().items()}
        if len(set(lengths.values())) > 1:
            raise BadParameter("columns", lengths, "all columns of a point cloud have one length")

    def __len__(self) -> int:
        return len(self.x)

    @classmethod
    def from_xyz(
        cls,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        z: NDArray[np.float64],
        crs: CRS,
        **columns: Any,
    ) -> PointCloud:
        """A cloud from coordinates alone; columns not given are filled with what a single return has."""
        n = len(x)
        filled: dict[str, Any] = {
            "classification": np.zeros(n, dtype=np.uint8),
            "intensity": np.zeros(n, dtype=np.uint16),
            "return_number": np.ones(n, dtype=np.uint8),
            "number_of_returns": np.ones(n, dtype=np.uint8),
            "point_source_id": np.zeros(n, dtype=np.uint16),
            "gps_time": np.zeros(n, dtype=np.float64),
            "scan_angle": np.zeros(n, dtype=np.float32),
            "confidence": np.zeros(n, dtype=np.uint8),
            **columns,
        }
        return cls(
            np.ascontiguousarray(x, dtype=np.float64),
            np.ascontiguousarray(y, dtype=np.float64),
            np.ascontiguousarray(z, dtype=np.float64),
            crs=crs,
            **filled,
        )

    def columns(self) -> dict[str, NDArray[Any]]:
        """The arrays by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "crs"}

    def subset(self, chosen: NDArray[Any] | slice) -> PointCloud:
        """The points of a boolean mask, an index array or a slice, in that order."""
        return PointCloud(**{name: column[chosen] for name, column in self.columns().items()}, crs=self.crs)

    def with_classification(
        self, classification: NDArray[np.uint8], confidence: NDArray[np.uint8] | None = None
    ) -> PointCloud:
        """The same points under other classes, and where it is given, with how sure those are (percent)."""
        if confidence is None:
            return replace(self, classification=classification)
        return replace(self, classification=classification, confidence=confidence)

    def of_class(self, *codes: int) -> PointCloud:
        """The points of these classes."""
        return self.subset(np.isin(self.classification, codes))

    @property
    def bounds(self) -> BoundingBox:
        """The rectangle that holds all points.

        Raises:
            BadParameter: there is no point.
        """
        if len(self) == 0:
            raise BadParameter("points", 0, "a cloud without points has no bounds")
        return BoundingBox(float(self.x.min()), float(self.y.min()), float(self.x.max()), float(self.y.max()), self.crs)

    @classmethod
    def concatenated(cls, clouds: list[PointCloud]) -> PointCloud:
        """All points of several clouds of one CRS, in order."""
        if len(clouds) == 1:
            return clouds[0]
        names = clouds[0].columns()
        return cls(**{n: np.concatenate([getattr(c, n) for c in clouds]) for n in names}, crs=clouds[0].crs)

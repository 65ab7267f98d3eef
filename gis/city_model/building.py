"""A building as measured: a closed solid with semantics, heights and their uncertainties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from shapely import Polygon


class Surface(StrEnum):
    """Semantic surface types of CityJSON 2.0 / CityGML 3.0."""

    GROUND = "GroundSurface"
    WALL = "WallSurface"
    ROOF = "RoofSurface"


@dataclass(frozen=True, slots=True)
class Face:
    """A planar polygon: one outer ring and any inner ones, as indices into the solid's vertices, not closed."""

    rings: tuple[tuple[int, ...], ...]
    surface: Surface


@dataclass(frozen=True, slots=True)
class Solid:
    """A closed shell after ISO 19107: outward normals, counter-clockwise outer rings seen from outside."""

    vertices: NDArray[np.float64]
    """(n, 3) metres, in the CRS of the building."""
    faces: tuple[Face, ...]


class Reason(StrEnum):
    """Why a model is not better than it is."""

    NONE = "none"
    FEW_POINTS = "few_points"
    """Fewer roof points than a roof needs: the height is unsure or unknown."""
    NO_POINTS = "no_points"
    NO_TERRAIN = "no_terrain"
    BAD_FOOTPRINT = "bad_footprint"
    NO_PLANES = "no_planes"
    """No roof plane was found: a block instead."""
    NOT_PARTED = "not_parted"
    """The lines of the roof could not be parted into faces: a block instead."""
    NOT_VALID = "not_valid"
    """The detailed model was no valid solid: a coarser one instead."""
    FAILED = "failed"
    """A fault of the program, which is logged: a block instead."""
    TOO_COMPLEX = "too_complex"
    """More planes, lines or points than a roof has: a coarser model instead."""


@dataclass(frozen=True, slots=True)
class Building:
    """One measured building. Heights are above the vertical datum, in metres; unknown values are NaN."""

    uid: str
    """Stable identity, from the footprint's source."""
    footprint: Polygon
    ground_height: float
    """Terrain at the footprint's border, its 5th percentile."""
    roof_height_min: float
    roof_height_50p: float
    roof_height_70p: float
    roof_height_max: float
    height: float
    """Above ground: the LoD1.2 block's roof height minus the ground height."""
    sigma_height: float
    """Standard deviation of `height`."""
    area: float
    """Of the footprint, m²."""
    sigma_area: float
    lod: str
    """Of `solid`: "1.2", "1.3", "2.2", or "0" when there is none."""
    solid: Solid | None
    """The most detailed model."""
    point_count: int
    """Roof points inside the footprint."""
    point_density: float
    """Points per m² of footprint."""
    no_data_fraction: float
    """Share of the footprint's 0.5 m cells without any point."""
    reason: Reason = Reason.NONE
    attributes: Mapping[str, float | int | str] = field(default_factory=dict)
    coarser: Mapping[str, Solid] = field(default_factory=dict)
    """Further models, by their level of detail."""

    @property
    def models(self) -> dict[str, Solid]:
        """All models by their level of detail, the coarsest first, the best one last."""
        known = {**self.coarser, **({} if self.solid is None else {self.lod: self.solid})}
        return {lod: known[lod] for lod in sorted(known, key=float)}

    def at_most(self, lod: str) -> Building:
        """The building without the models above a level of detail; its best one is the finest that is left."""
        models = {own: solid for own, solid in self.models.items() if float(own) <= float(lod)}
        best, solid = models.popitem() if models else ("0", None)
        return replace(self, lod=best, solid=solid, coarser=models)

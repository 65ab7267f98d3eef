"""Buildings as Wavefront OBJ: one object a building, its faces in groups by their surface type.

The format knows neither a CRS nor large coordinates (programs read them in single precision), so that vertices are
written from a local origin, which a comment states beside the CRS. Metres, z up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from gis.city_model.building import Building, Solid, Surface
from gis.city_model.faces import triangles
from gis.crs import CrsLike, name_of
from gis.files import written_whole

Origin = tuple[float, float, float]


def local_origin(buildings: Iterable[Building]) -> Origin:
    """Whole metres in the middle of the best models' extent, at height 0; the zero point where there are none."""
    solids = [b.solid.vertices for b in buildings if b.solid is not None]
    if not solids:
        return (0.0, 0.0, 0.0)
    low = np.min([v.min(axis=0) for v in solids], axis=0)
    high = np.max([v.max(axis=0) for v in solids], axis=0)
    x, y, _ = np.floor((low + high) / 2.0).tolist()
    return (x, y, 0.0)


def write_obj(buildings: Iterable[Building], path: Path | str, crs: CrsLike, *, origin: Origin | None = None) -> None:
    """Write the best models; the file appears whole or not at all. Arguments and errors as `to_obj`."""
    made = to_obj(buildings, crs, origin=origin)
    with written_whole(path) as part:
        part.write_text(made, encoding="utf-8")


def to_obj(buildings: Iterable[Building], crs: CrsLike, *, origin: Origin | None = None) -> str:
    """The best models as the text of a .obj file.

    A face is one polygon; only one with holes, which the format has no place for, is parted into triangles. Buildings
    without a model are counted in a comment.

    Args:
        buildings: in the CRS.
        crs: named in a comment.
        origin: what is taken off the coordinates; whole metres in the middle of all unless given.

    Raises:
        BadGeometry: a face with holes is no simple polygon.
    """
    buildings = list(buildings)
    start = local_origin(buildings) if origin is None else origin
    missing = sum(b.solid is None for b in buildings)
    lines = [
        "# diaba: buildings, metres, z up",
        f"# crs {name_of(crs)}",
        f"# origin {start[0]:.4f} {start[1]:.4f} {start[2]:.4f}",
        f"# buildings without a model, not in this file: {missing}",
    ]
    before = 1
    for building in buildings:
        if building.solid is not None:
            lines.append(f"o {'_'.join(building.uid.split())}")
            lines.extend(_lines(building.solid, start, before))
            before += len(building.solid.vertices)
    return "\n".join(lines) + "\n"


def _lines(solid: Solid, origin: Origin, before: int) -> list[str]:
    """Vertices, then the faces by surface type; indices count from `before`."""
    lines = [f"v {x:.4f} {y:.4f} {z:.4f}" for x, y, z in (solid.vertices - np.array(origin)).tolist()]
    groups: dict[Surface, list[Sequence[int]]] = {surface: [] for surface in Surface}
    holed = [number for number, face in enumerate(solid.faces) if len(face.rings) > 1]
    parted = dict(zip(holed, _parted(solid, holed), strict=True))
    for number, face in enumerate(solid.faces):
        groups[face.surface].extend(parted.get(number, [face.rings[0]]))
    for surface, rings in groups.items():
        if rings:
            lines.append(f"g {surface}")
            lines.extend("f " + " ".join(str(index + before) for index in ring) for ring in rings)
    return lines


def _parted(solid: Solid, numbers: Sequence[int]) -> list[list[Sequence[int]]]:
    """The triangles of some faces."""
    if not numbers:
        return []
    corners, face = triangles(Solid(solid.vertices, tuple(solid.faces[number] for number in numbers)))
    return [corners[face == k].tolist() for k in range(len(numbers))]

"""Buildings as CityJSON 2.0 and as CityJSONSeq (cityjson.org/specs/2.0.1), and back.

A building carries its footprint as an LoD0 MultiSurface, then its models, the coarsest first, each a Solid with
semantics under its own LoD. Written and read again it is the same to the bit, where its models lie on the 0.1 mm grid.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from gis.city_model.building import Building, Face, Reason, Solid, Surface
from gis.crs import CrsLike, normalise
from gis.errors import BadCrs, UnreadableFile
from gis.files import written_whole

VERSION = "2.0"
SCALE = 0.0001
"""m: coordinates are integers times it. Millimetres would turn steep faces out of their planes by more than one."""
DIGITS = 4
"""Decimals of a metre in an extent."""
ATTRIBUTES: Final[Mapping[str, str]] = {
    "ground_height": "ground_height_m",
    "roof_height_min": "roof_height_min_m",
    "roof_height_50p": "roof_height_50p_m",
    "roof_height_70p": "roof_height_70p_m",
    "roof_height_max": "roof_height_max_m",
    "height": "height_m",
    "sigma_height": "sigma_height_m",
    "area": "area_m2",
    "sigma_area": "sigma_area_m2",
    "point_count": "point_count",
    "point_density": "point_density_per_m2",
    "no_data_fraction": "no_data_fraction",
    "reason": "reason",
    "lod": "lod",
}
"""A building's values by field, and their names in the file, which say the unit. Unknown values are left out."""

_AUTHORITY_URI = "https://www.opengis.net/def/crs/EPSG/0/"


def reference_system(crs: CrsLike) -> str:
    """The OGC URI of a CRS; of a compound one without a number of its own, that of both its parts.

    Raises:
        BadCrs: the CRS, or a part of it, has no EPSG number.
    """
    crs = normalise(crs)
    if (code := crs.to_epsg()) is not None:
        return f"{_AUTHORITY_URI}{code}"
    parts = [part.to_epsg() for part in crs.sub_crs_list]
    if len(parts) != 2 or None in parts:
        raise BadCrs(f"{crs.name!r} has no EPSG number, so a CityJSON file cannot name it")
    return "https://www.opengis.net/def/crs-compound?" + "&".join(
        f"{number}={_AUTHORITY_URI}{part}" for number, part in enumerate(parts, start=1)
    )


def crs_of(reference: str) -> CRS:
    """The CRS that a `referenceSystem` names: an OGC URL, a compound one, or the older URN.

    Raises:
        BadCrs: it is none of these.
    """
    text = reference.strip()
    if "crs-compound?" in text:
        codes = [part.partition("=")[2].rstrip("/").rpartition("/")[2] for part in text.partition("?")[2].split("&")]
        return normalise("EPSG:" + "+".join(codes))
    return normalise("EPSG:" + text.rstrip("/").replace(":", "/").rpartition("/")[2])


def to_cityjson(
    buildings: Sequence[Building], crs: CrsLike, metadata: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """One CityJSON object with all buildings; vertices shared between them.

    Args:
        buildings: in the CRS.
        crs: horizontal or compound, with an EPSG number.
        metadata: further members of `metadata`, for example `{"title": …}`.
    """
    buildings = list(buildings)
    document = _header(_extent(buildings), crs, metadata)
    vertices = _Vertices(document["transform"])
    document["CityObjects"] = {b.uid: _city_object(b, vertices) for b in buildings}
    document["vertices"] = vertices.list
    return document


def write_cityjsonseq(
    buildings: Iterable[Building], path: Path | str, crs: CrsLike, metadata: Mapping[str, Any] | None = None
) -> None:
    """Write a CityJSONSeq: the metadata on the first line, then a CityJSONFeature a building. Whole or not at all."""
    buildings = list(buildings)
    with written_whole(path) as part, part.open("wb") as sink:
        sink.writelines(cityjsonseq(buildings, _extent(buildings), crs, metadata))


def cityjsonseq(
    buildings: Iterable[Building],
    extent: Sequence[float],
    crs: CrsLike,
    metadata: Mapping[str, Any] | None = None,
) -> Iterator[bytes]:
    """The lines of a CityJSONSeq, each made when it is asked for.

    Args:
        buildings: in the CRS.
        extent: [min x, min y, min z, max x, max y, max z] of all of them; empty when there is none.
        crs: horizontal or compound, with an EPSG number.
        metadata: further members of `metadata`.
    """
    first = _header(extent, crs, metadata)
    yield orjson.dumps(first) + b"\n"
    for building in buildings:
        vertices = _Vertices(first["transform"])
        feature = {
            "type": "CityJSONFeature",
            "id": building.uid,
            "CityObjects": {building.uid: _city_object(building, vertices)},
            "vertices": vertices.list,
        }
        yield orjson.dumps(feature) + b"\n"


def write_cityjson(
    buildings: Iterable[Building], path: Path | str, crs: CrsLike, metadata: Mapping[str, Any] | None = None
) -> None:
    """Write one CityJSON file, whole or not at all."""
    with written_whole(path) as part:
        part.write_bytes(orjson.dumps(to_cityjson(list(buildings), crs, metadata)))


def read_cityjson(path: Path | str) -> tuple[tuple[Building, ...], CRS]:
    """Read buildings from CityJSON (1.0, 1.1, 2.0) or CityJSONSeq.

    The solid of the highest LoD is a building's best model, the others are its coarser ones. The parts of a building
    count with it: where several have a solid of one LoD, theirs are joined into one, of as many shells.

    Raises:
        UnreadableFile: not such a file, or damaged; the line is named.
    """
    documents = _documents(Path(path))
    buildings: list[Building] = []
    number = 1
    try:
        first = next(documents)
        crs = crs_of(first["metadata"]["referenceSystem"])
        # Version 1.0 may do without a transform: its vertices are metres then.
        transform = first.get("transform") or {"scale": [1.0] * 3, "translate": [0.0] * 3}
        scale = np.array(transform["scale"], dtype=np.float64)
        shift = np.array(transform["translate"], dtype=np.float64)
        buildings.extend(_buildings(first, scale, shift))
        for number, feature in enumerate(documents, start=2):  # noqa: B007
            buildings.extend(_buildings(feature, scale, shift))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, StopIteration) as error:
        if isinstance(error, UnreadableFile):
            raise
        raise UnreadableFile(path, f"not CityJSON (line {number}: {type(error).__name__} {error})") from error
    return tuple(buildings), crs


class _Vertices:
    """Vertices as integers under a transform, each position once."""

    def __init__(self, transform: Mapping[str, Any]) -> None:
        self._shift = np.asarray(transform["translate"], dtype=np.float64)
        self._known: dict[tuple[int, int, int], int] = {}

    def add(self, xyz: NDArray[np.float64]) -> list[int]:
        """Indices of the positions (n, 3)."""
        integers = np.rint((xyz - self._shift) / SCALE).astype(np.int64).tolist()
        return [self._known.setdefault((x, y, z), len(self._known)) for x, y, z in integers]

    @property
    def list(self) -> list[tuple[int, int, int]]:
        """All of them, in the order of their indices."""
        return [*self._known]


def _header(extent: Sequence[float], crs: CrsLike, metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """A CityJSON object without city objects, whose transform fits all the buildings."""
    translate = [float(np.floor(value)) for value in extent[:3]] if extent else [0.0, 0.0, 0.0]
    described: dict[str, Any] = {"referenceSystem": reference_system(crs)}
    if extent:
        described["geographicalExtent"] = list(extent)
    return {
        "type": "CityJSON",
        "version": VERSION,
        "transform": {"scale": [SCALE] * 3, "translate": translate},
        "metadata": {**described, **(metadata or {})},
        "CityObjects": {},
        "vertices": [],
    }


def _extent(buildings: Sequence[Building]) -> list[float]:
    """[min x, min y, min z, max x, max y, max z] of footprints and solids; empty when there is no building."""
    if not buildings:
        return []
    corners = [_corners(b) for b in buildings]
    low = np.min([c.min(axis=0) for c in corners], axis=0)
    high = np.max([c.max(axis=0) for c in corners], axis=0)
    return [round(float(v), DIGITS) for v in (*low, *high)]


def _corners(building: Building) -> NDArray[np.float64]:
    """All that a building is drawn with."""
    return np.concatenate([_footprint_xyz(building), *(solid.vertices for solid in building.models.values())])


def _floor(building: Building) -> float:
    """Height to draw the footprint at: the ground, or 0 where it is unknown."""
    return building.ground_height if np.isfinite(building.ground_height) else 0.0


def _footprint_xyz(building: Building) -> NDArray[np.float64]:
    xy = shapely.get_coordinates(building.footprint)
    return np.column_stack([xy, np.full(len(xy), _floor(building))])


def _city_object(building: Building, vertices: _Vertices) -> dict[str, Any]:
    models = building.models.items()
    return {
        "type": "Building",
        "attributes": attributes_of(building),
        "geographicalExtent": _extent([building]),
        "geometry": [
            _footprint_geometry(building, vertices),
            *(_solid_geometry(solid, lod, vertices) for lod, solid in models),
        ],
    }


def attributes_of(building: Building) -> dict[str, Any]:
    """A building's values by their names in a file, and its further attributes; what is not known is left out."""
    found: dict[str, Any] = {}
    for field, name in ATTRIBUTES.items():
        value = getattr(building, field)
        if not (isinstance(value, float) and not np.isfinite(value)):
            found[name] = str(value) if isinstance(value, str) else value
    more = {k: v for k, v in building.attributes.items() if not (isinstance(v, float) and not np.isfinite(v))}
    return {**more, **found}


def _footprint_geometry(building: Building, vertices: _Vertices) -> dict[str, Any]:
    polygon = shapely.orient_polygons(building.footprint, exterior_cw=False)
    rings = []
    for ring in (polygon.exterior, *polygon.interiors):
        xy = shapely.get_coordinates(ring)[:-1]
        rings.append(vertices.add(np.column_stack([xy, np.full(len(xy), _floor(building))])))
    return {
        "type": "MultiSurface",
        "lod": "0",
        "boundaries": [rings],
        "semantics": {"surfaces": [{"type": str(Surface.GROUND)}], "values": [0]},
    }


def _solid_geometry(solid: Solid, lod: str, vertices: _Vertices) -> dict[str, Any]:
    index = vertices.add(solid.vertices)
    kinds = list(dict.fromkeys(face.surface for face in solid.faces))
    return {
        "type": "Solid",
        "lod": lod,
        "boundaries": [[[[index[i] for i in ring] for ring in face.rings] for face in solid.faces]],
        "semantics": {
            "surfaces": [{"type": str(kind)} for kind in kinds],
            "values": [[kinds.index(face.surface) for face in solid.faces]],
        },
    }


def _documents(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file, one a line, or one over the whole file."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UnreadableFile(path, f"cannot be read ({error.strerror})") from error
    lines = [line for line in raw.splitlines() if line.strip()]
    try:
        first = orjson.loads(lines[0]) if lines else {}
    except orjson.JSONDecodeError:
        first, lines = None, [raw]
    for number, line in enumerate(lines, start=1):
        try:
            yield first if number == 1 and first is not None else orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise UnreadableFile(path, f"not CityJSON (line {number}: {error})") from error


def _buildings(
    document: Mapping[str, Any], scale: NDArray[np.float64], shift: NDArray[np.float64]
) -> Iterator[Building]:
    """The buildings of a CityJSON object or a CityJSONFeature; parts count with their parent."""
    integers = np.array(document["vertices"], dtype=np.float64).reshape(-1, 3)
    vertices = np.round(integers * scale + shift, 6)
    objects = document["CityObjects"]
    for uid, thing in objects.items():
        if thing["type"] != "Building":
            continue
        geometry = list(thing.get("geometry", []))
        for child in thing.get("children", []):
            geometry.extend(objects.get(child, {}).get("geometry", []))
        yield _building(uid, thing.get("attributes", {}), geometry, vertices)


def _building(
    uid: str, attributes: Mapping[str, Any], geometry: Sequence[Mapping[str, Any]], vertices: NDArray[np.float64]
) -> Building:
    models = _models(geometry, vertices)
    lod, solid = models.popitem() if models else ("0", None)
    footprint = _footprint(
        [g for g in geometry if g["type"] == "MultiSurface" and str(g["lod"]).startswith("0")], vertices
    )
    if footprint is None:
        footprint = _shadow(solid)
    stated = {field: attributes.get(name) for field, name in ATTRIBUTES.items()}
    number = {field: float("nan") if value is None else value for field, value in stated.items()}
    return Building(
        uid=uid,
        footprint=footprint,
        ground_height=float(number["ground_height"]),
        roof_height_min=float(number["roof_height_min"]),
        roof_height_50p=float(number["roof_height_50p"]),
        roof_height_70p=float(number["roof_height_70p"]),
        roof_height_max=float(number["roof_height_max"]),
        height=float(number["height"]),
        sigma_height=float(number["sigma_height"]),
        area=float(footprint.area if stated["area"] is None else stated["area"]),
        sigma_area=float(number["sigma_area"]),
        lod=lod,
        solid=solid,
        point_count=int(stated["point_count"] or 0),
        point_density=float(stated["point_density"] or 0.0),
        no_data_fraction=float(stated["no_data_fraction"] or 0.0),
        reason=Reason(stated["reason"] or Reason.NONE),
        attributes={k: v for k, v in attributes.items() if k not in set(ATTRIBUTES.values())},
        coarser=models,
    )


def _models(geometry: Sequence[Mapping[str, Any]], vertices: NDArray[np.float64]) -> dict[str, Solid]:
    """The solids by their LoD, the coarsest first."""
    shells: dict[str, list[Solid]] = {}
    for one in geometry:
        if one["type"] == "Solid":
            shells.setdefault(str(one["lod"]), []).append(_solid(one, vertices))
    return {lod: _joined(shells[lod]) for lod in sorted(shells, key=float)}


def _joined(solids: Sequence[Solid]) -> Solid:
    """The faces of all in one solid."""
    if len(solids) == 1:
        return solids[0]
    starts = np.cumsum([0, *(len(solid.vertices) for solid in solids[:-1])]).tolist()
    faces = tuple(
        Face(tuple(tuple(index + start for index in ring) for ring in face.rings), face.surface)
        for solid, start in zip(solids, starts, strict=True)
        for face in solid.faces
    )
    return Solid(np.concatenate([solid.vertices for solid in solids]), faces)


def _footprint(surfaces: Sequence[Mapping[str, Any]], vertices: NDArray[np.float64]) -> shapely.Polygon | None:
    """The LoD0 polygon; the largest where there are several."""
    polygons = [
        shapely.Polygon(vertices[rings[0], :2], [vertices[ring, :2] for ring in rings[1:]])
        for surface in surfaces
        for rings in surface["boundaries"]
    ]
    return max(polygons, key=lambda p: float(p.area), default=None)


def _shadow(solid: Solid | None) -> shapely.Polygon:
    """The union of a solid's ground faces, for a building without a footprint of its own."""
    if solid is None:
        raise ValueError("a building has neither a footprint nor a solid")
    polygons = [
        shapely.Polygon(solid.vertices[list(f.rings[0]), :2], [solid.vertices[list(r), :2] for r in f.rings[1:]])
        for f in solid.faces
        if f.surface is Surface.GROUND
    ]
    parts: list[shapely.Polygon] = list(shapely.get_parts(shapely.union_all(polygons)))
    return max(parts, key=lambda p: float(p.area))


def _solid(geometry: Mapping[str, Any], vertices: NDArray[np.float64]) -> Solid:
    """The outer shell, with only the vertices it uses."""
    shell = geometry["boundaries"][0]
    semantics = geometry.get("semantics") or {}
    kinds = [_surface(surface["type"]) for surface in semantics.get("surfaces", [])]
    values = (semantics.get("values") or [[None] * len(shell)])[0]
    used = list(dict.fromkeys(index for face in shell for ring in face for index in ring))
    place = {index: number for number, index in enumerate(used)}
    faces = tuple(
        Face(
            tuple(tuple(place[index] for index in ring) for ring in face),
            Surface.WALL if value is None else kinds[value],
        )
        for face, value in zip(shell, values, strict=True)
    )
    return Solid(vertices[used], faces)


def _surface(name: str) -> Surface:
    """A semantic surface; those beyond ground, wall and roof (outer floors and ceilings …) count as walls."""
    return Surface(name) if name in set(Surface) else Surface.WALL

"""A proposal from GeoJSON, checked at the door: what cannot be meant is refused in one line that says what to do.

A FeatureCollection in EPSG:9210: one feature of `role` lot, any of role road, zone and footprint.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import isfinite
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import shapely
from shapely import LineString, Polygon
from shapely.errors import ShapelyError
from shapely.geometry import shape

from gis.construction.proposal import OUTSIDE, AreaKind, Mass, Proposal, Road, Use, Zone
from gis.errors import BadGeometry, BadInput, UnreadableFile
from gis.settings import DEFAULT_JURISDICTION

LARGEST_FILE: Final = 2_000_000
"""Bytes; a drawing of one building has a few thousand."""
MOST_FEATURES: Final = 100
MOST_VERTICES: Final = 1_000
"""Of one feature."""
LEAST_AREA: Final = 1.0
"""m² of a lot or footprint."""
EAST: Final = (400_000.0, 800_000.0)
NORTH: Final = (850_000.0, 1_400_000.0)
"""Where EPSG:9210 puts the south of Vietnam."""
UTM_FROM: Final = 642_000.0
"""East of this a place of EPSG:9210 lies near the sea, and one of UTM zone 48 in the city itself."""
DATUM_SHIFT: Final = (150.0, 300.0)
"""Metres: VN-2000 and WGS 84 are 225 m apart in the city, a little more or less elsewhere."""
ROLES: Final = ("lot", "road", "footprint", "zone")
CRS_NAMES: Final = re.compile(r"(urn:ogc:def:crs:EPSG:[\d.]*:|EPSG:|https?://www\.opengis\.net/def/crs/EPSG/0/)9210")


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds where the file does not say it."""

    filed_on: date
    use: Use | None = None
    area_kind: AreaKind | None = None
    height: float | None = None
    """Metres a building is thought of as having, where only the lot is given."""
    jurisdiction: str = DEFAULT_JURISDICTION
    """Whose rules apply."""


def read_proposal(path: Path, defaults: Defaults) -> Proposal:
    """The proposal in a file.

    Raises:
        UnreadableFile: the file is missing, too large or no GeoJSON.
        BadInput: what it holds cannot be meant: feature, property and reason.
    """
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise UnreadableFile(path, "is no file")
        if size > LARGEST_FILE:
            raise UnreadableFile(path, f"{size} bytes are too many for a proposal; at most {LARGEST_FILE} are read")
        content = path.read_bytes()
    except FileNotFoundError:
        raise UnreadableFile(path, "there is no such file") from None
    except OSError as error:
        raise UnreadableFile(path, error.strerror or str(error)) from error
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise UnreadableFile(path, f"is no JSON: {error}") from None
    try:
        return parse_proposal(document, defaults)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error


def parse_proposal(document: Any, defaults: Defaults) -> Proposal:
    """The proposal in a GeoJSON FeatureCollection, as parsed from JSON.

    Raises:
        BadInput: what it holds cannot be meant: feature, property and reason.
    """
    features = _features(document)
    by_role: dict[str, list[_Feature]] = {role: [] for role in ROLES}
    for number, feature in enumerate(features, start=1):
        read = _feature(number, feature)
        by_role[read.role].append(read)
    if len(by_role["lot"]) != 1:
        raise BadInput(f"{len(by_role['lot'])} features of role lot; give exactly one")
    lot = by_role["lot"][0]
    masses = tuple(_mass(feature) for feature in by_role["footprint"])
    proposal = _assembled(
        lot,
        tuple(_road(feature) for feature in by_role["road"]),
        masses,
        tuple(_zone(feature) for feature in by_role["zone"]),
        by_role["footprint"] or [lot],
        defaults,
    )
    _check_places(proposal)
    return proposal


@dataclass(frozen=True, slots=True)
class _Feature:
    name: str
    role: str
    geometry: Any
    properties: Mapping[str, Any]

    def bad(self, key: str, why: str) -> BadInput:
        return BadInput(f"{self.name}, {key}={str(self.properties.get(key))[:40]!r}: {why}")

    def needed(self, key: str, low: float, high: float) -> float:
        value = self.number(key, low, high)
        if value is None:
            raise BadInput(f"{self.name}: {key} is missing")
        return value

    def number(self, key: str, low: float, high: float) -> float | None:
        value = self.properties.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            raise self.bad(key, "not a number")
        if not low <= value <= high:
            raise self.bad(key, f"a number from {low:g} to {high:g} is expected")
        return float(value)

    def whole(self, key: str, low: int, high: int) -> int | None:
        value = self.number(key, low, high)
        if value is not None and not value.is_integer():
            raise self.bad(key, "a whole number is expected")
        return None if value is None else int(value)

    def choice(self, key: str, known: Sequence[str]) -> str | None:
        value = self.properties.get(key)
        if value is not None and value not in known:
            raise self.bad(key, f"is none of {', '.join(known)}")
        return value

    def text(self, key: str) -> str:
        value = self.properties.get(key)
        if value is not None and not isinstance(value, str | int):
            raise self.bad(key, "a text is expected")
        # It is printed to terminals; read again, it is the same.
        kept = "".join(c for c in str("" if value is None else value) if c.isprintable() or c.isspace())
        return " ".join(kept.split())[:200].strip()

    def flag(self, key: str) -> bool:
        value = self.properties.get(key, False)
        if not isinstance(value, bool):
            raise self.bad(key, "true or false is expected")
        return value

    def day(self, key: str) -> date | None:
        value = self.properties.get(key)
        if value is None:
            return None
        try:
            return date.fromisoformat(value)
        except (TypeError, ValueError):
            raise self.bad(key, "no day like 2026-11-26") from None


def _features(document: Any) -> list[Any]:
    if not isinstance(document, dict) or document.get("type") != "FeatureCollection":
        raise BadInput("not a GeoJSON FeatureCollection")
    _check_crs(document.get("crs"))
    features = document.get("features")
    if not isinstance(features, list) or not features:
        raise BadInput("the FeatureCollection has no features; give at least a lot and its roads")
    if len(features) > MOST_FEATURES:
        raise BadInput(f"{len(features)} features are too many for a proposal; at most {MOST_FEATURES} are read")
    return features


def _check_crs(crs: Any) -> None:
    if crs is None:
        return
    properties = crs.get("properties") if isinstance(crs, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    if not isinstance(name, str) or not CRS_NAMES.fullmatch(name.split("+")[0].strip()):
        told = repr(str(name)[:60])
        raise BadInput(f"its CRS is {told}; a proposal is in EPSG:9210 (VN-2000 / TM-3 105-45): transform it first")


def _feature(number: int, feature: Any) -> _Feature:
    where = f"feature {number}"
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        raise BadInput(f"{where}: not a GeoJSON Feature")
    properties = feature.get("properties")
    if not isinstance(properties, dict):
        properties = {}
    role = properties.get("role")
    if role not in ROLES:
        raise BadInput(f"{where}: role={str(role)[:40]!r} is none of {', '.join(ROLES)}")
    name = f"{where} ({role})"
    wanted = "LineString" if role == "road" else "Polygon"
    return _Feature(name, role, _geometry(name, feature.get("geometry"), wanted), properties)


def _geometry(name: str, geometry: Any, wanted: str) -> LineString | Polygon:
    if not isinstance(geometry, dict) or geometry.get("type") not in (wanted, f"Multi{wanted}"):
        raise BadGeometry(name, f"its geometry is no {wanted}")
    try:
        _check_coordinates(name, geometry.get("coordinates"))
        read = shapely.force_2d(shape(geometry))
    except BadInput:
        raise
    except (ShapelyError, ValueError, TypeError, IndexError, AttributeError, OverflowError, RecursionError):
        raise BadGeometry(name, f"its coordinates are no {wanted}'s") from None
    parts = shapely.get_parts(read)
    if len(parts) != 1:
        raise BadGeometry(name, f"it has {len(parts)} parts; give each a feature of its own")
    read = parts[0]
    if read.is_empty or not read.is_valid:
        raise BadGeometry(name, "it is empty" if read.is_empty else shapely.is_valid_reason(read))
    if wanted == "Polygon" and read.area < LEAST_AREA:
        raise BadGeometry(name, f"its area is {read.area:.3f} m²; is it drawn in metres?")
    if wanted == "LineString" and read.length < LEAST_AREA:
        raise BadGeometry(name, f"it is {read.length:.3f} m long; is it drawn in metres?")
    found: LineString | Polygon = read
    return found


def _check_coordinates(name: str, coordinates: Any) -> None:
    xy = np.array(list(_positions(coordinates, 0)), dtype=np.float64)
    if len(xy) > MOST_VERTICES:
        raise BadGeometry(name, f"{len(xy)} vertices are too many; at most {MOST_VERTICES} are read")
    if not len(xy) or not np.isfinite(xy).all():
        raise BadGeometry(name, "a coordinate is no finite number")
    x, y = xy.mean(axis=0)
    place = f"{x:.6g}, {y:.7g}"
    if (np.abs(xy) <= 360.0).all():
        raise BadGeometry(name, f"its coordinates ({place}) look like degrees; give metres in EPSG:9210")
    if EAST[0] <= y <= EAST[1] and NORTH[0] <= x <= NORTH[1]:
        raise BadGeometry(name, f"its coordinates ({place}) look swapped; give east, then north, in EPSG:9210")
    low, high = xy.min(axis=0), xy.max(axis=0)
    inside = EAST[0] <= low[0] and high[0] <= EAST[1] and NORTH[0] <= low[1] and high[1] <= NORTH[1]
    if not inside:
        raise BadGeometry(name, f"its coordinates ({place}) lie outside of the south of Vietnam in EPSG:9210")


def _positions(coordinates: Any, depth: int) -> Any:
    """(x, y) of every position of nested coordinates."""
    if not isinstance(coordinates, list | tuple) or depth > 4:
        raise TypeError("no coordinates")
    if coordinates and all(isinstance(c, int | float) and not isinstance(c, bool) for c in coordinates):
        if not 2 <= len(coordinates) <= 4:
            raise ValueError("no position")
        yield coordinates[:2]
        return
    for part in coordinates:
        yield from _positions(part, depth + 1)


def _road(feature: _Feature) -> Road:
    width = feature.needed("reserve_width_m", 0.5, 200)
    return Road(feature.text("name") or feature.name, feature.geometry, width)


def _mass(feature: _Feature) -> Mass:
    feature.needed("floors", 1, 200)
    floors = feature.whole("floors", 1, 200) or 1
    height = feature.needed("height_m", 0.5, 1000)
    at_line = feature.number("height_at_building_line_m", 0, 1000)
    if at_line is not None and at_line > height:
        raise feature.bad("height_at_building_line_m", f"more than height_m, which is {height:g}")
    area = feature.number("gross_floor_area_m2", 0.1, 1e7)
    return Mass(feature.text("name") or feature.name, feature.geometry, floors, height, at_line, area)


def _zone(feature: _Feature) -> Zone:
    return Zone(
        feature.text("name") or feature.text("uid") or feature.name,
        feature.geometry,
        feature.text("level"),
        feature.text("decision"),
        feature.number("density_pct", 0, 100),
        feature.number("far", 0, 100),
        feature.whole("floors_max", 0, 200),
        feature.number("height_max_m", 0, 1000),
    )


def _assembled(
    lot: _Feature,
    roads: tuple[Road, ...],
    masses: tuple[Mass, ...],
    zones: tuple[Zone, ...],
    stating: Sequence[_Feature],
    defaults: Defaults,
) -> Proposal:
    """The proposal; what is one for all masses is read from those that state it, which must agree."""
    assumed: list[str] = []
    use = _agreed(stating, "use", lambda f: f.choice("use", list(Use))) or defaults.use
    if use is None:
        if masses:
            raise BadInput(f"{stating[0].name}: use is missing; give one of {', '.join(Use)}")
        use = Use.ATTACHED
        assumed.append("the use was not said: an attached house is taken")
    area_kind = _agreed(stating, "area_kind", lambda f: f.choice("area_kind", list(AreaKind))) or defaults.area_kind
    if area_kind is None:
        area_kind = AreaKind.NEW
        assumed.append("the kind of area was not said: a new one is taken, the stricter of the two")
    filed_on = _agreed(stating, "filed_on", lambda f: f.day("filed_on")) or defaults.filed_on
    stated = [mass for mass in masses if mass.gross_floor_area is not None]
    if masses and len(stated) < len(masses):
        assumed.append("the gross floor area is not stated for every footprint: floors times footprint are taken")
    if lot.geometry.bounds[0] >= UTM_FROM:
        assumed.append("the coordinates are EPSG:9210, near the sea; in UTM zone 48 they would lie in the city itself")
    balconies = [out for f in stating if (out := f.number("balcony_m", 0, 20)) is not None]
    return Proposal(
        lot=lot.geometry,
        roads=roads,
        masses=masses,
        zones=zones,
        use=Use(use),
        filed_on=filed_on,
        area_kind=AreaKind(area_kind),
        balcony=max(balconies, default=None),
        temporary=any(f.flag("temporary") for f in stating),
        plan_level=_agreed(stating, "plan_level", lambda f: f.choice("plan_level", ("zoning", "detailed"))),
        basements=max((n for f in stating if (n := f.whole("basements", 0, 20)) is not None), default=0),
        design_height=None if masses else lot.number("height_m", 0.5, 1000) or defaults.height,
        jurisdiction=defaults.jurisdiction,
        assumed=tuple(assumed),
    )


def _agreed(features: Sequence[_Feature], key: str, read: Any) -> Any:
    values = list(dict.fromkeys(value for f in features if (value := read(f)) is not None))
    if len(values) > 1:
        raise BadInput(f"{key} is {' here and '.join(map(str, values[:2]))} there; a proposal has one")
    return values[0] if values else None


def _check_places(proposal: Proposal) -> None:
    """Raise where features lie where they cannot, which mostly is a mix-up of coordinates."""
    for mass in proposal.masses:
        outside = mass.footprint.difference(proposal.lot)
        if outside.is_empty:
            continue
        points = shapely.points(shapely.get_coordinates(outside))
        reach = float(shapely.distance(points, proposal.lot).max())
        if reach > OUTSIDE:
            apart = _datum_hint(float(mass.footprint.distance(proposal.lot)))
            raise BadGeometry(mass.name, f"the footprint reaches {reach:.2f} m outside of the lot{apart}")
    if proposal.roads:
        nearest = min(proposal.roads, key=lambda road: float(road.axis.distance(proposal.lot)))
        if hint := _datum_hint(float(nearest.axis.distance(proposal.lot))):
            raise BadGeometry(nearest.name, f"it is the road nearest to the lot{hint}")


def _datum_hint(apart: float) -> str:
    if DATUM_SHIFT[0] <= apart <= DATUM_SHIFT[1]:
        return f", {apart:.0f} m away: VN-2000 and WGS 84 are 225 m apart; were coordinates of both mixed?"
    return ""

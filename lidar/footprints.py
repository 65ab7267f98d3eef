"""Building outlines as a value, and their reading from any vector file, good records kept and bad ones reported."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyogrio
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import CRS
from shapely.errors import GEOSException
from shapely.geometry.base import BaseGeometry

from gis.bounds import BoundingBox
from gis.crs import CrsLike, horizontal, name_of, normalise, transformer
from gis.errors import BadCrs, BadGeometry, BadParameter, MissingCrs, UnreadableFile
from lidar.polygon_repair import sound_parts

UID_COLUMNS = ("uid", "identificatie", "id", "gml_id", "cleabs", "building_id", "gid", "objectid", "fid")
"""Columns that name a record, the best first; compared without regard to case."""
GEOMETRY_COLUMNS = ("wkt", "geom", "geometry", "polygon", "the_geom", "shape", "geometrie")
SIGMA_XY = 0.15
"""m: planimetric standard deviation of a base map's outline, where its source states none (1:500 mapping)."""
LARGEST_CSV_FIELD = 64 * 1024 * 1024
"""Bytes: an outline's text beyond this is not one."""


@dataclass(frozen=True, slots=True, eq=False)
class Footprints:
    """n outlines of buildings in one horizontal CRS, each a valid polygon with area under a unique name."""

    uids: tuple[str, ...]
    polygons: NDArray[np.object_]
    """(n,) shapely polygons, metres; holes are courtyards."""
    crs: CRS
    source: str
    """Where they come from: the file's name, or how they were derived."""
    sigma_xy: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    """(n,) planimetric standard deviation, metres; `SIGMA_XY` unless given."""
    derived: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=bool))
    """(n,) whether the outline was derived from points rather than known; false unless given."""
    complete: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=bool))
    """(n,) false where the points ended before the building did; true unless given."""
    confidence: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    """(n,) 0 to 1, share of the outline's length that the points support (`derive_footprints`); 1 unless given."""
    problems: tuple[BadGeometry, ...] = ()
    """Records that were repaired or left out, each with its reason."""

    def __post_init__(self) -> None:
        n = len(self.uids)
        if len(self.polygons) != n:
            raise BadParameter("footprints", (n, len(self.polygons)), "there must be a uid for each polygon")
        if len(set(self.uids)) != n:
            raise BadParameter("uids", n, "two outlines share a uid")
        defaults = {
            "sigma_xy": np.full(n, SIGMA_XY),
            "derived": np.zeros(n, bool),
            "complete": np.ones(n, bool),
            "confidence": np.ones(n),
        }
        for name, default in defaults.items():
            if len(getattr(self, name)) != n:
                object.__setattr__(self, name, default)

    def __len__(self) -> int:
        return len(self.uids)

    @classmethod
    def of(cls, outlines: Iterable[tuple[str, BaseGeometry]], crs: CrsLike, source: str = "given") -> Footprints:
        """Make them from (uid, geometry) pairs: invalid ones repaired, unusable ones reported in `problems`."""
        names, geometries = [], []
        for uid, geometry in outlines:
            names.append(uid)
            geometries.append(geometry)
        return _sound(names, _objects(geometries), horizontal(crs), source, [])

    @classmethod
    def none(cls, crs: CrsLike) -> Footprints:
        """No outline at all."""
        return cls((), np.empty(0, dtype=object), horizontal(crs), "none")

    @property
    def representative_points(self) -> NDArray[np.float64]:
        """(n, 2) a point inside each outline; it depends on the outline alone, not on where its ring starts."""
        return shapely.get_coordinates(shapely.point_on_surface(self.polygons)).reshape(-1, 2)

    def subset(self, chosen: NDArray[Any] | Sequence[int]) -> Footprints:
        """Those of a boolean mask or an index array, in that order; problems stay with the whole."""
        index = np.asarray(chosen)
        index = np.flatnonzero(index) if index.dtype == bool else index.astype(np.int64)
        return Footprints(
            tuple(self.uids[i] for i in index),
            self.polygons[index],
            self.crs,
            self.source,
            self.sigma_xy[index],
            self.derived[index],
            self.complete[index],
            self.confidence[index],
        )

    def within(self, bounds: BoundingBox) -> Footprints:
        """Those that belong to a tile: their representative point lies in its half-open bounds.

        So every outline belongs to exactly one of a grid's tiles.
        """
        x, y = self.representative_points.T
        return self.subset((x >= bounds.min_x) & (x < bounds.max_x) & (y >= bounds.min_y) & (y < bounds.max_y))

    def touching(self, bounds: BoundingBox) -> Footprints:
        """Those that share at least a point with the bounds."""
        return self.subset(shapely.intersects(self.polygons, bounds.polygon))

    def to(self, crs: CrsLike) -> Footprints:
        """The same outlines in another horizontal CRS."""
        target = horizontal(crs)
        if target == self.crs:
            return self
        moved = _sound(list(self.uids), _reprojected(self.polygons, self.crs, target), target, self.source, [])
        place = {uid: index for index, uid in enumerate(self.uids)}
        kept = [place.get(uid, place.get(uid.rpartition("-")[0], 0)) for uid in moved.uids]
        return replace(
            moved,
            sigma_xy=self.sigma_xy[kept],
            derived=self.derived[kept],
            complete=self.complete[kept],
            confidence=self.confidence[kept],
            problems=self.problems + moved.problems,
        )

    @classmethod
    def joined(cls, first: Footprints, second: Footprints) -> Footprints:
        """Both sets, in order, in the first's CRS; a uid the first has already takes its place there."""
        second = second.to(first.crs)
        taken = set(first.uids)
        fresh = second.subset([i for i, uid in enumerate(second.uids) if uid not in taken])
        return cls(
            first.uids + fresh.uids,
            np.concatenate([first.polygons, fresh.polygons]),
            first.crs,
            f"{first.source}, {second.source}",
            np.concatenate([first.sigma_xy, fresh.sigma_xy]),
            np.concatenate([first.derived, fresh.derived]),
            np.concatenate([first.complete, fresh.complete]),
            np.concatenate([first.confidence, fresh.confidence]),
            first.problems + second.problems,
        )


def read_footprints(
    path: Path | str, crs: CrsLike | None = None, layer: str | None = None, *, to: CrsLike | None = None
) -> Footprints:
    """Read outlines from any vector file OGR knows, or from a CSV with a column of WKT or of coordinate lists.

    Args:
        path: the file.
        crs: its CRS, for a file that does not say its own; of one that does, it must be the same horizontally.
        layer: the layer of a file with several; otherwise the first with polygons.
        to: the CRS wanted; the file's own by default. Only the horizontal part counts.

    Returns:
        Valid polygons. Invalid rings are repaired; several parts become several outlines (`uid`, `uid-2`, … by
        falling area). What was repaired or left out is in `problems`.

    Raises:
        UnreadableFile: the file or layer is not there, damaged, or holds no geometry column.
        MissingCrs: neither the file nor the caller says its CRS.
        BadCrs: the file and the caller contradict each other.
    """
    path = Path(path)
    if not path.exists():
        raise UnreadableFile(path, "there is no such file")
    problems: list[BadGeometry] = []
    reader = _read_csv if path.suffix.lower() in {".csv", ".tsv", ".txt"} else _read_ogr
    uids, geometries, stated = reader(path, layer, problems)
    own = _own_crs(path, stated, None if crs is None else horizontal(crs), geometries)
    target = own if to is None else horizontal(to)
    if target != own:
        geometries = _reprojected(geometries, own, target)
    return _sound(uids, geometries, target, path.name, problems)


def read_footprints_for(path: Path | str, to: CrsLike, unstated: CrsLike | None = None) -> Footprints:
    """Outlines for points in the CRS `to`; `unstated` is the CRS of input that does not say its own.

    Unlike `crs` of `read_footprints`, `unstated` does not contradict a file that says another CRS: outlines may well
    come in degrees where the points, in metres, say nothing.

    Raises as `read_footprints`.
    """
    try:
        return read_footprints(path, to=to)
    except MissingCrs:
        if unstated is None:
            raise
        return read_footprints(path, crs=unstated, to=to)


def _objects(items: Sequence[Any]) -> NDArray[np.object_]:
    """An array of objects of that length, whatever the objects are."""
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def _read_ogr(
    path: Path, layer: str | None, problems: list[BadGeometry]
) -> tuple[list[str], NDArray[np.object_], CRS | None]:
    """Uids, geometries (None where unreadable) and the stated CRS."""
    try:
        meta, fids, encoded, columns = pyogrio.raw.read(
            path, layer=layer or _polygon_layer(path), return_fids=True, force_2d=True
        )
    except (DataSourceError, DataLayerError, RuntimeError, ValueError) as error:
        raise UnreadableFile(path, f"not a readable vector file ({' '.join(str(error).split())})") from error
    if encoded is None:
        raise UnreadableFile(path, "the layer has no geometry")
    names = _uid_column(path, [str(name) for name in meta["fields"]], columns, fids)
    geometries = shapely.from_wkb(encoded, on_invalid="ignore")
    unread = np.array([w is not None for w in encoded], dtype=bool) & shapely.is_missing(geometries)
    problems.extend(
        BadGeometry(names[index], "left out: its geometry cannot be read") for index in np.flatnonzero(unread)
    )
    stated = normalise(meta["crs"]) if meta["crs"] else None
    return names, geometries, stated


def _polygon_layer(path: Path) -> str | None:
    """The first layer that holds polygons, or may; None lets OGR choose."""
    for name, kind in pyogrio.list_layers(path):
        if kind is not None and ("Polygon" in kind or kind in {"Unknown", "GeometryCollection", "MultiSurface"}):
            return str(name)
    return None


def _uid_column(
    path: Path, fields: Sequence[str], columns: Sequence[NDArray[Any]], fids: NDArray[np.int64]
) -> list[str]:
    """A name for each record: the best column of names, or the file's name and the record's number."""
    lower = [name.lower() for name in fields]
    fallback = [f"{path.stem}-{fid}" for fid in fids]
    for wanted in UID_COLUMNS:
        if wanted in lower:
            values = columns[lower.index(wanted)]
            return [_text(value) or default for value, default in zip(values, fallback, strict=True)]
    return fallback


def _text(value: object) -> str:
    """A value of a name column as text; empty where there is none."""
    if value is None or (isinstance(value, float | np.floating) and not np.isfinite(value)):
        return ""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def _read_csv(
    path: Path, _layer: str | None, problems: list[BadGeometry]
) -> tuple[list[str], NDArray[np.object_], CRS | None]:
    """A table with a column of WKT (also EWKT) or of a ring's coordinates as a JSON list."""
    rows = _csv_rows(path)
    if not rows:
        raise UnreadableFile(path, "the table has no records")
    fields = [name for name in rows[0] if name is not None]
    column = _geometry_column(fields, rows)
    if column is None:
        raise UnreadableFile(path, f"no column holds outlines; its columns are {', '.join(fields)[:200]}")
    plain = [name for name in fields if name != column]
    table = [_objects([row[name] for row in rows]) for name in plain]
    uids = _uid_column(path, plain, table, np.arange(1, len(rows) + 1))
    geometries: list[BaseGeometry | None] = []
    for uid, row in zip(uids, rows, strict=True):
        try:
            geometries.append(_geometry_of_text(row[column] or ""))
        except (GEOSException, ValueError, TypeError) as error:
            geometries.append(None)
            problems.append(
                BadGeometry(uid, f"left out: its outline cannot be read ({' '.join(str(error).split())[:120]})")
            )
    codes = {int(shapely.get_srid(g)) for g in geometries if g is not None} - {0}
    return uids, _objects(geometries), normalise(codes.pop()) if len(codes) == 1 else None


def _csv_rows(path: Path) -> list[dict[str, str]]:
    """The records of a table separated by commas, semicolons or tabs."""
    csv.field_size_limit(LARGEST_CSV_FIELD)
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    except OSError as error:
        raise UnreadableFile(path, f"cannot be read ({error.strerror})") from error
    if "\0" in text:
        raise UnreadableFile(path, "not a text table")
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    try:
        return list(csv.DictReader(text.splitlines(), delimiter=delimiter, restval=""))
    except csv.Error as error:
        raise UnreadableFile(path, f"not a table ({error})") from error


def _geometry_column(fields: Sequence[str], rows: Sequence[dict[str, str]]) -> str | None:
    """The column of outlines: one that is named so, or whose first value looks so."""
    first = {name: next((row[name] for row in rows if row[name]), "") for name in fields}
    looks = [n for n in fields if first[n].lstrip().upper().startswith(("POLYGON", "MULTIPOLYGON", "SRID=", "[["))]
    named = [n for n in looks if n.lower() in GEOMETRY_COLUMNS]
    return next(iter(named or looks or [n for n in fields if n.lower() in GEOMETRY_COLUMNS]), None)


def _geometry_of_text(text: str) -> BaseGeometry:
    """WKT, EWKT, or a JSON list of [x, y] (a ring) or of rings."""
    text = text.strip()
    if text.startswith("["):
        rings = orjson.loads(text)
        if rings and isinstance(rings[0][0], int | float):
            rings = [rings]
        return shapely.Polygon(rings[0], rings[1:])
    code = 0
    if text.upper().startswith("SRID="):
        number, _, text = text.partition(";")
        code = int(number[5:])
    return shapely.set_srid(shapely.from_wkt(text), code)


def _own_crs(path: Path, stated: CRS | None, given: CRS | None, geometries: NDArray[np.object_]) -> CRS:
    """The file's horizontal CRS, as it says or as the caller says."""
    own = None if stated is None else horizontal(stated)
    if own is not None and own.is_geographic and not _looks_like_degrees(geometries):
        own = None  # GeoJSON is EPSG:4326 by definition, even where its writer forgot that
    if own is None and given is None:
        raise MissingCrs(path)
    if own is not None and given is not None and own != given and own.to_epsg() != given.to_epsg():
        raise BadCrs(f"{path}: the file says it is in {name_of(own)}, but {name_of(given)} was given")
    return own or given  # type: ignore[return-value]  # one of the two is there


def _looks_like_degrees(geometries: NDArray[np.object_]) -> bool:
    west, south, east, north = shapely.total_bounds(geometries)
    return bool(np.isnan(west) or (west >= -360 and east <= 360 and south >= -90.1 and north <= 90.1))


def _reprojected(geometries: NDArray[np.object_], source: CRS, target: CRS) -> NDArray[np.object_]:
    """The geometries in another CRS; what has no place there gets infinite coordinates."""
    move = transformer(source, target)

    def moved(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(move.transform(xy[:, 0], xy[:, 1]))

    return np.asarray(shapely.transform(geometries, moved), dtype=object)


def _sound(
    uids: list[str], geometries: NDArray[np.object_], crs: CRS, source: str, problems: list[BadGeometry]
) -> Footprints:
    """Only valid single polygons with area, each under its own uid; the rest reported."""
    told = {problem.record for problem in problems}
    taken: dict[str, None] = {}
    polygons: list[BaseGeometry] = []
    seen: set[tuple[str, bytes]] = set()
    for uid, geometry in zip(uids, shapely.force_2d(geometries), strict=True):
        if geometry is None:
            if uid not in told:
                problems.append(BadGeometry(uid, "left out: it has no outline"))
            continue
        parts, why = sound_parts(geometry)
        if why:
            problems.append(BadGeometry(uid, why))
        if not parts:
            continue
        record = (uid, shapely.to_wkb(shapely.normalize(geometry)))
        if record in seen:
            problems.append(BadGeometry(uid, "left out: the same record twice"))
            continue
        if uid in taken:
            problems.append(BadGeometry(uid, "its uid is another record's: it was given a number"))
        seen.add(record)
        for part in parts:
            taken[_unused(uid, taken)] = None
            polygons.append(part)
    return Footprints(tuple(taken), _objects(polygons), crs, source, problems=tuple(problems))


def _unused(uid: str, taken: Mapping[str, None]) -> str:
    """The uid itself the first time, then uid-2, uid-3 and so on."""
    name, number = uid, 1
    while name in taken:
        number += 1
        name = f"{uid}-{number}"
    return name

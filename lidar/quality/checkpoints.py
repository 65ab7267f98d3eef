"""Check points: places whose height somebody measured better than the survey, read from a table or a vector file."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import CRS

from gis.crs import CrsLike, horizontal, name_of, normalise, transformer, vertical
from gis.errors import BadCrs, BadInput, UnreadableFile
from lidar.las.crs import same
from lidar.quality.standards import plain_word

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "id": ("id", "name", "point", "point id", "pointid", "no", "number", "station", "ten", "ten diem", "stt", "fid"),
    "x": ("x", "easting", "east", "e", "x m", "lon", "long", "longitude", "utm x", "toa do x"),
    "y": ("y", "northing", "north", "n", "y m", "lat", "latitude", "utm y", "toa do y"),
    "z": ("z", "height", "elevation", "elev", "h", "z m", "altitude", "ortho", "cao do", "do cao"),
    "land_cover": ("land cover", "landcover", "cover", "cover type", "class", "type", "category", "lc", "lop phu"),
    "sigma": ("sigma", "sigma z", "sigma v", "sd", "sz", "std", "std z", "rmse", "rmse v", "accuracy", "accuracy v"),
}
"""What a column is for → its names as `plain_word` makes them, the best first; `h` is a height, `n` a northing."""
DEGREES: Final = frozenset(("lon", "long", "longitude", "lat", "latitude"))
TABLES: Final = frozenset((".csv", ".tsv", ".txt"))
FEWEST_IN: Final = 0.5
"""Share of the check points that must lie in the survey for their axes to be believed, if swapping puts more in."""


@dataclass(frozen=True, slots=True, eq=False)
class CheckPoints:
    """n check points in one CRS."""

    ids: tuple[str, ...]
    x: NDArray[np.float64]
    """(n,) in the CRS' unit."""
    y: NDArray[np.float64]
    z: NDArray[np.float64]
    """(n,) metres."""
    land_cover: tuple[str, ...]
    """As the file has it; empty where it says nothing."""
    sigma: NDArray[np.float64]
    """(n,) 1σ of the height, metres; NaN where the file says nothing."""
    crs: CRS | None
    """None where the file does not say."""
    source: str
    problems: tuple[str, ...] = field(default=())
    """Records left out, each with its reason."""

    def __len__(self) -> int:
        return len(self.ids)

    def to(self, crs: CrsLike) -> CheckPoints:
        """In the survey's CRS; points that do not say their own are taken to be in it.

        Raises:
            BadCrs: the two name different vertical datums.
        """
        target = normalise(crs)
        if self.crs is None:
            return replace(self, crs=target)
        _check_datum(self.crs, target, self.source)
        x, y = transformer(self.crs, target).transform(self.x, self.y)
        return replace(self, x=np.asarray(x), y=np.asarray(y), crs=target)


def read_check_points(
    path: Path | str,
    crs: CrsLike | None = None,
    *,
    layer: str | None = None,
    columns: Mapping[str, str] | None = None,
) -> CheckPoints:
    """Read check points from a CSV (comma, semicolon or tab) or any vector file with points.

    Args:
        path: the file.
        crs: its CRS, for a file that does not say its own or says no vertical one.
        layer: of a file with several.
        columns: what a column is for (`COLUMNS`) → its name, where the name does not say it.

    Returns:
        The points with a number in x, y and z; the others are in `problems`. Heights are in metres.

    Raises:
        UnreadableFile: the file, a column or every point is missing, or it is damaged.
        BadCrs: the file says another CRS than the caller, or coordinates in degrees come without one.
    """
    path, chosen = Path(path), dict(columns or {})
    if not path.is_file():
        raise UnreadableFile(path, "is a folder" if path.is_dir() else "there is no such file")
    given = None if crs is None else normalise(crs)
    reader = _table if path.suffix.lower() in TABLES else _vector
    names, records, stated = reader(path, layer)
    found = {role: _column(path, role, names, chosen) for role in COLUMNS}
    for role in ("x", "y", "z"):
        if found[role] is None:
            listed = ", ".join(names) or "none"
            raise UnreadableFile(path, f"no column of {role} among {listed}; name it with --column {role}=NAME")
    own = _agreed(path, stated, given)
    if own is None and plain_word(str(found["x"])) in DEGREES:
        raise BadCrs(
            f"{path}: its coordinates are degrees of an unknown datum (VN-2000 and WGS 84 lie 225 m apart); "
            "say which with --checkpoints-crs, for example EPSG:4326"
        )
    return _points(path, records, found, own)


def check_axes(points: CheckPoints, bounds: tuple[float, float, float, float]) -> None:
    """Refuse check points that lie in the survey only with their axes swapped, as where x is the northing.

    Args:
        points: in the survey's CRS.
        bounds: (min x, min y, max x, max y) of the survey.

    Raises:
        BadInput: more of them lie inside when swapped.
    """
    inside, swapped = _share_inside(points.x, points.y, bounds), _share_inside(points.y, points.x, bounds)
    if inside < FEWEST_IN and swapped > inside:
        raise BadInput(
            f"{points.source}: {inside:.0%} of its points lie in the survey, with x and y swapped {swapped:.0%}: "
            "its x is the northing, as Vietnamese survey tables have it; name the columns the other way round with "
            "--column x=NAME --column y=NAME"
        )


def _share_inside(x: NDArray[np.float64], y: NDArray[np.float64], bounds: tuple[float, float, float, float]) -> float:
    west, south, east, north = bounds
    return float(np.mean((x >= west) & (x <= east) & (y >= south) & (y <= north)))


def _check_datum(points: CRS, survey: CRS, source: str) -> None:
    """Heights above different surfaces are not compared: the difference would be called an error of the survey."""
    theirs, ours = vertical(points), vertical(survey)
    if horizontal(points).is_geographic and len(horizontal(points).axis_info) == 3:
        raise BadCrs(
            f"{source}: its heights are above the ellipsoid ({horizontal(points).name}); subtract the geoid's "
            "undulation at each point and name the result's datum, for example --checkpoints-crs EPSG:4326+5727"
        )
    if theirs is not None and ours is not None and not same(theirs, ours):
        raise BadCrs(
            f"{source}: its heights are in {theirs.name}, the survey's in {ours.name}; bring one of them to the "
            "other's datum first (no geoid model does it here), or correct the name if it is wrong"
        )


def _agreed(path: Path, stated: CRS | None, given: CRS | None) -> CRS | None:
    if stated is None or given is None:
        return stated or given
    own, added = vertical(stated), vertical(given)
    # A 3D GeoJSON counts as ellipsoidal whatever its heights are; the caller may know better.
    if not same(horizontal(stated).to_2d(), horizontal(given)) or (
        own is not None and added is not None and own != added
    ):
        raise BadCrs(f"{path}: the file says it is in {name_of(stated)}, but {name_of(given)} was given")
    return stated if added is None else given


def _column(path: Path, role: str, names: Sequence[str], chosen: Mapping[str, str]) -> str | None:
    """The column for a role: the one named, or the first whose name says it."""
    if role in chosen:
        if chosen[role] not in names:
            raise UnreadableFile(path, f"there is no column {chosen[role]!r} among {', '.join(names)}")
        return chosen[role]
    free = {plain_word(name): name for name in reversed(names) if name not in chosen.values()}
    return next((free[word] for word in COLUMNS[role] if word in free), None)


def _table(path: Path, _: str | None) -> tuple[list[str], list[dict[str, Any]], CRS | None]:
    """Column names and records of a text table; its separator is the one its first line has most of."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFile(path, "is no text in UTF-8") from error
    first = text.split("\n", 1)[0]
    separator = max(";\t,", key=first.count)
    try:
        reader = csv.DictReader(text.splitlines(), delimiter=separator)
        names = [name.strip() for name in reader.fieldnames or []]
        reader.fieldnames = names
        records = list(reader)
    except csv.Error as error:
        raise UnreadableFile(path, f"is no table: {error}") from error
    return names, records, None


def _vector(path: Path, layer: str | None) -> tuple[list[str], list[dict[str, Any]], CRS | None]:
    """Column names and records of a vector file; the geometry's x, y and z come before any."""
    try:
        meta, _, encoded, values = pyogrio.raw.read(path, layer=layer or _point_layer(path))
    except (DataSourceError, DataLayerError, RuntimeError, ValueError) as error:
        raise UnreadableFile(path, f"not a readable vector file ({' '.join(str(error).split())})") from error
    if encoded is None:
        raise UnreadableFile(path, "the layer has no geometry")
    geometry = shapely.from_wkb(encoded, on_invalid="ignore")
    if any(kind not in (-1, 0) for kind in np.unique(shapely.get_type_id(geometry))):
        raise UnreadableFile(path, "its geometries are no points")
    own = {"x": shapely.get_x(geometry), "y": shapely.get_y(geometry)}
    if np.nan_to_num(heights := shapely.get_z(geometry)).any():
        own["z"] = heights
    attributes = dict(zip((str(name) for name in meta["fields"]), values, strict=True))
    columns = own | {name: column for name, column in attributes.items() if name not in own}
    records = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    stated = normalise(meta["crs"]) if meta["crs"] else None
    return list(columns), records, stated


def _point_layer(path: Path) -> str | None:
    """The first layer that holds points; None lets OGR choose."""
    return next((str(name) for name, kind in pyogrio.list_layers(path) if kind is not None and "Point" in kind), None)


def _points(
    path: Path, records: Sequence[Mapping[str, Any]], found: Mapping[str, str | None], crs: CRS | None
) -> CheckPoints:
    """The records with numbers in all coordinates, heights in metres."""
    ids, covers, rows, problems = [], [], [], []
    for number, record in enumerate(records, start=1):
        name = str(record[found["id"]]).strip() if found["id"] else str(number)
        numbers = [_number(record[str(found[axis])]) for axis in "xyz"]
        if not np.isfinite(numbers).all():
            problems.append(f"{name}: left out: {dict(zip('xyz', numbers, strict=True))} is no place")
            continue
        sigma = _number(record[found["sigma"]]) if found["sigma"] else np.nan
        rows.append((*numbers, sigma if sigma > 0 else np.nan))
        ids.append(name)
        covers.append(str(record[found["land_cover"]] or "").strip() if found["land_cover"] else "")
    if not rows:
        raise UnreadableFile(path, "holds no check point with numbers in x, y and z")
    x, y, z, sigma = np.array(rows, dtype=np.float64).T
    up = metres_up(crs)
    return CheckPoints(tuple(ids), x, y, z * up, tuple(covers), sigma * up, crs, path.name, tuple(problems))


def _number(value: Any) -> float:
    """A cell as a number, also with a comma for the decimal point; NaN where it is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        pass
    try:
        return float(str(value).strip().replace(",", "."))
    except ValueError:
        return float("nan")


def metres_up(crs: CRS | None) -> float:
    """Metres in a unit of height: the vertical CRS', else the horizontal one's, as point files in feet have it."""
    if crs is None:
        return 1.0
    height, flat = vertical(crs), horizontal(crs)
    if height is not None:
        return float(height.axis_info[0].unit_conversion_factor)
    return float(flat.axis_info[0].unit_conversion_factor) if flat.is_projected else 1.0

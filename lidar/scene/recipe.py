"""A recipe: the numbers of a scene, with their units in their names, read from `data/scenes/NAME.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from gis.errors import BadInput, BadParameter, NotFound, UnreadableFile
from gis.resources import resource

SITE_KINDS = (
    "apartments",
    "excavation",
    "filled",
    "market",
    "pagoda",
    "school_l",
    "school_u",
    "shop",
    "tower",
    "unfilled",
    "villa",
)
"""What a site may be; `villa` and `shop` are rows of such houses."""
Range = tuple[float, float]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Extent:
    """Where the scene lies and how it is cut."""

    size_m: float
    """Side of the square."""
    origin_m: Range
    """South-west corner, EPSG:9210."""
    tile_m: float
    """Side of one LAZ tile."""
    ward_code: str
    ward_name: str


@dataclass(frozen=True, slots=True)
class Land:
    """Heights are above Hòn Dấu, as the city's low land has them."""

    base_height_m: Range
    undulation_m: float
    river_width_m: float
    river_level_m: float
    canal_width_m: float
    canal_level_m: float
    dike_height_m: float
    """Of the crest above the land behind it."""
    dike_crest_m: float
    embankment_height_m: float
    embankment_crest_m: float
    embankment_slope: float
    """Horizontal metres for one of height."""
    main_roads: int
    """Main roads that cross the canal by a bridge and the embankment by an underpass."""


@dataclass(frozen=True, slots=True)
class Streets:
    """The network: quarters are cut in two until they are blocks; the larger the quarter, the wider the street."""

    main_reserve_m: float
    ladder_area_m2: tuple[float, ...]
    """A quarter of at least this area is cut by a street …"""
    ladder_reserve_m: tuple[float, ...]
    """… of this reserve width; the last is for all smaller ones."""
    alley_reserve_m: Range
    """Below the ladder."""
    block_depth_m: float
    """Two rows of houses back to back are at most this deep."""
    block_length_m: float
    skew_deg: float
    """Cuts are off the right angle by up to this."""


@dataclass(frozen=True, slots=True)
class Site:
    """A plot that is not a row of houses: how many, how large."""

    kind: str
    count: int
    area_m2: float
    depth_m: float
    """Least depth of the plot."""


@dataclass(frozen=True, slots=True)
class Houses:
    """Rows of houses."""

    frontage_m: Range
    villa_frontage_m: Range
    shop_frontage_m: Range
    villa_share: float
    """Of the blocks."""
    shop_share: float
    empty_share: float
    """Of the plots: not built upon yet."""
    under_construction_share: float
    storey_m: Range
    tree_over_roof_share: float


@dataclass(frozen=True, slots=True)
class Planted:
    """Differences between what stands and what is permitted: share of the houses, and at least so many of each."""

    share: float
    at_least: int
    at_least_no_permit: int
    look_alike_share: float
    look_alike_at_least: int
    footprint_missing_share: float
    footprint_sigma_m: float
    demolished_share: float
    """Of the empty plots: the base map still shows the house that is gone."""


@dataclass(frozen=True, slots=True)
class Greenery:
    """Trees and street furniture."""

    trees_per_ha: float
    street_tree_spacing_m: float
    cars_per_ha: float
    people_per_ha: float


@dataclass(frozen=True, slots=True)
class Scanner:
    """The flight and its instrument."""

    density_per_m2: float
    """First returns on level open ground, all strips together."""
    flying_height_m: float
    half_angle_deg: float
    strip_spacing_m: float
    speed_m_s: float
    divergence_mrad: float
    """Full angle at 1/e² of the beam."""
    range_sigma_m: float
    angle_sigma_mrad: float
    """Of the beam's direction: boresight, inertial unit and encoder together."""
    strip_shift_m: float
    """Standard deviation of a strip's offset in each of x, y and z."""
    strip_roll_mrad: float
    range_resolution_m: float
    """Two surfaces nearer to each other than this along the beam give one return."""
    low_noise_per_100k: float
    birds_per_100k: float
    drop_share: float
    """Pulses lost for no visible reason."""


@dataclass(frozen=True, slots=True)
class Later:
    """What has changed when the scene is flown again: shares of the houses, and how the second flight differs."""

    new_share: float = 0.5
    """Of the empty plots."""
    demolished_share: float = 0.03
    taller_share: float = 0.05
    lower_share: float = 0.02
    extended_share: float = 0.04
    reduced_share: float = 0.02
    at_least: int = 1
    """Of each, where there is room."""
    years: float = 2.0
    density_share: float = 0.8
    """Of the first flight's density."""
    east_m: float = 0.12
    """By how much all of the second survey lies too far east, …"""
    south_m: float = 0.08
    """… too far south …"""
    low_m: float = 0.05
    """… and too low."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """All of it; what has a default may be left out of the file."""

    name: str
    title: str
    extent: Extent
    land: Land
    streets: Streets
    sites: tuple[Site, ...]
    houses: Houses
    planted: Planted
    greenery: Greenery
    scanner: Scanner
    later: Later = Later()


def read_recipe(name: str) -> Recipe:
    """Read a recipe by its name (`alley`, `ward`, `district`) or by the path of a TOML file.

    Raises:
        NotFound: there is no such recipe.
        UnreadableFile: it is no TOML, or a value is missing, unknown or of the wrong kind.
    """
    path = Path(name)
    if path.suffix != ".toml":
        if "/" in name or name not in recipe_names():
            raise NotFound("recipe", f"{name}; there are {', '.join(recipe_names())}")
        path = resource("scenes", f"{name}.toml")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotFound("recipe", str(path)) from error
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UnreadableFile(path, f"not a recipe ({error})") from error
    try:
        recipe = _filled(Recipe, {"name": path.stem, **table}, "recipe")
        _check(recipe)
    except BadInput as error:
        raise UnreadableFile(path, str(error)) from error
    return recipe


def recipe_names() -> list[str]:
    """The recipes that come with diaba."""
    return sorted(file.stem for file in resource("scenes").glob("*.toml"))


def _check(recipe: Recipe) -> None:
    extent, streets = recipe.extent, recipe.streets
    if not 150 <= extent.size_m <= 10_000 or extent.size_m % 1:
        raise BadParameter("size_m", extent.size_m, "a scene is 150 to 10000 whole metres wide")
    if not 10 <= extent.tile_m <= extent.size_m or extent.size_m % extent.tile_m:
        raise BadParameter("tile_m", extent.tile_m, "the scene's size must be a multiple of the tile's")
    if any(value % 1 for value in extent.origin_m):
        raise BadParameter("origin_m", extent.origin_m, "must be whole metres")
    if not 1 <= recipe.scanner.half_angle_deg <= 45:
        raise BadParameter("half_angle_deg", recipe.scanner.half_angle_deg, "must lie between 1 and 45 degrees")
    if not 0.1 <= recipe.scanner.density_per_m2 <= 100:
        raise BadParameter("density_per_m2", recipe.scanner.density_per_m2, "must lie between 0.1 and 100")
    for site in recipe.sites:
        if site.kind not in SITE_KINDS:
            raise BadParameter("sites", site.kind, f"must be one of {', '.join(SITE_KINDS)}")
    if len(streets.ladder_area_m2) + 1 != len(streets.ladder_reserve_m):
        raise BadParameter("ladder_reserve_m", streets.ladder_reserve_m, "one more than ladder_area_m2")


def _filled(kind: type[T], table: Mapping[str, Any], where: str) -> T:
    """Make a dataclass of a table, checking names and types."""
    hints = get_type_hints(kind)
    known = fields(kind)  # type: ignore[arg-type]
    names = {f.name for f in known}
    needed = {f.name for f in known if f.default is MISSING}
    if unknown := sorted(set(table) - names):
        raise BadParameter(where, unknown[0], "no such entry in a recipe")
    if missing := sorted(needed - set(table)):
        raise BadParameter(where, missing[0], "is missing")
    return kind(**{name: _value(hints[name], table[name], f"{where}.{name}") for name in names & set(table)})


def _value(hint: Any, value: Any, where: str) -> Any:
    if is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, Mapping):
            raise BadParameter(where, value, "must be a table")
        return _filled(hint, value, where)
    if get_origin(hint) is tuple:
        kinds = get_args(hint)
        if not isinstance(value, list) or (kinds[-1] is not Ellipsis and len(value) != len(kinds)):
            raise BadParameter(where, value, "must be a list of the right length")
        return tuple(_value(kinds[0], item, where) for item in value)
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
        if value < 0:
            raise BadParameter(where, value, "must not be negative")
        return float(value)
    if hint in (int, str) and type(value) is hint:
        return value
    raise BadParameter(where, value, f"must be {'a number' if hint is float else hint.__name__}")

"""What a city and an installation set: read once, at the door, from the environment and the city's file."""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pyproj import CRS

from gis.crs import HON_DAU_1992, VN2000_TM3_105_45, name_of, normalise
from gis.errors import BadParameter, UnreadableFile
from gis.files import written_whole

CITY_FILE = "city.toml"
DEFAULT_CITY = "hcmc"
DEFAULT_CRS = normalise(f"EPSG:{VN2000_TM3_105_45}+{HON_DAU_1992}")
GEOID_MOST = 200.0
"""Metres that geoid and ellipsoid are less than apart everywhere (EGM2008: −107 to 86)."""
DEFAULT_JURISDICTION = "VN-79"
"""Whose planning rules apply: Ho Chi Minh City's, and the country's (ISO 3166-2)."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")


@dataclass(frozen=True, slots=True)
class City:
    """One city's settings. Each has its own database and its own folder of files."""

    name: str
    crs: CRS
    """The register's CRS: compound, horizontal and height."""
    folder: Path
    """Where its rasters, point clouds and models lie."""
    geoid_offset: float = 0.0
    """Metres from the ellipsoid of WGS 84 up to the zero of its vertical datum, for globes; no geoid model is known."""
    jurisdiction: str = DEFAULT_JURISDICTION
    """Whose rules apply, with those of the wider ones: VN-79 has those of VN too."""

    @property
    def database(self) -> str:
        """Name of its database in the private cluster."""
        return f"diaba_{self.name}"

    @property
    def exists(self) -> bool:
        """Whether it was made: its `city.toml` is there."""
        return (self.folder / CITY_FILE).exists()

    def save(self) -> None:
        """Write its `city.toml`, whole."""
        lines = [f'name = "{self.name}"', f"crs = '''{name_of(self.crs)}'''"]
        if self.geoid_offset:
            lines.append(f"geoid_offset_m = {self.geoid_offset!r}")
        if self.jurisdiction != DEFAULT_JURISDICTION:
            lines.append(f'jurisdiction = "{self.jurisdiction}"')
        with written_whole(self.folder / CITY_FILE) as part:
            part.write_text("\n".join(lines) + "\n", encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Settings:
    """An installation's settings."""

    home: Path
    """Folder of the private cluster and of the cities' files."""
    database_url: str | None
    """A real server instead of the private cluster."""
    city_name: str | None
    """The city asked for, or None: the only one there is."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read DIABA_HOME, DIABA_DATABASE_URL and DIABA_CITY; the home is `.diaba` in the checkout by default."""
        env = os.environ if environment is None else environment
        home = env.get("DIABA_HOME")
        return cls(
            home=Path(home).expanduser().resolve() if home else _default_home(),
            database_url=env.get("DIABA_DATABASE_URL") or None,
            city_name=env.get("DIABA_CITY") or None,
        )

    def cities(self) -> list[str]:
        """Names of the cities this installation has, in alphabetical order."""
        return sorted(file.parent.name for file in (self.home / "cities").glob(f"*/{CITY_FILE}"))

    def city(self, name: str | None = None) -> City:
        """The named city, or the one asked for, or the only one there is; else Ho Chi Minh City's defaults.

        Raises:
            BadParameter: there are several cities and none was asked for, or the name is not a plain word.
            UnreadableFile: the city's file is damaged.
        """
        existing = self.cities()
        chosen = name or self.city_name or (existing[0] if len(existing) == 1 else None)
        if chosen is None and len(existing) > 1:
            raise BadParameter("city", None, f"choose one of {', '.join(existing)} with --city or DIABA_CITY")
        chosen = chosen or DEFAULT_CITY
        if not _NAME.fullmatch(chosen):
            raise BadParameter("city", chosen, "a city's name is lower-case letters, digits and underscores")
        folder = self.home / "cities" / chosen
        new = City(chosen, DEFAULT_CRS, folder)
        if not new.exists:
            return new
        try:
            stored = tomllib.loads((folder / CITY_FILE).read_text(encoding="utf-8"))
            offset = float(stored.get("geoid_offset_m", 0.0))
            if not abs(offset) < GEOID_MOST:
                raise ValueError(f"geoid_offset_m is {offset:g}, the geoid is within {GEOID_MOST:g} m of the ellipsoid")
            place = str(stored.get("jurisdiction", DEFAULT_JURISDICTION))
            return City(stored["name"], normalise(stored["crs"]), folder, offset, place)
        except (ValueError, TypeError, KeyError) as error:
            raise UnreadableFile(folder / CITY_FILE, f"not a city's settings ({error})") from error


def _default_home() -> Path:
    """`.diaba` in the checkout the environment belongs to; in the user's data folder for an installed wheel."""
    checkout = Path(__file__).resolve().parent.parent
    if (checkout / "pyproject.toml").exists():
        return checkout / ".diaba"
    if sys.prefix != sys.base_prefix and (Path(sys.prefix).parent / "pyproject.toml").exists():
        return Path(sys.prefix).resolve().parent / ".diaba"
    return Path.home() / ".local" / "share" / "diaba"

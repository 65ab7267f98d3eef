"""Buildings into a file of the kind its name says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from gis.city_model.building import Building
from gis.city_model.cityjson import write_cityjson, write_cityjsonseq
from gis.city_model.geopackage import write_geopackage
from gis.city_model.gltf import write_glb
from gis.city_model.obj import write_obj
from gis.crs import CrsLike
from gis.errors import UnreadableFile

Writer = Callable[[Iterable[Building], Path | str, CrsLike], None]

WRITERS: Final[Mapping[str, Writer]] = {
    ".city.json": write_cityjson,
    ".city.jsonl": write_cityjsonseq,
    ".obj": write_obj,
    ".glb": write_glb,
    ".gpkg": write_geopackage,
}
"""By the ending of a file's name. CityJSON holds all models of a building, the others the best one."""


def writer_for(path: Path | str) -> Writer:
    """What writes a file of that name; the case of letters does not matter.

    Raises:
        UnreadableFile: no such ending is known; the known ones are listed.
    """
    name = Path(path).name.lower()
    for ending, writer in WRITERS.items():
        if name.endswith(ending):
            return writer
    raise UnreadableFile(path, f"buildings are written as {', '.join(WRITERS)}: let the name end in one of these")


def write_buildings(buildings: Iterable[Building], path: Path | str, crs: CrsLike) -> None:
    """Write them, whole or not at all.

    Args:
        buildings: in the CRS.
        path: its ending says the format, see `WRITERS`.
        crs: horizontal or compound.

    Raises:
        UnreadableFile: no such ending is known, or the file cannot be written.
        BadCrs: CityJSON cannot name the CRS.
    """
    writer_for(path)(buildings, path, crs)

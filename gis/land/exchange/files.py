"""Files of parcels in all formats, by the ending of their name."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from pyproj import CRS

from gis.errors import BadParameter, UnreadableFile
from gis.files import written_whole
from gis.land.exchange import drawing, gml, interchange, table, vector
from gis.land.exchange.record import Incoming, ParcelRecord, Reading

ENDINGS = (".gpkg", ".shp", ".geojson", ".dxf", ".csv", ".gml", ".xml")
BYTES_MOST = 4 << 30
"""Of one file; a district's parcels take a tenth of a GiB."""
_SAME = {".json": ".geojson"}


def ending(path: Path) -> str:
    """The format a file's name tells.

    Raises:
        BadParameter: no such format.
    """
    found = path.suffix.lower()
    found = _SAME.get(found, found)
    if found not in ENDINGS:
        raise BadParameter("file", path.name, f"its name must end in one of {' '.join(ENDINGS)}")
    return found


def read(path: Path, reading: Reading) -> Incoming:
    """The parcels of a file, with what is wrong with its records.

    Raises:
        UnreadableFile: it is damaged or of another kind than its name says.
        BadParameter: no such format or encoding.
    """
    kind = ending(path)
    if path.is_file() and path.stat().st_size > BYTES_MOST:
        raise UnreadableFile(path, f"it is larger than {BYTES_MOST >> 30} GiB")
    if kind == ".csv":
        return table.read(path, reading)
    if kind == ".dxf":
        return drawing.read(path, reading)
    if kind == ".gml":
        return gml.read(path, reading)
    if kind == ".xml":
        return interchange.read(path, reading)
    return vector.read(path, reading)


def write(path: Path, parcels: Iterable[ParcelRecord], crs: CRS) -> None:
    """Write parcels with polygons in a CRS; the file appears whole or not at all.

    Raises:
        BadInput: an attribute does not fit into the format.
        BadParameter: no such format.
    """
    kind = ending(path)
    if kind == ".shp":
        _write_shapefile(path, parcels, crs)
        return
    with written_whole(path) as part:
        if kind == ".csv":
            table.write(part, parcels)
        elif kind == ".dxf":
            drawing.write(part, parcels)
        elif kind == ".gml":
            gml.write(part, parcels, crs)
        elif kind == ".xml":
            interchange.write(part, parcels, crs)
        else:
            vector.write(part, parcels, crs)


def _write_shapefile(path: Path, parcels: Iterable[ParcelRecord], crs: CRS) -> None:
    """A Shapefile is several files: all are made aside, then put in place, the .shp last."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{path.stem}.", dir=path.parent))
    try:
        vector.write(aside / path.name, parcels, crs)
        for made in sorted(aside.iterdir(), key=lambda part: part.suffix == ".shp"):
            made.replace(path.parent / made.name)
    finally:
        shutil.rmtree(aside, ignore_errors=True)

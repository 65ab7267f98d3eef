"""Which point clouds a campaign's tiles have, for those who show points."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, text

from gis.errors import NotFound


@dataclass(frozen=True, slots=True)
class PointFile:
    """A classified point cloud of the catalogue."""

    tile_key: str
    path: Path
    """Below the city's folder."""
    sha256: str


_COLUMNS = "SELECT tile_key, path, sha256 FROM diaba.point_product WHERE epoch = :epoch"


def point_files(connection: Connection, epoch: str, most: int) -> tuple[PointFile, ...]:
    """A campaign's files by tile, so many at most.

    Raises:
        NotFound: there is no such campaign.
    """
    known = connection.execute(
        text("SELECT 1 FROM diaba.lidar_campaign WHERE epoch = :epoch"), {"epoch": epoch}
    ).first()
    if known is None:
        raise NotFound("campaign", epoch)
    rows = connection.execute(text(f"{_COLUMNS} ORDER BY tile_key LIMIT :most"), {"epoch": epoch, "most": most})
    return tuple(PointFile(row[0], Path(row[1]), row[2]) for row in rows)


def point_file(connection: Connection, epoch: str, tile_key: str) -> PointFile:
    """The file of a tile.

    Raises:
        NotFound: it has none.
    """
    row = connection.execute(text(f"{_COLUMNS} AND tile_key = :key"), {"epoch": epoch, "key": tile_key}).first()
    if row is None:
        raise NotFound("point cloud", f"{epoch}/{tile_key}")
    return PointFile(row[0], Path(row[1]), row[2])

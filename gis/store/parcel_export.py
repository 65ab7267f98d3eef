"""Parcels of the register for files: of a day, as known at a moment, within an area, in any CRS."""

from __future__ import annotations

from datetime import date, datetime

import numpy as np
from pyproj import CRS
from sqlalchemy import Connection

from gis import crs as reference
from gis.bounds import BoundingBox
from gis.land.exchange.record import DAYS, NUMBERS, TEXTS, ParcelRecord
from gis.land.exchange.shapes import moved
from gis.land.land_use import of_documents, written
from gis.store import parcels


def records(
    connection: Connection,
    *,
    as_of: date | None = None,
    known_at: datetime | None = None,
    bounds: BoundingBox | None = None,
    crs: CRS | None = None,
) -> list[ParcelRecord]:
    """The parcels by uid, their polygons in a CRS (the city's)."""
    frame = parcels.current(connection, as_of, known_at=known_at, bounds=bounds)
    city = frame.crs
    shapes = np.asarray(frame.geometry.array, dtype=object)
    placed = shapes if crs is None else moved(shapes, city, reference.horizontal(crs))
    columns = {name: frame[name].tolist() for name in (*TEXTS, *NUMBERS)}
    columns["land_uses"] = [written(of_documents(uses)) for uses in columns["land_uses"]]
    for name in NUMBERS:
        columns[name] = [None if value != value else value for value in columns[name]]
    for name in DAYS:
        columns[name] = [
            None if missing else stamp.date() for stamp, missing in zip(frame[name], frame[name].isna(), strict=True)
        ]
    names = list(columns)
    return [
        ParcelRecord(f"parcel {row[0]}", shape, **dict(zip(names, row, strict=True)))
        for shape, row in zip(placed, zip(*columns.values(), strict=True), strict=True)
    ]

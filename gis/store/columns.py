"""What the tables of the schema are made of: columns, and the table of versions that every register is."""

from __future__ import annotations

from typing import Any

from geoalchemy2 import Geometry
from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import TSTZRANGE

SCHEMA = "diaba"
metadata = MetaData(schema=SCHEMA)


def geometry(kind: str, name: str = "geom", *, dimension: int = 2, nullable: bool = False) -> Column[Any]:
    """A column of geometry. The SRID is fixed in the database; -1 leaves it to the values."""
    shape = Geometry(kind, srid=-1, dimension=dimension, spatial_index=False)
    return Column(name, shape, nullable=nullable)


def kept(kind: str, name: str, *, nullable: bool = False) -> Column[Any]:
    """A column of geometry that the database fills by itself, from another of the row; nobody writes it."""
    shape = Geometry(kind, srid=-1, spatial_index=False)
    return Column(name, shape, nullable=nullable, info={"kept": True})


def is_written(column: Column[Any]) -> bool:
    """Whether somebody writes the column; the database fills the others."""
    return column.computed is None and not column.info.get("kept")


def required(name: str, kind: Any) -> Column[Any]:
    """A column that always has a value."""
    return Column(name, kind, nullable=False)


def version() -> Column[Any]:
    """The number of a version, counted for one key."""
    return Column("version", Integer, primary_key=True, autoincrement=False)


def register(name: str, key: tuple[str, ...], *columns: Any, tail: tuple[Any, ...] = ()) -> Table:
    """A table of versions: its key, the version, its content, and when it was recorded."""
    keys = [Column(part, Text, primary_key=True) for part in key]
    ends = (required("recorded", TSTZRANGE), required("digest", LargeBinary))
    return Table(name, metadata, *keys, version(), *columns, *ends, *tail, info={"key": key})

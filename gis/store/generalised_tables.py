"""The tables behind the tiles: land and buildings generalised for far zooms, and the log of changes.

PostgreSQL fills them (migration 0011); no login writes into them.
"""

from __future__ import annotations

from sqlalchemy import ARRAY, BigInteger, Column, Date, DateTime, Double, Identity, Integer, Numeric, Table, Text

from gis.store.columns import geometry, metadata, required

change = Table(
    "change",
    metadata,
    Column("number", BigInteger, Identity(always=True), primary_key=True),
    required("collection", Text),
    # West, south, east, north of each box in turn, EPSG:3857, whole metres outwards.
    required("boxes", ARRAY(Double)),
    required("transaction", BigInteger),
    # The oldest transaction that was going on: what was told after this row is of none before it.
    required("horizon", BigInteger),
    required("recorded_at", DateTime(timezone=True)),
)

stale_cell = Table(
    "stale_cell",
    metadata,
    *(required(name, kind) for name, kind in (("kind", Text), ("ward_code", Text))),
    *(required(name, Integer) for name in ("cell_x", "cell_y")),
)

generalised_cell = Table(
    "generalised_cell",
    metadata,
    *(Column(name, Text, primary_key=True) for name in ("kind", "ward_code")),
    *(Column(name, Integer, primary_key=True, autoincrement=False) for name in ("cell_x", "cell_y")),
    geometry("MULTIPOLYGON", "outline"),
    required("members", Integer),
    required("area", Double),
    # The first day on which the calendar alone changes it.
    Column("due", Date),
)

generalised_block = Table(
    "generalised_block",
    metadata,
    Column("ward_code", Text, primary_key=True),
    *(Column(name, Integer, primary_key=True, autoincrement=False) for name in ("cell_x", "cell_y")),
    # Of the versions of its parcels.
    Column("signature", Numeric, primary_key=True),
    required("first_uid", Text),
    geometry("MULTIPOLYGON", "geom_3857"),
    required("parcels", Integer),
    required("area", Double),
    Column("land_use", Text),
)

generalised_ward = Table(
    "generalised_ward",
    metadata,
    Column("ward_code", Text, primary_key=True),
    geometry("MULTIPOLYGON", "geom_3857"),
    required("parcels", Integer),
    required("area", Double),
)

generalised_built_up = Table(
    "generalised_built_up",
    metadata,
    *(Column(name, Integer, primary_key=True, autoincrement=False) for name in ("cell_x", "cell_y")),
    geometry("MULTIPOLYGON", "geom_3857"),
    required("buildings", Integer),
    required("area", Double),
    Column("height", Double),
    Column("height_max", Double),
)

TABLES = (change, stale_cell, generalised_cell, generalised_block, generalised_ward, generalised_built_up)

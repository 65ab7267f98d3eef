"""The tables of imports under way: what was checked so far, and the rows that will be written when all is."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Integer,
    LargeBinary,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import DATERANGE, JSONB

from gis.store.columns import is_written, metadata, required, version
from gis.store.schema import parcel_version

parcel_import = Table(
    "parcel_import",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    required("key", LargeBinary),
    required("files", ARRAY(Text)),
    required("valid_from", Date),
    required("blocks", Integer),
    # The parcels were looked at as the register had them at this moment.
    required("based_on", DateTime(timezone=True)),
    # West, south, east, north of the outlines.
    Column("bounds", ARRAY(Double)),
    required("uids", ARRAY(Text)),
    required("numbers", ARRAY(Text)),
    required("begun", DateTime(timezone=True)),
    Column("finished", DateTime(timezone=True)),
    Column("added", Integer),
    Column("closed", Integer),
)

parcel_import_block = Table(
    "parcel_import_block",
    metadata,
    Column("import", BigInteger, ForeignKey(parcel_import.c.id), primary_key=True),
    Column("block", Integer, primary_key=True, autoincrement=False),
    required("problems", JSONB),
    required("new", Integer),
    required("changed", Integer),
    required("unchanged", Integer),
)

parcel_import_end = Table(
    "parcel_import_end",
    metadata,
    Column("import", BigInteger, primary_key=True, autoincrement=False),
    Column("uid", Text, primary_key=True),
    version(),
)

parcel_import_rest = Table(
    "parcel_import_rest",
    metadata,
    Column("import", BigInteger, primary_key=True, autoincrement=False),
    Column("uid", Text, primary_key=True),
    version(),
    required("of_version", Integer),
    required("valid", DATERANGE),
)

_CONTENT = [
    column
    for column in parcel_version.columns
    if is_written(column) and column.name not in {"uid", "version", "recorded"}
]

parcel_import_row = Table(
    "parcel_import_row",
    metadata,
    Column("import", BigInteger, primary_key=True, autoincrement=False),
    Column("uid", Text, primary_key=True),
    version(),
    # Outlines as EWKB: nobody asks for them by place.
    *(Column(one.name, LargeBinary if one.name == "geom" else one.type, nullable=one.nullable) for one in _CONTENT),
)

STAGED = (parcel_import_row, parcel_import_rest, parcel_import_end, parcel_import_block)
"""What is left out when an import is finished, or begins again."""

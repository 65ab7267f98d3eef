"""The tables of a city's database, all in the schema `diaba`.

A register's table holds versions of its rows: `version` counts them for one key, `recorded` says when the register knew
it, `valid` when it was so. A row is never changed but for the end of its `recorded`. `digest` is the SHA-256 of a
version's content. The view `current_<table>` shows what the register knows now.
The SRID is the city's, so it is in the migration and in the database, not here.
"""

from __future__ import annotations

from typing import Any

from geoalchemy2 import Geometry
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    Date,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import DATERANGE, JSONB, TSTZRANGE

SCHEMA = "diaba"
metadata = MetaData(schema=SCHEMA)


def _geometry(kind: str, name: str = "geom", *, dimension: int = 2, nullable: bool = False) -> Column[Any]:
    # The SRID is fixed in the database; -1 leaves it to the values.
    shape = Geometry(kind, srid=-1, dimension=dimension, spatial_index=False)
    return Column(name, shape, nullable=nullable)


def _required(name: str, kind: Any) -> Column[Any]:
    return Column(name, kind, nullable=False)


def _version() -> Column[Any]:
    return Column("version", Integer, primary_key=True, autoincrement=False)


def _register(name: str, key: tuple[str, ...], *columns: Any, tail: tuple[Any, ...] = ()) -> Table:
    """A table of versions: its key, the version, its content, and when it was recorded."""
    keys = [Column(part, Text, primary_key=True) for part in key]
    ends = (_required("recorded", TSTZRANGE), _required("digest", LargeBinary))
    return Table(name, metadata, *keys, _version(), *columns, *ends, *tail, info={"key": key})


city = Table(
    "city",
    metadata,
    Column("name", Text, primary_key=True),
    _required("crs", Text),
    _required("srid", Integer),
    Column("vertical", Text),
    _required("is_demo", Boolean),
    _required("migrated_at", DateTime(timezone=True)),
)

lidar_campaign = Table(
    "lidar_campaign",
    metadata,
    Column("epoch", Text, primary_key=True),
    Column("flown_from", Date),
    Column("flown_to", Date),
    Column("note", Text),
)

lidar_tile = Table(
    "lidar_tile",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("epoch", Text, ForeignKey(lidar_campaign.c.epoch), nullable=False),
    _required("path", Text),
    _required("point_count", BigInteger),
    Column("density", Double),
    _required("crs", Text),
    _geometry("POLYGON", "extent"),
    _required("classes", JSONB),
    _required("added_at", DateTime(timezone=True)),
)

build_tile = Table(
    "build_tile",
    metadata,
    Column("tile_key", Text, primary_key=True),
    Column("epoch", Text, ForeignKey(lidar_campaign.c.epoch), primary_key=True),
    _geometry("POLYGON", "extent"),
    _required("state", Text),
    _required("input_hash", Text),
    Column("reason", Text),
    _required("statistics", JSONB),
    Column("started_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
)


def _of_build_tile() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["tile_key", "epoch"], [build_tile.c.tile_key, build_tile.c.epoch])


raster_product = Table(
    "raster_product",
    metadata,
    Column("tile_key", Text, primary_key=True),
    Column("epoch", Text, primary_key=True),
    Column("product", Text, primary_key=True),
    _required("path", Text),
    _required("sha256", Text),
    _required("resolution", Double),
    _geometry("POLYGON", "extent"),
    _of_build_tile(),
)

point_product = Table(
    "point_product",
    metadata,
    Column("tile_key", Text, primary_key=True),
    Column("epoch", Text, primary_key=True),
    _required("path", Text),
    _required("sha256", Text),
    _required("point_count", BigInteger),
    _required("classes", JSONB),
    _geometry("POLYGON", "extent"),
    _of_build_tile(),
)

admin_unit = Table(
    "admin_unit",
    metadata,
    Column("code", Text, primary_key=True),
    _required("level", Text),
    _required("name", Text),
    _geometry("MULTIPOLYGON"),
    _required("valid", DATERANGE),
)

parcel = Table("parcel", metadata, Column("uid", Text, primary_key=True))

parcel_version = _register(
    "parcel_version",
    ("uid",),
    Column("ward_code", Text),
    Column("sheet_no", Text),
    Column("parcel_no", Text),
    Column("old_sheet_no", Text),
    Column("old_parcel_no", Text),
    Column("land_use", Text),
    Column("area_legal", Double),
    _required("area_measured", Double),
    Column("address", Text),
    # The words of the address as search looks for them; PostgreSQL writes it.
    Column("address_key", Text, Computed("diaba.search_key(address)", persisted=True)),
    _geometry("POLYGON"),
    _required("valid", DATERANGE),
    tail=(ForeignKeyConstraint(["uid"], [parcel.c.uid]),),
)

party = _register(
    "party",
    ("uid",),
    _required("kind", Text),
    _required("name", Text),
    Column("id_no_encrypted", LargeBinary),
    Column("id_no_hash", LargeBinary),
)

rrr = _register(
    "rrr",
    ("id",),
    Column("parcel_uid", Text, ForeignKey(parcel.c.uid), nullable=False),
    _required("party_uid", Text),
    _required("type", Text),
    _required("share_num", Integer),
    _required("share_den", Integer),
    _required("valid", DATERANGE),
)

road = _register(
    "road",
    ("uid",),
    Column("name", Text),
    Column("reserve_width_m", Double),
    _geometry("LINESTRING"),
    _required("valid", DATERANGE),
)

planning_zone = _register(
    "planning_zone",
    ("uid",),
    Column("level", Text),
    Column("land_use", Text),
    Column("density_pct", Double),
    Column("far", Double),
    Column("floors_max", Integer),
    Column("height_max_m", Double),
    Column("decision", Text),
    _geometry("POLYGON"),
    _required("valid", DATERANGE),
)

permit = _register(
    "permit",
    ("permit_no",),
    _required("type", Text),
    _required("status", Text),
    Column("issued", Date),
    Column("expires", Date),
    Column("superseded_by", Text),
    Column("parcel_uid", Text, ForeignKey(parcel.c.uid)),
    Column("use", Text),
)

permit_limit = Table(
    "permit_limit",
    metadata,
    Column("permit_no", Text, primary_key=True),
    _version(),
    _geometry("POLYGON", nullable=True),
    Column("ground_area_m2", Double),
    Column("gross_floor_area_m2", Double),
    Column("floors", Integer),
    Column("basements", Integer),
    Column("height_m", Double),
    Column("setback_front_m", Double),
    Column("setback_rear_m", Double),
    Column("ground_level_m", Double),
    ForeignKeyConstraint(["permit_no", "version"], [permit.c.permit_no, permit.c.version]),
)

footprint = _register(
    "footprint",
    ("uid",),
    Column("source", Text),
    Column("survey_date", Date),
    _geometry("POLYGON"),
)

building = Table("building", metadata, Column("uid", Text, primary_key=True))

building_version = _register(
    "building_version",
    ("uid", "epoch"),
    _required("tile_key", Text),
    _required("status", Text),
    _geometry("POLYGON", "footprint"),
    _geometry("POLYHEDRALSURFACEZ", "solid", dimension=3, nullable=True),
    Column("solid_surfaces", Text),
    *(Column(f"{name}", Double) for name in ("ground_height", "roof_height_min", "roof_height_50p", "roof_height_70p")),
    *(Column(f"{name}", Double) for name in ("roof_height_max", "height", "sigma_height", "area", "sigma_area")),
    _required("lod", Text),
    _required("point_count", BigInteger),
    Column("point_density", Double),
    Column("no_data_fraction", Double),
    _required("reason", Text),
    _required("source", Text),
    _required("attributes", JSONB),
    # Models below the best, by level of detail: {"1.2": {"solid": EWKB in hexadecimal, "surfaces": letters}}.
    _required("coarser", JSONB),
    _required("valid", DATERANGE),
    tail=(
        ForeignKeyConstraint(["uid"], [building.c.uid]),
        ForeignKeyConstraint(["tile_key", "epoch"], [build_tile.c.tile_key, build_tile.c.epoch]),
    ),
)

discrepancy = _register(
    "discrepancy",
    ("id",),
    _required("kind", Text),
    Column("building_uid", Text, ForeignKey(building.c.uid)),
    Column("parcel_uid", Text, ForeignKey(parcel.c.uid)),
    Column("permit_no", Text),
    Column("epoch", Text, ForeignKey(lidar_campaign.c.epoch), nullable=False),
    Column("actual", Double),
    Column("limit_value", Double),
    Column("unit", Text),
    Column("delta", Double),
    Column("sigma", Double),
    Column("confidence", Double),
    _required("status", Text),
    _required("evidence", JSONB),
)

REGISTERS = (
    parcel_version,
    party,
    rrr,
    road,
    planning_zone,
    permit,
    footprint,
    building_version,
    discrepancy,
)
"""Tables of versions."""

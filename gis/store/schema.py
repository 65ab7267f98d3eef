"""The tables of a city's database, all in the schema `diaba`.

A register's table holds versions of its rows: `version` counts them for one key, `recorded` says when the register knew
it, `valid` when it was so. A row is never changed but for the end of its `recorded`. `digest` is the SHA-256 of a
version's content. The view `current_<table>` shows what the register knows now.
The SRID is the city's, so it is in the migration and in the database, not here. `geom_3857` is the same geometry in Web
Mercator, kept by PostgreSQL for the tiles.
"""

from __future__ import annotations

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    Column,
    Computed,
    Date,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Integer,
    LargeBinary,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import DATERANGE, JSONB

from gis.store.columns import SCHEMA as SCHEMA
from gis.store.columns import geometry as _geometry
from gis.store.columns import kept as _kept
from gis.store.columns import metadata as metadata
from gis.store.columns import register as _register
from gis.store.columns import required as _required
from gis.store.columns import version as _version

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
    # Portions of the area under each use; the view land_use_portion shows them as rows.
    Column("land_uses", JSONB),
    # The words of the address as search looks for them; PostgreSQL writes it.
    Column("address_key", Text, Computed("diaba.search_key(address)", persisted=True)),
    _geometry("POLYGON"),
    _required("valid", DATERANGE),
    _kept("POLYGON", "geom_3857"),
    Column("clearance", REAL, Computed("public.ST_MinimumClearance(geom)", persisted=True)),
    tail=(ForeignKeyConstraint(["uid"], [parcel.c.uid]),),
)

land_change = Table(
    "land_change",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    _required("kind", Text),
    _required("valid_from", Date),
    Column("approved_at", Date),
    Column("legal_ref", Text),
    Column("dossier", Text),
    _required("area_before", Double),
    _required("area_after", Double),
    Column("area_difference", Double, Computed("area_after - area_before", persisted=True)),
    Column("undoes", BigInteger, ForeignKey(f"{SCHEMA}.land_change.id"), unique=True),
    _required("recorded_at", DateTime(timezone=True)),
)

parcel_lineage = Table(
    "parcel_lineage",
    metadata,
    Column("change", BigInteger, ForeignKey(land_change.c.id), primary_key=True),
    Column("parent_uid", Text, primary_key=True),
    Column("parent_version", Integer, primary_key=True),
    Column("child_uid", Text, primary_key=True),
    Column("child_version", Integer, primary_key=True),
    _required("area", Double),
    # The child is a neighbour of the change: the same land with another point on its boundary.
    _required("renoded", Boolean),
    ForeignKeyConstraint(["parent_uid", "parent_version"], [parcel_version.c.uid, parcel_version.c.version]),
    ForeignKeyConstraint(["child_uid", "child_version"], [parcel_version.c.uid, parcel_version.c.version]),
)

party = _register(
    "party",
    ("uid",),
    _required("kind", Text),
    _required("name", Text),
    Column("id_no_encrypted", LargeBinary),
    Column("id_no_hash", LargeBinary),
)

ba_unit = Table("ba_unit", metadata, Column("uid", Text, primary_key=True))

rrr = _register(
    "rrr",
    ("id",),
    Column("ba_unit_uid", Text, ForeignKey(ba_unit.c.uid), nullable=False),
    _required("party_uid", Text),
    _required("type", Text),
    Column("source_uid", Text),
    Column("encumbers", Text),
    Column("rank", Integer),
    Column("amount_vnd", BigInteger),
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
    _kept("LINESTRING", "geom_3857"),
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
    _kept("POLYGON", "geom_3857"),
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
    _kept("POLYGON", "geom_3857", nullable=True),
    ForeignKeyConstraint(["permit_no", "version"], [permit.c.permit_no, permit.c.version]),
)

receipt_counter = Table(
    "receipt_counter",
    metadata,
    Column("office", Text, primary_key=True),
    Column("year", Integer, primary_key=True, autoincrement=False),
    _required("last", Integer),
)

dossier = Table(
    "dossier",
    metadata,
    Column("receipt_no", Text, primary_key=True),
    _required("office", Text),
    _required("year", Integer),
    _required("number", Integer),
    *(_required(name, Text) for name in ("procedure", "law", "type")),
    _required("filed_on", Date),
    Column("parcel_uid", Text, ForeignKey(parcel.c.uid)),
    Column("of_permit", Text),
    Column("applicant_uid", Text),
    _required("secret_salt", LargeBinary),
    _required("secret_hash", LargeBinary),
    _required("status", Text),
    _required("events", Integer),
    _required("head", LargeBinary),
)

dossier_event = Table(
    "dossier_event",
    metadata,
    Column("receipt_no", Text, ForeignKey(dossier.c.receipt_no), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    _required("action", Text),
    _required("status", Text),
    _required("happened_on", Date),
    _required("recorded_at", DateTime(timezone=True)),
    _required("actor", Text),
    Column("clock_effect", Text),
    Column("clock_days", Integer),
    Column("permit_no", Text),
    _required("detail", Text),
    _required("prev_hash", LargeBinary),
    _required("hash", LargeBinary),
)

consultation = Table(
    "consultation",
    metadata,
    Column("receipt_no", Text, ForeignKey(dossier.c.receipt_no), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    _required("agency", Text),
    _required("sent", Date),
    _required("due", Date),
    Column("replied", Date),
    Column("agrees", Boolean),
    _required("is_deemed", Boolean),
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
    # Lowest and highest corner of all its models; PostgreSQL writes them.
    Column("model_low", Double, Computed("LEAST(ST_ZMin(solid), …)", persisted=True)),
    Column("model_high", Double, Computed("GREATEST(ST_ZMax(solid), …)", persisted=True)),
    _required("valid", DATERANGE),
    _kept("POLYGON", "footprint_3857"),
    Column("clearance", REAL, Computed("public.ST_MinimumClearance(footprint)", persisted=True)),
    tail=(
        ForeignKeyConstraint(["uid"], [building.c.uid]),
        ForeignKeyConstraint(["tile_key", "epoch"], [build_tile.c.tile_key, build_tile.c.epoch]),
    ),
)

# How often each register that building tiles show was written to; triggers count.
register_mark = Table(
    "register_mark",
    metadata,
    Column("register", Text, primary_key=True),
    _required("changes", BigInteger),
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

# Of two surveys: where the later lies beside the earlier, m, and the accepted rate of false alarms.
survey_comparison = _register(
    "survey_comparison",
    ("from_epoch", "to_epoch"),
    _required("false_alarm_rate", Double),
    *(_required(name, Double) for name in ("east", "north", "up")),
    *(Column(name, Double) for name in ("sigma_east", "sigma_north", "sigma_up")),
)

building_change = _register(
    "building_change",
    ("id",),
    Column("from_epoch", Text, ForeignKey(lidar_campaign.c.epoch), nullable=False),
    Column("to_epoch", Text, ForeignKey(lidar_campaign.c.epoch), nullable=False),
    Column("building_uid", Text, ForeignKey(building.c.uid), nullable=False),
    Column("parcel_uid", Text, ForeignKey(parcel.c.uid)),
    _required("change", Text),
    _required("delta", Double),
    _required("unit", Text),
    _required("sigma", Double),
    _required("confidence", Double),
    _required("evidence", JSONB),
    _geometry("POLYGON"),
)

rule_set = Table(
    "rule_set",
    metadata,
    Column("digest", Text, primary_key=True),
    _required("rules", Text),
    _required("recorded", DateTime(timezone=True)),
)

check_result = Table(
    "check_result",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("receipt_no", Text),
    _required("verdict", Text),
    _required("proposal", Text),
    _required("result", Text),
    Column("rules_digest", Text, ForeignKey(rule_set.c.digest), nullable=False),
    _required("recorded", DateTime(timezone=True)),
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

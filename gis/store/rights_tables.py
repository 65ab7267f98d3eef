"""The tables of rights after LADM (ISO 19152), and of the registers of buildings; `schema` has those they build on."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Date, DateTime, ForeignKey, ForeignKeyConstraint, Integer, Table, Text
from sqlalchemy.dialects.postgresql import DATERANGE

from gis.store.columns import geometry, metadata, register, required
from gis.store.schema import ba_unit, building, parcel

identity_key = Table(
    "identity_key",
    metadata,
    Column("fingerprint", Text, primary_key=True),
    required("since", DateTime(timezone=True)),
)

right_type = Table(
    "right_type",
    metadata,
    Column("type", Text, primary_key=True),
    required("class", Text),
    required("exclusive", Boolean),
)

ba_unit_parcel = register(
    "ba_unit_parcel",
    ("ba_unit_uid", "parcel_uid"),
    required("valid", DATERANGE),
    tail=(
        ForeignKeyConstraint(["ba_unit_uid"], [ba_unit.c.uid]),
        ForeignKeyConstraint(["parcel_uid"], [parcel.c.uid]),
    ),
)

group_member = register(
    "group_member",
    ("group_uid", "member_uid"),
    Column("share_num", Integer),
    Column("share_den", Integer),
    required("valid", DATERANGE),
)

source_document = register(
    "source_document",
    ("uid",),
    required("kind", Text),
    Column("number", Text),
    Column("date", Date),
    Column("sha256", Text),
    Column("path", Text),
    required("signature_status", Text),
    Column("signed_by", Text),
)

certificate = register(
    "certificate",
    ("serial",),
    Column("book_no", Text),
    Column("ba_unit_uid", Text, ForeignKey(ba_unit.c.uid), nullable=False),
    Column("party_uid", Text),
    Column("issued", Date),
    required("status", Text),
    Column("replaced_by", Text),
    Column("source_uid", Text),
    required("valid", DATERANGE),
)

restriction = register(
    "restriction",
    ("uid",),
    Column("type", Text, ForeignKey(right_type.c.type), nullable=False),
    geometry("MULTIPOLYGON"),
    Column("authority", Text),
    Column("source_uid", Text),
    required("valid", DATERANGE),
)

building_register = register(
    "building_register",
    ("building_uid", "category"),
    required("ward_code", Text),
    Column("name", Text),
    Column("address", Text),
    Column("capacity", Integer),
    Column("digitised", Date),
    Column("checked", Date),
    required("valid", DATERANGE),
    tail=(ForeignKeyConstraint(["building_uid"], [building.c.uid]),),
)

building_register_target = register(
    "building_register_target",
    ("ward_code", "category"),
    required("target", Integer),
    required("source", Text),
    Column("doubt", Text),
    required("valid", DATERANGE),
)

building_lifecycle = register(
    "building_lifecycle",
    ("building_uid",),
    required("status", Text),
    Column("permit_no", Text),
    Column("source_uid", Text),
    required("valid", DATERANGE),
    tail=(ForeignKeyConstraint(["building_uid"], [building.c.uid]),),
)

TABLES = (
    identity_key,
    right_type,
    ba_unit_parcel,
    group_member,
    source_document,
    certificate,
    restriction,
    building_register,
    building_register_target,
    building_lifecycle,
)
"""All of this module."""

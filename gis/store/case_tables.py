"""The tables of cases: inspections, who is to look, the rates of runs, samples drawn by lot. Rows are added only."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Date, DateTime, Double, Identity, Integer, Table, Text

from gis.store.columns import metadata, required


def _key(name: str, kind: type[Text] | type[Integer] = Text) -> Column[object]:
    return Column(name, kind, primary_key=True, autoincrement=False)


inspection = Table(
    "inspection",
    metadata,
    _key("case_id"),
    _key("number", Integer),
    required("version", Integer),
    required("inspected_on", Date),
    required("outcome", Text),
    Column("measured_value", Double),
    Column("note", Text),
    required("actor", Text),
    required("recorded_at", DateTime(timezone=True)),
)

case_assignment = Table(
    "case_assignment",
    metadata,
    _key("case_id"),
    _key("number", Integer),
    required("version", Integer),
    required("assignee", Text),
    required("until", Date),
    Column("note", Text),
    required("actor", Text),
    required("recorded_at", DateTime(timezone=True)),
)

compliance_run = Table(
    "compliance_run",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    required("epoch", Text),
    required("false_alarm_rate", Double),
    required("recorded_at", DateTime(timezone=True)),
)

audit_sample = Table(
    "audit_sample",
    metadata,
    _key("epoch"),
    _key("size", Integer),
    _key("seed", Integer),
    required("flagged", Integer),
    required("unflagged", Integer),
    required("actor", Text),
    required("drawn_at", DateTime(timezone=True)),
)

audit_sample_building = Table(
    "audit_sample_building",
    metadata,
    _key("epoch"),
    _key("size", Integer),
    _key("seed", Integer),
    _key("building_uid"),
    required("is_flagged", Boolean),
)

audit_inspection = Table(
    "audit_inspection",
    metadata,
    _key("epoch"),
    _key("building_uid"),
    _key("number", Integer),
    required("inspected_on", Date),
    required("outcome", Text),
    Column("note", Text),
    required("actor", Text),
    required("recorded_at", DateTime(timezone=True)),
)

TABLES = (inspection, case_assignment, compliance_run, audit_sample, audit_sample_building, audit_inspection)
"""All of them."""

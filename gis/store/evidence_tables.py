"""The table of evidence sheets that were made: added, never changed."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, ForeignKey, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY

from gis.store.columns import metadata, required
from gis.store.schema import building, lidar_campaign, parcel

evidence_sheet = Table(
    "evidence_sheet",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("case_id", Text),
    Column("kind", Text),
    Column("building_uid", Text, ForeignKey(building.c.uid), nullable=False),
    Column("parcel_uid", Text, ForeignKey(parcel.c.uid)),
    Column("epoch", Text, ForeignKey(lidar_campaign.c.epoch), nullable=False),
    required("languages", ARRAY(Text)),
    required("software", Text),
    required("made_at", DateTime(timezone=True)),
    required("made_by", Text),
)

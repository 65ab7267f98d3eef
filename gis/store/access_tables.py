"""The tables of who may see what: the key that scopes are signed with, and keys of machines."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, DateTime, LargeBinary, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY

from gis.store.columns import metadata, required

scope_key = Table(
    "scope_key",
    metadata,
    Column("is_one", Boolean, primary_key=True),
    required("key", LargeBinary),
    required("since", DateTime(timezone=True)),
)

api_key = Table(
    "api_key",
    metadata,
    Column("prefix", Text, primary_key=True),
    required("salt", LargeBinary),
    required("hash", LargeBinary),
    required("subject", Text),
    required("grants", ARRAY(Text)),
    required("created", DateTime(timezone=True)),
    required("expires", DateTime(timezone=True)),
    Column("revoked", DateTime(timezone=True)),
)

TABLES = (scope_key, api_key)

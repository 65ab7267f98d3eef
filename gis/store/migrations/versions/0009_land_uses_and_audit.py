"""Imports that continue where they were stopped."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(IMPORTS)


def downgrade() -> None:
    for table in ("row", "rest", "end", "block"):
        op.execute(f"DROP TABLE diaba.parcel_import_{table}")
    op.execute("DROP TABLE diaba.parcel_import")


# What an import has checked so far, and the rows it will write. Nobody reads parcels here: they are in the register
# when all of them are, in one transaction.
IMPORTS = """
CREATE TABLE diaba.parcel_import (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key bytea NOT NULL CHECK (length(key) = 32),
    files text[] NOT NULL,
    valid_from date NOT NULL,
    blocks integer NOT NULL CHECK (blocks > 0),
    based_on timestamptz NOT NULL,
    bounds double precision[] CHECK (cardinality(bounds) = 4),
    uids text[] NOT NULL,
    numbers text[] NOT NULL,
    begun timestamptz NOT NULL,
    finished timestamptz,
    added integer,
    closed integer,
    CHECK ((finished IS NULL) = (added IS NULL) AND (finished IS NULL) = (closed IS NULL))
);
CREATE UNIQUE INDEX parcel_import_unfinished ON diaba.parcel_import (key) WHERE finished IS NULL;

CREATE TABLE diaba.parcel_import_block (
    import bigint NOT NULL REFERENCES diaba.parcel_import,
    block integer NOT NULL,
    problems jsonb NOT NULL,
    new integer NOT NULL,
    changed integer NOT NULL,
    unchanged integer NOT NULL,
    PRIMARY KEY (import, block)
);

CREATE TABLE diaba.parcel_import_end (
    import bigint NOT NULL,
    uid text NOT NULL,
    version integer NOT NULL,
    PRIMARY KEY (import, uid, version)
);

CREATE TABLE diaba.parcel_import_rest (
    import bigint NOT NULL,
    uid text NOT NULL,
    version integer NOT NULL,
    of_version integer NOT NULL,
    valid daterange NOT NULL,
    PRIMARY KEY (import, uid, version)
);

CREATE TABLE diaba.parcel_import_row (
    import bigint NOT NULL,
    uid text NOT NULL,
    version integer NOT NULL,
    ward_code text,
    sheet_no text,
    parcel_no text,
    old_sheet_no text,
    old_parcel_no text,
    land_use text,
    area_legal double precision,
    area_measured double precision NOT NULL,
    address text,
    geom bytea NOT NULL,
    valid daterange NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (import, uid, version)
);
"""

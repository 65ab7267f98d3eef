"""Imports that continue where they were stopped; parcels with several land uses."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(IMPORTS)
    op.execute("DROP VIEW diaba.current_parcel")
    op.execute(LAND_USES)
    op.execute(CURRENT_PARCEL.replace(":columns", f"{COLUMNS}, land_uses"))


def downgrade() -> None:
    op.execute("DROP VIEW diaba.current_land_use_portion; DROP VIEW diaba.land_use_portion")
    op.execute("DROP VIEW diaba.current_parcel")
    op.execute("ALTER TABLE diaba.parcel_version DROP COLUMN land_uses")
    op.execute("DROP FUNCTION diaba.land_uses_hold(jsonb, text, double precision)")
    op.execute(CURRENT_PARCEL.replace(":columns", COLUMNS))
    for table in ("row", "rest", "end", "block"):
        op.execute(f"DROP TABLE diaba.parcel_import_{table}")
    op.execute("DROP TABLE diaba.parcel_import")


# All but what search looks in, which an older version of the schema has to take away.
COLUMNS = (
    "uid, version, ward_code, sheet_no, parcel_no, land_use, area_legal, area_measured, address, geom, valid, "
    "recorded, digest, old_sheet_no, old_parcel_no"
)
CURRENT_PARCEL = """
CREATE VIEW diaba.current_parcel WITH (security_invoker = true) AS
SELECT :columns FROM diaba.parcel_version WHERE upper_inf(recorded) AND valid @> current_date
"""

# Portions are of a version of their parcel: they have its two times and add up to its area, whoever writes.
# state areas in tenths, so each portion may be off by one.
LAND_USES = """
CREATE FUNCTION diaba.land_uses_hold(uses jsonb, main text, whole double precision) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT jsonb_typeof(uses) = 'array' AND count(*) BETWEEN 1 AND 20
        AND coalesce(bool_and(p.code ~ '^[A-Z]{3}$' AND p.area > 0), false) AND coalesce(bool_or(p.code = main), false)
        AND abs(sum(p.area) - whole) <= 0.1 * count(*) + 1e-6
    FROM jsonb_to_recordset(CASE jsonb_typeof(uses) WHEN 'array' THEN uses ELSE '[]' END)
        AS p (code text, area double precision, term_end date, origin text)
$$;
ALTER TABLE diaba.parcel_version ADD COLUMN land_uses jsonb,
    ADD CONSTRAINT parcel_version_land_uses_add_up
    CHECK (land_uses IS NULL OR diaba.land_uses_hold(land_uses, land_use, coalesce(area_legal, area_measured)));
CREATE VIEW diaba.land_use_portion WITH (security_invoker = true) AS
SELECT v.uid AS parcel_uid, v.version, p.code AS land_use, p.area AS area_m2, p.term_end, p.origin, v.valid, v.recorded
FROM diaba.parcel_version v, jsonb_to_recordset(coalesce(v.land_uses,
    jsonb_build_array(jsonb_build_object('code', v.land_use, 'area', coalesce(v.area_legal, v.area_measured)))
)) AS p (code text, area double precision, term_end date, origin text)
WHERE p.code IS NOT NULL;
CREATE VIEW diaba.current_land_use_portion WITH (security_invoker = true) AS
SELECT * FROM diaba.land_use_portion WHERE upper_inf(recorded) AND valid @> current_date
"""

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
    land_uses jsonb,
    geom bytea NOT NULL,
    valid daterange NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (import, uid, version)
);
"""

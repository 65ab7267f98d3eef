"""Imports that continue where they were stopped; parcels with several land uses; the audit log."""

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
    for statement in (AUDIT_TABLES, AUDIT_FUNCTIONS):
        op.execute(statement)
    for table, key in AUDITED.items():
        for operation in ("INSERT", "UPDATE"):
            op.execute(
                f"CREATE TRIGGER {table}_{operation.lower()}_is_audited AFTER {operation} ON diaba.{table} "
                "REFERENCING NEW TABLE AS changed FOR EACH STATEMENT "
                f"EXECUTE FUNCTION diaba.audit({', '.join(repr(part) for part in key)})"
            )


def downgrade() -> None:
    for table in AUDITED:
        for operation in ("insert", "update"):
            op.execute(f"DROP TRIGGER {table}_{operation}_is_audited ON diaba.{table}")
    op.execute("DROP TABLE diaba.audit_pending; DROP TABLE diaba.audit_log")
    op.execute("DROP FUNCTION diaba.audit(); DROP FUNCTION diaba.chain_audit()")
    op.execute("DROP VIEW diaba.current_land_use_portion; DROP VIEW diaba.land_use_portion")
    op.execute("DROP VIEW diaba.current_parcel")
    op.execute("ALTER TABLE diaba.parcel_version DROP COLUMN land_uses")
    op.execute("DROP FUNCTION diaba.land_uses_hold(jsonb, text, double precision)")
    op.execute(CURRENT_PARCEL.replace(":columns", COLUMNS))
    for table in ("row", "rest", "end", "block"):
        op.execute(f"DROP TABLE diaba.parcel_import_{table}")
    op.execute("DROP TABLE diaba.parcel_import")


AUDITED = {
    "parcel_version": ("uid",),
    "land_change": ("id",),
    "ba_unit_parcel": ("ba_unit_uid", "parcel_uid"),
    "party": ("uid",),
    "group_member": ("group_uid", "member_uid"),
    "rrr": ("id",),
    "restriction": ("uid",),
    "source_document": ("uid",),
    "certificate": ("serial",),
    "permit": ("permit_no",),
    "permit_limit": ("permit_no",),
    "dossier": ("receipt_no",),
    "dossier_event": ("receipt_no", "seq"),
    "consultation": ("receipt_no", "number"),
    "check_result": ("id",),
    "road": ("uid",),
    "planning_zone": ("uid",),
    "building_register": ("building_uid", "category"),
    "building_register_target": ("ward_code", "category"),
    "building_lifecycle": ("building_uid",),
    "identity_key": ("fingerprint",),
}
"""Tables whose changes are logged, and what names a row of each. What surveys measure has its runs (`build_tile`)."""

# A statement that changes a register leaves an entry aside; at the commit each gets its place in the chain, so that
# writers wait for each other there alone. The functions run as their owner: no other login may write either table.
AUDIT_TABLES = """
CREATE TABLE diaba.audit_log (
    seq bigint PRIMARY KEY CHECK (seq > 0),
    at timestamptz NOT NULL,
    actor text NOT NULL,
    through text NOT NULL,
    login text NOT NULL,
    operation text NOT NULL,
    table_name text NOT NULL,
    row_count bigint NOT NULL,
    keys text[] NOT NULL,
    prev_hash bytea NOT NULL CHECK (length(prev_hash) = 32),
    hash bytea NOT NULL CHECK (length(hash) = 32)
);
CREATE INDEX ON diaba.audit_log (at);
CREATE INDEX ON diaba.audit_log USING gin (keys);
CREATE TRIGGER entry_stays BEFORE UPDATE OR DELETE ON diaba.audit_log
    FOR EACH ROW EXECUTE FUNCTION diaba.refuse_change();
CREATE TRIGGER entries_stay BEFORE TRUNCATE ON diaba.audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION diaba.refuse_change();
CREATE TABLE diaba.audit_pending (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    through text NOT NULL,
    login text NOT NULL,
    operation text NOT NULL,
    table_name text NOT NULL,
    row_count bigint NOT NULL,
    keys text[] NOT NULL
);
"""

AUDIT_FUNCTIONS = """
CREATE FUNCTION diaba.audit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    named text := (SELECT string_agg(format('%I', part), ', ') FROM unnest(TG_ARGV) part);
    counted bigint;
    first text[];
BEGIN
    SELECT count(*) INTO counted FROM changed;
    IF counted > 0 THEN
        EXECUTE format('SELECT array_agg(k) FROM (SELECT concat_ws('' '', %s) AS k FROM changed LIMIT 20) f', named)
            INTO first;
        INSERT INTO diaba.audit_pending (at, actor, through, login, operation, table_name, row_count, keys)
        VALUES (clock_timestamp(), coalesce(nullif(current_setting('diaba.actor', true), ''), 'unknown'),
            coalesce(nullif(current_setting('diaba.through', true), ''), 'unknown'), session_user, TG_OP, TG_TABLE_NAME,
            counted, first);
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION diaba.chain_audit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    before bytea;
    place bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('diaba.audit_log', 0));
    SELECT seq, hash INTO place, before FROM diaba.audit_log ORDER BY seq DESC LIMIT 1;
    place := coalesce(place, 0) + 1;
    before := coalesce(before, sha256('diaba audit log'));
    INSERT INTO diaba.audit_log VALUES (place, NEW.at, NEW.actor, NEW.through, NEW.login, NEW.operation, NEW.table_name,
        NEW.row_count, NEW.keys, before, sha256(before || convert_to(jsonb_build_array(
            place, to_char(NEW.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), NEW.actor, NEW.through,
            NEW.login, NEW.operation, NEW.table_name, NEW.row_count, to_jsonb(NEW.keys))::text, 'UTF8')));
    DELETE FROM diaba.audit_pending WHERE id = NEW.id;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER entry_is_chained AFTER INSERT ON diaba.audit_pending
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION diaba.chain_audit();
"""

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

"""Rights after LADM: units of parcels, groups, mortgages, papers, certificates, restrictions; buildings' registers."""

from alembic import context, op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

REGISTERS = {
    "ba_unit_parcel": ("ba_unit_uid", "parcel_uid"),
    "group_member": ("group_uid", "member_uid"),
    "source_document": ("uid",),
    "certificate": ("serial",),
    "restriction": ("uid",),
    "building_register": ("building_uid", "category"),
    "building_register_target": ("ward_code", "category"),
    "building_lifecycle": ("building_uid",),
}
"""Tables of versions and their keys."""
WITHOUT_VALID = {"source_document"}
VIEW_COLUMNS = {
    "source_document": "uid, version, kind, date, signature_status, recorded",
    "group_member": "group_uid, version, valid, recorded",
}
"""What the reader may see; the others are shown whole."""
RIGHTS_SEEN = "id, version, ba_unit_uid, party_uid, type, share_num, share_den, encumbers, rank, valid, recorded"


def upgrade() -> None:
    srid = int(context.config.attributes["srid"])
    for statement in TABLES.replace(":srid", str(srid)).split(";\n"):
        op.execute(statement)
    for table, key in REGISTERS.items():
        _finish(table, key)
    op.execute("DROP VIEW diaba.current_rrr")
    op.execute(RIGHTS)
    op.execute(
        f"CREATE VIEW diaba.current_rrr WITH (security_invoker = true) AS SELECT {RIGHTS_SEEN} FROM diaba.rrr "  # noqa: S608  names of this file
        "WHERE upper_inf(recorded) AND valid @> current_date"
    )
    for function in (KEEP_HISTORY, CHECK_RIGHTS):
        op.execute(function)
    for table in (*REGISTERS, "rrr"):
        op.execute(
            f"CREATE TRIGGER {table}_is_kept BEFORE UPDATE ON diaba.{table} "
            "FOR EACH ROW EXECUTE FUNCTION diaba.keep_history()"
        )
    op.execute(
        "CREATE CONSTRAINT TRIGGER rrr_adds_up AFTER INSERT OR UPDATE ON diaba.rrr "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION diaba.check_rights()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER rrr_adds_up ON diaba.rrr; DROP TRIGGER rrr_is_kept ON diaba.rrr")
    op.execute("DROP VIEW diaba.current_rrr")
    op.execute(RIGHTS_BACK)
    op.execute(
        "CREATE VIEW diaba.current_rrr WITH (security_invoker = true) AS "
        "SELECT * FROM diaba.rrr WHERE upper_inf(recorded) AND valid @> current_date"
    )
    for table in REGISTERS:
        op.execute(f"DROP VIEW diaba.current_{table}; DROP TABLE diaba.{table}")
    for table in ("ba_unit", "right_type", "identity_key"):
        op.execute(f"DROP TABLE diaba.{table}")
    op.execute("DROP FUNCTION diaba.check_rights(); DROP FUNCTION diaba.keep_history()")
    op.execute("DROP AGGREGATE diaba.lcm_of(numeric)")


def _finish(table: str, key: tuple[str, ...]) -> None:
    """Constraints, indexes and the view that every table of versions has."""
    same, columns = ", ".join(f"{column} WITH =" for column in key), ", ".join(key)
    timeless = table in WITHOUT_VALID
    op.execute(
        f"""
        ALTER TABLE diaba.{table} ADD CHECK (version > 0), ADD PRIMARY KEY ({columns}, version),
            ADD CONSTRAINT {table}_known_once
            EXCLUDE USING gist ({same}, {"" if timeless else "valid WITH &&, "}recorded WITH &&);
        CREATE {"UNIQUE" if timeless else ""} INDEX {table}_known_now
            ON diaba.{table} ({columns}) WHERE upper_inf(recorded);
        CREATE VIEW diaba.current_{table} WITH (security_invoker = true) AS
        SELECT {VIEW_COLUMNS.get(table, "*")} FROM diaba.{table}
        WHERE upper_inf(recorded) {"" if timeless else "AND valid @> current_date"}
        """  # noqa: S608  names of this file
    )


TABLES = """
CREATE TABLE diaba.identity_key (
    fingerprint text PRIMARY KEY CHECK (fingerprint ~ '^[0-9a-f]{16}$'),
    since timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX identity_key_is_one ON diaba.identity_key ((true));

CREATE TABLE diaba.right_type (
    type text PRIMARY KEY,
    class text NOT NULL CHECK (class IN ('right', 'restriction', 'responsibility')),
    exclusive boolean NOT NULL
);
INSERT INTO diaba.right_type VALUES
    ('ownership', 'right', true), ('land_use_right', 'right', true), ('house_ownership', 'right', true),
    ('lease', 'right', false), ('superficies', 'right', false), ('usufruct', 'right', false),
    ('easement', 'right', false), ('mortgage', 'right', false), ('transfer_ban', 'restriction', false),
    ('power_line_corridor', 'restriction', false), ('road_reserve', 'restriction', false),
    ('water_corridor', 'restriction', false), ('monument_zone', 'restriction', false),
    ('financial_duty', 'responsibility', false), ('maintenance_duty', 'responsibility', false);

CREATE TABLE diaba.ba_unit (uid text PRIMARY KEY);
CREATE TABLE diaba.ba_unit_parcel (
    ba_unit_uid text NOT NULL REFERENCES diaba.ba_unit,
    parcel_uid text NOT NULL REFERENCES diaba.parcel,
    version integer NOT NULL,
    valid daterange NOT NULL,
    recorded tstzrange NOT NULL,
    digest bytea NOT NULL
);
CREATE INDEX ON diaba.ba_unit_parcel (parcel_uid);

CREATE TABLE diaba.group_member (
    group_uid text NOT NULL,
    member_uid text NOT NULL,
    version integer NOT NULL,
    share_num integer CHECK (share_num > 0),
    share_den integer CHECK (share_den >= share_num),
    valid daterange NOT NULL,
    recorded tstzrange NOT NULL,
    digest bytea NOT NULL,
    CHECK ((share_num IS NULL) = (share_den IS NULL)),
    CHECK (group_uid <> member_uid)
);
CREATE INDEX ON diaba.group_member (member_uid);

CREATE TABLE diaba.source_document (
    uid text NOT NULL,
    version integer NOT NULL,
    kind text NOT NULL,
    number text,
    date date,
    sha256 text CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    path text,
    signature_status text NOT NULL CHECK (signature_status IN ('unsigned', 'signed', 'verified', 'invalid')),
    signed_by text,
    recorded tstzrange NOT NULL,
    digest bytea NOT NULL
);
CREATE INDEX ON diaba.source_document (number);

CREATE TABLE diaba.certificate (
    serial text NOT NULL,
    version integer NOT NULL,
    book_no text,
    ba_unit_uid text NOT NULL REFERENCES diaba.ba_unit,
    party_uid text,
    issued date,
    status text NOT NULL CHECK (status IN ('draft', 'issued', 'replaced', 'revoked', 'lost')),
    replaced_by text,
    source_uid text,
    valid daterange NOT NULL,
    recorded tstzrange NOT NULL,
    digest bytea NOT NULL,
    CHECK (replaced_by IS NULL OR status = 'replaced'),
    CHECK (status = 'draft' OR issued IS NOT NULL OR status = 'revoked')
);
CREATE INDEX ON diaba.certificate (book_no);
CREATE INDEX ON diaba.certificate (ba_unit_uid);

CREATE TABLE diaba.restriction (
    uid text NOT NULL,
    version integer NOT NULL,
    type text NOT NULL REFERENCES diaba.right_type,
    geom geometry(MultiPolygon, :srid) NOT NULL,
    authority text,
    source_uid text,
    valid daterange NOT NULL,
    recorded tstzrange NOT NULL,
    digest bytea NOT NULL
);
CREATE INDEX ON diaba.restriction USING gist (geom);

CREATE TABLE diaba.building_register (
    building_uid text NOT NULL REFERENCES diaba.building,
    category text NOT NULL CHECK (category IN ('high_rise', 'crowded_public')),
    version integer NOT NULL,
    ward_code text NOT NULL,
    name text,
    address text,
    capacity integer CHECK (capacity >= 0),
    digitised date,
    checked date,
    valid daterange NOT NULL,
    recorded tstzrange NOT NULL,
    digest bytea NOT NULL
);
CREATE INDEX ON diaba.building_register (ward_code, category);

CREATE TABLE diaba.building_register_target (
    ward_code text NOT NULL,
    category text NOT NULL CHECK (category IN ('high_rise', 'crowded_public', '*')),
    version integer NOT NULL,
    target integer NOT NULL CHECK (target >= 0),
    source text NOT NULL,
    doubt text,
    valid daterange NOT NULL,
    recorded tstzrange NOT NULL,
    digest bytea NOT NULL
);

CREATE TABLE diaba.building_lifecycle (
    building_uid text NOT NULL REFERENCES diaba.building,
    version integer NOT NULL,
    status text NOT NULL CHECK (status IN ('permit_issued', 'under_construction', 'in_use_not_measured', 'in_use',
        'demolition_permit_issued', 'demolished', 'not_realised', 'in_error')),
    permit_no text,
    source_uid text,
    valid daterange NOT NULL,
    recorded tstzrange NOT NULL,
    digest bytea NOT NULL
)"""

# A right known by its parcel becomes one of a unit of that parcel alone, of the parcel's name, as long as it was known.
RIGHTS = """
INSERT INTO diaba.ba_unit SELECT DISTINCT parcel_uid FROM diaba.rrr;
INSERT INTO diaba.ba_unit_parcel (ba_unit_uid, parcel_uid, version, valid, recorded, digest)
SELECT parcel_uid, parcel_uid, 1, daterange(NULL, NULL), tstzrange(min(lower(recorded)), NULL),
    sha256(convert_to(replace('{"ba_unit_uid":?,"parcel_uid":?}', '?', to_json(parcel_uid)::text), 'UTF8'))
FROM diaba.rrr WHERE NOT isempty(recorded) GROUP BY parcel_uid;
ALTER TABLE diaba.rrr ADD COLUMN ba_unit_uid text REFERENCES diaba.ba_unit,
    ADD COLUMN source_uid text,
    ADD COLUMN encumbers text,
    ADD COLUMN rank integer CHECK (rank > 0),
    ADD COLUMN amount_vnd bigint CHECK (amount_vnd >= 0);
UPDATE diaba.rrr SET ba_unit_uid = parcel_uid;
ALTER TABLE diaba.rrr ALTER COLUMN ba_unit_uid SET NOT NULL, DROP COLUMN parcel_uid,
    ADD CONSTRAINT rrr_type_is_known FOREIGN KEY (type) REFERENCES diaba.right_type,
    ADD CONSTRAINT rrr_mortgage_has_a_right CHECK ((type = 'mortgage') = (encumbers IS NOT NULL)),
    ADD CONSTRAINT rrr_mortgage_has_a_rank CHECK ((type = 'mortgage') = (rank IS NOT NULL)),
    ADD CONSTRAINT rrr_one_of_a_rank EXCLUDE USING gist (encumbers WITH =, rank WITH =, valid WITH &&, recorded WITH &&)
        WHERE (encumbers IS NOT NULL);
CREATE INDEX ON diaba.rrr (ba_unit_uid, type);
CREATE INDEX ON diaba.rrr (encumbers) WHERE encumbers IS NOT NULL;
CREATE AGGREGATE diaba.lcm_of(numeric) (SFUNC = pg_catalog.lcm, STYPE = numeric, INITCOND = '1')
"""

# Rights of units of several parcels, and mortgages, have no place in the older table.
RIGHTS_BACK = """
ALTER TABLE diaba.rrr ADD COLUMN parcel_uid text REFERENCES diaba.parcel;
UPDATE diaba.rrr SET parcel_uid = ba_unit_uid WHERE ba_unit_uid IN (SELECT uid FROM diaba.parcel);
DELETE FROM diaba.rrr WHERE parcel_uid IS NULL OR encumbers IS NOT NULL;
ALTER TABLE diaba.rrr ALTER COLUMN parcel_uid SET NOT NULL,
    DROP COLUMN ba_unit_uid, DROP COLUMN source_uid, DROP COLUMN encumbers, DROP COLUMN rank, DROP COLUMN amount_vnd,
    DROP CONSTRAINT rrr_type_is_known;
CREATE INDEX ON diaba.rrr (parcel_uid)
"""

KEEP_HISTORY = """
CREATE FUNCTION diaba.keep_history() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ended CONSTANT tstzrange := NEW.recorded;
BEGIN
    NEW.recorded := OLD.recorded;
    IF NEW IS DISTINCT FROM OLD OR NOT (isempty(ended) OR lower(ended) = lower(OLD.recorded)) THEN
        RAISE EXCEPTION '%: what was recorded is not changed; its recorded time may end, no more', TG_TABLE_NAME
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    NEW.recorded := ended;
    RETURN NEW;
END $$
"""

# The row of the unit is locked before the sums are taken: of two transactions that change rights of one unit the second
# waits for the first and, in READ COMMITTED, then sees what it wrote. Sums change at ends of valid and recorded times
# alone, and only within the times of the row that was added or closed, so these are the points that are looked at.
CHECK_RIGHTS = """
CREATE FUNCTION diaba.check_rights() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    since timestamptz := lower(NEW.recorded);
    wrong record;
    finish date;
BEGIN
    IF current_setting('transaction_isolation') = 'repeatable read' THEN
        RAISE EXCEPTION 'rights are written in READ COMMITTED or SERIALIZABLE transactions'
            USING ERRCODE = 'invalid_transaction_state';
    END IF;
    PERFORM 1 FROM diaba.ba_unit WHERE uid = NEW.ba_unit_uid FOR NO KEY UPDATE;
    IF TG_OP = 'UPDATE' THEN
        since := coalesce(upper(NEW.recorded), lower(OLD.recorded));
    END IF;
    IF EXISTS (SELECT 1 FROM diaba.right_type t WHERE t.type = NEW.type AND t.exclusive) THEN
        WITH held AS MATERIALIZED (
            SELECT r.share_num, r.share_den, r.valid, r.recorded FROM diaba.rrr r
            WHERE r.ba_unit_uid = NEW.ba_unit_uid AND r.type = NEW.type AND NOT isempty(r.recorded)
        ),
        days AS (
            SELECT coalesce(lower(NEW.valid), '-infinity') AS day
            UNION SELECT b.day FROM held h, LATERAL (VALUES (lower(h.valid)), (upper(h.valid))) b (day)
            WHERE NEW.valid @> b.day
        ),
        moments AS (
            SELECT since AS moment
            UNION SELECT b.moment FROM held h, LATERAL (VALUES (lower(h.recorded)), (upper(h.recorded))) b (moment)
            WHERE b.moment > since
        ),
        whole AS (SELECT diaba.lcm_of(h.share_den) AS parts FROM held h)
        SELECT d.day, s.total / gcd(s.total, w.parts) AS num, w.parts / gcd(s.total, w.parts) AS den INTO wrong
        FROM days d CROSS JOIN moments m CROSS JOIN whole w CROSS JOIN LATERAL (
            SELECT sum(h.share_num * div(w.parts, h.share_den)) AS total FROM held h
            WHERE h.valid @> d.day AND h.recorded @> m.moment
        ) s
        WHERE s.total <> w.parts ORDER BY m.moment DESC, d.day LIMIT 1;
        IF FOUND THEN
            SELECT min(b.day) INTO finish FROM diaba.rrr r, LATERAL (VALUES (lower(r.valid)), (upper(r.valid))) b (day)
            WHERE r.ba_unit_uid = NEW.ba_unit_uid AND r.type = NEW.type AND b.day > wrong.day;
            RAISE EXCEPTION 'unit %: the shares of % add up to %/%, not to 1, from % %', NEW.ba_unit_uid, NEW.type,
                trunc(wrong.num), trunc(wrong.den), wrong.day, coalesce('to ' || finish, 'on')
                USING ERRCODE = 'check_violation', CONSTRAINT = 'rrr_adds_up', TABLE = 'rrr', SCHEMA = 'diaba';
        END IF;
    END IF;
    SELECT m.id, m.encumbers INTO wrong FROM diaba.rrr m
    WHERE m.encumbers IS NOT NULL AND (m.id = NEW.id OR m.encumbers = NEW.id) AND upper_inf(m.recorded)
        AND NOT coalesce((
            SELECT range_agg(r.valid) @> m.valid FROM diaba.rrr r
            WHERE r.id = m.encumbers AND r.ba_unit_uid = m.ba_unit_uid AND upper_inf(r.recorded)
        ), false)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'unit %: the mortgage % outlasts the right % it stands on', NEW.ba_unit_uid, wrong.id,
            wrong.encumbers USING ERRCODE = 'check_violation', CONSTRAINT = 'rrr_adds_up', TABLE = 'rrr';
    END IF;
    RETURN NULL;
END $$
"""

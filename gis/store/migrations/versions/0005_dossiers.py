"""Dossiers of building permits: receipt numbers without gaps, events in a chain nobody rewrites, consultations."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(FUNCTIONS)
    op.execute(TRIGGERS)


def downgrade() -> None:
    for table in ("consultation", "dossier_event", "dossier", "receipt_counter"):
        op.execute(f"DROP TABLE diaba.{table}")
    for function in (
        "refuse_change()",
        "dossier_changes()",
        "consultation_changes()",
        "dossier_event_added()",
        "dossier_secret_fits(text, bytea)",
    ):
        op.execute(f"DROP FUNCTION diaba.{function}")


TABLES = """
CREATE TABLE diaba.receipt_counter (
    office text NOT NULL CHECK (office ~ '^[A-Z0-9]{1,16}$'),
    year integer NOT NULL,
    last integer NOT NULL CHECK (last > 0),
    PRIMARY KEY (office, year)
);
CREATE TABLE diaba.dossier (
    receipt_no text PRIMARY KEY,
    office text NOT NULL,
    year integer NOT NULL,
    number integer NOT NULL,
    procedure text NOT NULL,
    law text NOT NULL,
    type text NOT NULL,
    filed_on date NOT NULL,
    parcel_uid text REFERENCES diaba.parcel,
    of_permit text,
    applicant_uid text,
    secret_salt bytea NOT NULL CHECK (length(secret_salt) = 16),
    secret_hash bytea NOT NULL CHECK (length(secret_hash) = 32),
    status text NOT NULL,
    events integer NOT NULL CHECK (events >= 0),
    head bytea NOT NULL CHECK (length(head) = 32),
    FOREIGN KEY (office, year) REFERENCES diaba.receipt_counter,
    UNIQUE (office, year, number)
);
CREATE INDEX ON diaba.dossier (parcel_uid);
CREATE INDEX ON diaba.dossier (office, status, filed_on);
CREATE TABLE diaba.dossier_event (
    receipt_no text NOT NULL REFERENCES diaba.dossier,
    seq integer NOT NULL CHECK (seq > 0),
    action text NOT NULL,
    status text NOT NULL,
    happened_on date NOT NULL,
    recorded_at timestamptz NOT NULL,
    actor text NOT NULL,
    clock_effect text,
    clock_days integer CHECK (clock_days > 0),
    permit_no text,
    detail text NOT NULL,
    prev_hash bytea NOT NULL CHECK (length(prev_hash) = 32),
    hash bytea NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (receipt_no, seq)
);
CREATE INDEX ON diaba.dossier_event (permit_no) WHERE permit_no IS NOT NULL;
CREATE TABLE diaba.consultation (
    receipt_no text NOT NULL REFERENCES diaba.dossier,
    number integer NOT NULL CHECK (number > 0),
    agency text NOT NULL,
    sent date NOT NULL,
    due date NOT NULL CHECK (due >= sent),
    replied date CHECK (replied >= sent),
    agrees boolean,
    is_deemed boolean NOT NULL DEFAULT false,
    PRIMARY KEY (receipt_no, number)
);
"""

FUNCTIONS = """
CREATE FUNCTION diaba.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: what was recorded stays', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE FUNCTION diaba.dossier_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Where a dossier stands moves on with its events; what was filed stays.
    IF NEW.events <> OLD.events + 1 OR to_jsonb(NEW) - '{status,events,head}'::text[]
        IS DISTINCT FROM to_jsonb(OLD) - '{status,events,head}'::text[] THEN
        RAISE EXCEPTION 'dossier % can only be continued by an event', OLD.receipt_no
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION diaba.consultation_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.replied IS NOT NULL OR OLD.is_deemed OR to_jsonb(NEW) - '{replied,agrees,is_deemed}'::text[]
        IS DISTINCT FROM to_jsonb(OLD) - '{replied,agrees,is_deemed}'::text[] THEN
        RAISE EXCEPTION 'consultation % of dossier % can only be answered once', OLD.number, OLD.receipt_no
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION diaba.dossier_event_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE diaba.dossier SET status = NEW.status, events = NEW.seq, head = NEW.hash
        WHERE receipt_no = NEW.receipt_no AND events = NEW.seq - 1 AND head = NEW.prev_hash;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'event % does not follow the last one of dossier %', NEW.seq, NEW.receipt_no
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

-- The only way the reader may ask for a secret. It hashes for an unknown number too, so that both take the same time.
CREATE FUNCTION diaba.dossier_secret_fits(text, bytea) RETURNS boolean
LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT coalesce(
        (SELECT sha256(secret_salt || $2) = secret_hash FROM diaba.dossier WHERE receipt_no = $1),
        sha256(substring($2 FROM 1 FOR 16) || $2) = ''
    )
$$;
"""

TRIGGERS = """
CREATE TRIGGER event_stays BEFORE UPDATE OR DELETE ON diaba.dossier_event
    FOR EACH ROW EXECUTE FUNCTION diaba.refuse_change();
CREATE TRIGGER events_stay BEFORE TRUNCATE ON diaba.dossier_event
    FOR EACH STATEMENT EXECUTE FUNCTION diaba.refuse_change();
CREATE TRIGGER event_continues AFTER INSERT ON diaba.dossier_event
    FOR EACH ROW EXECUTE FUNCTION diaba.dossier_event_added();
CREATE TRIGGER dossier_stays BEFORE DELETE ON diaba.dossier
    FOR EACH ROW EXECUTE FUNCTION diaba.refuse_change();
CREATE TRIGGER dossier_continues BEFORE UPDATE ON diaba.dossier
    FOR EACH ROW EXECUTE FUNCTION diaba.dossier_changes();
CREATE TRIGGER consultation_stays BEFORE DELETE ON diaba.consultation
    FOR EACH ROW EXECUTE FUNCTION diaba.refuse_change();
CREATE TRIGGER consultation_answered BEFORE UPDATE ON diaba.consultation
    FOR EACH ROW EXECUTE FUNCTION diaba.consultation_changes();
"""

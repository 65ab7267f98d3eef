"""Inspections of flagged differences, who is to look, the rate each run used, and samples drawn by lot."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

STATUSES = ("flagged", "assigned", "confirmed", "dismissed", "resolved")
OUTCOMES = ("confirmed", "within_limits", "register_wrong", "not_accessible")

OF_CASE = "EXISTS (SELECT 1 FROM diaba.discrepancy d WHERE d.id = {table}.case_id)"
# A sample is of the whole city, so it is for who sees all of it.
OF_ALL = "(SELECT diaba.reach('differences')) = 'all'"
POLICIES = {
    "inspection": OF_CASE,
    "case_assignment": OF_CASE,
    "audit_sample": OF_ALL,
    "audit_sample_building": OF_ALL,
    "audit_inspection": OF_ALL,
}
AUDITED = {
    "inspection": ("case_id", "number"),
    "case_assignment": ("case_id", "number"),
    "audit_sample": ("epoch", "size", "seed"),
    "audit_inspection": ("epoch", "building_uid", "number"),
    "compliance_run": ("epoch", "id"),
}


def upgrade() -> None:
    op.execute(f"ALTER TABLE diaba.discrepancy ADD CONSTRAINT discrepancy_status CHECK (status IN {STATUSES})")
    op.execute(TABLES.replace(":outcomes", str(OUTCOMES)))
    for table, condition in POLICIES.items():
        op.execute(f"CREATE POLICY scope ON diaba.{table} USING ({condition.format(table=table)})")
        op.execute(f"ALTER TABLE diaba.{table} ENABLE ROW LEVEL SECURITY")
    for table in (*POLICIES, "compliance_run"):
        op.execute(
            f"CREATE TRIGGER row_stays BEFORE UPDATE OR DELETE ON diaba.{table} "
            "FOR EACH ROW EXECUTE FUNCTION diaba.refuse_change();"
            f"CREATE TRIGGER rows_stay BEFORE TRUNCATE ON diaba.{table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION diaba.refuse_change()"
        )
    for table, key in AUDITED.items():
        op.execute(
            f"CREATE TRIGGER {table}_insert_is_audited AFTER INSERT ON diaba.{table} "
            "REFERENCING NEW TABLE AS changed FOR EACH STATEMENT "
            f"EXECUTE FUNCTION diaba.audit({', '.join(repr(part) for part in key)})"
        )


def downgrade() -> None:
    for table in (
        "audit_inspection",
        "audit_sample_building",
        "audit_sample",
        "compliance_run",
        "case_assignment",
        "inspection",
    ):
        op.execute(f"DROP TABLE diaba.{table}")
    op.execute("ALTER TABLE diaba.discrepancy DROP CONSTRAINT discrepancy_status")


# `version` is that of the case which the row has made: its figures are those that were judged.
TABLES = """
CREATE TABLE diaba.inspection (
    case_id text NOT NULL,
    number integer NOT NULL CHECK (number > 0),
    version integer NOT NULL,
    inspected_on date NOT NULL,
    outcome text NOT NULL CHECK (outcome IN :outcomes),
    measured_value double precision CHECK (abs(measured_value) <= 1e6),
    note text CHECK (length(note) BETWEEN 1 AND 2000),
    actor text NOT NULL CHECK (length(actor) BETWEEN 1 AND 200),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (case_id, number),
    FOREIGN KEY (case_id, version) REFERENCES diaba.discrepancy (id, version)
);
CREATE TABLE diaba.case_assignment (
    case_id text NOT NULL,
    number integer NOT NULL CHECK (number > 0),
    version integer NOT NULL,
    assignee text NOT NULL CHECK (length(assignee) BETWEEN 1 AND 200),
    until date NOT NULL,
    note text CHECK (length(note) BETWEEN 1 AND 2000),
    actor text NOT NULL CHECK (length(actor) BETWEEN 1 AND 200),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (case_id, number),
    FOREIGN KEY (case_id, version) REFERENCES diaba.discrepancy (id, version)
);
CREATE TABLE diaba.compliance_run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    epoch text NOT NULL REFERENCES diaba.lidar_campaign,
    false_alarm_rate double precision NOT NULL CHECK (false_alarm_rate > 0 AND false_alarm_rate < 1),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ON diaba.compliance_run (epoch, id);
CREATE TABLE diaba.audit_sample (
    epoch text NOT NULL REFERENCES diaba.lidar_campaign,
    size integer NOT NULL CHECK (size > 1),
    seed integer NOT NULL CHECK (seed >= 0),
    flagged integer NOT NULL CHECK (flagged >= 0),
    unflagged integer NOT NULL CHECK (unflagged >= 0),
    actor text NOT NULL CHECK (length(actor) BETWEEN 1 AND 200),
    drawn_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (epoch, size, seed)
);
CREATE TABLE diaba.audit_sample_building (
    epoch text NOT NULL,
    size integer NOT NULL,
    seed integer NOT NULL,
    building_uid text NOT NULL REFERENCES diaba.building,
    is_flagged boolean NOT NULL,
    PRIMARY KEY (epoch, size, seed, building_uid),
    FOREIGN KEY (epoch, size, seed) REFERENCES diaba.audit_sample
);
CREATE TABLE diaba.audit_inspection (
    epoch text NOT NULL REFERENCES diaba.lidar_campaign,
    building_uid text NOT NULL REFERENCES diaba.building,
    number integer NOT NULL CHECK (number > 0),
    inspected_on date NOT NULL,
    outcome text NOT NULL CHECK (outcome IN :outcomes),
    note text CHECK (length(note) BETWEEN 1 AND 2000),
    actor text NOT NULL CHECK (length(actor) BETWEEN 1 AND 200),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (epoch, building_uid, number)
);
"""

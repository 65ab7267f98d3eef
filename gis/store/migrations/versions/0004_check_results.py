"""Verdicts of planning rules are kept as text, with the rows of the rules they followed from."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(TABLES)


def downgrade() -> None:
    op.execute("DROP TABLE diaba.check_result")
    op.execute("DROP TABLE diaba.rule_set")


TABLES = """
CREATE TABLE diaba.rule_set (
    digest text PRIMARY KEY CHECK (digest ~ '^[0-9a-f]{64}$'),
    rules text NOT NULL,
    recorded timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE diaba.check_result (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    receipt_no text CHECK (receipt_no <> ''),
    verdict text NOT NULL CHECK (verdict IN ('pass', 'fail', 'doubtful')),
    proposal text NOT NULL,
    result text NOT NULL,
    rules_digest text NOT NULL REFERENCES diaba.rule_set,
    recorded timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ON diaba.check_result (receipt_no, id);
"""

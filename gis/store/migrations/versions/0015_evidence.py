"""Evidence sheets: which were made, of what, when and by whom; anybody who holds one may ask whether it is genuine."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(TABLE)
    op.execute(LOOK_UP)
    op.execute(
        "CREATE TRIGGER evidence_sheet_insert_is_audited AFTER INSERT ON diaba.evidence_sheet "
        "REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION diaba.audit('digest')"
    )
    op.execute(f"CREATE POLICY scope ON diaba.evidence_sheet USING ({WITHIN})")
    op.execute("ALTER TABLE diaba.evidence_sheet ENABLE ROW LEVEL SECURITY")


def downgrade() -> None:
    op.execute("DROP FUNCTION diaba.evidence_of(text)")
    op.execute("DROP TABLE diaba.evidence_sheet")


TABLE = """
CREATE TABLE diaba.evidence_sheet (
    digest text PRIMARY KEY CHECK (digest ~ '^[0-9a-f]{64}$'),
    case_id text,
    kind text,
    building_uid text NOT NULL REFERENCES diaba.building,
    parcel_uid text REFERENCES diaba.parcel,
    epoch text NOT NULL REFERENCES diaba.lidar_campaign,
    languages text[] NOT NULL CHECK (cardinality(languages) > 0),
    software text NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    made_by text NOT NULL,
    CHECK ((case_id IS NULL) = (kind IS NULL))
);
CREATE INDEX ON diaba.evidence_sheet (case_id);
CREATE INDEX ON diaba.evidence_sheet (parcel_uid);
CREATE TRIGGER sheet_stays BEFORE UPDATE OR DELETE ON diaba.evidence_sheet
    FOR EACH ROW EXECUTE FUNCTION diaba.refuse_change();
CREATE TRIGGER sheets_stay BEFORE TRUNCATE ON diaba.evidence_sheet
    FOR EACH STATEMENT EXECUTE FUNCTION diaba.refuse_change();
"""

WITHIN = (
    "CASE (SELECT diaba.reach('differences')) WHEN 'all' THEN true WHEN 'none' THEN false "
    "ELSE EXISTS (SELECT 1 FROM diaba.parcel_version w WHERE w.uid = evidence_sheet.parcel_uid "
    "AND w.ward_code = ANY ((SELECT diaba.seen_wards('differences'))::text[])) END"
)
"""As of the differences themselves; a sheet of no known parcel is seen by who sees all."""

# Whoever holds a sheet knows its digest, and by it learns what is printed on the sheet anyhow, but neither parcel nor
# permit nor who made it. Without the digest nothing is told: there are 2^256 of them.
LOOK_UP = """
CREATE FUNCTION diaba.evidence_of(asked text)
RETURNS TABLE (case_id text, kind text, building_uid text, epoch text, languages text[], software text,
    made_at timestamptz)
LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT s.case_id, s.kind, s.building_uid, s.epoch, s.languages, s.software, s.made_at
    FROM diaba.evidence_sheet s WHERE s.digest = asked
$$
"""

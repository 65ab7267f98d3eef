"""What changed between two surveys: buildings, and how the surveys lie beside each other."""

from alembic import context, op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

REGISTERS = {"survey_comparison": ("from_epoch", "to_epoch"), "building_change": ("id",)}
"""Tables of versions and their keys."""


def upgrade() -> None:
    for statement in TABLES.replace(":srid", str(int(context.config.attributes["srid"]))).split(";\n"):
        op.execute(statement)
    for table, key in REGISTERS.items():
        _finish(table, key)
    # Seen by who sees differences: a house that is new may be one without a permit.
    op.execute(POLICY)
    op.execute("ALTER TABLE diaba.building_change ENABLE ROW LEVEL SECURITY")


def downgrade() -> None:
    for table in reversed(REGISTERS):
        op.execute(f"DROP VIEW diaba.current_{table}; DROP TABLE diaba.{table}")


def _finish(table: str, key: tuple[str, ...]) -> None:
    """Constraints, indexes and the view that every table of versions has."""
    same, columns = ", ".join(f"{column} WITH =" for column in key), ", ".join(key)
    op.execute(
        f"""
        ALTER TABLE diaba.{table} ADD CHECK (version > 0), ADD PRIMARY KEY ({columns}, version),
            ADD CONSTRAINT {table}_known_once EXCLUDE USING gist ({same}, recorded WITH &&);
        CREATE UNIQUE INDEX {table}_known_now ON diaba.{table} ({columns}) WHERE upper_inf(recorded);
        CREATE VIEW diaba.current_{table} WITH (security_invoker = true) AS
        SELECT * FROM diaba.{table} WHERE upper_inf(recorded);
        CREATE TRIGGER {table}_is_kept BEFORE UPDATE ON diaba.{table}
            FOR EACH ROW EXECUTE FUNCTION diaba.keep_history()
        """  # noqa: S608  names of this file
    )


TABLES = """
CREATE TABLE diaba.survey_comparison (
    from_epoch text NOT NULL REFERENCES diaba.lidar_campaign,
    to_epoch text NOT NULL REFERENCES diaba.lidar_campaign,
    version integer NOT NULL,
    false_alarm_rate double precision NOT NULL CHECK (false_alarm_rate > 0 AND false_alarm_rate < 1),
    east double precision NOT NULL,
    north double precision NOT NULL,
    up double precision NOT NULL,
    sigma_east double precision,
    sigma_north double precision,
    sigma_up double precision,
    recorded tstzrange NOT NULL,
    digest bytea NOT NULL,
    CHECK (from_epoch <> to_epoch)
);
CREATE TABLE diaba.building_change (
    id text NOT NULL,
    version integer NOT NULL,
    from_epoch text NOT NULL REFERENCES diaba.lidar_campaign,
    to_epoch text NOT NULL REFERENCES diaba.lidar_campaign,
    building_uid text NOT NULL REFERENCES diaba.building,
    parcel_uid text REFERENCES diaba.parcel,
    change text NOT NULL CHECK (change IN ('new', 'demolished', 'taller', 'lower', 'extended', 'reduced')),
    delta double precision NOT NULL,
    unit text NOT NULL,
    sigma double precision NOT NULL,
    confidence double precision NOT NULL,
    evidence jsonb NOT NULL DEFAULT '{}',
    geom geometry(Polygon, :srid) NOT NULL,
    recorded tstzrange NOT NULL,
    digest bytea NOT NULL
);
CREATE INDEX ON diaba.building_change USING gist (geom);
CREATE INDEX ON diaba.building_change (from_epoch, to_epoch);
CREATE INDEX ON diaba.building_change (building_uid);
CREATE INDEX ON diaba.building_change (parcel_uid)
"""

POLICY = """
CREATE POLICY scope ON diaba.building_change USING (
    CASE (SELECT diaba.reach('differences')) WHEN 'all' THEN true WHEN 'none' THEN false
    ELSE EXISTS (SELECT 1 FROM diaba.parcel_version w WHERE w.uid = building_change.parcel_uid
                 AND w.ward_code = ANY ((SELECT diaba.seen_wards('differences'))::text[])) END
)
"""

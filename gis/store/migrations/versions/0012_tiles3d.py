"""How high and how low a building's models reach, and a count of changes of the registers that building tiles show."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

WATCHED = ("building_version", "discrepancy", "permit", "permit_limit")


def upgrade() -> None:
    for name, function, best in (("model_low", "ST_ZMin", "LEAST"), ("model_high", "ST_ZMax", "GREATEST")):
        blocks = ", ".join(f"public.{function}((coarser #>> '{{{lod},solid}}')::public.geometry)" for lod in LODS)
        op.execute(
            f"ALTER TABLE diaba.building_version ADD COLUMN {name} double precision "
            f"GENERATED ALWAYS AS ({best}(public.{function}(solid), {blocks})) STORED"
        )
        op.execute(f"CREATE INDEX building_version_{name} ON diaba.building_version ({name})")
    op.execute(MARKS)
    for table in WATCHED:
        op.execute(
            f"CREATE TRIGGER {table}_is_marked AFTER INSERT OR UPDATE OR DELETE ON diaba.{table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION diaba.mark_change()"
        )
        op.execute(f"INSERT INTO diaba.register_mark VALUES ('{table}', 0)")  # noqa: S608  names of this file


def downgrade() -> None:
    for table in WATCHED:
        op.execute(f"DROP TRIGGER {table}_is_marked ON diaba.{table}")
    op.execute("DROP FUNCTION diaba.mark_change()")
    op.execute("DROP TABLE diaba.register_mark")
    op.execute("ALTER TABLE diaba.building_version DROP COLUMN model_low, DROP COLUMN model_high")


LODS = ("1.2", "1.3")
"""Of the models below the best."""

MARKS = """
CREATE TABLE diaba.register_mark (
    register text PRIMARY KEY,
    changes bigint NOT NULL
);
CREATE FUNCTION diaba.mark_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE diaba.register_mark SET changes = changes + 1 WHERE register = TG_TABLE_NAME;
    RETURN NULL;
END $$
"""

"""Measured buildings keep their coarser models too, and a view shows all models as geometry."""

from alembic import context, op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    srid = int(context.config.attributes["srid"])
    op.execute("ALTER TABLE diaba.building_version ADD COLUMN coarser jsonb NOT NULL DEFAULT '{}'")
    op.execute(VIEW.replace(":srid", str(srid)))


def downgrade() -> None:
    op.execute("DROP VIEW diaba.current_building_model")
    op.execute("ALTER TABLE diaba.building_version DROP COLUMN coarser")


VIEW = """
CREATE VIEW diaba.current_building_model WITH (security_invoker = true) AS
SELECT b.uid, b.epoch, b.version, m.lod, m.solid, m.solid_surfaces
FROM diaba.building_version b CROSS JOIN LATERAL (
    SELECT b.lod, b.solid::geometry(PolyhedralSurfaceZ, :srid) AS solid, b.solid_surfaces WHERE b.solid IS NOT NULL
    UNION ALL
    SELECT c.key, (c.value->>'solid')::geometry(PolyhedralSurfaceZ, :srid), c.value->>'surfaces'
    FROM jsonb_each(b.coarser) c
) m
WHERE upper_inf(b.recorded) AND b.valid @> current_date
"""

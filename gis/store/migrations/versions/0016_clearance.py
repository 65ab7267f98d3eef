"""How far a vertex of a parcel or footprint may move before it is not valid: tiles need not mend each shape anew."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

SHAPES = {"parcel_version": "geom", "building_version": "footprint"}


def upgrade() -> None:
    for table, column in SHAPES.items():
        op.execute(
            f"ALTER TABLE diaba.{table} ADD COLUMN clearance real "
            f"GENERATED ALWAYS AS (public.ST_MinimumClearance({column})) STORED"
        )


def downgrade() -> None:
    for table in SHAPES:
        op.execute(f"ALTER TABLE diaba.{table} DROP COLUMN clearance")

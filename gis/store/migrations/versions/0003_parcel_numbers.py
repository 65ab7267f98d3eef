"""A parcel keeps the numbers it had before its last renumbering: old papers name it by them."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DROP VIEW diaba.current_parcel")
    op.execute("ALTER TABLE diaba.parcel_version ADD COLUMN old_sheet_no text, ADD COLUMN old_parcel_no text")
    op.execute(VIEW)


def downgrade() -> None:
    op.execute("DROP VIEW diaba.current_parcel")
    op.execute("ALTER TABLE diaba.parcel_version DROP COLUMN old_sheet_no, DROP COLUMN old_parcel_no")
    op.execute(VIEW)


VIEW = """
CREATE VIEW diaba.current_parcel WITH (security_invoker = true) AS
SELECT * FROM diaba.parcel_version WHERE upper_inf(recorded) AND valid @> current_date
"""

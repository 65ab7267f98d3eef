"""Parcels are found by their numbers, old and new, and by words of their address without accents, at any date."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(KEY)
    op.execute(INDEXES)


def downgrade() -> None:
    for index in ("parcel_version_number", "parcel_version_old_number", "parcel_version_place_known_now"):
        op.execute(f"DROP INDEX diaba.{index}")
    op.execute("ALTER TABLE diaba.parcel_version DROP COLUMN address_key")
    op.execute("DROP FUNCTION diaba.search_key(text)")


# unaccent is not immutable, as its dictionary might be edited; with the dictionary named and no one to edit it, it is.
# The blanks at both ends make each word begin and end alike.
KEY = """
CREATE FUNCTION diaba.search_key(given text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT ' ' || btrim(regexp_replace(
        lower(public.unaccent('public.unaccent'::regdictionary, normalize(given, NFC))), '[^a-z0-9]+', ' ', 'g')) || ' '
$$
"""

# By place alone of what is known now: beside the index of all versions PostgreSQL scans the whole index of those known
# now, 23 of 30 ms of a window of 1,000 parcels.
# Stored, as what the index finds is compared with it again: to make it takes 70 times as long as to compare.
INDEXES = """
ALTER TABLE diaba.parcel_version
    ADD COLUMN address_key text GENERATED ALWAYS AS (diaba.search_key(address)) STORED;
CREATE INDEX parcel_version_number ON diaba.parcel_version (parcel_no, sheet_no);
CREATE INDEX parcel_version_old_number ON diaba.parcel_version (old_parcel_no, old_sheet_no)
    WHERE old_parcel_no IS NOT NULL;
CREATE INDEX parcel_version_place_known_now ON diaba.parcel_version USING gist (geom) WHERE upper_inf(recorded);
CREATE INDEX parcel_version_address ON diaba.parcel_version USING gin (address_key public.gin_trgm_ops);
"""

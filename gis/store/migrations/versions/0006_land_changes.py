"""Land changes, the lineage of parcels, and a guard against parcels that overlap at one time."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(GUARD)


def downgrade() -> None:
    op.execute("DROP TRIGGER parcels_do_not_overlap ON diaba.parcel_version")
    op.execute("DROP FUNCTION diaba.parcels_do_not_overlap()")
    op.execute("DROP TABLE diaba.parcel_lineage")
    op.execute("DROP TABLE diaba.land_change")


TABLES = """
CREATE TABLE diaba.land_change (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN (
        'split', 'merge', 'boundary_adjustment', 'renumbering', 'change_of_use', 'resurvey', 'unit_succession'
    )),
    valid_from date NOT NULL,
    approved_at date,
    legal_ref text,
    dossier text,
    area_before double precision NOT NULL,
    area_after double precision NOT NULL,
    area_difference double precision GENERATED ALWAYS AS (area_after - area_before) STORED,
    undoes bigint UNIQUE REFERENCES diaba.land_change,
    recorded_at timestamptz NOT NULL,
    CHECK (undoes < id)
);

CREATE TABLE diaba.parcel_lineage (
    change bigint NOT NULL REFERENCES diaba.land_change,
    parent_uid text NOT NULL,
    parent_version integer NOT NULL,
    child_uid text NOT NULL,
    child_version integer NOT NULL,
    area double precision NOT NULL CHECK (area >= 0),
    renoded boolean NOT NULL,
    PRIMARY KEY (change, parent_uid, parent_version, child_uid, child_version),
    FOREIGN KEY (parent_uid, parent_version) REFERENCES diaba.parcel_version,
    FOREIGN KEY (child_uid, child_version) REFERENCES diaba.parcel_version,
    CHECK (parent_uid <> child_uid OR parent_version < child_version)
);
CREATE INDEX ON diaba.parcel_lineage (parent_uid, parent_version);
CREATE INDEX ON diaba.parcel_lineage (child_uid, child_version);
"""

GUARD = """
CREATE FUNCTION diaba.parcels_do_not_overlap() RETURNS trigger LANGUAGE plpgsql
SET search_path = diaba, public SET enable_seqscan = off SET jit = off AS $$
DECLARE
    clash record;
BEGIN
    -- Two transactions do not see each other's parcels: one waits here for the other. All writers take this lock.
    PERFORM pg_advisory_xact_lock(hashtextextended('diaba.parcel_version', 0));
    -- An overlap is what reaches more than 2 mm into a parcel: less comes from the rounding of both to the millimetre
    -- grid. The core within is apart from all that only touches, which costs a fifth of an intersection to see.
    SELECT a.uid AS one, b.uid AS other, ST_Area(ST_Intersection(a.geom, b.geom)) AS area,
        lower(a.valid * b.valid) AS day INTO clash
    FROM (
        SELECT uid, valid, geom, ST_Buffer(geom, -0.002, 'join=mitre quad_segs=1') AS core
        FROM fresh WHERE upper_inf(recorded) OFFSET 0
    ) a
    JOIN diaba.parcel_version b
        ON b.geom && a.core AND b.uid <> a.uid AND b.valid && a.valid AND upper_inf(b.recorded)
    WHERE ST_Intersects(a.core, b.geom)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'parcels % and % overlap by % m² from % on',
            clash.one, clash.other, round(clash.area::numeric, 3), coalesce(clash.day::text, 'ever')
            USING ERRCODE = 'exclusion_violation', CONSTRAINT = 'parcels_do_not_overlap';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER parcels_do_not_overlap AFTER INSERT ON diaba.parcel_version
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION diaba.parcels_do_not_overlap();
"""

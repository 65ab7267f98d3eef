"""What vector tiles need: geometry in Web Mercator, generalised land and buildings, and word of every change."""

from alembic import context, op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

PROJECTED = {
    "parcel_version": "geom",
    "building_version": "footprint",
    "planning_zone": "geom",
    "road": "geom",
    "permit_limit": "geom",
}
"""Tables the tiles show, and their geometry."""
VERSIONS = "parcel_version", "building_version", "planning_zone", "road"

OF_ROW = "SELECT c.{column} AS shape FROM {rows} c"
OF_PERMIT = (
    "SELECT l.geom_3857 AS shape FROM {rows} c JOIN diaba.permit_limit l USING (permit_no, version) "
    "WHERE l.geom_3857 IS NOT NULL"
)
OF_DISCREPANCY = (
    "SELECT b.footprint_3857 AS shape FROM {rows} c "
    "JOIN diaba.building_version b ON b.uid = c.building_uid AND upper_inf(b.recorded)"
)
WATCHED = {
    "parcel_version": ("parcels", OF_ROW.replace("{column}", "geom_3857")),
    "building_version": ("buildings", OF_ROW.replace("{column}", "footprint_3857")),
    "planning_zone": ("planning_zones", OF_ROW.replace("{column}", "geom_3857")),
    "road": ("roads", OF_ROW.replace("{column}", "geom_3857")),
    "permit_limit": ("permits", OF_ROW.replace("{column}", "geom_3857") + " WHERE c.geom_3857 IS NOT NULL"),
    "permit": ("permits", OF_PERMIT),
    "discrepancy": ("discrepancies", OF_DISCREPANCY),
}
"""Table → the collection that changes with it, and the places where it changes."""
EVENTS = {"INSERT": ("NEW",), "UPDATE": ("OLD", "NEW"), "DELETE": ("OLD",)}


def upgrade() -> None:
    srid = int(context.config.attributes["srid"])
    for table, column in PROJECTED.items():
        # A generated column would be worked out anew by pg_restore, before the pinned transformation is in its place;
        # as a plain one that a trigger fills it is restored as it was. Generated first: that rewrites the table once.
        optional = "" if table == "permit_limit" else f", ALTER COLUMN {column}_3857 SET NOT NULL"
        # Of versions only what is known now: the rest is found by the geometry in the city's CRS.
        known_now = "WHERE upper_inf(recorded)" if table in VERSIONS else ""
        op.execute(
            f"""
            ALTER TABLE diaba.{table} ADD COLUMN {column}_3857 geometry({_kind(table)}, 3857)
                GENERATED ALWAYS AS (ST_Transform({column}, 3857)) STORED;
            ALTER TABLE diaba.{table} ALTER COLUMN {column}_3857 DROP EXPRESSION{optional};
            CREATE INDEX {table}_web ON diaba.{table} USING gist ({column}_3857) {known_now};
            CREATE FUNCTION diaba.project_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                NEW.{column}_3857 := public.ST_Transform(NEW.{column}, 3857);
                RETURN NEW;
            END
            $$;
            CREATE TRIGGER {table}_is_projected BEFORE INSERT OR UPDATE OF {column}, {column}_3857 ON diaba.{table}
                FOR EACH ROW EXECUTE FUNCTION diaba.project_{table}()
            """
        )
    for part in (TABLES, ANNOUNCE, LAND, BUILT_UP, STALE):
        op.execute(part.replace(":srid", str(srid)))
    for table, (collection, places) in WATCHED.items():
        for event, sides in EVENTS.items():
            op.execute(_watch(table, event, sides, collection, places))
    for table in ("generalised_block", "generalised_ward"):
        op.execute(
            f"CREATE POLICY scope ON diaba.{table} USING (CASE (SELECT diaba.reach('land')) "
            "WHEN 'all' THEN true WHEN 'none' THEN false "
            "ELSE ward_code = ANY ((SELECT diaba.seen_wards('land'))::text[]) END)"
        )
    op.execute("SELECT diaba.generalise(TRUE)")


def downgrade() -> None:
    op.execute("DROP TABLE diaba.change")
    for table in WATCHED:
        for event in EVENTS:
            op.execute(f"DROP TRIGGER {table}_{event.lower()}_is_told ON diaba.{table}")
            op.execute(f"DROP FUNCTION diaba.tell_{table}_{event.lower()}()")
    for function in (
        "generalise_changes()",
        "generalise(boolean)",
        "generalise_land(text, integer, integer)",
        "generalise_ward(text)",
        "generalise_buildings(integer, integer)",
        "announce(text, box2d[])",
    ):
        op.execute(f"DROP FUNCTION diaba.{function}")
    for name in ("stale_cell", "generalised_cell", "generalised_block", "generalised_ward", "generalised_built_up"):
        op.execute(f"DROP TABLE diaba.{name}")
    for table, column in PROJECTED.items():
        op.execute(f"DROP TRIGGER {table}_is_projected ON diaba.{table}")
        op.execute(f"DROP FUNCTION diaba.project_{table}()")
        op.execute(f"ALTER TABLE diaba.{table} DROP COLUMN {column}_3857")


def _kind(table: str) -> str:
    return "LineString" if table == "road" else "Polygon"


def _watch(table: str, event: str, sides: tuple[str, ...], collection: str, places: str) -> str:
    """A trigger that tells, once for a statement, where its rows are, and which cells are to be generalised anew."""
    shapes = " UNION ALL ".join(places.format(rows=f"{side.lower()}_rows") for side in sides)
    stale = "".join(STALE_CELLS.get(table, "").replace(":rows", f"{side.lower()}_rows") for side in sides)
    transition = " ".join(f"{side} TABLE AS {side.lower()}_rows" for side in sides)
    name = f"{table}_{event.lower()}"
    return f"""
        CREATE FUNCTION diaba.tell_{name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
        SET search_path = diaba, public, pg_temp SET enable_seqscan = off SET jit = off AS $$
        BEGIN
            {stale}
            PERFORM diaba.announce('{collection}', (
                SELECT array_agg(reach) FROM (
                    SELECT ST_Extent(shape) AS reach FROM ({shapes}) s
                    GROUP BY floor(ST_XMin(shape) / 1000), floor(ST_YMin(shape) / 1000)
                ) places
            ));
            RETURN NULL;
        END
        $$;
        CREATE TRIGGER {name}_is_told AFTER {event} ON diaba.{table} REFERENCING {transition}
            FOR EACH STATEMENT EXECUTE FUNCTION diaba.tell_{name}()
    """  # noqa: S608  constants of this file


# A building reaches into the cells beside it by as much as its outline is widened and narrowed again.
STALE_CELLS = {
    "parcel_version": """
            INSERT INTO diaba.stale_cell
            SELECT DISTINCT 'parcels', COALESCE(ward_code, ''),
                floor(ST_X(ST_Centroid(geom)) / 512)::integer, floor(ST_Y(ST_Centroid(geom)) / 512)::integer
            FROM :rows;
    """,
    "building_version": """
            INSERT INTO diaba.stale_cell
            SELECT DISTINCT 'buildings', '', x, y FROM :rows,
                generate_series(floor((ST_XMin(footprint) - 20) / 512)::integer,
                    floor((ST_XMax(footprint) + 20) / 512)::integer) x,
                generate_series(floor((ST_YMin(footprint) - 20) / 512)::integer,
                    floor((ST_YMax(footprint) + 20) / 512)::integer) y;
    """,
}

TABLES = """
CREATE TABLE diaba.change (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collection text NOT NULL,
    boxes double precision[] NOT NULL,
    transaction bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    horizon bigint NOT NULL DEFAULT pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
    recorded_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON diaba.change (transaction);

CREATE TABLE diaba.stale_cell (
    kind text NOT NULL,
    ward_code text NOT NULL,
    cell_x integer NOT NULL,
    cell_y integer NOT NULL
);

CREATE TABLE diaba.generalised_cell (
    kind text NOT NULL CHECK (kind IN ('parcels', 'buildings')),
    ward_code text NOT NULL,
    cell_x integer NOT NULL,
    cell_y integer NOT NULL,
    outline geometry(MultiPolygon, :srid) NOT NULL,
    members integer NOT NULL,
    area double precision NOT NULL,
    due date,
    PRIMARY KEY (kind, ward_code, cell_x, cell_y)
);
CREATE INDEX ON diaba.generalised_cell USING gist (outline);
CREATE INDEX ON diaba.generalised_cell (due);

CREATE TABLE diaba.generalised_block (
    ward_code text NOT NULL,
    cell_x integer NOT NULL,
    cell_y integer NOT NULL,
    signature numeric NOT NULL,
    first_uid text NOT NULL,
    geom_3857 geometry(MultiPolygon, 3857) NOT NULL,
    parcels integer NOT NULL,
    area double precision NOT NULL,
    land_use text,
    PRIMARY KEY (ward_code, cell_x, cell_y, signature)
);
CREATE INDEX ON diaba.generalised_block USING gist (geom_3857);

CREATE TABLE diaba.generalised_ward (
    ward_code text PRIMARY KEY,
    geom_3857 geometry(MultiPolygon, 3857) NOT NULL,
    parcels integer NOT NULL,
    area double precision NOT NULL
);
CREATE INDEX ON diaba.generalised_ward USING gist (geom_3857);

CREATE TABLE diaba.generalised_built_up (
    cell_x integer NOT NULL,
    cell_y integer NOT NULL,
    geom_3857 geometry(MultiPolygon, 3857) NOT NULL,
    buildings integer NOT NULL,
    area double precision NOT NULL,
    height double precision,
    height_max double precision,
    PRIMARY KEY (cell_x, cell_y)
);
CREATE INDEX ON diaba.generalised_built_up USING gist (geom_3857);
"""

# A notification holds less than 8000 bytes: 64 boxes are 3000. The newest 10,000 changes are kept, for who lost touch.
ANNOUNCE = """
CREATE FUNCTION diaba.announce(what text, reaches box2d[]) RETURNS void LANGUAGE plpgsql
SET search_path = diaba, public, pg_temp AS $$
DECLARE
    told double precision[];
    told_as bigint;
BEGIN
    reaches := ARRAY(SELECT r FROM unnest(reaches) r WHERE r IS NOT NULL);
    IF cardinality(reaches) = 0 THEN
        RETURN;
    END IF;
    IF cardinality(reaches) > 64 THEN
        reaches := ARRAY[(SELECT ST_Extent(r::geometry) FROM unnest(reaches) r)];
    END IF;
    SELECT array_agg(edge ORDER BY n, side) INTO told
    FROM unnest(reaches) WITH ORDINALITY AS r(reach, n),
        LATERAL (VALUES (1, floor(ST_XMin(reach))), (2, floor(ST_YMin(reach))),
            (3, ceil(ST_XMax(reach))), (4, ceil(ST_YMax(reach)))) AS edges(side, edge);
    INSERT INTO diaba.change (collection, boxes) VALUES (what, told) RETURNING number INTO told_as;
    PERFORM pg_notify('diaba_change', told_as || ' ' || what || ' ' || array_to_string(told, ','));
    IF told_as % 500 = 0 THEN
        DELETE FROM diaba.change WHERE number IN (
            SELECT number FROM diaba.change WHERE number <= told_as - 10000 FOR UPDATE SKIP LOCKED
        );
    END IF;
END
$$;
"""

# Blocks are of one ward and one cell of 512 m, so that an edit is worked out by what is near it; of its cell only the
# blocks whose parcels have changed are united anew. Neighbours' corners in real registers are some centimetres apart.
# Parcels of roads (DGT) would tie all blocks together.
LAND = """
CREATE FUNCTION diaba.generalise_land(ward text, x integer, y integer) RETURNS void LANGUAGE plpgsql
SET search_path = diaba, public, pg_temp SET enable_seqscan = off SET jit = off AS $$
DECLARE
    cell CONSTANT geometry := ST_MakeEnvelope(x * 512, y * 512, x * 512 + 512, y * 512 + 512, :srid);
    uids text[];
    versions integer[];
    blocks numeric[];
    count_known integer;
    count_members integer;
    area_members double precision;
    changes_on date;
BEGIN
    WITH known AS MATERIALIZED (
        SELECT v.uid, v.version, v.geom, v.valid, COALESCE(v.land_use, '') <> 'DGT' AS is_land, v.valid @> current_date
            AS is_so
        FROM parcel_version v
        WHERE v.geom && cell AND upper_inf(v.recorded) AND COALESCE(v.ward_code, '') = ward
            AND floor(ST_X(ST_Centroid(v.geom)) / 512) = x AND floor(ST_Y(ST_Centroid(v.geom)) / 512) = y
    ), touching AS (
        SELECT uid, version, ST_ClusterDBSCAN(geom, 0.05, 1) OVER () AS block FROM known WHERE is_so AND is_land
    ), signed AS (
        -- A block is known by the versions it is made of.
        SELECT uid, version, sum(hashtextextended(uid || ' ' || version, 0)) OVER (PARTITION BY block) AS signature
        FROM touching
    )
    SELECT s.*, k.* INTO uids, versions, blocks, count_known, count_members, area_members, changes_on
    FROM (SELECT array_agg(uid), array_agg(version), array_agg(signature) FROM signed) s, (
        SELECT count(*), count(*) FILTER (WHERE is_so), COALESCE(sum(ST_Area(geom)) FILTER (WHERE is_so), 0),
            (SELECT min(day) FROM known, LATERAL (VALUES (lower(valid)), (upper(valid))) AS ends(day)
                WHERE day > current_date)
        FROM known
    ) k;
    DELETE FROM generalised_block b
    WHERE b.ward_code = ward AND b.cell_x = x AND b.cell_y = y
        AND NOT b.signature = ANY (COALESCE(blocks, ARRAY[]::numeric[]));
    INSERT INTO generalised_block
    SELECT ward, x, y, m.signature, min(v.uid COLLATE "C"),
        ST_Multi(ST_CollectionExtract(ST_Transform(ST_SimplifyPreserveTopology(ST_Union(v.geom), 1), 3857), 3)),
        count(*), sum(ST_Area(v.geom)), mode() WITHIN GROUP (ORDER BY v.land_use)
    FROM unnest(uids, versions, blocks) AS m(uid, version, signature) JOIN parcel_version v USING (uid, version)
    WHERE NOT EXISTS (
        SELECT 1 FROM generalised_block b
        WHERE b.ward_code = ward AND b.cell_x = x AND b.cell_y = y AND b.signature = m.signature
    )
    GROUP BY m.signature;
    DELETE FROM generalised_cell c WHERE c.kind = 'parcels' AND c.ward_code = ward AND c.cell_x = x AND c.cell_y = y;
    INSERT INTO generalised_cell
    SELECT 'parcels', ward, x, y,
        COALESCE((
            SELECT ST_Multi(ST_SimplifyPreserveTopology(
                ST_Buffer(ST_Union(ST_Transform(b.geom_3857, :srid)), 15, 'join=mitre mitre_limit=2'), 1))
            FROM generalised_block b WHERE b.ward_code = ward AND b.cell_x = x AND b.cell_y = y
        ), ST_GeomFromText('MULTIPOLYGON EMPTY', :srid)), count_members, area_members, changes_on
    WHERE count_known > 0;
END
$$;

CREATE FUNCTION diaba.generalise_ward(ward text) RETURNS void LANGUAGE plpgsql
SET search_path = diaba, public, pg_temp SET jit = off AS $$
BEGIN
    DELETE FROM generalised_ward w WHERE w.ward_code = ward;
    INSERT INTO generalised_ward
    SELECT ward, ST_Multi(ST_CollectionExtract(ST_Transform(ST_SimplifyPreserveTopology(
            ST_Buffer(ST_Union(c.outline), -15, 'join=mitre mitre_limit=2'), 3), 3857), 3)),
        sum(c.members), sum(c.area)
    FROM generalised_cell c WHERE c.kind = 'parcels' AND c.ward_code = ward HAVING sum(c.members) > 0;
END
$$;
"""

# Outlines grow together where less than 20 m lie between them; the cell cuts them, so that neighbours join without gap.
BUILT_UP = """
CREATE FUNCTION diaba.generalise_buildings(x integer, y integer) RETURNS void LANGUAGE plpgsql
SET search_path = diaba, public, pg_temp SET enable_seqscan = off SET jit = off AS $$
DECLARE
    cell CONSTANT geometry := ST_MakeEnvelope(x * 512, y * 512, x * 512 + 512, y * 512 + 512, :srid);
BEGIN
    DELETE FROM generalised_built_up b WHERE b.cell_x = x AND b.cell_y = y;
    DELETE FROM generalised_cell c WHERE c.kind = 'buildings' AND c.ward_code = '' AND c.cell_x = x AND c.cell_y = y;
    WITH known AS MATERIALIZED (
        SELECT v.* FROM building_version v
        WHERE v.footprint && ST_Expand(cell, 20) AND upper_inf(v.recorded)
    ), members AS MATERIALIZED (
        SELECT v.footprint, COALESCE(NULLIF(v.area, 'NaN'), ST_Area(v.footprint)) AS area,
            NULLIF(v.height, 'NaN') AS height,
            floor(ST_X(ST_Centroid(v.footprint)) / 512) = x AND floor(ST_Y(ST_Centroid(v.footprint)) / 512) = y AS is_in
        FROM known v
        WHERE v.valid @> current_date AND NOT EXISTS (
            SELECT 1 FROM building_version n
            WHERE n.uid = v.uid AND upper_inf(n.recorded) AND n.valid @> current_date
                AND (lower(n.valid), n.epoch) > (lower(v.valid), v.epoch)
            OFFSET 0)
    ), outline AS MATERIALIZED (
        SELECT ST_Multi(ST_CollectionExtract(ST_Intersection(cell, ST_Buffer(
            ST_Union(ST_Buffer(footprint, 10, 'join=mitre mitre_limit=2')),
            -10, 'join=mitre mitre_limit=2')), 3)) AS shape
        FROM members HAVING count(*) > 0
    ), put AS (
        INSERT INTO generalised_built_up
        SELECT x, y, ST_Multi(ST_CollectionExtract(ST_Transform(ST_SimplifyPreserveTopology(o.shape, 1), 3857), 3)),
            t.* FROM outline o, LATERAL (
                SELECT count(*), COALESCE(sum(area), 0), sum(area * height) / NULLIF(sum(area) FILTER
                    (WHERE height IS NOT NULL), 0), max(height) FROM members WHERE is_in
            ) t
    )
    INSERT INTO generalised_cell
    SELECT 'buildings', '', x, y,
        COALESCE((SELECT shape FROM outline), ST_GeomFromText('MULTIPOLYGON EMPTY', :srid)),
        (SELECT count(*) FROM members WHERE is_in),
        COALESCE((SELECT sum(area) FROM members WHERE is_in), 0),
        (SELECT min(day) FROM known, LATERAL (VALUES (lower(valid)), (upper(valid))) AS ends(day)
            WHERE day > current_date)
    WHERE EXISTS (SELECT 1 FROM known);
END
$$;
"""

# At the end of a transaction what it has touched is generalised anew. Two transactions do it one after the other, and
# each statement sees what the other has committed meanwhile. Cells whose parcels or buildings begin or end by the
# calendar alone are due on that day.
STALE = """
CREATE FUNCTION diaba.generalise(everything boolean DEFAULT FALSE) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = diaba, public, pg_temp AS $$
DECLARE
    cell record;
    wards text[] := '{}';
    ward text;
    count integer := 0;
    -- Where blocks, wards and built-up areas were and are.
    block_reach box2d[];
    ward_reach box2d[];
    built_reach box2d[];
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('diaba generalise', 0));
    INSERT INTO stale_cell SELECT kind, ward_code, cell_x, cell_y FROM generalised_cell WHERE due <= current_date;
    IF everything THEN
        INSERT INTO stale_cell SELECT kind, ward_code, cell_x, cell_y FROM generalised_cell;
        INSERT INTO stale_cell
        SELECT DISTINCT 'parcels', COALESCE(ward_code, ''), floor(ST_X(ST_Centroid(geom)) / 512)::integer,
            floor(ST_Y(ST_Centroid(geom)) / 512)::integer
        FROM parcel_version WHERE upper_inf(recorded);
        INSERT INTO stale_cell
        SELECT DISTINCT 'buildings', '', x, y FROM building_version,
            generate_series(floor((ST_XMin(footprint) - 20) / 512)::integer,
                floor((ST_XMax(footprint) + 20) / 512)::integer) x,
            generate_series(floor((ST_YMin(footprint) - 20) / 512)::integer,
                floor((ST_YMax(footprint) + 20) / 512)::integer) y
        WHERE upper_inf(recorded);
    END IF;
    FOR cell IN
        WITH taken AS (DELETE FROM stale_cell RETURNING *)
        SELECT DISTINCT kind, ward_code, cell_x, cell_y FROM taken ORDER BY 1, 2, 3, 4
    LOOP
        IF cell.kind = 'parcels' THEN
            block_reach := block_reach || (SELECT ST_Extent(geom_3857) FROM generalised_block b
                WHERE (b.ward_code, b.cell_x, b.cell_y) = (cell.ward_code, cell.cell_x, cell.cell_y));
            PERFORM generalise_land(cell.ward_code, cell.cell_x, cell.cell_y);
            block_reach := block_reach || (SELECT ST_Extent(geom_3857) FROM generalised_block b
                WHERE (b.ward_code, b.cell_x, b.cell_y) = (cell.ward_code, cell.cell_x, cell.cell_y));
            IF NOT cell.ward_code = ANY (wards) THEN
                wards := wards || cell.ward_code;
            END IF;
        ELSE
            built_reach := built_reach || (SELECT ST_Extent(geom_3857) FROM generalised_built_up b
                WHERE (b.cell_x, b.cell_y) = (cell.cell_x, cell.cell_y));
            PERFORM generalise_buildings(cell.cell_x, cell.cell_y);
            built_reach := built_reach || (SELECT ST_Extent(geom_3857) FROM generalised_built_up b
                WHERE (b.cell_x, b.cell_y) = (cell.cell_x, cell.cell_y));
        END IF;
        count := count + 1;
    END LOOP;
    FOREACH ward IN ARRAY wards LOOP
        ward_reach := ward_reach || (SELECT ST_Extent(geom_3857) FROM generalised_ward w WHERE w.ward_code = ward);
        PERFORM generalise_ward(ward);
        ward_reach := ward_reach || (SELECT ST_Extent(geom_3857) FROM generalised_ward w WHERE w.ward_code = ward);
    END LOOP;
    PERFORM announce('blocks', block_reach);
    PERFORM announce('wards', ward_reach);
    PERFORM announce('built_up', built_reach);
    RETURN count;
END
$$;

CREATE FUNCTION diaba.generalise_changes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = diaba, public, pg_temp AS $$
BEGIN
    -- The first of a transaction's changes finds the cells of them all.
    IF EXISTS (SELECT 1 FROM stale_cell) THEN
        PERFORM generalise();
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER change_is_generalised AFTER INSERT ON diaba.change
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.collection IN ('parcels', 'buildings'))
    EXECUTE FUNCTION diaba.generalise_changes();
"""

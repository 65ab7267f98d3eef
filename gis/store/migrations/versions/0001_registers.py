"""The registers: parcels, parties, rights, plans, permits, measured buildings, and the catalogue of files."""

from alembic import context, op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

REGISTERS = {
    "parcel_version": ("uid",),
    "party": ("uid",),
    "rrr": ("id",),
    "road": ("uid",),
    "planning_zone": ("uid",),
    "permit": ("permit_no",),
    "footprint": ("uid",),
    "building_version": ("uid", "epoch"),
    "discrepancy": ("id",),
}
"""Tables of versions and their keys."""
WITHOUT_VALID = {"party", "permit", "footprint", "discrepancy"}


def upgrade() -> None:
    srid = int(context.config.attributes["srid"])
    op.execute(TABLES.replace(":srid", str(srid)))
    for table, key in REGISTERS.items():
        same = ", ".join(f"{column} WITH =" for column in key)
        columns = ", ".join(key)
        timeless = table in WITHOUT_VALID
        op.execute(
            f"""
            ALTER TABLE diaba.{table} ADD CONSTRAINT {table}_known_once
                EXCLUDE USING gist ({same}, {"" if timeless else "valid WITH &&, "}recorded WITH &&);
            CREATE {"UNIQUE" if timeless else ""} INDEX {table}_known_now
                ON diaba.{table} ({columns}) WHERE upper_inf(recorded)
            """
        )
        if table != "permit":
            op.execute(
                f"""
                CREATE VIEW diaba.current_{table.removesuffix("_version")} WITH (security_invoker = true) AS
                SELECT {VIEW_COLUMNS.get(table, "*")} FROM diaba.{table}
                WHERE upper_inf(recorded) {"" if timeless else "AND valid @> current_date"}
                """  # noqa: S608  names of this file
            )
    op.execute(PERMIT_VIEW)


def downgrade() -> None:
    for view in [*(name.removesuffix("_version") for name in REGISTERS)]:
        op.execute(f"DROP VIEW diaba.current_{view}")
    for table in (
        "discrepancy",
        "building_version",
        "building",
        "footprint",
        "permit_limit",
        "permit",
        "planning_zone",
        "road",
        "rrr",
        "party",
        "parcel_version",
        "parcel",
        "admin_unit",
        "point_product",
        "raster_product",
        "build_tile",
        "lidar_tile",
        "lidar_campaign",
        "city",
    ):
        op.execute(f"DROP TABLE diaba.{table}")


VIEW_COLUMNS = {"party": "uid, version, kind, recorded"}

PERMIT_VIEW = """
CREATE VIEW diaba.current_permit WITH (security_invoker = true) AS
SELECT p.permit_no, p.version, p.type, p.status, p.issued, p.expires, p.superseded_by, p.parcel_uid, p.use,
       l.geom, l.ground_area_m2, l.gross_floor_area_m2, l.floors, l.basements, l.height_m,
       l.setback_front_m, l.setback_rear_m, l.ground_level_m, p.recorded
FROM diaba.permit p LEFT JOIN diaba.permit_limit l USING (permit_no, version)
WHERE upper_inf(p.recorded)
"""

TABLES = """
CREATE TABLE diaba.city (
    name text PRIMARY KEY,
    crs text NOT NULL,
    srid integer NOT NULL,
    vertical text,
    is_demo boolean NOT NULL DEFAULT false,
    migrated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX city_is_one ON diaba.city ((true));

CREATE TABLE diaba.lidar_campaign (
    epoch text PRIMARY KEY,
    flown_from date,
    flown_to date,
    note text,
    CHECK (flown_from <= flown_to)
);
CREATE TABLE diaba.lidar_tile (
    sha256 text PRIMARY KEY CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    epoch text NOT NULL REFERENCES diaba.lidar_campaign,
    path text NOT NULL,
    point_count bigint NOT NULL CHECK (point_count >= 0),
    density double precision,
    crs text NOT NULL,
    extent geometry(Polygon, :srid) NOT NULL,
    classes jsonb NOT NULL DEFAULT '{}',
    added_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON diaba.lidar_tile USING gist (extent);
CREATE INDEX ON diaba.lidar_tile (epoch, path);

CREATE TABLE diaba.build_tile (
    tile_key text NOT NULL,
    epoch text NOT NULL REFERENCES diaba.lidar_campaign,
    extent geometry(Polygon, :srid) NOT NULL,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'running', 'done', 'failed')),
    input_hash text NOT NULL,
    reason text,
    statistics jsonb NOT NULL DEFAULT '{}',
    started_at timestamptz,
    finished_at timestamptz,
    PRIMARY KEY (tile_key, epoch)
);
CREATE INDEX ON diaba.build_tile USING gist (extent);
CREATE INDEX ON diaba.build_tile (epoch, state);

CREATE TABLE diaba.raster_product (
    tile_key text NOT NULL,
    epoch text NOT NULL,
    product text NOT NULL CHECK (product IN ('dtm', 'dsm', 'ndsm')),
    path text NOT NULL,
    sha256 text NOT NULL,
    resolution double precision NOT NULL CHECK (resolution > 0),
    extent geometry(Polygon, :srid) NOT NULL,
    PRIMARY KEY (tile_key, epoch, product),
    FOREIGN KEY (tile_key, epoch) REFERENCES diaba.build_tile
);
CREATE INDEX ON diaba.raster_product USING gist (extent);

CREATE TABLE diaba.point_product (
    tile_key text NOT NULL,
    epoch text NOT NULL,
    path text NOT NULL,
    sha256 text NOT NULL,
    point_count bigint NOT NULL CHECK (point_count >= 0),
    classes jsonb NOT NULL DEFAULT '{}',
    extent geometry(Polygon, :srid) NOT NULL,
    PRIMARY KEY (tile_key, epoch),
    FOREIGN KEY (tile_key, epoch) REFERENCES diaba.build_tile
);
CREATE INDEX ON diaba.point_product USING gist (extent);

CREATE TABLE diaba.admin_unit (
    code text PRIMARY KEY,
    level text NOT NULL,
    name text NOT NULL,
    geom geometry(MultiPolygon, :srid) NOT NULL,
    valid daterange NOT NULL
);
CREATE INDEX ON diaba.admin_unit USING gist (geom);

CREATE TABLE diaba.parcel (uid text PRIMARY KEY);
CREATE TABLE diaba.parcel_version (
    uid text NOT NULL REFERENCES diaba.parcel,
    version integer NOT NULL CHECK (version > 0),
    ward_code text,
    sheet_no text,
    parcel_no text,
    land_use text,
    area_legal double precision,
    area_measured double precision NOT NULL,
    address text,
    geom geometry(Polygon, :srid) NOT NULL,
    valid daterange NOT NULL,
    recorded tstzrange NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (uid, version)
);
CREATE INDEX ON diaba.parcel_version USING gist (geom);
CREATE INDEX ON diaba.parcel_version (ward_code, sheet_no, parcel_no);

CREATE TABLE diaba.party (
    uid text NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    kind text NOT NULL,
    name text NOT NULL,
    id_no_encrypted bytea,
    id_no_hash bytea,
    recorded tstzrange NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (uid, version)
);
CREATE INDEX ON diaba.party (id_no_hash);

CREATE TABLE diaba.rrr (
    id text NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    parcel_uid text NOT NULL REFERENCES diaba.parcel,
    party_uid text NOT NULL,
    type text NOT NULL,
    share_num integer NOT NULL CHECK (share_num > 0),
    share_den integer NOT NULL CHECK (share_den >= share_num),
    valid daterange NOT NULL,
    recorded tstzrange NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (id, version)
);
CREATE INDEX ON diaba.rrr (parcel_uid);
CREATE INDEX ON diaba.rrr (party_uid);

CREATE TABLE diaba.road (
    uid text NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    name text,
    reserve_width_m double precision,
    geom geometry(LineString, :srid) NOT NULL,
    valid daterange NOT NULL,
    recorded tstzrange NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (uid, version)
);
CREATE INDEX ON diaba.road USING gist (geom);

CREATE TABLE diaba.planning_zone (
    uid text NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    level text,
    land_use text,
    density_pct double precision,
    far double precision,
    floors_max integer,
    height_max_m double precision,
    decision text,
    geom geometry(Polygon, :srid) NOT NULL,
    valid daterange NOT NULL,
    recorded tstzrange NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (uid, version)
);
CREATE INDEX ON diaba.planning_zone USING gist (geom);

CREATE TABLE diaba.permit (
    permit_no text NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    type text NOT NULL,
    status text NOT NULL,
    issued date,
    expires date,
    superseded_by text,
    parcel_uid text REFERENCES diaba.parcel,
    use text,
    recorded tstzrange NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (permit_no, version)
);
CREATE INDEX ON diaba.permit (parcel_uid);

CREATE TABLE diaba.permit_limit (
    permit_no text NOT NULL,
    version integer NOT NULL,
    geom geometry(Polygon, :srid),
    ground_area_m2 double precision,
    gross_floor_area_m2 double precision,
    floors integer,
    basements integer,
    height_m double precision,
    setback_front_m double precision,
    setback_rear_m double precision,
    ground_level_m double precision,
    PRIMARY KEY (permit_no, version),
    FOREIGN KEY (permit_no, version) REFERENCES diaba.permit
);
CREATE INDEX ON diaba.permit_limit USING gist (geom);

CREATE TABLE diaba.footprint (
    uid text NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    source text,
    survey_date date,
    geom geometry(Polygon, :srid) NOT NULL,
    recorded tstzrange NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (uid, version)
);
CREATE INDEX ON diaba.footprint USING gist (geom);

CREATE TABLE diaba.building (uid text PRIMARY KEY);
CREATE TABLE diaba.building_version (
    uid text NOT NULL REFERENCES diaba.building,
    epoch text NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    tile_key text NOT NULL,
    status text NOT NULL,
    footprint geometry(Polygon, :srid) NOT NULL,
    solid geometry(PolyhedralSurfaceZ, :srid),
    solid_surfaces text,
    ground_height double precision,
    roof_height_min double precision,
    roof_height_50p double precision,
    roof_height_70p double precision,
    roof_height_max double precision,
    height double precision,
    sigma_height double precision,
    area double precision,
    sigma_area double precision,
    lod text NOT NULL,
    point_count bigint NOT NULL,
    point_density double precision,
    no_data_fraction double precision,
    reason text NOT NULL,
    source text NOT NULL,
    attributes jsonb NOT NULL DEFAULT '{}',
    valid daterange NOT NULL,
    recorded tstzrange NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (uid, epoch, version),
    FOREIGN KEY (tile_key, epoch) REFERENCES diaba.build_tile
);
CREATE INDEX ON diaba.building_version USING gist (footprint);
CREATE INDEX ON diaba.building_version USING gist (solid gist_geometry_ops_nd);
CREATE INDEX ON diaba.building_version (epoch, tile_key);

CREATE TABLE diaba.discrepancy (
    id text NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    kind text NOT NULL,
    building_uid text REFERENCES diaba.building,
    parcel_uid text REFERENCES diaba.parcel,
    permit_no text,
    epoch text NOT NULL REFERENCES diaba.lidar_campaign,
    actual double precision,
    limit_value double precision,
    unit text,
    delta double precision,
    sigma double precision,
    confidence double precision,
    status text NOT NULL DEFAULT 'flagged',
    evidence jsonb NOT NULL DEFAULT '{}',
    recorded tstzrange NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (id, version)
);
CREATE INDEX ON diaba.discrepancy (epoch, kind);
CREATE INDEX ON diaba.discrepancy (building_uid);
CREATE INDEX ON diaba.discrepancy (parcel_uid);
"""

"""Solids on their way into PostGIS and back, with SFCGAL as an independent opinion."""

from __future__ import annotations

import manifold3d
import pytest
import shapely
import trimesh
from shapely import MultiPolygon, Polygon, box
from sqlalchemy import Connection, text

from gis.city_model.building import Face, Solid, Surface
from gis.city_model.faces import triangles
from gis.errors import BadGeometry
from gis.store.database import Database
from gis.store.geometry import checked_polygon, decode_solid, encode, encode_solid, surface_letters
from lidar.validate import signed_volume
from tests.gis.city_model.roof_samples import hip_roof, random_roofs
from tests.gis.store_samples import EAST, NORTH, block, courtyard


def _corners(solid: Solid) -> list[tuple[tuple[tuple[float, ...], ...], ...]]:
    return [
        tuple(tuple(tuple(map(float, solid.vertices[i])) for i in ring) for ring in face.rings) for face in solid.faces
    ]


SOLIDS = [
    pytest.param(block(EAST, NORTH, 5, 16, 1.25, 10.5), 5 * 16 * 9.25, 2 * 5 * 16 + 2 * 21 * 9.25, id="block"),
    pytest.param(courtyard(EAST, NORTH, 1.25, 7.25), 300 * 6.0, 2 * 300 + (80 + 40) * 6.0, id="courtyard"),
]


@pytest.mark.parametrize(("solid", "volume", "surface"), SOLIDS)
def test_solid_comes_back_with_its_faces_and_semantics(solid: Solid, volume: float, surface: float) -> None:
    again = decode_solid(bytes.fromhex(encode_solid(solid, 9210)), surface_letters(solid))
    assert _corners(again) == _corners(solid)
    assert [face.surface for face in again.faces] == [face.surface for face in solid.faces]
    assert len(again.vertices) == len(solid.vertices)


@pytest.mark.parametrize(("solid", "volume", "surface"), SOLIDS)
def test_postgis_takes_the_solid_for_a_closed_surface(
    writer: Connection, solid: Solid, volume: float, surface: float
) -> None:
    row = writer.execute(
        text("SELECT ST_GeometryType(g), ST_SRID(g), ST_IsClosed(g), ST_NumPatches(g) FROM (SELECT :g ::geometry g) t"),
        {"g": encode_solid(solid, 9210)},
    ).one()
    # ST_IsClosed looks at outer rings alone, so that it takes the walls of a yard for a border.
    has_yard = any(len(face.rings) > 1 for face in solid.faces)
    assert tuple(row) == ("ST_PolyhedralSurface", 9210, not has_yard, len(solid.faces))


@pytest.mark.parametrize(("solid", "volume", "surface"), SOLIDS)
def test_sfcgal_finds_the_volume_and_the_surface(
    shared_database: Database, solid: Solid, volume: float, surface: float
) -> None:
    # SFCGAL is no part of the store: only the administrator can add it, here for the time of one transaction.
    with shared_database.server.administrate(shared_database.name) as session, session.transaction(force_rollback=True):
        session.execute("CREATE EXTENSION postgis_sfcgal")
        row = session.execute(
            "SELECT ST_Volume(ST_MakeSolid(g)), ST_3DArea(g) FROM (SELECT %s::geometry g) t",
            (encode_solid(solid, 9210),),
        ).fetchone()
    assert row is not None
    # The volume is positive only where the faces look outwards and the shell is closed.
    assert float(str(row[0])) == pytest.approx(volume, rel=1e-9)
    assert float(str(row[1])) == pytest.approx(surface, rel=1e-9)


def test_roofs_with_many_corners_round_a_court_are_solids_for_others_too(shared_database: Database) -> None:
    solids = [hip_roof(), *random_roofs(4, seed=22)]
    assert max(len(face.rings[0]) for solid in solids for face in solid.faces) > 15
    assert any(len(face.rings) > 1 for solid in solids for face in solid.faces)
    with shared_database.server.administrate(shared_database.name) as session, session.transaction(force_rollback=True):
        session.execute("CREATE EXTENSION postgis_sfcgal")
        for solid in solids:
            # SFCGAL takes faces planar to a nanometre alone, which those on a grid are as triangles only; and it sums
            # volumes from the CRS's zero point in double precision, so that it is given them from the house's corner.
            corners, _ = triangles(solid)
            local = solid.vertices - [EAST, NORTH, 0]
            parted = Solid(local, tuple(Face((tuple(c),), Surface.WALL) for c in corners.tolist()))
            row = session.execute(
                "SELECT ST_NumPatches(g), ST_IsClosed(g), ST_IsClosed(t), ST_Volume(ST_MakeSolid(t)), ST_3DArea(t)"
                " FROM (SELECT %s::geometry g, %s::geometry t) r",
                (encode_solid(solid, 9210), encode_solid(parted, 9210)),
            ).fetchone()
            assert row is not None
            patches, closed, parted_closed, volume, area = row
            assert patches == len(solid.faces)
            assert parted_closed
            assert closed or any(len(face.rings) > 1 for face in solid.faces)
            mesh = trimesh.Trimesh(local, corners, process=False)
            assert mesh.is_watertight
            assert float(str(volume)) == pytest.approx(mesh.volume, rel=1e-9)
            assert float(str(area)) == pytest.approx(mesh.area, rel=1e-9)
            # Faces with corners up to a millimetre off their planes have no one volume; Manifold drops slivers besides.
            manifold = manifold3d.Manifold(manifold3d.Mesh64(local, corners.astype("uint64")))
            assert manifold.status() == manifold3d.Error.NoError
            assert manifold.volume() == pytest.approx(mesh.volume, rel=1e-5)
            assert signed_volume(solid) == pytest.approx(mesh.volume, rel=1e-5)


@pytest.mark.parametrize(
    "damaged", [b"", b"\x01", bytes(40), bytes.fromhex(encode_solid(block(0, 0, 1, 1, 0, 1), 9210))[:-8]]
)
def test_a_damaged_solid_is_said(damaged: bytes) -> None:
    with pytest.raises(BadGeometry):
        decode_solid(damaged, "GWWWWR")


def test_flat_shapes_are_encoded_as_geos_does() -> None:
    shapes = [box(0, 0, 1, 1), None, Polygon([(0, 0, 5), (1, 0, 5), (1, 1, 5)])]
    first, nothing, flat = encode(shapes, 9210)
    assert nothing is None
    assert shapely.from_wkb(first).equals(shapes[0])
    assert not shapely.from_wkb(flat).has_z
    assert shapely.get_srid(shapely.from_wkb(first)) == 9210


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        (None, "no geometry"),
        (Polygon(), "no geometry"),
        (Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]), "Self-intersection"),
        (MultiPolygon([box(0, 0, 1, 1), box(2, 2, 3, 3)]), "one part"),
        (shapely.Point(0, 0), "not a Point"),
    ],
)
def test_a_bad_polygon_is_refused_with_its_record(shape: object, why: str) -> None:
    with pytest.raises(BadGeometry, match=f"parcel 7.*{why}"):
        checked_polygon("parcel 7", shape)  # type: ignore[arg-type]
    assert checked_polygon("x", MultiPolygon([box(0, 0, 1, 1)])).equals(box(0, 0, 1, 1))

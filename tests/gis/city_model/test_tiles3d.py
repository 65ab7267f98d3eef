"""Tiles of the 3D city: triangles against GEOS, places against PROJ, bytes against the specification."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray
from pyproj import Transformer

from gis.bounds import BoundingBox
from gis.city_model.building import Face, Solid, Surface
from gis.city_model.faces import normals
from gis.city_model.tiles3d.content import tile_content
from gis.city_model.tiles3d.ears import triangulated
from gis.city_model.tiles3d.frame import LocalFrame, to_ecef
from gis.city_model.tiles3d.levels import LEAF, Address
from gis.city_model.tiles3d.mesh import tile_mesh
from gis.city_model.tiles3d.properties import OFFICIAL, PUBLIC
from gis.city_model.tiles3d.shells import read_shells
from gis.city_model.tiles3d.tileset import Covered, Datum, district_tileset
from gis.crs import normalise, transformer
from gis.errors import BadGeometry
from gis.store.geometry import encode_solid, surface_letters
from tests.gis.city_model.gltf_reading import chunks, positions, properties
from tests.gis.city_model.roof_samples import hip_roof, random_roofs
from tests.gis.store_samples import EAST, NORTH, block, courtyard

CRS = "EPSG:9210+5727"
CORNER = np.array([EAST, NORTH])


def stored(solids: list[Solid]) -> tuple[list[bytes], list[str]]:
    return [bytes.fromhex(encode_solid(one, 9210)) for one in solids], [surface_letters(one) for one in solids]


def rings_of(polygon: shapely.Polygon) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """A polygon as one face at height 0."""
    turned = shapely.orient_polygons(polygon)
    flat = [shapely.get_coordinates(ring)[:-1] for ring in (turned.exterior, *turned.interiors)]
    xy = np.concatenate(flat)
    rings = np.cumsum([0, *(len(one) for one in flat)])
    return np.column_stack([xy, np.zeros(len(xy))]), rings, np.array([0, len(flat)])


def covers(polygon: shapely.Polygon, triangles: NDArray[np.float64]) -> bool:
    """Whether triangles (t, 3, 2) lie inside and, together as large as the polygon, so cover it once."""
    parts = shapely.polygons(triangles)
    inside = shapely.covers(shapely.buffer(polygon, 1e-4), parts).all()
    return bool(inside) and float(shapely.area(parts).sum()) == pytest.approx(polygon.area, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_any_polygon_with_holes_is_covered_once(seed: int) -> None:
    random = np.random.default_rng(seed)
    tried = 0
    for _ in range(60):
        angle = np.sort(random.uniform(0, 2 * np.pi, random.integers(3, 30)))
        reach = random.uniform(10, 30, len(angle))[:, None]
        ring = (np.column_stack([np.cos(angle), np.sin(angle)]) * reach).round(3) + CORNER
        polygon = shapely.make_valid(shapely.Polygon(ring))
        for _ in range(random.integers(0, 6)):
            x, y = random.uniform(-12, 12, 2).round(3) + CORNER
            polygon = polygon.difference(shapely.Point(x, y).buffer(random.uniform(0.5, 4), quad_segs=2))
        # The second takes the grid off again: a buffer would be rounded to it.
        polygon = shapely.set_precision(shapely.set_precision(polygon, 0.001), 0)
        if not isinstance(polygon, shapely.Polygon) or not polygon.is_valid or polygon.area < 1:
            continue
        xyz, rings, faces = rings_of(polygon)
        triangles, owner, normal, left = triangulated(xyz, rings, faces)
        assert (owner == 0).all()
        assert normal[0] == pytest.approx([0, 0, 1])
        assert not left[0]
        assert covers(polygon, xyz[triangles][:, :, :2])
        tried += 1
    assert tried > 40


def test_faces_of_roofs_are_covered_whichever_way_they_look() -> None:
    solids = [*random_roofs(25), hip_roof(), courtyard(EAST, NORTH, 1.0, 9.0)]
    shells = read_shells(*stored(solids))
    triangles, owner, normal, left = triangulated(shells.xyz, shells.rings, shells.faces)
    assert not left.any()
    corners = shells.xyz[triangles]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert (np.einsum("ij,ij->i", across, normal[owner]) > 0).all()
    covered = np.bincount(owner, np.linalg.norm(across, axis=1) / 2, len(shells.solid))
    expected = np.concatenate(
        [[a for a, f in zip(normals(s)[1], s.faces, strict=True) if f.surface is not Surface.GROUND] for s in solids]
    )
    assert covered == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_what_is_no_polygon_is_left_out_and_the_rest_drawn() -> None:
    bow = np.array([[0, 0, 0], [10, 0, 0], [0, 10, 0], [10, 12, 0]], dtype=float)
    bow[:, :2] += CORNER
    solid = Solid(bow, (Face(((0, 1, 2, 3),), Surface.ROOF),))
    whole = block(EAST + 50, NORTH, 5, 5, 0, 3)
    mesh = tile_mesh(*stored([solid, whole]), CRS)
    assert set(mesh.feature.tolist()) == {1}


def test_a_local_frame_is_where_proj_has_it() -> None:
    random = np.random.default_rng(1)
    xyz = random.uniform([EAST, NORTH, -5], [EAST + 700, NORTH + 700, 300], (2000, 3))
    frame = LocalFrame.at(CRS, (EAST + 350, NORTH + 350, 0.0), 2.5)
    lon, lat = transformer(9210, 4326).transform(xyz[:, 0], xyz[:, 1])
    truth = np.column_stack(Transformer.from_crs(4979, 4978, always_xy=True).transform(lon, lat, xyz[:, 2] + 2.5))
    assert np.abs(to_ecef(np.column_stack([lon, lat, xyz[:, 2] + 2.5])) - truth).max() < 1e-6
    local = frame.local(xyz)
    back = local @ frame.axes + frame.origin
    assert np.linalg.norm(back - truth, axis=1).max() < 2e-4
    # Up is up, and the grid's north is nearly north.
    assert np.abs(local[:, 2] - xyz[:, 2]).max() < 0.1


@pytest.mark.parametrize("side", [300.0, 1500.0])
def test_a_decoded_corner_is_within_a_centimetre_of_the_store_s(side: float) -> None:
    solids = [block(EAST, NORTH, 5, 16, 1.25, 9.0), block(EAST + side, NORTH + side / 2, 20, 30, 2.0, 90.0), hip_roof()]
    document, binary = chunks(
        tile_content(tile_mesh(*stored(solids), CRS, 1.75), [{"lod": "1.2", "verdict": "none"}] * 3, OFFICIAL)
    )
    assert document["accessors"][0]["componentType"] == (5123 if side < 500 else 5126)
    place = positions(document, binary)
    lon, lat, height = Transformer.from_crs(4978, 4979, always_xy=True).transform(*place.T)
    east, north = transformer(4326, 9210).transform(lon, lat)
    there = np.column_stack([east, north, height - 1.75])
    wanted = np.concatenate([one.vertices for one in solids])
    apart = np.linalg.norm(there[:, None] - wanted[None], axis=2)
    assert apart.min(axis=1).max() < 0.01
    assert apart.min(axis=0).max() < 0.01


def test_what_is_known_is_told_and_unknown_stays_unknown() -> None:
    rows = [
        {"uid": "nhà 1", "permit": None, "height": 3.25, "sigma_height": None, "roof_type": "", "lod": "2.2",
         "epoch": "2025", "verdict": "flagged"},
        {"uid": "b", "permit": "GPXD-1", "height": float("nan"), "sigma_height": 0.5, "roof_type": "flat", "lod": "1.2",
         "epoch": "2012", "verdict": "none"},
    ]  # fmt: skip
    mesh = tile_mesh(*stored([block(EAST, NORTH, 5, 5, 0, 3), block(EAST + 9, NORTH, 5, 5, 0, 3)]), CRS)
    told = properties(*chunks(tile_content(mesh, rows, OFFICIAL)))
    assert told == {
        "uid": ["nhà 1", "b"],
        "permit": ["", "GPXD-1"],
        "height": [3.25, None],
        "sigma_height": [None, 0.5],
        "roof_type": ["", "flat"],
        "lod": ["2.2", "1.2"],
        "epoch": ["2025", "2012"],
        "verdict": ["flagged", "none"],
    }
    assert set(properties(*chunks(tile_content(mesh, rows, PUBLIC)))) == set(told) - {"verdict"}


@pytest.mark.parametrize("cut", [0, 3, 9, 40, 200, 660])
def test_a_damaged_solid_is_refused(cut: int) -> None:
    (raw,), (letters,) = stored([block(EAST, NORTH, 5, 5, 0, 3)])
    for solid, kinds in ((raw[:cut], letters), (raw, letters[1:]), (raw + b"\0", letters), (b"\0" + raw[1:], letters)):
        with pytest.raises(BadGeometry, match="solid 0"):
            read_shells([solid], [kinds])


def test_a_tile_s_parents_cover_it_and_are_less_true() -> None:
    random = np.random.default_rng(3)
    city = normalise(9210)
    leaves = {}
    for x, y in random.integers([2352, 4640], [2368, 4656], (40, 2)).tolist():
        box = Address(LEAF, x, y).bounds(city).buffered(float(random.uniform(0, 60)))
        leaves[Address(LEAF, x, y)] = Covered(box, 0.0, float(random.uniform(3, 200)), float(random.uniform(3, 150)))
    document = district_tileset(Datum(CRS, 1.0), Address(0, 147, 290), leaves, lambda one: f"{one.z}/{one.x}/{one.y}")
    seen = []
    todo = [document["root"]]
    while todo:
        tile = todo.pop()
        outer = tile["boundingVolume"]["region"]
        if "children" not in tile:
            seen.append(tile["content"]["uri"])
            _, x, y = map(int, tile["content"]["uri"].split("/"))
            _lies_in(leaves[Address(LEAF, x, y)].bounds, outer)
        for child in tile.get("children", []):
            inner = child["boundingVolume"]["region"]
            # Edges of large squares are bent by less than the margin.
            assert all(a <= b + 1e-7 for a, b in zip(outer[:2], inner[:2], strict=True))
            assert all(a >= b - 1e-7 for a, b in zip(outer[2:4], inner[2:4], strict=True))
            assert outer[4] <= inner[4] < inner[5] <= outer[5]
            assert child["geometricError"] < tile["geometricError"]
            todo.append(child)
    assert sorted(seen) == sorted(f"4/{one.x}/{one.y}" for one in leaves)


def _lies_in(bounds: BoundingBox, region: list[float]) -> None:
    corners = [(x, y) for x in (bounds.min_x, bounds.max_x) for y in (bounds.min_y, bounds.max_y)]
    lon, lat = (np.radians(values) for values in transformer(9210, 4326).transform(*np.array(corners).T))
    assert region[0] <= lon.min() < lon.max() <= region[2]
    assert region[1] <= lat.min() < lat.max() <= region[3]

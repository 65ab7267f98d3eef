"""Terrain as pictures and values, held against the function it was made from."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
import rasterio
from affine import Affine
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from rasterio import warp
from rasterio.enums import Resampling
from rasterio.io import MemoryFile
from rasterio.transform import from_bounds
from rasterio.vrt import WarpedVRT
from scipy.ndimage import binary_erosion, label, maximum_filter
from sqlalchemy import text

from api.relief import relief_png
from gis.access.roles import Role
from gis.bounds import BoundingBox
from gis.crs import transformer, warpable
from gis.files import sha256
from gis.raster import NODATA, Raster, read_raster, write_cog
from gis.store.coverage import RasterFile
from tests.api.conftest import NEW, TILE, CityStore, terrain
from tests.api.test_tiles import QUAD, tile_of
from tests.gis.store_samples import EAST, NORTH
from tests.lidar.gdal_dem import dem

PLACE = (EAST + 61.25, NORTH + 58.75)
"""On the hill."""


def height(x: float, y: float) -> float:
    """Of the cell the position is in."""
    raster = terrain(BoundingBox(x - 2, y - 2, x + 2, y + 2, transformer(9210, 9210).target_crs))
    return float(raster.at(np.array([x]), np.array([y]))[0])


def picture(content: bytes) -> NDArray[np.uint8]:
    with MemoryFile(content) as file, file.open() as source:
        assert source.driver == "PNG"
        assert (source.height, source.width) in ((256, 256), (512, 512))
        if source.count == 4:
            return source.read()
        colours = np.array([source.colormap(1).get(index, (0, 0, 0, 0)) for index in range(256)], dtype=np.uint8)
        return np.moveaxis(colours[source.read(1)], 2, 0)


def heights(client: TestClient, tile: tuple[int, int, int]) -> NDArray[np.float64]:
    """Of a terrain-rgb tile, metres; NaN where it is transparent."""
    answer = client.get("/raster/terrain-rgb/{}/{}/{}.png".format(*tile))
    assert answer.status_code == 200
    red, green, blue, alpha = picture(answer.content).astype(np.float64)
    return np.where(alpha > 0, -10_000 + 0.1 * (65_536 * red + 256 * green + blue), np.nan)


def test_a_value_is_the_cells_with_its_uncertainty(client: TestClient) -> None:
    document = client.get("/raster/dtm/value", params={"x": PLACE[0], "y": PLACE[1], "crs": "EPSG:9210"}).json()
    assert document["value"] == pytest.approx(height(*PLACE), abs=0.001)
    assert document["sigma"] == pytest.approx(0.07)
    assert document["unit"] == "m"
    assert document["epoch"] == NEW
    assert "Hon Dau" in document["reference"]


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857", None])
def test_a_place_may_be_given_in_any_crs_offered(client: TestClient, crs: str | None) -> None:
    x, y = transformer(9210, crs or 4326).transform(*PLACE)
    given = {"x": repr(x), "y": repr(y)} | ({"crs": crs} if crs else {})
    assert client.get("/raster/dtm/value", params=given).json()["value"] == pytest.approx(height(*PLACE), abs=0.001)


def test_no_value_is_known_elsewhere(client: TestClient) -> None:
    for parameters in (
        {"x": 106.0, "y": 10.0},
        {"x": 0, "y": 0},
        {"x": PLACE[0], "y": PLACE[1] + 500, "crs": "EPSG:9210"},
    ):
        assert client.get("/raster/dtm/value", params=parameters).status_code in (400, 404)
    assert client.get("/raster/dsm/value", params={"x": PLACE[0], "y": PLACE[1], "crs": "EPSG:9210"}).status_code == 404
    assert client.get("/raster/dtm/value", params={"x": "nan", "y": 1}).status_code == 400
    assert client.get("/raster/dtm/value").status_code == 400
    assert client.get("/raster/secret/value", params={"x": 1, "y": 1}).status_code == 400


def test_coded_heights_are_the_terrains_within_their_step(client: TestClient) -> None:
    longitude, latitude = transformer(9210, 4326).transform(*PLACE)
    tile = tile_of(18, longitude, latitude)
    found = heights(client, tile)
    bounds = QUAD.xy_bounds(*tile[1:], tile[0])
    pixel = (bounds.right - bounds.left) / 256
    columns, rows = np.meshgrid(np.arange(256) + 0.5, np.arange(256) + 0.5)
    x, y = transformer(3857, 9210).transform(bounds.left + columns * pixel, bounds.top - rows * pixel)
    hill = 8.0 * np.exp(-((x - EAST - 60) ** 2 + (y - NORTH - 60) ** 2) / 400.0)
    expected = 1.0 + 0.01 * (x - EAST) + 0.02 * (y - NORTH) + hill
    assert np.isfinite(found).mean() > 0.8
    # Half a step of the code, and what a cell of 0.5 m rounds off on the steepest slope.
    assert np.nanmax(np.abs(found - expected)) < 0.05 + 0.05


def test_neighbouring_tiles_agree_at_their_seam(client: TestClient) -> None:
    longitude, latitude = transformer(9210, 4326).transform(*PLACE)
    z, x, y = tile_of(19, longitude, latitude)
    left, right = heights(client, (z, x, y)), heights(client, (z, x + 1, y))
    assert np.nanmax(np.abs(left[:, -1] - right[:, 0])) < 0.15


def test_the_pinned_way_is_written_into_the_crs_that_gdal_warps_from() -> None:
    """By its name alone GDAL takes the operation of EPSG that is 0.80 m off."""
    pinned = transformer(9210, 3857).transform(*PLACE)

    def off(crs: str) -> float:
        x, y = warp.transform(crs, "EPSG:3857", [PLACE[0]], [PLACE[1]])
        return float(np.hypot(x[0] - pinned[0], y[0] - pinned[1]))

    assert off(warpable("EPSG:9210+5727")) < 0.001
    assert off("EPSG:9210") < 0.001 or off("EPSG:9210") == pytest.approx(0.81, abs=0.02)


def test_relief_is_lit_from_the_north_west_and_seamless(client: TestClient) -> None:
    longitude, latitude = transformer(9210, 4326).transform(*PLACE)
    tile = tile_of(18, longitude, latitude)
    answer = client.get("/raster/dtm/{}/{}/{}.png".format(*tile))
    shade = picture(answer.content)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["cache-control"].startswith("public, max-age=")
    bounds = QUAD.xy_bounds(*tile[1:], tile[0])
    pixel = (bounds.right - bounds.left) / 256
    brightness = shade[:3].astype(float).sum(axis=0)

    def at(east: float, north: float) -> float:
        x, y = transformer(9210, 3857).transform(EAST + 60 + east, NORTH + 60 + north)
        return float(brightness[int((bounds.top - y) / pixel), int((x - bounds.left) / pixel)])

    assert at(-10, 10) > at(10, -10)


def test_where_no_terrain_is_pictures_are_transparent(client: TestClient) -> None:
    for product in ("dtm", "terrain-rgb"):
        for path in ("3/6/3", "18/0/0", "16/52100/30794"):
            answer = client.get(f"/raster/{product}/{path}.png")
            assert answer.status_code == 200
            assert not picture(answer.content)[3].any()


@pytest.mark.parametrize("altitude", [1.0, 3.0, 18.3, 45.0, 90.0])
def test_however_low_the_sun_holes_are_transparent_and_the_rest_is_not(altitude: float) -> None:
    rows, columns = np.mgrid[:258, :258].astype(np.float32)
    ground = rows / 10 + 3 * np.sin(columns / 9)
    ground[40:90, 100:180] = np.nan
    alpha = picture(relief_png(ground, 1.0, 315.0, altitude))[3]
    assert ((alpha > 0) == ~np.isnan(ground[1:-1, 1:-1])).all()


def test_a_picture_is_not_sent_twice(client: TestClient) -> None:
    path = "/raster/dtm/{}/{}/{}.png".format(*tile_of(17))
    etag = client.get(path).headers["etag"]
    assert client.get(path, headers={"If-None-Match": etag}).status_code == 304


def test_tilejson_leads_to_pictures(client: TestClient) -> None:
    for product in ("dtm", "terrain-rgb"):
        document = client.get(f"/raster/{product}/tiles.json").json()
        z, x, y = tile_of(17)
        assert picture(client.get(document["tiles"][0].format(z=z, x=x, y=y)).content)[3].any()
        west, south, east, north = document["bounds"]
        assert west < east
        assert south < north
    assert document["encoding"] == "mapbox"


def test_several_files_make_one_picture_and_a_missing_one_is_no_failure(tmp_path: Path) -> None:
    from api.mosaic import heights_at, value_at
    from api.open_rasters import OpenRasters
    from api.pictures import lattice_of
    from gis.crs import horizontal, normalise

    city = normalise("EPSG:9210+5727")
    flat = horizontal(city)
    halves = (
        BoundingBox(EAST - 50, NORTH - 50, EAST + 60, NORTH + 150, flat),
        BoundingBox(EAST + 60, NORTH - 50, EAST + 250, NORTH + 150, flat),
    )
    files = [RasterFile(Path("gone.tif"), NEW, None, 0.5)]
    for number, part in enumerate(halves):
        raster: Raster = terrain(part)
        write_cog(raster, tmp_path / f"{number}.tif", name="dtm", crs=city)
        files.append(RasterFile(Path(f"{number}.tif"), NEW, None, 0.5))
    longitude, latitude = transformer(9210, 4326).transform(*PLACE)
    lattice = lattice_of(*tile_of(18, longitude, latitude), 256, 1)
    opened = OpenRasters(4)
    joined = heights_at(files, tmp_path, opened, lattice, city)
    assert joined.shape == (258, 258)
    # Where the files meet, heights are those of one file over both.
    write_cog(terrain(halves[0].union(halves[1])), tmp_path / "whole.tif", name="dtm", crs=city)
    whole = heights_at([RasterFile(Path("whole.tif"), NEW, None, 0.5)], tmp_path, opened, lattice, city)
    assert np.isfinite(whole).mean() > 0.8
    np.testing.assert_allclose(joined, whole, atol=1e-4)
    assert value_at(files, tmp_path, opened, *PLACE)[0] == pytest.approx(height(*PLACE), abs=0.001)
    only_gone = heights_at(files[:1], tmp_path, opened, lattice, city)
    assert np.isnan(only_gone).all()
    opened.close()


def tile_at(z: int, place: tuple[float, float] = PLACE) -> tuple[int, int, int]:
    return tile_of(z, *transformer(9210, 4326).transform(*place))


def test_gdal_warps_the_same_heights(client: TestClient, store: CityStore) -> None:
    """The cells are resampled by our own code: GDAL's warper, given the pinned way, is the oracle."""
    z, x, y = tile_at(18)
    found = heights(client, (z, x, y))
    bounds = QUAD.xy_bounds(x, y, z)
    options = {
        "src_crs": warpable(store.city.crs),
        "crs": "EPSG:3857",
        "transform": from_bounds(*bounds, 256, 256),
        "width": 256,
        "height": 256,
        "resampling": Resampling.bilinear,
    }
    path = store.city.folder / "rasters" / f"{TILE}.tif"
    with rasterio.open(path) as source, WarpedVRT(source, **options) as warped:
        theirs = warped.read(1, masked=True).filled(np.nan)
    both = np.isfinite(found) & np.isfinite(theirs)
    assert both.sum() > 0.95 * np.isfinite(theirs).sum() > 0.7 * 256**2
    # Half a step of the code, and the eighth of a pixel GDAL's approximation may be off.
    assert np.abs(found - theirs)[both].max() < 0.05 + 0.05


def test_terrarium_says_the_same_finer(client: TestClient) -> None:
    tile = tile_at(18)
    red, green, blue, alpha = picture(client.get("/raster/terrarium/{}/{}/{}.png".format(*tile)).content).astype(float)
    fine = np.where(alpha > 0, red * 256 + green + blue / 256 - 32_768, np.nan)
    assert np.nanmax(np.abs(fine - heights(client, tile))) <= 0.05 + 1 / 512 + 1e-6


def test_hillshade_is_gdals(client: TestClient, tmp_path: Path) -> None:
    """Of the heights of the same tile, which GDAL shades by itself."""
    z, x, y = tile_at(18)
    red, green, blue, alpha = picture(client.get(f"/raster/terrarium/{z}/{x}/{y}.png").content).astype(float)
    values = np.where(alpha > 0, red * 256 + green + blue / 256 - 32_768, NODATA).astype(np.float32)
    ground = QUAD.xy_bounds(x, y, z).right - QUAD.xy_bounds(x, y, z).left
    ground *= np.cos(np.radians(transformer(9210, 4326).transform(*PLACE)[1])) / 256
    on_disk, into = tmp_path / "heights.tif", tmp_path / "shade.tif"
    profile = {"driver": "GTiff", "width": 256, "height": 256, "count": 1, "dtype": "float32", "nodata": NODATA}
    with rasterio.open(on_disk, "w", transform=Affine(ground, 0, 0, 0, -ground, 0), crs="EPSG:9210", **profile) as sink:
        sink.write(values, 1)
    theirs = dem(on_disk, "hillshade", into, "-az", "300", "-alt", "40", "-z", "3")
    given = {"azimuth": 300, "altitude": 40, "steeper": 3}
    ours = picture(client.get(f"/raster/hillshade/{z}/{x}/{y}.png", params=given).content)[0].astype(float)
    inner = np.isfinite(theirs)
    inner[[0, -1]] = inner[:, [0, -1]] = False
    assert inner.mean() > 0.7
    # Terrarium's step of 4 mm in a pixel of 0.6 m tilts the light by two greys at most.
    assert np.abs(ours - theirs)[inner].max() <= 4
    assert np.abs(ours - theirs)[inner].mean() < 0.6


def test_contours_are_drawn_where_heights_are(client: TestClient) -> None:
    tile = tile_at(18)
    lines = picture(client.get("/raster/contours/{}/{}/{}.png".format(*tile), params={"interval": 1}).content)[3]
    red, green, blue, alpha = picture(client.get("/raster/terrarium/{}/{}/{}.png".format(*tile)).content).astype(float)
    fine = red * 256 + green + blue / 256 - 32_768
    rise = np.maximum(np.hypot(*np.gradient(fine)), 1e-9)
    pixels_off = np.abs(fine - np.rint(fine)) / rise
    # Smoothing moves the hill by σ²/2 of its Laplacian, 16 cm at most, 1.6 pixels where it rises by 0.1 m a pixel; an
    # index line is 1.6 pixels to each side. And it looks twelve pixels far, to where nothing is known.
    inner = binary_erosion(alpha > 0, iterations=13) & (rise > 0.1)
    near, far = inner & (pixels_off < 0.3), inner & (pixels_off > 3.2)
    assert (maximum_filter(lines, 3)[near] > 100).all()
    assert near.sum() > 300
    assert not lines[far].any()


def test_contours_are_lines_on_noisy_ground() -> None:
    """As the real ground has it: of drawn pixels hardly any stands alone."""
    from lidar.drawn_contours import drawn_contours, evened

    x, y = np.meshgrid(np.arange(280.0), np.arange(280.0))
    noise = np.random.default_rng(1).normal(0, 0.03, x.shape)
    ground = (0.01 * x + 0.004 * y + noise).astype(np.float32)
    smooth = evened(ground, 0.6, 0.5)
    assert np.abs(smooth - ground).max() <= 0.125 + 1e-6
    parts = [int(label(drawn_contours(one, 0.5) > 0, np.ones((3, 3)))[1]) for one in (smooth, ground)]
    assert parts[0] < 30 < parts[1]
    holed = ground.copy()
    holed[100:110, 100:110] = np.nan
    assert np.isnan(evened(holed, 0.6, 0.5)).sum() == 100


def test_contours_meet_at_the_seams(client: TestClient) -> None:
    """A tile of 512 pixels is the four below it, whose seams run through it."""
    z, x, y = tile_at(17)
    one = picture(client.get(f"/raster/contours/{z}/{x}/{y}@2x.png", params={"interval": 0.5}).content)[3]
    below = f"/raster/contours/{z + 1}/{{}}/{{}}.png?interval=0.5"
    rows = [
        np.hstack([picture(client.get(below.format(2 * x + i, 2 * y + j)).content)[3] for i in (0, 1)]) for j in (0, 1)
    ]
    four = np.vstack(rows)
    assert (four[:, 254:258] > 0).any()
    # The length of a pixel, which the smoothing knows, is told at the middle of each tile.
    assert (np.abs(one.astype(int) - four) > 16).mean() < 1e-4


def test_slope_has_the_colour_of_its_degrees(client: TestClient) -> None:
    from api.relief import STEEPNESS

    tile = tile_at(19)
    drawn = picture(client.get("/raster/slope/{}/{}/{}.png".format(*tile)).content)
    z, x, y = tile
    place = (200, 200)
    bounds = QUAD.xy_bounds(x, y, z)
    pixel = (bounds.right - bounds.left) / 256
    east, north = transformer(3857, 9210).transform(
        bounds.left + (place[1] + 0.5) * pixel, bounds.top - (place[0] + 0.5) * pixel
    )
    over, up = east - EAST - 60, north - NORTH - 60
    hill = 8.0 * np.exp(-(over**2 + up**2) / 400.0)
    degrees = np.degrees(np.arctan(np.hypot(0.01 - hill * over / 200, 0.02 - hill * up / 200)))
    steps = [step for step, _ in STEEPNESS]
    expected = [np.interp(degrees, steps, [colour[band] for _, colour in STEEPNESS]) for band in range(3)]
    assert np.abs(drawn[:3, *place].astype(float) - expected).max() < 12
    assert degrees > 5


def test_a_double_tile_is_the_four_below_it(client: TestClient) -> None:
    z, x, y = tile_at(17)
    double = picture(client.get(f"/raster/terrain-rgb/{z}/{x}/{y}@2x.png").content)
    assert double.shape == (4, 512, 512)
    below = f"/raster/terrain-rgb/{z + 1}/{{}}/{{}}.png"
    rows = [
        np.concatenate([picture(client.get(below.format(2 * x + i, 2 * y + j)).content) for i in (0, 1)], axis=2)
        for j in (0, 1)
    ]
    np.testing.assert_array_equal(double, np.concatenate(rows, axis=1))


def test_what_the_client_has_is_not_drawn(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from api import pictures

    path = "/raster/hillshade/{}/{}/{}.png".format(*tile_at(16))
    first = client.get(path, params={"azimuth": 123})
    monkeypatch.setattr(pictures, "_heights", None)
    again = client.get(path, params={"azimuth": 123}, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    # Kept for others too; but another sun is another picture, which must be drawn.
    assert client.get(path, params={"azimuth": 123}).content == first.content
    assert (
        client.get(path, params={"azimuth": 124}, headers={"If-None-Match": first.headers["etag"]}).status_code == 500
    )


def test_a_product_that_is_built_again_has_a_new_etag(measured: CityStore, measured_client: TestClient) -> None:
    path = "/raster/hillshade/{}/{}/{}.png".format(*tile_at(18, (EAST + 150, NORTH + 150)))
    before = measured_client.get(path)
    product = "product = 'dtm' AND tile_key = 'x1_y1'"
    with measured.database.open(Role.READER) as connection:
        old = connection.execute(text(f"SELECT path, sha256 FROM diaba.raster_product WHERE {product}")).one()  # noqa: S608
    file = measured.city.folder / "again.tif"
    raster = read_raster(measured.city.folder / old.path)
    write_cog(Raster(raster.values[::-1].copy(), raster.grid), file, name="dtm", crs=measured.city.crs)

    def enter(name: str, digest: str) -> None:
        with measured.database.open(Role.WRITER) as connection:
            change = text(f"UPDATE diaba.raster_product SET path = :name, sha256 = :digest WHERE {product}")  # noqa: S608
            connection.execute(change, {"name": name, "digest": digest})

    enter(file.name, sha256(file))
    try:
        after = measured_client.get(path, headers={"If-None-Match": before.headers["etag"]})
    finally:
        enter(old.path, old.sha256)
    assert after.status_code == 200
    assert after.headers["etag"] != before.headers["etag"]
    assert after.content != before.content
    assert measured_client.get(path, headers={"If-None-Match": before.headers["etag"]}).status_code == 304


def test_callers_of_different_scope_share_no_picture() -> None:
    from api import caller
    from api.rendered import Rendered, name_of

    public = name_of("tile", 1)
    token = caller._caller.set(caller.Caller("clerk", "district-7"))
    try:
        assert name_of("tile", 1) != public
    finally:
        caller._caller.reset(token)
    assert name_of("tile", 1) == public
    # No two lists of parts read the same, and what is kept stays within its bytes.
    assert name_of("tile", 11) != name_of("tile1", 1)
    kept = Rendered(10_000)
    for number in range(100):
        kept.put(str(number), bytes(1_000))
    assert sum(kept.get(str(number)) is not None for number in range(100)) == 8
    assert kept.get("99") is not None


def test_choices_beyond_their_limits_are_refused(client: TestClient) -> None:
    path = "/raster/{}/{}/{}/{}.png".format("hillshade", *tile_at(16))
    for bad in ({"azimuth": 361}, {"altitude": 0}, {"steeper": "nan"}, {"interval": 0}, {"of": "secret"}):
        answer = client.get(path, params=bad)
        assert answer.status_code == 400
        assert answer.json()["parameter"] == next(iter(bad))


def test_a_path_in_a_parameter_reads_no_file(client: TestClient) -> None:
    for evil in ("../../etc/passwd", "/etc/passwd", "..%2f..%2fetc%2fpasswd", "dtm%00"):
        for path in (f"/raster/{quote(evil, safe='%')}/16/1/1.png", f"/viewer/{evil}", f"/viewer/fonts/{evil}"):
            answer = client.get(path)
            assert answer.status_code in (400, 404)
            assert b"root:" not in answer.content

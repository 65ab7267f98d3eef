"""The values everything else is made of: CRS, bounds, grid, raster, files."""

import math
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st

from gis.bounds import BoundingBox
from gis.crs import (
    HON_DAU_1992,
    VN2000_TM3_105_45,
    horizontal,
    metres_per_unit,
    name_of,
    normalise,
    srid,
    transformer,
    vertical,
)
from gis.errors import BadCrs, BadParameter, UnreadableFile
from gis.files import written_whole
from gis.grid import Grid
from gis.raster import Raster, mosaic, read_raster, write_cog
from gis.settings import City, Settings

CITY = normalise(f"EPSG:{VN2000_TM3_105_45}+{HON_DAU_1992}")
HERE = (603_000.0, 1_191_000.0)


@pytest.mark.parametrize("name", [9210, "9210", "EPSG:9210", "epsg:9210", normalise(9210).to_wkt()])
def test_one_crs_by_any_of_its_names(name: int | str) -> None:
    assert normalise(name).to_epsg() == 9210


def test_a_compound_crs_is_taken_apart_and_named_shortly() -> None:
    assert name_of(CITY) == "EPSG:9210+5727"
    assert horizontal(CITY).to_epsg() == 9210
    found = vertical(CITY)
    assert found is not None
    assert found.to_epsg() == 5727
    assert normalise(name_of(CITY)) == CITY


def test_an_unknown_crs_is_refused_with_an_example() -> None:
    with pytest.raises(BadCrs, match="EPSG:9210"):
        normalise("EPSG:123456789")


def test_degrees_are_no_lengths() -> None:
    with pytest.raises(BadCrs, match="degrees"):
        metres_per_unit(4326)


def test_vn2000_goes_to_wgs84_by_the_ministrys_parameters() -> None:
    # Helmert transformation worked out by PROJ from the parameters of decision 05/2007/QĐ-BTNMT, spelled out here.
    from pyproj import Transformer

    spelled_out = Transformer.from_pipeline(
        "+proj=pipeline +step +inv +proj=tmerc +lat_0=0 +lon_0=105.75 +k=0.9999 +x_0=500000 +y_0=0 +ellps=WGS84 "
        "+step +proj=cart +ellps=WGS84 +step +proj=helmert +x=-191.90441429 +y=-39.30318279 +z=-111.45032835 "
        "+rx=-0.00928836 +ry=0.01975479 +rz=-0.00427372 +s=0.252906278 +convention=coordinate_frame "
        "+step +inv +proj=cart +ellps=WGS84 +step +proj=unitconvert +xy_in=rad +xy_out=deg"
    )
    ours = transformer(9210, 4326).transform(*HERE)
    other = spelled_out.transform(*HERE)
    assert math.hypot((ours[0] - other[0]) * 109_000, (ours[1] - other[1]) * 110_600) < 0.001


def test_skipping_the_datum_shift_would_move_the_city_by_225_metres() -> None:
    x, y = transformer(4326, 9210).transform(*transformer(9210, 4756).transform(*HERE))
    assert math.hypot(x - HERE[0], y - HERE[1]) == pytest.approx(225.5, abs=2)


def test_a_crs_without_epsg_number_gets_a_stable_srid_of_postgis_user_range() -> None:
    odd = normalise("+proj=lcc +lat_1=43 +lat_2=45.5 +lat_0=41.75 +lon_0=-120.5 +x_0=1 +y_0=0 +ellps=GRS80 +units=m")
    assert 910_000 <= srid(odd) < 998_999
    assert srid(odd) == srid(odd.to_wkt())


@pytest.mark.parametrize("bounds", [(1, 0, 0, 1), (0, 0, math.nan, 1), (0, 0, math.inf, 1)])
def test_impossible_bounds_are_refused(bounds: tuple[float, float, float, float]) -> None:
    with pytest.raises(BadParameter):
        BoundingBox(*bounds, crs=CITY)


coordinates = st.floats(-2e6, 2e6, allow_nan=False)


@given(
    x=coordinates,
    y=coordinates,
    width=st.floats(0, 500),
    height=st.floats(0, 500),
    cell=st.sampled_from([0.25, 0.5, 1, 2]),
)
def test_a_grid_covers_its_bounds_with_aligned_cells(
    x: float, y: float, width: float, height: float, cell: float
) -> None:
    bounds = BoundingBox(x, y, x + width, y + height, CITY)
    grid = Grid.covering(bounds, cell)
    slack = 1e-6 * cell + 1e-6
    assert grid.west <= bounds.min_x + slack
    assert grid.east >= bounds.max_x - slack
    assert grid.south <= bounds.min_y + slack
    assert grid.north >= bounds.max_y - slack
    assert grid.west % cell == 0
    assert grid.north % cell == 0
    assert grid.window_in(grid.buffered(7.3))[0].stop - grid.window_in(grid.buffered(7.3))[0].start == grid.rows


def test_a_position_falls_into_the_cell_whose_centre_is_nearest() -> None:
    grid = Grid.covering(BoundingBox(0, 0, 5, 4, CITY), 0.5)
    x, y = grid.centres()
    column_x, row_y = np.meshgrid(x, y)
    rows, columns = grid.cells(column_x.ravel() + 0.2, row_y.ravel() - 0.2)
    np.testing.assert_array_equal(rows.reshape(grid.shape), np.indices(grid.shape)[0])
    np.testing.assert_array_equal(columns.reshape(grid.shape), np.indices(grid.shape)[1])


def a_raster(west: float = 0.0) -> Raster:
    grid = Grid.covering(
        BoundingBox(HERE[0] + west, HERE[1], HERE[0] + west + 300, HERE[1] + 200, horizontal(CITY)), 0.5
    )
    values = np.random.default_rng(1).normal(3, 1, grid.shape).astype(np.float32)
    values[10:20, 30:40] = np.nan
    return Raster(values, grid, {"sigma": np.full(grid.shape, 0.05, dtype=np.float32)})


def test_a_raster_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    raster = a_raster()
    write_cog(raster, tmp_path / "dtm.tif", name="dtm", crs=CITY)
    again = read_raster(tmp_path / "dtm.tif")
    assert again.grid == raster.grid
    np.testing.assert_array_equal(again.values, raster.values)
    np.testing.assert_array_equal(again.bands["sigma"], raster.bands["sigma"])


def test_the_file_is_a_cloud_optimized_geotiff_with_its_compound_crs(tmp_path: Path) -> None:
    write_cog(a_raster(), tmp_path / "dtm.tif", name="dtm", crs=CITY)
    with rasterio.open(tmp_path / "dtm.tif") as source:
        assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert source.overviews(1)
        assert source.nodata == -9999
        assert source.tags()["AREA_OR_POINT"] == "Area"
        assert vertical(normalise(source.crs.to_wkt())) is not None


def test_a_raster_says_nan_outside_of_its_grid() -> None:
    raster = a_raster()
    found = raster.at(np.array([HERE[0] + 0.25, HERE[0] - 1]), np.array([HERE[1] + 0.25, HERE[1]]))
    assert found[0] == raster.values[-1, 0]
    assert np.isnan(found[1])


def test_neighbouring_rasters_join_without_a_seam() -> None:
    left, right = a_raster(), a_raster(300)
    joined = mosaic([left, right])
    np.testing.assert_array_equal(joined.values, np.hstack([left.values, right.values]))


def test_a_text_is_no_raster(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_text("no raster")
    with pytest.raises(UnreadableFile, match=r"a\.tif"):
        read_raster(tmp_path / "a.tif")


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def interrupted() -> None:
        with written_whole(target) as part:
            part.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_citys_settings_come_back_from_its_file(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, database_url=None, city_name=None)
    City("delft", normalise("EPSG:7415"), tmp_path / "cities" / "delft").save()
    assert settings.city().name == "delft"
    assert name_of(settings.city().crs) == "EPSG:7415"


def test_among_several_cities_one_must_be_named(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, database_url=None, city_name=None)
    for name in ("a", "b"):
        City(name, CITY, tmp_path / "cities" / name).save()
    with pytest.raises(BadParameter, match="a, b"):
        settings.city()
    assert settings.city("b").name == "b"

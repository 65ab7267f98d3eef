"""The GeoPackage as GDAL reads it."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import shapely

from gis.city_model.building import Surface
from gis.city_model.geopackage import FOOTPRINTS, ROOFS, write_geopackage
from gis.crs import normalise
from tests.gis.city_model.roof_samples import houses

CRS = "EPSG:9210+5727"
HOUSES = houses()


def test_footprints_carry_every_attribute(tmp_path: Path) -> None:
    path = tmp_path / "b.gpkg"
    write_geopackage(HOUSES, path, CRS)
    assert [name for name, _ in pyogrio.list_layers(path)] == [FOOTPRINTS, ROOFS]
    found = gpd.read_file(path, layer=FOOTPRINTS).set_index("uid")
    assert found.crs == normalise("EPSG:9210")
    assert found.index.tolist() == [b.uid for b in HOUSES]
    for building in HOUSES:
        row = found.loc[building.uid]
        assert shapely.equals(row.geometry, building.footprint)
        assert (row.lod, row.height_m, row.point_count, row.reason) == (building.lod, 4.5, 600, "none")
        assert (row.footprint_source, row.planes) == ("known", 4)
        assert row.vertical_datum == "Hon Dau 1992 height (EPSG:5727)"
    assert np.isnan(found.sigma_height_m["nothing"])
    assert pyogrio.read_info(path, layer=FOOTPRINTS)["layer_metadata"]["vertical_datum"].startswith("Hon Dau")


def test_roof_surfaces_are_polygons_in_space_with_slope_and_azimuth(tmp_path: Path) -> None:
    path = tmp_path / "b.gpkg"
    write_geopackage(HOUSES, path, CRS)
    found = gpd.read_file(path, layer=ROOFS)
    assert pyogrio.read_info(path, layer=ROOFS)["geometry_type"] == "Polygon Z"
    assert found.crs == normalise("EPSG:9210")
    hip = found[found.uid == "hip roof 1"]
    assert hip.slope_deg.tolist() == [45.0] * 4
    assert sorted(hip.azimuth_deg) == [0.0, 90.0, 180.0, 270.0]
    assert hip.area_m2.sum() == pytest.approx(60 * np.sqrt(2), abs=1e-2)
    for building in HOUSES[:-1]:
        own = found[found.uid == building.uid]
        assert building.solid is not None
        assert len(own) == sum(face.surface is Surface.ROOF for face in building.solid.faces)
        assert own.geometry.has_z.all()
        assert own.geometry.area.sum() == pytest.approx(building.footprint.area, abs=1e-6)
        top = shapely.get_coordinates(own.geometry.values, include_z=True)[:, 2].max()
        assert top == building.solid.vertices[:, 2].max()


@pytest.mark.parametrize("buildings", [[], HOUSES[-1:]])
def test_without_models_both_layers_are_there(tmp_path: Path, buildings: list[object]) -> None:
    path = tmp_path / "b.gpkg"
    write_geopackage(buildings, path, "EPSG:28992")  # type: ignore[arg-type]
    assert len(gpd.read_file(path, layer=FOOTPRINTS)) == len(buildings)
    roofs = gpd.read_file(path, layer=ROOFS)
    assert (len(roofs), roofs.crs) == (0, normalise(28992))
    assert {"uid", "lod", "slope_deg", "azimuth_deg", "area_m2", "vertical_datum"} <= set(roofs.columns)

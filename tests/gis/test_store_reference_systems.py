"""PostGIS and pyproj must put a point of the city at the same place, to the millimetre."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import Connection, text

from gis.crs import transformer

CITY = [(603_000.0, 1_191_000.0), (585_000.0, 1_215_000.0), (612_500.0, 1_160_000.0), (550_000.0, 1_240_000.0)]
VUNG_TAU = [(438_000.0, 1_148_000.0), (470_000.0, 1_180_000.0), (420_500.0, 1_160_250.0)]
"""In EPSG:5899, central meridian 107°45'."""
MILLIMETRE = 0.001
DEGREE = 111_320.0
"""Metres, at most."""

MOVE = text(
    "SELECT ST_X(g), ST_Y(g) FROM (SELECT ST_Transform(ST_SetSRID(ST_MakePoint(:x, :y), :source), :target) g) t"
)


def _postgis(connection: Connection, x: float, y: float, source: int, target: int) -> tuple[float, float]:
    row = connection.execute(MOVE, {"x": x, "y": y, "source": source, "target": target}).one()
    return float(row[0]), float(row[1])


@pytest.mark.parametrize("target", [3857, 4326, 32648])
@pytest.mark.parametrize(("source", "points"), [(9210, CITY), (5899, VUNG_TAU)])
def test_transformation_agrees_with_pyproj_both_ways(
    writer: Connection, source: int, points: list[tuple[float, float]], target: int
) -> None:
    unit = DEGREE if target == 4326 else 1.0
    for x, y in points:
        expected = transformer(source, target).transform(x, y)
        there = _postgis(writer, x, y, source, target)
        back = _postgis(writer, *expected, target, source)
        expected_back = transformer(target, source).transform(*expected)
        assert np.hypot(*np.subtract(there, expected)) * unit < MILLIMETRE
        assert np.hypot(*np.subtract(back, expected_back)) < MILLIMETRE
        assert np.hypot(*np.subtract(back, (x, y))) < MILLIMETRE


def test_zones_of_the_country_change_into_each_other_without_a_datum_shift(writer: Connection) -> None:
    for x, y in CITY:
        expected = transformer(9210, 5899).transform(x, y)
        assert np.hypot(*np.subtract(_postgis(writer, x, y, 9210, 5899), expected)) < MILLIMETRE


def test_all_zones_are_known(writer: Connection) -> None:
    known = set(writer.scalars(text("SELECT srid FROM spatial_ref_sys WHERE srid BETWEEN 9205 AND 9218")))
    assert known == set(range(9205, 9219))


def test_clients_find_the_epsg_number_in_the_text(writer: Connection) -> None:
    srtext = writer.scalar(text("SELECT srtext FROM spatial_ref_sys WHERE srid = 9210"))
    assert srtext.endswith('AUTHORITY["EPSG","9210"]]')

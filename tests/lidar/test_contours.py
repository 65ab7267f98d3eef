"""Contour lines: on their height, never across each other or a void, the same from tile to tile; labels that read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS
from scipy.interpolate import RegularGridInterpolator
from scipy.ndimage import distance_transform_edt

from gis.bounds import BoundingBox
from gis.crs import normalise
from gis.errors import BadParameter, UnreadableFile
from gis.grid import Grid
from gis.raster import Raster
from lidar.contour_labels import place_labels
from lidar.contours import LARGEST_SHIFT, OFF_LEVEL, contours, reach
from lidar.smoothing import smoothed
from lidar.write_contours import LABELS, LINES, write_contours

VN = CRS.from_epsg(9210)


def raster(z: np.ndarray, resolution: float = 1.0, sigma: np.ndarray | None = None) -> Raster:
    grid = Grid(VN, resolution, 600_000, 1_190_000, z.shape[1], z.shape[0])
    return Raster(z.astype(np.float32), grid, {} if sigma is None else {"sigma": sigma.astype(np.float32)})


def hills(rows: int = 120, columns: int = 140, seed: int = 3) -> Raster:
    """Noisy hills of some metres beside a plain, with a void, a level pond at 2.0 m and cells of little certainty."""
    rng = np.random.default_rng(seed)
    v, u = np.mgrid[:rows, :columns]
    z = 4 + 3 * np.sin(u / 17) * np.cos(v / 13) + 0.02 * u + rng.normal(0, 0.03, (rows, columns))
    sigma = np.full(z.shape, 0.03)
    sigma[70:80, 20:60] = 0.5
    z[70:80, 20:60] += rng.normal(0, 0.3, (10, 40))
    z[30:50, 60:80] = 2.0
    z[90:100, 90:120] = np.nan
    return raster(z, sigma=sigma)


def on_the_surface(of: Raster, places: np.ndarray) -> np.ndarray:
    """Heights at places between two cells' centres, linear: voids are filled so that they weigh nothing there."""
    x, y = of.grid.centres()
    nearest = distance_transform_edt(np.isnan(of.values), return_distances=False, return_indices=True)
    filled = of.values[tuple(nearest)].astype(float)
    return RegularGridInterpolator((x, y[::-1]), filled[::-1].T, bounds_error=False, fill_value=None)(places)


def crossings(lines: np.ndarray) -> int:
    """Pairs of lines that share a point."""
    one, other = shapely.STRtree(lines).query(lines, predicate="intersects")
    return int((one < other).sum())


def test_lines_of_a_plane_lie_where_its_heights_are() -> None:
    _, u = np.mgrid[:30, :60]
    found = contours(raster(0.1 * (u + 0.5)), 0.5, smoothing=2.0)
    assert sorted(found.heights) == pytest.approx(np.arange(0.5, 6, 0.5))
    for line, height in zip(found.lines, found.heights, strict=True):
        x = shapely.get_coordinates(line)[:, 0] - 600_000
        assert x == pytest.approx(10 * height, abs=0.01)
        assert line.length == pytest.approx(29, abs=0.01)


@pytest.mark.parametrize("interval", [0.1, 0.5, 1.0])
def test_heights_along_lines_are_the_terrains_within_a_quarter_of_the_interval(interval: float) -> None:
    terrain = hills()
    found = contours(terrain, interval)
    numbers = shapely.get_num_coordinates(found.lines)
    along = on_the_surface(terrain, shapely.get_coordinates(found.lines))
    assert np.abs(along - found.heights.repeat(numbers)).max() <= LARGEST_SHIFT * interval + OFF_LEVEL + 1e-5


def test_unsmoothed_lines_lie_on_the_terrain_itself() -> None:
    terrain = hills()
    found = contours(terrain, 0.5, smoothing=0)
    along = on_the_surface(terrain, shapely.get_coordinates(found.lines))
    assert np.abs(along - found.heights.repeat(shapely.get_num_coordinates(found.lines))).max() <= OFF_LEVEL + 1e-5


@pytest.mark.parametrize("smoothing", [0.0, 2.0])
def test_lines_cross_neither_each_other_nor_themselves(smoothing: float) -> None:
    found = contours(hills(), 0.25, smoothing=smoothing, shortest_ring=0)
    assert len(found) > 60
    assert crossings(found.lines) == 0
    assert shapely.is_simple(found.lines).all()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), rough=st.floats(0, 3), smoothing=st.sampled_from([0.0, 1.0, 3.0]))
def test_no_surface_makes_lines_of_different_heights_cross(seed: int, rough: float, smoothing: float) -> None:
    rng = np.random.default_rng(seed)
    z = np.cumsum(rng.normal(0, 0.3, (18, 18)), axis=1) + rng.normal(0, rough, (18, 18))
    z[rng.uniform(size=z.shape) < 0.03] = np.nan
    found = contours(raster(np.round(z, 1)), 0.5, smoothing=smoothing, shortest_ring=0)
    one, other = shapely.STRtree(found.lines).query(found.lines, predicate="intersects")
    assert (found.heights[one] == found.heights[other]).all()


def test_no_line_runs_across_a_void() -> None:
    terrain = hills()
    void = shapely.box(600_090.5, 1_190_020.5, 600_119.5, 1_190_029.5)
    found = contours(terrain, 0.25)
    assert not shapely.intersects(found.lines, void).any()
    assert shapely.intersects(found.lines, void.buffer(2)).any()


def test_a_level_pond_at_a_lines_height_is_ringed_once_not_scribbled_over() -> None:
    found = contours(hills(), 0.5)
    pond = shapely.box(600_067, 1_190_077, 600_073, 1_190_083)
    assert not shapely.intersects(found.lines[found.heights == 2.0], pond).any()


def test_smoothing_evens_noise_and_leaves_a_slope_beside_a_void_where_it_is() -> None:
    v, u = np.mgrid[:60, :60]
    plane = 0.5 * u - 0.2 * v
    plane[20:40, 20:40] = np.nan
    rng = np.random.default_rng(0)
    sigma = rng.uniform(0.02, 0.5, plane.shape)
    assert np.nanmax(np.abs(smoothed(raster(plane, sigma=sigma), 2.0, 1.0) - plane)) < 1e-4
    noisy = raster(plane + rng.normal(0, 0.05, plane.shape))
    evened = smoothed(noisy, 2.0, 1.0)
    assert np.array_equal(np.isnan(evened), np.isnan(plane))
    assert np.nanstd(evened - plane) < 0.25 * 0.05


def test_sure_heights_pull_unsure_ones() -> None:
    z, sigma = np.zeros((21, 21)), np.full((21, 21), 0.02)
    z[10, 10], sigma[10, 10] = 1.0, 1.0
    assert abs(smoothed(raster(z, sigma=sigma), 1.0, 5.0)[10, 10]) < 0.01
    assert abs(smoothed(raster(z), 1.0, 5.0)[10, 10]) > 0.1


def test_smoothing_moves_no_height_beyond_what_its_certainty_leaves_open() -> None:
    """A kerb of 15 cm, sure to 2 cm, stays a kerb; without a band of certainty it is rounded."""
    kerb = np.where(np.arange(40) < 20, 0.0, 0.15) * np.ones((40, 1))
    sure = smoothed(raster(kerb, sigma=np.full(kerb.shape, 0.02)), 2.0, 1.0)
    assert np.abs(sure - kerb).max() <= 2 * 0.02 + 1e-6
    assert np.abs(smoothed(raster(kerb), 2.0, 1.0) - kerb).max() > 0.05


@given(seed=st.integers(0, 2**16), most=st.floats(0, 1))
@settings(max_examples=25, deadline=None)
def test_smoothing_moves_no_height_farther_than_it_may(seed: int, most: float) -> None:
    z = np.random.default_rng(seed).uniform(-5, 5, (12, 12))
    assert np.abs(smoothed(raster(z), 1.5, most) - z.astype(np.float32)).max() <= most + 1e-5


def test_lines_of_two_tiles_meet_at_the_seam() -> None:
    terrain = hills()
    seam = 600_070.0
    room = reach(1.0, shortest_ring=10)
    ends, whole = [], contours(terrain, 0.25, shortest_ring=10)
    for west, east in ((600_000, seam), (seam, 600_140)):
        bounds = BoundingBox(west, 1_190_000, east, 1_190_120, VN)
        reached = bounds.buffered(room)
        seen = BoundingBox(max(reached.min_x, 600_000), 1_190_000, min(reached.max_x, 600_140), 1_190_120, VN)
        part = contours(terrain.cropped(Grid.covering(seen, 1.0)), 0.25, bounds=bounds, shortest_ring=10)
        ends.append(_on(part.lines, part.heights, seam))
    expected = sum(
        shapely.get_num_coordinates(shapely.intersection(line, shapely.LineString([(seam, 0), (seam, 2e6)])))
        for line in whole.lines
    )
    assert len(ends[0]) == expected > 20
    assert ends[0] == pytest.approx(ends[1], abs=1e-6)


def _on(lines: np.ndarray, heights: np.ndarray, seam: float) -> np.ndarray:
    """(n, 2) height and y of the ends that lie on the seam, in order."""
    found = [
        (height, y)
        for line, height in zip(lines, heights, strict=True)
        for x, y in (line.coords[0], line.coords[-1])
        if abs(x - seam) < 1e-6
    ]
    return np.array(sorted(found))


def test_short_rings_are_dropped_and_short_open_lines_kept() -> None:
    v, u = np.mgrid[:40, :40]
    z = np.where(np.hypot(u - 20, v - 20) < 2, 1.0, 0.0) + np.where(u + v < 3, 1.0, 0.0)
    kept = contours(raster(z), 0.5, smoothing=0)
    assert len(contours(raster(z), 0.5, smoothing=0, shortest_ring=0)) == 2 + len(kept) > 0
    assert not shapely.is_closed(kept.lines).any()


def test_every_fifth_line_from_zero_is_an_index_contour() -> None:
    _, u = np.mgrid[:30, :90]
    found = contours(raster(0.1 * u - 4.03), 0.5)
    index = sorted(found.heights[found.is_index])
    assert index == pytest.approx([-2.5, 0.0, 2.5])


def test_labels_lie_on_index_contours_upright_and_apart() -> None:
    v, u = np.mgrid[:200, :300]
    found = contours(raster(10 * np.exp(-(((u - 150) / 80) ** 2) - ((v - 100) / 50) ** 2)), 0.5)
    labels = place_labels(found, spacing=100)
    assert set(labels.heights) == {2.5, 5.0, 7.5}
    assert (labels.rotations >= -90).all()
    assert (labels.rotations < 90).all()
    for height in set(labels.heights):
        line = found.lines[found.heights == height][0]
        along = np.sort(shapely.line_locate_point(line, labels.points[labels.heights == height]))
        assert len(along) == round(line.length / 100)
        assert np.diff(along).min() >= 45
        assert shapely.distance(line, labels.points[labels.heights == height]).max() < 1e-6


@pytest.mark.parametrize(("slope", "expected"), [(0.0, 0.0), (1.0, -45.0), (-1.0, 45.0)])
def test_a_label_is_turned_clockwise_with_its_line(slope: float, expected: float) -> None:
    """A line towards the north-east is read from −45°, one towards the south-east from 45°."""
    v, u = np.mgrid[:80, :80]
    y = (79 - v) - slope * (u - 40)  # lines of equal height rise by `slope` northwards per metre eastwards
    labels = place_labels(contours(raster(0.1 * y), 0.5, smoothing=0))
    assert len(labels) > 0
    assert np.abs((labels.rotations - expected + 90) % 180 - 90).max() < 1


@pytest.mark.parametrize("z", [np.full((5, 5), np.nan), np.full((1, 9), 3.0), np.full((9, 9), 1.0)])
def test_no_surface_or_a_level_one_has_no_lines(z: np.ndarray) -> None:
    found = contours(raster(z), 0.5)
    assert len(found) == len(place_labels(found)) == 0


@pytest.mark.parametrize(
    "wrong", [{"interval": 0.0}, {"interval": float("nan")}, {"interval": 1e-6}, {"smoothing": -1.0}]
)
def test_nonsense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(BadParameter):
        contours(hills(), **wrong)


def test_the_file_has_both_layers_the_horizontal_crs_and_the_vertical_datum(tmp_path: Path) -> None:
    found = contours(hills(), 0.5)
    labels = place_labels(found)
    write_contours(found, labels, tmp_path / "c.gpkg", normalise("EPSG:9210+5727"))
    lines = pyogrio.read_dataframe(tmp_path / "c.gpkg", layer=LINES)
    texts = pyogrio.read_dataframe(tmp_path / "c.gpkg", layer=LABELS)
    assert lines.crs.to_epsg() == texts.crs.to_epsg() == 9210
    assert np.allclose(lines.height, found.heights)
    assert (lines.is_index == found.is_index).all()
    assert np.allclose(lines.length, lines.geometry.length)
    assert shapely.equals_exact(lines.geometry.to_numpy(), found.lines).all()
    assert len(texts) == len(labels) > 0
    assert lines.vertical_datum.str.contains("Hon Dau.*EPSG:5727").all()
    told = pyogrio.read_info(tmp_path / "c.gpkg", layer=LINES)["layer_metadata"]
    assert "EPSG:5727" in told["vertical_datum"]
    assert told["interval_m"] == "0.5"
    assert [p.name for p in tmp_path.iterdir()] == ["c.gpkg"]


def test_a_file_without_lines_has_its_layers_all_the_same(tmp_path: Path) -> None:
    found = contours(raster(np.full((9, 9), 1.0)), 0.5)
    write_contours(found, place_labels(found), tmp_path / "c.gpkg", VN)
    assert {str(name) for name, _ in pyogrio.list_layers(tmp_path / "c.gpkg")} == {LINES, LABELS}


def test_another_ending_is_refused(tmp_path: Path) -> None:
    found = contours(hills(), 0.5)
    with pytest.raises(UnreadableFile, match=r"\.gpkg"):
        write_contours(found, place_labels(found), tmp_path / "c.shp", VN)

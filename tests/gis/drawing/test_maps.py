"""Maps are drawn to scale, count what they show, and hide nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import geopandas
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.lines import Line2D
from shapely import box

from gis.bounds import BoundingBox
from gis.construction.compliance import Kind
from gis.crs import normalise
from gis.drawing import maps, palette
from gis.errors import BadParameter
from gis.grid import Grid
from gis.raster import Raster

CRS = normalise("EPSG:9210")
WEST, SOUTH = 603_000.0, 1_191_000.0


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    plt.switch_backend("Agg")
    yield
    plt.close("all")


def houses(heights: list[float]) -> geopandas.GeoDataFrame:
    shapes = [box(WEST + 10 * n, SOUTH, WEST + 10 * n + 8, SOUTH + 20) for n in range(len(heights))]
    return geopandas.GeoDataFrame({"height": heights}, geometry=shapes, crs=CRS)


def told(axes: plt.Axes) -> list[str]:
    legend = axes.get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


@pytest.mark.parametrize(("width", "bar"), [(90.0, 20), (200.0, 50), (1_000.0, 200), (9_000.0, 2_000)])
def test_the_scale_bar_is_as_long_as_it_says(width: float, bar: float) -> None:
    _, axes = maps.sheet(BoundingBox(WEST, SOUTH, WEST + width, SOUTH + width / 2, CRS))
    (line,) = [one for one in axes.lines if isinstance(one, Line2D)]
    assert np.ptp(line.get_xdata()) == pytest.approx(bar)
    said = {text.get_text() for text in axes.texts}
    assert (f"{bar} m" if bar < 1000 else f"{bar // 1000} km") in said
    assert "N" in said


def test_a_metre_is_as_long_up_as_along() -> None:
    figure, axes = maps.sheet(houses([5.0] * 12), "Houses")
    maps.by_step(axes, houses([5.0] * 12), "height", "m")
    figure.canvas.draw()
    (x0, y0), (x1, _), (_, y1) = axes.transData.transform([(WEST, SOUTH), (WEST + 10, SOUTH), (WEST, SOUTH + 10)])
    assert x1 - x0 == pytest.approx(y1 - y0, rel=1e-6)


def test_each_building_is_counted_in_the_step_it_reaches() -> None:
    heights = [0.0, 5.99, 6.0, 11.9, 12.0, 40.0, 99.0, 150.0, float("nan")]
    _, axes = maps.sheet(houses(heights))
    maps.by_step(axes, houses(heights), "height", "m above ground")
    assert told(axes) == ["0 – 6 (2)", "6 – 12 (2)", "12 – 20 (1)", "40 – 100 (2)", "≥ 100 (1)", "unknown (1)"]


def test_kinds_are_told_by_colour_and_by_sign() -> None:
    frame = houses([1.0, 2.0, 3.0]).assign(kind=["storeys", "storeys", "no_permit"])
    _, axes = maps.sheet(frame)
    maps.by_kind(axes, frame, "kind", palette.DIFFERENCES)
    assert {text.rsplit(" ", 1)[1] for text in told(axes)} == {"(2)", "(1)"}
    signs = {
        (line.get_marker(), line.get_color())
        for line in axes.lines
        if len(line.get_xdata()) and line.get_marker() != "None"
    }
    assert signs == {(palette.DIFFERENCES[kind].sign, palette.DIFFERENCES[kind].colour) for kind in set(frame["kind"])}


def test_a_legend_covers_no_part_of_the_map() -> None:
    frame = houses([3.0, 8.0, 15.0])
    figure, axes = maps.sheet(frame)
    maps.by_step(axes, frame, "height", "m above ground")
    figure.canvas.draw()
    assert axes.get_legend().get_window_extent().y1 <= axes.get_window_extent().y0 + 1


def test_a_relief_keeps_its_place_and_leaves_holes_empty() -> None:
    grid = Grid.covering(BoundingBox(WEST, SOUTH, WEST + 40, SOUTH + 20, CRS), 0.5)
    heights = np.linspace(0, 4, grid.rows * grid.columns, dtype=np.float32).reshape(grid.shape)
    heights[:5, :5] = np.nan
    _, axes = maps.sheet(grid.bounds)
    maps.relief(axes, Raster(heights, grid), np.full(grid.shape, 200, dtype=np.uint8), "m")
    image = axes.images[0]
    assert tuple(image.get_extent()) == (WEST, WEST + 40, SOUTH, SOUTH + 20)
    drawn = np.asarray(image.get_array())
    assert (drawn[:5, :5, 3] == 0).all()
    assert (drawn[5:, 5:, 3] == 255).all()


def test_the_viewers_ramp_of_heights_is_the_same(checkout: Path) -> None:
    style = (checkout / "api" / "viewer" / "style.js").read_text(encoding="utf-8")
    found = re.search(r"HEIGHTS = (\[\[.*?\]\]);", style)
    assert found
    pairs = re.findall(r"\[(\d+), \"(#[0-9a-f]{6})\"\]", found[1])
    assert [(float(step), colour) for step, colour in pairs] == list(
        zip(palette.HEIGHT_STEPS, palette.HEIGHT_COLOURS, strict=True)
    )


def brightness(colour: str) -> float:
    """Relative luminance of WCAG 2.1."""
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in np.array(palette.rgb(colour)) / 255]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


@pytest.mark.parametrize("ramp", [palette.HEIGHT_COLOURS, palette.DEPTH_COLOURS])
def test_ramps_darken_all_along(ramp: tuple[str, ...]) -> None:
    lights = [brightness(colour) for colour in ramp]
    assert all(first > second * 1.2 for first, second in pairwise(lights))


def test_no_two_kinds_of_difference_look_alike() -> None:
    looks = list(palette.DIFFERENCES.values())
    assert len({look.sign for look in looks}) == len(looks)


def test_every_kind_of_difference_has_its_look() -> None:
    assert set(palette.DIFFERENCES) == set(Kind)


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        (lambda: BoundingBox(106.6, 10.7, 106.7, 10.8, normalise(4326)), "metres"),
        (lambda: houses([]), "extent"),
        (lambda: BoundingBox(WEST, SOUTH, WEST, SOUTH, CRS), "extent"),
    ],
)
def test_a_map_of_nothing_or_in_degrees_is_refused(shown: object, why: str) -> None:
    with pytest.raises(BadParameter, match=why):
        maps.sheet(shown())  # type: ignore[operator]


def test_steps_that_do_not_rise_are_refused() -> None:
    _, axes = maps.sheet(houses([1.0]))
    with pytest.raises(BadParameter, match="rising"):
        maps.by_step(axes, houses([1.0]), "height", "m", steps=(3, 2), colours=palette.HEIGHT_COLOURS[:2])

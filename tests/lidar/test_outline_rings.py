from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from rasterio.features import shapes
from scipy import ndimage
from shapely import Polygon, box

from lidar.outline_rings import SMALLEST_COURT, evened, lines_of, right_angled, ring_of, traced


def of_gdal(mask: np.ndarray) -> Polygon:
    """The largest part of a mask as GDAL's polygonize has it, small holes closed."""
    transform = Affine(0.5, 0, 100.0, 0, -0.5, 200.0)
    rings = [g["coordinates"] for g, _ in shapes(mask.astype(np.uint8), mask=mask, transform=transform)]
    parts = [Polygon(o, [h for h in holes if Polygon(h).area >= SMALLEST_COURT]) for o, *holes in rings]
    return max(parts, key=lambda p: (p.area, p.bounds))


@pytest.mark.parametrize("seed", range(40))
def test_a_mask_is_traced_as_gdal_traces_it(seed: int) -> None:
    random = np.random.default_rng(seed)
    mask = random.random(random.integers(2, 30, 2)) < random.uniform(0.3, 0.95)
    if seed % 2:
        mask = ndimage.median_filter(mask.astype(np.uint8), 3).astype(bool).repeat(3, axis=0).repeat(2, axis=1)
    mask[0, 0] = True
    found = traced(mask, 0.5, (100.0, 200.0))
    assert found is not None
    assert found.wkb == of_gdal(mask).wkb


def test_an_empty_mask_has_no_outline() -> None:
    assert traced(np.zeros((3, 4), dtype=bool), 0.5, (0.0, 0.0)) is None


def test_short_steps_are_evened_out_in_the_mean_of_what_they_part() -> None:
    ring = np.array([(0, 0), (0, 10), (6, 10), (6, 10.5), (8, 10.5), (8, 0)], dtype=float)
    left = evened(ring)
    assert left is not None
    assert Polygon(left).equals(box(0, 0, 8, 10.125))


def test_lines_and_ring_of_an_outline_are_each_others_inverse() -> None:
    ring = np.array([(0, 0), (0, 10), (6, 10), (6, 20), (8, 20), (8, 0)], dtype=float)
    assert Polygon(ring_of(lines_of(ring))).equals(Polygon(ring))


def test_a_courtyard_of_a_right_angled_outline_stays() -> None:
    outline = Polygon(box(0, 0, 20, 20).exterior, [box(5, 5, 9, 9).exterior])
    made = right_angled(outline)
    assert made is not None
    assert made.equals(outline)

"""Order statistics of heights, against NumPy's."""

import numpy as np
import pytest

from lidar.roof_heights import quantiles_by


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.7, 1.0])
def test_quantiles_are_those_of_each_label_alone(share: float) -> None:
    random = np.random.default_rng(3)
    label = random.integers(-1, 6, 400)
    label[label == 3] = 2
    values = np.round(random.normal(size=400), 1)  # many the same
    found = quantiles_by(label, values, 6, share)
    assert np.isnan(found[3])
    for k in (0, 1, 2, 4, 5):
        assert found[k] == pytest.approx(np.quantile(values[label == k], share), abs=1e-12)

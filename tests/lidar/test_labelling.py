"""Labels by expansion moves, held against trying all labellings."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from lidar.labelling import expansion_labels

Graph = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


def _graph(seed: int, labels: int) -> Graph:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 8))
    pairs = np.array([p for p in itertools.combinations(range(n), 2) if rng.random() < 0.5], dtype=np.int64).reshape(
        -1, 2
    )
    return rng.integers(0, 100, (n, labels)), pairs[:, 0].copy(), pairs[:, 1].copy(), rng.integers(0, 60, len(pairs))


def _price(graph: Graph, label: NDArray[np.int64]) -> int:
    cost, first, second, price = graph
    return int(cost[np.arange(len(cost)), label].sum() + price[label[first] != label[second]].sum())


def _least(graph: Graph) -> int:
    n, k = graph[0].shape
    return min(_price(graph, np.array(label)) for label in itertools.product(range(k), repeat=n))


@pytest.mark.parametrize("seed", range(40))
def test_with_two_labels_the_price_is_the_least_possible(seed: int) -> None:
    graph = _graph(seed, 2)
    label = expansion_labels(*graph, np.zeros(len(graph[0]), dtype=np.int64))
    assert _price(graph, label) == _least(graph)


@pytest.mark.parametrize("seed", range(40))
def test_with_three_labels_the_price_is_at_most_twice_the_least_and_no_node_alone_can_better_it(seed: int) -> None:
    graph = _graph(seed, 3)
    label = expansion_labels(*graph, np.argmin(graph[0], axis=1))
    assert _price(graph, label) <= 2 * _least(graph)
    for node, other in itertools.product(range(len(label)), range(3)):
        changed = label.copy()
        changed[node] = other
        assert _price(graph, changed) >= _price(graph, label)


def test_a_node_without_a_cost_of_its_own_takes_the_label_of_its_longer_border() -> None:
    cost = np.array([[0, 100], [0, 0], [100, 0]], dtype=np.int64)
    first, second = np.array([0, 1]), np.array([1, 2])
    start = np.zeros(3, dtype=np.int64)
    assert expansion_labels(cost, first, second, np.array([3, 2]), start).tolist() == [0, 0, 1]
    assert expansion_labels(cost, first, second, np.array([2, 3]), start).tolist() == [0, 1, 1]

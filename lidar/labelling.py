"""Labels for the nodes of a graph that weigh each node's own cost against borders: expansion moves by minimum cuts.

Boykov, Veksler & Zabih (2001), "Fast approximate energy minimization via graph cuts": with a price on each border
between different labels (Potts), the result costs at most twice the least possible, and single labels cannot improve
it. Cuts are found by Dinic's algorithm on integers, so that the result is the same everywhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lidar.morphology import compiled

Integers = NDArray[np.int64]
SWEEPS = 8
"""Times that all labels are tried; three are enough for nearly all roofs."""


@compiled
def expansion_labels(cost: Integers, first: Integers, second: Integers, price: Integers, start: Integers) -> Integers:
    """(n,) a label for each node.

    Args:
        cost: (n, k) of each label at each node, not negative.
        first: (m,) node on one side of each border.
        second: (m,) node on its other side.
        price: (m,) of different labels there, not negative.
        start: (n,) labels to begin with.
    """
    n, k = cost.shape
    m = first.shape[0]
    label = start.copy()
    # Half-arcs 2 i and 2 i + 1 run to and fro: borders first, then each node's arc with the source or the sink.
    arcs = 2 * (m + n)
    head, capacity, after = np.empty(arcs, np.int64), np.empty(arcs, np.int64), np.empty(arcs, np.int64)
    begin = np.empty(n + 2, np.int64)
    improved, sweep = True, 0
    while improved and sweep < SWEEPS:
        improved = False
        sweep += 1
        for alpha in range(k):
            gain = np.zeros(n, np.int64)  # cost of taking alpha, less that of keeping
            for i in range(n):
                gain[i] = cost[i, alpha] - cost[i, label[i]]
            begin[:] = -1
            for e in range(m):
                p, q = first[e], second[e]
                both_keep = price[e] if label[p] != label[q] else 0
                only_q = price[e] if label[p] != alpha else 0
                only_p = price[e] if label[q] != alpha else 0
                gain[p] += only_p - both_keep
                gain[q] -= only_p
                _arc(2 * e, p, q, only_q + only_p - both_keep, 0, head, capacity, after, begin)
            for i in range(n):
                a = 2 * (m + i)
                if gain[i] >= 0:  # nodes on the source's side keep
                    _arc(a, n, i, gain[i], 0, head, capacity, after, begin)
                else:
                    _arc(a, i, n + 1, -gain[i], 0, head, capacity, after, begin)
            side = _cut(n, head, capacity, after, begin)
            changed = False
            for i in range(n):
                if not side[i] and label[i] != alpha:
                    changed = True
            if not changed:
                continue
            before = _energy(cost, first, second, price, label)
            trial = label.copy()
            for i in range(n):
                if not side[i]:
                    trial[i] = alpha
            if _energy(cost, first, second, price, trial) < before:
                label, improved = trial, True
    return label


@compiled
def _energy(cost: Any, first: Any, second: Any, price: Any, label: Any) -> Any:
    total = np.int64(0)
    for i in range(cost.shape[0]):
        total += cost[i, label[i]]
    for e in range(first.shape[0]):
        if label[first[e]] != label[second[e]]:
            total += price[e]
    return total


@compiled
def _arc(a: Any, tail: Any, tip: Any, forth: Any, back: Any, head: Any, capacity: Any, after: Any, begin: Any) -> Any:
    head[a], capacity[a], after[a] = tip, forth, begin[tail]
    begin[tail] = a
    head[a + 1], capacity[a + 1], after[a + 1] = tail, back, begin[tip]
    begin[tip] = a + 1


@compiled
def _cut(n: Any, head: Any, capacity: Any, after: Any, begin: Any) -> Any:
    """(n + 2,) whether each node stays on the source's side of a minimum cut; the source is n, the sink n + 1."""
    source, sink = n, n + 1
    depth, queue = np.empty(n + 2, np.int64), np.empty(n + 2, np.int64)
    current, path = np.empty(n + 2, np.int64), np.empty(n + 2, np.int64)
    while True:
        depth[:] = -1
        depth[source], queue[0] = 0, source
        at, end = 0, 1
        while at < end:
            node = queue[at]
            at += 1
            a = begin[node]
            while a >= 0:
                if capacity[a] > 0 and depth[head[a]] < 0:
                    depth[head[a]] = depth[node] + 1
                    queue[end] = head[a]
                    end += 1
                a = after[a]
        if depth[sink] < 0:
            return depth >= 0
        current[:] = begin
        length, node = 0, source
        while True:
            if node == sink:
                flow = capacity[path[0]]
                for k in range(length):
                    flow = min(flow, capacity[path[k]])
                blocked = 0
                for k in range(length - 1, -1, -1):
                    capacity[path[k]] -= flow
                    capacity[path[k] ^ 1] += flow
                    if capacity[path[k]] == 0:
                        blocked = k
                node = head[path[blocked] ^ 1]
                length = blocked
                continue
            a = current[node]
            while a >= 0 and not (capacity[a] > 0 and depth[head[a]] == depth[node] + 1):
                a = after[a]
            current[node] = a
            if a >= 0:
                path[length] = a
                length += 1
                node = head[a]
            elif length == 0:
                break
            else:
                length -= 1
                node = head[path[length] ^ 1]
                current[node] = after[current[node]]

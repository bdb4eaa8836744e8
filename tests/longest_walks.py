"""The most valuable walk within every cost, wherever it begins and ends, as one call of the kernels."""

from __future__ import annotations

import numpy as np

from owlbus.kernels.bound_structs import Completions, CostGraph, HexMemory, Walks, WalkStarts
from owlbus.kernels.grow_walks import best_within, grow_walks


def anywhere(graph: CostGraph, price: np.ndarray) -> WalkStarts:
    """Starts at all stops with nothing spent."""
    n_stops = graph.link_indptr.size - 1
    sheds = [graph.shed_hex[graph.shed_indptr[s] : graph.shed_indptr[s + 1]] for s in range(n_stops)]
    return WalkStarts(np.arange(n_stops, dtype=np.int32), np.zeros(n_stops, np.int32), np.array([price[shed].sum() for shed in sheds]))


def free(walks: Walks, n_stops: int) -> Completions:
    """No walks from the other ends: all walks go on."""
    return Completions(walks, np.empty((0, n_stops), np.int32), np.empty(0), 0.0)


def longest_walks(graph: CostGraph, memory: HexMemory, price: np.ndarray, budget: int, width: int, walks: Walks, best: np.ndarray) -> int:
    """Write the best walk within each cost; return the walks made, -1 if they do not fit."""
    n_stops = graph.link_indptr.size - 1
    head, last = np.empty((budget + 1, n_stops), np.int32), np.full(n_stops, budget, np.int32)
    made = grow_walks(graph, memory, price, width, anywhere(graph, price), last, free(walks, n_stops), walks, head)
    if made >= 0:
        best_within(walks, head, last, best)
    return made

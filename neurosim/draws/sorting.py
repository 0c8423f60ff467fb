"""Whole numbers sorted by counting, on all cores: first places and a stable order, as `neurosim.sampling.order` defines them."""

from __future__ import annotations

import numpy as np

from ..compiled.cores import cores
from .compiled_edges import kernel, over, plain


@plain
def count_keys(keys, counts):
    """Add to counts[k] how often k occurs."""
    for k in keys:
        counts[k] += 1


@plain
def place_keys(keys, first, following, out):
    """Write the places first, first + 1, ... of `keys` to where the keys lie when they are sorted; following[k]: the next one of key k."""
    for e in range(keys.size):
        out[following[keys[e]]] = first + e
        following[keys[e]] += 1


def order(keys: np.ndarray, *, below: int) -> tuple[np.ndarray, np.ndarray]:
    """Return first places and stable order of whole numbers; see `neurosim.sampling.order`."""
    count, place = kernel(count_keys), kernel(place_keys)
    threads = max(
        1, min(cores(), keys.size // max(below, 1))
    )  # counts of all threads take no more room than the keys
    bounds = np.linspace(0, keys.size, threads + 1).astype(np.int64)
    counts = np.zeros((threads, below), np.int64)

    def counted(thread: int, _: int) -> None:
        count(keys[bounds[thread] : bounds[thread + 1]], counts[thread])

    def placed(thread: int, _: int) -> None:
        place(keys[bounds[thread] : bounds[thread + 1]], bounds[thread], counts[thread], out)

    over(counted, np.arange(threads + 1))
    pointer = np.zeros(below + 1, np.int64)
    np.cumsum(counts.sum(axis=0), out=pointer[1:])
    counts[1:] = np.cumsum(counts, axis=0)[:-1]
    counts[0] = 0
    counts += pointer[:-1]
    out = np.empty(keys.size, np.int32 if keys.size < 2**31 else np.int64)
    over(placed, np.arange(threads + 1))
    return pointer, out

"""Sorting of whole numbers by counting, on all cores; `neurosim.draws.sampling` defines it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..compiled.cores import cores
from .compiled_edges import compile_body, load_kernel, run_blocks


@compile_body
def count_keys(keys, counts):
    """Add to counts[k] how often k occurs."""
    for k in keys:
        counts[k] += 1


@compile_body
def place_keys(keys, first, following, out):
    """Write the positions first, first + 1, ... of `keys` into their sorted order.

    following[k] is the sorted position of the next key k; it is moved on.
    """
    for e in range(keys.size):
        out[following[keys[e]]] = first + e
        following[keys[e]] += 1


def sort_keys(
    keys: NDArray[np.integer], *, below: int
) -> tuple[NDArray[np.int64], NDArray[np.integer]]:
    """Return pointer and stable order of whole numbers; see `neurosim.draws.sampling.sort_keys`."""
    count, place = load_kernel(count_keys), load_kernel(place_keys)
    # The counts of all threads take no more memory than the keys.
    threads = max(1, min(cores(), keys.size // max(below, 1)))
    bounds = np.linspace(0, keys.size, threads + 1).astype(np.int64)
    counts = np.zeros((threads, below), np.int64)

    def count_part(thread: int, _: int) -> None:
        count(keys[bounds[thread] : bounds[thread + 1]], counts[thread])

    def place_part(thread: int, _: int) -> None:
        place(keys[bounds[thread] : bounds[thread + 1]], bounds[thread], counts[thread], out)

    run_blocks(count_part, np.arange(threads + 1))
    pointer = np.zeros(below + 1, np.int64)
    np.cumsum(counts.sum(axis=0), out=pointer[1:])
    counts[1:] = np.cumsum(counts, axis=0)[:-1]
    counts[0] = 0
    counts += pointer[:-1]
    out = np.empty(keys.size, np.int32 if keys.size < 2**31 else np.int64)
    run_blocks(place_part, np.arange(threads + 1))
    return pointer, out

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
def write_order(keys, first, next_position, out):
    """Write the positions first, first + 1, ... of `keys` into their sorted order.

    Parameters
    ----------
    keys : (E,) integers
    first : int
        Position of keys[0] among all keys.
    next_position : (K,) int64
        The sorted position of the next key k; advanced in place.
    out : (E of all keys,) integers
        Filled in place.
    """
    for e in range(keys.size):
        out[next_position[keys[e]]] = first + e
        next_position[keys[e]] += 1


def sort_keys(
    keys: NDArray[np.integer], *, below: int
) -> tuple[NDArray[np.int64], NDArray[np.integer]]:
    """Return pointer and stable order of whole numbers; see `neurosim.draws.sampling.sort_keys`."""
    count = load_kernel(count_keys)
    write = load_kernel(write_order)
    # The counts of all parts take no more memory than the keys.
    parts = max(1, min(cores(), keys.size // max(below, 1)))
    bounds = np.linspace(0, keys.size, parts + 1).astype(np.int64)
    counts = np.zeros((parts, below), np.int64)

    def count_part(part: int, _: int) -> None:
        count(keys[bounds[part] : bounds[part + 1]], counts[part])

    def write_part(part: int, _: int) -> None:
        write(keys[bounds[part] : bounds[part + 1]], bounds[part], counts[part], out)

    run_blocks(count_part, np.arange(parts + 1))
    pointer = np.zeros(below + 1, np.int64)
    np.cumsum(counts.sum(axis=0), out=pointer[1:])
    # Parts write disjoint positions: a key of a later part goes behind the equal ones of earlier
    # parts, which makes the sort stable.
    counts[1:] = np.cumsum(counts, axis=0)[:-1]
    counts[0] = 0
    counts += pointer[:-1]
    # Edge numbers are many: half the memory as long as 32 bits suffice.
    out = np.empty(keys.size, np.int32 if keys.size < 2**31 else np.int64)
    run_blocks(write_part, np.arange(parts + 1))
    return pointer, out

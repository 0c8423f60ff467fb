"""The draws of `neurosim.draws.streams` for Numba: the same code objects, in kernels that fill ranges by whole blocks of four."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from neurosim.draws.compiled_streams import normal_block, philox4x32, uniform_block

from .functions import compiled, exp
from .intrinsics import store_double, store_index

_HALF, _MASK = np.uint64(32), np.uint64(0xFFFFFFFF)
_LARGEST = 1.0 - 2.0**-33  # of the uniform numbers
MOST = 1024  # quantiles that are below it: 880 for the largest mean
CELLS = 1024  # equal parts of (0, 1); a power of two, so that products with it are exact


def untagged(real: types.Float) -> Any:
    """Return what writes a number of a kind to the address `at` + its size * i."""

    @intrinsic
    def store(typing, at, i, value):
        def code(context, builder, signature, values):
            start = builder.inttoptr(values[0], context.get_value_type(real).as_pointer())
            builder.store(values[2], builder.gep(start, [values[1]]))
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, real), code

    return store


@compiled
def _words(block, k0, k1, step, replica):
    """Return the words of a block; the arguments are int64, the bits that count are masked."""
    low, high = np.uint64(step) & _MASK, np.uint64(step) >> _HALF
    return philox4x32(
        np.uint64(block) & _MASK,
        low,
        high,
        np.uint64(replica) & _MASK,
        np.uint64(k0) & _MASK,
        np.uint64(k1) & _MASK,
    )


def range_kernel(four: Any, real: types.Float = types.float64) -> tuple[Any, Any]:
    """Return the kernel that fills a range with what `four` makes of the words of each block, and the function of one place."""
    store = untagged(real)

    @njit(error_model="numpy", nogil=True)
    def one(k0, k1, index, step, replica):
        w0, w1, w2, w3 = _words(index >> 2, k0, k1, step, replica)
        values = four(w0, w1, w2, w3)
        return values[index & 3]

    @njit(error_model="numpy", nogil=True)
    def fill(at, start, stop, k0, k1, step, replica):
        first, last = (start + 3) >> 2, stop >> 2
        for i in range(start, min(4 * first, stop)):
            store(at, i, one(k0, k1, i, step, replica))
        for block in range(first, last):
            w0, w1, w2, w3 = _words(block, k0, k1, step, replica)
            a, b, c, d = four(w0, w1, w2, w3)
            store(at, 4 * block, a)
            store(at, 4 * block + 1, b)
            store(at, 4 * block + 2, c)
            store(at, 4 * block + 3, d)
        for i in range(max(4 * first, 4 * last), stop):
            store(at, i, one(k0, k1, i, step, replica))

    return fill, one


fill_uniform, uniform_at = range_kernel(uniform_block)
fill_normal, normal_at = range_kernel(normal_block)


@njit(error_model="numpy", nogil=True)
def poisson_count(mean, u):
    """Return the Poisson count at the quantile `u`, as `neurosim.random.poisson` does."""
    p = exp(-mean)
    cumulated, count = p, 0.0
    while u >= cumulated and p > 0.0:
        count += 1.0
        p = p * mean / count
        cumulated += p
    return count if 0.0 <= mean <= 700.0 else np.nan


@njit(error_model="numpy", nogil=True)
def poisson_table(mean, quantiles, begins):
    """Tabulate `poisson_count` for a mean to 700: a count of k is reached at quantile k - 1; numbers of cell c of `CELLS` reach count ``begins[c]``."""
    p = exp(-mean)
    cumulated, count, cell = p, 0, 0
    while cumulated <= _LARGEST and p > 0.0:
        store_double(quantiles, count, cumulated, "quantiles")
        while cell < cumulated * CELLS:
            store_index(begins, cell, count, "begins")
            cell += 1
        count += 1
        p = p * mean / count
        cumulated += p
    store_double(quantiles, count, 2.0, "quantiles")
    for rest in range(cell, CELLS):
        store_index(begins, rest, count, "begins")

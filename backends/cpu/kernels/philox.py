"""The draws of `neurosim.draws.streams` for Numba: the same code objects, four numbers at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from neurosim.draws.compiled_streams import normal_block, philox4x32, uniform_block
from neurosim.draws.streams import MOST_COUNTS, MOST_MEAN, NEXT_DRAW

from .functions import compiled, exp
from .intrinsics import load_double, store_double, store_index
from .sizes import CELLS, MOST_LEVELS, TOGETHER

GRAIN = 2.0**-32  # of uniform numbers, as in `neurosim.draws.streams`
_HALF = np.uint64(32)
_MASK = np.uint64(0xFFFFFFFF)
_LARGEST = 1.0 - 2.0**-33  # uniform number
_NEVER = 0xFFFFFFFF  # a level that no word is above
_FEW_BEYOND = 1.0 - 2.0**-12  # quantile above which a count may be searched


def make_untagged_store(real: types.Number) -> Any:
    """Return ``store(address, i, value)``, which may write to any array."""

    @intrinsic
    def store(typing, address, i, value):
        def code(context, builder, signature, values):
            start = builder.inttoptr(values[0], context.get_value_type(real).as_pointer())
            builder.store(values[2], builder.gep(start, [values[1]]))
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, real), code

    return store


@compiled
def _words(block, k0, k1, step, replica):
    """Return the words of a block; the arguments are int64, whose low bits count."""
    low = np.uint64(step) & _MASK
    high = np.uint64(step) >> _HALF
    return philox4x32(
        np.uint64(block) & _MASK,
        low,
        high,
        np.uint64(replica) & _MASK,
        np.uint64(k0) & _MASK,
        np.uint64(k1) & _MASK,
    )


def range_kernel(four: Any, real: types.Number = types.float64) -> tuple[Any, Any]:
    """Return the kernel that fills a range of indices, and the function of one index.

    Parameters
    ----------
    four : compiled function
        Makes four numbers of the four words of a block.
    real : type of the numbers
    """
    # Without a tag: `fill` writes to buffers of several names, and a wrong tag would let LLVM move
    # a later load of the buffer in front of the store.
    store = make_untagged_store(real)

    @njit(error_model="numpy", nogil=True)
    def one(k0, k1, index, step, replica):
        w0, w1, w2, w3 = _words(index >> 2, k0, k1, step, replica)
        values = four(w0, w1, w2, w3)
        return values[index & 3]

    @njit(error_model="numpy", nogil=True)
    def fill(address, start, stop, k0, k1, step, replica):
        # Whole blocks of four in the middle; at both ends, single numbers of blocks that lie partly
        # outside the range.
        first = (start + 3) >> 2
        last = stop >> 2
        for i in range(start, min(4 * first, stop)):
            store(address, i, one(k0, k1, i, step, replica))
        for block in range(first, last):
            w0, w1, w2, w3 = _words(block, k0, k1, step, replica)
            a, b, c, d = four(w0, w1, w2, w3)
            store(address, 4 * block, a)
            store(address, 4 * block + 1, b)
            store(address, 4 * block + 2, c)
            store(address, 4 * block + 3, d)
        for i in range(max(4 * first, 4 * last), stop):
            store(address, i, one(k0, k1, i, step, replica))

    return fill, one


@compiled
def _word_block(w0, w1, w2, w3):
    return np.uint32(w0), np.uint32(w1), np.uint32(w2), np.uint32(w3)


fill_words, _ = range_kernel(_word_block, types.uint32)
fill_uniform, uniform_at = range_kernel(uniform_block)
fill_normal, normal_at = range_kernel(normal_block)


@njit(error_model="numpy", nogil=True)
def poisson_count(mean, u):
    """Return the Poisson count at the quantile `u`, as `neurosim.draws.streams` does."""
    p = exp(-mean)
    cumulated = p
    count = 0.0
    while u >= cumulated and p > 0.0:
        count += 1.0
        p = p * mean / count
        cumulated += p
    return count if 0.0 <= mean <= MOST_MEAN else np.nan


@njit(error_model="numpy", nogil=True)
def poisson_sum(mean, k0, k1, index, step, replica):
    """Return the count of any mean, as `neurosim.draws.streams.poisson_counts` does."""
    draws = 1
    if MOST_MEAN < mean <= 2 * MOST_COUNTS:
        draws = int(np.ceil(mean / MOST_MEAN))
    share = mean / draws
    total = 0.0
    for number in range(draws):
        total += poisson_count(share, uniform_at(k0, k1, index, step + number * NEXT_DRAW, replica))
    return total


@njit(error_model="numpy", nogil=True)
def poisson_table(mean, quantiles, begins):
    """Tabulate `poisson_count` for a mean from 0 to 700.

    A count of k is reached at quantile k - 1. Numbers of cell c of `CELLS` reach at least count
    ``begins[c]``: the search for a count begins there.

    Parameters
    ----------
    mean : float
        Spikes per step (1).
    quantiles : address of (QUANTILES,) float64
        Written.
    begins : address of (CELLS,) int32
        Written.
    """
    p = exp(-mean)
    cumulated = p
    count = 0
    cell = 0
    while cumulated <= _LARGEST and p > 0.0:
        store_double(quantiles, count, cumulated, "quantiles")
        while cell < cumulated * CELLS:
            store_index(begins, cell, count, "begins")
            cell += 1
        count += 1
        p = p * mean / count
        cumulated += p
    store_double(quantiles, count, 2.0, "quantiles")  # ends every search
    for rest in range(cell, CELLS):
        store_index(begins, rest, count, "begins")


@njit(error_model="numpy", nogil=True)
def poisson_levels(quantiles, levels):
    """Tabulate the words above which Poisson counts are reached, from the quantiles.

    A word w stands for the number (w + 0.5) / 2**32. Its count is the number of levels below it.

    Parameters
    ----------
    quantiles : address of float64
        Those of `poisson_table`.
    levels : address of (1 + MOST_LEVELS,) uint32
        Written: first how many levels are to be compared with every word, which leaves few words
        above the last one; 0 if these would be more than `MOST_LEVELS`.
    """
    near = 0
    ended = False
    for count in range(MOST_LEVELS):
        quantile = load_double(quantiles, count, "quantiles")
        ended = ended or quantile > 1.0
        # Exact: the product only shifts the binary point, and a difference of 0.5 fits behind it.
        level = _NEVER if ended else int(np.ceil(quantile * 2.0**32 - 0.5)) - 1
        store_index(levels, 1 + count, level, "levels")
        if near == 0 and quantile > _FEW_BEYOND or ended:
            near = near if near > 0 else (count // TOGETHER + 1) * TOGETHER
    store_index(levels, 0, near, "levels")

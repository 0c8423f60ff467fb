"""Compiled draws of whole rows, on all cores: the bits of `neurosim.draws.sampling`.

A draw takes about a nanosecond. Kernels work on some rows at a time, each with counters of its own,
so that nothing depends on how rows are split among threads.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from inspect import signature
from typing import Any, Literal

import numpy as np
from numba import njit

from ..compiled import cache
from ..compiled.cores import cores
from ..compiled.functions import FUNCTIONS, lowest_bit
from .compiled_streams import normal_block, philox4x32, uniform_block
from .streams import Key

DRAWS = 128  # at a time of one row: enough to vectorise, few to discard
# Edges that a thread takes at a time, at most: values computed from their draws stay in the cache.
BLOCK = 1 << 17
_LEAST = 1 << 12  # below it the calls of a block take longer than its edges

_HALF = np.uint64(32)
_MASK = np.uint64(0xFFFFFFFF)
_NONE = np.uint64(0)
_ONE = np.uint64(1)
_log = FUNCTIONS["log"]
# Functions that kernels call, or that `load_kernel` wraps. Never fastmath, which reorders sums.
compile_body = njit(error_model="numpy", nogil=True)


# A wrapper in generated source, since only that keeps its machine code.
def load_kernel(body: Any) -> Any:
    """Return a compiled function of the core, from the cache on disk if it is there."""
    name = body.__name__
    arguments = ", ".join(signature(body.py_func).parameters)
    source = (
        f'"""Kernel {name!r} of the core."""\n\nfrom neurosim.compiled.cached import njit\n'
        f"from {body.py_func.__module__} import {name} as body\n\n\n"
        "@njit\n"
        f"def {name}({arguments}):\n    return body({arguments})\n"
    )
    return getattr(cache.load(name, source), name)


def run_blocks(work: Callable[[int, int], None], bounds: np.ndarray) -> None:
    """Call ``work(bounds[b], bounds[b + 1])`` for every block b, on all cores."""
    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(work, bounds[:-1].tolist(), bounds[1:].tolist()))


def edge_blocks(pointer: np.ndarray) -> np.ndarray:
    """Split rows into blocks of at most about BLOCK edges; return the first row of each, (B + 1,).

    Row r has the edges ``pointer[r]`` to ``pointer[r + 1]``.
    """
    edges = int(pointer[-1])
    # All threads together hold a small part of the edges, whatever their number.
    width = min(BLOCK, max(_LEAST, edges // (32 * cores())))
    inner = np.searchsorted(pointer, np.arange(width, edges, width))
    return np.unique(np.concatenate([[0], inner, [pointer.size - 1]]))


def even_blocks(count: int, width: int) -> np.ndarray:
    """As `edge_blocks`, for ``count`` rows of ``width`` edges."""
    # At least one row per block, however long it is.
    return np.append(np.arange(0, count, max(1, BLOCK // max(width, 1))), count)


# ---- draws


@compile_body
def row_words(block, row, k0, k1):
    """Return the words of a block of four draws of a row."""
    step = np.uint64(row)
    return philox4x32(
        np.uint64(block) & _MASK, step & _MASK, step >> _HALF, _NONE, np.uint64(k0), np.uint64(k1)
    )


def _filler(four: Any) -> Any:
    @compile_body
    def fill(out, row, k0, k1):
        """Fill `out` with the first draws of a row."""
        # The counter gives four draws at once; the last block of a row is often used in part.
        whole = out.size >> 2
        for b in range(whole):
            w0, w1, w2, w3 = row_words(b, row, k0, k1)
            out[4 * b], out[4 * b + 1], out[4 * b + 2], out[4 * b + 3] = four(w0, w1, w2, w3)
        if out.size & 3:
            w0, w1, w2, w3 = row_words(whole, row, k0, k1)
            last = four(w0, w1, w2, w3)
            for lane in range(out.size & 3):
                out[4 * whole + lane] = last[lane]

    return fill


_fill_uniform = _filler(uniform_block)
_fill_normal = _filler(normal_block)


@compile_body
def fill_uniforms(out, pointer, first, k0, k1):
    """Fill rows first, first + 1, ... with draws from (0, 1).

    Parameters
    ----------
    out : (pointer[-1] - pointer[0],)
        Filled in place; it begins with edge pointer[0].
    pointer : (R + 1,) integers
        Row r has the edges pointer[r] to pointer[r + 1].
    first : int
        Row of the stream for r = 0.
    k0, k1 : int
        Key of the stream.
    """
    for r in range(pointer.size - 1):
        _fill_uniform(out[pointer[r] - pointer[0] : pointer[r + 1] - pointer[0]], first + r, k0, k1)


@compile_body
def fill_normals(out, pointer, first, k0, k1):
    """Fill rows first, first + 1, ... with draws from the standard normal distribution.

    Parameters
    ----------
    out, pointer, first, k0, k1
        As for `fill_uniforms`.
    """
    for r in range(pointer.size - 1):
        _fill_normal(out[pointer[r] - pointer[0] : pointer[r + 1] - pointer[0]], first + r, k0, k1)


# ---- edges made with a probability


@compile_body
def _chunk(out, row, block, k0, k1):
    """Fill `out` (DRAWS,) with draws of a row from block `block` on."""
    for b in range(DRAWS >> 2):
        w0, w1, w2, w3 = row_words(block + b, row, k0, k1)
        out[4 * b], out[4 * b + 1], out[4 * b + 2], out[4 * b + 3] = uniform_block(w0, w1, w2, w3)


@compile_body
def mark_successes(count, pointer, out, rows, refused, trials, log_rest, k0, k1):
    """Write the number of edges of each row if `count`, else their targets.

    Parameters
    ----------
    count : bool
    pointer : (R + 1,) int64
        If `count`, pointer[r + 1] becomes the number of edges of row r; else the targets of row r
        begin at pointer[r] - pointer[0] of `out`.
    out : (E,) integers
        Filled with targets unless `count`.
    rows : (R,) integers
        Rows of the stream.
    refused : (R,) integers
        A position of each row that is left out; `trials`: there is none.
    trials : int
        Number of positions.
    log_rest : float
        log(1 - p).
    k0, k1 : int
        Key of the stream.
    """
    # Arrays are reused for all rows: an allocation costs about as much as a hundred draws.
    u = np.empty(DRAWS)
    gap = np.empty(DRAWS, np.int64)
    for r in range(rows.size):
        own = refused[r]
        end = trials - (1 if own < trials else 0)
        first = 0 if count else pointer[r] - pointer[0]
        edge = first
        position = -1
        block = 0
        while position < end:
            _chunk(u, rows[r], block, k0, k1)
            block += DRAWS >> 2
            for i in range(DRAWS):
                # A loop of its own without branches: the logarithms vectorise. The minimum keeps a
                # huge gap from overflowing the integer.
                gap[i] = np.int64(min(_log(u[i]) / log_rest, float(trials))) + 1
            for i in range(DRAWS):
                position += gap[i]
                if position >= end:
                    break
                if not count:
                    out[edge] = position + (1 if position >= own else 0)
                edge += 1
        if count:
            pointer[r + 1] = edge - first


def bernoulli(
    key: Key,
    rows: np.ndarray,
    refused: np.ndarray,
    *,
    trials: int,
    p: float,
    log_rest: float,
    dtype: type[np.integer],
) -> tuple[np.ndarray, np.ndarray]:
    """Return row pointer and targets; see `neurosim.draws.sampling.bernoulli`.

    All numbers are drawn twice: counting edges first is cheaper than moving them.

    Parameters
    ----------
    key : Key
        Of the stream.
    rows, refused : (R,) int64
    trials : int
    p : float (1)
    log_rest : float
        log(1 - p).
    dtype : type
        Of the targets.
    """
    mark = load_kernel(mark_successes)
    pointer = np.zeros(rows.size + 1, np.int64)
    out = np.empty(0, dtype)
    # A row draws about as many numbers as it has edges, and up to DRAWS that it discards.
    bounds = even_blocks(rows.size, int(p * trials) + DRAWS)

    def work(a: int, b: int, count: bool) -> None:
        mark(
            count,
            pointer[a : b + 1],
            out[pointer[a] : pointer[b]],
            rows[a:b],
            refused[a:b],
            trials,
            log_rest,
            *key,
        )

    run_blocks(lambda a, b: work(a, b, True), bounds)
    np.cumsum(pointer, out=pointer)
    out = np.empty(pointer[-1], dtype)
    run_blocks(lambda a, b: work(a, b, False), bounds)
    return pointer, out


# ---- a number of partners


@compile_body
def _chunk_of_numbers(out, u, row, block, below, k0, k1):
    """Fill `out` (DRAWS / 2,) with whole numbers below `below`, two draws for each."""
    _chunk(u, row, block, k0, k1)
    for i in range(DRAWS >> 1):
        out[i] = min(np.int64((u[2 * i] + (u[2 * i + 1] - 0.5) * 2.0**-32) * below), below - 1)


@compile_body
def _mark_distinct(bits, words, u, number, count, row, below, k0, k1):
    """Mark the first `count` different numbers of a row in a bit map.

    `words` marks which words of the map hold any.
    """
    marked = 0
    block = 0
    while marked < count:
        _chunk_of_numbers(number, u, row, block, below, k0, k1)
        block += DRAWS >> 2
        for i in range(DRAWS >> 1):
            at = number[i] >> 6
            bit = _ONE << np.uint64(number[i] & 63)
            # Repeated numbers are skipped by looking at one bit, in place of sorting all of them.
            if bits[at] & bit == _NONE:
                bits[at] |= bit
                words[at >> 6] |= _ONE << np.uint64(at & 63)
                marked += 1
                if marked == count:
                    break


@compile_body
def _list_marked(bits, words, out, own):
    """List the marked numbers, ascending and beyond `own` by one more, and clear the map."""
    listed = 0
    for w in range(words.size):
        group, words[w] = words[w], _NONE
        while group != _NONE:
            at = 64 * w + lowest_bit(group)
            # Clears the lowest bit that is set.
            group &= group - _ONE
            word, bits[at] = bits[at], _NONE
            while word != _NONE:
                position = 64 * at + lowest_bit(word)
                word &= word - _ONE
                out[listed] = position + (1 if position >= own else 0)
                listed += 1


@compile_body
def choose_distinct(out, rows, refused, size, k0, k1):
    """Fill each row with different positions, ascending.

    Parameters
    ----------
    out : (R, n) integers
        Filled in place.
    rows : (R,) integers
        Rows of the stream.
    refused : (R,) integers
        A position of each row that is left out; `size`: there is none.
    size : int
        Number of positions.
    k0, k1 : int
        Key of the stream.
    """
    n = out.shape[1]
    length = (size + 63) >> 6
    bits = np.zeros(length, np.uint64)
    words = np.zeros((length + 63) >> 6, np.uint64)
    u = np.empty(DRAWS)
    number = np.empty(DRAWS >> 1, np.int64)
    for r in range(rows.size):
        below = size - (1 if refused[r] < size else 0)
        if 2 * n <= below:
            _mark_distinct(bits, words, u, number, n, rows[r], below, k0, k1)
        else:  # all except a set that is drawn in this way: few draws are repeated
            _mark_distinct(bits, words, u, number, below - n, rows[r], below, k0, k1)
            for at in range((below + 63) >> 6):
                bits[at] = ~bits[at]
                words[at >> 6] |= _ONE << np.uint64(at & 63)
            if below & 63:
                bits[below >> 6] &= (_ONE << np.uint64(below & 63)) - _ONE
        _list_marked(bits, words, out[r], refused[r])


@compile_body
def choose_any(out, rows, first, refused, size, k0, k1):
    """Fill row r of `out` (R, n) with the independent numbers first, first + 1, ... of a row.

    Parameters
    ----------
    out : (R, n) integers
        Filled in place.
    rows : (R,) integers
        Rows of the stream.
    first : int
        An even number.
    refused : (R,) integers
        Numbers of row r are below `size`, or below one less if refused[r] < size.
    size : int
    k0, k1 : int
        Key of the stream.
    """
    u = np.empty(DRAWS)
    number = np.empty(DRAWS >> 1, np.int64)
    for r in range(rows.size):
        below = size - (1 if refused[r] < size else 0)
        done = 0
        while done < out.shape[1]:
            _chunk_of_numbers(number, u, rows[r], (first + done) >> 1, below, k0, k1)
            for i in range(min(DRAWS >> 1, out.shape[1] - done)):
                out[r, done + i] = number[i]
            done += DRAWS >> 1


def choices(
    key: Key,
    rows: np.ndarray,
    refused: np.ndarray,
    *,
    n: int,
    size: int,
    multapses: bool,
    dtype: type[np.integer],
) -> np.ndarray:
    """Return positions for each row, (R, n); see `neurosim.draws.sampling.choices`.

    Parameters
    ----------
    key : Key
        Of the stream.
    rows, refused : (R,) int64
    n, size : int
    multapses : bool
    dtype : type
        Of the positions.
    """
    positions = np.empty((rows.size, n), dtype)
    choose = load_kernel(choose_any if multapses else choose_distinct)

    def work(a: int, b: int) -> None:
        if not multapses:
            choose(positions[a:b], rows[a:b], refused[a:b], size, *key)
            return
        choose(positions[a:b], rows[a:b], 0, refused[a:b], size, *key)
        # Sorted before the refused position is skipped: the shift keeps the order.
        positions[a:b].sort(axis=1)
        positions[a:b] += positions[a:b] >= refused[a:b, None]

    run_blocks(work, even_blocks(rows.size, n))
    return positions


def numbers(
    key: Key,
    n: int,
    *,
    below: int,
    multapses: bool,
) -> np.ndarray:
    """Return whole numbers of row 0, (n,), ascending; see `neurosim.draws.sampling.numbers`.

    Parameters
    ----------
    key : Key
        Of the stream.
    n, below : int
    multapses : bool
    """
    chosen = np.empty((1, n), np.int64)
    row = np.zeros(1, np.int64)
    nobody = np.full(1, below)
    if multapses:
        choose = load_kernel(choose_any)
        run_blocks(
            lambda a, b: choose(chosen[:, a:b], row, a, nobody, below, *key), even_blocks(n, 1)
        )
        chosen.sort(axis=1)
    else:
        # One row cannot be split: whether a number is new depends on all before it.
        load_kernel(choose_distinct)(chosen, row, nobody, below, *key)
    return chosen[0]


# ---- values of edges


def draw_rows(
    key: Key,
    distribution: Literal["uniform", "normal"],
    pointer: np.ndarray,
    first: int,
) -> np.ndarray:
    """Return the draws of the rows first, first + 1, ...: (pointer[-1] - pointer[0],).

    Parameters
    ----------
    key : Key
        Of the stream.
    distribution : "uniform" or "normal"
    pointer : (R + 1,) integers
    first : int
    """
    drawn = np.empty(pointer[-1] - pointer[0])
    fill = load_kernel(fill_uniforms if distribution == "uniform" else fill_normals)
    fill(drawn, pointer, first, *key)
    return drawn

"""Compiled draws of whole rows, on all cores: the same bits as those of `neurosim.draws.sampling`, at a nanosecond each.

Kernels work on some rows at a time, each with its own counters, so that nothing depends on how rows are split among threads.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from inspect import signature
from typing import Any

import numpy as np
from numba import njit

from ..compiled import cache
from ..compiled.cores import cores
from ..compiled.functions import FUNCTIONS, lowest_bit
from .compiled_streams import normal_block, philox4x32, uniform_block
from .streams import Key

DRAWS = 128  # of one row made at a time: enough to vectorise, few to throw away
BLOCK = (
    1 << 17
)  # edges in the care of a thread at a time: what is computed from their draws stays in the processor's cache

_HALF, _MASK, _NONE, _ONE = np.uint64(32), np.uint64(0xFFFFFFFF), np.uint64(0), np.uint64(1)
_log = FUNCTIONS["log"]
plain = njit(error_model="numpy", nogil=True)


def kernel(body: Any) -> Any:
    """Return a function of the core compiled, from the cache on disk where it is known."""
    name, arguments = body.__name__, ", ".join(signature(body.py_func).parameters)
    source = (
        f'"""Kernel {name!r} of the core."""\n\nfrom numba import njit\n\nfrom {body.py_func.__module__} import {name} as body\n\n\n'
        f'@njit(error_model="numpy", nogil=True, cache=True)\ndef {name}({arguments}):\n    return body({arguments})\n'
    )
    return getattr(cache.load(name, source), name)


def over(work: Callable[[int, int], None], bounds: np.ndarray) -> None:
    """Call ``work(bounds[b], bounds[b + 1])`` for every block b, on all cores."""
    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(work, bounds[:-1].tolist(), bounds[1:].tolist()))


def blocks(pointer: np.ndarray) -> np.ndarray:
    """Split rows with edges ``pointer`` (R + 1,) into blocks of about BLOCK edges; return first rows, (B + 1,)."""
    inner = np.searchsorted(pointer, np.arange(BLOCK, int(pointer[-1]), BLOCK))
    return np.unique(np.concatenate([[0], inner, [pointer.size - 1]]))


def even(count: int, width: int) -> np.ndarray:
    """As `blocks`, for ``count`` rows of ``width`` edges."""
    return np.append(np.arange(0, count, max(1, BLOCK // max(width, 1))), count)


# ---- draws


@plain
def row_words(block, row, k0, k1):
    """Return the words of a block of four draws of a row."""
    step = np.uint64(row)
    return philox4x32(
        np.uint64(block) & _MASK, step & _MASK, step >> _HALF, _NONE, np.uint64(k0), np.uint64(k1)
    )


def _filler(four: Any) -> Any:
    @plain
    def fill(out, row, k0, k1):
        """Fill `out` with the first draws of a row."""
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


_fill_uniform, _fill_normal = _filler(uniform_block), _filler(normal_block)


@plain
def fill_uniforms(out, pointer, first, k0, k1):
    """Fill rows first, first + 1, ... with draws from (0, 1); a row has the places pointer[r] to pointer[r + 1], from pointer[0] on."""
    for r in range(pointer.size - 1):
        _fill_uniform(out[pointer[r] - pointer[0] : pointer[r + 1] - pointer[0]], first + r, k0, k1)


@plain
def fill_normals(out, pointer, first, k0, k1):
    """As `fill_uniforms`, from the standard normal distribution."""
    for r in range(pointer.size - 1):
        _fill_normal(out[pointer[r] - pointer[0] : pointer[r + 1] - pointer[0]], first + r, k0, k1)


# ---- edges made with a probability


@plain
def _chunk(out, row, block, k0, k1):
    """Fill `out` (DRAWS,) with draws of a row from block `block` on."""
    for b in range(DRAWS >> 2):
        w0, w1, w2, w3 = row_words(block + b, row, k0, k1)
        out[4 * b], out[4 * b + 1], out[4 * b + 2], out[4 * b + 3] = uniform_block(w0, w1, w2, w3)


@plain
def mark_successes(count, pointer, out, rows, refused, trials, log_rest, k0, k1):
    """Write the number of edges of each row to pointer[r + 1] if `count`; else their targets to `out` from pointer[r] - pointer[0] on."""
    u, gap = np.empty(DRAWS), np.empty(DRAWS, np.int64)
    for r in range(rows.size):
        own = refused[r]
        end = trials - (1 if own < trials else 0)
        first = 0 if count else pointer[r] - pointer[0]
        place, position, block = first, -1, 0
        while position < end:
            _chunk(u, rows[r], block, k0, k1)
            block += DRAWS >> 2
            for i in range(DRAWS):
                gap[i] = np.int64(min(_log(u[i]) / log_rest, float(trials))) + 1
            for i in range(DRAWS):
                position += gap[i]
                if position >= end:
                    break
                if not count:
                    out[place] = position + (1 if position >= own else 0)
                place += 1
        if count:
            pointer[r + 1] = place - first


def bernoulli(
    key: Key,
    rows: np.ndarray,
    refused: np.ndarray,
    *,
    trials: int,
    p: float,
    log_rest: float,
    kind: type,
) -> tuple[np.ndarray, np.ndarray]:
    """Return row pointer and targets of a kind; see `neurosim.sampling.bernoulli`. All is drawn twice: to count first is cheaper than to move edges."""
    mark, pointer, out = (
        kernel(mark_successes),
        np.zeros(rows.size + 1, np.int64),
        np.empty(0, kind),
    )
    bounds = even(rows.size, int(p * trials) + DRAWS)

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

    over(lambda a, b: work(a, b, True), bounds)
    np.cumsum(pointer, out=pointer)
    out = np.empty(pointer[-1], kind)
    over(lambda a, b: work(a, b, False), bounds)
    return pointer, out


# ---- a number of partners


@plain
def _chunk_of_numbers(out, u, row, block, below, k0, k1):
    """Fill `out` (DRAWS / 2,) with whole numbers below `below`, two draws for each."""
    _chunk(u, row, block, k0, k1)
    for i in range(DRAWS >> 1):
        out[i] = min(np.int64((u[2 * i] + (u[2 * i + 1] - 0.5) * 2.0**-32) * below), below - 1)


@plain
def _mark_distinct(bits, words, u, number, count, row, below, k0, k1):
    """Mark the first `count` different numbers of a row in a bit map, and in `words` which of its words have any."""
    marked, block = 0, 0
    while marked < count:
        _chunk_of_numbers(number, u, row, block, below, k0, k1)
        block += DRAWS >> 2
        for i in range(DRAWS >> 1):
            at, bit = number[i] >> 6, _ONE << np.uint64(number[i] & 63)
            if bits[at] & bit == _NONE:
                bits[at] |= bit
                words[at >> 6] |= _ONE << np.uint64(at & 63)
                marked += 1
                if marked == count:
                    break


@plain
def _list_marked(bits, words, out, own):
    """List the marked numbers, ascending and beyond `own` by one more, and clear the map."""
    place = 0
    for w in range(words.size):
        group, words[w] = words[w], _NONE
        while group != _NONE:
            at = 64 * w + lowest_bit(group)
            group &= group - _ONE
            word, bits[at] = bits[at], _NONE
            while word != _NONE:
                position = 64 * at + lowest_bit(word)
                word &= word - _ONE
                out[place] = position + (1 if position >= own else 0)
                place += 1


@plain
def choose_distinct(out, rows, refused, size, k0, k1):
    """Fill row r of `out` (R, n) with different positions below `size`, but refused[r], ascending."""
    n, length = out.shape[1], (size + 63) >> 6
    bits, words = np.zeros(length, np.uint64), np.zeros((length + 63) >> 6, np.uint64)
    u, number = np.empty(DRAWS), np.empty(DRAWS >> 1, np.int64)
    for r in range(rows.size):
        below = size - (1 if refused[r] < size else 0)
        if 2 * n <= below:
            _mark_distinct(bits, words, u, number, n, rows[r], below, k0, k1)
        else:  # all but a set that is drawn so
            _mark_distinct(bits, words, u, number, below - n, rows[r], below, k0, k1)
            for at in range((below + 63) >> 6):
                bits[at] = ~bits[at]
                words[at >> 6] |= _ONE << np.uint64(at & 63)
            if below & 63:
                bits[below >> 6] &= (_ONE << np.uint64(below & 63)) - _ONE
        _list_marked(bits, words, out[r], refused[r])


@plain
def choose_any(out, rows, first, refused, size, k0, k1):
    """Fill row r of `out` (R, n) with its numbers first, first + 1, ..., independent and below `size`, or one less where one is refused."""
    u, number = np.empty(DRAWS), np.empty(DRAWS >> 1, np.int64)
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
    kind: type,
) -> np.ndarray:
    """Return the positions of `n` partners per row, (R, n) of a kind; see `neurosim.sampling.choices`."""
    made = np.empty((rows.size, n), kind)
    choose = kernel(choose_any if multapses else choose_distinct)

    def work(a: int, b: int) -> None:
        if not multapses:
            choose(made[a:b], rows[a:b], refused[a:b], size, *key)
            return
        choose(made[a:b], rows[a:b], 0, refused[a:b], size, *key)
        made[a:b].sort(axis=1)
        made[a:b] += made[a:b] >= refused[a:b, None]

    over(work, even(rows.size, n))
    return made


def numbers(key: Key, n: int, *, below: int, multapses: bool) -> np.ndarray:
    """Return `n` whole numbers of row 0, (n,) int64 ascending; see `neurosim.sampling.numbers`."""
    made = np.empty((1, n), np.int64)
    row, nobody = np.zeros(1, np.int64), np.full(1, below)
    if multapses:
        choose = kernel(choose_any)
        over(lambda a, b: choose(made[:, a:b], row, a, nobody, below, *key), even(n, 1))
        made.sort(axis=1)
    else:
        kernel(choose_distinct)(made, row, nobody, below, *key)
    return made[0]


# ---- values of edges


def draws(key: Key, kind: str, pointer: np.ndarray, first: int) -> np.ndarray:
    """Return draws of kind "uniform" or "normal" for the rows first, first + 1, ...: (pointer[-1] - pointer[0],)."""
    made = np.empty(pointer[-1] - pointer[0])
    kernel(fill_uniforms if kind == "uniform" else fill_normals)(made, pointer, first, *key)
    return made

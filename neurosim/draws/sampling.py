"""Random edges, row by row, as NumPy defines them; compiled code draws large numbers of them.

A row is a neuron with counters of its own. Its draws depend on the stream and the row alone: not on
blocks, threads, other rows, or the code that makes them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..expr.functions import FUNCTIONS
from .streams import Stream

IntArray = NDArray[np.integer]

# Candidates that NumPy works on at a time: a temporary array takes 256 KB, unless one row needs
# more. Networks of a million edges would show larger ones in the memory that they need.
BLOCK = 1 << 15
# Edges from which on compiled code is used. It takes seconds to compile, once on a machine.
MANY = 1_000_000


def index_type(below: int) -> type[np.uint16] | type[np.int32]:
    """Return the smaller type that holds indices below a number.

    Edges are many: saving 2 of 4 bytes for each is worth a second type.
    """
    # 65536 indices fit, because they begin at 0.
    return np.uint16 if below <= 1 << 16 else np.int32


def bernoulli(
    stream: Stream,
    rows: IntArray,
    refused: IntArray,
    *,
    trials: int,
    p: float,
) -> tuple[NDArray[np.int64], IntArray]:
    """Choose positions, each with one probability, for each row.

    Parameters
    ----------
    stream : Stream
    rows : (S,) integers
    refused : (S,) integers
        A position of each row that is never chosen; `trials`: there is none.
    trials : int
        Number of positions.
    p : float (1)
        0 < p < 1.

    Returns
    -------
    pointer : (S + 1,) int64
        The positions of row r are those from ``pointer[r]`` to ``pointer[r + 1]``.
    positions : (E,) integers
        Ascending within a row.
    """
    log_rest = log_of_rest(p)
    if rows.size * trials * p >= MANY:
        # Imported here, since Numba takes long to load and small networks never need it.
        from . import compiled_edges

        return compiled_edges.bernoulli(
            stream.key,
            rows.astype(np.int64),
            refused,
            trials=trials,
            p=p,
            log_rest=log_rest,
            dtype=index_type(trials),
        )
    counts = np.zeros(rows.size, np.int64)
    targets = [np.empty(0, index_type(trials))]
    for block in blocks(rows.size, width=_ample(p * trials)):
        own = refused[block, None]
        positions = _draw_successes(stream, rows[block], trials=trials, p=p, log_rest=log_rest)
        # Draws number the positions without the refused one; those after it move up by one.
        valid = positions < trials - (own < trials)
        counts[block] = valid.sum(axis=1)
        targets.append((positions + (positions >= own))[valid].astype(targets[0].dtype))
    return pointer_of(counts), np.concatenate(targets)


def choices(
    stream: Stream,
    rows: IntArray,
    refused: IntArray,
    *,
    n: int,
    size: int,
    multapses: bool,
) -> IntArray:
    """Choose a number of positions for each row.

    Parameters
    ----------
    stream : Stream
    rows : (R,) integers
    refused : (R,) integers
        A position of each row that is never chosen; `size`: there is none.
    n : int
        Positions of each row.
    size : int
        Number of positions to choose from.
    multapses : bool
        Whether a position may be chosen several times.

    Returns
    -------
    (R, n) integers
        Ascending within a row.
    """
    if rows.size * n >= MANY:
        from . import compiled_edges

        return compiled_edges.choices(
            stream.key,
            rows.astype(np.int64),
            refused,
            n=n,
            size=size,
            multapses=multapses,
            dtype=index_type(size),
        )
    choose = _draw_independent if multapses else _draw_distinct
    possible = size - (refused < size)
    positions = np.empty((rows.size, n), index_type(size))
    # Rows that refuse a position choose from one less; each of the two kinds is drawn together.
    for below in np.unique(possible):
        members = np.flatnonzero(possible == below)
        for block in blocks(members.size, width=_ample(2 * n)):
            positions[members[block]] = choose(stream, rows[members[block]], n, below=int(below))
    positions += positions >= refused[:, None]
    return positions


def numbers(
    stream: Stream,
    n: int,
    *,
    below: int,
    multapses: bool,
) -> NDArray[np.int64]:
    """Choose whole numbers.

    Parameters
    ----------
    stream : Stream
        Its row 0 is used.
    n : int
    below : int
        Numbers are from 0 to `below` - 1.
    multapses : bool
        Whether a number may be chosen several times.

    Returns
    -------
    (n,) int64, ascending
    """
    # Compiled code keeps a bit for each of the numbers below.
    if n >= MANY and (multapses or below < 512 * n):
        from . import compiled_edges

        return compiled_edges.numbers(stream.key, n, below=below, multapses=multapses)
    choose = _draw_independent if multapses else _draw_distinct
    return choose(stream, np.zeros(1, np.int64), n, below=below)[0]


def sort_keys(keys: IntArray, *, below: int) -> tuple[NDArray[np.int64], IntArray]:
    """Sort whole numbers from 0 to `below` - 1; equal ones keep their order.

    Returns
    -------
    pointer : (below + 1,) int64
        Key k fills the sorted positions ``pointer[k]`` to ``pointer[k + 1]``.
    order : (E,) integers
        Position in `keys` of the key at each sorted position.
    """
    if keys.size >= MANY:
        from . import sorting

        return sorting.sort_keys(keys, below=below)
    if keys.size <= 4 * max(BLOCK, below):
        pointer = pointer_of(np.bincount(keys, minlength=below))
        return pointer, np.argsort(keys, kind="stable").astype(np.int32)
    # A part at a time, since positions of NumPy take 8 bytes; as many keys as there are counts.
    size = max(BLOCK, below)
    parts = [slice(first, first + size) for first in range(0, keys.size, size)]
    counts = np.zeros(below, np.int64)
    for part in parts:
        counts += np.bincount(keys[part], minlength=below)
    pointer = pointer_of(counts)
    order = np.empty(keys.size, np.int32)
    earlier = np.zeros(below, np.int64)  # keys of earlier parts
    for part in parts:
        own = np.argsort(keys[part], kind="stable")
        counts = np.bincount(keys[part], minlength=below)
        # Between the sorted position within the part, and that among all.
        shift = pointer[:-1] + earlier - (np.cumsum(counts) - counts)
        order[np.arange(own.size) + shift[keys[part][own]]] = part.start + own
        earlier += counts
    return pointer, order


def draw_rows(
    stream: Stream,
    distribution: Literal["uniform", "normal"],
    pointer: IntArray,
    use: Callable[[int, int, NDArray[np.float64]], None],
) -> None:
    """Draw a number for each edge and pass them to a function, some rows at a time.

    Parameters
    ----------
    stream : Stream
    distribution : "uniform" or "normal"
    pointer : (S + 1,) integers
        Row r has the edges ``pointer[r]`` to ``pointer[r + 1]``, and the draws 0, 1, ... of its
        counters.
    use : callable
        Is called with the first row, the row after the last, and the draws of their edges; maybe by
        several threads at a time.
    """
    if pointer[-1] < MANY:
        rows = pointer.size - 1
        return use(0, rows, standard_rows(stream, distribution, pointer, 0, rows))
    from . import compiled_edges

    def work(first: int, stop: int) -> None:
        use(first, stop, standard_rows(stream, distribution, pointer, first, stop))

    return compiled_edges.run_blocks(work, compiled_edges.edge_blocks(pointer))


def row_parts(pointer: IntArray) -> Iterator[tuple[int, int]]:
    """Split rows into parts of about BLOCK edges, or of a small part of all if they are many.

    Yields
    ------
    first, stop : int
        The first row, and the row after the last.
    """
    edges = int(pointer[-1])
    width = max(BLOCK, edges // 256)
    inner = np.searchsorted(pointer, np.arange(width, edges, width))
    yield from itertools.pairwise(np.unique([0, *inner, pointer.size - 1]).tolist())


def standard_rows(
    stream: Stream,
    distribution: Literal["uniform", "normal"],
    pointer: IntArray,
    first: int,
    stop: int,
) -> NDArray[np.float64]:
    """Return a number for each edge of some rows: draw 0, 1, ... of the row's counters.

    Parameters
    ----------
    stream : Stream
    distribution : "uniform" or "normal"
    pointer : (S + 1,) integers
        Row r has the edges ``pointer[r]`` to ``pointer[r + 1]``.
    first, stop : int
        The first row, and the row after the last.

    Returns
    -------
    (K,)
        Of the edges ``pointer[first]`` to ``pointer[stop]``.
    """
    part = pointer[first : stop + 1]
    if pointer[-1] >= MANY:
        from . import compiled_edges

        return compiled_edges.draw_rows(stream.key, distribution, part, first)
    row = np.repeat(np.arange(first, stop), np.diff(part))
    index = np.arange(part[0], part[-1]) - pointer[row]
    return getattr(stream, distribution)(index, row)


def pointer_of(counts: IntArray) -> NDArray[np.int64]:
    """Return at which edge each row begins, and the end of the last, (S + 1,)."""
    pointer = np.zeros(counts.size + 1, np.int64)
    np.cumsum(counts, out=pointer[1:])
    return pointer


def blocks(count: int, *, width: int) -> Iterator[slice]:
    """Split `count` rows of `width` candidates into blocks of at most BLOCK, or of one row."""
    rows = max(1, BLOCK // width)
    for start in range(0, count, rows):
        yield slice(start, min(start + rows, count))


def _ample(mean: float) -> int:
    """Return a number of draws that nearly always suffices.

    It sets the speed only: which draws are used does not depend on it.
    """
    return int(mean + 6 * math.sqrt(mean)) + 4


def log_of_rest(p: float) -> float:
    """Return log(1 - p), corrected to first order for the rounding of 1 - p."""
    rest = 1.0 - p
    # Without the correction a small p would lose the digits that the rounding of 1 - p removes.
    return float(FUNCTIONS["log"](rest)) * (p / (1.0 - rest)) if rest < 1 else -p


def _draw_successes(
    stream: Stream,
    rows: IntArray,
    *,
    trials: int,
    p: float,
    log_rest: float,
) -> NDArray[np.int64]:
    """Return which trials of each row succeed with probability `p`, (R, K), ascending.

    Entries of `trials` or more mean nothing. The number of failures before a success is geometric:
    floor(log(u) / log(1 - p)). With u in steps of 2**-32 no cumulative probability of a gap is off
    by more than that, nor the mean distance of successes by 1e-8 of it.
    """
    width = _ample(p * trials)
    while True:
        # One draw per edge in place of one per pair: sparse networks would discard nearly all.
        failures = FUNCTIONS["log"](stream.uniform(np.arange(width), row=rows[:, None])) / log_rest
        positions = np.cumsum(np.minimum(failures, trials).astype(np.int64) + 1, axis=1) - 1
        if np.all(positions[:, -1] >= trials):
            return positions
        width *= 2


def _draw_integers(
    stream: Stream,
    rows: IntArray,
    count: int,
    *,
    below: int,
) -> NDArray[np.int64]:
    """Return independent whole numbers from 0 to `below` - 1, (R, count).

    Two draws make one in steps of 2**-53, because there can be more than 2**32 pairs of neurons.
    """
    draws = stream.uniform(np.arange(2 * count), row=rows[:, None])
    fine = draws[:, ::2] + (draws[:, 1::2] - 0.5) * 2.0**-32
    return np.minimum((fine * below).astype(np.int64), below - 1)


def _draw_independent(
    stream: Stream,
    rows: IntArray,
    count: int,
    *,
    below: int,
) -> NDArray[np.int64]:
    return np.sort(_draw_integers(stream, rows, count, below=below), axis=1)


def _draw_distinct(
    stream: Stream,
    rows: IntArray,
    count: int,
    *,
    below: int,
) -> NDArray[np.int64]:
    """Return different whole numbers from 0 to `below` - 1, (R, count), ascending in each row.

    All sets are equally likely. They are the first different ones of independent draws or, if more
    than half are wanted, all except such a set.
    """
    # Otherwise the last few numbers would take many attempts, all others being taken.
    if 2 * count > below:
        chosen = np.ones((rows.size, below), bool)
        others = _draw_distinct(stream, rows, below - count, below=below)
        np.put_along_axis(chosen, others, False, axis=1)
        return np.nonzero(chosen)[1].reshape(rows.size, count)
    width = _ample(-below * math.log1p(-count / below)) if count else 1
    while True:
        draws = _draw_integers(stream, rows, width, below=below)
        new = _first_occurrences(draws)
        # Only the order of first occurrences counts, so that `width` does not change the result.
        rank = np.cumsum(new, axis=1)
        if np.all(rank[:, -1] >= count):
            return np.sort(draws[new & (rank <= count)].reshape(rows.size, count), axis=1)
        width *= 2


def _first_occurrences(draws: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return of each entry whether its row holds no equal one before it."""
    order = np.argsort(draws, axis=1, kind="stable")
    ascending = np.take_along_axis(draws, order, axis=1)
    new = np.ones(draws.shape, bool)
    np.put_along_axis(new, order[:, 1:], ascending[:, 1:] != ascending[:, :-1], axis=1)
    return new

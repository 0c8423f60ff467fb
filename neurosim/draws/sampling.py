"""Random edges, row by row: who is chosen, each row from its own counters. NumPy defines the draws; many are made by compiled code.

What is drawn depends on the stream and the row alone: not on blocks, threads, other rows, or who draws it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from ..expr.functions import FUNCTIONS
from .streams import Stream

IntArray = NDArray[np.integer]

BLOCK = (
    1 << 18
)  # candidates that NumPy draws at a time: temporary arrays of 2 MB, unless one row alone needs more
MANY = (
    1 << 20
)  # edges from which on compiled code is used: the first time on a machine, it takes seconds to compile


def index_type(below: int) -> type[np.uint16] | type[np.int32]:
    """Return the type of indices below a number, such as those of a population's neurons: edges are many, and where 2 bytes do, they take no 4."""
    return np.uint16 if below <= 1 << 16 else np.int32


def bernoulli(
    stream: Stream, rows: IntArray, refused: IntArray, *, trials: int, p: float
) -> tuple[NDArray[np.int64], IntArray]:
    """Choose each of `trials` positions with probability `p`, 0 < p < 1, but never refused[r] (S,); positions after it move up by one.

    Returns
    -------
    pointer : (S + 1,)
    positions : (E,), ascending within a row
    """
    log_rest = log_of_rest(p)
    if rows.size * trials * p >= MANY:
        from . import compiled_edges

        return compiled_edges.bernoulli(
            stream.key,
            rows.astype(np.int64),
            refused,
            trials=trials,
            p=p,
            log_rest=log_rest,
            kind=index_type(trials),
        )
    counts = np.zeros(rows.size, np.int64)
    drawn = [np.empty(0, index_type(trials))]
    for block in blocks(rows.size, width=_ample(p * trials)):
        own = refused[block, None]
        positions = _successes(stream, rows[block], trials=trials, p=p, log_rest=log_rest)
        made = positions < trials - (own < trials)
        counts[block] = made.sum(axis=1)
        drawn.append((positions + (positions >= own))[made].astype(drawn[0].dtype))
    return pointer_of(counts), np.concatenate(drawn)


def choices(
    stream: Stream, rows: IntArray, refused: IntArray, *, n: int, size: int, multapses: bool
) -> IntArray:
    """Choose `n` of `size` positions for each row, ascending, (R, n), never refused[r]; equal ones only with `multapses`."""
    if rows.size * n >= MANY:
        from . import compiled_edges

        return compiled_edges.choices(
            stream.key,
            rows.astype(np.int64),
            refused,
            n=n,
            size=size,
            multapses=multapses,
            kind=index_type(size),
        )
    choose = _independent if multapses else _distinct
    possible = size - (refused < size)
    positions = np.empty((rows.size, n), index_type(size))
    for below in np.unique(possible):
        members = np.flatnonzero(possible == below)
        for block in blocks(members.size, width=_ample(2 * n)):
            positions[members[block]] = choose(stream, rows[members[block]], n, below=int(below))
    positions += positions >= refused[:, None]
    return positions


def numbers(stream: Stream, n: int, *, below: int, multapses: bool) -> NDArray[np.int64]:
    """Choose `n` whole numbers below `below`, ascending; equal ones only with `multapses`."""
    if n >= MANY and (
        multapses or below < 512 * n
    ):  # of the numbers below, compiled code keeps a bit each
        from . import compiled_edges

        return compiled_edges.numbers(stream.key, n, below=below, multapses=multapses)
    return (_independent if multapses else _distinct)(
        stream, np.zeros(1, np.int64), n, below=below
    )[0]


def order(keys: IntArray, *, below: int) -> tuple[NDArray[np.int64], IntArray]:
    """Sort whole numbers from 0 to `below` - 1, equal ones as they stand.

    Returns
    -------
    pointer : (below + 1,)
        Key k fills the sorted places ``pointer[k]`` to ``pointer[k + 1]``.
    order : (E,)
        Which key stands at each sorted place.
    """
    if keys.size >= MANY:
        from . import sorting

        return sorting.order(keys, below=below)
    return pointer_of(np.bincount(keys, minlength=below)), np.argsort(keys, kind="stable").astype(
        np.int32
    )


def over_rows(
    stream: Stream,
    kind: str,
    pointer: IntArray,
    use: Callable[[int, int, NDArray[np.float64]], None],
) -> None:
    """Hand draws for all edges to ``use(first, stop, draws)``, some rows at a time, maybe side by side.

    Parameters
    ----------
    kind : "uniform" or "normal"
    pointer : (S + 1,)
        Row r has the edges ``pointer[r]`` to ``pointer[r + 1]``, and the draws 0, 1, ... of its counters.
    """
    if pointer[-1] >= MANY:
        from . import compiled_edges

        def work(first: int, stop: int) -> None:
            use(
                first,
                stop,
                compiled_edges.draws(stream.key, kind, pointer[first : stop + 1], first),
            )

        return compiled_edges.over(work, compiled_edges.blocks(pointer))
    row = np.repeat(np.arange(pointer.size - 1), np.diff(pointer))
    use(0, pointer.size - 1, getattr(stream, kind)(np.arange(row.size) - pointer[row], row))


def pointer_of(counts: IntArray) -> NDArray[np.int64]:
    """Return where rows of so many edges begin, and the end of the last, (S + 1,)."""
    pointer = np.zeros(counts.size + 1, np.int64)
    np.cumsum(counts, out=pointer[1:])
    return pointer


def blocks(count: int, *, width: int) -> Iterator[slice]:
    """Split `count` rows of `width` candidates so that no block holds many more candidates than BLOCK."""
    rows = max(1, BLOCK // width)
    for start in range(0, count, rows):
        yield slice(start, min(start + rows, count))


def _ample(mean: float) -> int:
    """Return a number of draws that nearly always suffices. It sets the speed only: which draws are used does not depend on it."""
    return int(mean + 6 * math.sqrt(mean)) + 4


def log_of_rest(p: float) -> float:
    """Return log(1 - p), the rounding of 1 - p undone to first order."""
    rest = 1.0 - p
    return float(FUNCTIONS["log"](rest)) * (p / (1.0 - rest)) if rest < 1 else -p


def _successes(
    stream: Stream, rows: IntArray, *, trials: int, p: float, log_rest: float
) -> NDArray[np.int64]:
    """Return which of `trials` trials per row succeed with probability `p`, (R, K), ascending; entries of `trials` or more mean nothing.

    The failures before a success are geometric: floor(log(u) / log(1 - p)). With u in steps of 2**-32 no cumulative probability of a gap
    is off by more than that, nor the mean distance of successes by 1e-8 of it.
    """
    width = _ample(p * trials)
    while True:
        failures = FUNCTIONS["log"](stream.uniform(np.arange(width), row=rows[:, None])) / log_rest
        positions = np.cumsum(np.minimum(failures, trials).astype(np.int64) + 1, axis=1) - 1
        if np.all(positions[:, -1] >= trials):
            return positions
        width *= 2


def _integers(stream: Stream, rows: IntArray, count: int, *, below: int) -> NDArray[np.int64]:
    """Return independent whole numbers from 0 to `below` - 1, (R, count); two draws make one of 2**-53, for pairs outnumber 2**32."""
    draws = stream.uniform(np.arange(2 * count), row=rows[:, None])
    fine = draws[:, ::2] + (draws[:, 1::2] - 0.5) * 2.0**-32
    return np.minimum((fine * below).astype(np.int64), below - 1)


def _independent(stream: Stream, rows: IntArray, count: int, *, below: int) -> NDArray[np.int64]:
    return np.sort(_integers(stream, rows, count, below=below), axis=1)


def _distinct(stream: Stream, rows: IntArray, count: int, *, below: int) -> NDArray[np.int64]:
    """Return `count` different whole numbers from 0 to `below` - 1 per row, (R, count), ascending; all sets are equally likely.

    They are the first different ones of independent draws or, where more than half are wanted, all except such a set.
    """
    if 2 * count > below:
        kept = np.ones((rows.size, below), bool)
        np.put_along_axis(kept, _distinct(stream, rows, below - count, below=below), False, axis=1)
        return np.nonzero(kept)[1].reshape(rows.size, count)
    width = _ample(-below * math.log1p(-count / below)) if count else 1
    while True:
        draws = _integers(stream, rows, width, below=below)
        new = _first_occurrences(draws)
        rank = np.cumsum(new, axis=1)
        if np.all(rank[:, -1] >= count):
            return np.sort(draws[new & (rank <= count)].reshape(rows.size, count), axis=1)
        width *= 2


def _first_occurrences(draws: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Say of each entry whether its row holds no equal one before it."""
    order = np.argsort(draws, axis=1, kind="stable")
    ascending = np.take_along_axis(draws, order, axis=1)
    new = np.ones(draws.shape, bool)
    np.put_along_axis(new, order[:, 1:], ascending[:, 1:] != ascending[:, :-1], axis=1)
    return new

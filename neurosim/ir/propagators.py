"""Exponentials of many small matrices, and the propagators of linear groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import factorial
from typing import Any

import numpy as np

from ..expr.evaluate import evaluate
from ..expr.functions import FUNCTIONS
from ..model.integration.methods import Propagator

# Numerator of the [13/13] Pade approximant of exp, lowest power first, and the norm up to which it
# is as exact as float64 (Higham 2005, table 2.3).
_PADE = [
    factorial(26 - k) * factorial(13) / (factorial(26) * factorial(k) * factorial(13 - k))
    for k in range(14)
]
_LARGEST = 5.371920351148152


_BLOCK = 1 << 17  # entries of matrices that are worked on together

# Squarings from which the blocks on the diagonal are computed afresh: each squaring may lose a bit
# of a slow state beside a fast one.
_MANY_HALVINGS = 8


def exponential(matrices: np.ndarray, blocks: Sequence[Sequence[int]] = ()) -> np.ndarray:
    """Return the exponential of each matrix by scaling and squaring.

    Parameters
    ----------
    matrices : (K, n, n)
    blocks : sequence of sequences of int
        Rows that act on each other; the order of the blocks makes a block-triangular matrix.

    Notes
    -----
    The exponential of a block on the diagonal does not depend on the others. In a matrix of entries
    of very different sizes, the blocks of each square are therefore replaced by their own
    exponentials, which keeps slow states beside fast ones (Al-Mohy & Higham 2009, SIAM J. Matrix
    Anal. Appl. 31:970, code fragment 2.1, for triangular matrices).

    SciPy's function wakes threads of its linear algebra, which then spin for a tenth of a second on
    the cores that a run is about to use.

    Source: Higham 2005, SIAM J. Matrix Anal. Appl. 26:1179, algorithm 2.3.
    """
    norms = np.abs(matrices).sum(axis=1).max(axis=1)
    halvings = np.ceil(np.log2(np.maximum(norms / _LARGEST, 1.0))).astype(int)
    a = matrices * 0.5 ** halvings[:, None, None]
    square = a @ a
    fourth = square @ square
    sixth = fourth @ square
    one = np.broadcast_to(np.eye(a.shape[1]), a.shape)

    def part(first: int) -> np.ndarray:
        """Return the sum of the powers of one parity, from ``first`` on."""
        b = _PADE[first::2]
        return (
            sixth @ (b[6] * sixth + b[5] * fourth + b[4] * square)
            + b[3] * sixth
            + b[2] * fourth
            + b[1] * square
            + b[0] * one
        )

    odd = a @ part(1)
    even = part(0)
    # Equal to (even + odd) / (even - odd), but for short steps only the part beside 1 is rounded.
    result = one + np.linalg.solve(even - odd, 2 * odd)
    for number in range(halvings.max(initial=0)):
        more = halvings > number
        result[more] = result[more] @ result[more]
        stiff = np.flatnonzero(more & (halvings >= _MANY_HALVINGS))
        for block in blocks if stiff.size else ():
            rows = np.array(block)
            block = (stiff[:, None, None], rows[:, None], rows)
            scale = 0.5 ** (halvings[stiff] - number - 1)[:, None, None]
            result[block] = exponential(matrices[block] * scale)
    return result


def linear_matrix(propagator: Propagator, value: Callable[[str], Any]) -> np.ndarray:
    """Return the matrix A of a linear group, (1, n, n) or (N, n, n).

    Parameters
    ----------
    propagator : Propagator
    value : function
        Returns a parameter, number or (N,), by its name.
    """
    entries = linear_entries(propagator, value)
    return _assemble(entries, slice(None), max(entry.size for row in entries for entry in row))


def linear_entries(propagator: Propagator, value: Callable[[str], Any]) -> list[list[np.ndarray]]:
    """Return the entries of the matrix A of a linear group, (n, n) arrays (1,) or (N,).

    Parameters
    ----------
    propagator, value
        As for `linear_matrix`.
    """
    return [
        [np.atleast_1d(np.asarray(evaluate(c, value), np.float64)) for c in row]
        for row in propagator.matrix
    ]


def _assemble(entries: list[list[np.ndarray]], part: slice, size: int) -> np.ndarray:
    """Return the matrices of some neurons, (size, n, n)."""
    n = len(entries)
    matrix = np.zeros((size, n, n))
    for i, row in enumerate(entries):
        for j, entry in enumerate(row):
            matrix[:, i, j] = entry if entry.size == 1 else entry[part]
    return matrix


def propagate_in_blocks(
    propagator: Propagator, entries: list[list[np.ndarray]], dt: float
) -> dict[str, np.ndarray]:
    """Return what `propagate` does, with little memory besides.

    Parameters
    ----------
    propagator : Propagator
    entries : (n, n) arrays (1,) or (N,), 1/ms
        Of `linear_entries`.
    dt : float, ms
    """
    size = max(entry.size for row in entries for entry in row)
    # About 1 MB for each of the arrays of matrices that an exponential takes meanwhile.
    block = max(_BLOCK // (2 * len(entries)) ** 2, 1)
    if size <= block:
        return propagate(propagator, _assemble(entries, slice(None), size), dt)
    result = {name: np.empty(size) for name in propagator.names}
    for first in range(0, size, block):
        part = slice(first, min(first + block, size))
        matrix = _assemble(entries, part, part.stop - first)
        for name, array in propagate(propagator, matrix, dt).items():
            result[name][part] = array
    return result


def _blocks(propagator: Propagator) -> list[list[int]]:
    """Return the groups of states that act on each other."""
    reach = propagator.reach
    left = list(range(len(propagator.states)))
    blocks: list[list[int]] = []
    while left:
        blocks.append([j for j in left if (left[0], j) in reach and (j, left[0]) in reach])
        left = [j for j in left if j not in blocks[-1]]
    return blocks


def propagate(propagator: Propagator, matrix: np.ndarray, dt: float) -> dict[str, np.ndarray]:
    """Return the propagators of x' = P x + Q b for one step.

    Parameters
    ----------
    propagator : Propagator
    matrix : (1, n, n) or (N, n, n), 1/ms
        The matrix A of `linear_matrix`.
    dt : float, ms

    Returns
    -------
    dict
        Names of the entries of P and Q that are not zero -> (1,) or (N,).

    Notes
    -----
    exp([[A, I], [0, 0]] dt) = [[P, Q], [0, I]].

    Source: Van Loan 1978, IEEE Trans. Autom. Control 23:395.
    """
    size, n, _ = matrix.shape
    # One state needs no matrix, and the language's functions give the same bits on any machine.
    if n == 1:
        z = matrix[:, 0, 0] * dt
        return {
            propagator.name("P", 0, 0): FUNCTIONS["exp"](z),
            propagator.name("Q", 0, 0): dt * FUNCTIONS["expm1_ratio"](z),
        }
    # Neurons of equal parameters share a matrix, whose exponential is computed once.
    distinct, back = np.unique(matrix.reshape(size, -1), axis=0, return_inverse=True)
    block = np.zeros((distinct.shape[0], 2 * n, 2 * n))
    block[:, :n, :n] = distinct.reshape(-1, n, n) * dt
    block[:, :n, n:] = np.eye(n) * dt
    result = exponential(block, _blocks(propagator))[back.reshape(-1)]
    entries = {}
    for i, j in propagator.reach:
        entries[propagator.name("P", i, j)] = np.ascontiguousarray(result[:, i, j])
        entries[propagator.name("Q", i, j)] = np.ascontiguousarray(result[:, i, n + j])
    return entries

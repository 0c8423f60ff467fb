"""Exponentials of many small matrices, and the propagators of linear groups."""

from __future__ import annotations

from collections.abc import Callable
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

# Squarings from which `_square` is taken: each squaring may lose a bit of a slow state beside
# a fast one.
_MANY_HALVINGS = 8


def exponential(matrices: np.ndarray) -> np.ndarray:
    """Return the exponential of each matrix by scaling and squaring.

    Parameters
    ----------
    matrices : (K, n, n)

    Notes
    -----
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
    change = np.linalg.solve(even - odd, 2 * odd)
    result = one + change
    stiff = halvings >= _MANY_HALVINGS
    for number in range(halvings[~stiff].max(initial=0)):
        more = ~stiff & (halvings > number)
        result[more] = result[more] @ result[more]
    if stiff.any():
        result[stiff] = _square(change[stiff], halvings[stiff])
    return result


def _square(change: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return 1 + E squared again and again, of matrices E with entries of very different sizes.

    Parameters
    ----------
    change : (K, n, n)
        E.
    times : (K,) integers

    Notes
    -----
    (1 + E)**2 = 1 + (2 E + E**2): the small E of a slow state keeps the digits that 1 + E would
    round off. The diagonal is squared by itself as well, because there a fast state has 1 + E near
    0, whose digits E would round off.
    """
    i = np.arange(change.shape[1])
    diagonal = 1.0 + change[:, i, i]
    for number in range(times.max(initial=0)):
        more = times > number
        e = change[more]
        others = e.copy()
        others[:, i, i] = 0.0
        diagonal[more] = diagonal[more] ** 2 + np.einsum("kij,kji->ki", others, others)
        change[more] = 2.0 * e + e @ e
    change[:, i, i] = np.where(diagonal < 0.5, diagonal, 1.0 + change[:, i, i])
    return change


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
    result = exponential(block)[back.reshape(-1)]
    entries = {}
    for i, j in propagator.reach:
        entries[propagator.name("P", i, j)] = np.ascontiguousarray(result[:, i, j])
        entries[propagator.name("Q", i, j)] = np.ascontiguousarray(result[:, i, n + j])
    return entries

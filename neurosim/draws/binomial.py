"""Binomial counts, looked up in a table of cumulative probabilities."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_LEAST = 1e-30  # ratio to the largest probability below which a count never occurs


def binomial_counts(n: int, p: float, uniform: FloatArray) -> FloatArray:
    """Return the counts of successes at quantiles.

    Parameters
    ----------
    n : int
        Trials.
    p : float (1)
        Probability of success, 0 to 1.
    uniform : (K,) in (0, 1)

    Returns
    -------
    (K,) whole numbers
    """
    if p in (0.0, 1.0) or n == 0:
        return np.full(uniform.shape, n * p)
    first, cumulated = _table(n, p)
    return first + np.searchsorted(cumulated, uniform, side="right").astype(np.float64)


@lru_cache(maxsize=64)
def _table(n: int, p: float) -> tuple[int, FloatArray]:
    """Return the least count that occurs, and the probability of each count or a smaller one."""
    mode = min(int((n + 1) * p), n)
    # Ratios of neighbours, from the mode on, where nothing underflows however many trials there
    # are. Only basic arithmetic: a library's logarithm of factorials differs between machines.
    upwards = [1.0]
    downwards = []
    ratio = 1.0
    odds = p / (1.0 - p)
    for k in range(mode + 1, n + 1):
        ratio *= (n - k + 1) / k * odds
        if ratio < _LEAST:
            break
        upwards.append(ratio)
    ratio = 1.0
    for k in range(mode, 0, -1):
        ratio *= k / (n - k + 1) / odds
        if ratio < _LEAST:
            break
        downwards.append(ratio)
    cumulated = np.cumsum([*reversed(downwards), *upwards])
    # Without the last entry, which is 1: no quantile is beyond the largest count.
    return mode - len(downwards), cumulated[:-1] / cumulated[-1]

"""Measures of a liquid: the branching factor of a raster, and the rank of its answers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurosim.draws.streams import Stream
from neurosim.errors import NetworkError

WINDOW = 4  # ms before and after a spike
COUNTED = (25, 225)  # ms of a sample of 250 ms


def branching_factor(
    raster: ArrayLike, sources: NDArray[np.integer], targets: NDArray[np.integer]
) -> float:
    """Return the number of target spikes after a spike per source spike before it.

    Both are counted within 4 ms; source spikes count as at least one, and signs of weights do not
    matter. The mean is over the spikes of a neuron, then over the neurons that spiked; NaN if none
    did.

    Parameters
    ----------
    raster : (T, N) bool
        Row t is t ms; those of 25 to 224 ms count.
    sources, targets : (E,)
        Ends of the edges within the liquid.

    Raises
    ------
    NetworkError
        If the raster has too few rows.
    """
    from scipy.sparse import coo_array

    raw = np.asarray(raster)
    if raw.ndim != 2 or len(raw) < COUNTED[1]:
        raise NetworkError(
            f"branching factor: found a raster of shape {raw.shape}, expected (T, N) with at "
            f"least {COUNTED[1]} rows of "
            "1 ms. Give that of a sample of 250 ms."
        )
    # The margins are silent, not cut off, so that rows still count milliseconds.
    counted = np.zeros_like(raw, dtype=float)
    counted[slice(*COUNTED)] = raw[slice(*COUNTED)]
    size = counted.shape[1]
    edges = coo_array((np.ones(sources.size), (sources, targets)), shape=(size, size)).tocsr()
    total = np.cumsum(counted, axis=0)  # up to and with each ms
    at = np.arange(COUNTED[0] + WINDOW, COUNTED[1] - WINDOW)
    before = (total[at - 1] - total[at - 1 - WINDOW]) @ edges
    after = (total[at + WINDOW] - total[at]) @ edges.T
    spiked = counted[at].sum(axis=0)
    ratios = (counted[at] * after / np.maximum(before, 1)).sum(axis=0)
    return float(np.mean(ratios[spiked > 0] / spiked[spiked > 0])) if spiked.any() else np.nan


def kernel_rank(
    counts: ArrayLike, labels: ArrayLike, *, draws: int = 1000, each: int = 100, seed: int = 0
) -> float:
    """Return the mean rank of the counts of random samples, as many of each class.

    Answers to clean samples measure how well classes can be told apart (SP), those to noisy ones
    how little the liquid follows the noise (AP).

    Parameters
    ----------
    counts : (B, N)
    labels : (B,)
    draws : int
        Over which the mean is taken.
    each : int
        Samples of each class.
    seed : int

    Raises
    ------
    NetworkError
        If a class has too few samples.

    Source: Ivanov & Michmizos 2021, published code.
    """
    values = np.asarray(counts, np.float64)
    members = [np.flatnonzero(np.asarray(labels) == c) for c in np.unique(np.asarray(labels))]
    fewest = min(m.size for m in members)
    if fewest < each:
        raise NetworkError(
            f"kernel rank: found a class of {fewest} samples, expected at least {each} of each "
            "class. Give more samples, or a smaller each."
        )
    stream = Stream(seed, "astrocyte_liquid/ranks")
    ranks = []
    for number in range(draws):
        chosen = [
            m[np.argsort(stream.uniform(np.arange(m.size), row=number * len(members) + c))[:each]]
            for c, m in enumerate(members)
        ]
        ranks.append(np.linalg.matrix_rank(values[np.concatenate(chosen)]))
    return float(np.mean(ranks))

"""Measures of a liquid: the branching factor of a raster, and the rank of its answers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurosim.draws.streams import Stream
from neurosim.errors import NetworkError

WINDOW = 4  # ms before and after a spike
COUNTED = (25, 225)  # ms of a sample of 250 ms
WATCHED = 20  # samples over which a branching factor is averaged
BATCH = 250  # samples that the published program shows and records together


def watched(samples: int) -> NDArray[np.int64]:
    """Return the numbers of the samples that are watched: spread evenly over the first batch.

    Parameters
    ----------
    samples : int
        How many there are.

    Source: Ivanov & Michmizos 2021, published code.
    """
    last = min(samples, BATCH) - 1
    # Fewer than 20 samples are watched once each.
    return np.unique(np.linspace(0, last, WATCHED).astype(np.int64))


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
            f"least {COUNTED[1]} rows of 1 ms. Give that of a sample of 250 ms."
        )
    # The margins are silent, not cut off, so that rows still count milliseconds.
    counted = np.zeros_like(raw, dtype=float)
    counted[slice(*COUNTED)] = raw[slice(*COUNTED)]
    size = counted.shape[1]
    # Each edge counts 1: its weight says how strong it is, not whether a spike can pass on.
    ones = np.ones(sources.size)
    edges = coo_array((ones, (sources, targets)), shape=(size, size)).tocsr()
    total = np.cumsum(counted, axis=0)  # up to and with each ms
    # Only times whose windows both lie wholly within the counted time.
    times = np.arange(COUNTED[0] + WINDOW, COUNTED[1] - WINDOW)
    last = times - 1
    spikes_before = total[last] - total[last - WINDOW]
    spikes_after = total[times + WINDOW] - total[times]
    before = spikes_before @ edges
    after = spikes_after @ edges.T
    spikes = counted[times]
    per_neuron = spikes.sum(axis=0)
    if not per_neuron.any():
        return np.nan
    # A spike that no source preceded would otherwise be divided by zero.
    ratios = spikes * after / np.maximum(before, 1)
    sums = ratios.sum(axis=0)
    active = per_neuron > 0
    means = sums[active] / per_neuron[active]
    return float(np.mean(means))


def kernel_rank(
    counts: ArrayLike,
    labels: ArrayLike,
    *,
    draws: int = 1000,
    each: int = 100,
    seed: int = 0,
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
    classes = np.asarray(labels)
    members = [np.flatnonzero(classes == number) for number in np.unique(classes)]
    fewest = min(samples.size for samples in members)
    if fewest < each:
        raise NetworkError(
            f"kernel rank: found a class of {fewest} samples, expected at least {each} of each "
            "class. Give more samples, or a smaller each."
        )
    stream = Stream(seed, "astrocyte_liquid/ranks")
    ranks = []
    for number in range(draws):
        chosen = []
        for position, samples in enumerate(members):
            # A row of its own for each class and draw, so that no number is used twice.
            row = number * len(members) + position
            order = np.argsort(stream.uniform(np.arange(samples.size), row=row))
            chosen.append(samples[order[:each]])
        answers = values[np.concatenate(chosen)]
        ranks.append(np.linalg.matrix_rank(answers))
    return float(np.mean(ranks))

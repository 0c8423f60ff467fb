"""The branching factor of a raster, as the published program estimates it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurosim.errors import NetworkError

WINDOW = 4  # ms before and after a spike
KEPT = (25, 225)  # ms of a sample of 250 ms


def branching_factor(
    raster: ArrayLike, sources: NDArray[np.integer], targets: NDArray[np.integer]
) -> float:
    """Return how many spikes of its targets follow a spike, for each spike of its sources before
    it.

    Spikes of the sources within 4 ms before it count as at least one, and signs of weights do not
    count. The mean is over the spikes of a neuron, then over the neurons that spiked; NaN if none
    did.

    Parameters
    ----------
    raster : (T, N) bool
        Row t is t ms; what counts are 25 to 224 ms.
    sources, targets : (E,)
        Ends of the edges within the liquid.
    """
    from scipy.sparse import coo_array

    given = np.asarray(raster)
    if given.ndim != 2 or len(given) < KEPT[1]:
        raise NetworkError(
            f"branching factor: found a raster of shape {given.shape}, expected (T, N) with at "
            f"least {KEPT[1]} rows of "
            "1 ms. Give that of a sample of 250 ms."
        )
    kept = np.zeros_like(given, dtype=float)
    kept[slice(*KEPT)] = given[slice(*KEPT)]
    size = kept.shape[1]
    edges = coo_array((np.ones(sources.size), (sources, targets)), shape=(size, size)).tocsr()
    total = np.cumsum(kept, axis=0)  # up to and with each ms
    at = np.arange(KEPT[0] + WINDOW, KEPT[1] - WINDOW)
    before = (total[at - 1] - total[at - 1 - WINDOW]) @ edges
    after = (total[at + WINDOW] - total[at]) @ edges.T
    spiked = kept[at].sum(axis=0)
    ratios = (kept[at] * after / np.maximum(before, 1)).sum(axis=0)
    return float(np.mean(ratios[spiked > 0] / spiked[spiked > 0])) if spiked.any() else np.nan

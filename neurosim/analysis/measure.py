"""Measures of recorded spikes: rates, intervals, their variability, correlation."""

from __future__ import annotations

import numpy as np

from ..errors import NetworkError
from ..quantities import read_time
from ..recording.firing import (
    SECOND,
    cv_intervals,
    intervals,
    rate,
    rates,
    require_content,
)
from ..recording.samples import Spikes
from ..units import Time

__all__ = ["correlation", "cv_intervals", "intervals", "population_rate", "rate", "rates"]


def population_rate(
    spikes: Spikes,
    bin: Time,
    *,
    start: Time | None = None,
    stop: Time | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean rate per recorded neuron over time.

    Parameters
    ----------
    spikes : Spikes
    bin : time, ms
        A whole number of steps. A last, incomplete bin is left out.
    start, stop : time, ms, optional
        Bounds of the interval; the whole recording unless given.

    Returns
    -------
    centres : (B,) float64, ms
    rates : (B,) float64, Hz

    Raises
    ------
    NetworkError
        As of `rate`, and if the bin is no whole number of steps.
    """
    inside = require_content(spikes.window(start, stop), "population rate")
    width = _bin_steps(inside, bin)
    bins = inside.steps // width
    at_bin = (inside.step - inside.first) // width
    # Spikes of the last, incomplete bin are counted by `bincount` and then cut off.
    count = np.bincount(at_bin, minlength=bins)[:bins]
    middle = np.arange(bins) + 0.5
    centres = (inside.first + width * middle) * inside.dt
    # Neurons that never spiked count as well: the mean is over all that were recorded.
    observed = inside.members.size * width * inside.dt
    return centres, count * (SECOND / observed)


def correlation(
    spikes: Spikes,
    bin: Time,
    *,
    start: Time | None = None,
    stop: Time | None = None,
) -> float:
    """Return the mean Pearson correlation of spike counts in bins, over all pairs of neurons.

    Neurons whose count never changes have no correlation and are left out.

    Parameters
    ----------
    spikes : Spikes
    bin : time, ms
        A whole number of steps.
    start, stop : time, ms, optional
        Bounds of the interval; the whole recording unless given.

    Returns
    -------
    float, 1
        NaN if fewer than two neurons remain.

    Raises
    ------
    NetworkError
        As of `population_rate`.

    Notes
    -----
    No pair is visited: with counts z standardised per neuron, the sum over all ordered pairs is
    the mean over time of (sum of z)**2, less the N pairs of a neuron with itself. So the cost
    grows with the spikes, not with the square of the neurons.
    """
    inside = require_content(spikes.window(start, stop), "correlation")
    width = _bin_steps(inside, bin)
    bins = inside.steps // width
    at_bin = (inside.step - inside.first) // width
    complete = at_bin < bins
    # One number for neuron and bin; 64 bits, since their product can exceed 32.
    pair_of_spike = inside.index[complete] * np.int64(bins) + at_bin[complete]
    pairs, count = np.unique(pair_of_spike, return_counts=True)
    # A window shorter than a bin has none; it is answered with NaN below.
    divisor = max(bins, 1)
    neuron = pairs // divisor
    at_bin = pairs % divisor
    mean = np.bincount(neuron, count, inside.size) / divisor
    mean_square = np.bincount(neuron, count**2, inside.size) / divisor
    spread = np.sqrt(mean_square - mean**2)
    # Counts are whole numbers: rounding leaves far less, true spreads are above 1 / bins.
    varies = spread > 1e-9
    number = np.count_nonzero(varies)
    if number < 2:
        return float("nan")
    weight = np.divide(1.0, spread, out=np.zeros(inside.size), where=varies)
    # Bins without a spike of a neuron enter through its mean alone.
    in_bin = np.bincount(at_bin, count * weight[neuron], bins)
    total = in_bin - np.sum(mean * weight)
    ordered_pairs = number * (number - 1)
    return float((np.mean(total**2) - number) / ordered_pairs)


def _bin_steps(spikes: Spikes, bin: Time) -> int:
    """Return the number of steps of a bin."""
    width = read_time(bin, where="bin")
    steps = round(width / spikes.dt)
    if steps < 1 or abs(steps * spikes.dt - width) > 1e-9 * width:
        nearest = max(steps, 1) * spikes.dt
        raise NetworkError(
            f"bin of {width:.12g} ms: it is not a multiple of dt ({spikes.dt:.12g} ms); "
            f"expected a whole number of steps. Use {nearest:.12g} ms."
        )
    return steps

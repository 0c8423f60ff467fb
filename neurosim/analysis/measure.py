"""Measures of recorded spikes: rates, intervals, their variability, correlation."""

from __future__ import annotations

import numpy as np

from ..errors import NetworkError
from ..quantities import read_time
from ..recording.samples import Spikes
from ..units import Time

SECOND = 1000.0  # ms


def rate(spikes: Spikes, *, start: Time | None = None, stop: Time | None = None) -> float:
    """Return the mean rate of the recorded neurons.

    Parameters
    ----------
    spikes : Spikes
    start, stop : time, ms, optional
        Bounds of the interval; the whole recording unless given.

    Returns
    -------
    float, Hz

    Raises
    ------
    NetworkError
        If the interval reaches beyond the recording, or holds no step or no neuron.
    """
    return float(np.mean(rates(spikes, start=start, stop=stop)))


def rates(spikes: Spikes, *, start: Time | None = None, stop: Time | None = None) -> np.ndarray:
    """Return the rate of each recorded neuron.

    Parameters
    ----------
    spikes : Spikes
    start, stop : time, ms, optional
        Bounds of the interval; the whole recording unless given.

    Returns
    -------
    (M,) float64, Hz
        In the order of ``spikes.members``.

    Raises
    ------
    NetworkError
        As of `rate`.
    """
    inside = _require_content(spikes.window(start, stop), "rate")
    return inside.count() * (SECOND / inside.duration)


def population_rate(
    spikes: Spikes, bin: Time, *, start: Time | None = None, stop: Time | None = None
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
    inside = _require_content(spikes.window(start, stop), "population rate")
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


def intervals(spikes: Spikes, *, start: Time | None = None, stop: Time | None = None) -> np.ndarray:
    """Return the intervals between successive spikes of the same neuron.

    Parameters
    ----------
    spikes : Spikes
    start, stop : time, ms, optional
        Bounds of the interval; the whole recording unless given.

    Returns
    -------
    float64, ms
        Neuron by neuron, those of one neuron in order of time.
    """
    steps, _ = _interval_steps(spikes.window(start, stop))
    # Whole steps are subtracted, then scaled: differences of rounded times would not be equal.
    return steps * spikes.dt


def cv_intervals(
    spikes: Spikes, *, start: Time | None = None, stop: Time | None = None
) -> np.ndarray:
    """Return the coefficient of variation of the intervals of each recorded neuron.

    The standard deviation is that of the population, not of a sample. A regular train has 0, a
    Poisson process 1.

    Parameters
    ----------
    spikes : Spikes
    start, stop : time, ms, optional
        Bounds of the interval; the whole recording unless given.

    Returns
    -------
    (M,) float64, 1
        In the order of ``spikes.members``; NaN for fewer than three spikes.
    """
    steps, neuron = _interval_steps(spikes.window(start, stop))
    count = np.bincount(neuron, minlength=spikes.size)
    # Silent neurons divide by 0; they get their NaN below.
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(neuron, steps, spikes.size) / count
        squares = (steps - mean[neuron]) ** 2
        variance = np.bincount(neuron, squares, spikes.size) / count
        variation = np.sqrt(variance) / mean
    # One interval has no spread, and would count as regular.
    of_neuron = np.where(count >= 2, variation, np.nan)
    return of_neuron[spikes.members]


def correlation(
    spikes: Spikes, bin: Time, *, start: Time | None = None, stop: Time | None = None
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
    inside = _require_content(spikes.window(start, stop), "correlation")
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


def _interval_steps(spikes: Spikes) -> tuple[np.ndarray, np.ndarray]:
    """Return the intervals in steps, and the neuron of each."""
    order = np.argsort(spikes.index, kind="stable")
    index = spikes.index[order]
    step = spikes.step[order]
    same_neuron = index[1:] == index[:-1]
    return np.diff(step)[same_neuron], index[1:][same_neuron]


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


def _require_content(spikes: Spikes, quantity: str) -> Spikes:
    if spikes.steps == 0 or spikes.members.size == 0:
        raise NetworkError(
            f"{quantity}: found {spikes.members.size} neurons and {spikes.steps} steps; "
            "expected at least one of each. Choose a longer window."
        )
    return spikes

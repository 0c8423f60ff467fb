"""How often the recorded neurons fire, and how regularly."""

from __future__ import annotations

import numpy as np

from ..errors import NetworkError
from ..units import Time
from .samples import Spikes

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
    inside = require_content(spikes.window(start, stop), "rate")
    return inside.count() * (SECOND / inside.duration)


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


def _interval_steps(spikes: Spikes) -> tuple[np.ndarray, np.ndarray]:
    """Return the intervals in steps, and the neuron of each."""
    order = np.argsort(spikes.index, kind="stable")
    index = spikes.index[order]
    step = spikes.step[order]
    same_neuron = index[1:] == index[:-1]
    return np.diff(step)[same_neuron], index[1:][same_neuron]


def require_content(spikes: Spikes, quantity: str) -> Spikes:
    """Return spikes, or raise NetworkError if they are of no neurons or no steps.

    Parameters
    ----------
    spikes : Spikes
    quantity : str
        Begins the message.
    """
    if spikes.steps == 0 or spikes.members.size == 0:
        raise NetworkError(
            f"{quantity}: found {spikes.members.size} neurons and {spikes.steps} steps; "
            "expected at least one of each. Choose a longer window."
        )
    return spikes

"""Measures of recorded spikes: rates, intervals, their variability, correlation."""

from __future__ import annotations

import numpy as np

from ..errors import NetworkError
from ..recording.samples import Spikes

SECOND = 1000.0  # ms


def rate(spikes: Spikes, *, start: float | None = None, stop: float | None = None) -> float:
    """Return the mean rate of the recorded neurons in Hz, between two times in ms (the whole
    recording unless given).
    """
    return float(np.mean(rates(spikes, start=start, stop=stop)))


def rates(spikes: Spikes, *, start: float | None = None, stop: float | None = None) -> np.ndarray:
    """Return the (M,) rates of the recorded neurons in Hz, ``spikes.members``, between two times in
    ms (the whole recording unless given).
    """
    part = _some(spikes.window(start, stop), "rate")
    return part.count() * (SECOND / part.duration)


def population_rate(
    spikes: Spikes, bin: float, *, start: float | None = None, stop: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean rate per recorded neuron over time.

    Parameters
    ----------
    bin : ms
        A whole number of steps. A last, incomplete bin is left out.

    Returns
    -------
    centres of the bins, ms, and rates, Hz; (B,) each
    """
    part = _some(spikes.window(start, stop), "population rate")
    width = _steps(part, bin)
    bins = part.steps // width
    count = np.bincount((part.step - part.first) // width, minlength=bins)[:bins]
    centres = (part.first + width * (np.arange(bins) + 0.5)) * part.dt
    return centres, count * (SECOND / (part.members.size * width * part.dt))


def intervals(
    spikes: Spikes, *, start: float | None = None, stop: float | None = None
) -> np.ndarray:
    """Return the intervals between successive spikes of the same neuron in ms: all neurons, neuron
    by neuron, each in order of time.
    """
    steps, _ = _intervals(spikes.window(start, stop))
    return steps * spikes.dt


def cv_intervals(
    spikes: Spikes, *, start: float | None = None, stop: float | None = None
) -> np.ndarray:
    """Return the (M,) coefficients of variation of the intervals: standard deviation (of the
    population, not of a sample) over mean.

    One per recorded neuron, ``spikes.members``: a regular one has 0, a Poisson process 1; fewer
    than three spikes give NaN.
    """
    steps, neuron = _intervals(spikes.window(start, stop))
    count = np.bincount(neuron, minlength=spikes.size)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(neuron, steps, spikes.size) / count
        spread = np.sqrt(np.bincount(neuron, (steps - mean[neuron]) ** 2, spikes.size) / count)
        return np.where(count >= 2, spread / mean, np.nan)[spikes.members]


def correlation(
    spikes: Spikes, bin: float, *, start: float | None = None, stop: float | None = None
) -> float:
    """Return the mean Pearson correlation of spike counts in bins of `bin` ms, over all pairs of
    neurons.

    Neurons whose count never changes have no correlation and are left out; NaN if fewer than two
    remain.

    Notes
    -----
    No pair is visited: with counts z standardised per neuron, the sum over all ordered pairs is the
    mean over time of (sum of z)**2,
    less the N pairs of a neuron with itself. So the cost grows with the spikes, not with the square
    of the neurons.
    """
    part = _some(spikes.window(start, stop), "correlation")
    width = _steps(part, bin)
    bins = part.steps // width
    place = (part.step - part.first) // width
    inside = place < bins
    pairs, count = np.unique(
        part.index[inside] * np.int64(bins) + place[inside], return_counts=True
    )
    neuron, place = pairs // max(bins, 1), pairs % max(bins, 1)
    mean = np.bincount(neuron, count, part.size) / max(bins, 1)
    spread = np.sqrt(np.bincount(neuron, count**2, part.size) / max(bins, 1) - mean**2)
    varies = (
        spread > 1e-9
    )  # counts are whole numbers: rounding leaves far less, true spreads are above 1/bins
    if np.count_nonzero(varies) < 2:
        return float("nan")
    weight = np.divide(1.0, spread, out=np.zeros(part.size), where=varies)
    total = np.bincount(place, count * weight[neuron], bins) - np.sum(mean * weight)
    number = np.count_nonzero(varies)
    return float((np.mean(total**2) - number) / (number * (number - 1)))


def _intervals(spikes: Spikes) -> tuple[np.ndarray, np.ndarray]:
    """Return the intervals in steps and the neuron of each."""
    order = np.argsort(spikes.index, kind="stable")
    index, step = spikes.index[order], spikes.step[order]
    same = index[1:] == index[:-1]
    return np.diff(step)[same], index[1:][same]


def _steps(spikes: Spikes, bin: float) -> int:
    """Return the number of steps of a bin."""
    steps = round(bin / spikes.dt)
    if steps < 1 or abs(steps * spikes.dt - bin) > 1e-9 * bin:
        better = max(steps, 1) * spikes.dt
        raise NetworkError(
            f"bin of {bin:g} ms: it is not a multiple of dt ({spikes.dt:g} ms); "
            f"expected a whole number of steps. Use {better:g} ms."
        )
    return steps


def _some(spikes: Spikes, what: str) -> Spikes:
    if spikes.steps == 0 or spikes.members.size == 0:
        raise NetworkError(
            f"{what}: found {spikes.members.size} neurons and {spikes.steps} steps; "
            "expected at least one of each. Choose a longer window."
        )
    return spikes

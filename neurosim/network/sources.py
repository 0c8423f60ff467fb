"""Sources: cells whose spikes follow from chance or from a list, not from input."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..draws.ranges import NOT_NEGATIVE, PROBABILITY, Limits
from ..errors import NetworkError, describe
from ..model.cell import Cell
from ..model.declarations import Parameter
from ..units import Quantity, to_engine, unit
from .validation import MOST_STEPS, FloatArray, to_steps

SpikeLists: TypeAlias = ArrayLike | Sequence[Quantity]
"""Times or steps of spikes: a list for each neuron, or a pair (indices, times)."""

# At most one spike per step, with the probability that a Poisson process has any in that time.
POISSON = Cell(
    parameters={"rate": Parameter("Hz", 0.0)},
    spike="uniform() < 1 - exp(-rate * dt)",
    name="poisson",
)
BERNOULLI = Cell(parameters={"p": Parameter("1", 0.0)}, spike="uniform() < p", name="bernoulli")
GIVEN = Cell(name="given spikes")


def limits_of(cell: Cell) -> Limits:
    """Return the limits of a source's only parameter: a rate, a probability; else none."""
    if cell is POISSON:
        return NOT_NEGATIVE
    return PROBABILITY if cell is BERNOULLI else Limits()


def read_spikes(
    size: int, dt: float, *, times: SpikeLists | None, steps: SpikeLists | None, where: str
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the steps and neurons of spikes, sorted by step, then neuron.

    Parameters
    ----------
    size : int
        Number of neurons, N.
    dt : float, ms
    times : N lists of times, or (indices, times), optional
        The time t is that of step t/dt - 1, so that a recording returns it.
    steps : the same in whole steps, optional
    where : str
        Begins each message.

    Raises
    ------
    NetworkError
        If there are both or neither, a neuron or step does not exist, a time is no multiple of dt,
        or a neuron spikes twice in a step.
    """
    # Both units are offered, since times need a dt that divides them and steps do not.
    if (times is None) == (steps is None):
        passed = "both" if times is not None else "neither"
        raise NetworkError(f"{where}: expected either times= or steps=, found {passed}. Give one.")
    if times is not None:
        index, when = _split(times, size, where)
        step = _steps_of_times(when, dt, where)
    else:
        index, when = _split(steps, size, where)
        step = _read_steps(when, where)
    neuron = _read_neurons(index, size, where)
    if step.shape != neuron.shape or step.ndim != 1:
        raise NetworkError(
            f"{where}: found indices of shape {neuron.shape} and spikes of shape {step.shape}, "
            "expected as many of both in one dimension. Correct one of them."
        )
    # Engines replay spikes in this order and never search.
    order = np.lexsort((neuron, step))
    step, neuron = step[order], neuron[order].astype(np.int32)
    _refuse_repeated(step, neuron, where)
    return np.ascontiguousarray(step), np.ascontiguousarray(neuron)


def _split(spikes: object, size: int, where: str) -> tuple[object, object]:
    """Return neurons and times (or steps) of spikes in one of the two forms."""
    # A pair is read as (indices, times) even for two neurons: their two lists go into a list.
    if isinstance(spikes, tuple) and len(spikes) == 2:
        index, when = spikes
        if isinstance(index, list | tuple | range | np.ndarray):
            return index, when
    description, lists = describe(spikes), None
    iterable = np.iterable(spikes)  # an array of no dimension is not
    if iterable and isinstance(spikes, Collection) and not isinstance(spikes, str):
        description, lists = f"spikes of {len(spikes)} neurons", spikes
    if lists is None or len(lists) != size:
        raise NetworkError(
            f"{where}: found {description}, expected a list for each of {size}, or "
            "(indices, times). Give an empty list to a silent neuron."
        )
    trains = [
        np.ravel(to_engine(train, unit("ms"), where=f"{where}, neuron {i}", error=NetworkError))
        for i, train in enumerate(lists)
    ]
    counts = [train.size for train in trains]
    return np.repeat(np.arange(size), counts), np.concatenate(trains)


def _read_neurons(index: object, size: int, where: str) -> FloatArray:
    number = to_engine(index, unit("1"), where=f"{where}, indices", error=NetworkError)
    neuron = np.atleast_1d(number)
    if not ((neuron >= 0) & (neuron < size) & (neuron == np.floor(neuron))).all():
        raise NetworkError(
            f"{where}: found a neuron index outside 0 ... {size - 1}, "
            f"expected whole indices below {size}. Correct the indices."
        )
    return neuron


def _steps_of_times(when: object, dt: float, where: str) -> NDArray[np.int64]:
    times = np.atleast_1d(to_engine(when, unit("ms"), where=where, error=NetworkError))
    if not (times > 0).all():
        raise NetworkError(
            f"{where}: found a spike at {times.min():g} ms; the first possible time is dt "
            f"({dt:g} ms), the end of step 0. Use {dt:g} ms, or steps=."
        )
    # Step k ends at (k + 1) dt, the time under which its spikes are recorded.
    return to_steps(times, dt, where=f"{where}: spike time") - 1


def _read_steps(when: object, where: str) -> NDArray[np.int64]:
    number = to_engine(when, unit("1"), where=f"{where}, steps", error=NetworkError)
    step = np.atleast_1d(number)
    if not ((step >= 0) & (step < MOST_STEPS) & (step == np.floor(step))).all():
        raise NetworkError(
            f"{where}: found a step that is negative or not whole, expected 0, 1, 2, ... "
            "Correct the steps."
        )
    return step.astype(np.int64)


def _refuse_repeated(step: NDArray[np.int64], neuron: NDArray[np.int32], where: str) -> None:
    """Raise if a neuron has two spikes in one step; spikes are sorted."""
    repeated = np.flatnonzero((np.diff(step) == 0) & (np.diff(neuron) == 0))
    if repeated.size:
        first = repeated[0]
        raise NetworkError(
            f"{where}: neuron {neuron[first]} has two spikes in step {step[first]}, "
            "expected at most one. Remove one."
        )

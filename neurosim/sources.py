"""Cells of sources: populations whose spikes follow from chance or from a list, not from input."""

from __future__ import annotations

from typing import Any

import numpy as np

from .checks import whole_steps
from .errors import NetworkError
from .model import Cell, Parameter
from .units import to_engine, unit


def poisson_cell(rate: Any) -> Cell:
    """At most one spike per step, with probability 1 - exp(-rate dt)."""
    return Cell(parameters={"rate": Parameter("Hz", rate)}, spike="uniform() < 1 - exp(-rate * dt)", name="poisson")


def bernoulli_cell(p: Any) -> Cell:
    """A spike in each step with probability p."""
    return Cell(parameters={"p": Parameter("1", p)}, spike="uniform() < p", name="bernoulli")


GIVEN = Cell(name="given spikes")


def given_spikes(size: int, dt: float, *, times: Any, steps: Any, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Return (steps, indices) sorted by step, then index, of spikes given per neuron or as pairs (index, when).

    Parameters
    ----------
    times : sequence of N arrays of times, or (indices, times)
        A time t is step t/dt - 1, so that a recording returns it.
    steps : the same in whole steps
    """
    if (times is None) == (steps is None):
        raise NetworkError(f"{where}: expected either times= or steps=, found {'both' if times is not None else 'neither'}. Give one.")
    given = times if steps is None else steps
    if isinstance(given, tuple) and len(given) == 2:
        index, when = np.asarray(given[0]), [given[1]] if isinstance(given[1], str) else given[1]
    else:
        if len(given) != size:
            raise NetworkError(f"{where}: found spikes of {len(given)} neurons, expected a list for each of {size}, or (indices, times). "
                               "Give an empty list to a silent neuron.")
        index = np.repeat(np.arange(size), [np.size(w) for w in given])
        when = np.concatenate([np.asarray(w, np.float64).ravel() for w in given]) if size else np.zeros(0)
    index = np.asarray(index)
    if index.size and (index.dtype.kind not in "iu" or index.min() < 0 or index.max() >= size):
        raise NetworkError(f"{where}: found a neuron index outside 0 ... {size - 1}, expected whole indices below {size}. Correct the indices.")
    if steps is None:
        values = np.atleast_1d(to_engine(when, unit("ms"), where=where, error=NetworkError))
        if values.size and not (values > 0).all():
            raise NetworkError(f"{where}: found a spike at {values.min():g} ms; the first possible time is dt ({dt:g} ms), "
                               f"the end of step 0. Use {dt:g} ms, or steps=.")
        step = whole_steps(values, dt, where=f"{where}: spike time") - 1
    else:
        step = np.asarray(when)
        if step.size and (not np.isfinite(step).all() or (step != np.floor(step)).any() or step.min() < 0):
            raise NetworkError(f"{where}: found a step that is negative or not whole, expected 0, 1, 2, ... Correct the steps.")
        step = step.astype(np.int64)
    if step.shape != index.shape:
        raise NetworkError(f"{where}: found {index.size} indices but {step.size} spikes, expected as many of both. Correct one of them.")
    order = np.lexsort((index, step))
    step, index = step[order], index[order].astype(np.int32)
    twice = (np.diff(step) == 0) & (np.diff(index) == 0)
    if twice.any():
        at = int(np.flatnonzero(twice)[0])
        raise NetworkError(f"{where}: neuron {index[at]} has two spikes in step {step[at]}, expected at most one. Remove one.")
    return np.ascontiguousarray(step), np.ascontiguousarray(index)



"""Cells of sources: populations whose spikes follow from chance or from a list, not from input."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..draws.ranges import NOT_NEGATIVE, PROBABILITY, Limits
from ..errors import NetworkError, describe
from ..model.cell import Cell
from ..model.declarations import Parameter
from ..units import to_engine, unit
from .validation import LONGEST, to_steps

POISSON = Cell(
    parameters={"rate": Parameter("Hz", 0.0)},
    spike="uniform() < 1 - exp(-rate * dt)",
    name="poisson",
)
BERNOULLI = Cell(parameters={"p": Parameter("1", 0.0)}, spike="uniform() < p", name="bernoulli")
GIVEN = Cell(name="given spikes")


def limits_of(cell: Cell) -> Limits:
    """Return the limits of a source's only parameter: a rate, a probability; none for other cells."""
    if cell is POISSON:
        return NOT_NEGATIVE
    return PROBABILITY if cell is BERNOULLI else Limits()


def _pairs(given: Any, size: int, where: str) -> tuple[Any, Any]:
    """Return (indices, when) of spikes given so, or as a list for each neuron."""
    if (
        isinstance(given, tuple)
        and len(given) == 2
        and isinstance(given[0], list | tuple | range | np.ndarray)
    ):
        return given
    sequence = np.iterable(given) and not isinstance(given, str) and hasattr(given, "__len__")
    if not sequence or len(given) != size:
        found = f"spikes of {len(given)} neurons" if sequence else describe(given)
        raise NetworkError(
            f"{where}: found {found}, expected a list for each of {size}, or (indices, times). "
            "Give an empty list to a silent neuron."
        )
    lists = [
        np.ravel(to_engine(each, unit("ms"), where=f"{where}, neuron {i}", error=NetworkError))
        for i, each in enumerate(given)
    ]
    return np.repeat(np.arange(size), [each.size for each in lists]), np.concatenate(lists)


def given_spikes(
    size: int, dt: float, *, times: Any, steps: Any, where: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return (steps, indices) sorted by step, then index, of spikes given per neuron or as pairs (index, when).

    Parameters
    ----------
    times : sequence of N arrays of times, or (indices, times)
        A time t is step t/dt - 1, so that a recording returns it.
    steps : the same in whole steps
    """
    if (times is None) == (steps is None):
        raise NetworkError(
            f"{where}: expected either times= or steps=, found {'both' if times is not None else 'neither'}. Give one."
        )
    index, when = _pairs(times if steps is None else steps, size, where)
    index = np.atleast_1d(
        to_engine(index, unit("1"), where=f"{where}, indices", error=NetworkError)
    )
    if index.size and not ((index >= 0) & (index < size) & (index == np.floor(index))).all():
        raise NetworkError(
            f"{where}: found a neuron index outside 0 ... {size - 1}, expected whole indices below {size}. Correct the indices."
        )
    if steps is None:
        values = np.atleast_1d(to_engine(when, unit("ms"), where=where, error=NetworkError))
        if values.size and not (values > 0).all():
            raise NetworkError(
                f"{where}: found a spike at {values.min():g} ms; the first possible time is dt ({dt:g} ms), "
                f"the end of step 0. Use {dt:g} ms, or steps=."
            )
        step = to_steps(values, dt, where=f"{where}: spike time") - 1
    else:
        step = np.atleast_1d(
            to_engine(when, unit("1"), where=f"{where}, steps", error=NetworkError)
        )
        if step.size and (
            not (np.abs(step) < LONGEST).all() or (step != np.floor(step)).any() or step.min() < 0
        ):
            raise NetworkError(
                f"{where}: found a step that is negative or not whole, expected 0, 1, 2, ... Correct the steps."
            )
        step = step.astype(np.int64)
    if step.shape != index.shape or step.ndim != 1:
        raise NetworkError(
            f"{where}: found indices of shape {index.shape} and spikes of shape {step.shape}, expected as many of both in one dimension. "
            "Correct one of them."
        )
    order = np.lexsort((index, step))
    step, index = step[order], index[order].astype(np.int32)
    twice = (np.diff(step) == 0) & (np.diff(index) == 0)
    if twice.any():
        at = int(np.flatnonzero(twice)[0])
        raise NetworkError(
            f"{where}: neuron {index[at]} has two spikes in step {step[at]}, expected at most one. Remove one."
        )
    return np.ascontiguousarray(step), np.ascontiguousarray(index)

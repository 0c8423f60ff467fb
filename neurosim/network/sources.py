"""Sources: cells whose spikes follow from chance or from a list, not from input."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..draws.ranges import NOT_NEGATIVE, PROBABILITY, Limits, require_range
from ..draws.streams import MOST_COUNTS
from ..draws.values import Distribution
from ..errors import NetworkError, describe
from ..expr.evaluate import evaluate
from ..expr.tree import Expr, names
from ..model.cell import Cell
from ..model.declarations import Parameter
from ..quantities import to_engine
from ..units import Quantity, Unit, unit
from .validation import MOST_STEPS, FloatArray, to_steps

SpikeLists: TypeAlias = ArrayLike | Sequence[Quantity]
"""Times or steps of spikes: a list for each neuron, or a pair (indices, times)."""

# At most one spike per step, with the probability that keeps the mean of a Poisson process.
POISSON = Cell(
    parameters={"rate": Parameter("Hz", 0.0)},
    spike="uniform() < rate * dt",
    name="poisson",
)
BERNOULLI = Cell(parameters={"p": Parameter("1", 0.0)}, spike="uniform() < p", name="bernoulli")
# The part of an interval that has passed. Sums of steps may end just below 1.
REGULAR = Cell(
    "phase : 1",
    parameters={"rate": Parameter("Hz", 0.0)},
    step="phase = phase + clip(rate * dt, 0, 1)",
    spike="phase >= 1 - 1e-9",
    after_spike="phase = phase - 1",
    name="regular",
)
# Every n-th event of a Poisson process has intervals of a gamma distribution of shape n.
GAMMA = Cell(
    "events : 1",
    parameters={"rate": Parameter("Hz", 0.0), "shape": Parameter("1", 1.0)},
    step="events = events + where(uniform() < shape * rate * dt, 1, 0)",
    spike="events >= shape",
    after_spike="events = 0",
    name="gamma",
)
# Intervals of any shape: `left` is the rest of one, and `spare` the next one, in mean intervals.
# A spare is drawn by acceptance, one attempt in a step, so that it is there long before it is used.
# Source: Marsaglia & Tsang 2000, as `draws.gamma`.
RENEWAL = Cell(
    """left : 1
       spare : 1
       core = where(shape < 1, shape + 1, shape) - 1 / 3 : 1
       gauss = normal() : 1
       cube = (1 + gauss / sqrt(9 * core))**3 : 1
       bound = 0.5 * gauss**2 + core - core * cube + core * log(where(cube > 0, cube, 1)) : 1
       boost = where(shape < 1, exp(log(uniform()) / shape), 1) : 1""",
    parameters={"rate": Parameter("Hz", 0.0), "shape": Parameter("1", 1.0)},
    step="""left = left - clip(rate * dt, 0, 1)
            spare = where(spare > 0, spare, where(cube > 0 and log(uniform()) < bound,
                                                  core * cube * boost / shape, 0))""",
    spike="left <= 0 and spare > 0",
    after_spike="left = left + spare; spare = 0",
    name="renewal",
)
LEAST_SHAPE = 0.1  # below, most intervals are shorter than a step
GIVEN_SPIKES = Cell(name="given spikes")


# A rate of 1/dt is allowed whatever the rounding of its product with dt.
_ROUNDING = 1 + 1e-9


def has_shape(cell: Cell) -> bool:
    """Return whether a cell is a source whose intervals have a shape, a rate as text or not."""
    return any(
        (cell.step, cell.spike) == (source.step, source.spike) for source in (GAMMA, RENEWAL)
    )


def read_shape(shape: object, *, where: str) -> float:
    """Return the shape of the intervals of a gamma source.

    Raises
    ------
    NetworkError
        If it is no number, or below `LEAST_SHAPE`.
    """
    number = to_engine(shape, unit("1"), where=where, error=NetworkError)
    if isinstance(number, np.ndarray) or not np.isfinite(number) or number < LEAST_SHAPE:
        raise NetworkError(
            f"{where}: found {describe(shape)}, expected one number of at least {LEAST_SHAPE}. "
            "Change it."
        )
    return float(number)


def require_source_value(
    cell: Cell,
    value: Any,
    *,
    size: int,
    dt: float,
    where: str,
    declared: Unit,
    shape: Any = 1.0,
) -> None:
    """Raise unless a rate or probability lies within the limits of its source.

    Values of other cells have no limits. The largest rate of an unbounded draw is not known before
    it is made: drawn numbers are checked again.

    Parameters
    ----------
    cell : Cell
    value : number, array, Table, Distribution or expression over ``i`` and ``N``
        In engine units.
    size : int
        Number of neurons.
    dt : float, ms
    where : str
        Begins the message.
    declared : Unit
        Of the parameter.
    shape : float
        Of the intervals of a gamma source.

    Raises
    ------
    NetworkError
        A rate below 0 or above 1/dt, a probability outside 0 to 1.
    """
    sources = (POISSON, BERNOULLI, REGULAR, GAMMA, RENEWAL)
    if not any(cell is source for source in sources) or (
        has_shape(cell) and declared.exponents == unit("1").exponents
    ):
        return
    if cell is GAMMA:
        dt = dt * float(np.max(shape))  # its events are those of a Poisson process, several a spike
    if isinstance(value, Expr):
        words = {"i": np.arange(size, dtype=np.float64), "N": float(size)}
        if not names(value) <= words.keys():
            return
        value = np.asarray(evaluate(value, words.__getitem__))
    if cell is BERNOULLI:
        require_range(value, PROBABILITY, where=where, declared=declared)
        return
    _require_rate(
        value,
        most=_most_rate(dt),
        where=where,
        remedy=f"A source has at most one spike in a step of {dt:.12g} ms. Use a smaller dt, or "
        "net.poisson_drive, which counts several.",
    )


def require_drive_rate(
    value: Any,
    *,
    n: int,
    dt: float,
    where: str,
) -> None:
    """Raise unless the rate of a drive's trains can be counted; see `draws.streams.poisson`.

    Parameters
    ----------
    value : number, array or Distribution, 1/ms
        Of each train.
    n : int
        Number of trains.
    dt : float, ms
    where : str
        Begins the message.

    Raises
    ------
    NetworkError
        A rate below 0, or more counts per step than can be drawn.
    """
    _require_rate(
        value,
        most=_most_rate_of_train(n, dt),
        where=where,
        remedy=f"Above {MOST_COUNTS:g} counts per step use a smaller dt, or a constant input.",
    )


def limits_of_source(cell: Cell, dt: float) -> Limits | None:
    """Return the limits that `require_source_value` demands of a rate or probability.

    Returns
    -------
    Limits or None
        None of sources whose intervals have a shape, on which the limits depend. Other cells have
        no limits.
    """
    if has_shape(cell):
        return None
    if cell is BERNOULLI:
        return PROBABILITY
    if cell is POISSON or cell is REGULAR:
        return Limits(least=0.0, most=_most_rate(dt))
    return Limits()


def limits_of_drive(n: int, dt: float) -> Limits:
    """Return the limits that `require_drive_rate` demands of a rate."""
    return Limits(least=0.0, most=_most_rate_of_train(n, dt))


def _most_rate(dt: float) -> float:
    return _ROUNDING / dt


def _most_rate_of_train(n: int, dt: float) -> float:
    return _ROUNDING * MOST_COUNTS / (n * dt)


def _require_rate(
    value: Any,
    *,
    most: float,
    where: str,
    remedy: str,
) -> None:
    hertz = unit("Hz")
    require_range(value, NOT_NEGATIVE, where=where, declared=hertz)
    # Whether an unbounded draw exceeds the limit is known only when it is made.
    if isinstance(value, Distribution) and np.isinf(value.bounds(hertz)[1]):
        return
    limits = Limits(most=most)
    require_range(value, limits, where=where, declared=hertz, remedy=remedy)


def read_spikes(
    size: int,
    dt: float,
    *,
    times: SpikeLists | None,
    steps: SpikeLists | None,
    where: str,
    rounded: object = False,
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
    rounded : bool
        Whether times are rounded to the nearest step; the first is step 0.

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
    if not isinstance(rounded, bool | np.bool_):
        raise NetworkError(
            f"{where}: found round_times={describe(rounded)}, expected True or False. Choose one."
        )
    if rounded and times is None:
        raise NetworkError(
            f"{where}: found round_times=True without times=, expected times, since steps are "
            "whole already. Leave it out."
        )
    if times is not None:
        index, when = _split(times, size, unit("ms"), where)
        step = _steps_of_times(when, dt, where, rounded=bool(rounded))
    else:
        index, when = _split(steps, size, unit("1"), where)
        step = _read_steps(when, where)
    neuron = _read_neurons(index, size, where)
    if step.shape != neuron.shape or step.ndim != 1:
        raise NetworkError(
            f"{where}: found indices of shape {neuron.shape} and spikes of shape {step.shape}, "
            "expected as many of both in one dimension. Correct one of them."
        )
    # Engines replay spikes in this order and never search.
    order = np.lexsort((neuron, step))
    step = step[order]
    neuron = neuron[order].astype(np.int32)
    _refuse_repeated(step, neuron, where)
    return np.ascontiguousarray(step), np.ascontiguousarray(neuron)


def _split(
    spikes: object,
    size: int,
    declared: Unit,
    where: str,
) -> tuple[object, object]:
    """Return neurons and times (or steps) of spikes in one of the two forms."""
    # A pair is read as (indices, times) even for two neurons: their two lists go into a list.
    if isinstance(spikes, tuple) and len(spikes) == 2:
        index, when = spikes
        if isinstance(index, list | tuple | range | np.ndarray):
            return index, when
    lists = _lists(spikes, where)
    if lists is None or len(lists) != size:
        description = describe(spikes) if lists is None else f"spikes of {len(lists)} neurons"
        raise NetworkError(
            f"{where}: found {description}, expected a list for each of {size}, or "
            "(indices, times). Give an empty list to a silent neuron."
        )
    trains = []
    for i, train in enumerate(lists):
        # Each by itself, so that a message can name its neuron.
        numbers = to_engine(train, declared, where=f"{where}, neuron {i}", error=NetworkError)
        trains.append(np.ravel(numbers))
    counts = [train.size for train in trains]
    return np.repeat(np.arange(size), counts), np.concatenate(trains)


def _lists(spikes: object, where: str) -> list[Any] | None:
    """Return the items of a collection, None of anything else."""
    if isinstance(spikes, str) or not isinstance(spikes, Collection):
        return None
    # An array without dimensions is a collection by its type, and has no length.
    if isinstance(spikes, np.ndarray) and not spikes.ndim:
        return None
    try:
        return list(spikes)
    except MemoryError:
        raise
    except Exception as problem:  # the class of a value may be anybody's, and raise anything
        raise NetworkError(
            f"{where}: {describe(spikes)} cannot be read as a list ({type(problem).__name__}). "
            "Give a list per neuron, or (indices, times)."
        ) from problem


def _read_neurons(index: object, size: int, where: str) -> FloatArray:
    number = to_engine(index, unit("1"), where=f"{where}, indices", error=NetworkError)
    neuron = np.atleast_1d(number)
    is_whole = neuron == np.floor(neuron)
    if not ((neuron >= 0) & (neuron < size) & is_whole).all():
        raise NetworkError(
            f"{where}: found a neuron index outside 0 ... {size - 1}, "
            f"expected whole indices below {size}. Correct the indices."
        )
    return neuron


def _steps_of_times(
    when: object,
    dt: float,
    where: str,
    *,
    rounded: bool,
) -> NDArray[np.int64]:
    times = np.atleast_1d(to_engine(when, unit("ms"), where=where, error=NetworkError))
    if not (times > 0).all():
        raise NetworkError(
            f"{where}: found a spike at {times.min():.12g} ms; the first possible time is dt "
            f"({dt:.12g} ms), the end of step 0. Use {dt:.12g} ms, or steps=."
        )
    # Step k ends at (k + 1) dt, the time under which its spikes are recorded.
    steps = to_steps(times, dt, where=f"{where}: spike time", rounded=rounded, option="round_times")
    return np.maximum(steps - 1, 0)  # a rounded time may be nearer to 0 than to the first one


def _read_steps(when: object, where: str) -> NDArray[np.int64]:
    number = to_engine(when, unit("1"), where=f"{where}, steps", error=NetworkError)
    step = np.atleast_1d(number)
    is_whole = step == np.floor(step)
    if not ((step >= 0) & (step < MOST_STEPS) & is_whole).all():
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

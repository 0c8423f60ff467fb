"""Spikes and traces: plain arrays, with the steps in which each value was recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, fields, is_dataclass, replace
from typing import Any, Literal, cast

import numpy as np

from ..errors import NetworkError, describe, describe_unknown
from ..quantities import as_array, read_time
from ..units import Time
from .schema import LENGTH, POSITIVE_WHOLE, TEXT, WHOLE, Field, is_whole

Convention = Literal["end", "start"]
SampledPer = Literal["member", "source", "target"]
LISTED = 10  # members that a message lists
_MOST_NEURONS = 2**31 - 1  # indices have 4 bytes
_PER = Field(
    "'member', 'source' or 'target'",
    lambda value: isinstance(value, str) and value in ("member", "source", "target"),
)


def equal(a: Any, b: Any) -> bool:
    """Compare by values, to the last bit; a recorded NaN equals a recorded NaN."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        # Only floats are compared with `equal_nan`: other arrays cannot hold NaN.
        return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if type(a) is type(b) and is_dataclass(a):
        return all(equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    # True equals 1 and 1 equals 1.0 in Python; in a recording they are different data.
    return type(a) is type(b) and a == b


def list_members(members: np.ndarray) -> str:
    """Return the first members as text for a message."""
    text = ", ".join(map(str, members[:LISTED])) or "none"
    return text + (", ..." if len(members) > LISTED else "")


def _require_numbers(samples: object, schema: Mapping[str, Field], *, where: str) -> None:
    """Raise NetworkError unless the numbers and texts of spikes or of a trace fit a schema."""
    for name, field in schema.items():
        value = getattr(samples, name)
        if not field.fits(value):
            raise NetworkError(
                f"{where}: found {name} = {describe(value)}, expected {field.description}. "
                f"Check {name}."
            )


def read_array(values: Any, dtype: type, *, where: str) -> np.ndarray:
    """Return numbers as an array of a type that holds them all."""
    try:
        array = np.asarray(values)
    except (TypeError, ValueError) as error:  # rows of unequal lengths
        raise NetworkError(f"{where}: {error}; expected an array of numbers. Check it.") from error
    whole = dtype is not np.float64
    # An empty list has no type of its own.
    if array.size and array.dtype.kind not in ("iu" if whole else "iuf"):
        numbers = "whole numbers" if whole else "numbers"
        raise NetworkError(
            f"{where}: found values of type {array.dtype}, expected {numbers}. Convert them."
        )
    if whole and array.size and array.dtype != dtype:
        least = np.iinfo(dtype).min
        most = np.iinfo(dtype).max
        if array.min() < least or array.max() > most:
            raise NetworkError(
                f"{where}: found {array.min()} to {array.max()}, expected {least} to {most}. "
                "Check it."
            )
    return array.astype(dtype, copy=False)


@dataclass(frozen=True, eq=False)
class Spikes:
    """Spikes of one population within a window of steps.

    Parameters
    ----------
    index : (S,) int32
        Neurons, from 0 to size - 1.
    step : (S,) int64
        Steps in which the neurons spiked; sorted by (step, index).
    size : int
        Number N of neurons of the population.
    dt : float
        Length of a step, ms.
    first, steps : int
        Window that was recorded: steps first ... first + steps - 1.
    members : (M,) int32, optional
        Neurons whose spikes were recorded, in the order of the recorded view; all unless given.

    Raises
    ------
    NetworkError
        If indices, steps or members are out of range, out of order, or repeated.
    """

    index: np.ndarray
    step: np.ndarray
    _: KW_ONLY
    size: int
    dt: float
    steps: int
    first: int = 0
    members: np.ndarray = cast(np.ndarray, None)  # all of them, see __post_init__

    def __post_init__(self) -> None:
        _require_numbers(self, {"dt": LENGTH, "steps": WHOLE, "first": WHOLE}, where="spikes")
        if not is_whole(self.size) or self.size > _MOST_NEURONS:
            raise NetworkError(
                f"spikes: found size = {describe(self.size)}, expected a whole number from 0 to "
                f"{_MOST_NEURONS}. Give the number of neurons."
            )
        every_neuron = self.members is None
        members = np.arange(self.size, dtype=np.int32) if every_neuron else self.members
        for name, array, dtype in (
            ("index", self.index, np.int32),
            ("step", self.step, np.int64),
            ("members", members, np.int32),
        ):
            object.__setattr__(self, name, read_array(array, dtype, where=f"spikes: {name}"))
        self._check_index()
        self._check_members()
        self._check_steps()

    @classmethod
    def trusted(cls, index: np.ndarray, step: np.ndarray, **fields: Any) -> Spikes:
        """Return spikes that are known to be right, unchecked: checks take longer than a step.

        Parameters
        ----------
        index : (S,) int32
        step : (S,) int64
        **fields
            All others.
        """
        spikes = object.__new__(cls)
        # Fields of a frozen dataclass can be assigned in this way alone.
        spikes.__dict__.update(fields, index=index, step=step)
        return spikes

    def _check_index(self) -> None:
        index = self.index
        step = self.step
        if index.shape != step.shape or index.ndim != 1:
            raise NetworkError(
                f"spikes: index has shape {index.shape} and step {step.shape}; "
                "expected (S,) for both. Give one of each per spike."
            )
        if len(index) and not (index.min() >= 0 and index.max() < self.size):
            raise NetworkError(
                f"spikes: found the neurons {index.min()} to {index.max()}; "
                f"expected 0 to {self.size - 1}. Check size."
            )

    def _check_members(self) -> None:
        members = self.members
        in_range = not len(members) or (members.min() >= 0 and members.max() < self.size)
        if members.ndim != 1 or not in_range or np.unique(members).size != members.size:
            raise NetworkError(
                f"spikes: found the members {list_members(members.ravel())}; "
                f"expected neurons from 0 to {self.size - 1}, each once. Check members."
            )
        if members.size == self.size:
            return
        strangers = self.index[~np.isin(self.index, members)]
        if strangers.size:
            raise NetworkError(
                f"spikes: found one of neuron {strangers[0]}; "
                f"expected spikes of the members alone: {list_members(members)}. Check members."
            )

    def _check_steps(self) -> None:
        step = self.step
        last = self.first + self.steps - 1
        if len(step) and not (self.first <= step.min() and step.max() <= last):
            raise NetworkError(
                f"spikes: found the steps {step.min()} to {step.max()}; "
                f"expected {self.first} to {last}. Check first and steps."
            )
        # Strictly ascending pairs: a neuron spikes at most once per step.
        is_later = np.diff(step) > 0
        is_same = np.diff(step) == 0
        if not np.all(is_later | (is_same & (np.diff(self.index) > 0))):
            raise NetworkError(
                "spikes: found them out of order, or one twice; "
                "expected them sorted by (step, index). Use numpy.lexsort((index, step))."
            )

    __eq__ = equal

    def __len__(self) -> int:
        return len(self.index)

    @property
    def duration(self) -> float:
        """Length of the recorded window, ms."""
        return self.steps * self.dt

    def times(self, convention: Convention = "end") -> np.ndarray:
        """Return the times of all spikes.

        Parameters
        ----------
        convention : {"end", "start"}
            Time of the end of the step, as in NEST, or of its start, as in Brian 2.

        Returns
        -------
        (S,) float64, ms
        """
        if not isinstance(convention, str) or convention not in ("end", "start"):
            unknown = describe_unknown("convention", convention, ["end", "start"])
            raise NetworkError(f"times of spikes: {unknown} Use one of these.")
        # One product per time, not a sum of steps: equal steps have equal times in all recordings.
        return (self.step + (convention == "end")) * float(self.dt)

    def of(self, neuron: int, convention: Convention = "end") -> np.ndarray:
        """Return the times of the spikes of one member.

        Parameters
        ----------
        neuron : int
            Index in the population.
        convention : {"end", "start"}
            See `times`.

        Returns
        -------
        float64, ms

        Raises
        ------
        NetworkError
            If the neuron does not exist, or its spikes were not recorded.
        """
        whole = isinstance(neuron, int | np.integer) and not isinstance(neuron, bool)
        if not whole or not 0 <= neuron < self.size:
            raise NetworkError(
                f"spikes of neuron {describe(neuron)}: expected 0 to {self.size - 1}. "
                "Choose one of these."
            )
        if neuron not in self.members:
            raise NetworkError(
                f"spikes of neuron {neuron}: they were not recorded. "
                f"Recorded were those of: {list_members(self.members)}. Choose one of these."
            )
        # An empty array means silence only because neurons that were not recorded have raised
        # above.
        return self.times(convention)[self.index == neuron]

    def count(self) -> np.ndarray:
        """Return the (M,) int64 numbers of spikes per member."""
        # By all neurons, then chosen: members need not be in order.
        return np.bincount(self.index, minlength=self.size)[self.members].astype(np.int64)

    def window(self, start: Time | None = None, stop: Time | None = None) -> Spikes:
        """Return the spikes between two times.

        Parameters
        ----------
        start, stop : time, ms, optional
            Rounded to whole steps: with "end" times, start < time <= stop. Unless given, the
            bounds of the recorded window.

        Raises
        ------
        NetworkError
            If the interval reaches beyond the recorded window.
        """
        # `round`: times that users compute are multiples of dt only up to rounding.
        begin, end = (
            None if time is None else read_time(time, where="window") / self.dt
            for time in (start, stop)
        )
        first = self.first if begin is None else round(begin)
        last = self.first + self.steps if end is None else round(end)
        if not self.first <= first <= last <= self.first + self.steps:
            begin = self.first * self.dt
            end = (self.first + self.steps) * self.dt
            raise NetworkError(
                f"window {start} to {stop} ms: recorded were {begin:g} to {end:.12g} ms. "
                "Choose an interval within."
            )
        # Spikes are sorted by step, so a window is a slice and copies nothing.
        inside = slice(*np.searchsorted(self.step, [first, last]))
        index = self.index[inside]
        step = self.step[inside]
        return replace(self, index=index, step=step, first=first, steps=last - first)


@dataclass(frozen=True, eq=False)
class Trace:
    """One variable of some members, sampled at equal intervals.

    Parameters
    ----------
    values : (T, M) float64, in ``unit``
    every : int
        Steps from one sample to the next.
    first : int
        Step of the first sample.
    members : (M,) int64
        Neurons or edges; of a pre or post variable of a rule, source or target neurons.
    initial : (M,) float64, in ``unit``
        State before the first step of the run.
    dt : float
        Length of a step, ms.
    unit : str
    per : {"member", "source", "target"}
        "source" and "target" for pre and post variables of a rule.

    Raises
    ------
    NetworkError
        If the shapes do not agree.
    """

    values: np.ndarray
    _: KW_ONLY
    every: int
    first: int
    members: np.ndarray
    initial: np.ndarray
    dt: float
    unit: str
    per: SampledPer = "member"

    def __post_init__(self) -> None:
        numbers = {"every": POSITIVE_WHOLE, "first": WHOLE, "dt": LENGTH, "unit": TEXT, "per": _PER}
        _require_numbers(self, numbers, where="trace")
        for name, dtype in (("values", np.float64), ("members", np.int64), ("initial", np.float64)):
            array = read_array(getattr(self, name), dtype, where=f"trace: {name}")
            object.__setattr__(self, name, array)
        # One set says all: the width of the values, the members and the initial values must agree.
        column_shapes = {self.values.shape[1:], self.members.shape, self.initial.shape}
        if self.values.ndim != 2 or len(column_shapes) != 1:
            raise NetworkError(
                f"trace: values have shape {self.values.shape}, members {self.members.shape}, "
                f"initial {self.initial.shape}; expected (T, M), (M,) and (M,). "
                "Give one column per member."
            )
        if self.members.size and self.members.min() < 0:
            raise NetworkError(
                f"trace: found the member {self.members.min()}, expected indices of 0 or more. "
                "Check members."
            )

    __eq__ = equal

    def times(self) -> np.ndarray:
        """Return the (T,) times in ms: a sample of step k is the state at (k + 1) * dt."""
        # Steps are counted as whole numbers, so that no rounding adds up in long recordings.
        samples = np.arange(len(self.values), dtype=np.int64)
        return (self.first + self.every * samples + 1) * float(self.dt)

    def of(self, member: int | np.ndarray) -> np.ndarray:
        """Return the values of one member, or of several.

        Parameters
        ----------
        member : int or (K,) int array
            Indices as in ``members``.

        Returns
        -------
        (T,) or (T, K) float64, in ``unit``

        Raises
        ------
        NetworkError
            If a member was not recorded.
        """
        asked = as_array(member, where="trace of a member")
        if asked.dtype.kind not in "iuf" and asked.size:
            raise NetworkError(
                f"trace of member {describe(member)}: expected whole numbers. "
                f"Recorded were: {list_members(self.members)}. Choose one of these."
            )
        if not self.members.size:
            column = np.zeros(asked.shape, int)
            missing = np.atleast_1d(asked)
        else:
            # Members are in the order of the recorded view, so they are searched by way of a sorted
            # order.
            order = np.argsort(self.members, kind="stable")
            position = np.searchsorted(self.members, asked, sorter=order)
            # A member above all others would be found one beyond the end.
            column = order[np.minimum(position, len(order) - 1)]
            missing = asked[self.members[column] != asked]
        if missing.size:
            raise NetworkError(
                f"trace of member {missing.flat[0]}: it was not recorded. "
                f"Recorded were: {list_members(self.members)}. Choose one of these."
            )
        return self.values[:, column]

"""Spikes and traces of populations and projections, as plain arrays with the steps in which it all happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..errors import NetworkError, describe_unknown

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Convention = Literal["end", "start"]


def equal(a: Any, b: Any) -> bool:
    """Compare by values, to the last bit; NaN equals NaN, as it is a value that was recorded."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if type(a) is type(b) and is_dataclass(a):
        return all(equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    return type(a) is type(b) and a == b


@dataclass(frozen=True, eq=False)
class Spikes:
    """Spikes of one population within a window of steps.

    Attributes
    ----------
    index : (S,) int32
        Neurons, from 0 to size - 1.
    step : (S,) int64
        Steps in which they were found; sorted by (step, index).
    size : N neurons of the population
    dt : ms
    first, steps
        The window that was recorded: steps first ... first + steps - 1.
    members : (M,) int32
        Neurons whose spikes were recorded, in the order of the view that was; all unless given.
    """

    index: np.ndarray
    step: np.ndarray
    _: KW_ONLY
    size: int
    dt: float
    steps: int
    first: int = 0
    members: np.ndarray | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", np.asarray(self.index, np.int32))
        object.__setattr__(
            self,
            "members",
            np.arange(self.size, dtype=np.int32)
            if self.members is None
            else np.asarray(self.members, np.int32),
        )
        object.__setattr__(self, "step", np.asarray(self.step, np.int64))
        index, step = self.index, self.step
        if index.shape != step.shape or index.ndim != 1:
            raise NetworkError(
                f"spikes: index has shape {index.shape} and step {step.shape}; expected (S,) for both. Give one of each per spike."
            )
        if len(index) and not (0 <= index.min() and index.max() < self.size):
            raise NetworkError(
                f"spikes: found the neurons {index.min()} to {index.max()}; expected 0 to {self.size - 1}. Check size."
            )
        self._check_members()
        if len(step) and not (self.first <= step.min() and step.max() < self.first + self.steps):
            raise NetworkError(
                f"spikes: found the steps {step.min()} to {step.max()}; expected {self.first} to {self.first + self.steps - 1}. Check first and steps."
            )
        later, same = np.diff(step) > 0, np.diff(step) == 0
        if not np.all(later | (same & (np.diff(index) > 0))):
            raise NetworkError(
                "spikes: found them out of order, or one twice; expected them sorted by (step, index). Use numpy.lexsort((index, step))."
            )

    def _check_members(self) -> None:
        members, known = self.members, np.zeros(self.size, bool)
        if (
            members.ndim != 1
            or len(members)
            and not (0 <= members.min() and members.max() < self.size)
            or np.unique(members).size != members.size
        ):
            raise NetworkError(
                f"spikes: found the members {_some(members.ravel())}; expected neurons from 0 to {self.size - 1}, each once. Check members."
            )
        known[members] = True
        if not known[self.index].all():
            other = self.index[~known[self.index]][0]
            raise NetworkError(
                f"spikes: found one of neuron {other}; expected spikes of the members alone: {_some(members)}. Check members."
            )

    __eq__ = equal

    def __len__(self) -> int:
        return len(self.index)

    @property
    def duration(self) -> float:
        """Length of the recorded window, ms."""
        return self.steps * self.dt

    def times(self, convention: Convention = "end") -> np.ndarray:
        """Return the (S,) times in ms: of the end of the step, as NEST has them, or of its "start", as Brian 2 has them."""
        if not isinstance(convention, str) or convention not in ("end", "start"):
            raise NetworkError(
                f"times of spikes: {describe_unknown('convention', convention, ['end', 'start'])} Use one of these."
            )
        return (self.step + (convention == "end")) * self.dt

    def of(self, neuron: int, convention: Convention = "end") -> np.ndarray:
        """Return the times of one member's spikes, ms."""
        if not 0 <= neuron < self.size:
            raise NetworkError(
                f"spikes of neuron {neuron}: expected 0 to {self.size - 1}. Choose one of these."
            )
        if neuron not in self.members:
            raise NetworkError(
                f"spikes of neuron {neuron}: they were not recorded. Recorded were those of: {_some(self.members)}. Choose one of these."
            )
        return self.times(convention)[self.index == neuron]

    def count(self) -> np.ndarray:
        """Return the (M,) numbers of spikes per member."""
        return np.bincount(self.index, minlength=self.size)[self.members].astype(np.int64)

    def window(self, start: float | None = None, stop: float | None = None) -> Spikes:
        """Return the spikes of the steps between two times in ms, rounded to whole steps: with "end" times, start < time <= stop."""
        first = self.first if start is None else round(start / self.dt)
        last = self.first + self.steps if stop is None else round(stop / self.dt)
        if not self.first <= first <= last <= self.first + self.steps:
            begin, end = self.first * self.dt, (self.first + self.steps) * self.dt
            raise NetworkError(
                f"window {start} to {stop} ms: recorded were {begin:g} to {end:g} ms. Choose an interval within."
            )
        part = slice(*np.searchsorted(self.step, [first, last]))
        return replace(
            self, index=self.index[part], step=self.step[part], first=first, steps=last - first
        )


@dataclass(frozen=True, eq=False)
class Trace:
    """One variable of some members, sampled at equal distances.

    Attributes
    ----------
    values : (T, M) float64
    every : steps from one sample to the next
    first : step of the first sample
    members : (M,) int64
        Neurons or edges; of a pre or post variable of a rule, source or target neurons.
    initial : (M,) float64
        The state before the first step of the run.
    dt : ms
    unit : str
    per : "member", or "source" and "target" for pre and post variables of a rule
    """

    values: np.ndarray
    _: KW_ONLY
    every: int
    first: int
    members: np.ndarray
    initial: np.ndarray
    dt: float
    unit: str
    per: Literal["member", "source", "target"] = "member"

    def __post_init__(self) -> None:
        for name, dtype in (("values", np.float64), ("members", np.int64), ("initial", np.float64)):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype))
        shapes = self.values.shape[1:], self.members.shape, self.initial.shape
        if self.values.ndim != 2 or len(set(shapes)) != 1:
            raise NetworkError(
                f"trace: values have shape {self.values.shape}, members {self.members.shape}, initial {self.initial.shape}; "
                "expected (T, M), (M,) and (M,). Give one column per member."
            )

    __eq__ = equal

    def times(self) -> np.ndarray:
        """Return the (T,) times in ms: a sample of step k is the state at (k + 1) * dt."""
        return (self.first + self.every * np.arange(len(self.values), dtype=np.int64) + 1) * self.dt

    def of(self, member: int | np.ndarray) -> np.ndarray:
        """Return the (T,) values of one member, or the (T, K) values of an array of K members."""
        wanted = np.asarray(member)
        order = np.argsort(self.members, kind="stable")
        place = np.searchsorted(self.members, wanted, sorter=order)
        column = (
            order[np.minimum(place, len(order) - 1)] if len(order) else np.zeros(wanted.shape, int)
        )
        missing = wanted[self.members[column] != wanted] if len(order) else np.atleast_1d(wanted)
        if missing.size:
            raise NetworkError(
                f"trace of member {missing.flat[0]}: it was not recorded. Recorded were: {_some(self.members)}. Choose one of these."
            )
        return self.values[:, column]


@dataclass(frozen=True, eq=False, init=False)
class PopulationRecording:
    """What was recorded of one population of `size` neurons."""

    name: str
    size: int
    recorded: Spikes | None
    traces: dict[str, Trace]

    def __init__(
        self,
        name: str,
        size: int,
        spikes: Spikes | None = None,
        traces: Mapping[str, Trace] | None = None,
    ) -> None:
        if spikes is not None and spikes.size != size:
            raise NetworkError(
                f"population {name!r}: its spikes are of {spikes.size} neurons, expected {size}. Check size."
            )
        for key, value in {
            "name": name,
            "size": size,
            "recorded": spikes,
            "traces": dict(traces or {}),
        }.items():
            object.__setattr__(self, key, value)

    __eq__ = equal

    @property
    def spikes(self) -> Spikes:
        """Spikes of the neurons that were recorded, see `Spikes.members`; `recorded` is the same, or None if there are none to be had."""
        if self.recorded is None:
            raise NetworkError(
                f'population {self.name!r}: its spikes were not recorded. Call net.record({self.name}, "spikes") before the run.'
            )
        return self.recorded

    def trace(self, variable: str) -> Trace:
        """Return the trace of a state."""
        return _named("population", self, variable)


@dataclass(frozen=True, eq=False)
class ProjectionRecording:
    """What was recorded of one projection.

    Attributes
    ----------
    source, target : (E,) int32
        The ends of all edges, in (source, target) order; members of traces count these edges.
    shape : number of source neurons, number of target neurons
    """

    name: str
    source_name: str
    _: KW_ONLY
    target_name: str
    source: np.ndarray
    target: np.ndarray
    shape: tuple[int, int]
    traces: dict[str, Trace] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "source", np.asarray(self.source, np.int32))
        object.__setattr__(self, "target", np.asarray(self.target, np.int32))
        object.__setattr__(self, "shape", (int(self.shape[0]), int(self.shape[1])))

    __eq__ = equal

    def trace(self, variable: str) -> Trace:
        """Return the trace of a variable of the rule, or of the weight "w"."""
        return _named("projection", self, variable)

    def edges(self, variable: str, sample: int = -1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return source, target and value, (M,) each, of the edges whose `variable` was recorded, at a sample."""
        trace = self.trace(variable)
        if trace.per != "member":
            raise NetworkError(
                f"projection {self.name!r}, variable {variable!r}: it has one value per {trace.per} neuron, expected one per edge. Use trace({variable!r})."
            )
        if not -len(trace.values) <= sample < len(trace.values):
            raise NetworkError(
                f"projection {self.name!r}, variable {variable!r}: sample {sample} of {len(trace.values)}. Choose an earlier one, or record more often."
            )
        return self.source[trace.members], self.target[trace.members], trace.values[sample]

    def matrix(self, variable: str = "w", sample: int = -1) -> csr_array:
        """Return a sparse matrix, source by target, of the recorded edges at a sample; several edges of one pair are summed."""
        from scipy.sparse import csr_array

        source, target, value = self.edges(variable, sample)
        return csr_array((value, (source, target)), shape=self.shape)

    def between(self, source: int, target: int) -> np.ndarray:
        """Return the edges from one neuron to another, ascending, as ``trace("w").of(...)`` takes them."""
        return np.flatnonzero((self.source == source) & (self.target == target))


def _some(members: np.ndarray) -> str:
    return (", ".join(map(str, members[:10])) or "none") + (", ..." if len(members) > 10 else "")


def _named(kind: str, owner: PopulationRecording | ProjectionRecording, variable: str) -> Trace:
    if not isinstance(variable, str) or variable not in owner.traces:
        call = (
            f'Call net.record({owner.name}, "{variable}") before the run.'
            if isinstance(variable, str)
            else "Give a name."
        )
        raise NetworkError(
            f"{describe_unknown('trace', variable, owner.traces, owner=f'{kind} {owner.name!r}')} {call}"
        )
    return owner.traces[variable]

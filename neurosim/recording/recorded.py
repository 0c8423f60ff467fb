"""Recordings of one population and of one projection: its spikes or edges, and its traces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..errors import NetworkError, describe, describe_unknown
from ..units import Time
from .firing import cv_intervals
from .firing import rate as mean_rate
from .samples import Spikes, Trace, equal, read_array
from .schema import is_whole
from .spike_values import SpikeValues

if TYPE_CHECKING:
    from scipy.sparse import csr_array


class Recorded:
    """A population or projection as `Recording` finds it by name.

    Spikes exist for populations, edges for projections: to ask one for the other's is an error
    that says so. ``recording.populations`` and ``recording.projections`` have the exact types.
    """

    name: str
    traces: dict[str, Trace]
    _kind: str

    @property
    def spikes(self) -> Spikes:
        """Spikes of the recorded neurons; a NetworkError if there are none."""
        raise self._has_no("spikes", "spikes belong to populations")

    def trace(self, variable: str) -> Trace:
        """Return the trace of a state, of a variable of a rule, or of the weight "w".

        Raises
        ------
        NetworkError
            If it was not recorded.
        """
        if isinstance(variable, str) and variable in self.traces:
            return self.traces[variable]
        owner = f"{self._kind} {self.name!r}"
        unknown = describe_unknown("trace", variable, self.traces, owner=owner)
        remedy = "Give a name."
        if isinstance(variable, str):
            remedy = f'Call net.record({self.name}, "{variable}") before the run.'
        raise NetworkError(f"{unknown} {remedy}")

    def rate(self, start: Time | None = None, stop: Time | None = None) -> float:
        """Return the mean rate; see `PopulationRecording.rate`."""
        raise self._has_no("spikes", "spikes belong to populations")

    def cv(self, start: Time | None = None, stop: Time | None = None) -> float:
        """Return the mean irregularity; see `PopulationRecording.cv`."""
        raise self._has_no("spikes", "spikes belong to populations")

    def at_spikes(self, variable: str) -> SpikeValues:
        """Return a state at the moment of spikes; see `PopulationRecording.at_spikes`."""
        raise self._has_no("spikes", "spikes belong to populations")

    def edges(self, variable: str, sample: int = -1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return source, target and value of edges; see `ProjectionRecording.edges`."""
        raise self._has_no("edges", "edges belong to projections")

    def matrix(self, variable: str = "w", sample: int = -1) -> csr_array:
        """Return a sparse matrix of values; see `ProjectionRecording.matrix`."""
        raise self._has_no("edges", "edges belong to projections")

    def between(self, source: int, target: int) -> np.ndarray:
        """Return the edges of a pair; see `ProjectionRecording.between`."""
        raise self._has_no("edges", "edges belong to projections")

    def _has_no(self, what: str, reason: str) -> NetworkError:
        return NetworkError(
            f"{self._kind} {self.name!r}: found no {what}, expected an owner that has some: "
            f"{reason}. Ask one of these."
        )


def _require_members(
    trace: Trace,
    size: int,
    noun: str,
    where: str,
) -> None:
    """Raise NetworkError if a trace has a member beyond ``size``."""
    last = trace.members.max(initial=-1)
    if last >= size:
        raise NetworkError(
            f"{where}: found the member {last}, expected members below {size}, the number of "
            f"{noun}. Check members; load a streamed run by its folder."
        )


@dataclass(frozen=True, eq=False, init=False)
class PopulationRecording(Recorded):
    """Spikes and traces of one population.

    Parameters
    ----------
    name : str
    size : int
        Number N of neurons.
    spikes : Spikes, optional
        None if they were not recorded; ``recorded`` then is None, too.
    traces : mapping of str to Trace, optional
        By the name of the state.
    at_spikes : mapping of str to SpikeValues, optional
        States at the moment of spikes, by name; ``values_at_spikes`` then holds them.

    Raises
    ------
    NetworkError
        If the spikes are of another number of neurons.
    """

    name: str
    size: int
    recorded: Spikes | None
    traces: dict[str, Trace]
    values_at_spikes: dict[str, SpikeValues]
    _kind = "population"

    def __init__(
        self,
        name: str,
        size: int,
        spikes: Spikes | None = None,
        traces: Mapping[str, Trace] | None = None,
        *,
        at_spikes: Mapping[str, SpikeValues] | None = None,
    ) -> None:
        at_spikes = dict(at_spikes or {})
        for recorded in (spikes, *(values.spikes for values in at_spikes.values())):
            if recorded is not None and recorded.size != size:
                raise NetworkError(
                    f"population {name!r}: its spikes are of {recorded.size} neurons, "
                    f"expected {size}. Check size."
                )
        for variable, trace in (traces or {}).items():
            _require_members(trace, size, "neurons", f"population {name!r}, trace {variable!r}")
        # A frozen dataclass sets its fields this way. Its constructor is written out since the
        # argument ``spikes`` and the property of the same name, which raises if there are none,
        # differ.
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "size", size)
        object.__setattr__(self, "recorded", spikes)
        object.__setattr__(self, "traces", dict(traces or {}))
        object.__setattr__(self, "values_at_spikes", at_spikes)

    # A generated comparison would ask for the truth of whole arrays.
    __eq__ = equal

    @property
    def spikes(self) -> Spikes:
        """Spikes of the recorded neurons, `Spikes.members`; a NetworkError if there are none."""
        if self.recorded is None:
            raise NetworkError(
                f"population {self.name!r}: its spikes were not recorded. "
                f'Call net.record({self.name}, "spikes") before the run.'
            )
        return self.recorded

    def rate(self, start: Time | None = None, stop: Time | None = None) -> float:
        """Return the mean rate of the recorded neurons, as `measure.rate` does.

        Parameters
        ----------
        start, stop : time, ms, optional
            Bounds of the interval; the whole recording unless given.

        Returns
        -------
        float, Hz

        Raises
        ------
        NetworkError
            If spikes were not recorded, or not over this interval.
        """
        return mean_rate(self.spikes, start=start, stop=stop)

    def cv(self, start: Time | None = None, stop: Time | None = None) -> float:
        """Return the mean coefficient of variation of the intervals between spikes.

        Parameters
        ----------
        start, stop : time, ms, optional
            As of `rate`.

        Returns
        -------
        float, 1
            Over neurons with at least three spikes; NaN if there are none.

        Raises
        ------
        NetworkError
            As of `rate`.
        """
        of_neurons = cv_intervals(self.spikes, start=start, stop=stop)
        several = of_neurons[np.isfinite(of_neurons)]
        return float(several.mean()) if several.size else float("nan")

    def at_spikes(self, variable: str) -> SpikeValues:
        """Return the values of a state at the moment of each spike, before the reset.

        Parameters
        ----------
        variable : str

        Returns
        -------
        SpikeValues
            ``.index``, ``.times()`` and ``.values`` of each spike.

        Raises
        ------
        NetworkError
            If they were not recorded.
        """
        if isinstance(variable, str) and variable in self.values_at_spikes:
            return self.values_at_spikes[variable]
        owner = f"population {self.name!r}"
        unknown = describe_unknown("value at spikes", variable, self.values_at_spikes, owner=owner)
        remedy = "Give a name."
        if isinstance(variable, str):
            remedy = f'Call net.record({self.name}, "{variable}", at="spikes") before the run.'
        raise NetworkError(f"{unknown} {remedy}")


@dataclass(frozen=True, eq=False)
class ProjectionRecording(Recorded):
    """Edges and traces of one projection.

    Parameters
    ----------
    name, source_name, target_name : str
        The projection, and the populations at both ends.
    source, target : (E,) int32
        Ends of all edges, sorted by (source, target); members of traces count these edges.
    shape : (int, int)
        Numbers of source and target neurons.
    traces : dict of str to Trace
        By the name of the variable.
    """

    name: str
    source_name: str
    _: KW_ONLY
    target_name: str
    source: np.ndarray
    target: np.ndarray
    shape: tuple[int, int]
    traces: dict[str, Trace] = field(default_factory=dict)
    _kind = "projection"

    def __post_init__(self) -> None:
        # Indices of neurons fit into 32 bits, and edges may be many.
        for name in ("source", "target"):
            where = f"projection {self.name!r}: {name}"
            array = read_array(getattr(self, name), np.int32, where=where)
            object.__setattr__(self, name, array)
        object.__setattr__(self, "shape", (int(self.shape[0]), int(self.shape[1])))
        self._require_ends()
        sizes = {"source": self.shape[0], "target": self.shape[1], "member": self.source.size}
        for variable, trace in self.traces.items():
            # Later parts of a streamed run hold no edges.
            if trace.per != "member" or self.source.size:
                where = f"projection {self.name!r}, trace {variable!r}"
                noun = "edges" if trace.per == "member" else f"{trace.per} neurons"
                _require_members(trace, sizes[trace.per], noun, where)

    def _require_ends(self) -> None:
        """Raise NetworkError unless every edge has a source and a target that exist."""
        where = f"projection {self.name!r}"
        sizes = self.shape
        if self.source.shape != self.target.shape or self.source.ndim != 1:
            raise NetworkError(
                f"{where}: found sources of shape {self.source.shape} and targets of shape "
                f"{self.target.shape}, expected (E,) for both. Give one of each per edge."
            )
        ends = (("sources", self.source, sizes[0]), ("targets", self.target, sizes[1]))
        for noun, neurons, size in ends:
            if neurons.size and not (neurons.min() >= 0 and neurons.max() < size):
                raise NetworkError(
                    f"{where}: found {noun} from {neurons.min()} to {neurons.max()}, expected "
                    f"0 to {size - 1}. Check shape."
                )

    __eq__ = equal

    def edges(self, variable: str, sample: int = -1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the edges whose variable was recorded, with its values at one sample.

        Parameters
        ----------
        variable : str
            With one value per edge, such as "w".
        sample : int
            Position in time, as in ``trace(variable).values``; the last one unless given.

        Returns
        -------
        source, target : (M,) int32
        value : (M,) float64, in the unit of the trace

        Raises
        ------
        NetworkError
            If the variable was not recorded, has no value per edge, or has no such sample.
        """
        trace = self.trace(variable)
        where = f"projection {self.name!r}, variable {variable!r}"
        # Values of pre and post variables belong to neurons, also if these are as many as the
        # edges.
        if trace.per != "member":
            raise NetworkError(
                f"{where}: it has one value per {trace.per} neuron, expected one per edge. "
                f"Use trace({variable!r})."
            )
        # NumPy's own IndexError would name neither the projection nor the number of samples.
        count = len(trace.values)
        if not is_whole(sample, -count) or sample >= count:
            raise NetworkError(
                f"{where}: sample {describe(sample)} of {count}. "
                "Choose an earlier one, or record more often."
            )
        # A later part of a streamed run, read by itself, has no edges.
        _require_members(trace, self.source.size, "edges", where)
        return self.source[trace.members], self.target[trace.members], trace.values[sample]

    def matrix(self, variable: str = "w", sample: int = -1) -> csr_array:
        """Return the recorded edges at one sample as a sparse matrix.

        Parameters
        ----------
        variable, sample
            As of `edges`.

        Returns
        -------
        (N_source, N_target) scipy.sparse.csr_array
            Values of several edges of one pair are summed.

        Raises
        ------
        NetworkError
            As of `edges`.
        """
        from scipy.sparse import csr_array  # slow to import, and needed by few

        source, target, value = self.edges(variable, sample)
        return csr_array((value, (source, target)), shape=self.shape)

    def between(self, source: int, target: int) -> np.ndarray:
        """Return the edges from one neuron to another, as ``trace("w").of(...)`` takes them.

        Parameters
        ----------
        source, target : int
            Neurons.

        Returns
        -------
        int64, ascending
        """
        for noun, neuron in (("source", source), ("target", target)):
            if not is_whole(neuron):
                raise NetworkError(
                    f"projection {self.name!r}, between: found {noun} = {describe(neuron)}, "
                    "expected the index of a neuron. Give one such as 0."
                )
        # No index of pairs is held: it would take more memory than the edges, and is rarely needed.
        return np.flatnonzero((self.source == source) & (self.target == target))


class Contents(Protocol):
    """Everything that a recording holds, as its conversion for other tools reads it."""

    @property
    def header(self) -> dict[str, Any]: ...

    @property
    def populations(self) -> Mapping[str, PopulationRecording]: ...

    @property
    def projections(self) -> Mapping[str, ProjectionRecording]: ...

"""Chunks of a run joined to recordings, cut, and measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from ..backend.engine import AtSpikes, Chunk, join_at_spikes
from ..errors import NetworkError
from ..ir.concrete import ConcreteNetwork
from ..ir.memory import Memory
from ..ir.program import Program
from ..network.populations import View
from ..network.probes import Probe
from ..recording.recorded import PopulationRecording, ProjectionRecording
from ..recording.recording import Recording
from ..recording.samples import SampledPer, Spikes, Trace
from ..recording.spike_values import SpikeValues
from ..units import Unit


@dataclass(frozen=True, eq=False)
class Chunks:
    """Chunks of successive steps.

    Parameters
    ----------
    first : int
        First step of the recording; chunks may begin later.
    parts : sequence of (int, Chunk)
        First step and recordings of each.
    initial : mapping of int to (M,) array
        By number of the probe, its values before the first step in engine units; none for spikes
        and what is recorded at spikes.
    """

    first: int
    parts: Sequence[tuple[int, Chunk]]
    initial: Mapping[int, np.ndarray]

    def spikes(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return (S,) neurons and (S,) steps of a probe."""
        pairs = [chunk.spikes[number] for _, chunk in self.parts]
        if len(pairs) == 1:
            return np.array(pairs[0][0], np.int32), np.array(pairs[0][1], np.int64)
        neurons = np.concatenate([np.zeros(0, np.int32), *(neurons for neurons, _ in pairs)])
        steps = np.concatenate([np.zeros(0, np.int64), *(steps for _, steps in pairs)])
        return np.asarray(neurons, np.int32), np.asarray(steps, np.int64)

    def at_spikes(self, number: int) -> AtSpikes:
        """Return (S,) neurons, (S,) steps and (S,) values in engine units of a probe at spikes."""
        return join_at_spikes(chunk.at_spikes[number] for _, chunk in self.parts)

    def samples(self, number: int) -> np.ndarray:
        """Return all samples of a probe as a new array, (T, M) in engine units."""
        width = self.initial[number].size
        traces = [chunk.traces[number] for _, chunk in self.parts]
        # A trace without a sample has lost its width: it is an array of no elements.
        parts = [trace.reshape(len(trace), width) for trace in traces]
        return np.concatenate([np.zeros((0, width)), *parts])


@dataclass(frozen=True, eq=False)
class SpikeReader:
    """Reads the spikes of neurons from chunks: a loop does so after every step.

    Parameters
    ----------
    number : int
        Of the probe that records them.
    members : (M,) int32
        The neurons.
    is_all : bool
        The probe records no others.
    size : int
        Number of neurons of their population.
    dt : float, ms
    """

    number: int
    members: np.ndarray
    _: KW_ONLY
    is_all: bool
    size: int
    dt: float

    def read(self, chunks: Chunks, end: int) -> Spikes:
        """Return the spikes before a step; those before the first step of chunks are left out."""
        neurons, steps = chunks.spikes(self.number)
        if chunks.parts and chunks.parts[0][0] < chunks.first:
            begin = int(steps.searchsorted(chunks.first))
            neurons = neurons[begin:]
            steps = steps[begin:]
        if not self.is_all:
            belongs = np.isin(neurons, self.members)
            neurons = neurons[belongs]
            steps = steps[belongs]
        # Of a run itself, in order and in range.
        return Spikes.trusted(
            neurons,
            steps,
            size=self.size,
            dt=self.dt,
            steps=end - chunks.first,
            first=chunks.first,
            members=self.members.copy(),  # everything returned belongs to the caller
        )


@dataclass(frozen=True, eq=False)
class Assembler:
    """Makes recordings of the chunks of one run."""

    program: Program
    network: ConcreteNetwork
    memory: Memory

    def recording(
        self,
        chunks: Chunks,
        end: int,
        *,
        header: Mapping[str, Any],
        later_part: bool = False,
    ) -> Recording:
        """Return chunks as a recording.

        Parameters
        ----------
        chunks : Chunks
        end : int
            The step after the last one.
        header : mapping
        later_part : bool
            Leave out edges, and members of traces without samples, which the first part on disk
            holds.
        """
        spikes: dict[str, Spikes] = {}
        traces: dict[str, dict[str, Trace]] = {}
        at_spikes: dict[str, dict[str, SpikeValues]] = {}
        for number, probe in enumerate(self.program.probes):
            owner = probe.owner.name
            if probe.at_spikes:
                at_spikes.setdefault(owner, {})[probe.label] = self._at_spikes(chunks, number, end)
            elif probe.variable == "spikes":
                spikes[owner] = self._spikes(chunks, number, end)
            else:
                trace = self._trace(chunks, number, later_part=later_part)
                traces.setdefault(owner, {})[probe.label] = trace
        populations: dict[str, PopulationRecording] = {}
        projections: dict[str, ProjectionRecording] = {}
        # In the order in which recording was asked for, each owner once.
        for name in dict.fromkeys(probe.owner.name for probe in self.program.probes):
            if name in self.program.populations:
                size = self.program.populations[name].size
                populations[name] = PopulationRecording(
                    name, size, spikes.get(name), traces.get(name), at_spikes=at_spikes.get(name)
                )
            else:
                projections[name] = self._projection(name, traces[name], later_part=later_part)
        return Recording(dict(header), populations, projections)

    def spike_reader(self, view: View) -> SpikeReader | None:
        """Return the reader of the spikes of neurons; None if they are not all recorded."""
        for number, probe in enumerate(self.program.probes):
            if probe.owner.name == view.name and probe.variable == "spikes" and not probe.at_spikes:
                recorded = recorded_view(probe)
                is_all = recorded.whole and view.whole
                if not is_all and not np.isin(view.indices, recorded.indices).all():
                    return None
                members = np.array(view.indices, np.int32)
                size = self.program.populations[view.name].size
                return SpikeReader(number, members, is_all=is_all, size=size, dt=self.program.dt)
        return None

    def require_spikes(self, chunks: Chunks, end: int, *, where: str) -> None:
        """Raise NetworkError unless spikes are those of recorded neurons, in order, and in time.

        Parameters
        ----------
        chunks : Chunks
        end : int
            The step after the last one.
        where : str
            Begins the message.
        """
        for number, probe in enumerate(self.program.probes):
            if probe.at_spikes or probe.variable == "spikes":
                read = self._at_spikes if probe.at_spikes else self._spikes
                try:
                    read(chunks, number, end)
                except NetworkError as error:
                    name = probe.owner.name
                    raise NetworkError(f"{where}: population {name!r}, {error}") from error

    def _projection(
        self, name: str, traces: dict[str, Trace], *, later_part: bool
    ) -> ProjectionRecording:
        projection = self.network.projections[name]
        populations = self.program.populations
        # The first part on disk holds the edges; millions of them in each part would fill the disk.
        held = slice(0) if later_part else slice(None)
        return ProjectionRecording(
            name,
            projection.source,
            target_name=projection.target,
            source=projection.sources[held],
            target=projection.targets[held],
            shape=(populations[projection.source].size, populations[projection.target].size),
            traces=traces,
        )

    def _spikes(self, chunks: Chunks, number: int, end: int) -> Spikes:
        view = recorded_view(self.program.probes[number])
        return self._spikes_of(chunks, view, end, *chunks.spikes(number))

    def _at_spikes(self, chunks: Chunks, number: int, end: int) -> SpikeValues:
        neurons, steps, values = chunks.at_spikes(number)
        probe = self.program.probes[number]
        unit = recorded_unit(probe)
        spikes = self._spikes_of(chunks, recorded_view(probe), end, neurons, steps)
        return SpikeValues(spikes, unit.from_engine(values), unit.text)

    def _spikes_of(
        self,
        chunks: Chunks,
        view: View,
        end: int,
        neurons: np.ndarray,
        steps: np.ndarray,
    ) -> Spikes:
        return Spikes(
            neurons,
            steps,
            size=self.program.populations[view.name].size,
            dt=self.program.dt,
            steps=end - chunks.first,
            first=chunks.first,
            members=view.indices,
        )

    def _trace(self, chunks: Chunks, number: int, *, later_part: bool) -> Trace:
        probe = self.program.probes[number]
        unit = recorded_unit(probe)
        members, per = self.members(probe)
        values = chunks.samples(number)
        initial = chunks.initial[number]
        # Memory may have fewer digits; the quotient is rounded as that of samples.
        initial = unit.from_engine(np.asarray(initial, np.float64))
        if unit.size != 1.0:
            values /= unit.size  # in place: a second array may not fit into memory
        # Likewise members: a part may be shorter than the distance of samples.
        if later_part and not len(values):
            values = values[:, :0]
            members = members[:0]
            initial = initial[:0]
        return Trace(
            values,
            every=probe.every,
            # The first step k of the recording of which (k + 1) is a multiple of `every`.
            first=(chunks.first // probe.every + 1) * probe.every - 1,
            members=members,
            initial=initial,
            dt=self.program.dt,
            unit=unit.text,
            per=per,
        )

    def members(self, probe: Probe) -> tuple[np.ndarray, SampledPer]:
        """Return the neurons or edges of a probe of a variable, and what each of them is."""
        _, members = self.memory.locate(probe.owner, probe.variable)
        if probe.edges is not None:
            return members[probe.edges], "member"
        projection = self.program.plastic.get(probe.owner.name)
        if projection is None or not members.size:
            return members, "member"
        side = projection.symbols[probe.variable].side
        # A neuron with one delay group has one value; with several, values differ by edge.
        if side == "pre" and projection.pre_groups.uniform:
            return members, "source"
        if side == "post" and projection.groups("post").uniform:
            return members, "target"
        return members, "member"


def recorded_view(probe: Probe) -> View:
    """Return the neurons whose spikes a probe records."""
    if not isinstance(probe.owner, View):
        raise TypeError(f"{probe.owner.name!r} has no spikes")
    return probe.owner


def recorded_unit(probe: Probe) -> Unit:
    """Return the unit of a variable that a probe records."""
    if probe.unit is None:
        raise TypeError(f"{probe.variable!r} of {probe.owner.name!r} has no unit")
    return probe.unit


def cut(
    start: int,
    chunk: Chunk,
    end: int,
    *,
    probes: Sequence[Probe],
) -> Chunk:
    """Return a chunk without the steps from ``end`` on.

    Parameters
    ----------
    start : int
        First step of the chunk.
    chunk : Chunk
    end : int
        First step that is left out.
    probes : sequence of Probe
        In the order of their numbers.
    """
    end = min(start + chunk.steps, end)
    spikes = {}
    for number, (neurons, steps) in chunk.spikes.items():
        spikes[number] = neurons[steps < end], steps[steps < end]
    traces = {}
    for number, samples in chunk.traces.items():
        every = probes[number].every
        # As many as there are multiples of `every` among the ends of the steps that stay.
        traces[number] = samples[: end // every - start // every]
    at_spikes = {}
    for number, (neurons, steps, values) in chunk.at_spikes.items():
        stays = steps < end
        at_spikes[number] = neurons[stays], steps[stays], values[stays]
    return Chunk(end - start, True, spikes, traces, at_spikes)

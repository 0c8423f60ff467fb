"""Recordings of a stretch of steps, of all samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from neurosim.backend.engine import Chunk
from neurosim.ir.program import Program
from neurosim.network.populations import View
from neurosim.network.probes import Probe

from .delivery import EVERYONE, SpikeRing, whole_numbers
from .populations import Clock, TensorPopulation
from .reading import Along, Reader, gather
from .samples import Samples

_MOST = 1 << 26  # conditions of spikes that are held before they become lists


class ProbeRecorder(Protocol):
    """Records one probe of all samples, step by step."""

    def detect(self, clock: Clock) -> None:
        """Read what belongs to the moment after phase 3."""
        ...

    def keep(self, clock: Clock) -> None:
        """Record the end of a step, which counts."""
        ...

    def fill(self, chunks: list[Chunk]) -> None:
        """Move everything recorded so far into the chunks, one for each sample."""
        ...


class TensorRecorder:
    """The recorders of all probes.

    Parameters
    ----------
    program : Program
    samples : Samples
    populations : name -> TensorPopulation
    reader : Reader
    """

    def __init__(
        self,
        program: Program,
        samples: Samples,
        populations: Mapping[str, TensorPopulation],
        reader: Reader,
    ) -> None:
        self._count = len(samples.memories)
        self._recorders: list[ProbeRecorder] = []
        for number, probe in enumerate(program.probes):
            if probe.variable == "spikes":
                ring = populations[probe.owner.name].ring
                self._recorders.append(SpikeRecorder(number, probe, ring))
                continue
            read = _reading(probe, program, samples, populations=populations, reader=reader)
            if probe.at_spikes:
                ring = populations[probe.owner.name].ring
                self._recorders.append(AtSpikesRecorder(number, probe, ring, read=read))
            else:
                self._recorders.append(TraceRecorder(number, probe, samples, read=read))

    def detect(self, clock: Clock) -> None:
        """Read what belongs to the moment after phase 3 of a step."""
        for recorder in self._recorders:
            recorder.detect(clock)

    def keep(self, clock: Clock) -> None:
        """Record the end of a step."""
        for recorder in self._recorders:
            recorder.keep(clock)

    def chunks(self, steps: int) -> list[Chunk]:
        """Return everything recorded since the last call, a chunk for each sample."""
        chunks = [Chunk(steps) for _ in range(self._count)]
        for recorder in self._recorders:
            recorder.fill(chunks)
        return chunks


class SpikeRecorder:
    """Who spiked: conditions of many steps, which become lists at once."""

    def __init__(self, number: int, probe: Probe, ring: SpikeRing) -> None:
        self._number = number
        self._members = _members(probe)
        self._ring = ring
        self._held: list[Tensor] = []
        self._steps: list[int] = []
        self._parts: list[tuple[np.ndarray, ...]] = []

    def detect(self, clock: Clock) -> None:
        pass

    def keep(self, clock: Clock) -> None:
        if not self._ring.any[clock.step % len(self._ring.any)]:
            return
        # A copy: the ring writes over it.
        self._held.append(self._ring.at(clock.step).clone())
        self._steps.append(clock.step)
        if len(self._held) * self._held[0].numel() > _MOST:
            self._list()

    def _list(self) -> None:
        if not self._held:
            return
        conditions = torch.stack(self._held)
        position, sample, neuron = conditions.nonzero(as_tuple=True)
        steps = np.array(self._steps, np.int64)
        step = steps[position.cpu().numpy()]
        neurons = neuron.cpu().numpy().astype(np.int32)
        part = (sample.cpu().numpy(), neurons, step)
        self._parts.append(_chosen(part, self._members))
        self._held = []
        self._steps = []

    def fill(self, chunks: list[Chunk]) -> None:
        self._list()
        for sample, chunk in enumerate(chunks):
            chunk.spikes[self._number] = (
                _of_sample(self._parts, sample, 1, np.int32),
                _of_sample(self._parts, sample, 2, np.int64),
            )
        self._parts = []


class AtSpikesRecorder:
    """Values of a variable at spikes."""

    def __init__(
        self,
        number: int,
        probe: Probe,
        ring: SpikeRing,
        *,
        read: Callable[[Clock], Tensor],
    ) -> None:
        self._number = number
        self._members = _members(probe)
        self._ring = ring
        self._read = read
        self._detected: tuple[np.ndarray, ...] | None = None
        self._parts: list[tuple[np.ndarray, ...]] = []

    def detect(self, clock: Clock) -> None:
        self._detected = None
        if not self._ring.any[clock.step % len(self._ring.any)]:
            return
        sample, neuron = self._ring.at(clock.step).nonzero(as_tuple=True)
        # Read here and not in `keep`: resets and deliveries change the state until then.
        state = self._read(clock).to(torch.float64)
        values = state[sample, neuron].cpu().numpy()
        step = np.full(values.size, clock.step, np.int64)
        neurons = neuron.cpu().numpy().astype(np.int32)
        part = (sample.cpu().numpy(), neurons, step, values)
        self._detected = _chosen(part, self._members)

    def keep(self, clock: Clock) -> None:
        if self._detected is not None:
            self._parts.append(self._detected)

    def fill(self, chunks: list[Chunk]) -> None:
        for sample, chunk in enumerate(chunks):
            chunk.at_spikes[self._number] = (
                _of_sample(self._parts, sample, 1, np.int32),
                _of_sample(self._parts, sample, 2, np.int64),
                _of_sample(self._parts, sample, 3, np.float64),
            )
        self._parts = []


class TraceRecorder:
    """Values of a variable every so many steps."""

    def __init__(
        self,
        number: int,
        probe: Probe,
        samples: Samples,
        *,
        read: Callable[[Clock], Tensor],
    ) -> None:
        self._number = number
        self._every = probe.every
        self._read = read
        positions, _ = samples.memories[0].locate(probe.owner, probe.variable)
        if probe.edges is not None:
            positions = positions[probe.edges]
        self._shape = (len(samples.memories), positions.size)
        self._along: Along = whole_numbers(positions, samples.device)
        self._rows: list[Tensor] = []

    def detect(self, clock: Clock) -> None:
        pass

    def keep(self, clock: Clock) -> None:
        # The clock decides, not the beginning of the stretch: samples do not depend on how a run
        # is cut into stretches.
        if (clock.step + 1) % self._every == 0:
            values = gather(self._read(clock), self._along, EVERYONE)
            self._rows.append(values.to(torch.float64, copy=True).expand(self._shape))

    def fill(self, chunks: list[Chunk]) -> None:
        rows = torch.stack(self._rows).cpu().numpy() if self._rows else None
        for sample, chunk in enumerate(chunks):
            trace = np.zeros((0, self._shape[1])) if rows is None else rows[:, sample]
            chunk.traces[self._number] = np.ascontiguousarray(trace)
        self._rows = []


def _reading(
    probe: Probe,
    program: Program,
    samples: Samples,
    *,
    populations: Mapping[str, TensorPopulation],
    reader: Reader,
) -> Callable[[Clock], Tensor]:
    """Return the function that reads all values of a probe's variable in a step, (B, n)."""
    owner = probe.owner.name
    name = probe.variable
    if owner in populations:
        return lambda clock: populations[owner].value(name, clock.step)
    plastic = program.plastic.get(owner)
    if plastic is not None and plastic.symbols[name].role == "variable":
        variable = reader.variable(plastic, name)
        return lambda clock: variable(EVERYONE, clock)
    return lambda clock: samples.tensors[owner, name]


def _members(probe: Probe) -> np.ndarray | None:
    """Return the neurons of a probe; None: all of the population."""
    view = probe.owner
    if not isinstance(view, View):
        raise TypeError(f"{probe.owner.name!r} has no spikes")
    return None if view.whole else view.indices


def _chosen(part: tuple[np.ndarray, ...], members: np.ndarray | None) -> tuple[np.ndarray, ...]:
    """Return a list of spikes without those of neurons that are not recorded."""
    if members is None:
        return part
    recorded = np.isin(part[1], members)
    return tuple(array[recorded] for array in part)


def _of_sample(
    parts: list[tuple[np.ndarray, ...]],
    sample: int,
    column: int,
    dtype: type,
) -> np.ndarray:
    """Return one column of all lists for one sample."""
    own = [part[column][part[0] == sample] for part in parts]
    return np.concatenate([np.zeros(0, dtype), *own]).astype(dtype, copy=False)

"""Recording: buffers of one stretch for spikes, traces, and values at spikes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neurosim.backend.engine import AtSpikes, Chunk
from neurosim.ir.memory import Key
from neurosim.ir.program import StaticProjection
from neurosim.model.binding import Symbol
from neurosim.network.populations import View
from neurosim.network.probes import Probe

from ..kernels.operations import Argument, Pointer, Spikes, SpikeValues, Trace
from .context import Context
from .schedule import Schedule

LEAST_ROOM = 1 << 16  # spikes: a small population seldom ends a stretch with a full buffer


@dataclass(frozen=True, eq=False)
class _SpikeBuffer:
    neurons: np.ndarray
    steps: np.ndarray
    count: np.ndarray  # (1,)

    def before(self, end: int, *, whole: bool) -> int:
        """Return the number of spikes before a step, after which there are none if it is whole."""
        count = int(self.count[0])
        # A step that is not whole may have recorded spikes, but does not count.
        return count if whole else int(self.steps[:count].searchsorted(end))


@dataclass(frozen=True, eq=False)
class _ValueBuffer(_SpikeBuffer):
    """Spikes of one partition, and a variable at each."""

    values: np.ndarray


@dataclass(eq=False)
class _TraceBuffer:
    """The values of a probe in one stretch, (T, M); operations follow its address."""

    every: int
    columns: int
    pointer: Pointer
    values: np.ndarray

    def begin(self, first: int, steps: int) -> None:
        """Make room for a stretch: values that were returned belong to the caller."""
        self.values = np.empty((self.rows(first, steps), self.columns))
        self.pointer.point(self.values)

    def rows(self, first: int, steps: int) -> int:
        """Return the number of steps of a stretch that are recorded."""
        # By absolute steps: samples stay `every` steps apart over the ends of stretches.
        return (first + steps) // self.every - first // self.every


@dataclass(frozen=True, eq=False)
class _Coefficients:
    """A coefficient of closed forms as recording reads it: one value, or one per variable."""

    values: np.ndarray
    key: Key
    neuron: np.ndarray | None  # of each value, if the memory has one per neuron


def _merge(buffers: Sequence[_ValueBuffer], end: int, *, whole: bool) -> AtSpikes:
    """Return the spikes of all partitions before a step, sorted by step, then neuron."""
    counts = [buffer.before(end, whole=whole) for buffer in buffers]
    pairs = list(zip(buffers, counts, strict=True))
    steps = np.concatenate([buffer.steps[:count] for buffer, count in pairs])
    # Stable: partitions are ascending ranges of neurons, so those of a step stay in order.
    order = np.argsort(steps, kind="stable")
    neurons = np.concatenate([buffer.neurons[:count] for buffer, count in pairs])
    values = np.concatenate([buffer.values[:count] for buffer, count in pairs])
    return neurons[order], steps[order], values[order]


class Recording:
    """Buffers of probes, filled by operations that are appended to a schedule.

    The first partition records spikes of all; each value is recorded by the partition that owns it.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._first = context.tables.keep(np.zeros(1, np.int64))  # step of the stretch
        self._spikes: dict[int, _SpikeBuffer] = {}
        self._traces: dict[int, _TraceBuffer] = {}
        self._coefficients: list[_Coefficients] = []
        self._at_spikes: dict[int, list[_ValueBuffer]] = {}  # of each partition

    def begin_delivery(self, schedule: Schedule) -> None:
        """Append what is recorded between phases 3 and 4."""
        for i, probe in enumerate(self._context.program.probes):
            if probe.at_spikes and isinstance(probe.owner, View):
                self._record_at_spikes(i, probe.owner, probe.variable, schedule)

    def end_step(self, schedule: Schedule) -> None:
        """Append phase 6."""
        for i, probe in enumerate(self._context.program.probes):
            if probe.at_spikes:
                continue
            if probe.variable == "spikes" and isinstance(probe.owner, View):
                self._record_spikes(i, probe.owner, schedule)
            else:
                self._record_trace(i, probe, schedule)

    def begin(self, first: int, steps: int) -> None:
        """Make room for a stretch."""
        self._first[0] = first
        for spikes in self._spikes.values():
            spikes.count[0] = 0
        for values in self._at_spikes.values():
            for buffer in values:
                buffer.count[0] = 0
        for trace in self._traces.values():
            trace.begin(first, steps)

    def collect(self, chunk: Chunk, first: int) -> None:
        """Copy the recorded spikes and values of a stretch into a chunk."""
        # Copies of spikes, since their buffers serve the next stretch; traces get new ones.
        end = first + chunk.steps
        for i, spikes in self._spikes.items():
            count = spikes.before(end, whole=chunk.finite)
            neurons = spikes.neurons[:count].copy()
            steps = spikes.steps[:count].copy()
            chunk.spikes[i] = neurons, steps
        for i, buffers in self._at_spikes.items():
            chunk.at_spikes[i] = _merge(buffers, end, whole=chunk.finite)
        for i, trace in self._traces.items():
            # Fewer than there is room for, if a signal or an error has ended the stretch.
            rows = trace.rows(first, chunk.steps)
            chunk.traces[i] = trace.values[:rows]

    def synchronise(self) -> None:
        """Follow changed coefficients."""
        for c in self._coefficients:
            values = self._context.memory[c.key]
            c.values[...] = values if c.neuron is None else values[c.neuron]

    # ---- operations

    def _record_spikes(self, i: int, view: View, schedule: Schedule) -> None:
        room = self._room(view)
        keep = self._context.tables.keep
        buffer = self._spikes[i] = _SpikeBuffer(
            neurons=keep(np.zeros(room, np.int32)),
            steps=keep(np.zeros(room, np.int64)),
            count=keep(np.zeros(1, np.int64)),
        )
        operation = Spikes(
            history=self._context.history(view.name),
            members=self._members(view),
            neurons=buffer.neurons,
            steps=buffer.steps,
            count=buffer.count,
            room=room,
        )
        # One partition for all, so that a step's spikes are in one ascending order.
        schedule.append(0, operation)

    def _record_at_spikes(
        self,
        i: int,
        view: View,
        variable: str,
        schedule: Schedule,
    ) -> None:
        room = self._room(view)
        keep = self._context.tables.keep
        members = self._members(view)
        self._at_spikes[i] = []
        for partition in range(self._context.partitions):
            buffer = _ValueBuffer(
                neurons=keep(np.zeros(room, np.int32)),
                steps=keep(np.zeros(room, np.int64)),
                count=keep(np.zeros(1, np.int64)),
                values=keep(np.zeros(room)),
            )
            self._at_spikes[i].append(buffer)
            operation = SpikeValues(
                history=self._context.history(view.name),
                members=members,
                neurons=buffer.neurons,
                steps=buffer.steps,
                out=buffer.values,
                values=(view.name, variable),
                count=buffer.count,
                room=room,
            )
            # Each partition its own neurons: the reset of others may run at the same time.
            schedule.append(partition, operation)

    def _room(self, view: View) -> int:
        # At least two steps in which all neurons spike, see `kernels.loop.record_spikes`.
        return max(4 * self._context.program.populations[view.name].size, LEAST_ROOM)

    def _members(self, view: View) -> Argument:
        """Return a mark for each neuron of a population, or 0 if all are recorded."""
        # 0, not an array of ones: recording all, the common case, reads no marks.
        if view.whole:
            return 0
        size = self._context.program.populations[view.name].size
        members = self._context.tables.keep(np.zeros(size, np.uint8))
        members[view.indices] = 1
        return members

    def _record_trace(self, i: int, probe: Probe, schedule: Schedule) -> None:
        memory = self._context.memory
        keep = self._context.tables.keep
        # Positions depend on the layout: weights that edges share all lie at 0.
        self._context.tables.rely_on_layout((probe.owner.name, probe.variable))
        index, _ = memory.locate(probe.owner, probe.variable)
        if probe.edges is not None:
            index = index[probe.edges]
        pointer = Pointer()
        owner = probe.owner.name
        nothing = np.empty((0, index.size))
        self._traces[i] = _TraceBuffer(probe.every, index.size, pointer, nothing)
        last: Argument = 0
        tau = inflow = None
        if (owner, f"{probe.variable}@last") in memory:
            last = owner, f"{probe.variable}@last"
            symbol = self._context.program.plastic[owner].symbols[probe.variable]
            tau = self._coefficient(owner, symbol, str(symbol.decay))
            if symbol.inflow is not None:
                inflow = self._coefficient(owner, symbol, symbol.inflow)
        partition_of = self._partition_of(probe, index)
        for partition in range(self._context.partitions):
            column = np.flatnonzero(partition_of == partition)
            if column.size == 0:
                continue
            operation = Trace(
                every=probe.every,
                out=pointer,
                columns=index.size,
                values=(owner, probe.variable),
                index=keep(index[column].astype(np.int32)),
                column=keep(column.astype(np.int32)),
                count=column.size,
                first=self._first,
                last=last,
                tau=0 if tau is None else tau,
                tau_count=0 if tau is None else tau.size,
                inflow=0 if inflow is None else inflow,
                inflow_count=0 if inflow is None else inflow.size,
                dt=self._context.dt,
            )
            schedule.append(partition, operation)

    def _partition_of(self, probe: Probe, index: np.ndarray) -> np.ndarray:
        """Return the partition that owns each recorded value, (M,).

        Edges and post variables belong to the partition of their target; pre variables of the
        memory are those of the first.
        """
        if isinstance(probe.owner, View):
            population = probe.owner.name
            neuron = index
        else:
            p = self._context.program.projections[probe.owner.name]
            if isinstance(p, StaticProjection) or p.symbols[probe.variable].side == "pre":
                return np.zeros(index.size, int)
            per_edge = p.symbols[probe.variable].side == "edge"
            targets = p.targets if per_edge else p.groups("post").neuron
            neuron = targets[index]
            population = p.target
        # Inner bounds alone: of one partition there is none, so that all are in partition 0.
        inner = self._context.bounds[population][1:-1]
        return np.searchsorted(inner, neuron, side="right")

    def _coefficient(self, owner: str, symbol: Symbol, name: str) -> np.ndarray:
        """Return a coefficient of a variable's closed form, which follows the memory."""
        p = self._context.program.plastic[owner]
        # The memory has one value per neuron, but a variable has one per delay group.
        key = owner, name
        array = self._context.memory[key]
        neuron = None
        if array.size > 1 and symbol.side != "edge":
            neuron = p.groups(symbol.side).neuron
        of_variable = array if neuron is None else array[neuron]
        # A copy, since `synchronise` writes into it when the memory has changed.
        values = self._context.tables.keep(np.array(of_variable))
        self._coefficients.append(_Coefficients(values, key, neuron))
        return values

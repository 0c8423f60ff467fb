"""Phase 6 laid out for threads: buffers of one stretch for spikes and traces, and what is taken from them."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from neurosim.backend.engine import Chunk
from neurosim.ir.program import StaticProjection
from neurosim.network.populations import View

from ..kernels import loop

if TYPE_CHECKING:
    from ..engine import CpuEngine


class Recording:
    """Buffers of probes. Spikes are written by the first thread, members of traces by the thread that owns them."""

    def __init__(self, engine: CpuEngine) -> None:
        self.engine = weakref.proxy(
            engine
        )  # which holds this object: a run that is dropped gives its arrays back at once
        self.program, self.memory, self.tables = engine.program, engine.memory, engine._tables
        self._first = self.tables.keep(np.zeros(1, np.int64))
        self._spikes: dict[int, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}
        self._columns: dict[int, int] = {}
        self._out: dict[int, list[tuple[int, int]]] = {}  # probe -> (thread, row of its operation)
        self._taus: list[tuple[np.ndarray, Any]] = []
        self._buffers: dict[int, np.ndarray] = {}

    def lay_out(self, rows: list[list[list[Any]]]) -> None:
        """Append the operations of phase 6."""
        for i, probe in enumerate(self.program.probes):
            if probe.variable == "spikes":
                size = self.program.populations[probe.owner.name].size
                room = max(4 * size, 1 << 16)
                out = tuple(
                    self.tables.keep(a)
                    for a in (
                        np.zeros(room, np.int32),
                        np.zeros(room, np.int64),
                        np.zeros(1, np.int64),
                    )
                )
                keep: Any = 0
                if not probe.owner.whole:
                    keep = self.tables.keep(np.zeros(size, np.uint8))
                    keep[probe.owner.indices] = 1
                self._spikes[i] = out
                rows[0].append(
                    [loop.SPIKES, *self.engine.history(probe.owner.name), keep, *out, room]
                )
            else:
                self._trace(i, probe, rows)

    def prepare(self, first: int, steps: int) -> None:
        """Make room for a stretch."""
        self._first[0] = first
        for _, _, total in self._spikes.values():
            total[0] = 0
        for i, columns in self._columns.items():
            every = self.program.probes[i].every
            self._buffers[i] = np.empty(((first + steps) // every - first // every, columns))
            for thread, row in self._out[i]:
                self.engine._ops[thread][row, 2] = self._buffers[i].ctypes.data

    def collect(self, chunk: Chunk, first: int) -> None:
        """Take what was recorded."""
        for i, (neurons, steps, total) in self._spikes.items():
            chunk.spikes[i] = neurons[: total[0]].copy(), steps[: total[0]].copy()
        for i, values in self._buffers.items():
            every = self.program.probes[i].every
            chunk.traces[i] = values[: (first + chunk.steps) // every - first // every]

    def synchronise(self) -> None:
        """Follow changed time constants."""
        for kept, (owner, name, neuron) in self._taus:
            tau = self.memory[owner, name]
            kept[...] = tau if neuron is None else tau[neuron]

    def _trace(self, i: int, probe: Any, rows: list[list[list[Any]]]) -> None:
        at, _ = self.memory.locate(probe.owner, probe.variable)
        at = at if probe.edges is None else at[probe.edges]
        self._columns[i], self._out[i] = at.size, []
        owner = probe.owner.name
        thread_of = self._threads(probe, at)
        decay: list[Any] = [0, 0, 0, 0]
        if (owner, f"{probe.variable}@last") in self.memory:
            decay = [
                (owner, f"{probe.variable}@last"),
                *self._tau(owner, probe.variable),
                self.engine._dt,
            ]
        for thread in range(len(rows)):
            mine = np.flatnonzero(thread_of == thread)
            if mine.size:
                self._out[i].append((thread, len(rows[thread])))
                rows[thread].append(
                    [
                        loop.TRACE,
                        probe.every,
                        0,
                        at.size,
                        (owner, probe.variable),
                        self.tables.keep(at[mine].astype(np.int32)),
                        self.tables.keep(mine.astype(np.int32)),
                        mine.size,
                        self._first,
                        *decay,
                    ]
                )

    def _threads(self, probe: Any, at: np.ndarray) -> np.ndarray:
        """The thread that owns each recorded member: of edges and post variables the one of their target."""
        if isinstance(probe.owner, View):
            bounds, neuron = self.memory.bounds[probe.owner.name], at
        else:
            p = self.program.projections[probe.owner.name]
            if isinstance(p, StaticProjection) or p.symbols[probe.variable].side == "pre":
                return np.zeros(at.size, int)
            per_edge = p.symbols[probe.variable].side == "edge"
            bounds, neuron = (
                self.memory.bounds[p.target],
                p.targets[at] if per_edge else p.groups("post").neuron[at],
            )
        return np.searchsorted(bounds[1:-1], neuron, side="right")

    def _tau(self, owner: str, variable: str) -> tuple[np.ndarray, int]:
        p = self.program.plastic[owner]
        symbol = p.symbols[variable]
        tau = self.memory[owner, symbol.decay]
        neuron = None
        if tau.size > 1 and symbol.side != "edge":
            neuron = p.groups(symbol.side).neuron
        kept = self.tables.keep(np.array(tau if neuron is None else tau[neuron]))
        self._taus.append((kept, (owner, symbol.decay, neuron)))
        return kept, kept.size

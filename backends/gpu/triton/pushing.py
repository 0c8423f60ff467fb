"""Static projections that are pushed: all their edges by source, and sums in fixed point."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch

from neurosim.ir.delay_groups import positions_of
from neurosim.ir.memory import Memory
from neurosim.ir.program import StaticProjection

from . import kernels
from .launches import Device, Launch

# Programs that share the spikes of a step.
_PROGRAMS = 1024
_BLOCK = 128


class Pushed:
    """The static projections that are pushed, in one list of edges.

    A spike visits its edges once, when it is emitted. Each adds its weight, in parts of 2**-40, to
    the sum of its target in the step in which it lands.

    Parameters
    ----------
    device : Device
    projections : iterable of StaticProjection

    Attributes
    ----------
    names : set of str
    """

    def __init__(self, device: Device, projections: Iterable[StaticProjection]) -> None:
        self.device = device
        self.program = device.program
        self._projections = list(projections)
        self.names = {p.name for p in self._projections}
        self._columns: dict[tuple[str, str], int] = {}
        self._width = 0
        for p in self._projections:
            if (p.target, p.port) not in self._columns:
                self._columns[p.target, p.port] = self._width
                self._width += self.program.populations[p.target].size
        # A row for each step in which a spike of this step may land, this one included.
        delays = [int(np.max(p.axonal, initial=0)) for p in self._projections]
        longest = max(delays, default=0)
        self._depth = longest + 1
        self._build()

    def _build(self) -> None:
        device = self.device
        parts = self._projections
        sources = np.concatenate([self.device.columns[p.source] + p.sources for p in parts])
        # Edges of one source lie side by side: neighbouring lanes read neighbouring memory.
        order = np.argsort(sources, kind="stable")
        pointer = np.zeros(device.fired.shape[2] + 1, np.int64)
        edges_of_source = np.bincount(sources, minlength=pointer.size - 1)
        np.cumsum(edges_of_source, out=pointer[1:])
        targets = [self._columns[p.target, p.port] + p.targets.astype(np.int64) for p in parts]
        delays = [np.broadcast_to(p.axonal, p.targets.shape) for p in parts]
        self._order = order
        self._pointer = torch.from_numpy(pointer).to(device.device)
        self._targets = self._index(np.concatenate(targets)[order])
        self._delays = self._index(np.concatenate(delays)[order])
        self._weights = torch.zeros(order.size, dtype=device.real, device=device.device)
        shape = (device.count, self._depth, self._width)
        self._sums = torch.zeros(shape, dtype=torch.int64, device=device.device)
        # Room for a step in which all neurons spike: a list on the device cannot grow.
        most = (device.count, device.fired.shape[2])
        self._spikes = torch.zeros(most, dtype=torch.int32, device=device.device)
        self.counts = torch.zeros(device.count, dtype=torch.int32, device=device.device)

    def _index(self, values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(values, np.int32)).to(self.device.device)

    def follow(self, step: int) -> None:
        """Follow weights, and spikes in flight before a step, that the host has changed."""
        memories = self.device.samples.memories
        weights = [_weights(p, memories[0]) for p in self._projections]
        by_source = np.concatenate(weights)[self._order]
        self._weights.copy_(torch.from_numpy(by_source))
        sums = np.zeros(self._sums.shape, np.int64)
        for sample, memory in enumerate(memories):
            for p in self._projections:
                since = int(memory[p.name, "_since"][0])
                # Earlier spikes have landed, and of those before a reset none lands.
                first = max(step - self._depth + 1, since)
                for emitted in range(first, step):
                    self._land(sums[sample], p, memory, emitted=emitted, step=step)
        self._sums.copy_(torch.from_numpy(sums))

    def _land(
        self,
        sums: np.ndarray,
        p: StaticProjection,
        memory,
        *,
        emitted: int,
        step: int,
    ) -> None:
        """Add the edges of a step's spikes that land from ``step`` on."""
        neurons = memory.spikes(p.source, emitted)
        edges = positions_of(neurons, p.pointer)
        delays = np.broadcast_to(p.axonal, p.targets.shape)[edges]
        late = emitted + delays >= step
        edges = edges[late]
        rows = (emitted + delays[late]) % self._depth
        weights = _weights(p, memory)[edges].astype(np.float64)
        # Rounded as the kernel rounds: spikes in flight land with the same bits.
        whole = np.floor(weights * kernels.FIXED + 0.5).astype(np.int64)
        # `sums[...] +=` would add one of several edges to the same target.
        columns = self._columns[p.target, p.port] + p.targets[edges]
        np.add.at(sums, (rows, columns), whole)

    def launches(self) -> list[Launch]:
        """Return the launches that push the spikes of a step."""
        device = self.device
        fired, depth, width = device.ring
        lists = (self._spikes, self.counts)
        # The interpreter runs programs one after the other: more than one only costs time.
        programs = 1 if device.words.interpreted else _PROGRAMS
        return [
            device.launch(kernels.list_spikes, width, fired, depth, width, *lists),
            device.launch(
                kernels.push,
                programs * _BLOCK,
                *lists,
                width,
                self._pointer,
                self._targets,
                self._delays,
                self._weights,
                self._sums,
                self._depth,
                self._width,
                block=_BLOCK,
                PROGRAMS=programs,
            ),
        ]

    def take(self, population: str, port: str) -> list[Launch]:
        """Return the launch that adds the sums of a port to it."""
        column = self._columns.get((population, port))
        if column is None:
            return []
        size = self.program.populations[population].size
        at = self.device.tensor((population, f"_port_{port}"))
        where = (self._sums, self._depth, self._width, column, at, size)
        return [self.device.launch(kernels.take_sums, size, *where)]


def _weights(p: StaticProjection, memory: Memory) -> np.ndarray:
    """Return the weight of each edge, (E,)."""
    weights = memory[p.name, "w"]
    if p.shared is not None:
        return weights[p.shared]
    return np.broadcast_to(weights, p.targets.shape)

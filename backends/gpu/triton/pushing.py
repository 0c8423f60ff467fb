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
        self.names = {projection.name for projection in self._projections}
        self._columns: dict[tuple[str, str], int] = {}
        self._width = 0
        for projection in self._projections:
            if (projection.target, projection.port) not in self._columns:
                self._columns[projection.target, projection.port] = self._width
                self._width += self.program.populations[projection.target].size
        # A row for each step in which a spike of this step may land, this one included.
        delays = [int(np.max(projection.axonal, initial=0)) for projection in self._projections]
        longest = max(delays, default=0)
        self._depth = longest + 1
        self._build()

    def _build(self) -> None:
        device = self.device
        sources, targets, delays = [], [], []
        for projection in self._projections:
            column = self._columns[projection.target, projection.port]
            sources.append(device.columns[projection.source] + projection.sources)
            targets.append(column + projection.targets.astype(np.int64))
            delays.append(np.broadcast_to(projection.axonal, projection.targets.shape))
        source = np.concatenate(sources)
        # Edges of one source lie side by side: neighbouring lanes read neighbouring memory.
        order = np.argsort(source, kind="stable")
        pointer = np.zeros(device.fired.shape[2] + 1, np.int64)
        edges_of_source = np.bincount(source, minlength=pointer.size - 1)
        np.cumsum(edges_of_source, out=pointer[1:])
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
        weights = [_weights(projection, memories[0]) for projection in self._projections]
        by_source = np.concatenate(weights)[self._order]
        self._weights.copy_(torch.from_numpy(by_source))
        sums = np.zeros(self._sums.shape, np.int64)
        for sample, memory in enumerate(memories):
            for projection in self._projections:
                since = int(memory[projection.name, "_since"][0])
                # Earlier spikes have landed, and of those before a reset none lands.
                first = max(step - self._depth + 1, since)
                for emitted in range(first, step):
                    self._land(sums[sample], projection, memory, emitted=emitted, step=step)
        self._sums.copy_(torch.from_numpy(sums))

    def _land(
        self,
        sums: np.ndarray,
        projection: StaticProjection,
        memory,
        *,
        emitted: int,
        step: int,
    ) -> None:
        """Add the edges of a step's spikes that land from ``step`` on."""
        neurons = memory.spikes(projection.source, emitted)
        edges = positions_of(neurons, projection.pointer)
        delays = np.broadcast_to(projection.axonal, projection.targets.shape)[edges]
        late = emitted + delays >= step
        edges = edges[late]
        rows = (emitted + delays[late]) % self._depth
        weights = _weights(projection, memory)[edges].astype(np.float64)
        # Rounded as the kernel rounds: spikes in flight land with the same bits.
        whole = np.floor(weights * kernels.FIXED + 0.5).astype(np.int64)
        # `sums[...] +=` would add one of several edges to the same target.
        columns = self._columns[projection.target, projection.port] + projection.targets[edges]
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
        port_tensor = self.device.tensor((population, f"_port_{port}"))
        where = (self._sums, self._depth, self._width, column, port_tensor, size)
        return [self.device.launch(kernels.take_sums, size, *where)]


def _weights(projection: StaticProjection, memory: Memory) -> np.ndarray:
    """Return the weight of each edge, (E,)."""
    weights = memory[projection.name, "w"]
    if projection.shared is not None:
        return weights[projection.shared]
    return np.broadcast_to(weights, projection.targets.shape)

"""What a stretch records: spikes from the ring of spikes, samples from buffers of the device."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from neurosim.backend.engine import Chunk
from neurosim.ir.program import PlasticProjection
from neurosim.network.populations import View
from neurosim.network.probes import Probe

from . import kernels
from .launches import Device, Launch


class Recording:
    """Records the probes of a program, for stretches of at most some steps.

    Parameters
    ----------
    device : Device
    first : (1,) int64
        First step of the stretch.
    capacity : int
        Most steps of a stretch.
    """

    def __init__(self, device: Device, first: Tensor, capacity: int) -> None:
        self.device = device
        self._first = first
        self._buffers: dict[int, Tensor] = {}
        self._probes = device.program.probes
        for number, probe in enumerate(self._probes):
            if probe.variable != "spikes":
                # One row more: a stretch may begin just before a step that is recorded.
                rows = capacity // probe.every + 1
                size = (device.count, rows, self._positions(probe).size)
                self._buffers[number] = torch.zeros(size, dtype=torch.float64, device=first.device)

    def launches(self) -> list[Launch]:
        """Return phase 6."""
        return self._samples(at_spikes=False)

    def at_spikes(self) -> list[Launch]:
        """Return what records states after phase 3, as spikes find them."""
        return self._samples(at_spikes=True)

    def _samples(self, *, at_spikes: bool) -> list[Launch]:
        return [
            self._sample(number, self._probes[number])
            for number, buffer in self._buffers.items()
            if buffer.shape[-1] and self._probes[number].at_spikes == at_spikes
        ]

    def _positions(self, probe: Probe) -> np.ndarray:
        positions, _ = self.device.samples.memories[0].locate(probe.owner, probe.variable)
        return positions if probe.edges is None else positions[probe.edges]

    def _sample(self, number: int, probe: Probe) -> Launch:
        device = self.device
        owner = probe.owner.name
        key = (owner, probe.variable)
        values = device.tensor(key)
        positions = self._positions(probe)
        buffer = self._buffers[number]
        out = (
            device.hold((owner, f"@probe{number}"), positions),
            buffer,
            buffer.shape[1],
            positions.size,
            probe.every,
            self._first,
        )
        rows = (owner, f"{probe.variable}@rows")
        memory = device.samples.memories[0]
        if rows in memory:
            table = (device.tensor(rows), device.size(rows), values.shape[-1])
            where = (values, device.size(key), *table)
            return device.launch(kernels.sample_table, positions.size, *where, *out)
        if (owner, f"{probe.variable}@last") in memory:
            return self._course(number, probe, positions, out)
        return device.launch(kernels.sample_values, positions.size, values, device.size(key), *out)

    def _course(
        self,
        number: int,
        probe: Probe,
        positions: np.ndarray,
        out: tuple,
    ) -> Launch:
        device = self.device
        projection = device.program.plastic[probe.owner.name]
        symbol = projection.symbols[probe.variable]
        values = device.tensor((projection.name, symbol.name))
        # Computed as a rule would read it: the array holds the value of the last assignment.
        tau = self._coefficient(
            projection, f"@tau_of_probe{number}", str(symbol.decay), positions, symbol.side
        )
        # The kernel takes an address in any case; without inflow it does not read it.
        inflow = tau
        if symbol.inflow is not None:
            name = f"@inflow_of_probe{number}"
            inflow = self._coefficient(projection, name, symbol.inflow, positions, symbol.side)
        return device.launch(
            kernels.sample_course,
            positions.size,
            values,
            device.size((projection.name, symbol.name)),
            device.tensor((projection.name, f"{symbol.name}@last")),
            *tau,
            *inflow,
            *out,
            DT=device.program.dt,
            INFLOW=int(symbol.inflow is not None),
        )

    def _coefficient(
        self,
        projection: PlasticProjection,
        held: str,
        name: str,
        positions: np.ndarray,
        side: str,
    ) -> tuple[Tensor, int, Tensor]:
        """Return a coefficient's values, and which of them each recorded value reads."""
        device = self.device
        values = device.tensor((projection.name, name))
        # A coefficient with one value is read by all.
        index = np.zeros(positions.size, np.int32)
        if values.shape[-1] > 1:
            index = positions
            if side != "edge":
                index = projection.groups("pre" if side == "pre" else "post").neuron[positions]
        size = device.size((projection.name, name))
        return values, size, device.hold((projection.name, held), index)

    # ---- results

    def collect(
        self,
        sample: int,
        first: int,
        steps: int,
        *,
        finite: bool,
    ) -> Chunk:
        """Return what a sample recorded in some steps.

        Parameters
        ----------
        sample : int
        first, steps : int
        finite : bool
            Whether the step after them was not left.
        """
        chunk = Chunk(steps, finite)
        for number, probe in enumerate(self._probes):
            if probe.variable == "spikes":
                chunk.spikes[number] = self._spikes(probe, sample, first, steps)
            elif probe.at_spikes:
                neuron, step = self._spikes(probe, sample, first, steps)
                values = self._at_spikes(number, probe, sample)
                chunk.at_spikes[number] = neuron, step, values(step - first, neuron)
            else:
                rows = (first + steps) // probe.every - first // probe.every
                # A copy: the next stretch writes over the buffer.
                buffer = self._buffers[number][sample, :rows]
                chunk.traces[number] = buffer.cpu().numpy().copy()
        return chunk

    def _at_spikes(
        self, number: int, probe: Probe, sample: int
    ) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        """Return the function from rows and neurons to values that were recorded."""
        view = probe.owner
        assert isinstance(view, View)  # of populations alone, as spikes
        # The buffer has a column for each recorded neuron, not for each neuron.
        column = np.zeros(self.device.program.populations[view.name].size, np.int64)
        column[view.indices] = np.arange(view.indices.size)
        buffer = self._buffers[number][sample]

        def values(row: np.ndarray, neuron: np.ndarray) -> np.ndarray:
            rows = torch.from_numpy(row).to(buffer.device)
            columns = torch.from_numpy(column[neuron]).to(buffer.device)
            return buffer[rows, columns].cpu().numpy()

        return values

    def _spikes(
        self,
        probe: Probe,
        sample: int,
        first: int,
        steps: int,
    ) -> tuple[np.ndarray, np.ndarray]:
        view = probe.owner
        assert isinstance(view, View)  # spikes are recorded of populations alone
        step, neuron = spikes_of(self.device, view.name, sample, range(first, first + steps))
        if not view.whole:
            inside = np.isin(neuron, view.indices)
            step = step[inside]
            neuron = neuron[inside]
        return neuron.astype(np.int32), step


def spikes_of(
    device: Device,
    population: str,
    sample: int,
    steps: range,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the spikes of a population in some of the last steps: steps and neurons, sorted.

    Parameters
    ----------
    device : Device
    population : str
    sample : int
    steps : range
        At most as many as the ring of spikes has rows.
    """
    fired, depth, _ = device.ring
    column = device.columns[population]
    size = device.program.populations[population].size
    rows = torch.arange(steps.start, steps.stop, device=device.device) % depth
    marks = fired[sample, :, column : column + size][rows]
    # In the order of steps, then of neurons: chunks promise it.
    step, neuron = marks.nonzero(as_tuple=True)
    return step.cpu().numpy() + steps.start, neuron.cpu().numpy()

"""Recordings of a stretch of steps, of all samples."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from neurosim.backend.engine import Chunk
from neurosim.ir.program import Program
from neurosim.network.populations import View
from neurosim.network.probes import Probe

from .delivery import EVERYONE, whole_numbers
from .populations import Clock, TensorPopulation
from .reading import Reader, gather
from .samples import Samples

_MOST = 1 << 26  # conditions of spikes that are held before they become lists


class TensorStretch:
    """The recordings of successive steps.

    Parameters
    ----------
    program : Program
    samples : Samples
    populations : name -> TensorPopulation
    reader : Reader

    Attributes
    ----------
    steps : int
        Whole steps done.
    """

    def __init__(
        self,
        program: Program,
        samples: Samples,
        populations: dict[str, TensorPopulation],
        reader: Reader,
    ) -> None:
        self.steps = 0
        self._samples = samples
        self._probes = list(enumerate(program.probes))
        self._program = program
        self._populations = populations
        self._reader = reader
        self._held: dict[int, list[Tensor]] = {}
        self._first: dict[int, int] = {}
        self._spikes: dict[int, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {
            number: [] for number, probe in self._probes if probe.variable == "spikes"
        }
        self._traces: dict[int, list[Tensor]] = {
            number: [] for number, probe in self._probes if probe.variable != "spikes"
        }

    def keep(self, clock: Clock) -> None:
        """Record the end of a step."""
        for number, probe in self._probes:
            if probe.variable == "spikes":
                self._keep_spikes(number, probe, clock.step)
            # The clock decides, not the beginning of the stretch: samples do not depend on how a
            # run is cut into stretches.
            elif (clock.step + 1) % probe.every == 0:
                self._traces[number].append(self._sample(probe, clock))
        self.steps += 1

    def chunks(self, *, finite: bool) -> list[Chunk]:
        """Return everything recorded so far, a chunk for each sample."""
        for number in self._spikes:
            self._list_spikes(number)
        return [self._chunk(sample, finite) for sample in range(len(self._samples.memories))]

    # ---- parts

    def _keep_spikes(self, number: int, probe: Probe, step: int) -> None:
        ring = self._populations[probe.owner.name].ring
        held = self._held.setdefault(number, [])
        if not ring.any[step % len(ring.any)] and not held:
            return  # quiet steps before the first spike are not held
        if not held:
            self._first[number] = step
        # A copy: the ring writes over it.
        held.append(ring.at(step).clone())
        if len(held) * held[0].numel() > _MOST:
            self._list_spikes(number)

    def _list_spikes(self, number: int) -> None:
        held = self._held.pop(number, [])
        if not held:
            return
        step, sample, neuron = torch.stack(held).nonzero(as_tuple=True)
        first = self._first.pop(number)
        arrays = (sample.cpu().numpy(), neuron.cpu().numpy(), step.cpu().numpy() + first)
        view = self._program.probes[number].owner
        assert isinstance(view, View)  # spikes are recorded of populations alone
        if not view.whole:
            recorded = np.isin(arrays[1], view.indices)
            arrays = (arrays[0][recorded], arrays[1][recorded], arrays[2][recorded])
        self._spikes[number].append(arrays)

    def _sample(self, probe: Probe, clock: Clock) -> Tensor:
        """Return the values of a probe at the end of a step, (B, M) or (B, 1) float64."""
        owner, name = probe.owner.name, probe.variable
        plastic = self._program.plastic.get(owner)
        if plastic is not None and plastic.symbols[name].role == "variable":
            values = self._reader.variable(plastic, name)(EVERYONE, clock)
        elif owner in self._populations:
            values = self._populations[owner].value(name, clock.step)
        else:
            values = self._samples.tensors[owner, name]
        positions, _ = self._samples.memories[0].locate(probe.owner, name)
        if probe.edges is not None:
            positions = positions[probe.edges]
        whole = positions.size == values.shape[1] and (np.diff(positions) == 1).all()
        along = None if whole else whole_numbers(positions, values.device)
        return gather(values, along, EVERYONE).to(torch.float64, copy=True)

    def _chunk(self, sample: int, finite: bool) -> Chunk:
        spikes = {}
        for number, parts in self._spikes.items():
            own = [(neurons[s == sample], steps[s == sample]) for s, neurons, steps in parts]
            neurons = [np.zeros(0, np.int64), *(part[0] for part in own)]
            steps = [np.zeros(0, np.int64), *(part[1] for part in own)]
            spikes[number] = (
                np.concatenate(neurons).astype(np.int32),
                np.concatenate(steps).astype(np.int64),
            )
        traces = {number: self._trace(number, sample) for number in self._traces}
        return Chunk(self.steps, finite, spikes, traces)

    def _trace(self, number: int, sample: int) -> np.ndarray:
        probe = self._program.probes[number]
        width = self._samples.memories[sample].locate(probe.owner, probe.variable)[0].size
        width = width if probe.edges is None else len(probe.edges)
        rows = [
            values.expand(len(self._samples.memories), width) for values in self._traces[number]
        ]
        if not rows:
            return np.zeros((0, width))
        return torch.stack([row[sample] for row in rows]).cpu().numpy()

"""The recordings of a stretch: channels of the machine, and their samples as probes have them."""

from __future__ import annotations

import numpy as np

from neurosim.backend.engine import Chunk

from ..translation.plan import Plan, PlannedRecording
from .arithmetic.numbers import to_float
from .layout import Layout
from .loop import EXCITATORY, INHIBITORY, VOLTAGE, WEIGHT, Channels, Spikes

_VARIABLES = {"v": VOLTAGE, "gsyn_exc": EXCITATORY, "gsyn_inh": INHIBITORY}
_RECEPTOR_OF = {EXCITATORY: "excitatory", INHIBITORY: "inhibitory"}


class Recordings:
    """All recordings of a plan.

    Parameters
    ----------
    plan : Plan
    layout : Layout
    """

    def __init__(self, plan: Plan, layout: Layout) -> None:
        self._plan = plan
        self._layout = layout
        self._sampled = [r for r in plan.recordings if not r.of_spikes]
        # By recording, what it needs of the machine: variable, shift, members.
        self._needs = [self._channels_of(r) for r in self._sampled]
        self._every = [
            r.every for r, needs in zip(self._sampled, self._needs, strict=True) for _ in needs
        ]
        flat = [need for needs in self._needs for need in needs]
        self._widths = np.array([members.size for _, _, members in flat], np.int64)
        self._variables = np.array([variable for variable, _, _ in flat], np.int64)
        self._shifts = np.array([shift for _, shift, _ in flat], np.int64)
        self._members = np.concatenate([np.zeros(0), *(m for _, _, m in flat)]).astype(np.int64)

    def _channels_of(self, recording: PlannedRecording) -> list[tuple[int, int, np.ndarray]]:
        if recording.of_weights:
            return [
                (WEIGHT, 0, self._layout.positions[q.name])
                for q in self._plan.parts(recording.owner)
                if q.rule is not None
            ]
        base = self._layout.numbering.neurons[recording.owner]
        needs = []
        for name in recording.variables:
            variable = _VARIABLES[name]
            receptor = _RECEPTOR_OF.get(variable, "")
            shift = self._layout.shifts.get((recording.owner, receptor), 0)
            needs.append((variable, shift, base + recording.members))
        return needs

    def begin(self, first: int, steps: int) -> tuple[Channels, np.ndarray]:
        """Return the channels of a stretch, and room for its samples."""
        every = np.array(self._every, np.int64)
        counts = (first + steps) // every - first // every
        output = np.cumsum([0, *(counts * self._widths)])
        channels = Channels(
            variable=self._variables,
            every=every,
            shift=self._shifts,
            first=np.cumsum([0, *self._widths]),
            member=self._members,
            output=output[:-1],
        )
        return channels, np.zeros(int(output[-1]), np.int32)

    def collect(
        self,
        chunk: Chunk,
        spikes: Spikes,
        samples: np.ndarray,
        channels: Channels,
        first: int,
    ) -> None:
        """Put the recordings of a stretch into its chunk.

        Parameters
        ----------
        chunk : Chunk
            Changed.
        spikes : Spikes
            Of the stretch alone.
        samples : int32
        channels : Channels
        first : int
            First step.
        """
        for recording in self._plan.recordings:
            if recording.of_spikes:
                chunk.spikes[recording.probe] = self._spikes_of(recording, spikes)
        number = 0
        for recording, needs in zip(self._sampled, self._needs, strict=True):
            rows = (first + chunk.steps) // recording.every - first // recording.every
            parts = []
            for _ in needs:
                begin = channels.output[number]
                width = channels.first[number + 1] - channels.first[number]
                parts.append(samples[begin : begin + rows * width].reshape(rows, width))
                number += 1
            if recording.of_weights:
                chunk.traces[recording.probe] = self._weights(recording, parts, rows)
            else:
                chunk.traces[recording.probe] = _states(recording, parts)

    def _spikes_of(
        self, recording: PlannedRecording, spikes: Spikes
    ) -> tuple[np.ndarray, np.ndarray]:
        numbering = self._layout.numbering
        base = numbering.sources[recording.owner]
        size = numbering.sizes[recording.owner]
        chosen = (spikes.source >= base) & (spikes.source < base + size)
        neurons = spikes.source[chosen] - np.int32(base)
        steps = spikes.step[chosen]
        if recording.members.size < size:
            recorded = np.isin(neurons, recording.members)
            return neurons[recorded], steps[recorded]
        return neurons, steps

    def _weights(
        self, recording: PlannedRecording, parts: list[np.ndarray], rows: int
    ) -> np.ndarray:
        """Return the weights of the edges of a probe, (rows, M), in the network's unit."""
        projections = self._plan.parts(recording.owner)
        size = sum(q.edges.size for q in projections)
        values = np.zeros((rows, size))
        samples = iter(parts)
        for q in projections:
            step = 2.0 ** (self._layout.shifts[q.target, q.receptor] - 15)
            if q.rule is None:
                values[:, q.edges] = np.rint(np.abs(q.weight) / step) * step / q.scale
            else:
                values[:, q.edges] = next(samples) * step / q.scale
        return values[:, recording.members]


def _states(recording: PlannedRecording, parts: list[np.ndarray]) -> np.ndarray:
    """Return a state of the members of a probe, (rows, M), in the network's unit."""
    total = np.zeros(parts[0].shape)
    for name, part in zip(recording.variables, parts, strict=True):
        total += recording.sign(name) * to_float(part)
    scale = np.asarray(recording.scale)
    return total / (scale[recording.members] if scale.ndim else scale)

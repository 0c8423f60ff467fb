"""The recordings of a stretch: channels of the machine, and their samples as probes have them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurosim.backend.engine import Chunk

from ..translation.plan import Plan, PlannedRecording
from ..translation.weight_scales import round_weights
from .arithmetic.numbers import to_float
from .layout import Layout
from .loop import EXCITATORY, INHIBITORY, VOLTAGE, WEIGHT, Channels, Spikes

_VARIABLES = {"v": VOLTAGE, "gsyn_exc": EXCITATORY, "gsyn_inh": INHIBITORY}
_RECEPTOR_OF = {EXCITATORY: "excitatory", INHIBITORY: "inhibitory"}


@dataclass(frozen=True, eq=False)
class _Channel:
    """One variable of neurons or edges that the machine samples, and the shift of its receptor."""

    variable: int
    shift: int
    members: np.ndarray


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
        self._sampled = [recording for recording in plan.recordings if not recording.of_spikes]
        # How many channels of the machine each recording reads: its samples follow each other.
        self._counts: list[int] = []
        self._every: list[int] = []
        channels: list[_Channel] = []
        for recording in self._sampled:
            of_recording = self._channels_of(recording)
            self._counts.append(len(of_recording))
            self._every += [recording.every] * len(of_recording)
            channels += of_recording
        members = [channel.members for channel in channels]
        self._widths = np.array([indices.size for indices in members], np.int64)
        self._variables = np.array([channel.variable for channel in channels], np.int64)
        self._shifts = np.array([channel.shift for channel in channels], np.int64)
        self._members = np.concatenate([np.zeros(0), *members]).astype(np.int64)

    def _channels_of(self, recording: PlannedRecording) -> list[_Channel]:
        if recording.of_weights:
            return [
                _Channel(WEIGHT, 0, self._layout.positions[projection.name])
                for projection in self._plan.parts(recording.owner)
                if projection.rule is not None
            ]
        base = self._layout.numbering.neurons[recording.owner]
        channels = []
        for name in recording.variables:
            variable = _VARIABLES[name]
            receptor = _RECEPTOR_OF.get(variable, "")
            shift = self._layout.shifts.get((recording.owner, receptor), 0)
            channels.append(_Channel(variable, shift, base + recording.members))
        return channels

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
        channel = 0
        for recording, count in zip(self._sampled, self._counts, strict=True):
            rows = (first + chunk.steps) // recording.every - first // recording.every
            blocks = []
            for _ in range(count):
                begin = channels.output[channel]
                width = channels.first[channel + 1] - channels.first[channel]
                blocks.append(samples[begin : begin + rows * width].reshape(rows, width))
                channel += 1
            if recording.of_weights:
                chunk.traces[recording.probe] = self._weights(recording, blocks, rows)
            else:
                chunk.traces[recording.probe] = _states(recording, blocks)

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
        self, recording: PlannedRecording, blocks: list[np.ndarray], rows: int
    ) -> np.ndarray:
        """Return the weights of the edges of a probe, (rows, M), in the network's unit."""
        projections = self._plan.parts(recording.owner)
        size = sum(projection.edges.size for projection in projections)
        values = np.zeros((rows, size))
        samples = iter(blocks)
        for projection in projections:
            step = 2.0 ** (self._layout.shifts[projection.target, projection.receptor] - 15)
            if projection.rule is None:
                weights = round_weights(projection.weight, step)
            else:
                weights = next(samples) * step
            values[:, projection.edges] = weights / projection.scale
        return values[:, recording.members]


def _states(recording: PlannedRecording, blocks: list[np.ndarray]) -> np.ndarray:
    """Return a state of the members of a probe, (rows, M), in the network's unit."""
    total = np.zeros(blocks[0].shape)
    for name, samples in zip(recording.variables, blocks, strict=True):
        total += recording.sign(name) * to_float(samples)
    scale = np.asarray(recording.scale)
    if scale.ndim:
        scale = scale[recording.members]
    return total / scale

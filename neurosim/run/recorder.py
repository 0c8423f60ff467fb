"""Keeps what an engine records, stretch by stretch, and makes a Recording of it; streams to disk
where that is wanted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from time import monotonic
from typing import Any

import numpy as np

from ..backend.engine import Chunk
from ..errors import NetworkError
from ..ir.concrete import ConcreteNetwork
from ..ir.memory import Memory
from ..ir.memory_estimate import demand_traces
from ..ir.program import Program
from ..network.probes import Probe
from ..network.projections import Projection
from ..recording.recorded import PopulationRecording, ProjectionRecording
from ..recording.recording import Recording
from ..recording.samples import Spikes, Trace
from ..recording.writer import RecordingWriter

_PART, _WAIT = (
    1 << 25,
    30.0,
)  # bytes after which a part of a streamed recording is written, and seconds after the last one


class Recorder:
    """The stretches of one run.

    Parameters
    ----------
    stream : path, optional
        A new or empty folder; what has grown large or is older than half a minute is written there,
        so that memory stays bounded, and little is
        lost when the process is killed. What all parts share (edges; members of traces that have no
        sample there) is in the first one alone.
    header : mapping
        What every recording's header says, besides the time it covers and whether the run was
        finished.
    """

    def __init__(
        self,
        program: Program,
        network: ConcreteNetwork,
        memory: Memory,
        *,
        header: Mapping[str, Any],
        stream: Any = None,
    ) -> None:
        self._program, self._network, self._memory, self._header = (
            program,
            network,
            memory,
            dict(header),
        )
        self._chunks: list[tuple[int, Chunk]] = []
        self._held = 0  # bytes since the last part was written
        self._began = self._end = (
            # steps: what was recorded, on disk and here, reaches from the one to before the other
            0
        )
        self.first = 0  # first step that is not on disk
        self._initial: dict[int, np.ndarray] = {}
        self.begin(0)
        self._writer = (
            None if stream is None else RecordingWriter(stream, self._headed(0, 0, finished=False))
        )
        self._written = monotonic()

    def demand(self, first: int, steps: int) -> None:
        """Raise NetworkError if the traces of the next steps, of which nothing goes to disk, will
        not fit into memory.
        """
        if self._writer is None:
            traces = [(i, p) for i, p in enumerate(self._program.probes) if p.variable != "spikes"]
            demand_traces(
                [
                    (
                        f"{p.owner.name}.{p.variable} ({self._initial[i].size} members every "
                        f"{p.every * self._program.dt:g} ms)",
                        8.0
                        * self._initial[i].size
                        * ((first + steps) // p.every - first // p.every),
                    )
                    for i, p in traces
                ],
                held=self._held,
                time=steps * self._program.dt,
            )

    def begin(self, step: int) -> None:
        """Take the state before ``step`` for the initial one, if nothing is recorded yet."""
        if self._began == self._end:
            self._initial = {
                i: self._memory.sample(p, step - 1).copy()
                for i, p in enumerate(self._program.probes)
                if p.variable != "spikes"
            }

    def keep(self, step: int, chunk: Chunk) -> None:
        """Keep a stretch that began at ``step``."""
        self._end = step + chunk.steps
        if not self._program.probes:
            return
        self._chunks.append((step, chunk))
        self._held += _size(chunk)
        if self._writer is not None and (self._held > _PART or monotonic() - self._written > _WAIT):
            self._flush(step + chunk.steps)

    def forget(self, step: int) -> None:
        """Drop what was recorded from ``step`` on; where that leaves nothing, the recording begins
        there.

        Raises
        ------
        NetworkError
            If what is on disk would have to be dropped, or a gap would be left.
        """
        dt = self._program.dt
        if step < self.first and self._began < self.first:
            raise NetworkError(
                f"restore: found a snapshot of {step * dt:g} ms, and recordings until "
                f"{self.first * dt:g} ms are on disk already and cannot be "
                "taken back; expected one of then or later. Restore without clock=True."
            )
        if step > self._end > self._began:
            raise NetworkError(
                f"restore: found a snapshot of {step * dt:g} ms, and what is recorded ends at "
                f"{self._end * dt:g} ms: there would be a gap; "
                "expected none. Restore without clock=True, or into a run newly prepared, whose "
                "recording then begins there."
            )
        if step <= self._began or self._began == self._end:
            self._began = self.first = step
        self._end = step
        kept = []
        for start, chunk in self._chunks:
            end = min(start + chunk.steps, step)
            if end > start:
                rows = {
                    i: (end // p.every) - (start // p.every)
                    for i, p in enumerate(self._program.probes)
                }
                kept.append(
                    (
                        start,
                        Chunk(
                            end - start,
                            True,
                            {i: (n[k < end], k[k < end]) for i, (n, k) in chunk.spikes.items()},
                            {i: values[: rows[i]] for i, values in chunk.traces.items()},
                        ),
                    )
                )
        self._chunks, self._held = kept, sum(_size(chunk) for _, chunk in kept)

    def recording(self, end: int, *, finished: bool) -> Recording:
        """Return all that was recorded until step ``end``."""
        if self._writer is None:
            return self._made(end, finished=finished)
        self._flush(end)
        self._writer.close(self._headed(self._began, end - self._began, finished=finished))
        return Recording.load(self._writer.folder)

    # ---- files of states

    def arrays(self, end: int) -> dict[str, np.ndarray]:
        """Return what is kept as arrays by name, for a file."""
        made = self._made(end, finished=True)
        found: dict[str, np.ndarray] = {}
        for i, probe in enumerate(self._program.probes):
            if probe.variable == "spikes":
                spikes = made[probe.owner.name].spikes
                found |= {f"{i}/index": spikes.index, f"{i}/step": spikes.step}
            else:
                found |= {f"{i}/values": self._values(i), f"{i}/initial": self._initial[i]}
        return found

    def take(self, arrays: Mapping[str, np.ndarray], *, first: int, end: int) -> None:
        """Keep what `arrays` returned instead of all that is kept.

        Raises
        ------
        NetworkError
            If it does not go on from what is on disk.
        """
        on_disk = self._began < self.first
        if on_disk and first != self.first:
            raise NetworkError(
                f"load: found recordings from {first * self._program.dt:g} ms on, and those of "
                f"this run until {self.first * self._program.dt:g} "
                "ms are on disk already; expected what goes on from there. "
                "Load it into a run newly prepared."
            )
        self._began = self._began if on_disk else first
        chunk = Chunk(end - first)
        for i, probe in enumerate(self._program.probes):
            if probe.variable == "spikes":
                chunk.spikes[i] = (arrays[f"{i}/index"], arrays[f"{i}/step"])
            else:
                chunk.traces[i], self._initial[i] = arrays[f"{i}/values"], arrays[f"{i}/initial"]
        self._chunks, self.first, self._end, self._held = [(first, chunk)], first, end, _size(chunk)

    def probes(self) -> list[str]:
        """Say in words what is recorded; equal for runs whose files can be exchanged."""
        return [
            f"{p.owner.name}.{p.variable} of {self._members(p)[0].size} every {p.every}"
            if p.variable != "spikes"
            else f"{p.owner.name}.spikes of {len(p.owner)}"
            for p in self._program.probes
        ]

    def members(self) -> list[str]:
        """Return a digest of the neurons or edges of each probe."""
        found = [
            p.owner.indices if p.variable == "spikes" else self._members(p)[0]
            for p in self._program.probes
        ]
        return [
            hashlib.blake2b(np.ascontiguousarray(members, np.int64), digest_size=8).hexdigest()
            for members in found
        ]

    # ---- making recordings

    @property
    def _later(self) -> bool:
        """Whether what is made next goes to disk, and is not the first part."""
        return self._writer is not None and self._writer.parts > 0

    def _flush(self, end: int) -> None:
        if end > self.first or not self._writer.parts:
            self._writer.append(self._made(end, finished=False))
        self._chunks, self.first, self._held, self._written = [], end, 0, monotonic()

    def _headed(self, first: int, steps: int, *, finished: bool) -> dict[str, Any]:
        return self._header | {"first": first, "steps": steps, "finished": finished}

    def _made(self, end: int, *, finished: bool) -> Recording:
        spikes: dict[str, Spikes] = {}
        traces: dict[str, dict[str, Trace]] = {}
        for i, probe in enumerate(self._program.probes):
            if probe.variable == "spikes":
                spikes[probe.owner.name] = self._spikes(i, probe, end)
            else:
                traces.setdefault(probe.owner.name, {})[probe.variable] = self._trace(i, probe)
        populations: dict[str, PopulationRecording] = {}
        projections: dict[str, ProjectionRecording] = {}
        for name in dict.fromkeys(p.owner.name for p in self._program.probes):
            if name in self._program.populations:
                populations[name] = PopulationRecording(
                    name, self._program.populations[name].size, spikes.get(name), traces.get(name)
                )
            else:
                p = self._network.projections[name]
                shape = (
                    self._program.populations[p.source].size,
                    self._program.populations[p.target].size,
                )
                source, target = (
                    (p.sources[:0], p.targets[:0]) if self._later else (p.sources, p.targets)
                )
                projections[name] = ProjectionRecording(
                    name,
                    p.source,
                    target_name=p.target,
                    source=source,
                    target=target,
                    shape=shape,
                    traces=traces[name],
                )
        return Recording(
            self._headed(self.first, end - self.first, finished=finished), populations, projections
        )

    def _spikes(self, i: int, probe: Probe, end: int) -> Spikes:
        index = np.concatenate([np.zeros(0, np.int32), *(c.spikes[i][0] for _, c in self._chunks)])
        step = np.concatenate([np.zeros(0, np.int64), *(c.spikes[i][1] for _, c in self._chunks)])
        return Spikes(
            index,
            step,
            size=self._program.populations[probe.owner.name].size,
            dt=self._program.dt,
            steps=end - self.first,
            first=self.first,
            members=probe.owner.indices,
        )

    def _trace(self, i: int, probe: Probe) -> Trace:
        members, per = self._members(probe)
        sampled = (
            self.first // probe.every + 1
        ) * probe.every - 1  # first step k from there on with (k + 1) a multiple of every
        values, initial = self._values(i), self._initial[i] / probe.unit.plain
        values /= probe.unit.plain  # in place, for they are many
        if self._later and not len(values):
            values, members, initial = values[:, :0], members[:0], initial[:0]
        return Trace(
            values,
            every=probe.every,
            first=sampled,
            members=members,
            initial=initial,
            dt=self._program.dt,
            unit=probe.unit.text,
            per=per,
        )

    def _values(self, i: int) -> np.ndarray:
        """Return all samples of a probe as a new array, (T, M) in engine units."""
        width = self._initial[i].size
        return np.concatenate(
            [
                np.zeros((0, width)),
                *(c.traces[i].reshape(len(c.traces[i]), width) for _, c in self._chunks),
            ]
        )

    def _members(self, probe: Probe) -> tuple[np.ndarray, str]:
        """Return the neurons or edges of a probe, and what they are."""
        _, members = self._memory.locate(probe.owner, probe.variable)
        members = members if probe.edges is None else members[probe.edges]
        per = "member"
        if (
            isinstance(probe.owner, Projection)
            and probe.owner.rule is not None
            and members.size
            and probe.edges is None
        ):
            side = probe.owner.bound.symbols[probe.variable].side
            program = self._program.plastic[probe.owner.name]
            groups = {"pre": program.pre_groups, "post": program.post_groups}.get(side)
            if groups is not None and groups.uniform:
                per = {"pre": "source", "post": "target"}[side]
        return members, per


def _size(chunk: Chunk) -> int:
    return sum(
        a.nbytes
        for a in (*chunk.traces.values(), *(x for pair in chunk.spikes.values() for x in pair))
    )

"""Recorder: collects the chunks of one run, in memory or in a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from ..backend.engine import Chunk
from ..backend.memory_estimate import demand_traces
from ..backend.report import Report
from ..errors import NetworkError
from ..ir.concrete import ConcreteNetwork
from ..ir.memory import Memory
from ..ir.program import Program
from ..network.populations import Population, View
from ..recording.recording import Recording
from ..recording.samples import Spikes
from ..recording.writer import RecordingWriter
from .chunks import Assembler, Chunks, SpikeReader, cut, recorded_view
from .joined_chunks import JoinedChunks, count_bytes

Layout = tuple[tuple[int, ...], np.dtype | None]
"""Shape and type of an array."""

_PART = 1 << 25  # bytes after which a part of a streamed recording is written
_WAIT = 30.0  # seconds after which it is written, so that little is lost with the process


def rows_of_header(report: Report) -> dict[str, Any]:
    """Return the rows of a report that recordings carry, as an entry of their header.

    Only rows that qualify the numbers: they must not be separated from them.
    """
    return {"report": [row.data() for row in report.of("approximated")]}


class Recorder:
    """The recordings of one run.

    Recorded steps are ``_began`` to ``_end``; those before `first` are on disk.

    Parameters
    ----------
    program : Program
    network : ConcreteNetwork
    memory : Memory
    header : mapping
        Of every recording, besides its first step, its steps and whether the run was finished.
    stream : path, optional
        New or empty folder, to which parts are written. Edges, and members of traces without
        samples, are in the first part alone.

    Attributes
    ----------
    first : int
        First step that is not on disk.

    Raises
    ------
    NetworkError
        If the folder holds other files.
    """

    def __init__(
        self,
        program: Program,
        network: ConcreteNetwork,
        memory: Memory,
        *,
        header: Mapping[str, Any],
        stream: str | Path | None = None,
    ) -> None:
        self._program, self._memory, self._header = program, memory, dict(header)
        self._assembler = Assembler(program, network, memory)
        self._readers: dict[str, SpikeReader] = {}
        self._chunks = JoinedChunks()
        self._stretch = 0  # first step of the last call of `run`
        self._held = 0  # bytes of the chunks in memory
        self._began = self._end = 0
        self.first = 0
        self._initial: dict[int, np.ndarray] = {}
        self._writer: RecordingWriter | None = None
        # Before the folder is opened, so that its first part knows the initial state.
        self.begin(0)
        if stream is not None:
            self._writer = RecordingWriter(stream, self._complete_header(0, 0, finished=False))
        self._written = monotonic()

    def demand(self, first: int, steps: int) -> None:
        """Check the memory for traces before a run.

        Parameters
        ----------
        first, steps : int
            First step and length of the run.

        Raises
        ------
        NetworkError
            If the traces will not fit into memory, unless they are written to disk.
        """
        if self._writer is not None or not self._initial:
            return
        dt = self._program.dt
        sizes = []
        for number, probe in enumerate(self._program.probes):
            if number not in self._initial:
                continue
            width = self._initial[number].size
            # Samples are tied to the clock: a run may begin between two of them.
            rows = (first + steps) // probe.every - first // probe.every
            name = f"{probe.owner.name}.{probe.variable}"
            sizes.append(
                (f"{name} ({width} members every {probe.every * dt:.12g} ms)", 8.0 * width * rows)
            )
        demand_traces(sizes, held=self._held, time=steps * dt)

    def begin(self, step: int) -> None:
        """Begin a stretch; the state before ``step`` is the initial one of the first."""
        self._stretch = step
        # Later calls keep the first state: successive runs are one recording.
        if self._began != self._end:
            return
        for number, probe in enumerate(self._program.probes):
            if probe.variable != "spikes" and not probe.at_spikes:
                self._initial[number] = self._memory.sample(probe, step - 1).copy()

    def tell(self, report: Report) -> None:
        """Let recordings say what a report says now; a part of a stream keeps what it said."""
        self._header |= rows_of_header(report)

    def append(self, step: int, chunk: Chunk) -> None:
        """Append a chunk that begins at ``step``."""
        self._end = step + chunk.steps
        # A list of empty chunks would grow with the time of the run.
        if not self._program.probes:
            return
        self._chunks.append(step, chunk)
        self._held += count_bytes(chunk)

    def write_due(self) -> None:
        """Write a part of a stream if it is due."""
        if self._writer is None or not self._program.probes:
            return
        # Whichever comes first: memory stays bounded in busy networks, losses in quiet ones.
        if self._held > _PART or monotonic() - self._written > _WAIT:
            self._write_part(self._writer, self._end)

    def forget(self, step: int) -> None:
        """Drop all recordings from ``step`` on; if none are left, recording begins there.

        Raises
        ------
        NetworkError
            If recordings on disk would have to be dropped, or a gap would be left.
        """
        dt = self._program.dt
        # `_began < first` means that something is on disk; a new run may be restored to any time.
        if step < self.first and self._began < self.first:
            raise NetworkError(
                f"restore: found a snapshot of {step * dt:.12g} ms, and recordings until "
                f"{self.first * dt:.12g} ms are on disk already and cannot be taken back; expected "
                "one of then or later. Restore without clock=True."
            )
        # Beyond the end of a recording; one that holds nothing may begin anywhere.
        if step > self._end > self._began:
            raise NetworkError(
                f"restore: found a snapshot of {step * dt:.12g} ms, and what is recorded ends at "
                f"{self._end * dt:.12g} ms: there would be a gap; expected none. Restore without "
                "clock=True, or into a run newly prepared, whose recording then begins there."
            )
        # Nothing would be left, so the recording begins here.
        if step <= self._began or self._began == self._end:
            self._began = self.first = step
        self._end = step
        probes = self._program.probes
        self._chunks = JoinedChunks(
            (start, cut(start, chunk, step, probes=probes))
            for start, chunk in self._chunks
            if min(start + chunk.steps, step) > start
        )
        self._stretch = min(self._stretch, step)
        # Counted anew: chunks that are cut or dropped free their memory.
        self._held = sum(count_bytes(chunk) for _, chunk in self._chunks)

    def recording(self, end: int, *, finished: bool) -> Recording:
        """Return everything recorded before step ``end``; of a stream, read from disk on demand."""
        if self._writer is None:
            return self._assemble(end, finished=finished)
        self._write_part(self._writer, end)
        header = self._complete_header(self._began, end - self._began, finished=finished)
        self._writer.close(header)
        return Recording.load(self._writer.folder)

    def last_spikes(self, owner: Population | View) -> Spikes:
        """Return the spikes of neurons since the last stretch began.

        Raises
        ------
        NetworkError
            If they are not recorded, or a part of them is on disk already.
        """
        first = self._stretch
        if first < self.first and self._end > first:
            raise NetworkError(
                f"spikes of {owner.name!r}: found a stretch of which a part is on disk already, "
                "expected a shorter one. Run shorter stretches, or read run.result()."
            )
        reader = self._readers.get(owner.name) if isinstance(owner, Population) else None
        if reader is None:
            reader = self._find_reader(owner)
        return reader.read(Chunks(first, self._chunks.since(first), self._initial), self._end)

    def _find_reader(self, owner: Population | View) -> SpikeReader:
        """Return the reader of the spikes of neurons; those of whole populations are kept."""
        reader = self._assembler.spike_reader(
            owner.view if isinstance(owner, Population) else owner
        )
        if reader is None:
            raise NetworkError(
                f"spikes of {owner.name!r}: found neurons whose spikes are not recorded, expected "
                "recorded ones. Call record(population, 'spikes') of the network before the run is "
                "prepared."
            )
        if isinstance(owner, Population):
            self._readers[owner.name] = reader
        return reader

    # ---- files of states

    def arrays(self) -> dict[str, np.ndarray]:
        """Return all recordings in memory as arrays by name; the names are part of files."""
        chunks = Chunks(self.first, list(self._chunks), self._initial)
        arrays: dict[str, np.ndarray] = {}
        for number, probe in enumerate(self._program.probes):
            if probe.at_spikes:
                index, step, values = chunks.at_spikes(number)
                arrays |= {f"{number}/index": index, f"{number}/step": step}
                arrays[f"{number}/values"] = values
            elif probe.variable == "spikes":
                arrays[f"{number}/index"], arrays[f"{number}/step"] = chunks.spikes(number)
            else:
                arrays[f"{number}/values"] = chunks.samples(number)
                arrays[f"{number}/initial"] = self._initial[number]
        return arrays

    def require_layouts(
        self,
        layouts: Mapping[str, Layout],
        *,
        first: int,
        end: int,
        where: str,
    ) -> None:
        """Raise NetworkError unless arrays have the names, shapes and types of `arrays`.

        Parameters
        ----------
        layouts : mapping of str to (shape, dtype)
        first, end : int
            First step of the recordings, and the step after their last.
        where : str
            Begins the message.
        """
        expected: dict[str, Layout] = {}
        for number, probe in enumerate(self._program.probes):
            if probe.at_spikes or probe.variable == "spikes":
                # As many as there are, but arrays of one length.
                shape = layouts.get(f"{number}/index", ((0,), None))[0][:1]
                expected[f"{number}/index"] = shape, np.dtype(np.int32)
                expected[f"{number}/step"] = shape, np.dtype(np.int64)
                if probe.at_spikes:
                    expected[f"{number}/values"] = shape, np.dtype(np.float64)
            else:
                width = self._initial[number].size
                rows = end // probe.every - first // probe.every
                expected[f"{number}/values"] = (rows, width), np.dtype(np.float64)
                expected[f"{number}/initial"] = (width,), np.dtype(np.float64)
        for name in sorted(expected.keys() | layouts.keys()):
            if name not in layouts or layouts[name] != expected.get(name):
                raise NetworkError(
                    f"{where}: recorded array {name!r}: found {_show(layouts.get(name))}, expected "
                    f"{_show(expected.get(name))}. The file is damaged: load another copy or run "
                    "again."
                )

    def replace(
        self,
        arrays: Mapping[str, np.ndarray],
        *,
        first: int,
        end: int,
        where: str,
    ) -> None:
        """Replace all recorded data by what `arrays` returned.

        Parameters
        ----------
        arrays : mapping of str to array
        first, end : int
            First step of these recordings, and the step after their last.
        where : str
            Begins the message.

        Raises
        ------
        NetworkError
            If they do not continue the recordings on disk, or spikes are out of order or range;
            nothing is changed.
        """
        dt = self._program.dt
        on_disk = self._began < self.first
        if on_disk and first != self.first:
            raise NetworkError(
                f"{where}: found recordings from {first * dt:.12g} ms on, and those of this run "
                f"until {self.first * dt:.12g} ms are on disk already; expected what goes on from "
                "there. Load it into a run newly prepared."
            )
        # One chunk in place of many: where runs were cut does not matter to a recording.
        chunk = Chunk(end - first)
        initial: dict[int, np.ndarray] = {}
        for number, probe in enumerate(self._program.probes):
            if probe.at_spikes:
                index, step, values = (arrays[f"{number}/{n}"] for n in ("index", "step", "values"))
                chunk.at_spikes[number] = index, step, values
            elif probe.variable == "spikes":
                chunk.spikes[number] = arrays[f"{number}/index"], arrays[f"{number}/step"]
            else:
                chunk.traces[number] = arrays[f"{number}/values"]
                initial[number] = arrays[f"{number}/initial"]
        # Spikes check themselves; traces have no values that could be wrong.
        self._assembler.require_spikes(Chunks(first, [(first, chunk)], initial), end, where=where)
        self._began = self._began if on_disk else first
        self._initial = initial
        self._chunks, self._held = JoinedChunks([(first, chunk)]), count_bytes(chunk)
        self._stretch = end
        self.first = first
        self._end = end

    def describe_probes(self) -> list[str]:
        """Return a text for each probe; runs with equal texts can exchange files."""
        texts = []
        for probe in self._program.probes:
            name = f"{probe.owner.name}.{probe.variable}"
            if probe.at_spikes:
                texts.append(f"{name} at spikes of {len(recorded_view(probe))}")
            elif probe.variable == "spikes":
                # Sizes alone, for readable messages; `digest_members` tells whether the members are
                # the same.
                texts.append(f"{name} of {len(recorded_view(probe))}")
            else:
                size = self._assembler.members(probe)[0].size
                texts.append(f"{name} of {size} every {probe.every}")
        return texts

    def digest_members(self) -> list[str]:
        """Return a digest of the neurons or edges of each probe."""
        digests = []
        for probe in self._program.probes:
            if probe.at_spikes or probe.variable == "spikes":
                members = recorded_view(probe).indices
            else:
                members = self._assembler.members(probe)[0]
            data = np.asarray(members, np.int64).tobytes()
            # Of indices as int64, so that a file fits on any machine.
            digests.append(hashlib.blake2b(data, digest_size=8).hexdigest())
        return digests

    # ---- parts

    def _write_part(self, writer: RecordingWriter, end: int) -> None:
        # Also an empty first part is written: it alone holds edges and members.
        if end > self.first or not writer.parts:
            # Parts never say that the run is finished: the folder's header does.
            writer.append(self._assemble(end, finished=False))
        self._chunks = JoinedChunks()
        self.first = end
        self._held = 0
        self._written = monotonic()

    def _assemble(self, end: int, *, finished: bool) -> Recording:
        chunks = Chunks(self.first, list(self._chunks), self._initial)
        header = self._complete_header(self.first, end - self.first, finished=finished)
        later_part = self._writer is not None and self._writer.parts > 0
        return self._assembler.recording(chunks, end, header=header, later_part=later_part)

    def _complete_header(self, first: int, steps: int, *, finished: bool) -> dict[str, Any]:
        return self._header | {"first": first, "steps": steps, "finished": finished}


def _show(layout: Layout | None) -> str:
    """Return shape and type of an array as words."""
    if layout is None:
        return "none"
    shape, dtype = layout
    return f"one of shape {shape} and {dtype}"

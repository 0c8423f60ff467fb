"""Engines: objects that run a Program over a Memory, and the chunks of recordings they return."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ..ir.memory import Memory
from ..ir.program import Program
from ..network.populations import View
from ..network.probes import Probe
from .report_rows import Row

AtSpikes = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Neurons, steps and values of a variable at spikes."""


@dataclass
class Chunk:
    """Recordings of some steps; spikes and traces by the number of their probe.

    Attributes
    ----------
    steps : int
        Whole steps done.
    finite : bool
        False if the next step produced a value that is not finite, and was left after phase 3 or 5.
    spikes : dict of int to ((S,) neurons, (S,) steps)
        Sorted by step, then neuron.
    traces : dict of int to (T, M) float64
    at_spikes : dict of int to ((S,) neurons, (S,) steps, (S,) float64)
        Values of a variable at spikes, sorted by step, then neuron.
    suspects : dict of str to (N,) bool, optional
        By population, the neurons among which there is the value that is not finite; others may
        have begun the step after it. None: all.
    rows : tuple of Row
        Rows of the report that only the run could tell; each takes the place of an earlier row
        about the same part.
    """

    steps: int
    finite: bool = True
    spikes: dict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    traces: dict[int, np.ndarray] = field(default_factory=dict)
    at_spikes: dict[int, AtSpikes] = field(default_factory=dict)
    suspects: dict[str, np.ndarray] | None = None
    rows: tuple[Row, ...] = ()


class Stretch:
    """Recordings of successive steps, for engines that run step by step.

    Parameters
    ----------
    program : Program
    memory : Memory
    """

    def __init__(self, program: Program, memory: Memory) -> None:
        self._program = program
        self._memory = memory
        self.steps = 0
        self._spikes: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
        self._samples: dict[int, list[np.ndarray]] = {}
        self._at_spikes: dict[int, list[AtSpikes]] = {}
        self._detected: dict[int, AtSpikes] = {}  # of the step that is running
        for number, probe in enumerate(program.probes):
            # Each probe has an entry from the start: whoever joins chunks reads all probes by
            # number, also those of a stretch without a spike or sample.
            recorded: dict[int, Any] = self._samples
            if probe.at_spikes:
                recorded = self._at_spikes
            elif self._is_spikes(probe):
                recorded = self._spikes
            recorded[number] = []

    @staticmethod
    def _is_spikes(probe: Probe) -> bool:
        return probe.variable == "spikes"

    def detect(self, step: int) -> None:
        """Read what is recorded at spikes from memory, after phase 3 of a step.

        Engines call it before phase 4, in every step; the values count once `keep` is called.
        """
        for number in self._at_spikes:
            probe = self._program.probes[number]
            fired, steps = self._fired(probe, step)
            values = self._memory.now(probe.owner.name, probe.variable, step)[fired]
            self._detected[number] = fired, steps, values.astype(np.float64, copy=False)

    def keep(self, step: int) -> None:
        """Record the end of a step; spikes and samples are read from memory."""
        for number, probe in enumerate(self._program.probes):
            if probe.at_spikes:
                self._at_spikes[number].append(self._detected.pop(number))
            elif self._is_spikes(probe):
                self._spikes[number].append(self._fired(probe, step))
            # The clock decides, not the beginning of the stretch: samples do not depend on how a
            # run is cut into stretches.
            elif (step + 1) % probe.every == 0:
                self._samples[number].append(self._memory.sample(probe, step))
        self.steps += 1

    def _fired(self, probe: Probe, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the neurons of a probe that spiked in a step, and the step once for each."""
        view = probe.owner
        assert isinstance(view, View)  # spikes are recorded of populations alone
        fired = self._memory.spikes(view.name, step)
        if not view.whole:
            # Memory holds the spikes of a whole population. `isin` leaves them ascending, as
            # recordings promise.
            fired = fired[np.isin(fired, view.indices)]
        return fired, np.full(fired.size, step, np.int64)

    def chunk(self, *, finite: bool) -> Chunk:
        """Return everything recorded so far."""
        spikes = {}
        for number, parts in self._spikes.items():
            # The empty arrays set the types, and `concatenate` needs at least one.
            neurons = [np.zeros(0, np.int32), *(part[0] for part in parts)]
            steps = [np.zeros(0, np.int64), *(part[1] for part in parts)]
            spikes[number] = np.concatenate(neurons), np.concatenate(steps)
        traces = {
            number: np.array(samples, np.float64) for number, samples in self._samples.items()
        }
        at_spikes = {number: join_at_spikes(parts) for number, parts in self._at_spikes.items()}
        return Chunk(self.steps, finite, spikes, traces, at_spikes)


def join_at_spikes(parts: Iterable[AtSpikes]) -> AtSpikes:
    """Return the neurons, steps and values of successive steps as one of each."""
    empty = np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0)
    neurons, steps, values = zip(empty, *parts, strict=True)
    return np.concatenate(neurons), np.concatenate(steps), np.concatenate(values)


class NothingDone(Exception):
    """A stretch could not begin: memory is as it was.

    Parameters
    ----------
    error : exception
        The reason, which users see.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


class Engine(Protocol):
    """Runs a Program over a Memory."""

    memory: Memory

    def advance(self, first: int, steps: int, *, more: bool = False) -> Chunk:
        """Run steps.

        Parameters
        ----------
        first : int
            Step to begin with.
        steps : int
            At most; fewer are run if a buffer is full or a value is not finite, and none after a
            step in which neurons of ``Program.signals`` spiked.
        more : bool
            Other steps follow before anybody reads memory, so that work on it may be deferred.

        Raises
        ------
        NothingDone
            If nothing was changed. After any other error memory is between two steps.
        """
        ...

    def emit(self, signal: str, step: int, *, repeat: int = 0) -> None:
        """Run the handlers of a signal at the end of ``step``.

        Parameters
        ----------
        signal : str
        step : int
        repeat : int
            How often it was emitted there before: the keys of its draws are those of
            ``draws.streams.repeated``.
        """
        ...

    def refresh(self) -> None:
        """Follow changes of memory by the host between stretches; arrays may be new objects."""
        ...

    def source(self) -> str:
        """Return the generated code, or a sentence that says why there is none."""
        ...


class SideBySide(Protocol):
    """Runs a Program over several memories, all in the same step."""

    @property
    def engines(self) -> Sequence[Engine]:
        """One for each sample, with its memory; they run no steps by themselves."""
        ...

    def advance_samples(self, first: int, steps: int, *, more: bool = False) -> Sequence[Chunk]:
        """Run steps of all samples as `Engine.advance` does; return a chunk for each."""
        ...

"""Engines: objects that run a Program over a Memory, and the chunks of recordings they return."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ..ir.memory import Memory
from ..ir.program import Program
from ..network.populations import View


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
    suspects : dict of str to (N,) bool, optional
        By population, the neurons among which there is the value that is not finite; others may
        have begun the step after it. None: all.
    """

    steps: int
    finite: bool = True
    spikes: dict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    traces: dict[int, np.ndarray] = field(default_factory=dict)
    suspects: dict[str, np.ndarray] | None = None


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
        for number, probe in enumerate(program.probes):
            # Each probe has an entry from the start: whoever joins chunks reads all probes by
            # number, also those of a stretch without a spike or sample.
            recorded: dict[int, Any] = self._spikes if self._is_spikes(probe) else self._samples
            recorded[number] = []

    @staticmethod
    def _is_spikes(probe: Any) -> bool:
        return probe.variable == "spikes"

    def keep(self, step: int) -> None:
        """Record the end of a step; spikes and samples are read from memory."""
        for number, probe in enumerate(self._program.probes):
            if self._is_spikes(probe):
                view = probe.owner
                assert isinstance(view, View)  # spikes are recorded of populations alone
                fired = self._memory.spikes(view.name, step)
                if not view.whole:
                    # Memory holds the spikes of a whole population. `isin` leaves them ascending,
                    # as recordings promise.
                    fired = fired[np.isin(fired, view.indices)]
                steps = np.full(fired.size, step, np.int64)
                self._spikes[number].append((fired, steps))
            # The clock decides, not the beginning of the stretch: samples do not depend on how a
            # run is cut into stretches.
            elif (step + 1) % probe.every == 0:
                self._samples[number].append(self._memory.sample(probe, step))
        self.steps += 1

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
        return Chunk(self.steps, finite, spikes, traces)


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
            `neurosim.draws.streams.repeated`.
        """
        ...

    def refresh(self) -> None:
        """Follow changes of memory by the host between stretches; arrays may be new objects."""
        ...

    def source(self) -> str:
        """Return the generated code, or a sentence that says why there is none."""
        ...

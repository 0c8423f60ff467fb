"""The engine: a plan in the machine's memory, run by the compiled loop, read and set as any run."""

from __future__ import annotations

import numpy as np

from neurosim.backend.engine import Chunk, NothingDone
from neurosim.errors import NetworkError
from neurosim.ir.concrete import ConcreteNetwork
from neurosim.ir.memory import Memory
from neurosim.ir.program import Program

from ..translation.plan import Plan, PlannedPopulation
from .arithmetic.numbers import to_fixed
from .input import read_drives, read_given, read_poisson
from .layout import lay_out
from .load import load_loop
from .loop import Spikes
from .mirror import Mirror
from .recordings import Recordings
from .saturation import Saturation

_ROOM = 1 << 20  # spikes of a stretch


class RehearsalEngine:
    """Runs a plan for SpiNNaker in the arithmetic of its programs.

    Parameters
    ----------
    program, network : Program, ConcreteNetwork
        Of the network.
    plan : Plan
        Its plan for SpiNNaker.
    replica : int
        Replica word of Poisson draws.

    Attributes
    ----------
    memory : Memory
    """

    def __init__(
        self,
        program: Program,
        network: ConcreteNetwork,
        *,
        plan: Plan,
        replica: int = 0,
    ) -> None:
        # One partition: the loop runs in one thread.
        populations = program.populations.values()
        bounds = {population.name: np.array([0, population.size]) for population in populations}
        self.memory = Memory(program, network, bounds)
        self._program = program
        self._plan = plan
        self._replica = replica
        self._layout = lay_out(plan)
        self._loop = load_loop()
        self._recordings = Recordings(plan, self._layout)
        self._mirror = Mirror(self.memory, program, plan=plan, layout=self._layout)
        # Injected currents are added to these at each change, so that they never add up.
        self._offsets = self._layout.neurons.current.copy()
        self._saturation = Saturation(self._layout)
        # Steps in which an injected current changes: loops run from one to the next.
        changing = [population for population in plan.populations if population.current is not None]
        self._changing = [(population, *_changes(population, plan.dt)) for population in changing]
        self._changes = np.unique(
            np.concatenate([np.zeros(0, np.int64), *(steps for _, steps, _ in self._changing)])
        )
        self._dt = int(to_fixed(plan.dt))
        # The loop begins a step only if all sources could spike in it.
        room = max(_ROOM, self._layout.numbering.source_count)
        self._spikes = Spikes(np.zeros(room, np.int32), np.zeros(room, np.int64))
        self._read_input()

    def source(self) -> str:
        """Return a sentence: the loop is the same for all networks."""
        return (
            "The rehearsal runs every plan by one compiled loop, backends/pynn/rehearsal/loop.py; "
            "it generates no source."
        )

    def refresh(self) -> None:
        """Follow changes by the host: states, weights that learn, given spikes and rates."""
        self._mirror.update_machine()
        self._read_input()

    def emit(self, signal: str, step: int, *, repeat: int = 0) -> None:
        """Do nothing: rules that listen to signals are refused.

        Parameters
        ----------
        signal : str
        step, repeat : int
        """

    def advance(self, first: int, steps: int, *, more: bool = False) -> Chunk:
        """Run steps; see `neurosim.backend.engine.Engine.advance`.

        Parameters
        ----------
        first, steps : int
        more : bool
            Whether other steps follow before memory is read.

        Raises
        ------
        NothingDone
            If a parameter, fixed weight or trace is no longer that of the plan.
        """
        changed = self._mirror.find_changed()
        if changed:
            raise NothingDone(
                NetworkError(
                    f"run on 'spinnaker-rehearsal': found {changed} changed since the run was "
                    "prepared, expected as it was: the plan that is rehearsed holds it. "
                    "Set it back, or change the network and prepare it again."
                )
            )
        steps = self._inject(first, steps)
        channels, samples = self._recordings.begin(first, steps)
        layout = self._layout
        numbers = (first, steps, self._dt, self._replica, layout.numbering.source_count)
        done, count = self._loop(
            layout.populations,
            layout.neurons,
            self._given_spikes,
            self._poisson,
            self._drives,
            layout.static,
            layout.plastic,
            layout.rules,
            layout.history,
            channels,
            self._spikes,
            samples,
            layout.saturated,
            np.array(numbers, np.int64),
        )
        chunk = Chunk(done, rows=self._saturation.new_rows())
        spikes = Spikes(self._spikes.source[:count], self._spikes.step[:count])
        self._recordings.collect(chunk, spikes, samples, channels, first)
        self._mirror.keep_spikes(spikes, first, done)
        # Between chunks nobody reads memory.
        if not more:
            self._mirror.update_memory(first + done)
        return chunk

    def _read_input(self) -> None:
        memory = self.memory
        self._given_spikes = read_given(memory, self._program, self._layout)
        self._poisson = read_poisson(memory, self._program, self._layout)
        self._drives = read_drives(memory, self._program, self._plan, self._layout)

    def _inject(self, first: int, steps: int) -> int:
        """Set the currents of a step; return the steps until one changes, at most ``steps``."""
        if not self._changing:
            return steps
        current = self._layout.neurons.current
        # From the offsets, whatever was injected before: a run may have been restored.
        current[:] = self._offsets
        for population, changes, amplitudes in self._changing:
            begin = self._layout.numbering.neurons[population.name]
            row = int(np.searchsorted(changes, first, side="right")) - 1
            if row >= 0:
                current[begin : begin + population.size] += amplitudes[row]
        later = self._changes[self._changes > first]
        return min(steps, int(later[0]) - first) if later.size else steps


def _changes(population: PlannedPopulation, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the steps in which an injected current changes, and its values in S16.15."""
    assert population.current is not None
    # Times are whole steps up to rounding.
    steps = np.rint(population.current.times / dt).astype(np.int64)
    return steps, to_fixed(population.current.amplitudes)

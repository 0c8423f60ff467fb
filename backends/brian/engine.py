"""The engine: a network of Brian 2 whose arrays are those of the run, stepped by Brian 2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, count

import numpy as np
from brian2 import Clock, Network, NetworkOperation, get_device, ms, prefs
from brian2.core.base import BrianObjectException
from brian2.devices.device import RuntimeDevice

from neurosim.backend.engine import Chunk, Stretch
from neurosim.errors import LoweringError, NetworkError
from neurosim.ir.concrete import ConcreteNetwork
from neurosim.ir.memory import Memory
from neurosim.ir.program import PopulationProgram, Program
from neurosim.ir.spike_signals import find_signals

from .cells import Cells
from .equations import IntegratedCells
from .projections import Wiring
from .schedule import schedule, slot
from .sites import Store
from .text import functions


class NotFinite(Exception):
    """Ends a step after phase 3 or 5."""


class BrianEngine:
    """Runs a Program in Brian 2.

    Thresholds, resets, delays and the order of execution are Brian 2's, statements are ours.

    Parameters
    ----------
    program : Program
    network : ConcreteNetwork
    mode : {"statements", "equations"}
        Whether Brian 2 runs our statements or integrates the equations by itself.
    replica : int
        Replica word of the random numbers.
    """

    def __init__(
        self,
        program: Program,
        network: ConcreteNetwork,
        *,
        mode: str = "statements",
        replica: int = 0,
    ) -> None:
        self.program = program
        self.concrete = network
        self.mode = mode
        self.replica = replica
        self.repeat = 0  # how often the signal whose handlers run was emitted before
        # Spikes in one segment: Brian 2 runs in one thread.
        bounds = {p.name: np.array([0, p.size]) for p in program.populations.values()}
        self.memory = Memory(program, network, bounds)
        self._build()

    def _build(self) -> None:
        """Build a new network of Brian 2, and compile it.

        Raises
        ------
        LoweringError
            If Brian 2 cannot take the equations after all.
        """
        # Another device would write C++ files instead of running steps.
        if not isinstance(get_device(), RuntimeDevice):
            raise NetworkError(
                f"backend 'brian': found Brian 2 set to {type(get_device()).__name__}, "
                "expected its runtime. "
                "Call brian2.set_device('runtime') first."
            )
        with plain_numpy():
            try:
                self._write()
                for network in (self.network, *chain.from_iterable(self.signals.values())):
                    # A user's preferences may name another.
                    network.schedule = schedule(len(self.program.stages))
                    # A run of no time compiles all code, so errors appear here, where the run is
                    # prepared.
                    network.run(0 * ms, namespace={})
            except (BrianObjectException, SyntaxError) as error:
                # Brian 2 warns of objects without a network that they were never run.
                for o in getattr(self, "network", Network()).objects:
                    o._network = "refused"
                raise LoweringError(
                    f"backend 'brian', {self._named_in(str(error))}: Brian 2 cannot take it "
                    f"({error.__cause__ or error}). "
                    "Name method='euler' or 'rk4', or use mode='statements'."
                ) from error
        # The new network refers to the arrays as they are now.
        self.memory.replaced.clear()
        self.moved = True

    def _named_in(self, message: str) -> str:
        """Return the part of the network that a message of Brian 2 names by one of its objects."""
        for name, cells in self.cells.items():
            if f"'{cells.group.name}_" in message:
                return f"population {name!r}"
        return f"network {self.program.name!r}"

    def _write(self) -> None:
        program = self.program
        self.clock = Clock(dt=program.dt * ms)
        self.store = Store(self.memory, self.clock, functions(self.replica, lambda: self.repeat))
        self.cells = {p.name: self._cells(p) for p in program.populations.values()}
        self.wirings = [Wiring(p, program, self.store) for p in program.projections.values()]
        order = count(1)
        # One count for all projections, in three passes: "step" handlers come last.
        for wiring in self.wirings:
            wiring.integrate(order)
        for steps in (False, True):
            for wiring in self.wirings:
                wiring.write(order, steps=steps)
        groups = {name: cells.group for name, cells in self.cells.items()}
        # Only after all code is written: it decides which variables each group has.
        built = [wiring.build(groups) for wiring in self.wirings]
        operations = [
            (self._begin, "start", 0),
            (self._detected, slot("thresholds", len(program.stages) - 1), 1),
            (self._end, "end", 0),
        ]
        self.network = Network(
            self.store.group,
            *(cells.objects for cells in self.cells.values()),
            *(objects for objects, _ in built),
            [
                NetworkOperation(body, clock=self.clock, when=when, order=at)
                for body, when, at in operations
            ],
        )
        self.signals: dict[str, list[Network]] = {}
        for _, signals in built:
            for signal, runners in signals.items():
                self.signals.setdefault(signal, []).append(Network(runners))

    def _cells(self, p: PopulationProgram) -> Cells:
        if self.mode == "equations" and not p.is_spike_source:
            return IntegratedCells(
                p, self.concrete.populations[p.name].cell, self.program, self.store
            )
        return Cells(p, self.program, self.store)

    def source(self) -> str:
        written = [o for o in self.network.sorted_objects if getattr(o, "abstract_code", "")]
        return "\n\n".join(
            f"{o.when} {o.order}, {o.group.name}:\n{o.abstract_code}" for o in written
        )

    def refresh(self) -> None:
        if self.memory.replaced or any(cells.outdated for cells in self.cells.values()):
            self._build()
        self.moved = True

    def advance(self, first: int, steps: int, *, more: bool = False) -> Chunk:
        """Run steps; see `neurosim.backend.engine.Engine.advance`.

        Parameters
        ----------
        first : int
            Step to begin with.
        steps : int
        more : bool
            Without effect: no work is deferred.
        """
        self.stretch = Stretch(self.program, self.memory)
        try:
            # One by one where a step may be the last of the stretch: the one that emits a signal.
            length = 1 if self.program.signals else max(steps, 1)
            for begin in range(first, first + steps, length):
                self._run(self.network, begin, length)
                if find_signals(self.program, self.memory, begin + length - 1):
                    break
        # The step ended in the middle: queues of spikes are filled anew before the next.
        except NotFinite:
            self.moved = True
            return self.stretch.chunk(finite=False)
        return self.stretch.chunk(finite=True)

    def emit(self, signal: str, step: int, *, repeat: int = 0) -> None:
        self.store.begin(step)
        self.repeat = repeat
        try:
            for network in self.signals.get(signal, ()):
                # The signal's code is a network of its own, which runs for the step that has ended.
                self._run(network, step, 1)
        finally:
            self.repeat = 0

    def _run(self, network: Network, first: int, steps: int) -> None:
        """Run steps as `Network.run` does, which would compile all code again at each call."""
        # Brian 2's noise comes from NumPy's one global stream, which belongs to the user.
        users = np.random.get_state()
        try:
            with plain_numpy(), np.errstate(all="ignore"):
                self.clock.set_interval(first * self.clock.dt, (first + steps) * self.clock.dt)
                timestep, time = (
                    self.clock.variables[name].get_value() for name in ("timestep", "t")
                )
                objects = [o for o in network.sorted_objects if o.active]
                for k in range(first, first + steps):
                    for o in objects:
                        o.run()
                    timestep[0], time[0] = k + 1, (k + 1) * self.clock.dt_
        finally:
            np.random.set_state(users)

    # ---- operations that Brian 2 calls in every step

    def _begin(self) -> None:
        k = self._step()
        self.store.begin(k)
        if self.mode == "equations":
            # Noise of a step depends on nothing that ran before it.
            np.random.seed([self.program.seed % 2**32, self.replica, k % 2**32, k >> 32])
        # The clock, or spikes in flight, changed between two runs: Brian 2's queues know nothing of
        # it.
        if self.moved:
            for wiring in self.wirings:
                wiring.put_in_flight(k)
            self.moved = False

    def _detected(self) -> None:
        k = self._step()
        for name, cells in self.cells.items():
            self.memory.put_spikes(name, k, cells.spikes())
        if not self.memory.has_finite_states():
            raise NotFinite
        self.stretch.detect(k)

    def _end(self) -> None:
        # Resets have changed states since the check after detection.
        if not self.memory.has_finite_states():
            raise NotFinite
        self.stretch.keep(self._step())

    def _step(self) -> int:
        return int(self.clock.variables["timestep"].get_value()[0])


@contextmanager
def plain_numpy() -> Iterator[None]:
    """Make Brian 2 run statements as written, in NumPy; the user's preferences are restored."""
    # Without these, Brian 2 compiles to C++ and moves constant terms out of loops: other rounding.
    wanted = {
        "codegen.target": "numpy",
        "codegen.string_expression_target": "numpy",
        "codegen.loop_invariant_optimisations": False,
        "core.default_float_dtype": np.float64,
        "core.default_integer_dtype": np.int32,
    }
    before = {name: prefs[name] for name in wanted}
    try:
        for name, value in wanted.items():
            prefs[name] = value
        yield
    finally:
        for name, value in before.items():
            prefs[name] = value

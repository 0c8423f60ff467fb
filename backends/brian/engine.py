"""The engine: a network of Brian 2 whose arrays are those of the run, stepped by Brian 2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count

import numpy as np
from brian2 import BrianLogger, Clock, Network, NetworkOperation, ms, prefs

from neurosim.backend import Chunk
from neurosim.ir.concrete import ConcreteNetwork
from neurosim.ir.memory import Memory
from neurosim.ir.program import PopulationProgram, Program

from .cells import Cells
from .equations import IntegratedCells
from .projections import Wiring
from .sites import Store
from .text import functions


class NotFinite(Exception):
    """Ends a step after phase 3."""


class BrianEngine:
    """Runs a Program in Brian 2: thresholds, resets, delays and the order of execution are Brian 2's, statements are ours."""

    def __init__(self, program: Program, network: ConcreteNetwork, *, mode: str = "statements", replica: int = 0) -> None:
        self.program, self.concrete, self.mode, self.replica = program, network, mode, replica
        self.noise = np.random.RandomState(program.seed % 2**32).get_state()  # of Brian 2's own draws: it takes them from NumPy's one global stream
        self.memory = Memory(program, network, {p.name: np.array([0, p.size]) for p in program.populations.values()})
        with plain_numpy():
            self._build()

    def _build(self) -> None:
        """Make the network of Brian 2 anew."""
        program = self.program
        BrianLogger.suppress_name("unused_brian_object")  # a run that is prepared and never run is no mistake
        self.clock = Clock(dt=program.dt * ms)
        self.store = Store(self.memory, self.clock, functions(self.replica))
        self.cells = {p.name: self._cells(p) for p in program.populations.values()}
        self.wirings = [Wiring(p, program, self.store) for p in program.projections.values()]
        order = count(1)
        for steps in (False, True):  # "step" handlers come last
            for wiring in self.wirings:
                wiring.write(order, steps=steps)
        groups = {name: cells.group for name, cells in self.cells.items()}
        built = [wiring.build(groups) for wiring in self.wirings]
        operations = [(self._begin, "start", 0), (self._detected, "thresholds", 1), (self._end, "end", 0)]
        self.network = Network([o for cells in self.cells.values() for o in cells.objects], [o for objects, _ in built for o in objects],
                               [NetworkOperation(body, clock=self.clock, when=when, order=at) for body, when, at in operations])
        self.ready: list[Network] = []  # whose code is compiled
        self.signals: dict[str, list[Network]] = {}
        for _, signals in built:
            for signal, runners in signals.items():
                self.signals.setdefault(signal, []).append(Network(runners))
        self.memory.replaced.clear()
        self.moved = True

    def _cells(self, p: PopulationProgram) -> Cells:
        if self.mode == "equations" and not p.given:
            return IntegratedCells(p, self.concrete.populations[p.name].cell, self.program, self.store)
        return Cells(p, self.program, self.store)

    def source(self) -> str:
        found = [f"{o.when} {o.order}, {o.group.name}:\n{o.abstract_code}" for o in self.network.sorted_objects if getattr(o, "abstract_code", "")]
        return "\n\n".join(found)

    def refresh(self) -> None:
        if self.memory.replaced:
            with plain_numpy():
                self._build()
        self.moved = True

    def advance(self, first: int, steps: int, *, more: bool = False) -> Chunk:
        self.done, self.finite = 0, True
        self.spikes: dict[int, list] = {i: [] for i, p in enumerate(self.program.probes) if p.variable == "spikes"}
        self.traces: dict[int, list] = {i: [] for i, p in enumerate(self.program.probes) if p.variable != "spikes"}
        with suppress(NotFinite):
            self._run(self.network, first, steps)
        return Chunk(self.done, self.finite,
                     {i: (np.concatenate([n for n, _ in found] or [np.zeros(0, np.int32)]), np.concatenate([s for _, s in found] or [np.zeros(0, np.int64)]))
                      for i, found in self.spikes.items()},
                     {i: np.array(found, np.float64) for i, found in self.traces.items()})

    def emit(self, signal: str, step: int) -> None:
        self.store.begin(step)
        for network in self.signals.get(signal, ()):
            self._run(network, step, 1)

    def _run(self, network: Network, first: int, steps: int) -> None:
        """Run steps as `Network.run` does, which would write and compile all code anew at each call."""
        others = np.random.get_state()
        np.random.set_state(self.noise)
        try:
            with plain_numpy(), np.errstate(all="ignore"):
                if network not in self.ready:
                    network.run(0 * ms, namespace={})
                    self.ready.append(network)
                self.clock.set_interval(first * self.clock.dt, (first + steps) * self.clock.dt)
                timestep, time = (self.clock.variables[name].get_value() for name in ("timestep", "t"))
                objects = [o for o in network.sorted_objects if o.active]
                for k in range(first, first + steps):
                    for o in objects:
                        o.run()
                    timestep[0], time[0] = k + 1, (k + 1) * self.clock.dt_
        finally:
            self.noise = np.random.get_state()
            np.random.set_state(others)

    # ---- what Brian 2 calls in every step

    def _begin(self) -> None:
        k = self._step()
        self.store.begin(k)
        if self.moved:
            for wiring in self.wirings:
                wiring.put_in_flight(k)
            self.moved = False

    def _detected(self) -> None:
        k = self._step()
        for name, cells in self.cells.items():
            self.memory.put_spikes(name, k, cells.spikes())
        if not all(np.isfinite(self.memory[p.name, s]).all() for p in self.program.populations.values() for s in p.code.states):
            self.finite, self.moved = False, True
            raise NotFinite

    def _end(self) -> None:
        k = self._step()
        for i, found in self.spikes.items():
            view = self.program.probes[i].owner
            fired = self.memory.spikes(view.name, k)
            fired = fired if view.whole else fired[np.isin(fired, view.indices)]
            found.append((fired, np.full(fired.size, k, np.int64)))
        for i, found in self.traces.items():
            if (k + 1) % self.program.probes[i].every == 0:
                found.append(self.memory.sample(self.program.probes[i], k))
        self.done += 1

    def _step(self) -> int:
        return int(self.clock.variables["timestep"].get_value()[0])


@contextmanager
def plain_numpy() -> Iterator[None]:
    """Have Brian 2 run statements as they are written, in NumPy; the preferences of the user's own scripts come back afterwards."""
    wanted = {"codegen.target": "numpy", "codegen.string_expression_target": "numpy", "codegen.loop_invariant_optimisations": False}
    before = {name: prefs[name] for name in wanted}
    try:
        for name, value in wanted.items():
            prefs[name] = value
        yield
    finally:
        for name, value in before.items():
            prefs[name] = value

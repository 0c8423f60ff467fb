"""Populations in Brian 2: groups with Brian 2's threshold and reset, stepped by our statements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from brian2 import NeuronGroup

from neurosim.draws.streams import key_of
from neurosim.expr.printing import show
from neurosim.expr.tree import Assign
from neurosim.ir.program import HELD, PopulationProgram, Program

from .schedule import DELIVER, LAST, slot, stage_of
from .sites import Site, Store
from .text import STEP, draw_at, function, line, target, word


class Cells:
    """One population.

    Attributes
    ----------
    group : NeuronGroup
    objects : list
        The objects that a Brian 2 network runs, the group included.
    outdated : bool
        Whether a change of parameters calls for another group.
    """

    outdated = False

    def __init__(self, p: PopulationProgram, program: Program, store: Store) -> None:
        self.p = p
        self.program = program
        self.store = store
        self.site = Site(store, p.size)
        self.number = np.arange(p.size)
        self._held: str | None = None
        self.draw = draw_at(program.seed, p.name, self.site.constant("place", self.number))
        stage = stage_of(p.name, program)
        if p.is_spike_source:
            self.group = self._spike_source()
            self.objects = [self.group]
            return
        # All code is written before a group exists: writing it finds out which variables it needs.
        before = self._before()
        ports = self._ports()
        within = self._terms(p.same_step)
        self.group = self._group(**self._events())
        self.site.attach(self.group)
        self.group.state_updater.when = slot("groups", stage)
        for threshold in self.group.thresholder.values():
            threshold.when = slot("thresholds", stage)
        runners = [
            # Negative orders: before the group's own state updater, which has order 0.
            self.site.runner(code, when=slot("groups", stage), order=order - len(before))
            for order, code in enumerate(before)
        ]
        if within:
            runners.append(self.site.runner(within, when=slot("within", stage), order=LAST))
        self.objects = [self.group, *runners, self.site.runner(ports, when=DELIVER, order=LAST)]

    def _before(self) -> list[list[str]]:
        """Return the code that runs before the group's own equations: all statements of phase 2."""
        return [self._statements(self.p.code.integrate)]

    def _statements(self, statements: Sequence[Assign]) -> list[str]:
        return [
            text
            for number, s in enumerate(statements)
            for text in self._assign(s, number, frozen=s.target in self.p.code.frozen)
        ]

    def _group(self, **events: str) -> NeuronGroup:
        return self.store.neurons(self.p.size, **events)

    def spikes(self) -> np.ndarray:
        """Return the neurons that spiked in this step, ascending."""
        if "_spikespace" not in self.group.variables:
            return np.zeros(0, np.int32)
        # The last element is the number of spikes; those of earlier steps may follow them.
        spikes = self.group.variables["_spikespace"].get_value()
        return spikes[: spikes[-1]]

    def name(self, name: str) -> str:
        """Return the text by which Brian 2's code reads a name of a cell."""
        memory = self.store.memory
        key = (self.p.name, name)
        if name in self.p.code.tables:
            return self.site.refer(self.store.table(key), None)
        if key in memory:
            return self.site.read(key)
        if name == HELD:
            return self._held_array()
        words = {
            "t": f"({STEP} * {self.program.dt!r})",
            "dt": repr(self.program.dt),
            "N": repr(float(self.p.size)),
        }
        if name == "i":
            return self.site.constant("i", self.number.astype(np.float64))
        return words[name] if name in words else f"{word(name)}_local"

    def _held_array(self) -> str:
        """Return the name of an array for what phase 2 leaves to the threshold, which reads it."""
        if self._held is None:
            held = self.store.add("held", np.zeros(self.p.size))
            self._held = self.site.refer(held, None)
        return self._held

    def _assign(self, statement: Assign, number: int, *, frozen: bool = False) -> list[str]:
        """Return a statement that assigns through a fresh name.

        Brian 2 turns ``v = v + x`` into ``v += x``, and an older copy of v would be lost.
        """
        value = line(statement.value, self.name, self.draw)
        variable = self.name(statement.target)
        if statement.target not in self.p.code.states:
            return [f"{variable} = {value}"]
        # Not Brian 2's own freezing, which is of whole equations and not of single statements.
        new = f"pick({self._active()}, {value}, {variable})" if frozen else value
        return [f"{variable}_new{number} = {new}", f"{variable} = {variable}_new{number}"]

    def _active(self) -> str:
        return f"({STEP} > {self.name('_until')})"

    def _events(self) -> dict[str, str]:
        code = self.p.code
        if code.detect is None:
            return {}
        printer = target(self.name, self.draw)
        condition = show(code.detect, printer)
        if printer.true is not None:
            condition = printer.true(condition)
        after = [text for number, s in enumerate(code.after) for text in self._assign(s, number)]
        if self.p.refractory is not None:
            # Ours, in whole steps: Brian 2 compares times, and rounding could shift an end by a
            # step.
            condition = f"{self._active()} and {condition}"
            after.append(f"{self.name('_until')} = {STEP} + {self.name('_refractory')}")
        return {"threshold": condition, "reset": "\n".join(after)}

    def _spike_source(self) -> NeuronGroup:
        memory = self.store.memory
        name = self.p.name

        def fires(i: Any, step: Any) -> Any:
            # Read from memory in each step: a run may have been given other spikes meanwhile.
            at = memory[name, "_given_step"]
            return np.isin(
                i,
                memory[name, "_given_index"][
                    np.searchsorted(at, step) : np.searchsorted(at, step, side="right")
                ],
            )

        # A name of its own: all groups share one namespace.
        called = f"fires_{len(self.store.functions)}"
        self.store.functions[called] = function(fires, 2)
        return self.store.neurons(self.p.size, threshold=f"{called}(i, {STEP}) > 0", reset="")

    def _ports(self) -> list[str]:
        """Return the fold of the terms of this step, projections and drives in creation order."""
        zeros = [f"{self.name(f'_port_{port}')} = 0.0" for port in self.p.contributions]
        return zeros + self._terms(self.p.contributions)

    def _terms(self, inputs_of: dict[str, tuple[str, ...]]) -> list[str]:
        """Return the statements that add terms to ports, one after the other."""
        code = []
        for port, inputs in inputs_of.items():
            total = self.name(f"_port_{port}")
            for number, name in enumerate(inputs):
                # A fresh name for each partial sum: Brian 2 turns ``x = x + y`` into ``x += y`` and
                # may reorder y, and rounding depends on the order.
                fresh = f"{total}_new{number}"
                if name in self.program.drives:
                    code.append(f"{fresh} = {self._drive(name, total)}")
                else:
                    term = self._term(name)
                    code += [f"{fresh} = {total} + {term}", f"{term} = 0.0"]
                code.append(f"{total} = {fresh}")
        return code

    def _term(self, projection: str) -> str:
        """Return the name of the terms that a projection delivers in this step."""
        ring = (projection, "_ring")
        # A ring of one row needs no index that moves.
        rows, size = self.store.memory[ring].shape
        if rows == 1:
            return self.site.read(ring)
        row = self.store.moves(
            "row", self.number, lambda k: (k % rows) * size + self.number, unique=True
        )
        return self.site.refer(self.store.name(ring), self.site.refer(row, None))

    def _drive(self, name: str, total: str) -> str:
        drive = self.program.drives[name]
        # Code runs over the whole population: neurons without a drive read element 0 and drop it.
        at = np.zeros(self.p.size, np.int64)
        inside = np.zeros(self.p.size, np.int64)
        at[drive.indices], inside[drive.indices] = np.arange(drive.indices.size), 1
        rate = self.site.read((name, "rate"), at)
        weight = self.site.read((name, "weight"), at)
        high, low = key_of(self.program.seed, f"{name}/counts")
        drawn = f"{high}, {low}, {self.site.constant('place', self.number)}, {STEP}"
        driven = self.site.constant("inside", inside)
        added = f"{weight} * poisson_at({drawn}, {rate} * {self.program.dt!r})"
        return f"pick({driven} > 0, {total} + {added}, {total})"

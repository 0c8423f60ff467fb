"""The reference engine: walks the trees of a Program with NumPy. It defines right, not fast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from neurosim.backend.engine import Chunk, Stretch
from neurosim.draws import streams as random
from neurosim.expr.evaluate import evaluate
from neurosim.expr.functions import FUNCTIONS
from neurosim.expr.tree import Assign, Draw
from neurosim.ir.concrete import ConcreteNetwork
from neurosim.ir.delay_groups import DelayGroups, positions_of
from neurosim.ir.memory import Memory
from neurosim.ir.program import (
    PlasticProjection,
    PopulationProgram,
    Program,
    StaticProjection,
)
from neurosim.ir.spike_signals import find_signals
from neurosim.model.binding import BoundStatement, Symbol
from neurosim.model.names import Domain

from .sub_steps import take_sub_steps

NO_INDICES = np.zeros(0, np.int64)


class ReferenceEngine:
    """Runs a Program; `neurosim.ir.program` defines the phases of a step.

    Parameters
    ----------
    program : Program
    network : ConcreteNetwork
    replica : int
        Replica word of the random numbers.
    """

    def __init__(self, program: Program, network: ConcreteNetwork, *, replica: int = 0) -> None:
        self.program = program
        # One segment each: there is one thread.
        bounds = {p.name: np.array([0, p.size]) for p in program.populations.values()}
        self.memory = Memory(program, network, bounds)
        self.replica = replica
        self.repeat = 0

    def source(self) -> str:
        return "The reference backend walks the trees of the equations; it generates no source."

    def refresh(self) -> None:
        pass

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
        stretch = Stretch(self.program, self.memory)
        finite = True
        # Values that are not finite are found after each step; warnings would come once per array.
        with np.errstate(all="ignore"):
            while stretch.steps < steps and finite:
                k = first + stretch.steps
                finite = self._step(k, stretch)
                if not finite:
                    break
                stretch.keep(k)
                # The caller handles signals between steps, and then continues.
                if find_signals(self.program, self.memory, k):
                    break
        return stretch.chunk(finite=finite)

    def _step(self, k: int, stretch: Stretch) -> bool:
        """Run phases 1 to 5 of step k; return False if a state is not finite after 3 or 5."""
        populations = self.program.populations.values()
        for number, names in enumerate(self.program.stages):
            if number > 0:
                self._deliver_within(names, k)
            for name in names:
                self._update(self.program.populations[name], k)
        if not self.memory.has_finite_states():
            return False
        stretch.detect(k)
        # Resets follow delivery: rules read the states of the neurons as the spike left them.
        self._deliver(k)
        for population in populations:
            self._sum_ports(population, k)
            self._reset(population, k)
        return self.memory.has_finite_states()

    def emit(self, signal: str, step: int, *, repeat: int = 0) -> None:
        self.repeat = repeat
        try:
            with np.errstate(all="ignore"):
                for p in self.program.plastic.values():
                    self._handle_all(p, {signal}, step)
        finally:
            self.repeat = 0

    # ---- cells

    def _update(self, population: PopulationProgram, k: int) -> None:
        """Run phases 1 to 3 of a population."""
        if population.is_spike_source:
            spikes = self._given_spikes(population, k)
        else:
            spikes = self._integrate(population, k)
        self.memory.put_spikes(population.name, k, spikes)

    def _given_spikes(self, population: PopulationProgram, k: int) -> np.ndarray:
        steps = self.memory[population.name, "_given_step"]
        # Given spikes are sorted by step, so those of a step are a slice.
        first = np.searchsorted(steps, k)
        last = np.searchsorted(steps, k, side="right")
        return self.memory[population.name, "_given_index"][first:last]

    def _integrate(self, population: PopulationProgram, k: int) -> np.ndarray:
        """Run phases 2 and 3 of a population; return the neurons that spike."""
        code = population.code
        name = population.name
        size = population.size
        values = self._cell_values(population, k)
        draw = self._draws(name, np.arange(size), k)
        active = np.ones(size, bool)
        if code.refractory:
            active = k > self.memory[name, "_until"]

        def assign(statements: tuple[Assign, ...]) -> None:
            for statement in statements:
                result = evaluate(statement.value, values.__getitem__, draw)
                # A copy, since a result may be the live array of another state, as after ``a = b``.
                value = np.array(np.broadcast_to(result, size), np.float64)
                if statement.target in code.frozen:
                    # Computed for all, then discarded: draws and other states do not depend on
                    # refractoriness.
                    value = np.where(active, value, values[statement.target])
                if statement.target in code.states:
                    self.memory[name, statement.target][:] = value
                else:
                    values[statement.target] = value

        before, behind = code.around_sub_steps
        assign(before)
        if code.sub_steps is not None:
            take_sub_steps(code.sub_steps, values, draw, active=active)
        assign(behind)
        spiking = np.zeros(size, bool)
        if code.detect is not None:
            condition = evaluate(code.detect, values.__getitem__, draw)
            # A condition of parameters alone is one number for all neurons.
            holds = np.broadcast_to(condition, size) != 0
            spiking = active & holds
        for port in code.ports:
            # After integration: the sums of the last step have been read, those of this one are
            # made in phase 4.
            self.memory[name, f"_port_{port}"][:] = 0.0
        return np.flatnonzero(spiking).astype(np.int32)

    def _cell_values(self, population: PopulationProgram, k: int) -> dict[str, Any]:
        """Return everything that a cell's statements may read, by name; states are live arrays."""
        arrays = self.memory.arrays.items()
        values: dict[str, Any] = {
            name: array for (owner, name), array in arrays if owner == population.name
        }
        for name in population.code.tables:
            # In place of the whole table: statements read the row of their step.
            values[name] = self.memory.row(population.name, name, k)
        return values | {
            "t": k * self.program.dt,
            "dt": self.program.dt,
            "i": np.arange(population.size, dtype=np.float64),
            "N": float(population.size),
        }

    def _draws(self, owner: str, index: np.ndarray, k: int) -> Callable[[Draw], np.ndarray]:
        """Return the function that makes random numbers of step k, one for each index."""

        def draw(node: Draw) -> np.ndarray:
            function = random.uniform if node.kind == "uniform" else random.normal
            # Numbers follow from key, index and step alone, so order of execution does not matter.
            key = random.key_of(self.program.seed, f"{owner}/draw{node.key}")
            key = random.repeated(key, self.repeat)
            return function(key, index, k, replica=self.replica)

        return draw

    def _reset(self, population: PopulationProgram, k: int) -> None:
        """Run phase 5 of a population."""
        spiked = self.memory.spikes(population.name, k)
        if population.is_spike_source or spiked.size == 0:
            return
        draw = self._draws(population.name, spiked, k)
        values = self._cell_values(population, k)

        def value(name: str) -> Any:
            values_of_all = values[name]
            # A state has an element per neuron also in a population of one; a parameter may have
            # one for all.
            own = isinstance(values_of_all, np.ndarray) and values_of_all.size > 1
            if own or name in population.code.states:
                return values_of_all[spiked]
            return values_of_all

        for statement in population.code.after:
            result = evaluate(statement.value, value, draw)
            self.memory[population.name, statement.target][spiked] = result
        if population.refractory is not None:
            steps = self._element(self.memory[population.name, "_refractory"], spiked)
            self.memory[population.name, "_until"][spiked] = k + steps

    # ---- projections

    def _deliver_within(self, names: tuple[str, ...], k: int) -> None:
        """Deliver the spikes of this step along the same-step projections onto populations."""
        for p in self.program.projections.values():
            if p.same_step and p.target in names:
                self._deliver_events(p, {"pre"}, k)
        for name in names:
            population = self.program.populations[name]
            for port, inputs in population.same_step.items():
                self._add_terms(inputs, self.memory[name, f"_port_{port}"], k)

    def _deliver(self, k: int) -> None:
        """Run phase 4 without the sums of ports: equations, events, then "step" handlers."""
        # A pass of their own: events of any rule find the variables of all as they are now.
        for p in self.program.plastic.values():
            if p.code.integrate:
                self._run(p, p.code.integrate, self._everyone(p), k)
        for p in self.program.projections.values():
            self._deliver_events(p, {"post"} if p.same_step else {"pre", "post"}, k)
        for p in self.program.plastic.values():
            # A second pass: "step" handlers of any rule see the events of all projections.
            self._handle_all(p, {"step"}, k)

    def _deliver_events(
        self, p: StaticProjection | PlasticProjection, triggers: set[str], k: int
    ) -> None:
        """Deliver the spikes that arrive along a projection; those of sources if "pre" is named."""
        if isinstance(p, PlasticProjection):
            self._handle_all(p, triggers, k)
        elif "pre" in triggers:
            self._deliver_static(p, k)

    def _arriving(
        self,
        p: StaticProjection | PlasticProjection,
        groups: DelayGroups,
        side: str,
        k: int,
    ) -> np.ndarray:
        """Return the delay groups that spikes reach in step k: oldest spike first, by neuron."""
        population = p.source if side == "pre" else p.target
        # From the longest delay down: spikes that were emitted first are delivered first.
        delays = groups.delays[::-1]
        # A reset has dropped the spikes of earlier steps.
        delays = delays[k - delays >= self.memory[p.name, "_since"][0]]
        emitted = [self.memory.spikes(population, k - int(delay)) for delay in delays]
        # `concatenate` needs at least one array, and without one it would return floats.
        neurons = np.concatenate([NO_INDICES, *emitted])
        ago = np.repeat(delays, np.array([spikes.size for spikes in emitted], np.int64))
        return groups.find(neurons, ago)

    @staticmethod
    def _edges(groups: DelayGroups, arriving: np.ndarray) -> np.ndarray:
        """Return the edges of delay groups, group by group."""
        positions = positions_of(arriving, groups.pointer)
        return positions if groups.edges is None else groups.edges[positions]

    def _deliver_static(self, p: StaticProjection, k: int) -> None:
        arriving = self._arriving(p, p.pre_groups, "pre", k)
        edges = self._edges(p.pre_groups, arriving)
        weights = self.memory[p.name, "w"]
        # Shared weights come first: as many as there are edges, they would seem to be one each.
        if p.shared is not None:
            added = weights[p.shared[edges]]
        elif weights.size == p.targets.size:
            added = weights[edges]
        else:
            added = weights[0]
        # Delays of static edges are axonal: spikes wait in the history, so one row is enough.
        landing = self.memory[p.name, "_ring"][0]
        # `add.at` adds edge by edge, in their order; ``landing[targets] += w`` would add one of
        # several edges to the same target.
        np.add.at(landing, p.targets[edges], added)

    def _handle_all(self, p: PlasticProjection, triggers: set[str], k: int) -> None:
        """Run the handlers of a rule that have one of the triggers, in their order."""
        for trigger, statements in p.code.handlers:
            if trigger in triggers:
                self._handle(p, trigger, statements, k)

    def _handle(
        self,
        p: PlasticProjection,
        trigger: str,
        statements: tuple[BoundStatement, ...],
        k: int,
    ) -> None:
        """Run the statements of a handler for the edges and groups that its event reaches."""
        if trigger == "pre" or trigger == "post":
            groups = p.groups(trigger)
            arriving = self._arriving(p, groups, trigger, k)
            active = {trigger: arriving, "edge": self._edges(groups, arriving)}
        else:
            active = self._everyone(p)
        self._run(p, statements, active, k)

    @staticmethod
    def _everyone(p: PlasticProjection) -> dict[str, np.ndarray]:
        """Return all edges, and all delay groups of each side."""
        active = {
            "pre": np.arange(p.pre_groups.neuron.size),
            "edge": np.arange(p.targets.size),
        }
        if p.post_groups is not None:
            active["post"] = np.arange(p.post_groups.neuron.size)
        return active

    def _run(
        self,
        p: PlasticProjection,
        statements: tuple[BoundStatement, ...],
        active: dict[str, np.ndarray],
        k: int,
    ) -> None:
        """Run statements, each for all its edges or groups before the next."""
        computed: dict[str, np.ndarray] = {}
        for statement in statements:
            self._statement(p, statement, active, k, computed=computed)

    def _statement(
        self,
        p: PlasticProjection,
        statement: BoundStatement,
        active: dict[str, np.ndarray],
        k: int,
        *,
        computed: dict[str, np.ndarray],
    ) -> None:
        """Run one statement over the active edges, or the active groups of one side.

        ``computed`` holds the values that later statements read, by name.
        """
        if statement.action == "add_to_cell" or statement.action == "assign_cell":
            self._change_cell(p, statement, active["edge"], k)
            return
        side: Domain = statement.side if statement.action in ("assign", "compute") else "edge"
        where = active[side]
        edges = active["edge"]

        def read(name: str) -> Any:
            if name in computed:
                return computed[name]
            return self._rule_value(p, name, side, where, k)

        # Draws of a side are numbered by its neurons, so that all its delay groups draw the same.
        index = where if side == "edge" else p.groups(side).neuron[where]
        result = evaluate(statement.value, read, self._draws(p.name, index, k))
        value = np.broadcast_to(np.asarray(result, np.float64), where.size)
        if statement.action == "compute":
            computed[statement.target] = value
        elif statement.action == "deliver":
            ring = self.memory[p.name, "_ring"]
            delay = p.dendritic if isinstance(p.dendritic, int) else p.dendritic[edges]
            # The ring has one row more than the longest dendritic delay, so no row is used twice.
            row = (k + delay) % ring.shape[0]
            np.add.at(ring, (row, p.targets[edges]), value)
        elif statement.action == "sum":
            groups = p.groups(statement.side)
            group = p.groups_of(statement.side, edges)
            # Summed from 0 and then added to the variable: so all engines round alike.
            total = np.zeros(groups.neuron.size)
            np.add.at(total, group, value)
            # Only groups with an active edge are assigned; the course of others continues.
            touched = np.unique(group)
            old = self._variable(p, statement.target, touched, k)
            new = old + total[touched]
            self._assign(p, statement.target, touched, new, k)
        else:
            self._assign(p, statement.target, where, value, k)

    def _change_cell(
        self,
        p: PlasticProjection,
        statement: BoundStatement,
        edges: np.ndarray,
        k: int,
    ) -> None:
        """Change a state of the neurons at one end of the active edges, of each once."""
        side = statement.side
        owner = p.source if side == "pre" else p.target
        state = self.memory[owner, p.symbols[statement.target].origin]
        ends = p.ends(side, edges)
        neurons = np.unique(ends)
        if statement.action == "add_to_cell":
            term = evaluate(
                statement.value,
                lambda name: self._rule_value(p, name, "edge", edges, k),
                self._draws(p.name, edges, k),
            )
            terms = np.broadcast_to(np.asarray(term, np.float64), edges.size)
            # Summed from 0 and then added, as sums into variables.
            total = np.zeros(state.size)
            np.add.at(total, ends, terms)
            new = state[neurons] + total[neurons]
        else:
            value = evaluate(
                statement.value,
                lambda name: self._value_at_neurons(p, name, neurons, k),
                self._draws(p.name, neurons, k),
            )
            new = np.broadcast_to(np.asarray(value, np.float64), neurons.size)
        if statement.frozen:
            free = k > self.memory[owner, "_until"][neurons]
            neurons = neurons[free]
            new = new[free]
        state[neurons] = new

    def _assign(
        self,
        p: PlasticProjection,
        name: str,
        index: np.ndarray,
        value: np.ndarray,
        k: int,
    ) -> None:
        self.memory[p.name, name][index] = value
        if (p.name, f"{name}@last") in self.memory:
            # Its course is computed from here when it is next read; nothing is done per step.
            self.memory[p.name, f"{name}@last"][index] = k

    def _variable(
        self,
        p: PlasticProjection,
        name: str,
        index: np.ndarray,
        k: int,
    ) -> np.ndarray:
        """Return values of a variable of a rule in step k; closed forms are applied."""
        symbol = p.symbols[name]
        base = self.memory[p.name, name][index]
        if symbol.decay is None:
            return base
        last = self.memory[p.name, f"{name}@last"][index]
        # Whole steps first, times dt then: sums of dt would round from step to step.
        since = (k - last).astype(np.float64)
        elapsed = since * self.program.dt
        tau = self._rule_value(p, symbol.decay, symbol.side, index, k)
        exponent = -elapsed / tau
        decayed = base * FUNCTIONS["exp"](exponent)
        if symbol.inflow is None:
            return decayed
        inflow = self._rule_value(p, symbol.inflow, symbol.side, index, k)
        return decayed + inflow * (elapsed * FUNCTIONS["expm1_ratio"](exponent))

    def _rule_value(
        self,
        p: PlasticProjection,
        name: str,
        side: Domain,
        index: np.ndarray,
        k: int,
    ) -> Any:
        """Return the value of a name for edges (side ``edge``), or for delay groups of one side."""
        symbol = p.symbols.get(name)
        if symbol is None or symbol.side == "one" and symbol.role in ("parameter", "word"):
            return self._shared_value(p, name, k)
        if symbol.role == "variable":
            if side == "edge" and symbol.side != "edge":
                index = p.groups_of(symbol.side, index)
            return self._variable(p, name, index, k)
        neuron = self._neuron(p, symbol, side, index)
        return self._value_of(p, symbol, neuron, k)

    def _value_at_neurons(
        self,
        p: PlasticProjection,
        name: str,
        neurons: np.ndarray,
        k: int,
    ) -> Any:
        """Return the value of a name, but for variables of the rule, for neurons of its side."""
        symbol = p.symbols.get(name)
        if symbol is None or symbol.side == "one" and symbol.role in ("parameter", "word"):
            return self._shared_value(p, name, k)
        return self._value_of(p, symbol, neurons, k)

    def _value_of(
        self,
        p: PlasticProjection,
        symbol: Symbol,
        neuron: np.ndarray,
        k: int,
    ) -> Any:
        """Return the value of a symbol at neurons (or edges)."""
        name = symbol.name
        match symbol.role:
            case "word":
                return neuron.astype(np.float64)
            case "parameter":
                return self.memory[p.name, name][neuron]
            case "cell":
                owner = p.source if symbol.side == "pre" else p.target
                return self._of_owner(owner, symbol.origin, neuron, k)
        link = p.links[name]
        linked = neuron
        if link.index is not None:
            linked = link.index if symbol.side == "one" else link.index[neuron]
        return self._of_owner(link.owner, link.name, linked, k)

    def _shared_value(self, p: PlasticProjection, name: str, k: int) -> float:
        """Return a word of the language, parameter or constant that has one value for all edges."""
        symbol = p.symbols.get(name)
        if name != "dt" and (symbol is None or symbol.role == "parameter"):
            return self.memory[p.name, name][0]
        if name == "N_pre":
            return float(self.program.populations[p.source].size)
        if name == "N_post":
            return float(self.program.populations[p.target].size)
        # The time at which the step begins, as in the equations of cells.
        if name == "t":
            return k * self.program.dt
        return self.program.dt

    @staticmethod
    def _neuron(
        p: PlasticProjection,
        symbol: Symbol,
        side: Domain,
        index: np.ndarray,
    ) -> np.ndarray:
        """Return the neuron, or edge, by which a symbol is read at edges or delay groups."""
        if symbol.side == "edge":
            return index
        if side == "edge":
            return p.ends(symbol.side, index)
        if symbol.side == "one":
            return index
        return p.groups(symbol.side).neuron[index]

    def _of_owner(
        self,
        owner: str,
        name: str,
        index: np.ndarray,
        k: int,
    ) -> np.ndarray:
        """Return a state or parameter of a population, or a value of a projection, at neurons."""
        if owner in self.program.plastic:
            p = self.program.plastic[owner]
            if p.symbols[name].role == "variable":
                return self._variable(p, name, index, k)
            return self._element(self.memory[owner, name], index)
        if name in self.program.populations[owner].code.tables:
            return self._element(self.memory.row(owner, name, k), index)
        return self._element(self.memory[owner, name], index)

    @staticmethod
    def _element(array: np.ndarray, index: np.ndarray) -> np.ndarray:
        # Of one value for all there is only element 0; the result still has the shape of the index.
        if array.size > 1:
            return array[index]
        return array[np.zeros_like(index)]

    # ---- ports

    def _sum_ports(self, population: PopulationProgram, k: int) -> None:
        """Fold the terms of every port, projections and drives in creation order."""
        # In creation order: sums of floats depend on the order of their terms.
        for port, inputs in population.contributions.items():
            self._add_terms(inputs, self.memory[population.name, f"_port_{port}"], k)

    def _add_terms(self, inputs: tuple[str, ...], total: np.ndarray, k: int) -> None:
        """Add the terms of projections and drives to a port, one after the other."""
        for name in inputs:
            if name in self.program.drives:
                self._add_drive(name, total, k)
            else:
                ring = self.memory[name, "_ring"]
                landing = ring[k % ring.shape[0]]
                total += landing
                # The row is free for the terms of a later step.
                landing[...] = 0.0

    def _add_drive(self, name: str, total: np.ndarray, k: int) -> None:
        drive = self.program.drives[name]
        # Events per step and target: rates are in 1/ms, dt in ms.
        mean_of_each = self.memory[name, "rate"] * self.program.dt
        mean = np.broadcast_to(mean_of_each, drive.indices.size)
        key = random.key_of(self.program.seed, f"{name}/counts")
        counts = random.poisson_counts(key, drive.indices, k, mean=mean, replica=self.replica)
        total[drive.indices] += self.memory[name, "weight"] * counts

"""The reference engine: walks the trees of a Program with NumPy, step by step. It is the definition of right, not of fast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from neurosim.backend.engine import Chunk, Stretch
from neurosim.draws import streams as random
from neurosim.expr.evaluate import evaluate
from neurosim.expr.functions import FUNCTIONS
from neurosim.expr.tree import Draw
from neurosim.ir.concrete import ConcreteNetwork
from neurosim.ir.delay_groups import DelayGroups
from neurosim.ir.memory import Memory
from neurosim.ir.program import (
    PlasticProjection,
    PopulationProgram,
    Program,
    ProjectionProgram,
    StaticProjection,
)
from neurosim.model.binding import BoundStatement, Symbol


class ReferenceEngine:
    """Runs a Program; phases as written in `neurosim.ir.program`."""

    def __init__(self, program: Program, network: ConcreteNetwork, *, replica: int = 0) -> None:
        self.program = program
        self.memory = Memory(
            program, network, {p.name: np.array([0, p.size]) for p in program.populations.values()}
        )
        self.replica = replica

    def source(self) -> str:
        return "The reference backend walks the trees of the equations; it generates no source."

    def refresh(self) -> None:
        pass

    def advance(self, first: int, steps: int, *, more: bool = False) -> Chunk:
        stretch, finite = Stretch(self.program, self.memory), True
        with np.errstate(all="ignore"):
            while stretch.steps < steps and finite:
                finite = self.step(first + stretch.steps)
                if finite:
                    stretch.keep(first + stretch.steps)
        return stretch.chunk(finite=finite)

    def step(self, k: int) -> bool:
        """Phases 1 to 5 of step k; False, and nothing after phase 3, if a state is not finite."""
        for population in self.program.populations.values():
            if population.given:
                step, index = (
                    self.memory[population.name, "_given_step"],
                    self.memory[population.name, "_given_index"],
                )
                fired = index[np.searchsorted(step, k) : np.searchsorted(step, k, side="right")]
            else:
                fired = self._integrate(population, k)
            self.memory.put_spikes(population.name, k, fired)
        if not all(
            np.isfinite(self.memory[p.name, s]).all()
            for p in self.program.populations.values()
            for s in p.code.states
        ):
            return False
        for p in self.program.projections.values():
            if isinstance(p, StaticProjection):
                self._deliver_static(p, k)
            else:
                for trigger, statements in p.code.handlers:
                    if trigger in ("pre", "post"):
                        self._handle(p, trigger, statements, k)
        for p in self.program.plastic.values():
            for trigger, statements in p.code.handlers:
                if trigger == "step":
                    self._handle(p, trigger, statements, k)
        for population in self.program.populations.values():
            self._sum_ports(population, k)
            self._reset(population, k)
        return True

    def emit(self, signal: str, step: int) -> None:
        with np.errstate(all="ignore"):
            for p in self.program.plastic.values():
                for trigger, statements in p.code.handlers:
                    if trigger == signal:
                        self._handle(p, trigger, statements, step)

    # ---- cells

    def _integrate(self, population: PopulationProgram, k: int) -> np.ndarray:
        code, name = population.code, population.name
        values = self._cell_values(population, k)
        draw = self._draws(name, np.arange(population.size), k)
        active = (
            k > self.memory[name, "_until"] if code.refractory else np.ones(population.size, bool)
        )
        for statement in code.integrate:
            value = np.array(
                np.broadcast_to(
                    evaluate(statement.value, values.__getitem__, draw), population.size
                ),
                np.float64,
            )
            if statement.target in code.frozen:
                value = np.where(active, value, values[statement.target])
            if statement.target in code.states:
                self.memory[name, statement.target][:] = value
            else:
                values[statement.target] = value
        fired = np.zeros(population.size, bool)
        if code.detect is not None:
            fired = active & (
                np.broadcast_to(evaluate(code.detect, values.__getitem__, draw), population.size)
                != 0
            )
        for port in code.ports:
            self.memory[name, f"_port_{port}"][:] = 0.0
        return np.flatnonzero(fired).astype(np.int32)

    def _cell_values(self, population: PopulationProgram, k: int) -> dict[str, Any]:
        """Everything that a cell's statements may read, by name; states are live arrays."""
        values = {
            name: array
            for (owner, name), array in self.memory.arrays.items()
            if owner == population.name
        }
        values |= {
            name: self.memory.row(population.name, name, k) for name in population.code.tables
        }
        return values | {
            "t": k * self.program.dt,
            "dt": self.program.dt,
            "i": np.arange(population.size, dtype=np.float64),
            "N": float(population.size),
        }

    def _draws(self, owner: str, index: np.ndarray, k: int) -> Callable[[Draw], np.ndarray]:
        def draw(node: Draw) -> np.ndarray:
            function = random.uniform if node.kind == "uniform" else random.normal
            return function(
                random.key_of(self.program.seed, f"{owner}/draw{node.key}"),
                index,
                k,
                replica=self.replica,
            )

        return draw

    def _reset(self, population: PopulationProgram, k: int) -> None:
        fired = self.memory.spikes(population.name, k)
        if population.given or fired.size == 0:
            return
        draw = self._draws(population.name, fired, k)
        shared = self._cell_values(population, k)

        def value(name: str) -> Any:
            found = shared[name]
            return (
                found[fired]
                if isinstance(found, np.ndarray)
                and found.size > 1
                or name in population.code.states
                else found
            )

        for statement in population.code.after:
            self.memory[population.name, statement.target][fired] = evaluate(
                statement.value, value, draw
            )
        if population.refractory is not None:
            self.memory[population.name, "_until"][fired] = k + self._element(
                self.memory[population.name, "_refractory"], fired
            )

    # ---- projections

    def _events(
        self, p: ProjectionProgram, slots: DelayGroups, population: str, k: int
    ) -> np.ndarray:
        """DelayGroups that an event reaches in step k: oldest spike first, then by neuron."""
        found = [np.zeros(0, np.int64)]
        for delay in slots.delays[::-1]:
            if k - delay < self.memory[p.name, "_since"][0]:
                continue
            neurons = self.memory.spikes(population, k - int(delay))
            candidates = [np.arange(slots.first[n], slots.first[n + 1]) for n in neurons]
            reached = np.concatenate([np.zeros(0, np.int64), *candidates])
            found.append(reached[slots.delay[reached] == delay])
        return np.concatenate(found)

    def _edges(self, slots: DelayGroups, events: np.ndarray) -> np.ndarray:
        found = np.concatenate(
            [
                np.zeros(0, np.int64),
                *(np.arange(slots.pointer[s], slots.pointer[s + 1]) for s in events),
            ]
        )
        return found if slots.edges is None else slots.edges[found]

    def _deliver_static(self, p: StaticProjection, k: int) -> None:
        edges = self._edges(p.pre_groups, self._events(p, p.pre_groups, p.source, k))
        weights = self.memory[p.name, "w"]
        np.add.at(
            self.memory[p.name, "_ring"][0],
            p.targets[edges],
            weights[edges] if weights.size == p.targets.size else weights[0],
        )

    def _handle(
        self, p: PlasticProjection, trigger: str, statements: tuple[BoundStatement, ...], k: int
    ) -> None:
        events = {
            "pre": np.arange(p.pre_groups.neuron.size),
            "post": np.arange(p.post_groups.neuron.size) if p.post_groups is not None else None,
        }
        if trigger in ("pre", "post"):
            slots, population = p.groups(trigger), p.source if trigger == "pre" else p.target
            events[trigger] = self._events(p, slots, population, k)
            edges = self._edges(slots, events[trigger])
        else:
            edges = np.arange(p.targets.size)
        for statement in statements:
            self._statement(p, statement, events, edges, k)

    def _statement(
        self,
        p: PlasticProjection,
        statement: BoundStatement,
        events: dict[str, np.ndarray],
        edges: np.ndarray,
        k: int,
    ) -> None:
        where = (
            edges
            if statement.side == "edge" or statement.action == "sum"
            else events[statement.side]
        )
        side = "edge" if statement.action != "assign" else statement.side
        index = where if side == "edge" else p.groups(side).neuron[where]
        value = evaluate(
            statement.value,
            lambda name: self._rule_value(p, name, side, where, k),
            self._draws(p.name, index, k),
        )
        value = np.broadcast_to(np.asarray(value, np.float64), where.size)
        if statement.action == "deliver":
            ring = self.memory[p.name, "_ring"]
            delay = p.dendritic if isinstance(p.dendritic, int) else p.dendritic[edges]
            np.add.at(ring, ((k + delay) % ring.shape[0], p.targets[edges]), value)
        elif statement.action == "sum":
            slots = p.groups(statement.side)
            total = np.zeros(slots.neuron.size)
            np.add.at(total, slots.of_edge[edges], value)
            touched = np.unique(slots.of_edge[edges])
            self._assign(
                p,
                statement.target,
                touched,
                self._variable(p, statement.target, touched, k) + total[touched],
                k,
            )
        else:
            self._assign(p, statement.target, where, value, k)

    def _assign(
        self, p: PlasticProjection, name: str, index: np.ndarray, value: np.ndarray, k: int
    ) -> None:
        self.memory[p.name, name][index] = value
        if (p.name, f"{name}@last") in self.memory:
            self.memory[p.name, f"{name}@last"][index] = k

    def _variable(self, p: PlasticProjection, name: str, index: np.ndarray, k: int) -> np.ndarray:
        """Values of a variable of a rule in step k, decay included."""
        symbol = p.symbols[name]
        base = self.memory[p.name, name][index]
        if symbol.decay is None:
            return base
        since = (k - self.memory[p.name, f"{name}@last"][index]).astype(np.float64)
        return base * FUNCTIONS["exp"](
            -(since * self.program.dt) / self._rule_value(p, symbol.decay, symbol.side, index, k)
        )

    def _rule_value(
        self, p: PlasticProjection, name: str, side: str, index: np.ndarray, k: int
    ) -> Any:
        """The value of a name for edges (side ``edge``), or for slots of one side."""
        symbol: Symbol | None = p.symbols.get(name)
        if symbol is None or symbol.side == "one" and symbol.role == "parameter":
            return self.program.dt if name == "dt" else self.memory[p.name, name][0]
        if symbol.role == "word" and symbol.side == "one":
            ends = {"N_pre": p.source, "N_post": p.target}
            return (
                {"t": k * self.program.dt, "dt": self.program.dt}.get(name)
                if name not in ends
                else float(self.program.populations[ends[name]].size)
            )
        if symbol.role == "variable":
            if side == "edge" and symbol.side != "edge":
                index = p.groups(symbol.side).of_edge[index]
            return self._variable(p, name, index, k)
        if symbol.side == "edge":
            neuron = index
        elif side == "edge":
            neuron = p.sources[index] if symbol.side == "pre" else p.targets[index]
        else:
            neuron = index if symbol.side == "one" else p.groups(symbol.side).neuron[index]
        if symbol.role == "word":
            return neuron.astype(np.float64)
        if symbol.role == "parameter":
            return self.memory[p.name, name][neuron]
        if symbol.role == "cell":
            return self._of_owner(
                p.source if symbol.side == "pre" else p.target, symbol.origin, neuron, k
            )
        link = p.links[name]
        at = (
            link.index
            if symbol.side == "one"
            else neuron
            if link.index is None
            else link.index[neuron]
        )
        return self._of_owner(link.owner, link.name, at, k)

    def _of_owner(self, owner: str, name: str, index: np.ndarray, k: int) -> np.ndarray:
        """The value of a state or parameter of a population, or of a variable of a projection, at neurons."""
        if owner in self.program.projections:
            p = self.program.plastic[owner]
            symbol = p.symbols[name]
            return (
                self._variable(p, name, index, k)
                if symbol.role == "variable"
                else self._element(self.memory[owner, name], index)
            )
        table = name in self.program.populations[owner].code.tables
        return self._element(
            self.memory.row(owner, name, k) if table else self.memory[owner, name], index
        )

    @staticmethod
    def _element(array: np.ndarray, index: np.ndarray) -> np.ndarray:
        return array[index] if array.size > 1 else array[np.zeros_like(index)]

    # ---- ports

    def _sum_ports(self, population: PopulationProgram, k: int) -> None:
        for port, inputs in population.contributions.items():
            total = self.memory[population.name, f"_port_{port}"]
            for name in inputs:
                if name in self.program.drives:
                    drive = self.program.drives[name]
                    mean = np.broadcast_to(
                        self.memory[name, "rate"] * self.program.dt, drive.indices.size
                    )
                    u = random.uniform(
                        random.key_of(self.program.seed, f"{name}/counts"),
                        drive.indices,
                        k,
                        replica=self.replica,
                    )
                    total[drive.indices] += self.memory[name, "weight"] * random.poisson(mean, u)
                else:
                    ring = self.memory[name, "_ring"]
                    total += ring[k % ring.shape[0]]
                    ring[k % ring.shape[0]] = 0.0

"""A complete small backend: cells and static projections, one NumPy expression at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurosim.backend.engine import Chunk, Stretch
from neurosim.backend.explicit_step import explicit_step_rows
from neurosim.backend.lowering import Lowered, Stepped
from neurosim.backend.report import Report
from neurosim.backend.report_rows import Place, Row
from neurosim.draws.values import Shared, Table
from neurosim.errors import NetworkError
from neurosim.expr.evaluate import evaluate
from neurosim.expr.tree import Draw, Expr
from neurosim.ir.concrete import ConcreteNetwork
from neurosim.ir.discretise import cell_program
from neurosim.ir.memory import Memory
from neurosim.ir.program import PopulationProgram, Program, ProjectionProgram
from neurosim.network.network import Network
from neurosim.network.populations import Population
from neurosim.network.projections import Drive


class SmallBackend:
    """Runs cells without random numbers, and projections with fixed weights and one delay."""

    name = "small"
    summary = "an example: cells and static projections"
    held_open = True
    verbs: dict[str, tuple[str, ...]] = {}

    def missing(self) -> str | None:
        return None

    def lower(self, network: Network, **options: Any) -> Lowered:
        if options:
            raise NetworkError(f"backend 'small': found options {sorted(options)}, expected none.")
        refused = list(refusals(network))
        places = {row.place for row in refused}
        rows = [row for row in explicit_step_rows(network) if row.place not in places]
        report = Report(self.name, network.name, (*rows, *refused))
        return Lowered(report, Stepped(SmallEngine))


backend = SmallBackend()


def refusals(network: Network):
    """Yield a row for everything that this backend cannot run."""
    for item in network.inputs:
        if isinstance(item, Drive):
            place = Place("drive", item.name)
            yield Row(place, "impossible", "Poisson input.", "Give the spikes.")
        elif item.rule is not None:
            place = Place("projection", item.name)
            yield Row(place, "impossible", "plasticity.", "Fix its weights.")
        elif not isinstance(item.delay, float):
            place = Place("projection", item.name)
            yield Row(place, "impossible", "several delays.", "Give one.")
        elif item.same_step:
            place = Place("projection", item.name)
            yield Row(place, "impossible", "spikes within a step.", "Use a delay of 0.")
        elif isinstance(item.weight, Shared):
            place = Place("projection", item.name)
            yield Row(place, "impossible", "shared weights.", "Give one for each edge.")
    for population in network.populations.values():
        if population.source_spikes is None and draws_numbers(population):
            place = Place("population", population.name)
            yield Row(place, "impossible", "random numbers in its equations.", "Leave them out.")
        elif population.source_spikes is None and population.cell.method == "adaptive":
            place = Place("population", population.name)
            yield Row(place, "impossible", "sub-steps.", "Use another method.")


def draws_numbers(population: Population) -> bool:
    """Whether a cell draws random numbers in each step."""
    tables = [name for name, value in population.values.items() if isinstance(value, Table)]
    return bool(cell_program(population.cell, tuple(tables)).draws)


class SmallEngine:
    """Runs a `Program` step by step; phases as written in `neurosim.ir.program`."""

    def __init__(self, program: Program, network: ConcreteNetwork) -> None:
        self.program = program
        bounds = {p.name: np.array([0, p.size]) for p in program.populations.values()}
        self.memory = Memory(program, network, bounds)

    def source(self) -> str:
        return "The small backend generates no source."

    def refresh(self) -> None:
        """Memory is read anew in every step, so a change by the host needs nothing."""

    def emit(self, signal: str, step: int) -> None:
        """Only rules listen to signals, and rules are refused."""

    def advance(self, first: int, steps: int, *, more: bool = False) -> Chunk:
        stretch, finite = Stretch(self.program, self.memory), True
        while stretch.steps < steps and finite:
            step = first + stretch.steps
            finite = self.step(step)
            if finite:
                stretch.keep(step)
        return stretch.chunk(finite=finite)

    def step(self, k: int) -> bool:
        """Phases 1 to 5 of step k; False, and nothing after phase 3, if a state is not finite."""
        for population in self.program.populations.values():
            spikes = (
                self.replay(population, k)
                if population.is_spike_source
                else self.integrate(population, k)
            )
            self.memory.put_spikes(population.name, k, spikes)
        if not self.finite():
            return False
        for projection in self.program.projections.values():
            self.deliver(projection, k)
        for population in self.program.populations.values():
            self.sum_ports(population, k)
            self.reset(population, k)
        return True

    # ---- phases 1 to 3

    def replay(self, population: PopulationProgram, k: int) -> np.ndarray:
        """Return the neurons whose given spikes belong to step k."""
        steps = self.memory[population.name, "_given_step"]
        return self.memory[population.name, "_given_index"][steps == k]

    def integrate(self, population: PopulationProgram, k: int) -> np.ndarray:
        """Run the statements of a cell, and return the neurons that spike."""
        code, name = population.code, population.name
        values = self.values(population, k)
        active = np.ones(population.size, bool)
        if code.refractory:
            active = k > self.memory[name, "_until"]
        for statement in code.integrate:
            value = np.broadcast_to(self.evaluate(statement.value, values), population.size)
            if statement.target in code.frozen:
                value = np.where(active, value, values[statement.target])
            if statement.target in code.states:
                self.memory[name, statement.target][:] = value
            else:
                values[statement.target] = value  # a temporary of the step
        for port in code.ports:
            self.memory[name, f"_port_{port}"][:] = 0.0
        if code.detect is None:
            return np.zeros(0, np.int32)
        fires = np.broadcast_to(self.evaluate(code.detect, values), population.size) != 0
        return np.flatnonzero(active & fires).astype(np.int32)

    def values(self, population: PopulationProgram, k: int) -> dict[str, Any]:
        """Return everything that the statements of a cell may read; states are the live arrays."""
        arrays = self.memory.arrays.items()
        values = {name: array for (owner, name), array in arrays if owner == population.name}
        for name in population.code.tables:
            values[name] = self.memory.row(population.name, name, k)
        return values | {
            "t": k * self.program.dt,
            "dt": self.program.dt,
            "i": np.arange(population.size, dtype=np.float64),
            "N": float(population.size),
        }

    @staticmethod
    def evaluate(tree: Expr, values: dict[str, Any]) -> np.ndarray:
        return evaluate(tree, values.__getitem__, no_draw)

    def finite(self) -> bool:
        return all(
            np.isfinite(self.memory[population.name, state]).all()
            for population in self.program.populations.values()
            for state in population.code.states
        )

    # ---- phases 4 and 5

    def deliver(self, projection: ProjectionProgram, k: int) -> None:
        """Add the weights of spikes that arrive in step k to the term of the projection."""
        sent = k - projection.axonal
        if sent < self.memory[projection.name, "_since"][0]:
            return
        first = projection.pointer
        spikes = self.memory.spikes(projection.source, sent)
        edges = [np.arange(first[neuron], first[neuron + 1]) for neuron in spikes]
        arriving = np.concatenate([np.zeros(0, np.int64), *edges])
        weights = self.memory[projection.name, "w"]
        weights = weights[arriving] if weights.size > 1 else weights[0]
        np.add.at(self.memory[projection.name, "_ring"][0], projection.targets[arriving], weights)

    def sum_ports(self, population: PopulationProgram, k: int) -> None:
        """Sum the terms of a port, projections in creation order."""
        for port, projections in population.contributions.items():
            total = self.memory[population.name, f"_port_{port}"]
            for name in projections:
                term = self.memory[name, "_ring"][0]
                total += term
                term[:] = 0.0

    def reset(self, population: PopulationProgram, k: int) -> None:
        """Run the statements after a spike."""
        name, code = population.name, population.code
        spikes = self.memory.spikes(name, k)
        if population.is_spike_source or spikes.size == 0:
            return
        values = self.values(population, k)
        per_neuron = {n for n, v in values.items() if np.size(v) == population.size > 1}
        for statement in code.after:
            values_of_spikes = values | {n: values[n][spikes] for n in per_neuron}
            self.memory[name, statement.target][spikes] = self.evaluate(
                statement.value, values_of_spikes
            )
        if population.refractory is not None:
            steps = np.broadcast_to(self.memory[name, "_refractory"], population.size)
            self.memory[name, "_until"][spikes] = k + steps[spikes]


def no_draw(node: Draw) -> np.ndarray:
    raise AssertionError("check refuses cells that draw random numbers")

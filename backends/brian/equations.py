"""Populations whose equations Brian 2 integrates, with its methods and random numbers."""

from __future__ import annotations

import numpy as np
from brian2 import NeuronGroup

from neurosim.expr.printing import Target, show
from neurosim.expr.tree import Draw, Expr
from neurosim.ir.program import PopulationProgram, Program
from neurosim.ir.propagators import linear_matrix
from neurosim.model.cell import Cell

from .cells import Cells
from .methods import method_of, plain
from .sites import Store
from .text import STEP

NATIVE = (
    "exp",
    "log",
    "sqrt",
    "cos",
    "sin",
    "tanh",
    "abs",
    "clip",
)  # functions that Brian 2 has too


class IntegratedCells(Cells):
    """One population: events, ports and parameters are ours, the equations Brian 2's."""

    def __init__(self, p: PopulationProgram, cell: Cell, program: Program, store: Store) -> None:
        self.cell = cell
        self.own = {s.name: store.fresh(s.name) for s in cell.states if s.derivative is not None}
        self.drawn: dict[Draw, str] = {}
        super().__init__(p, program, store)

    def name(self, name: str) -> str:
        return self.own.get(name) or super().name(name)

    def _before(self) -> list[list[str]]:
        """Return the jumps of states by ports, and the random numbers of the equations.

        Refractoriness is settled first: a jump of a frozen state is a write, which Brian 2 drops
        for neurons that were refractory in the step before.
        """
        self.model = "\n".join(
            self._equation(state, tree) for state, tree in plain(self.cell).items()
        )
        jumps = self.p.code.integrate[
            : sum(port.into is not None for _, port in self.cell.receives)
        ]
        settled = [[f"not_refractory = {self._active()}"]] if self.p.refractory is not None else []
        return [
            *settled,
            self._statements(jumps)
            + [f"{place} = {self.draw(node)}" for node, place in self.drawn.items()],
        ]

    def _group(self, **events: str) -> NeuronGroup:
        pause = (
            {"refractory": f"{STEP} <= {self.name('_until')}"}
            if self.p.refractory is not None
            else {}
        )
        self.method = self._method()
        group = self.store.neurons(self.p.size, self.model, method=self.method, **pause, **events)
        for state, name in self.own.items():
            self.store.settle((self.p.name, state), group, name)
        return group

    @property
    def outdated(self) -> bool:
        return self.method != self._method()

    def _method(self) -> str:
        """Return Brian 2's method; rk4 if its exact one would divide by 0.

        It divides by time constants and by their differences.
        """
        method, propagator = method_of(self.cell), self.p.code.propagator
        if method != "exact" or propagator is None:
            return method
        matrix = linear_matrix(
            propagator,
            lambda name: self.program.dt if name == "dt" else self.store.memory[self.p.name, name],
        )
        values = np.linalg.eigvals(matrix)
        n = values.shape[-1]
        apart = np.abs(values[:, :, None] - values[:, None, :])[:, ~np.eye(n, dtype=bool)]
        least = 1e-6 * np.abs(values).max(axis=1, keepdims=True)
        return (
            "rk4"
            if (apart <= least).any()
            or (np.abs(values) <= least).any()
            or np.iscomplex(values).any()
            else "exact"
        )

    def _equation(self, state: str, tree: Expr) -> str:
        text = show(
            tree,
            Target(
                name=self._word,
                number=lambda n: repr(float(n.value)),
                draw=self._random,
                lookup=self.name,
                expand_powers=True,
                call=lambda function, given: (
                    f"{function if function in NATIVE else f'{function}_fn'}({', '.join(given)})"
                ),
                condition=lambda condition: f"(1.0 * int({condition}))",
                true=lambda value: f"({value} != 0)",
                logic=("and", "or"),
            ),
        )
        return f"d{self.own[state]}/dt = ({text}) / ms : 1" + " (unless refractory)" * (
            state in self.p.code.frozen
        )

    def _word(self, name: str) -> str:
        return {"t": "(t / ms)", "dt": "(dt / ms)"}.get(name) or self.name(name)

    def _random(self, node: Draw) -> str:
        """Return Brian 2's white noise, or the name of a number that we draw before the step."""
        if node.kind == "xi":
            return f"(xi_{node.key} * ms ** 0.5)"
        if node not in self.drawn:
            self.drawn[node] = self.site.refer(self.store.add("drawn", np.zeros(self.p.size)), None)
        return self.drawn[node]

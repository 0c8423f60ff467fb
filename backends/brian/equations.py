"""Populations whose equations Brian 2 integrates, with its methods and random numbers."""

from __future__ import annotations

import numpy as np
from brian2 import NeuronGroup

from neurosim.expr.printing import Target, show
from neurosim.expr.tree import Draw, Expr
from neurosim.ir.program import HELD, PopulationProgram, Program
from neurosim.ir.propagators import linear_matrix
from neurosim.model.cell import Cell

from .cells import Cells
from .methods import method_of, plain
from .sites import Store
from .text import STEP

# Functions of Brian 2's own: its methods can analyse equations that call them.
NATIVE = ("exp", "log", "sqrt", "cos", "sin", "tanh", "abs", "clip")


class IntegratedCells(Cells):
    """One population: events, ports and parameters are ours, the equations Brian 2's."""

    def __init__(
        self,
        p: PopulationProgram,
        cell: Cell,
        program: Program,
        store: Store,
    ) -> None:
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
        statements = self.p.code.integrate
        # The first are what forbids a spike, and the jumps, one per port with a state.
        count = sum(port.into is not None for _, port in self.cell.receives)
        count += bool(statements) and statements[0].target == HELD
        jumps = statements[:count]
        settled = [[f"not_refractory = {self._active()}"]] if self.p.refractory is not None else []
        return [
            *settled,
            self._statements(jumps)
            + [f"{name} = {self.draw(node)}" for node, name in self.drawn.items()],
        ]

    def _group(self, **events: str) -> NeuronGroup:
        # Brian 2's refractoriness freezes equations, ours gates the threshold: both count our
        # steps.
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
        method = method_of(self.cell)
        propagator = self.p.code.propagator
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
        # The limit is relative: near it the quotients lose all digits, at it they are not finite.
        equal = (apart <= least).any()
        zero = (np.abs(values) <= least).any()
        return "rk4" if equal or zero or np.iscomplex(values).any() else "exact"

    def _equation(self, state: str, tree: Expr) -> str:
        text = show(
            tree,
            Target(
                name=self._word,
                number=lambda n: repr(float(n.value)),
                draw=self._random,
                lookup=self.name,
                expand_powers=True,
                call=lambda function, arguments: (
                    f"{function if function in NATIVE else f'{function}_fn'}"
                    f"({', '.join(arguments)})"
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
            # Brian 2's xi has the unit 1/sqrt(second), ours 1/sqrt(ms).
            return f"(xi_{node.key} * ms ** 0.5)"
        # Drawn once per step: a method of several stages reads the same number in each, as ours do.
        if node not in self.drawn:
            self.drawn[node] = self.site.refer(self.store.add("drawn", np.zeros(self.p.size)), None)
        return self.drawn[node]

"""Whether statements of a step are those of readers of NIR: Euler's, currents before voltages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from neurosim.expr.evaluate import evaluate
from neurosim.expr.tree import Assign, Expr, draws, inline, names
from neurosim.ir.concrete import ConcretePopulation

_SAMPLES = 4096  # values of states and inputs that are tried


def steps_as_readers(population: ConcretePopulation, ports: set[str], *, dt: float) -> bool:
    """Return whether a step is that of readers, for states and inputs drawn at random.

    Parameters
    ----------
    population : ConcretePopulation
        Whose equations are linear, with statements of its own beside them.
    ports : set of str
        That something projects to; nothing arrives at others.
    dt : float, ms
    """
    return _Step(population, ports, dt=dt).is_that_of_readers()


class _Step:
    def __init__(self, population: ConcretePopulation, ports: set[str], *, dt: float) -> None:
        cell = population.cell
        self._cell = cell
        self._dt = np.float64(dt)
        self._definitions = {definition.name: definition.tree for definition in cell.definitions}
        self._slopes: dict[str, Expr] = {
            state.name: inline(state.derivative, self._definitions)
            for state in cell.states
            if state.derivative is not None
        }
        stream = np.random.default_rng(0)
        # Rows of samples, so that a small population is tried as often as a large one.
        shape = (max(1, _SAMPLES // population.size), population.size)
        self._free = {port for port, declared in cell.receives if declared.into is None}
        inputs = {port: stream.normal(0, 10, shape) for port in sorted(self._free & ports)}
        self._constant: dict[str, Any] = {
            **dict.fromkeys(self._free, np.zeros(shape)),
            **inputs,
            **population.parameters,
            "dt": self._dt,
        }
        self._before = {name: stream.normal(0, 10, shape) for name in self._slopes}

    def is_that_of_readers(self) -> bool:
        after = self._own_step()
        return after is not None and all(
            np.allclose(after[name], value, rtol=1e-9, atol=1e-12)
            for name, value in self._step_of_readers().items()
        )

    def _step_of_readers(self) -> dict[str, Any]:
        # A current that a spike jumps has moved already when v reads it, here and there.
        currents = {
            name: self._moved(name, self._before)
            for name, slope in self._slopes.items()
            if names(slope) & self._free and self._is_read_by_another(name)
        }
        states = {**self._before, **currents}
        others = self._slopes.keys() - currents.keys()
        return currents | {name: self._moved(name, states) for name in others}

    def _is_read_by_another(self, state: str) -> bool:
        return any(state in names(slope) for name, slope in self._slopes.items() if name != state)

    def _own_step(self) -> dict[str, Any] | None:
        """Return the states after the statements; None if these read what NIR does not have."""
        states: dict[str, Any] = {**self._before}
        for statement in self._cell.step or ():
            if not isinstance(statement, Assign):
                return None
            tree = inline(statement.result, self._definitions)
            known = {*states, *self._constant}
            if draws(tree) or not names(tree) <= known:
                return None
            states[statement.target] = self._evaluate(tree, states)
        return states

    def _moved(self, name: str, states: Mapping[str, Any]) -> Any:
        return states[name] + self._dt * self._evaluate(self._slopes[name], states)

    def _evaluate(self, tree: Expr, states: Mapping[str, Any]) -> Any:
        return evaluate(tree, {**self._constant, **states}.__getitem__)

"""Statements that run at regular times between steps: one implementation for every engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..draws import streams
from ..expr.evaluate import evaluate
from ..expr.tree import Draw
from ..network.timed_events import RegularUpdate
from .discretise import expand
from .memory import Memory
from .program import Program


class StateUpdate:
    """The statements of an update over the memory of a run.

    Parameters
    ----------
    update : RegularUpdate
    program : Program
    memory : Memory
        Its states are changed in place.
    replica : int
        Replica word of the random numbers.

    Attributes
    ----------
    interval : int
        In steps.
    """

    def __init__(
        self,
        update: RegularUpdate,
        program: Program,
        memory: Memory,
        *,
        replica: int = 0,
    ) -> None:
        self.interval = update.interval
        self._owner = update.view.name
        self._neurons = update.view.indices
        self._stream = f"{self._owner}/every{update.number}"
        self._program = program
        self._memory = memory
        self._replica = replica
        # Written out once: that takes longer than to evaluate the result.
        written_out = expand(update.view.population.cell)
        self._statements = [(s.target, written_out(s.result)) for s in update.statements]

    def run(self, step: int) -> None:
        """Run the statements before a step, whose beginning is ``t``."""
        value = self._reader(step)
        draw = self._drawer(step)
        for state, tree in self._statements:
            self._memory[self._owner, state][self._neurons] = evaluate(tree, value, draw)

    def _reader(self, step: int) -> Callable[[str], Any]:
        population = self._program.populations[self._owner]
        words = {
            "t": step * self._program.dt,
            "dt": self._program.dt,
            "i": self._neurons.astype(np.float64),
            "N": float(population.size),
        }

        def value(name: str) -> Any:
            if name in words:
                return words[name]
            values = self._memory.now(self._owner, name, step)
            # A parameter may have one value for all; a state has one per neuron always.
            own = values.size > 1 or name in population.code.states
            return np.asarray(values[self._neurons] if own else values[0], np.float64)

        return value

    def _drawer(self, step: int) -> Callable[[Draw], np.ndarray]:
        def draw(node: Draw) -> np.ndarray:
            function = streams.uniform if node.kind == "uniform" else streams.normal
            key = streams.key_of(self._program.seed, f"{self._stream}/draw{node.key}")
            return function(key, self._neurons, step, replica=self._replica)

        return draw

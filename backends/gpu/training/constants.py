"""Values of a population as functions of the parameters that learn, propagators included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurosim.draws.values import Table
from neurosim.expr.tree import Expr, draws, names
from neurosim.ir.memory import Memory
from neurosim.ir.program import PopulationProgram
from neurosim.ir.propagators import propagate
from neurosim.model.integration.methods import Propagator
from neurosim.network.drawn_values import draw_population
from neurosim.network.populations import Population

from ..tensors.cells import cell_functions
from ..tensors.printing import draw_name, line, load, local, words
from .gradients.derivatives import differentiable

# Derivatives of exponentials do not depend on the precision of the run.
_WORDS = differentiable(words(torch.float64))


class PopulationValues:
    """Parameters, constants, propagators and initial states of a population, in autograd's graph.

    Parameters
    ----------
    program : PopulationProgram
    population : Population
    memory : Memory
        Values at the start.
    seed : int
        Of the network.
    dt : float, ms
    device : torch.device

    Attributes
    ----------
    start : name -> float64
        All values as the host computes them, initial states included; of tables, no row.
    """

    def __init__(
        self,
        program: PopulationProgram,
        population: Population,
        memory: Memory,
        *,
        seed: int,
        dt: float,
        device: torch.device,
    ) -> None:
        code = program.code
        self._dt = dt
        self._propagator = code.propagator
        drawn, trees = draw_population(population, seed)
        propagators = [] if code.propagator is None else code.propagator.names
        names = [parameter for parameter in code.parameters if parameter not in code.tables]
        names += [*propagators, *(name for name, _ in code.hosted), *code.states]

        def tensor(value: Any) -> Tensor:
            return torch.as_tensor(np.array(value), dtype=torch.float64).to(device)

        # float64 also for a run in float32: rounded once, after all constants are computed.
        self.start = {name: tensor(memory[program.name, name]) for name in names}
        # Draws and positions, which texts may read.
        self._known = {
            name: tensor(value) for name, value in drawn.items() if not isinstance(value, Table)
        }
        self._known["dt"] = tensor(dt)
        self._texts = [(name, compile_expression(tree, _WORDS)) for name, tree in trees.items()]
        self._constants = cell_functions(code, _WORDS).constants
        self._matrix: list[list[Any]] = []
        if code.propagator is not None:
            for row in code.propagator.matrix:
                self._matrix.append([compile_expression(entry, _WORDS) for entry in row])

    def __call__(self, learned: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return all values of `start`, float64, as functions of those that learn.

        Parameters
        ----------
        learned : parameter or state -> (1,) or (N,) float64
        """
        values: dict[str, Any] = {**self._known, **self.start, **learned}
        # A parameter that learns no longer follows its text.
        for name, evaluate in self._texts:
            if name not in learned:
                values[name] = evaluate(values)
        if self._propagator is not None:
            values |= self._propagators(self._propagator, values)
        values |= self._constants(values)
        return {name: torch.atleast_1d(values[name]) for name in self.start}

    def _propagators(self, propagator: Propagator, values: Mapping[str, Any]) -> dict[str, Any]:
        entries = [torch.atleast_1d(entry(values)) for row in self._matrix for entry in row]
        if len(entries) == 1:
            z = entries[0] * self._dt
            return {
                propagator.name("P", 0, 0): _WORDS["exp"](z),
                propagator.name("Q", 0, 0): self._dt * _WORDS["expm1_ratio"](z),
            }
        # One matrix for each neuron, or one for all: (neurons, n, n).
        size = max(entry.numel() for entry in entries)
        states = len(self._matrix)
        flat = torch.stack([entry.expand(size) for entry in entries], -1)
        matrix = flat.reshape(size, states, states)
        result: Tensor = _Exponential.apply(  # type: ignore[assignment]
            matrix, propagator, self._dt
        )
        return dict(zip(propagator.names, result.unbind(-1), strict=True))


def compile_expression(tree: Expr, meanings: Mapping[str, Any]) -> Any:
    """Return an expression as a function of values by name.

    Parameters
    ----------
    tree : Expr
    meanings : word -> function
        See `printing.words`.
    """
    read = [*sorted(names(tree)), *sorted(draw_name(draw) for draw in draws(tree))]
    body = [f"    {local(name)} = values[{name!r}]" for name in read]
    source = "\n".join(["def value(values):", *body, f"    return _tensor({line(tree)})", ""])
    return load(source, {**meanings, "_tensor": _tensor}, title="expression")["value"]


def _tensor(value: Any) -> Tensor:
    # An expression may be a number alone.
    return value if isinstance(value, Tensor) else torch.tensor(value, dtype=torch.float64)


class _Exponential(torch.autograd.Function):
    """Propagators of a linear group: the host's values, and their derivatives."""

    @staticmethod
    def forward(
        ctx: Any,
        matrix: Tensor,
        propagator: Propagator,
        dt: float,
    ) -> Tensor:
        ctx.save_for_backward(matrix)
        ctx.propagator = propagator
        ctx.dt = dt
        # The host's own function, so that a trained network has the same bits on every engine.
        entries = propagate(propagator, matrix.detach().cpu().numpy(), dt)
        stacked = np.stack([entries[name] for name in propagator.names], axis=-1)
        return torch.from_numpy(stacked).to(matrix.device)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the derivative of an exponential, from the exponential of a block matrix.

        Source: Najfeld and Havel 1995, Adv. Appl. Math. 16:321, theorem 4.13.
        """
        (matrix,) = ctx.saved_tensors
        size, n, _ = matrix.shape
        block = matrix.new_zeros(size, 2 * n, 2 * n)
        block[:, :n, :n] = matrix * ctx.dt
        block[:, :n, n:] = torch.eye(n, dtype=matrix.dtype, device=matrix.device) * ctx.dt
        # Gradients come in the order of the propagator's names: P and Q of each entry in turn.
        outer = matrix.new_zeros(size, 2 * n, 2 * n)
        position = 0
        for i, j in sorted(ctx.propagator.reach):
            outer[:, i, j] = gradients[0][:, position]
            outer[:, i, n + j] = gradients[0][:, position + 1]
            position += 2
        both = matrix.new_zeros(size, 4 * n, 4 * n)
        transposed = block.transpose(1, 2)
        both[:, : 2 * n, : 2 * n] = transposed
        both[:, 2 * n :, 2 * n :] = transposed
        both[:, : 2 * n, 2 * n :] = outer
        derivative = torch.linalg.matrix_exp(both)[:, : 2 * n, 2 * n :]
        return ctx.dt * derivative[:, :n, :n], None, None

"""How weights of a port act on the membrane of a cell: added, subtracted or as a conductance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np

from ..expr.evaluate import evaluate
from ..expr.linear import ZERO, affine
from ..expr.tree import Binary, Call, Expr, Name, Unary, draws, inline, names, rewrite
from ..model.parts import CellParts
from ..units import VOLTAGE

Effect = Literal["adds", "subtracts", "conductance", "repels", "unclear"]
"""What a larger value of a name does to a state. A conductance multiplies the difference between a
reversal potential and the state, so that its sign depends on the state itself; one that multiplies
the negative of that difference repels."""

_MONOTONE = ("exp", "log", "sqrt", "tanh", "floor", "min", "max", "clip")
_OPPOSITE: dict[Effect, Effect] = {
    "adds": "subtracts",
    "subtracts": "adds",
    "conductance": "repels",
    "repels": "conductance",
}


def effect_of_port(cell: CellParts, port: str) -> Effect:
    """Return how a positive weight of a port acts on the states that the spike condition reads.

    In a cell without spikes these are all other states.

    Parameters
    ----------
    cell : Cell
    port : str
    """
    definitions = {d.name: d.tree for d in cell.definitions}
    equations = _equations(cell, definitions)
    # A port without a state of its own is read by equations under its own name.
    start = cell.port(port).into or port
    states = {state.name for state in cell.states}
    membrane = states - {start}
    if cell.spike is not None:
        membrane = states & names(inline(cell.spike, definitions))
    if start in membrane:
        return "adds"
    potentials = _potentials(cell, membrane) - {start}
    signs = _Signs(potentials, _numbers(cell))
    effects: set[Effect] = set()
    reached: set[tuple[str, Effect]] = set()
    waiting: list[tuple[str, Effect]] = [(start, "adds")]
    while waiting:
        name, effect = waiting.pop()
        # By name and effect: a state that is reached in two ways may be pushed in both directions.
        reached.add((name, effect))
        for target, tree in equations:
            # A state in its own equation is its decay, and no way to another.
            if target == name or name not in names(tree):
                continue
            after = _product(effect, signs.effect(tree, name, state=target))
            if target in membrane:
                effects.add(after)
            elif (target, after) not in reached:
                waiting.append((target, after))
    return _join(effects)


def effect_in(tree: Expr, name: str) -> Effect:
    """Return how a larger value of a name acts on an expression that reads it.

    Parameters
    ----------
    tree : Expr
    name : str
    """
    return _Signs(set(), {}).effect(tree, name, state="")


def _equations(cell: CellParts, definitions: Mapping[str, Expr]) -> list[tuple[str, Expr]]:
    """Return the changed state and the expression of each equation that runs."""
    # Statements of a step replace the equations.
    if cell.step is not None:
        return [(s.target, inline(s.result, definitions)) for s in cell.step]
    return [
        (state.name, inline(state.derivative, definitions))
        for state in cell.states
        if state.derivative is not None
    ]


def _potentials(cell: CellParts, membrane: set[str]) -> set[str]:
    """Return the states that may stand beside a reversal potential.

    These are voltages, and of cells without units the states that the spike condition reads.
    """
    voltages = {s.name for s in cell.states if s.unit.exponents == VOLTAGE}
    return voltages if cell.spike is None else voltages | membrane


def _numbers(cell: CellParts) -> dict[str, float]:
    return {p.name: float(p.value) for p in cell.parameters if isinstance(p.value, float | int)}


class _Signs:
    """Reads signs off expressions over potentials and parameters with known values."""

    def __init__(self, potentials: set[str], numbers: Mapping[str, float]) -> None:
        self._potentials = potentials
        self._numbers = numbers

    def effect(self, tree: Expr, name: str, *, state: str) -> Effect:
        """Return how a larger value of a name acts on the expression of a changed state."""
        match tree:
            case Name():
                return "adds"
            case Unary(op="-", operand=operand):
                return _product("subtracts", self.effect(operand, name, state=state))
            case Binary(op="+" | "-" as op, left=left, right=right):
                terms: list[tuple[Effect, Expr]] = [
                    ("adds", left),
                    ("adds" if op == "+" else "subtracts", right),
                ]
                return self._effect_in_sum(tree, terms, name, state)
            case Binary(op="*" | "/" as op, left=left, right=right):
                if name not in names(right):
                    effect = self.effect(left, name, state=state)
                    return _product(effect, self._sign(right, state))
                # In a denominator a larger value makes the quotient smaller or larger.
                if op == "*" and name not in names(left):
                    effect = self.effect(right, name, state=state)
                    return _product(effect, self._sign(left, state))
            case Call(function=function, arguments=arguments):
                # A condition that does not read the name chooses between its effects.
                if function == "where" and name not in names(arguments[0]):
                    arguments = arguments[1:]
                elif function not in _MONOTONE:
                    return "unclear"
                reading = [argument for argument in arguments if name in names(argument)]
                return _join(self.effect(argument, name, state=state) for argument in reading)
        return "unclear"

    def _effect_in_sum(
        self,
        tree: Expr,
        terms: list[tuple[Effect, Expr]],
        name: str,
        state: str,
    ) -> Effect:
        effects: set[Effect] = {
            _product(sign, self.effect(term, name, state=state))
            for sign, term in terms
            if name in names(term)
        }
        if len(effects) < 2 or "unclear" in effects:
            return _join(effects)
        # A driving force may be written out: g * reversal - g * v.
        split = affine(tree, {name})
        return (split and self._driving(split[0][name], state)) or "unclear"

    def _sign(self, factor: Expr, state: str) -> Effect:
        """Return what multiplication by a factor does.

        Unknown parameters count as positive, gates that depend on a potential likewise.
        """
        driving = self._driving(factor, state)
        if driving is not None:
            return driving
        read = names(factor)
        if read <= self._numbers.keys() and not draws(factor):
            value = np.asarray(evaluate(factor, self._numbers.__getitem__))
            return "subtracts" if value < 0 else "adds"
        if isinstance(factor, Unary):
            return _product("subtracts", self._sign(factor.operand, state))
        if isinstance(factor, Binary) and factor.op in ("*", "/"):
            return _product(self._sign(factor.left, state), self._sign(factor.right, state))
        return "adds"

    def _driving(self, factor: Expr, state: str) -> Effect | None:
        """Return what a factor does that is linear in a potential, None if it is not.

        Beside a reversal potential of zero the changed state itself is the driving force.
        """
        split = affine(rewrite(factor, self._unbound), self._potentials)
        if split is None or not split[0]:
            return None
        coefficients, reversal = split
        # Another potential alone, without a reversal potential, may have any sign.
        if state not in coefficients and reversal == ZERO and len(coefficients) == 1:
            return "unclear"
        potential = state if state in coefficients else next(iter(coefficients))
        return _product("repels", self._sign(coefficients[potential], state))

    def _unbound(self, node: Expr) -> Expr:
        """Return the potential of min(v, peak), max and clip, as which they act between bounds."""
        if isinstance(node, Call) and node.function in ("min", "max", "clip"):
            first, *bounds = node.arguments
            if not any(names(bound) & self._potentials for bound in bounds):
                return first
        return node


def _product(first: Effect, second: Effect) -> Effect:
    # A plain sign goes second: it keeps or turns whatever the other one does.
    if first in ("adds", "subtracts"):
        first, second = second, first
    if "unclear" in (first, second) or second not in ("adds", "subtracts"):
        return "unclear"
    return first if second == "adds" else _OPPOSITE[first]


def _join(effects: Iterable[Effect]) -> Effect:
    """Return the effect of a sum, "unclear" if its terms differ; nothing adds."""
    different = set(effects)
    if len(different) > 1:
        return "unclear"
    return different.pop() if different else "adds"

"""How weights of a port act on the membrane of a cell: added, subtracted or as a conductance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np

from ..expr.evaluate import evaluate
from ..expr.tree import Binary, Call, Expr, Name, Unary, draws, inline, names
from ..model.parts import CellParts

Effect = Literal["adds", "subtracts", "conductance", "unclear"]
"""What a larger value of a name does to a state. A conductance multiplies a driving force, so that
its sign depends on the state itself."""

_MONOTONE = ("exp", "log", "sqrt", "tanh", "floor", "min", "max", "clip")
_OPPOSITE: dict[Effect, Effect] = {"adds": "subtracts", "subtracts": "adds"}


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
    start = cell.port(port).into or port
    states = {state.name for state in cell.states}
    membrane = states - {start}
    if cell.spike is not None:
        membrane = states & names(inline(cell.spike, definitions))
    if start in membrane:
        return "adds"
    signs = _Signs(membrane, _numbers(cell))
    effects: set[Effect] = set()
    reached: set[tuple[str, Effect]] = set()
    waiting: list[tuple[str, Effect]] = [(start, "adds")]
    while waiting:
        name, effect = waiting.pop()
        reached.add((name, effect))
        for target, tree in equations:
            if target == name or name not in names(tree):
                continue
            after = _product(effect, signs.effect(tree, name))
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
    return _Signs(set(), {}).effect(tree, name)


def _equations(cell: CellParts, definitions: Mapping[str, Expr]) -> list[tuple[str, Expr]]:
    """Return the changed state and the expression of each equation that runs."""
    if cell.step is not None:
        return [(s.target, inline(s.result, definitions)) for s in cell.step]
    return [
        (state.name, inline(state.derivative, definitions))
        for state in cell.states
        if state.derivative is not None
    ]


def _numbers(cell: CellParts) -> dict[str, float]:
    return {p.name: float(p.value) for p in cell.parameters if isinstance(p.value, float | int)}


class _Signs:
    """Reads signs off expressions over the membrane's states and parameters with known values."""

    def __init__(self, membrane: set[str], numbers: Mapping[str, float]) -> None:
        self._membrane = membrane
        self._numbers = numbers

    def effect(self, tree: Expr, name: str) -> Effect:
        """Return how a larger value of a name acts on an expression that reads it."""
        match tree:
            case Name():
                return "adds"
            case Unary(op="-", operand=operand):
                return _product("subtracts", self.effect(operand, name))
            case Binary(op="+" | "-" as op, left=left, right=right):
                sign: Effect = "adds" if op == "+" else "subtracts"
                effects: list[Effect] = []
                if name in names(left):
                    effects.append(self.effect(left, name))
                if name in names(right):
                    effects.append(_product(sign, self.effect(right, name)))
                return _join(effects)
            case Binary(op="*" | "/" as op, left=left, right=right):
                return self._effect_in_product(op, left, right, name)
            case Call(function=function, arguments=arguments):
                return self._effect_in_call(function, arguments, name)
        return "unclear"

    def _effect_in_product(self, op: str, left: Expr, right: Expr, name: str) -> Effect:
        if name not in names(right):
            return _product(self.effect(left, name), self._sign(right))
        if op == "*" and name not in names(left):
            return _product(self.effect(right, name), self._sign(left))
        return "unclear"

    def _effect_in_call(self, function: str, arguments: tuple[Expr, ...], name: str) -> Effect:
        if function == "where" and name not in names(arguments[0]):
            arguments = arguments[1:]
        elif function not in _MONOTONE:
            return "unclear"
        return _join(self.effect(a, name) for a in arguments if name in names(a))

    def _sign(self, factor: Expr) -> Effect:
        """Return what multiplication by a factor does; unknown parameters count as positive."""
        read = names(factor)
        if read & self._membrane:
            return "conductance"
        if read <= self._numbers.keys() and not draws(factor):
            value = np.asarray(evaluate(factor, self._numbers.__getitem__))
            return "subtracts" if value < 0 else "adds"
        if isinstance(factor, Unary):
            return _product("subtracts", self._sign(factor.operand))
        if isinstance(factor, Binary) and factor.op in ("*", "/"):
            return _product(self._sign(factor.left), self._sign(factor.right))
        return "adds"


def _product(first: Effect, second: Effect) -> Effect:
    if "unclear" in (first, second):
        return "unclear"
    if "conductance" in (first, second):
        return "conductance"
    return second if first == "adds" else _OPPOSITE[second]


def _join(effects: Iterable[Effect]) -> Effect:
    """Return the effect of a sum, "unclear" if its terms differ; nothing adds."""
    different = set(effects)
    if len(different) > 1:
        return "unclear"
    return different.pop() if different else "adds"

"""Parameters by which equations divide."""

from __future__ import annotations

from typing import TypeGuard

from ..expr.tree import Binary, Call, Expr, Name, inline, names, walk
from ..units import TIME
from .parts import CellParts


def time_constants(cell: CellParts) -> set[str]:
    """Return the parameters, times, that a derivative or step statement of a cell is divided by.

    A time that is compared in a ``where`` of a step statement is none: it may guard a division.

    Parameters
    ----------
    cell : Cell
    """
    times = {p.name for p in cell.parameters if p.unit.exponents == TIME}
    definitions = {d.name: d.tree for d in cell.definitions}
    trees = [inline(s.derivative, definitions) for s in cell.states if s.derivative is not None]
    steps = [inline(s.value, definitions) for s in cell.step or ()]
    guards = [node.arguments[0] for tree in steps for node in walk(tree) if _is_choice(node)]
    guarded = set().union(*map(names, guards)) if guards else set()
    divisors = {name for tree in trees for name in _divisors(tree)}
    return times & (divisors | {name for tree in steps for name in _divisors(tree)} - guarded)


def _is_choice(node: Expr) -> TypeGuard[Call]:
    return isinstance(node, Call) and node.function == "where"


def _divisors(tree: Expr) -> set[str]:
    """Return the names that are a divisor, or a factor of one."""
    divisors: set[str] = set()
    for node in walk(tree):
        if isinstance(node, Binary) and node.op == "/":
            divisors |= _factors(node.right)
    return divisors


def _factors(tree: Expr) -> set[str]:
    if isinstance(tree, Name):
        return {tree.name}
    if isinstance(tree, Binary) and tree.op == "*":
        return _factors(tree.left) | _factors(tree.right)
    return set()

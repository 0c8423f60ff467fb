"""Parameters by which equations divide."""

from __future__ import annotations

from typing import TypeGuard

from ..expr.linear import affine
from ..expr.tree import Binary, Call, Expr, Name, inline, names, walk
from ..units import TIME
from .integration.methods import choose
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


def divisors_of_coefficients(cell: CellParts) -> set[str]:
    """Return the parameters that coefficients of exactly integrated equations are divided by.

    At 0 such a coefficient is infinite, and the exponential of an infinite decay is a plain 0.
    Those that a ``where`` compares are left out.

    Parameters
    ----------
    cell : Cell
    """
    definitions = {d.name: d.tree for d in cell.definitions}
    parameters = {p.name for p in cell.parameters}
    derivatives = {
        s.name: inline(s.derivative, definitions) for s in cell.states if s.derivative is not None
    }
    if cell.step is not None or not any(_divisors(tree) for tree in derivatives.values()):
        return set()
    methods = choose(derivatives, cell.method, parameters, where=f"cell {cell.name!r}")
    exact = {state for state, method in methods.items() if method == "exact"}
    divisors: set[str] = set()
    for state in exact:
        split = affine(derivatives[state], exact)
        for coefficient in () if split is None else split[0].values():
            if not any(_is_choice(node) for node in walk(coefficient)):
                divisors |= _divisors(coefficient)
    return divisors & parameters


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

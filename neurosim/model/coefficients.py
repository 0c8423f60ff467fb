"""The parts of equations that parameters alone decide: a 0 among them can make a rate infinite."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

from ..expr.tree import Binary, Expr, Name, Number, Unary, draws, inline, names
from .binding import BoundRule
from .parts import CellParts, Identical, RuleParts
from .rule_equations import closed_forms, written_out

Demand: TypeAlias = Literal["finite", "not 0", "positive"]


@dataclass(frozen=True)
class Coefficient:
    """A divisor of a term, or a function of parameters that is a factor of one.

    Parameters
    ----------
    where : str
        The equation or statement, as messages say it.
    tree : Expr
        Over parameters and numbers.
    demand : Demand
        A divisor may be infinite, but not 0; the time constant of a closed form is positive.
    """

    where: str
    tree: Expr
    demand: Demand

    @property
    def parameters(self) -> set[str]:
        """The names that it reads."""
        return names(self.tree)


def coefficients_of_cell(cell: CellParts) -> tuple[Coefficient, ...]:
    """Return the coefficients of equations and statements of a cell.

    Parameters
    ----------
    cell : Cell
    """
    return _of_cell(Identical(cell))


# Thousands of populations may be of one cell.
@lru_cache(maxsize=32)
def _of_cell(identical: Identical[CellParts]) -> tuple[Coefficient, ...]:
    cell = identical.cell
    definitions = {d.name: d.tree for d in cell.definitions}
    constants = {p.name for p in cell.parameters}
    statements = [(f"the equation of {s.name}", s.derivative) for s in cell.states]
    statements += [(f"the statement of {s.target}", s.result) for s in cell.step or ()]
    statements += [(f"the reset of {s.target}", s.result) for s in cell.after_spike]
    return tuple(
        coefficient
        for where, tree in statements
        if tree is not None
        for coefficient in _coefficients(inline(tree, definitions), constants, where)
    )


def coefficients_of_rule(rule: RuleParts, bound: BoundRule) -> tuple[Coefficient, ...]:
    """Return the coefficients of equations and handlers of a rule.

    Parameters
    ----------
    rule : Rule
    bound : BoundRule
        The rule between two cells.
    """
    constants = {p.name for p in rule.parameters}
    times = [
        Coefficient(f"the equation of {name}", form.tau, "positive")
        for name, form in closed_forms(rule).items()
        if form.time_constant is not None
    ]
    statements = [(f"the equation of {name}", tree) for name, tree in written_out(rule).items()]
    for trigger, handler in bound.handlers:
        statements += [(f"handler {trigger!r}, {s.target}", s.value) for s in handler]
    parts = [c for where, tree in statements for c in _coefficients(tree, constants, where)]
    # The product of several large factors is found in the whole only.
    for name, tree in bound.coefficients:
        variable = name.removeprefix("_decay_").removeprefix("_inflow_")
        demand: Demand = "not 0" if name.startswith("_decay_") else "finite"
        parts.append(Coefficient(f"the equation of {variable}", tree, demand))
    return (*times, *parts)


def _coefficients(tree: Expr, constants: Collection[str], where: str) -> Iterator[Coefficient]:
    """Yield divisors and functions of constants among the factors of the terms of a tree.

    Arguments of functions are left out, because a function may have a finite value at infinity.
    """
    constant = names(tree) <= set(constants) and not draws(tree)
    match tree:
        case Name() | Number():
            return
        case Unary(op="-", operand=operand):
            yield from _coefficients(operand, constants, where)
        case Binary(op="+" | "-" | "*", left=left, right=right):
            yield from _coefficients(left, constants, where)
            yield from _coefficients(right, constants, where)
        case Binary(op="/", left=left, right=right):
            yield from _coefficients(left, constants, where)
            for divisor in _factors(right, set(constants)):
                yield Coefficient(where, divisor, "not 0")
        case _ if constant:
            yield Coefficient(where, tree, "finite")


def _factors(tree: Expr, constants: set[str]) -> Iterator[Expr]:
    """Yield the largest factors of a product that constants alone decide."""
    if names(tree) <= constants and not draws(tree):
        # Numbers that people write are not 0, but for one that they should hear of.
        if not isinstance(tree, Number) or tree.value == 0.0:
            yield tree
    elif isinstance(tree, Binary) and tree.op == "*":
        yield from _factors(tree.left, constants)
        yield from _factors(tree.right, constants)

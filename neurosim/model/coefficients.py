"""The parts of equations that parameters alone decide: a 0 among them can make a rate infinite."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

from ..expr.tree import Assign, Binary, Expr, Name, Number, Unary, draws, inline, names
from .binding import BoundRule
from .parts import CellParts, Identical, RuleParts
from .rule_equations import closed_forms, written_out

Demand: TypeAlias = Literal["finite", "not 0", "positive"]

_EVENTS = ("pre", "post")
_COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")


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
    everywhere : bool
        Whether all neurons of a population compute it, with or without edges.
    """

    where: str
    tree: Expr
    demand: Demand
    everywhere: bool = False

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
    statements += [("the spike condition", cell.spike), ("the refractory condition", cell.pause)]
    return tuple(
        coefficient
        for where, tree in statements
        if tree is not None
        for coefficient in _coefficients(inline(tree, definitions), constants, where)
    )


def coefficients_of_update(
    cell: CellParts, statements: Iterable[Assign]
) -> tuple[Coefficient, ...]:
    """Return the coefficients of statements that change the states of a cell at regular times.

    Parameters
    ----------
    cell : Cell
    statements : statements
        With units resolved.
    """
    definitions = {d.name: d.tree for d in cell.definitions}
    constants = {p.name for p in cell.parameters}
    return tuple(
        coefficient
        for s in statements
        for coefficient in _coefficients(
            inline(s.result, definitions), constants, f"the statement of {s.target}"
        )
    )


def coefficients_of_rule(
    rule: RuleParts,
    bound: BoundRule,
    *,
    read: Collection[str] = (),
    definitions: Mapping[str, Expr] | None = None,
) -> tuple[Coefficient, ...]:
    """Return the coefficients of equations and handlers of a rule.

    Parameters
    ----------
    rule : Rule
    bound : BoundRule
        The rule between two cells.
    read : names
        Of parameters of cells, such as ``C_post``.
    definitions : name -> tree, optional
        Of cells, such as ``tau_post``.
    """
    constants = {p.name for p in rule.parameters} | set(read)
    written = definitions or {}
    parts = [
        Coefficient(f"the equation of {name}", form.tau, "positive")
        for name, form in closed_forms(rule).items()
        if form.time_constant is not None
    ]
    edge = {v.name for v in rule.edge}
    for name, tree in written_out(rule).items():
        where = f"the equation of {name}"
        parts += _coefficients(inline(tree, written), constants, where, name not in edge)
    for trigger, handler in bound.handlers:
        for s in handler:
            where = f"handler {trigger!r}, {s.target}"
            # Events compute it for neurons that they reach, other handlers for all.
            everywhere = s.action == "assign" and s.side != "edge" and trigger not in _EVENTS
            parts += _coefficients(inline(s.value, written), constants, where, everywhere)
    # The product of several large factors is found in the whole only.
    for name, tree in bound.coefficients:
        variable = name.removeprefix("_decay_").removeprefix("_inflow_")
        demand: Demand = "not 0" if name.startswith("_decay_") else "finite"
        parts.append(Coefficient(f"the equation of {variable}", tree, demand))
    return tuple(parts)


def _coefficients(
    tree: Expr, constants: Collection[str], where: str, everywhere: bool = False
) -> Iterator[Coefficient]:
    """Yield divisors and functions of constants among the factors of the terms of a tree.

    Arguments of functions are left out, because a function may have a finite value at infinity;
    ``and`` and ``or`` too, because one condition may guard the other.
    """
    constant = names(tree) <= set(constants) and not draws(tree)
    match tree:
        case Name() | Number():
            return
        case Unary(op="-", operand=operand):
            yield from _coefficients(operand, constants, where, everywhere)
        case Binary(op=op, left=left, right=right) if op in ("+", "-", "*", *_COMPARISONS):
            yield from _coefficients(left, constants, where, everywhere)
            yield from _coefficients(right, constants, where, everywhere)
        case Binary(op="/" | "%" | "//", left=left, right=right):
            yield from _coefficients(left, constants, where, everywhere)
            for divisor in _factors(right, set(constants)):
                yield Coefficient(where, divisor, "not 0", everywhere)
        case _ if constant:
            yield Coefficient(where, tree, "finite", everywhere)


def _factors(tree: Expr, constants: set[str]) -> Iterator[Expr]:
    """Yield the largest factors of a product that constants alone decide."""
    if names(tree) <= constants and not draws(tree):
        # Numbers that people write are not 0, but for one that they should hear of.
        if not isinstance(tree, Number) or tree.value == 0.0:
            yield tree
    elif isinstance(tree, Binary) and tree.op == "*":
        yield from _factors(tree.left, constants)
        yield from _factors(tree.right, constants)

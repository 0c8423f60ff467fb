"""Elimination: the parameters of a standard cell, solved from one equation after the other.

Equations may leave a choice: a current may be part of the resting potential, for instance. Then a
parameter of the user's cell is preferred, and a plain value otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sympy

from neurosim.units import NUMBER, unit

from .algebra import (
    ONE,
    Symbolic,
    Unmatched,
    coefficients,
    free_symbols,
    numerator,
    substitute,
    symbol,
    vanishes,
)
from .symbolic_cell import SymbolicCell

# Parameters that may be one of the cell's own, with their units, and values otherwise.
# The names speak for themselves in a report: v_rest = rest says more than v_rest = 0.
_PREFER_OWN = {"v_rest": "mV", "e_rev_leak": "mV", "i_offset": "nA", "g_leak": "uS"}
_DEFAULTS = {
    "cm": 1,
    "i_offset": 0,
    "v_rest": 0,
    "e_rev_leak": 0,
    "g_leak": 1,
    "a": 0,
    "v_reset": 0,
}
UNKNOWN = "~"  # begins the names of symbols that are solved for; no name of a user does


class PartialMatch(Unmatched):
    """A match that failed.

    Parameters
    ----------
    progress : int
        Ranks the reasons of several failed matches: the largest came closest.
    reason : str
        A sentence for the report.
    """

    def __init__(self, progress: int, reason: str) -> None:
        super().__init__(reason)
        self.progress = progress


@dataclass(frozen=True)
class Condition:
    """An expression that must be zero.

    Attributes
    ----------
    subject : str
        Subject of the sentence "... differs." in a report.
    expression : Symbolic
    """

    subject: str
    expression: Symbolic

    def substitute(self, values: Mapping[sympy.Symbol, Symbolic]) -> Condition:
        """Return the condition with symbols replaced."""
        return Condition(self.subject, substitute(self.expression, values))


@dataclass(frozen=True)
class Unknowns:
    """Symbols that are solved for.

    Attributes
    ----------
    parameters : mapping of str to Symbol
        Parameter of the standard cell -> symbol.
    scales : mapping of str to Symbolic
        State of the standard cell -> symbol of its scale, or 1 if the scale is fixed.
    """

    parameters: Mapping[str, sympy.Symbol]
    scales: Mapping[str, Symbolic]

    @property
    def symbols(self) -> set[sympy.Symbol]:
        """All symbols that are solved for."""
        return {*self.parameters.values(), *self.free_scales}

    @property
    def free_scales(self) -> list[sympy.Symbol]:
        """Symbols of scales, in the order of the states."""
        return [s for s in self.scales.values() if isinstance(s, sympy.Symbol)]


def eliminate(
    conditions: list[Condition],
    cell: SymbolicCell,
    unknowns: Unknowns,
) -> dict[sympy.Symbol, Symbolic]:
    """Solve for the unknowns of a standard cell, one equation with one unknown after the other.

    Parameters
    ----------
    conditions : list of Condition
        Expressions over the cell's states and parameters and the unknowns.
    cell : SymbolicCell
        The user's cell.
    unknowns : Unknowns
        Symbols to solve for.

    Returns
    -------
    dict
        unknown -> expression over the cell's parameters; unknowns that no condition reads are
        left out

    Raises
    ------
    PartialMatch
        Naming the equation that cannot be satisfied.
    """
    symbols = unknowns.symbols
    for condition in conditions:  # those with nothing to solve for are judged fastest
        if not condition.expression.free_symbols & symbols:
            _require_zero(condition, progress=3)
    # Equations hold for all values of the states: one condition per coefficient.
    states = [symbol(s) for s in cell.states]
    remaining = [
        Condition(condition.subject, coefficient)
        for condition in conditions
        if condition.expression.free_symbols & symbols
        for coefficient in coefficients(condition.expression, states)
    ]
    solution: dict[sympy.Symbol, Symbolic] = {}
    while remaining := _unsolved(remaining, symbols, progress=4 + len(solution)):
        unknown, answer = _solve_next(remaining, cell, unknowns, progress=4 + len(solution))
        # Earlier answers may read this unknown, so that it is replaced in them too.
        replacement = {unknown: answer}
        solution = {s: substitute(e, replacement) for s, e in solution.items()} | replacement
        remaining = [condition.substitute(replacement) for condition in remaining]
    return solution


def _unsolved(
    conditions: list[Condition], symbols: set[sympy.Symbol], *, progress: int
) -> list[Condition]:
    """Return the numerators of the conditions that still have an unknown; the others must hold."""
    simplified = [Condition(c.subject, numerator(c.expression)) for c in conditions]
    simplified = [c for c in simplified if c.expression != 0]
    for condition in simplified:
        if not condition.expression.free_symbols & symbols:
            _require_zero(condition, progress=progress)
    return [c for c in simplified if c.expression.free_symbols & symbols]


def _require_zero(condition: Condition, *, progress: int) -> None:
    if not vanishes(condition.expression):
        raise PartialMatch(progress, f"{condition.subject} differs.")


def _solve_next(
    conditions: list[Condition],
    cell: SymbolicCell,
    unknowns: Unknowns,
    *,
    progress: int,
) -> tuple[sympy.Symbol, Symbolic]:
    """Return the next unknown and its value: from an equation that has no other, or by choice."""
    symbols = unknowns.symbols
    # Fewest unknowns first, by name among these: the same answer in every process.
    for condition in sorted(conditions, key=lambda c: len(c.expression.free_symbols & symbols)):
        unsolved = sorted(free_symbols(condition.expression) & symbols, key=lambda s: s.name)
        if len(unsolved) == 1:
            unknown = unsolved[0]
            answers = sympy.solve(condition.expression, unknown)
            # A scale of 0 would make any cell match, by switching its synapse off.
            if len(answers) != 1 or (answers[0] == 0 and unknown in unknowns.scales.values()):
                raise PartialMatch(progress, f"{condition.subject} differs.")
            return unknown, answers[0]
    return _choose(conditions, cell, unknowns, progress=progress)


def _choose(
    conditions: list[Condition],
    cell: SymbolicCell,
    unknowns: Unknowns,
    *,
    progress: int,
) -> tuple[sympy.Symbol, Symbolic]:
    """Return an unknown whose value the equations leave open, and the value that is chosen."""
    unsolved = set.union(*(free_symbols(c.expression) for c in conditions)) & unknowns.symbols
    # A scale that is open stays 1: weights and records then keep the numbers of the user.
    for scale in unknowns.free_scales:
        if scale in unsolved:
            return scale, ONE
    for name, text in _PREFER_OWN.items():
        unknown = unknowns.parameters.get(name)
        if unknown is not None and unknown in unsolved:
            own = _own_parameter(conditions, unknown, text, cell)
            if own is not None:
                return unknown, own
    for name, default in _DEFAULTS.items():
        unknown = unknowns.parameters.get(name)
        if unknown is not None and unknown in unsolved:
            return unknown, sympy.Integer(default)
    names = ", ".join(sorted(s.name.removeprefix(UNKNOWN) for s in unsolved))
    raise PartialMatch(progress, f"{conditions[0].subject} leaves {names} open.")


def _own_parameter(
    conditions: list[Condition],
    unknown: sympy.Symbol,
    unit_text: str,
    cell: SymbolicCell,
) -> Symbolic | None:
    """Return the cell's parameter that has the meaning of an unknown, if there is one.

    With it as the unknown, no equation that read the unknown depends on it any more.
    """
    # Cells whose equations have no units are matched too, so that plain numbers fit everywhere.
    units = (unit(unit_text).exponents, NUMBER)
    equations = [c.expression for c in conditions if unknown in c.expression.free_symbols]
    for candidate in cell.candidates:
        own = candidate.expression
        if not isinstance(own, sympy.Symbol) or candidate.exponents not in units:
            continue
        replaced = [numerator(substitute(e, {unknown: own})) for e in equations]
        if all(_can_hold_without(own, e) for e in replaced):
            return own
    return None


def _can_hold_without(parameter: sympy.Symbol, equation: Symbolic) -> bool:
    """Return whether an equation has a factor free of a parameter, and no unknown depends on it."""
    # A product is 0 if one factor is: the parameter may stand in the others.
    factors = [factor for factor, _ in sympy.factor_list(equation)[1]]
    with_parameter = [f for f in factors if parameter in f.free_symbols]
    if len(with_parameter) == len(factors):
        return False
    return not any(s.name.startswith(UNKNOWN) for f in with_parameter for s in free_symbols(f))

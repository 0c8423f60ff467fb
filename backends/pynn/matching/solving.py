"""Solving for the parameters of a standard cell: one equation with one unknown after the other, and choices where equations leave one."""

from __future__ import annotations

from collections.abc import Mapping

import sympy

from neurosim.units import NUMBER, unit

from .algebra import Symbolic, Unmatched, coefficients, vanishes
from .own_cell import OwnCell

# Where equations leave a choice: parameters that may be one of the cell's own, and values otherwise.
_OWN = ("v_rest", "e_rev_leak", "i_offset", "g_leak")
_OTHERWISE = ("cm", "i_offset", "v_rest", "e_rev_leak", "g_leak", "a", "v_reset")


class Short(Unmatched):
    """A match that failed, and how far it came."""

    def __init__(self, reached: int, reason: str) -> None:
        super().__init__(reason)
        self.reached = reached


def eliminate(
    wanted: list[tuple[str, Symbolic]],
    states: list[sympy.Symbol],
    own: OwnCell,
    unknown: Mapping[str, sympy.Symbol],
    scale: Mapping[str, Symbolic],
) -> dict[sympy.Symbol, Symbolic]:
    """Solve for the unknown parameters, one equation with one unknown after the other.

    Raises
    ------
    Short
        Naming the equation that cannot be satisfied.
    """
    open_ = {s for s in (*unknown.values(), *scale.values()) if s.is_Symbol}
    for what, e in wanted:  # first what has nothing to solve for, which is quickly judged
        if not e.free_symbols & open_ and not vanishes(e):
            raise Short(3, f"{what} differs.")
    left = [
        (what, c) for what, e in wanted if e.free_symbols & open_ for c in coefficients(e, states)
    ]
    found: dict[sympy.Symbol, Symbolic] = {}
    while left:
        left = [(what, sympy.numer(sympy.cancel(sympy.together(e)))) for what, e in left]
        left = [(what, e) for what, e in left if e != 0]
        for what, e in left:
            if not e.free_symbols & open_:
                if not vanishes(e):
                    raise Short(4 + len(found), f"{what} differs.")
        left = [(what, e) for what, e in left if e.free_symbols & open_]
        if not left:
            break
        symbol_, answer = _next(left, open_, own, unknown, scale, 4 + len(found))
        found = {s: e.subs(symbol_, answer) for s, e in found.items()} | {symbol_: answer}
        left = [(what, e.subs(symbol_, answer)) for what, e in left]
    return found


def _next(
    left: list[tuple[str, Symbolic]],
    open_: set,
    own: OwnCell,
    unknown: Mapping[str, sympy.Symbol],
    scale: Mapping[str, Symbolic],
    reached: int,
) -> tuple[sympy.Symbol, Symbolic]:
    """Return the next unknown and its value: from an equation that has no other, or by choice."""
    for what, e in sorted(left, key=lambda pair: len(pair[1].free_symbols & open_)):
        (one, *others) = sorted(e.free_symbols & open_, key=lambda s: s.name)
        if not others:
            answers = sympy.solve(e, one)
            if len(answers) != 1 or answers[0] == 0 and one in scale.values():
                raise Short(reached, f"{what} differs.")
            return one, answers[0]
    free = set.union(*(e.free_symbols & open_ for _, e in left))
    for s in scale.values():
        if s in free:
            return s, sympy.Integer(1)
    for name in _OWN:
        if unknown.get(name) in free:
            answer = _own_name(left, unknown[name], name, own)
            if answer is not None:
                return unknown[name], answer
    for name in _OTHERWISE:
        if unknown.get(name) in free:
            return unknown[name], sympy.Integer(1 if name in ("cm", "g_leak") else 0)
    raise Short(reached, f"{left[0][0]} leaves {', '.join(sorted(str(s)[1:] for s in free))} open.")


def _own_name(
    left: list[tuple[str, Symbolic]], unknown: sympy.Symbol, name: str, own: OwnCell
) -> Symbolic | None:
    """Return the parameter of the cell that means the same: with it in place, the equation reads it no more."""
    wanted = {"v_rest": "mV", "e_rev_leak": "mV", "i_offset": "nA", "g_leak": "uS"}[name]
    for _, candidate, exponents in own.candidates:
        if candidate.is_Symbol and exponents in (unit(wanted).exponents, NUMBER):
            rest = [
                sympy.numer(sympy.cancel(sympy.together(e.subs(unknown, candidate))))
                for _, e in left
                if unknown in e.free_symbols
            ]
            rest = [sympy.factor_list(e)[1] for e in rest]
            if all(
                any(candidate not in factor.free_symbols for factor, _ in factors)
                and all(
                    candidate not in f.free_symbols
                    or not any(s.name.startswith("~") for s in f.free_symbols)
                    for f, _ in factors
                )
                for factors in rest
            ):
                return candidate
    return None

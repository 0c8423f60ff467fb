"""Equations as sympy expressions: how to decide whether two of them are equal for all values.

This file is the one door to sympy. Nothing here prints code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np
import sympy

from neurosim.expr.tree import (
    Assign,
    Binary,
    Call,
    Draw,
    Expr,
    Lookup,
    Name,
    Number,
    Unary,
    whole_power,
)

Symbolic = sympy.Expr
Point = Mapping[sympy.Symbol, Symbolic]
ZERO = sympy.Integer(0)
ONE = sympy.Integer(1)
_FUNCTIONS = {
    "exp": sympy.exp,
    "log": sympy.log,
    "pow": sympy.Pow,
    "sqrt": sympy.sqrt,
    "cos": sympy.cos,
    "sin": sympy.sin,
    "tanh": sympy.tanh,
    "abs": sympy.Abs,
    "min": sympy.Min,
    "max": sympy.Max,
    "floor": sympy.floor,
    "ceil": sympy.ceiling,
    "sign": sympy.sign,
    "arctan": sympy.atan,
    "log10": lambda x: sympy.log(x, 10),
    "exprel": lambda x: sympy.Piecewise((ONE, sympy.Eq(x, 0)), ((sympy.exp(x) - 1) / x, True)),
}
_POINTS = 3  # random points at which an expression is evaluated
_DIGITS = 30  # of each evaluation, so that 20 remain after cancellation
_EXACT_ZERO = 1e-18  # a larger sum, relative to its terms, is not zero
_ROUGH_ZERO = 1e-6  # the same, evaluated in double precision


class Unmatched(Exception):
    """Two things are not equal up to renaming; the message is a sentence for a report."""


# ---- from the language to sympy


def symbol(name: str) -> sympy.Symbol:
    """Return the symbol of a name of the user's cell."""
    return sympy.Symbol(name, real=True)


def symbolic(tree: Expr, known: Mapping[str, Symbolic] | None = None) -> Symbolic:
    """Return an expression of the language in exact arithmetic.

    Parameters
    ----------
    tree : Expr
    known : mapping of str to Symbolic or None
        Name -> expression that replaces it; all other names become symbols.

    Raises
    ------
    Unmatched
        If it compares or chooses, which no equation of a standard cell does.
    """
    replacements = known or {}
    match tree:
        case Number(value=number):
            return _exact(number)
        case Name(name=name) | Lookup(table=name):
            return replacements.get(name, symbol(name))
        case Unary(op="-", operand=operand):
            return -symbolic(operand, replacements)
        case Binary():
            return _symbolic_binary(tree, replacements)
        case Call(function=function, arguments=arguments):
            operands = [symbolic(argument, replacements) for argument in arguments]
            if function == "clip":
                x, low, high = operands
                return sympy.Min(sympy.Max(x, low), high)
            if function in _FUNCTIONS:
                return _FUNCTIONS[function](*operands)
        case Draw(kind=distribution, key=key):
            return symbol(f"{distribution}@{key}")
    raise Unmatched("it compares or chooses, which no equation of a standard cell does.")


def _exact(number: float) -> Symbolic:
    # The decimals that the user wrote, not the binary fraction next to them: 0.1 is 1/10, so that
    # equal equations cancel to 0.
    if number == int(number):
        return sympy.Integer(int(number))
    return sympy.Rational(repr(number))


def _symbolic_binary(tree: Binary, known: Mapping[str, Symbolic]) -> Symbolic:
    left = symbolic(tree.left, known)
    match tree.op:
        case "**":
            # A whole power stays a plain number: an expression with it remains a polynomial.
            power = whole_power(tree)
            return left ** (symbolic(tree.right, known) if power is None else power)
        case "+":
            return left + symbolic(tree.right, known)
        case "-":
            return left - symbolic(tree.right, known)
        case "*":
            return left * symbolic(tree.right, known)
        case "/":
            return left / symbolic(tree.right, known)
    raise Unmatched("it compares or chooses, which no equation of a standard cell does.")


def after(
    statements: Iterable[Assign], known: Mapping[str, Symbolic] | None = None
) -> dict[str, Symbolic]:
    """Return the values of all assigned names after statements were executed one by one.

    Parameters
    ----------
    statements : iterable of Assign
        Assignments, in order.
    known : mapping of str to Symbolic or None
        Name -> expression that replaces it.

    Returns
    -------
    dict
        assigned name -> expression over the values before the first statement
    """
    results: dict[str, Symbolic] = {}
    for statement in statements:
        results[statement.target] = symbolic(statement.result, {**(known or {}), **results})
    return results


# ---- sympy with narrow types: its own annotations say `Basic` where these are expressions


def free_symbols(expression: Symbolic) -> set[sympy.Symbol]:
    """Return the symbols of an expression."""
    return cast("set[sympy.Symbol]", expression.free_symbols)


def free_names(expression: Symbolic) -> set[str]:
    """Return the names of the symbols of an expression."""
    return {s.name for s in free_symbols(expression)}


def substitute(expression: Symbolic, values: Mapping[Any, Any]) -> Symbolic:
    """Return an expression with symbols or parts replaced; nothing is replaced twice."""
    return cast("Symbolic", expression.subs(cast("Any", values)))


def simplify(expression: Symbolic) -> Symbolic:
    """Return a shorter form of an expression."""
    return cast("Symbolic", sympy.simplify(expression))


def numerator(expression: Symbolic) -> Symbolic:
    """Return the numerator of an expression over one common denominator."""
    return cast("Symbolic", sympy.numer(sympy.cancel(sympy.together(expression))))


# ---- questions


def vanishes(expression: Symbolic) -> bool:
    """Return whether an expression is zero for all values of its symbols.

    It is evaluated at random points to 20 digits.
    """
    expression = sympy.sympify(expression)
    if expression.is_number and not expression.has(sympy.Function):
        return bool(expression == 0) or abs(expression.evalf(_DIGITS)) < _EXACT_ZERO
    # A seed of its own: two checks of a network give the same report.
    stream = np.random.default_rng(1)
    symbols = sorted(free_symbols(expression), key=lambda s: s.name)
    terms = cast("Sequence[Symbolic]", sympy.Add.make_args(expression))
    points: list[Point] = [
        {s: sympy.Rational(int(stream.integers(1, 10**6)), 99991) for s in symbols}
        for _ in range(_POINTS)
    ]
    # Double precision is much faster, and settles nearly all expressions that are not zero.
    if _clearly_not_zero(terms, symbols, points[0]):
        return False
    return all(_sum_is_zero(terms, point) for point in points)


def _clearly_not_zero(
    terms: Sequence[Symbolic],
    symbols: list[sympy.Symbol],
    point: Point,
) -> bool:
    try:
        evaluate = sympy.lambdify(symbols, terms, modules="math")
        values = evaluate(*(float(point[s]) for s in symbols))
        return abs(sum(values)) > _ROUGH_ZERO * sum(map(abs, values))
    except (ArithmeticError, TypeError, ValueError):
        return False  # undecided here; the exact evaluation decides


def _sum_is_zero(terms: Sequence[Symbolic], point: Point) -> bool:
    values = [substitute(term, point).evalf(_DIGITS) for term in terms]
    if not all(v.is_number for v in values):
        return False
    return not abs(sum(values)) > _EXACT_ZERO * (1 + sum(map(abs, values)))


def coefficients(expression: Symbolic, states: Iterable[sympy.Symbol]) -> list[Symbolic]:
    """Return the coefficients of an expression as a polynomial in its states.

    A function of states counts as one more state. Two expressions are equal for all values of the
    states exactly if all coefficients of their difference are zero.

    Parameters
    ----------
    expression : Symbolic
        Polynomial in the states and in functions of them.
    states : iterable of Symbol
    """
    state_symbols = set(states)
    expanded = sympy.expand(expression)
    functions = {
        part
        for part in expanded.atoms(sympy.Function, sympy.Pow)
        if part.free_symbols & state_symbols and not _is_whole_power(part)
    }
    outermost = [
        part
        for part in functions
        if not any(part in other.atoms(sympy.Function, sympy.Pow) for other in functions - {part})
    ]
    # Sorted, since sets have no order and the report names the first difference.
    stand_ins = {part: sympy.Dummy() for part in sorted(outermost, key=sympy.default_sort_key)}
    expanded = sympy.expand(substitute(expanded, stand_ins))
    present = sorted(state_symbols & free_symbols(expanded), key=lambda s: s.name)
    unknowns = [*present, *stand_ins.values()]
    if not unknowns:
        return [expanded]
    return list(sympy.Poly(expanded, *unknowns).coeffs())


def _is_whole_power(expression: sympy.Basic) -> bool:
    if not isinstance(expression, sympy.Pow):
        return False
    return bool(expression.exp.is_Integer and expression.exp > 0)


def value(expression: Symbolic, values: Mapping[str, Any]) -> Any:
    """Return the value of an expression: a number, or an array if one of its values is an array.

    Parameters
    ----------
    expression : Symbolic
        Over names of ``values``.
    values : mapping of str to object
        Name -> number or array.
    """
    symbols = sorted(free_symbols(expression), key=lambda s: s.name)
    evaluate = sympy.lambdify(symbols, expression, modules="numpy")
    result = evaluate(*(np.asarray(values[s.name], np.float64) for s in symbols))
    array = np.asarray(result, np.float64)
    return float(array) if array.ndim == 0 else array


def show(expression: Symbolic) -> str:
    """Return an expression as a person would write it."""
    decimals = {
        number: sympy.Float(number, 12)
        for number in expression.atoms(sympy.Rational)
        if not number.is_Integer
    }
    return sympy.sstr(expression.xreplace(decimals), full_prec=False)

"""Equations as sympy expressions, to decide whether two cells are equal up to renaming; nothing here prints code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Any

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
}
_POINTS = 3  # random places at which two expressions are compared, to 20 digits


class Unmatched(Exception):
    """Why two things are not equal up to renaming: a sentence for a report."""


def symbol(name: str) -> sympy.Symbol:
    """Return the symbol of a name of the user's cell."""
    return sympy.Symbol(name, real=True)


def symbolic(tree: Expr, known: Mapping[str, Symbolic] | None = None) -> Symbolic:
    """Return an expression of the language in exact arithmetic; names that are not ``known`` become symbols.

    Raises
    ------
    Unmatched
        Where it compares, chooses or draws, which no equation of a standard cell does.
    """
    known = known or {}

    def go(node: Expr) -> Symbolic:
        match node:
            case Number(value=value):
                return (
                    sympy.Rational(repr(value))
                    if value != int(value)
                    else sympy.Integer(int(value))
                )
            case Name(name=name) | Lookup(table=name):
                return known.get(name, symbol(name))
            case Unary(op="-", operand=operand):
                return -go(operand)
            case Binary(op="**", left=left, right=right):
                power = whole_power(node)
                return go(left) ** (go(right) if power is None else power)
            case Binary(op="+" | "-" | "*" | "/" as op, left=left, right=right):
                a, b = go(left), go(right)
                return {"+": a + b, "-": a - b, "*": a * b}[op] if op != "/" else a / b
            case Call(function="clip", arguments=(x, low, high)):
                return sympy.Min(sympy.Max(go(x), go(low)), go(high))
            case Call(function=function, arguments=arguments) if function in _FUNCTIONS:
                return _FUNCTIONS[function](*(go(a) for a in arguments))
            case Draw(kind=kind, key=key):
                return symbol(f"{kind}@{key}")
        raise Unmatched("it compares or chooses, which no equation of a standard cell does.")

    return go(tree)


def after(
    statements: Iterable[Assign], known: Mapping[str, Symbolic] | None = None
) -> dict[str, Symbolic]:
    """Return what statements, one after the other, make of the names that they assign, over the values before."""
    found: dict[str, Symbolic] = {}
    for statement in statements:
        found[statement.target] = symbolic(statement.result, {**(known or {}), **found})
    return found


def vanishes(expression: Symbolic) -> bool:
    """Whether an expression is zero for all values of its symbols, judged at random points to 20 digits."""
    expression = sympy.sympify(expression)
    if expression.is_number and not expression.has(sympy.Function):
        return bool(expression == 0) or abs(expression.evalf(30)) < 1e-18
    stream = np.random.default_rng(1)
    names = sorted(expression.free_symbols, key=lambda s: s.name)
    terms = sympy.Add.make_args(expression)
    places = [
        {s: sympy.Rational(int(stream.integers(1, 10**6)), 99991) for s in names}
        for _ in range(_POINTS)
    ]
    try:  # in floating point first, which settles nearly all that do not vanish
        rough = sympy.lambdify(names, terms, modules="math")(*(float(places[0][s]) for s in names))
        if abs(sum(rough)) > 1e-6 * sum(map(abs, rough)):
            return False
    except (ArithmeticError, TypeError, ValueError):
        pass
    for place in places:
        values = [term.subs(place).evalf(30) for term in terms]
        if not all(v.is_number for v in values) or abs(sum(values)) > 1e-18 * (
            1 + sum(map(abs, values))
        ):
            return False
    return True


def coefficients(expression: Symbolic, states: Iterable[sympy.Symbol]) -> list[Symbolic]:
    """Return the coefficients of an expression in its states, and in functions of states, each of which counts as one more.

    Two such expressions are equal for all values of the states exactly if these coefficients of their difference vanish.
    """
    found = set(states)
    expanded = sympy.expand(expression)
    atoms = {
        a
        for a in expanded.atoms(sympy.Function, sympy.Pow)
        if a.free_symbols & found and not _whole(a)
    }
    outer = [
        a for a in atoms if not any(a in b.atoms(sympy.Function, sympy.Pow) for b in atoms - {a})
    ]
    stand_in = {a: sympy.Dummy() for a in sorted(outer, key=sympy.default_sort_key)}
    expanded = sympy.expand(expanded.subs(stand_in))
    places = [*sorted(found & expanded.free_symbols, key=lambda s: s.name), *stand_in.values()]
    if not places:
        return [expanded]
    return list(sympy.Poly(expanded, *places).coeffs())


def _whole(power: Symbolic) -> bool:
    return isinstance(power, sympy.Pow) and power.exp.is_Integer and bool(power.exp > 0)


def value(expression: Symbolic, values: Mapping[str, Any]) -> Any:
    """Return the value of an expression: a number, or an array where one of its values is one."""
    names = sorted(expression.free_symbols, key=lambda s: s.name)
    found = sympy.lambdify(names, expression, modules="numpy")(
        *(np.asarray(values[s.name], np.float64) for s in names)
    )
    array = np.asarray(found, np.float64)
    return float(array) if array.ndim == 0 else array


def show(expression: Symbolic) -> str:
    """Return an expression as a person would write it."""
    return sympy.sstr(
        expression.xreplace(
            {n: sympy.Float(n, 12) for n in expression.atoms(sympy.Rational) if not n.is_Integer}
        ),
        full_prec=False,
    )


def product(factors: Iterable[Symbolic]) -> Symbolic:
    """Return the product of expressions."""
    return reduce(lambda a, b: a * b, factors, sympy.Integer(1))

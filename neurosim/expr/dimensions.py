"""Units of expressions: every sum, comparison and function argument is checked before anything runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fractions import Fraction

import numpy as np

from ..errors import ModelError, describe_unknown
from ..units import NUMBER, RATE, TABLE, TIME, Exponents, multiply, of
from .evaluate import evaluate
from .printing import show
from .tree import (
    ARITHMETIC,
    Binary,
    Call,
    Draw,
    Expr,
    Lookup,
    Name,
    Number,
    Unary,
    children,
    draws,
    names,
    rewrite,
)

WORDS: dict[str, Exponents] = {"t": TIME, "dt": TIME, "i": NUMBER, "N": NUMBER}
_SAME = {"abs", "min", "max", "clip"}


def resolve_units(
    tree: Expr,
    known: Mapping[str, object],
    *,
    place: str,
    tables: Collection[str] = (),
    noise: bool = False,
) -> Expr:
    """Turn the names of units into numbers; any other unknown name is an error.

    Names of the user come first: a gate variable ``h`` is not an hour.

    Parameters
    ----------
    known : name -> anything
        The words that have a meaning here included.
    tables : names
        What may be read as ``name(t)``.
    noise : bool
        Whether ``xi`` has a meaning here.

    Raises
    ------
    ModelError
        Unknown names; a part without names that is not finite, such as ``1/0``; ``xi`` outside an equation of change.
    """

    def resolve(node: Expr) -> Expr:
        if isinstance(node, Lookup) and node.table not in tables:
            raise ModelError(
                f"{place}: {describe_unknown('table', node.table, tables)} Read it without (t), or make it a parameter of a cell."
            )
        if isinstance(node, Draw) and node.kind == "xi" and not noise:
            raise ModelError(
                f"{place}: {show(tree)!r}: xi is noise in continuous time, expected only in an equation 'dx/dt = ...'. Write normal()."
            )
        if not isinstance(node, Name) or node.name in known:
            return node
        if node.name in TABLE:
            return Number(TABLE[node.name][0], node.name)
        raise ModelError(f"{place}: {describe_unknown('name', node.name, known)}")

    resolved = rewrite(tree, resolve)
    _check_finite(resolved, place)
    return resolved


def _check_finite(tree: Expr, place: str) -> None:
    if names(tree) or draws(tree):
        for child in children(tree):
            _check_finite(child, place)
    elif not np.isfinite(evaluate(tree, lambda name: None)):
        raise ModelError(f"{place}: {show(tree)!r} is not finite, expected a number. Correct it.")


def dimension(tree: Expr, symbols: Mapping[str, Exponents], *, place: str) -> Exponents | None:
    """Return the exponents of an expression; None for a literal zero, which suits any unit.

    Raises
    ------
    ModelError
        Where unlike things are added, compared, or given to a function.
    """

    def go(node: Expr) -> Exponents | None:
        match node:
            case Number(value=value, unit=unit):
                return TABLE[unit][1] if unit else None if value == 0.0 else NUMBER
            case Name(name=name) | Lookup(table=name):
                return symbols[name] if name in symbols else WORDS[name]
            case Draw(kind=kind):
                return multiply(NUMBER, RATE, Fraction(1, 2)) if kind == "xi" else NUMBER
            case Unary(op="-", operand=operand):
                return go(operand)
            case Unary(operand=operand):
                return plain(node, operand)
            case Call():
                return call(node)
            case Binary(op="**"):
                return power(node)
            case Binary(op="*" | "/" as op, left=left, right=right):
                a, b = go(left), go(right)
                return None if a is None else multiply(a, b or NUMBER, 1 if op == "*" else -1)
            case Binary(op="and" | "or", left=left, right=right):
                return plain(node, left, right)
            case Binary(op=op, left=left, right=right):
                common = same(node, left, right)
                return common if op in ARITHMETIC else NUMBER
        raise TypeError(node)

    def same(node: Expr, *operands: Expr) -> Exponents | None:
        found, first = None, None
        for operand in operands:
            this = go(operand)
            if this is None:
                continue
            if found is not None and this != found:
                raise ModelError(
                    f"{place}: {show(node)!r}: {show(first)!r} is {of(found)} but {show(operand)!r} is {of(this)}. "
                    "Both must have one unit: multiply or divide one of them."
                )
            found, first = this, operand
        return found

    def plain(node: Expr, *operands: Expr) -> Exponents:
        for operand in operands:
            this = go(operand)
            if this not in (None, NUMBER):
                raise ModelError(
                    f"{place}: {show(node)!r}: {show(operand)!r} is {of(this)}, but a plain number is expected. Divide it by its unit."
                )
        return NUMBER

    def power(node: Binary) -> Exponents:
        plain(node, node.right)
        base, exponent = go(node.left), node.right
        sign = 1
        if isinstance(exponent, Unary) and exponent.op == "-":
            exponent, sign = exponent.operand, -1
        if base in (None, NUMBER):
            return NUMBER
        if not isinstance(exponent, Number) or abs(exponent.value) > 64:
            raise ModelError(
                f"{place}: {show(node)!r}: {show(node.left)!r} is {of(base)}; a quantity with a unit takes only a literal exponent up to 64. "
                "Divide it by its unit."
            )
        return multiply(NUMBER, base, Fraction(sign * exponent.value).limit_denominator(64))

    def call(node: Call) -> Exponents | None:
        if node.function in _SAME:
            return same(node, *node.arguments)
        if node.function == "where":
            plain(node, node.arguments[0])
            return same(node, *node.arguments[1:])
        if node.function == "sqrt":
            inner = go(node.arguments[0])
            return None if inner is None else multiply(NUMBER, inner, Fraction(1, 2))
        return plain(node, *node.arguments)

    return go(tree)


def expect(
    tree: Expr, symbols: Mapping[str, Exponents], expected: Exponents, *, place: str
) -> None:
    """Check that an expression has the expected dimension."""
    found = dimension(tree, symbols, place=place)
    if found is not None and found != expected:
        raise ModelError(
            f"{place}: {show(tree)!r} is {of(found)}, but {of(expected)} is expected. Multiply or divide it by what is missing."
        )

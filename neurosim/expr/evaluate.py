"""The value of a tree over NumPy arrays: the meaning of the language."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from .functions import FUNCTIONS
from .tree import (
    ARITHMETIC,
    FUNCTION_OF,
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

Values = Callable[[str], Any]
"""Returns the value of a name."""

Draws = Callable[[Draw], Any]
"""Returns the random numbers of a draw."""

Prepared = Callable[[Values, Draws | None], Any]
"""Returns the value of a tree."""

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    # Python's own division raises at zero; in compiled code it gives inf or NaN.
    "/": np.divide,
    **{operation: FUNCTIONS[function] for operation, function in FUNCTION_OF.items()},
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    # No short circuit: compiled engines evaluate both sides as well, on whole vectors.
    "and": lambda a, b: (np.asarray(a) != 0) & (np.asarray(b) != 0),
    "or": lambda a, b: (np.asarray(a) != 0) | (np.asarray(b) != 0),
}


def evaluate(tree: Expr, value: Values, draw: Draws | None = None) -> Any:
    """Return the value of an expression.

    Parameters
    ----------
    tree : Expr
    value : name -> array or number
        For the name of a table, the row in force.
    draw : Draw -> array, optional
        Random numbers of this step.

    Notes
    -----
    A comparison is 1.0 or 0.0, and so are ``and``, ``or``, ``not``; anything but zero is true.
    """
    with ignoring_overflow():
        return prepare(tree)(value, draw)


def ignoring_overflow() -> np.errstate:
    """Return the context in which prepared trees are evaluated."""
    # Overflow is a value here; the run checks its states for finite numbers later.
    return np.errstate(all="ignore")


def prepare(tree: Expr) -> Prepared:
    """Return the function that `evaluate` calls: of a tree that is evaluated again and again.

    It is one function per node, each of which knows its operator and operands. They need
    `ignoring_overflow`, which takes as long as the rest for a small tree.
    """
    match tree:
        case Name(name=name) | Lookup(table=name):
            return lambda value, draw: value(name)
        case Number(value=number):
            constant = np.float64(number)
            return lambda value, draw: constant
        case Binary(op="**"):
            return _power(tree)
        case Binary():
            return _binary(tree)
        case Call(function=function, arguments=arguments):
            call = FUNCTIONS[function]
            operands = [prepare(argument) for argument in arguments]
            return lambda value, draw: call(*[operand(value, draw) for operand in operands])
        case Unary():
            return _unary(tree)
        case Draw():
            return _draw(tree)


def _binary(node: Binary) -> Prepared:
    operate = _OPERATORS[node.op]
    left = prepare(node.left)
    right = prepare(node.right)
    if node.op in ARITHMETIC:
        return lambda value, draw: operate(left(value, draw), right(value, draw))
    return lambda value, draw: np.asarray(
        operate(left(value, draw), right(value, draw)), np.float64
    )


def _unary(node: Unary) -> Prepared:
    operand = prepare(node.operand)
    if node.op == "-":
        return lambda value, draw: -operand(value, draw)
    return lambda value, draw: np.asarray(np.asarray(operand(value, draw)) == 0, np.float64)


def _draw(node: Draw) -> Prepared:
    def read(value: Values, draw: Draws | None) -> Any:
        if draw is None:
            raise TypeError(f"no random numbers for {node}")
        return draw(node)

    return read


def _power(node: Binary) -> Prepared:
    power = whole_power(node)
    base = prepare(node.left)
    if power is None:
        exponent = prepare(node.right)
        return lambda value, draw: FUNCTIONS["pow"](base(value, draw), exponent(value, draw))
    whole = power

    def multiply(value: Values, draw: Draws | None) -> Any:
        factor = base(value, draw)
        if whole == 0:
            return np.float64(1.0)
        # Multiplied from the left, as printers write it: engines must agree to the last bit.
        product = factor
        for _ in range(abs(whole) - 1):
            product = product * factor
        return product if whole > 0 else np.float64(1.0) / product

    return multiply

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


def evaluate(
    tree: Expr, value: Callable[[str], Any], draw: Callable[[Draw], Any] | None = None
) -> Any:
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
    # Overflow is a value here; the run checks its states for finite numbers later.
    with np.errstate(all="ignore"):
        return _walk(tree, value, draw)


def _walk(node: Expr, value: Callable[[str], Any], draw: Callable[[Draw], Any] | None) -> Any:
    # The commonest first: a loop evaluates the constants of a cell after every step.
    match node:
        case Name(name=name) | Lookup(table=name):
            return value(name)
        case Binary(op=op, left=left, right=right):
            if op == "**":
                return _power(node, value, draw)
            result = _OPERATORS[op](_walk(left, value, draw), _walk(right, value, draw))
            return result if op in ARITHMETIC else np.asarray(result, np.float64)
        case Number(value=number):
            return np.float64(number)
        case Call(function=function, arguments=arguments):
            return FUNCTIONS[function](*[_walk(a, value, draw) for a in arguments])
        case Unary(op="-", operand=operand):
            return -_walk(operand, value, draw)
        case Unary(operand=operand):
            return np.asarray(np.asarray(_walk(operand, value, draw)) == 0, np.float64)
        case Draw():
            if draw is None:
                raise TypeError(f"no random numbers for {node}")
            return draw(node)


def _power(node: Binary, value: Callable[[str], Any], draw: Callable[[Draw], Any] | None) -> Any:
    power = whole_power(node)
    base = _walk(node.left, value, draw)
    if power is None:
        return FUNCTIONS["pow"](base, _walk(node.right, value, draw))
    if power == 0:
        return np.float64(1.0)
    # Multiplied from the left, as printers write it: engines must agree to the last bit.
    product = base
    for _ in range(abs(power) - 1):
        product = product * base
    return product if power > 0 else np.float64(1.0) / product

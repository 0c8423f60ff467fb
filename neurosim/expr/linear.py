"""The affine split of an expression: coefficients of some names, and the rest."""

from __future__ import annotations

from collections.abc import Callable

from .tree import Binary, Expr, Name, Number, Unary, names

ZERO = Number(0.0)
ONE = Number(1.0)
Split = tuple[dict[str, Expr], Expr]


def affine(tree: Expr, variables: set[str]) -> Split | None:
    """Split a tree into (coefficients, rest); None: it is not affine in the variables.

    The tree equals ``sum(coefficient * variable) + rest``; neither coefficients nor rest read a
    variable.
    """
    if not names(tree) & variables:
        return {}, tree
    match tree:
        case Name(name=name):
            return {name: ONE}, ZERO
        case Unary(op="-", operand=operand):
            return _map(affine(operand, variables), lambda part: Unary("-", part))
        case Binary(op="+" | "-" as op, left=left, right=right):
            return _sum(op, affine(left, variables), affine(right, variables))
        # The factor stays on its side: the order of operations decides the last bit.
        case Binary(op="*", left=left, right=right) if not names(left) & variables:
            return _map(affine(right, variables), lambda part: Binary("*", left, part))
        case Binary(op="*" | "/" as op, left=left, right=right) if not names(right) & variables:
            return _map(affine(left, variables), lambda part: Binary(op, part, right))
    return None


def _map(split: Split | None, change: Callable[[Expr], Expr]) -> Split | None:
    """Apply a change to all coefficients and to the rest."""
    if split is None:
        return None
    coefficients, rest = split
    changed = {name: change(part) for name, part in coefficients.items()}
    # Zeros stay bare, so that `add` recognises and drops them.
    return changed, ZERO if rest == ZERO else change(rest)


def _sum(op: str, left: Split | None, right: Split | None) -> Split | None:
    if left is None or right is None:
        return None
    result = dict(left[0])
    for name, part in right[0].items():
        result[name] = add(op, result.get(name, ZERO), part)
    return result, add(op, left[1], right[1])


def add(op: str, left: Expr, right: Expr) -> Expr:
    """Return ``left op right``, leaving out zeros.

    Parameters
    ----------
    op : str
        ``+`` or ``-``.
    left, right : Expr
    """
    # A printed `+ 0 * x` would cost time in every step, and turn an infinite x into NaN.
    if right == ZERO:
        return left
    if left == ZERO:
        return right if op == "+" else Unary("-", right)
    return Binary(op, left, right)

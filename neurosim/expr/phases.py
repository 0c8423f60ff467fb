"""Numbers of steps and phases of time that are right in every step.

``t`` is the product of the number of a step and dt, rounded: ``floor(t / dt)`` misses one step in
twenty at 0.1 ms. Trees that engines get count whole steps instead.
"""

from __future__ import annotations

from collections.abc import Collection

from .tree import Binary, Call, Expr, Name, Number, rewrite

_T = Name("t")
_DT = Name("dt")
_NEAR = 1e-6  # steps by which a period may differ from a whole number of them


def count_steps(tree: Expr, own: Collection[str]) -> Expr:
    """Return an expression whose ``step``, and phases of ``t``, are counted in whole steps.

    ``t % period``, ``t // period`` and ``floor(t / period)`` are exact if the period is a multiple
    of dt, and computed as written otherwise.

    Parameters
    ----------
    tree : Expr
        With definitions written out.
    own : names
        Those of the cell or rule: ``step`` may be one of them.
    """

    def change(node: Expr) -> Expr:
        match node:
            case Name("step") if "step" not in own:
                return _whole(_T)
            case Binary("%" | "//", left, period) if left == _T:
                return _phase(node, node.op, period)
            case Call("floor", (Binary("/", left, period),)) if left == _T:
                return _phase(node, "//", period)
        return node

    return rewrite(tree, change)


def _phase(written: Expr, op: str, period: Expr) -> Expr:
    """Return a phase (%) or the number of periods (//), in whole steps if these are whole."""
    steps = Binary("/", period, _DT)
    distance = Call("abs", (Binary("-", steps, _whole(period)),))
    counted: Expr = Binary(op, _whole(_T), _whole(period))
    if op == "%":
        # Divided by the steps of a unit of time, 10 at 0.1 ms: the nearest number to the decimal
        # one, which a product with dt may miss.
        counted = Binary("/", counted, Binary("/", Number(1.0), _DT))
    return Call("where", (Binary("<", distance, Number(_NEAR)), counted, written))


def _whole(time: Expr) -> Expr:
    """Return a time in steps, rounded to whole ones."""
    return Call("round", (Binary("/", time, _DT),))

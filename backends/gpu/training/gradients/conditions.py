"""From the spike condition of a cell to the distance from its threshold, the surrogate's input."""

from __future__ import annotations

from neurosim.errors import ModelError
from neurosim.expr.printing import show
from neurosim.expr.tree import Binary, Call, Expr, Name, Unary
from neurosim.ir.program import HELD

_NOT_HELD = Unary("not", Name(HELD))


def distance(condition: Expr, *, where: str) -> Expr:
    """Return the expression that is positive where a spike condition holds, and negative elsewhere.

    Of a comparison it is the difference of both sides; of ``and`` the smaller, of ``or`` the larger
    of both distances; ``not`` changes the sign.

    Parameters
    ----------
    condition : Expr
    where : str
        Begins the message.

    Raises
    ------
    ModelError
        If a part of the condition has no distance: ``==``, ``!=``, or a bare value.
    """
    match condition:
        case Binary(op="and", left=left, right=right) if right == _NOT_HELD:
            # Held neurons are masked, as refractory ones are.
            return distance(left, where=where)
        case Binary(op=">" | ">=", left=left, right=right):
            return Binary("-", left, right)
        case Binary(op="<" | "<=", left=left, right=right):
            return Binary("-", right, left)
        case Binary(op="and" | "or" as op, left=left, right=right):
            sides = distance(left, where=where), distance(right, where=where)
            return Call("min" if op == "and" else "max", sides)
        case Unary(op="not", operand=operand):
            return Unary("-", distance(operand, where=where))
    raise ModelError(
        f"{where}, spike: found {show(condition)!r}, expected comparisons by < <= > >=, joined by "
        "'and', 'or', 'not': a surrogate needs a distance from a threshold. Write the condition "
        "so, or take the population out of the path that is trained."
    )


def is_held(condition: Expr) -> bool:
    """Return whether a condition of the beginning of the step can forbid the spike."""
    return isinstance(condition, Binary) and condition.right == _NOT_HELD

"""Expressions become text again, for people and for engines, in the order of operations as written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .tree import Assign, Binary, Call, Draw, Expr, Lookup, Name, Number, Unary, whole_power

PRECEDENCE = {
    "or": 1,
    "and": 2,
    "not": 3,
    "<": 4,
    "<=": 4,
    ">": 4,
    ">=": 4,
    "==": 4,
    "!=": 4,
    "+": 5,
    "-": 5,
    "*": 6,
    "/": 6,
    "neg": 7,
    "**": 8,
}


@dataclass(frozen=True)
class Target:
    """How one engine writes what is not an operator.

    ``expand_powers``: whole powers are written as products from the left, as the language defines them.
    ``condition`` and ``true``, where given, turn a comparison into a value and a value into a condition; ``logic`` is how conditions are joined.
    """

    name: Callable[[str], str]
    number: Callable[[Number], str]
    call: Callable[[str, list[str]], str]
    draw: Callable[[Draw], str]
    lookup: Callable[[str], str]
    expand_powers: bool
    condition: Callable[[str], str] | None = None
    true: Callable[[str], str] | None = None
    logic: tuple[str, str] = ("&", "|")


LANGUAGE = Target(
    name=lambda name: name,
    number=lambda number: (
        number.unit
        or (
            repr(int(number.value))
            if number.value == int(number.value) and abs(number.value) < 1e15
            else repr(number.value)
        )
    ),
    call=lambda function, arguments: f"{function}({', '.join(arguments)})",
    draw=lambda draw: "xi" if draw.kind == "xi" else f"{draw.kind}()",
    lookup=lambda table: f"{table}(t)",
    expand_powers=False,
)


def show(tree: Expr, target: Target = LANGUAGE) -> str:
    """Print an expression for ``target``, keeping the order of operations as written."""
    return _show(tree, target, 0)


def show_statement(statement: Assign) -> str:
    """Print a statement as a user would write it."""
    return f"{statement.target} {statement.op} {show(statement.value)}"


def _show(tree: Expr, target: Target, outer: int) -> str:
    match tree:
        case Number():
            text = target.number(tree)
            return f"({text})" if text.startswith("-") and outer > 5 else text
        case Name(name=name):
            return target.name(name)
        case Draw():
            return target.draw(tree)
        case Lookup(table=table):
            return target.lookup(table)
        case Call(function=function, arguments=arguments):
            return target.call(function, [show(a, target) for a in arguments])
        case Unary(op="not") | Binary(op="<" | "<=" | ">" | ">=" | "==" | "!=" | "and" | "or") if (
            target.condition
        ):
            return target.condition(_condition(tree, target))
        case Unary(op=op, operand=operand):
            level = PRECEDENCE["neg" if op == "-" else "not"]
            text = ("-" if op == "-" else "not ") + _show(operand, target, level)
            return f"({text})" if outer > level else text
        case Binary(op="**") if target.expand_powers:
            return _expanded(tree, target)
        case Binary(op=op, left=left, right=right):
            level = PRECEDENCE[op]
            # Operators associate to the left, so an equal level on the right keeps its brackets; powers the other way round;
            # comparisons cannot be chained, so they keep brackets on both sides.
            left_level = level + 1 if op == "**" or level == 4 else level
            right_level = 7 if op == "**" else level + 1
            text = f"{_show(left, target, left_level)} {op} {_show(right, target, right_level)}"
            return f"({text})" if outer > level else text
    raise TypeError(tree)


def _condition(tree: Expr, target: Target) -> str:
    match tree:
        case Unary(operand=operand):
            return f"not {target.true(show(operand, target))}"
        case Binary(op="and" | "or" as op, left=left, right=right):
            return f"{target.true(show(left, target))} {target.logic[op == 'or']} {target.true(show(right, target))}"
    return f"{_show(tree.left, target, 5)} {tree.op} {_show(tree.right, target, 5)}"


def _expanded(tree: Binary, target: Target) -> str:
    power = whole_power(tree)
    if power is None:
        return target.call("pow", [show(tree.left, target), show(tree.right, target)])
    one = target.number(Number(1.0))
    if power == 0:
        return one
    product = " * ".join([_show(tree.left, target, 7)] * abs(power))
    return f"({product})" if power > 0 else f"({one} / ({product}))"

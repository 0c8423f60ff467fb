"""Expressions become text again, for people and for engines, in the order as written."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from .tree import (
    FUNCTION_OF,
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

# As in Python, whose parser reads the texts and whose code is generated.
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
    "%": 6,
    "//": 6,
    "neg": 7,
    "**": 8,
}


@dataclass(frozen=True)
class Target:
    """How one engine writes everything but operators.

    Parameters
    ----------
    name, number, call, draw, lookup : functions that return text
    expand_powers : bool
        Whole powers are written as products from the left, as the language defines them, and
        ``%`` and ``//`` as calls.
    condition : text of a condition -> text of a value, optional
        None: a comparison is a value as it stands.
    true : text of a value -> text of a condition
    negation : str
        Stands before a condition that is negated, if conditions have a text of their own.
    logic : pair of str
        How conditions are joined by ``and`` and by ``or``.
    """

    name: Callable[[str], str]
    number: Callable[[Number], str]
    call: Callable[[str, list[str]], str]
    draw: Callable[[Draw], str]
    lookup: Callable[[str], str]
    expand_powers: bool
    condition: Callable[[str], str] | None = None
    true: Callable[[str], str] = str
    logic: tuple[str, str] = ("&", "|")
    negation: str = "not "


LANGUAGE = Target(
    name=lambda name: name,
    number=lambda number: (
        number.unit
        or (
            repr(int(number.value))
            # Whole numbers print as they were written, 2 and not 2.0; repr is the shortest text
            # that gives the same bits back.
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


def docstring(text: str) -> str:
    """Return a text as a docstring of generated code, which it cannot end.

    Parameters
    ----------
    text : str
        Whatever characters it has: names, and sentences about a network.
    """
    # Characters that are not printable too: a carriage return ends a line of Python.
    printable = "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode()
        for c in text.replace("\\", r"\\")
    )
    # Of several quotes only the last stays bare, and at the end none, since three close the text.
    return '"""' + re.sub(r'"(?="|\Z)', r"\"", printable) + '"""'


def _show(tree: Expr, target: Target, outer: int) -> str:
    """Print a tree, in brackets if the operator around it, of level ``outer``, binds tighter."""
    match tree:
        case Number():
            # Parsed literals have no sign, but computed ones may: `a - -1` needs brackets.
            text = target.number(tree)
            return f"({text})" if text.startswith("-") and outer > PRECEDENCE["+"] else text
        case Name(name=name):
            return target.name(name)
        case Draw():
            return target.draw(tree)
        case Lookup(table=table):
            return target.lookup(table)
        case Call(function=function, arguments=arguments):
            return target.call(function, [show(a, target) for a in arguments])
        case Unary():
            return _show_unary(tree, target, outer)
        case Binary():
            return _show_binary(tree, target, outer)


def _show_unary(tree: Unary, target: Target, outer: int) -> str:
    if tree.op == "not" and target.condition is not None:
        # Engines negate in their own type of conditions; the language wants 1.0 or 0.0.
        return target.condition(f"{target.negation}{target.true(show(tree.operand, target))}")
    level = PRECEDENCE["neg" if tree.op == "-" else "not"]
    text = ("-" if tree.op == "-" else "not ") + _show(tree.operand, target, level)
    return f"({text})" if outer > level else text


def _show_binary(tree: Binary, target: Target, outer: int) -> str:
    op = tree.op
    level = PRECEDENCE[op]
    if target.condition is not None and level <= PRECEDENCE["<"]:
        return target.condition(_condition(tree, target))
    if op == "**" and target.expand_powers:
        return _expand_power(tree, target)
    if op in FUNCTION_OF and target.expand_powers:
        return target.call(FUNCTION_OF[op], [show(tree.left, target), show(tree.right, target)])
    # Operators associate to the left, so an equal level on the right keeps its brackets; powers
    # the other way round; comparisons cannot be chained, so they keep brackets on both sides.
    left_level = level + 1 if op == "**" or level == PRECEDENCE["<"] else level
    right_level = PRECEDENCE["neg"] if op == "**" else level + 1
    text = f"{_show(tree.left, target, left_level)} {op} {_show(tree.right, target, right_level)}"
    return f"({text})" if outer > level else text


def _condition(tree: Binary, target: Target) -> str:
    """Print a comparison, or conditions that are joined."""
    if tree.op in ("and", "or"):
        left = target.true(show(tree.left, target))
        right = target.true(show(tree.right, target))
        return f"{left} {target.logic[tree.op == 'or']} {right}"
    level = PRECEDENCE["+"]
    return f"{_show(tree.left, target, level)} {tree.op} {_show(tree.right, target, level)}"


def _expand_power(tree: Binary, target: Target) -> str:
    power = whole_power(tree)
    if power is None:
        # Never the engine's own power operator: it would round in its own way.
        return target.call("pow", [show(tree.left, target), show(tree.right, target)])
    one = target.number(Number(1.0))
    if power == 0:
        return one
    # The base is repeated in place of a variable; compilers compute it once.
    product = " * ".join([_show(tree.left, target, PRECEDENCE["neg"])] * abs(power))
    return f"({product})" if power > 0 else f"({one} / ({product}))"

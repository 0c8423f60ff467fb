"""Text of equations and statements becomes trees, at the user's line; nothing is ever evaluated as Python."""

from __future__ import annotations

import ast
import keyword
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import count
from typing import Any

from ..errors import ModelError, describe, describe_unknown
from .tree import ARITHMETIC, DEEPEST, Assign, Binary, Call, Draw, Expr, Lookup, Name, Number, Unary

ARITY = {
    "exp": 1,
    "log": 1,
    "pow": 2,
    "sqrt": 1,
    "cos": 1,
    "sin": 1,
    "tanh": 1,
    "floor": 1,
    "abs": 1,
    "min": 2,
    "max": 2,
    "clip": 3,
    "where": 3,
}
WORDS = ("t", "dt", "i", "N", "xi", "out", "pi")
_OPERATORS = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.And: "and",
    ast.Or: "or",
}
_PI = 3.141592653589793
_RESERVED = {*WORDS, *ARITY, "uniform", "normal", *keyword.kwlist}


@dataclass(frozen=True)
class Equation:
    """One line: ``dx/dt = tree : unit`` (derivative), ``x = tree : unit`` (definition) or ``x : unit`` (tree is None)."""

    name: str
    derivative: bool
    tree: Expr | None
    unit: str


class Parser:
    """Parses the texts of one cell or rule; random draws are numbered in order of appearance.

    Parameters
    ----------
    owner : str
        What the texts belong to, for messages: ``cell 'lif'``.
    first_draw : int
        Number of the first random draw.
    """

    def __init__(self, owner: str, *, first_draw: int = 0) -> None:
        self.owner = owner
        self._draws: Iterator[int] = count(first_draw)

    def expression(self, text: str, *, place: str) -> Expr:
        """Parse one expression.

        Raises
        ------
        ModelError
            For anything outside the language: attributes, strings, unknown functions, Python syntax.
        """
        text = self._text(text, place).strip()
        try:
            tree = ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError) as error:
            raise ModelError(
                f"{self.owner}, {place}: {short(text)!r} cannot be read ({_reason(error)}). "
                "Write an expression such as '(rest - v) / tau'."
            ) from None
        except (RecursionError, MemoryError):  # Python's own parser gives up on deep nesting so
            raise self._too_deep(text, place) from None
        return _Conversion(self, text, place)(tree, 1)

    def statements(self, text: str, *, place: str) -> tuple[Assign, ...]:
        """Parse statements ``x = ...``, ``x += ...`` separated by ``;`` or line ends."""
        return tuple(self._statement(line, place) for line in lines(self._text(text, place)))

    def equations(self, text: str) -> tuple[Equation, ...]:
        """Parse equations, one per line or separated by ``;``."""
        return tuple(self._equation(line) for line in lines(self._text(text, "equations")))

    def _statement(self, line: str, place: str) -> Assign:
        found = re.fullmatch(r"\s*([A-Za-z_]\w*)\s*(\+|-|\*|/)?=(?!=)(.*)", line, re.DOTALL)
        if not found:
            raise ModelError(
                f"{self.owner}, {place}: {short(line)!r} is not a statement. Write 'name = expression' or 'name += expression'."
            )
        target, op, value = found.groups()
        if target in _RESERVED and target != "out":
            raise ModelError(
                f"{self.owner}, {place}: {short(line)!r} assigns to {target!r}, a word of the language. Use another name."
            )
        return Assign(target, (op or "") + "=", self.expression(value, place=place))

    def _equation(self, line: str) -> Equation:
        body, colon, unit = line.rpartition(":")
        if not colon:
            raise ModelError(
                f"{self.owner}: equation {short(line)!r} has no unit. End it with ': unit', such as ': mV', or ': 1' for a plain number."
            )
        left, equals, right = body.partition("=")
        derivative = re.fullmatch(r"\s*d([A-Za-z_]\w*)\s*/\s*dt\s*", left)
        plain = re.fullmatch(r"\s*([A-Za-z_]\w*)\s*", left)
        if not (derivative or plain) or (derivative and not equals):
            raise ModelError(
                f"{self.owner}: {short(line)!r} is not an equation. "
                "Write 'dx/dt = expression : unit', 'x = expression : unit' or 'x : unit'."
            )
        name = (derivative or plain)[1]
        self.check_name(name, "equation")
        place = f"equation of {name}"
        return Equation(
            name,
            bool(derivative),
            self.expression(right, place=place) if equals else None,
            unit.strip(),
        )

    def check_name(self, name: Any, what: str, *, read: bool = True) -> None:
        """Refuse a name that is no identifier or, where equations ``read`` it, a word of the language or of Python."""
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII):
            raise ModelError(
                f"{self.owner}: {what} {name!r} cannot have this name: expected letters without accents, digits and '_', "
                "beginning with a letter. Choose another."
            )
        if read and name in _RESERVED:
            raise ModelError(
                f"{self.owner}: {what} {name!r} cannot have this name: it is a word of the language. Choose another."
            )

    def draw(self, kind: str) -> Draw:
        """Return the next random draw."""
        return Draw(kind, next(self._draws))

    def _text(self, text: Any, place: str) -> str:
        if not isinstance(text, str):
            raise ModelError(
                f"{self.owner}, {place}: found {describe(text)}, expected text. Put it between quotes."
            )
        return text

    def _too_deep(self, text: str, place: str) -> ModelError:
        return ModelError(
            f"{self.owner}, {place}: {short(text)!r} is nested deeper than {DEEPEST} operations. Write it in several statements or states."
        )


@dataclass(frozen=True)
class _Conversion:
    """Turns the syntax tree of one expression into ours; what is not of the language is refused."""

    parser: Parser
    text: str
    place: str

    def __call__(self, node: ast.expr, depth: int) -> Expr:
        def go(child: ast.expr) -> Expr:
            return self(child, depth + 1)

        if depth > DEEPEST:
            raise self.parser._too_deep(self.text, self.place)
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return self._number(value, node)
            case ast.Name(id="xi"):
                return self.parser.draw("xi")
            case ast.Name(id="pi"):
                return Number(_PI)
            case ast.Name(id=name) if name.isascii():
                return Name(name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return Unary("-", go(operand))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return go(operand)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Unary("not", go(operand))
            case ast.BinOp(left=left, op=op, right=right) if _OPERATORS.get(type(op)) in ARITHMETIC:
                return Binary(_OPERATORS[type(op)], go(left), go(right))
            case ast.BoolOp(op=op, values=values):
                converted = [self(value, depth + len(values)) for value in values]
                return reduce(
                    lambda left, right: Binary(_OPERATORS[type(op)], left, right), converted
                )
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _OPERATORS:
                return Binary(_OPERATORS[type(op)], go(left), go(right))
            case ast.Compare(ops=[_, _, *_]):
                raise self._error(node, "chains comparisons. Join two comparisons with 'and'.")
            case ast.Call(func=ast.Name(id=function), args=arguments, keywords=[]) if not any(
                isinstance(a, ast.Starred) for a in arguments
            ):
                return self._call(function, [go(a) for a in arguments], node)
        raise self._error(
            node,
            f"is outside the language (names, numbers, + - * / **, comparisons, and/or/not and the functions {', '.join(ARITY)}). "
            "Write it with these.",
        )

    def _number(self, value: int | float, node: ast.expr) -> Number:
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self._error(
                node, "is larger than any number that can be computed with. Write a smaller one."
            )
        return Number(number)

    def _call(self, function: str, arguments: list[Expr], node: ast.expr) -> Expr:
        if function in ("uniform", "normal"):
            if arguments:
                raise self._error(
                    node,
                    f"{function}() takes no arguments in an equation; scale it, such as '2*{function}()'.",
                    colon=True,
                )
            return self.parser.draw(function)
        if function not in ARITY:
            if arguments == [Name("t")] and function not in _RESERVED:
                return Lookup(function)
            raise self._error(
                node,
                describe_unknown("function", function, [*ARITY, "uniform", "normal"]),
                colon=True,
            )
        if len(arguments) != ARITY[function]:
            raise self._error(
                node,
                f"{function} takes {ARITY[function]} argument(s), found {len(arguments)}. Give as many.",
                colon=True,
            )
        return Call(function, tuple(arguments))

    def _error(self, node: ast.expr, what: str, *, colon: bool = False) -> ModelError:
        part = ast.get_source_segment(self.text, node) or self.text
        within = f" in {short(self.text)!r}" if part != self.text else ""
        return ModelError(
            f"{self.parser.owner}, {self.place}: {short(part)!r}{within}{':' if colon else ''} {what}"
        )


def short(text: str) -> str:
    """Return a text for a message, its middle left out where it is long."""
    text = text.strip()
    return text if len(text) <= 80 else f"{text[:50]} ... {text[-20:]}"


def lines(text: str) -> list[str]:
    """Split a text at line ends and semicolons; ``#`` starts a comment; an open bracket joins lines."""
    text = re.sub(r"#[^\n]*", "", text)
    result, depth, current = [], 0, ""
    for character in text:
        depth += (character == "(") - (character == ")")
        if character in ";\n" and depth <= 0:
            result.append(current)
            current = ""
        else:
            current += " " if character == "\n" else character
    return [line for line in [*result, current] if line.strip()]


def _reason(error: Exception) -> str:
    return (error.msg if isinstance(error, SyntaxError) else str(error)) or "syntax"

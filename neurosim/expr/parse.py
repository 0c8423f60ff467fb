"""Text of equations and statements becomes trees, at the user's line; nothing is ever evaluated as Python."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from ..errors import ModelError, unknown
from .tree import ARITHMETIC, Assign, Binary, Call, Draw, Expr, Lookup, Name, Number, Unary

ARITY = {"exp": 1, "log": 1, "pow": 2, "sqrt": 1, "cos": 1, "sin": 1, "tanh": 1, "floor": 1, "abs": 1, "min": 2, "max": 2, "clip": 3, "where": 3}
WORDS = ("t", "dt", "i", "N", "xi", "out", "pi")
_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
              ast.Eq: "==", ast.NotEq: "!=", ast.And: "and", ast.Or: "or"}
_PI = 3.141592653589793


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
    """

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self._draws: Iterator[int] = count()

    def expression(self, text: str, *, place: str) -> Expr:
        """Parse one expression.

        Raises
        ------
        ModelError
            For anything outside the language: attributes, strings, unknown functions, Python syntax.
        """
        try:
            tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError) as error:
            raise ModelError(f"{self.owner}, {place}: {text.strip()!r} cannot be read ({_reason(error)}). "
                             "Write an expression such as '(rest - v) / tau'.") from None
        return self._convert(tree, text.strip(), place)

    def statements(self, text: str, *, place: str) -> tuple[Assign, ...]:
        """Parse statements ``x = ...``, ``x += ...`` separated by ``;`` or line ends."""
        return tuple(self._statement(line, place) for line in lines(text))

    def equations(self, text: str) -> tuple[Equation, ...]:
        """Parse equations, one per line or separated by ``;``."""
        return tuple(self._equation(line) for line in lines(text))

    def _statement(self, line: str, place: str) -> Assign:
        found = re.fullmatch(r"\s*([A-Za-z_]\w*)\s*(\+|-|\*|/)?=(?!=)(.*)", line, re.DOTALL)
        if not found:
            raise ModelError(f"{self.owner}, {place}: {line.strip()!r} is not a statement. Write 'name = expression' or 'name += expression'.")
        target, op, value = found.groups()
        if target in WORDS and target != "out" or target in ARITY:
            raise ModelError(f"{self.owner}, {place}: {line.strip()!r} assigns to {target!r}, a word of the language. Use another name.")
        return Assign(target, (op or "") + "=", self.expression(value, place=place))

    def _equation(self, line: str) -> Equation:
        body, colon, unit = line.rpartition(":")
        if not colon:
            raise ModelError(f"{self.owner}: equation {line.strip()!r} has no unit. End it with ': unit', such as ': mV', or ': 1' for a plain number.")
        left, equals, right = body.partition("=")
        derivative = re.fullmatch(r"\s*d([A-Za-z_]\w*)\s*/\s*dt\s*", left)
        plain = re.fullmatch(r"\s*([A-Za-z_]\w*)\s*", left)
        if not (derivative or plain) or (derivative and not equals):
            raise ModelError(f"{self.owner}: {line.strip()!r} is not an equation. "
                             "Write 'dx/dt = expression : unit', 'x = expression : unit' or 'x : unit'.")
        name = (derivative or plain)[1]
        self.check_name(name, "equation")
        place = f"equation of {name}"
        return Equation(name, bool(derivative), self.expression(right, place=place) if equals else None, unit.strip())

    def check_name(self, name: str, what: str) -> None:
        """Refuse a name that is a word of the language or no identifier."""
        if not re.fullmatch(r"[A-Za-z]\w*", name) or name in WORDS or name in ARITY or name in ("and", "or", "not"):
            raise ModelError(f"{self.owner}: {what} {name!r} cannot have this name: it is "
                             f"{'a word of the language' if name in WORDS or name in ARITY else 'no identifier that begins with a letter'}. Choose another.")

    def _convert(self, node: ast.expr, text: str, place: str) -> Expr:
        def go(child: ast.expr) -> Expr:
            return self._convert(child, text, place)

        match node:
            case ast.Constant(value=bool()):
                pass
            case ast.Constant(value=int() | float() as value):
                return Number(float(value))
            case ast.Name(id="xi"):
                return Draw("xi", next(self._draws))
            case ast.Name(id="pi"):
                return Number(_PI)
            case ast.Name(id=name):
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
                tree = go(values[0])
                for value in values[1:]:
                    tree = Binary(_OPERATORS[type(op)], tree, go(value))
                return tree
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _OPERATORS:
                return Binary(_OPERATORS[type(op)], go(left), go(right))
            case ast.Compare():
                raise ModelError(f"{self.owner}, {place}: {ast.unparse(node)!r} chains comparisons. Join two comparisons with 'and'.")
            case ast.Call(func=ast.Name(id=function), args=arguments, keywords=[]):
                return self._call(function, [go(a) for a in arguments], ast.unparse(node), place)
        raise ModelError(f"{self.owner}, {place}: {ast.unparse(node)!r} in {text!r} is outside the language "
                         "(names, numbers, + - * / **, comparisons, and/or/not and the functions "
                         f"{', '.join(ARITY)}). Write it with these.")

    def _call(self, function: str, arguments: list[Expr], text: str, place: str) -> Expr:
        if function in ("uniform", "normal"):
            if arguments:
                raise ModelError(f"{self.owner}, {place}: {text!r}: {function}() takes no arguments in an equation; scale it, such as '2*{function}()'.")
            return Draw(function, next(self._draws))
        if function not in ARITY:
            if arguments == [Name("t")]:
                return Lookup(function)
            raise ModelError(f"{self.owner}, {place}: {text!r}: {unknown('function', function, [*ARITY, 'uniform', 'normal'])}")
        if len(arguments) != ARITY[function]:
            raise ModelError(f"{self.owner}, {place}: {text!r}: {function} takes {ARITY[function]} argument(s), found {len(arguments)}.")
        return Call(function, tuple(arguments))


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

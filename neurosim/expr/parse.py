"""Texts of equations and statements become trees; nothing is ever evaluated as Python."""

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
from .tree import (
    DEEPEST,
    Assign,
    Binary,
    Call,
    Draw,
    DrawKind,
    Expr,
    Lookup,
    Name,
    Number,
    Unary,
    names,
)

# The functions for users: `functions` has three more, for methods, `%` and `//`.
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
    "exprel": 1,
    "log10": 1,
    "arctan": 1,
    "sign": 1,
    "ceil": 1,
    "round": 1,
    "int": 1,
}
# Functions of others, and ours: the answer to an unknown one.
_OF_OTHERS = {
    "rand": "uniform()",
    "random": "uniform()",
    "randn": "normal()",
    "gauss": "normal()",
    "ln": "log(x)",
    "atan": "arctan(x)",
    "fabs": "abs(x)",
    "sgn": "sign(x)",
    "trunc": "int(x)",
    "rint": "round(x)",
    "mod": "x % y",
    "fmod": "x % y",
    "power": "pow(x, y)",
    "ifelse": "where(condition, a, b)",
    "expm1": "x * exprel(x)",
    "heaviside": "(x >= 0)",
    "timestep": "round(x / dt)",
}
WORDS = ("t", "dt", "i", "N", "xi", "out", "pi")
_OPERATORS = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
    ast.Mod: "%",
    ast.FloorDiv: "//",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.And: "and",
    ast.Or: "or",
}
# Words in brackets that Brian 2 has after a unit, and what becomes of them.
_FLAGS = {
    "constant": ", and name it under parameters=",
    "shared": ", and name it under parameters=",
    "event-driven": ": decays of rules are computed when they are read",
    "clock-driven": "",
    "summed": ": 'out +=' in a 'step' handler of a rule adds to a port",
    "linked": ": a port without into= takes 'out += x_pre' of the 'step' handler of a rule",
}
# A number and a word, as in "10 ms + v", which Python cannot parse.
_QUANTITY = re.compile(
    r"(?<![\w.])(\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)\s+(?!(?:and|or|not|if|else|in|is)\b)([A-Za-z]\w*)"
)
_GLUED = re.compile(r"(?<![\w.])(\d+(?:\.\d*)?)([A-DF-Za-df-z]\w*)")
# A line that ends so goes on in the next one.
_OPEN_END = r"[-+*/%<>=,(]|\b(?:and|or|not)\b"
_PI = 3.141592653589793
# Python's parser reads our texts, and fails on its keywords wherever they stand.
_OF_PYTHON = {*keyword.kwlist} - {"and", "or", "not"}
# Functions that are common names of parameters as well: a bracket tells the two apart.
_FREE = {"exprel", "log10", "arctan", "sign", "ceil", "round", "int"}
_RESERVED = {*WORDS, *ARITY, "uniform", "normal", *keyword.kwlist} - _FREE


@dataclass(frozen=True)
class Equation:
    """One line of equations.

    ``dx/dt = tree : unit`` is a derivative, ``x = tree : unit`` a definition; the tree of
    ``x : unit`` is None. ``frozen``: it ends in ``(unless refractory)``.
    """

    name: str
    derivative: bool
    tree: Expr | None
    unit: str
    frozen: bool = False


class Parser:
    """Parses the texts of one cell or rule; random draws are numbered in order of appearance.

    Parameters
    ----------
    owner : str
        The cell or rule, for messages: ``cell 'lif'``.
    first_draw : int
        Number of the first random draw.
    """

    def __init__(self, owner: str, *, first_draw: int = 0) -> None:
        self.owner = owner
        # Numbers key the random streams: since they follow the text, the numbers drawn do not
        # depend on the order in which an engine evaluates.
        self._draws: Iterator[int] = count(first_draw)

    def expression(self, text: str, *, part: str) -> Expr:
        """Parse one expression.

        Parameters
        ----------
        text : str
        part : str
            Part of the owner that the text is, for messages: ``equation of v``.

        Raises
        ------
        ModelError
            Anything outside the language: attributes, strings, unknown functions, Python syntax.
        """
        text = self._require_text(text, part).strip()
        pieces = lines(text)
        # Text that continues over lines is one piece; other texts are Python's to judge.
        text = pieces[0].strip() if len(pieces) == 1 else text
        try:
            tree = ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError) as error:
            raise ModelError(
                f"{self.owner}, {part}: {short(text)!r} cannot be read ({_reason(error, text)}). "
                f"{_correction(text, part)}"
            ) from None
        except (RecursionError, MemoryError):  # Python's own parser gives up on deep nesting so
            raise self.depth_error(text, part) from None
        return _Conversion(self, text, part).convert(tree, 1)

    def statements(self, text: str, *, part: str) -> tuple[Assign, ...]:
        """Parse statements ``x = ...``, ``x += ...`` separated by ``;`` or line ends."""
        text = self._require_text(text, part)
        # A line that begins with an operator is no statement: it continues the one before.
        joined = re.sub(r"\n\s*(?=[-+*/%]|(?:and|or)\b)", " ", text)
        return tuple(self._statement(line, part) for line in lines(joined))

    def equations(self, text: str) -> tuple[Equation, ...]:
        """Parse equations, separated by ``;`` or line ends; the unit ends an equation."""
        text = self._require_text(text, "equations")
        return tuple(self._equation(line) for line in _equation_lines(text))

    def _statement(self, line: str, part: str) -> Assign:
        # `x == 1` is a comparison, not a statement: hence the look-ahead.
        match = re.fullmatch(r"\s*([A-Za-z_]\w*)\s*(\+|-|\*|/)?=(?!=)(.*)", line, re.DOTALL)
        if not match:
            remedy = "Write 'name = expression' or 'name += expression'."
            if re.match(r"\s*if\b", line):
                remedy = "Write 'name = where(condition, expression, name)'."
            raise ModelError(f"{self.owner}, {part}: {short(line)!r} is not a statement. {remedy}")
        target, op, value = match.groups()
        if op is None and value.startswith("+"):
            raise ModelError(
                f"{self.owner}, {part}: {short(line)!r} has '=+', which assigns, expected '=' or "
                f"'+='. Write '{target} += ...' to add."
            )
        if target in _RESERVED and target != "out":
            raise ModelError(
                f"{self.owner}, {part}: {short(line)!r} assigns to {target!r}, a word of the "
                "language. Use another name."
            )
        return Assign(target, (op or "") + "=", self.expression(value, part=part))

    def _equation(self, line: str) -> Equation:
        body, colon, unit = line.rpartition(":")
        frozen = re.search(r"\(\s*unless\s+refractory\s*\)\s*$", unit)
        unit = unit[: frozen.start()] if frozen else unit
        flags = re.search(r"\(([a-z][a-z ,-]*)\)\s*$", unit)
        if flags and flags[1].strip() in _FLAGS:
            raise ModelError(
                f"{self.owner}: {short(line)!r} has '({flags[1]})' after its unit, expected the "
                f"unit alone. Leave it out{_FLAGS[flags[1].strip()]}."
            )
        # Brackets after an operator belong to the unit itself, as in 1 / (ms).
        if flags and re.search(r"[\w)]\s*$", unit[: flags.start()]):
            raise ModelError(
                f"{self.owner}: {short(line)!r} has '({flags[1]})' after its unit, expected the "
                "unit alone or '(unless refractory)'. Correct it, or leave it out."
            )
        if not colon:
            raise ModelError(
                f"{self.owner}: equation {short(line)!r} has no unit. End it with ': unit', such "
                "as ': mV', or ': 1' for a plain number."
            )
        left, equals, right = body.partition("=")
        derivative = re.fullmatch(r"\s*d([A-Za-z_]\w*)\s*/\s*dt\s*", left)
        match = derivative or re.fullmatch(r"\s*([A-Za-z_]\w*)\s*", left)
        if match is None or (derivative and not equals):
            raise ModelError(
                f"{self.owner}: {short(line)!r} is not an equation. "
                "Write 'dx/dt = expression : unit', 'x = expression : unit' or 'x : unit'."
            )
        name = match[1]
        self.check_name(name, "equation")
        tree = self.expression(right, part=f"equation of {name}") if equals else None
        return Equation(name, bool(derivative), tree, unit.strip(), bool(frozen))

    def check_name(self, name: Any, noun: str, *, read: bool = True) -> None:
        """Refuse a name that cannot stand in equations.

        Parameters
        ----------
        name : str
        noun : str
            The thing that has the name, for messages: ``parameter``.
        read : bool
            Whether equations read the name: it must then be no word of the language or of Python.

        Raises
        ------
        ModelError
        """
        # ASCII alone: Python's parser normalises identifiers, so a name with accents would differ
        # from itself in equations; languages of other simulators take ASCII only.
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII):
            raise ModelError(
                f"{self.owner}: {noun} {describe(name)} cannot have this name: expected letters "
                "without accents, digits and '_', beginning with a letter. Choose another."
            )
        if read and name in _RESERVED:
            raise ModelError(
                f"{self.owner}: {noun} {name!r} cannot have this name: it is a word of the "
                f"language. Choose another. '{name}_' is none."
            )

    def draw(self, kind: DrawKind) -> Draw:
        """Return the next random draw."""
        return Draw(kind, next(self._draws))

    def depth_error(self, text: str, part: str) -> ModelError:
        """Return the error for an expression that is nested too deeply."""
        return ModelError(
            f"{self.owner}, {part}: {short(text)!r} is nested deeper than {DEEPEST} operations. "
            "Write it in several statements or states."
        )

    def _require_text(self, text: Any, part: str) -> str:
        if not isinstance(text, str):
            raise ModelError(
                f"{self.owner}, {part}: found {describe(text)}, expected text. "
                "Put it between quotes."
            )
        return text


@dataclass(frozen=True)
class _Conversion:
    """Turns the syntax tree of one expression into ours, and refuses what the language lacks."""

    parser: Parser
    text: str
    part: str

    def convert(self, node: ast.expr, depth: int) -> Expr:
        # Refused here with a clear message; deeper trees exceed Python's recursion limit in later
        # walks.
        if depth > DEEPEST:
            raise self.parser.depth_error(self.text, self.part)
        match node:
            # True and False are integers for Python.
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return self._number(value, node)
            case ast.Name(id=name) if name.isascii():
                return self._name(name)
            case ast.UnaryOp():
                converted = self._unary(node, depth)
            case ast.BinOp() | ast.BoolOp() | ast.Compare():
                converted = self._binary(node, depth)
            case ast.Call(func=ast.Name(id=function), keywords=[]):
                converted = self._call(function, node, depth)
            case _:
                converted = None
        if converted is None:
            words = _remedy(node)
            raise self._error(
                node,
                "is outside the language (names, numbers, + - * / ** // %, comparisons, and/or/not "
                f"and the functions {', '.join(ARITY)}). Write it with {words}.",
            )
        return converted

    def _name(self, name: str) -> Expr:
        if name == "xi":
            return self.parser.draw("xi")
        return Number(_PI) if name == "pi" else Name(name)

    def _unary(self, node: ast.UnaryOp, depth: int) -> Expr | None:
        if isinstance(node.op, ast.Invert):
            return None
        operand = self.convert(node.operand, depth + 1)
        if isinstance(node.op, ast.UAdd):
            return operand
        return Unary("-" if isinstance(node.op, ast.USub) else "not", operand)

    def _binary(self, node: ast.BinOp | ast.BoolOp | ast.Compare, depth: int) -> Expr | None:
        match node:
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                pass
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _OPERATORS:
                pass
            case ast.BoolOp(op=op, values=values):
                symbol = _OPERATORS[type(op)]
                # A flat chain `a or b or c` becomes pairs nested as deeply as it is long.
                converted = [self.convert(value, depth + len(values)) for value in values]
                return reduce(lambda left, right: Binary(symbol, left, right), converted)
            case ast.Compare(ops=[_, _, *_]):
                raise self._error(node, "chains comparisons. Join two comparisons with 'and'.")
            case _:
                return None
        symbol = _OPERATORS[type(op)]
        return Binary(symbol, self.convert(left, depth + 1), self.convert(right, depth + 1))

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

    def _call(self, function: str, node: ast.Call, depth: int) -> Expr | None:
        if any(isinstance(argument, ast.Starred) for argument in node.args):
            return None
        arguments = [self.convert(argument, depth + 1) for argument in node.args]
        # Standard draws only: every engine makes the same ones, and scaling is checked for units.
        if function == "uniform" or function == "normal":
            if arguments:
                raise self._error(
                    node,
                    f"{function}() takes no arguments in an equation; scale it, such as "
                    f"'2*{function}()'.",
                    colon=True,
                )
            return self.parser.draw(function)
        if function not in ARITY:
            # Only the argument t tells a table from an unknown function.
            if arguments == [Name("t")] and function not in _RESERVED:
                return Lookup(function)
            valid = [*ARITY, "uniform", "normal"]
            unknown = describe_unknown("function", function, valid)
            if function in _OF_OTHERS:
                unknown = f"there is no function {function!r}. Write {_OF_OTHERS[function]}."
            elif arguments and "t" in names(arguments[0]) and function not in _RESERVED:
                unknown = (
                    f"a table is read at the time of the step, {function}(t), and each neuron "
                    "reads its own column. Write these values into its columns, or send them as a "
                    "signal over delays: 'out += x_pre' in the 'step' handler of a rule."
                )
            raise self._error(node, unknown, colon=True)
        if len(arguments) != ARITY[function]:
            raise self._error(
                node,
                f"{function} takes {ARITY[function]} argument(s), found {len(arguments)}. "
                "Give as many.",
                colon=True,
            )
        return Call(function, tuple(arguments))

    def _error(self, node: ast.expr, problem: str, *, colon: bool = False) -> ModelError:
        piece = ast.get_source_segment(self.text, node) or self.text
        within = f" in {short(self.text)!r}" if piece != self.text else ""
        where = f"{self.parser.owner}, {self.part}"
        return ModelError(f"{where}: {short(piece)!r}{within}{':' if colon else ''} {problem}")


def _remedy(node: ast.expr) -> str:
    """Return how what Python or another language says is written here."""
    match node:
        case ast.IfExp():
            return "where(condition, a, b)"
        case ast.BinOp(op=ast.BitXor()):
            return "'**' for a power"
        case ast.BinOp(op=ast.BitAnd() | ast.BitOr()):
            return "'and' and 'or'"
        case ast.Call(func=ast.Attribute(attr=function)) if function in ARITY:
            return f"{function}(...) alone"
        case ast.Name(id=name) if not name.isascii():
            return "names of letters without accents"
    return "these"


def short(text: str) -> str:
    """Return a text for a message, without its middle if it is long."""
    text = text.strip()
    return text if len(text) <= 80 else f"{text[:50]} ... {text[-20:]}"


def lines(text: str) -> list[str]:
    """Split a text at line ends and semicolons.

    ``#`` starts a comment; an open bracket, an operator or a backslash at the end joins lines.
    """
    # Comments go first, since they may hold brackets and semicolons.
    text = re.sub(r"[^\S\n]*#[^\n]*", "", text)
    text = re.sub(r"\\[^\S\n]*\n", " ", text)
    text = re.sub(rf"({_OPEN_END})\s*\n", r"\1 ", text)
    result = []
    depth = 0
    current = ""
    for character in text:
        depth += (character == "(") - (character == ")")
        # Below zero a bracket too many was closed: the next line is not to be blamed for it.
        if character in ";\n" and depth <= 0:
            result.append(current)
            current = ""
        else:
            current += " " if character == "\n" else character
    return [line for line in [*result, current] if line.strip()]


def _equation_lines(text: str) -> list[str]:
    """Split equations, each of which ends with its unit: lines without one are continued."""
    result: list[str] = []
    for line in lines(text):
        # A line that begins like an equation is one, and the line before lacks its unit.
        begins = re.match(r"\s*(d[A-Za-z_]\w*\s*/\s*dt\s*=|[A-Za-z_]\w*\s*(=(?!=)|:))", line)
        if result and ":" not in result[-1] and not begins:
            result[-1] += f" {line}"
        else:
            result.append(line)
    return result


def _correction(text: str, part: str) -> str:
    """Return what to write in place of a text that Python's parser refuses."""
    comma = re.fullmatch(r"\s*([-+]?\d+),(\d+\s*[A-Za-z].*)", text)
    if comma:
        return f"Decimals follow a point: write '{comma[1]}.{comma[2]}'."
    if "^" in text:
        return f"A power is written with '**': '{short(text.replace('^', '**'))}'."
    # In an equation it is more likely one sign of equality too many.
    if re.search(r"(?<![<>=!])=(?!=)", text) and not part.startswith("equation"):
        return "Conditions compare with '==', '>' or '>='."
    quantity = _QUANTITY.search(text) or _GLUED.search(text)
    if quantity is not None:
        return f"A unit is multiplied: write '{quantity[1]} * {quantity[2]}'."
    return "Write an expression such as '(rest - v) / tau'."


def _reason(error: Exception, text: str) -> str:
    # Some of Python's errors carry no text at all.
    reason = (error.msg if isinstance(error, SyntaxError) else str(error)) or "syntax"
    words = [w for w in re.findall(r"[A-Za-z]\w*", text) if w in _OF_PYTHON]
    return f"{reason}; {words[0]!r} is a word of Python" if words else reason

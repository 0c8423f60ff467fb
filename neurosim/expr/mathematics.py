"""Expressions become mathematics: LaTeX for notebooks."""

from __future__ import annotations

import math

from .printing import PRECEDENCE
from .tree import Assign, Binary, Call, Draw, Expr, Lookup, Name, Number, Unary

_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau "
    "upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
).split()
_OPERATORS = {
    "+": "+",
    "-": "-",
    "%": r"\bmod",
    "<": "<",
    "<=": r"\le",
    ">": ">",
    ">=": r"\ge",
    "==": "=",
    "!=": r"\ne",
    "and": r"\wedge",
    "or": r"\vee",
}
# The language's log is the natural one, as in C and Python.
_FUNCTIONS = {
    "log": "ln",
    **{name: name for name in ("exp", "cos", "sin", "tanh", "arctan", "min", "max")},
}
_DRAWS = {"xi": r"\xi", "normal": r"\mathcal{N}(0, 1)", "uniform": r"\mathcal{U}(0, 1)"}
_TIGHT = 9  # binds tighter than any operator: sums, products and signs get brackets


def latex(tree: Expr) -> str:
    """Return an expression as LaTeX, in the order in which it was written."""
    return _latex(tree, 0)


def latex_statement(statement: Assign) -> str:
    """Return a statement as LaTeX: an assignment with its whole new value, or a delivery."""
    # `out` is no variable: a value added to it leaves the edge.
    if statement.target == "out":
        return rf"\mathrm{{deliver}}\; {latex(statement.value)}"
    return rf"{latex_name(statement.target)} \leftarrow {latex(statement.result)}"


def latex_name(name: str) -> str:
    """Return a name as LaTeX: Greek letters, and the parts after ``_`` as an index."""
    stem, *indices = [part for part in name.split("_") if part] or [name]
    letters = stem.rstrip("0123456789")
    digits = stem[len(letters) :]
    if letters in _GREEK:
        base = rf"\{letters}"
    else:
        base = letters if len(letters) == 1 else rf"\mathrm{{{letters}}}"
    indices = ([digits] if digits else []) + indices
    if not indices:
        return base
    return f"{base}_{{{', '.join(_index(part) for part in indices)}}}"


def _index(text: str) -> str:
    if text in _GREEK:
        return rf"\{text}"
    return text if len(text) == 1 or text.isdigit() else rf"\mathrm{{{text}}}"


def _latex(tree: Expr, outer: int) -> str:
    match tree:
        case Number():
            return _number(tree, outer)
        case Name(name=name):
            return latex_name(name)
        case Lookup(table=table):
            return f"{latex_name(table)}(t)"
        case Draw(kind=kind):
            return _DRAWS[kind]
        case Call():
            return _call(tree)
        case Unary(op=op, operand=operand):
            level = PRECEDENCE["neg" if op == "-" else "not"]
            sign = "-" if op == "-" else r"\neg "
            return _bracket(sign + _latex(operand, level), outer > level)
        case Binary():
            return _binary(tree, outer)


def _number(number: Number, outer: int) -> str:
    if number.unit:
        return rf"\mathrm{{{number.unit}}}"
    # The parser has replaced the word by its value.
    if number.value == math.pi:
        return r"\pi"
    mantissa, _, exponent = f"{number.value:.12g}".partition("e")
    text = rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa
    return _bracket(text, outer == _TIGHT and (text.startswith("-") or bool(exponent)))


def _binary(tree: Binary, outer: int) -> str:
    left = tree.left
    right = tree.right
    if tree.op == "/":
        # A fraction holds its parts together: only as the base of a power it needs brackets.
        # The sign stands before the fraction, as people write it.
        if isinstance(left, Unary) and left.op == "-":
            text = rf"-\frac{{{latex(left.operand)}}}{{{latex(right)}}}"
            return _bracket(text, outer > PRECEDENCE["+"])
        return _bracket(rf"\frac{{{latex(left)}}}{{{latex(right)}}}", outer == _TIGHT)
    if tree.op == "//":
        return rf"\left\lfloor \frac{{{latex(left)}}}{{{latex(right)}}} \right\rfloor"
    if tree.op == "**":
        return f"{_latex(left, _TIGHT)}^{{{latex(right)}}}"
    level = PRECEDENCE[tree.op]
    if tree.op == "*":
        # Digits side by side would read as one number.
        numeric = isinstance(right, Number) and not right.unit
        text = (r" \cdot " if numeric else r" \, ").join(
            (_latex(left, level), _latex(right, level + 1))
        )
    else:
        # A comparison inside another keeps its brackets: mathematics would read a chain.
        comparison = level == PRECEDENCE["<"]
        first = _latex(left, level + 1 if comparison else level)
        text = f"{first} {_OPERATORS[tree.op]} {_latex(right, level + 1)}"
    return _bracket(text, outer > level)


def _call(tree: Call) -> str:
    function = tree.function
    arguments = [latex(argument) for argument in tree.arguments]
    if function == "sqrt":
        return rf"\sqrt{{{arguments[0]}}}"
    if function == "abs":
        return rf"\left| {arguments[0]} \right|"
    if function == "floor":
        return rf"\left\lfloor {arguments[0]} \right\rfloor"
    if function == "ceil":
        return rf"\left\lceil {arguments[0]} \right\rceil"
    if function == "log10":
        return _bracket_arguments(r"\log_{10}", arguments)
    if function == "pow":
        return f"{_latex(tree.arguments[0], _TIGHT)}^{{{arguments[1]}}}"
    if function == "where":
        condition, value, other = arguments
        rows = rf"{value} & \mathrm{{if}}\; {condition} \\ {other} & \mathrm{{otherwise}}"
        return rf"\begin{{cases}} {rows} \end{{cases}}"
    word = rf"\{_FUNCTIONS[function]}" if function in _FUNCTIONS else rf"\mathrm{{{function}}}"
    return _bracket_arguments(word, arguments)


def _bracket_arguments(word: str, arguments: list[str]) -> str:
    return rf"{word}\left( {', '.join(arguments)} \right)"


def _bracket(text: str, needed: bool) -> str:
    return rf"\left( {text} \right)" if needed else text

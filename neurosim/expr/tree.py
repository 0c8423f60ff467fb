"""The tree of an expression, from the user's text until an engine prints or walks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

DrawKind = Literal["uniform", "normal", "xi"]


@dataclass(frozen=True, slots=True)
class Number:
    """A literal; ``unit`` is the text of the unit name it came from, else None."""

    value: float
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Name:
    """A state, parameter, port, link or definition by name, or one of the words ``t dt i N``."""

    name: str


@dataclass(frozen=True, slots=True)
class Unary:
    """``-x`` or ``not x``."""

    op: str
    operand: Expr


@dataclass(frozen=True, slots=True)
class Binary:
    """``+ - * / **``, comparisons, ``and`` and ``or``; operands in written order."""

    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the language."""

    function: str
    arguments: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Draw:
    """A random number of a step.

    Parameters
    ----------
    kind : DrawKind
    key : int
        Number of its occurrence in the texts of its cell or rule.
    """

    kind: DrawKind
    key: int


@dataclass(frozen=True, slots=True)
class Lookup:
    """``table(t)``: the row of a table in force at this step."""

    table: str


Expr = Number | Name | Unary | Binary | Call | Draw | Lookup

ARITHMETIC = ("+", "-", "*", "/", "**", "%", "//")
# Operators that every engine computes by a function of ours.
FUNCTION_OF = {"%": "mod", "//": "quotient"}
DEEPEST = 100  # operations within each other: every walk over a tree is a recursion
LARGEST = 10_000  # operations of one expression, definitions written out


@dataclass(frozen=True, slots=True)
class Assign:
    """``target op value`` with op ``=``, ``+=``, ``-=``, ``*=`` or ``/=``."""

    target: str
    op: str
    value: Expr

    @property
    def result(self) -> Expr:
        """The value after the statement, as an expression over the values before it."""
        return self.value if self.op == "=" else Binary(self.op[0], Name(self.target), self.value)


def children(tree: Expr) -> tuple[Expr, ...]:
    """Return the direct operands of a node, in written order."""
    match tree:
        case Unary(operand=operand):
            return (operand,)
        case Binary(left=left, right=right):
            return (left, right)
        case Call(arguments=arguments):
            return arguments
    return ()


def walk(tree: Expr) -> Iterator[Expr]:
    """Yield every node, operands before their operation."""
    for child in children(tree):
        yield from walk(child)
    yield tree


def names(tree: Expr) -> set[str]:
    """Return the names that an expression reads, tables included."""
    return {
        node.name if isinstance(node, Name) else node.table
        for node in walk(tree)
        if isinstance(node, Name | Lookup)
    }


def draws(tree: Expr) -> set[Draw]:
    """Return the random draws of an expression."""
    # A set: a definition that is written out twice still draws once.
    return {node for node in walk(tree) if isinstance(node, Draw)}


def rewrite(tree: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """Apply ``change`` to every node, operands first."""
    match tree:
        case Unary():
            tree = replace(tree, operand=rewrite(tree.operand, change))
        case Binary():
            tree = replace(tree, left=rewrite(tree.left, change), right=rewrite(tree.right, change))
        case Call():
            tree = replace(tree, arguments=tuple(rewrite(a, change) for a in tree.arguments))
    return change(tree)


def substitute(tree: Expr, values: Mapping[str, Expr]) -> Expr:
    """Replace names by expressions, in which no names are replaced again."""
    # All names are replaced in one pass: x -> y and y -> x swap the two.
    return rewrite(
        tree, lambda node: values.get(node.name, node) if isinstance(node, Name) else node
    )


def inline(tree: Expr, definitions: Mapping[str, Expr]) -> Expr:
    """Replace the names of definitions by their expressions, down to names that are none."""
    # The loop ends: cells and rules refuse circular definitions when they are made.
    while names(tree) & definitions.keys():
        tree = substitute(tree, definitions)
    return tree


def extent(tree: Expr, definitions: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
    """Return depth and number of nodes of an expression with its definitions written out.

    Parameters
    ----------
    tree : Expr
    definitions : name -> extent
    """
    # Counted without writing out: definitions that each use the one before twice grow
    # exponentially.
    if isinstance(tree, Name) and tree.name in definitions:
        return definitions[tree.name]
    parts = [extent(child, definitions) for child in children(tree)]
    return 1 + max((depth for depth, _ in parts), default=0), 1 + sum(size for _, size in parts)


def whole_power(tree: Binary) -> int | None:
    """Return the exponent of a power that is written as a product, else None.

    Such an exponent is a whole literal up to 64 in size.
    """
    # Longer products would be less accurate than the power function, and long to read.
    exponent = tree.right
    sign = 1
    if isinstance(exponent, Unary) and exponent.op == "-":
        exponent = exponent.operand
        sign = -1
    if (
        isinstance(exponent, Number)
        and exponent.value == int(exponent.value)
        and abs(exponent.value) <= 64
    ):
        return sign * int(exponent.value)
    return None

"""Trees become source of Triton kernels; the arguments that kernels take are collected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from neurosim.expr.functions import ARITY
from neurosim.expr.printing import Target, show
from neurosim.expr.tree import Binary, Call, Draw, Expr, Number, Unary, rewrite

from ..tensors.printing import fold

# Words of printed source without an underscore in front. A user may call a parameter so; names of
# users never begin with one.
RESERVED = ARITY.keys() | {"tl", "range", "float", "isinstance"}

What = Literal["array", "stride", "width", "size"]
Key = tuple[str, str]


@dataclass(frozen=True)
class Argument:
    """An argument of a printed kernel.

    Attributes
    ----------
    what : What
        An array of the device; 1 or 0, as it has one value for each or one for all; the length of
        its rows; or the number of its elements per sample, 0 if samples share them.
    key : (owner, name)
    """

    what: What
    key: Key


@dataclass
class Arguments:
    """The arguments of a kernel by the names under which its source reads them."""

    entries: dict[str, Argument] = field(default_factory=dict)

    def read(self, name: str, what: What, key: Key) -> str:
        """Return the name of an argument, which is added if it is new."""
        self.entries.setdefault(name, Argument(what, key))
        return name

    def row(self, name: str, key: Key) -> str:
        """Return the address of a sample's row of an array of all samples."""
        address = self.read(f"_at_{name}", "array", key)
        return f"{address} + _sample * {self.read(f'_size_{name}', 'size', key)}"

    def signature(self, first: tuple[str, ...]) -> str:
        """Return the parameters of a kernel: engine's, then these."""
        typed = [
            f"{name}: tl.constexpr" if entry.what == "stride" else name
            for name, entry in self.entries.items()
        ]
        return ", ".join([*first, *typed, "BLOCK: tl.constexpr"])


def local(name: str) -> str:
    """Return a user's name as it stands in printed source: changed if the source needs the word."""
    return f"_user_{name}" if name in RESERVED else name


def indent(lines: list[str]) -> list[str]:
    """Indent lines of source."""
    return [f"    {text}" for text in lines]


def line(tree: Expr, draw: Callable[[Draw], str], *, single: bool) -> str:
    """Print one expression: every value is a number of the run, conditions are 1.0 or 0.0.

    Parameters
    ----------
    tree : Expr
    draw : function
        Returns the text of a random number.
    single : bool
        Whether numbers are float32.
    """

    def call(function: str, arguments: list[str]) -> str:
        if function == "where":
            return f"_choose({', '.join(arguments)})"
        if function == "/":
            return f"_divide({', '.join(arguments)})"
        text = f"{function}({', '.join(arguments)})"
        # Functions are those of float64, and their values are rounded once.
        return f"_real({text})" if single else text

    target = Target(
        name=local,
        # A bare literal would become a float32 beside another one, and the interpreter joins no
        # condition of one value with those of lanes.
        number=lambda literal: f"_spread({_literal(float(literal.value))}, _n)",
        call=call,
        draw=draw,
        lookup=local,
        expand_powers=True,
        condition=lambda text: f"_truth({text})",
        true=lambda text: f"({text} != 0)",
    )
    return show(rewrite(fold(tree), _as_calls), target)


def _as_calls(node: Expr) -> Expr:
    """Return a node whose operator is none of Triton's as one that Triton has."""
    if isinstance(node, Unary) and node.op == "not":
        return Binary("==", node.operand, Number(0.0))
    if isinstance(node, Binary) and node.op == "/":
        return Call("/", (node.left, node.right))
    return node


def _literal(value: float) -> str:
    # The compiler knows neither word as a name.
    return repr(value) if abs(value) < float("inf") else f"float('{value!r}')"

"""What the printed source of cells and rules has in common: names, the table of arrays, functions."""

from __future__ import annotations

from collections.abc import Callable

from neurosim.expr.printing import Target, show
from neurosim.expr.tree import Draw, Expr, Number

from .precision import DOUBLE, Precision

RESERVED = {
    "flag",
    "load",
    "load_byte",
    "load_double",
    "load_index",
    "load_long",
    "load_short",
    "store",
    "store_byte",
    "store_long",
    "truth",
    "cfunc",
    "kernel",
    "normal_at",
    "uniform_at",
    "expm1_ratio",
    "table",
    "start",
    "stop",
    "step",
    "thread",
    "spikes",
    "first",
    "count",
    "range",
    "float",
    "now",
    "decayed",
    "CHUNK",
    "EDGES",
    "FIRST",
    "WHEN",
    "caught_up",
    "fetch_row",
    "forget",
    "pending",
}


def local(name: str) -> str:
    """Return a user's name as it stands in printed source: as it is, unless the source needs the word."""
    return f"_user_{name}" if name in RESERVED else name


class Layout:
    """The table of one piece of printed source: position -> which array or size stands there."""

    def __init__(self) -> None:
        self.entries: list[str] = []

    def position(self, entry: str) -> int:
        """Return the place of an entry, added where it is new."""
        if entry not in self.entries:
            self.entries.append(entry)
        return self.entries.index(entry)


def target(draw: Callable[[Draw], str], precision: Precision) -> Target:
    """Return how expressions are printed for Numba: every value is a number of this precision, comparisons are 1.0 or 0.0."""

    def number(n: Number) -> str:
        return precision.number(float(n.value))

    return Target(
        name=local,
        number=number,
        call=lambda function, arguments: f"{function}({', '.join(arguments)})",
        draw=draw,
        lookup=local,
        expand_powers=True,
        condition=lambda text: f"truth({text})",
        true=lambda text: f"({text} != {precision.number(0.0)})",
    )


def line(tree: Expr, draw: Callable[[Draw], str], precision: Precision) -> str:
    """Print one expression."""
    return show(tree, target(draw, precision))


def indent(lines: list[str], levels: int = 1) -> list[str]:
    """Indent lines of source."""
    return ["    " * levels + text for text in lines]


def wrapper(module: str, function: str, precision: Precision = DOUBLE) -> str:
    """Return the source of a kernel of a module of this engine, for the cache on disk."""
    return (
        f'"""Kernel {function!r} of the engine."""\n\nfrom numba import cfunc\n\nfrom {precision.place} import {module}\n\n\n'
        f'@cfunc("int64(int64, int64, int64, int64, int64)", error_model="numpy", cache=True)\n'
        f"def {function}(table, start, stop, step, thread):\n    return {module}.{function}(table, start, stop, step, thread)\n"
    )

"""Parts that the printed source of cells and rules shares: names, arguments, expressions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from neurosim.expr.printing import Target, show
from neurosim.expr.tree import Draw, Expr, Number

from .precision import DOUBLE, Precision

# How the values behind a name lie: one for all; one per neuron; over time one for all (a row per
# interval); over time one per neuron.
Layout = Literal["scalar", "per_neuron", "series", "series_per_neuron"]

# Words of printed source without an underscore in front. A user may call a parameter so; words
# with an underscore cannot clash, since no name of a user begins with one.
RESERVED = {
    "CHUNK",
    "NOTES",
    "arctan",
    "args",
    "caught_up",
    "ceil",
    "cfunc",
    "count",
    "decayed",
    "expm1_ratio",
    "exprel",
    "fetch_row",
    "first",
    "flag",
    "float",
    "forget",
    "gained",
    "int",
    "kernel",
    "load",
    "load_arg",
    "load_byte",
    "load_double",
    "load_index",
    "load_long",
    "load_short",
    "log10",
    "mod",
    "normal_at",
    "nan",
    "now",
    "partition",
    "pending",
    "quotient",
    "range",
    "relaxed",
    "round",
    "sign",
    "spikes",
    "start",
    "step",
    "stop",
    "store",
    "store_byte",
    "store_long",
    "truth",
    "uniform_at",
}


def local(name: str) -> str:
    """Return a user's name as it stands in printed source: changed if the source needs the word."""
    return f"_user_{name}" if name in RESERVED else name


class Arguments:
    """The arguments of one piece of printed source: the array or number at each position.

    Attributes
    ----------
    entries : list of str
        Names of arrays and numbers, by position; those that begin with "@" are the engine's.
    """

    def __init__(self) -> None:
        self.entries: list[str] = []

    def read(self, entry: str) -> str:
        """Return the expression that reads an entry, which is added if it is new."""
        # In order of first use: equal statements print equal text, and share its compiled code.
        if entry not in self.entries:
            self.entries.append(entry)
        return f"load_arg(args, {self.entries.index(entry)})"


def line(tree: Expr, draw: Callable[[Draw], str], precision: Precision) -> str:
    """Print one expression: every value is a number of this precision, conditions are 1.0 or 0.0.

    Parameters
    ----------
    tree : Expr
    draw : function
        Returns the text of a random draw.
    precision : Precision
    """

    def number(n: Number) -> str:
        return precision.number(float(n.value))

    # Conditions are numbers, as in the language: `(v > 0) * x` is a product on every engine.
    target = Target(
        name=local,
        number=number,
        call=lambda function, arguments: f"{function}({', '.join(arguments)})",
        draw=draw,
        lookup=local,
        expand_powers=True,
        condition=lambda text: f"truth({text})",
        true=lambda text: f"({text} != {precision.number(0.0)})",
    )
    return show(tree, target)


def indent(lines: list[str], levels: int = 1) -> list[str]:
    """Indent lines of source."""
    return ["    " * levels + text for text in lines]


def find_series_row(name: str, arguments: Arguments) -> list[str]:
    """Return lines that find the row of a piecewise-constant series that holds at ``step``."""
    # "@rows" holds the steps of an interval, the step of its beginning, and the number of rows.
    # Before the first interval its row holds, after the last one the last row.
    row = f"_row_{name}"
    rows = "load_long(_rows, 2, '_rows')"
    return [
        f"_rows = {arguments.read(f'{name}@rows')}",
        f"{row} = (step - load_long(_rows, 1, '_rows')) // load_long(_rows, 0, '_rows')",
        f"{row} = 0 if {row} < 0 else {row}",
        f"{row} = {rows} - 1 if {row} >= {rows} else {row}",
    ]


def wrapper(module: str, function: str, precision: Precision = DOUBLE) -> str:
    """Return the source of a kernel of a module of this engine, for the cache on disk.

    Parameters
    ----------
    module, function : str
        Where the kernel is written, below `Precision.kernels`.
    precision : Precision
    """
    return f'''"""Kernel {function!r} of the engine."""

from neurosim.compiled.cached import cfunc

from {precision.kernels} import {module}


@cfunc("int64(int64, int64, int64, int64, int64)")
def {function}(args, start, stop, step, partition):
    return {module}.{function}(args, start, stop, step, partition)
'''

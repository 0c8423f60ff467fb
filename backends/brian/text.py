"""Statements as Brian 2 reads them: operations in the order written, our functions and draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from brian2 import Function

from neurosim.draws import streams as random
from neurosim.draws.streams import key_of
from neurosim.expr.functions import ARITY, FUNCTIONS
from neurosim.expr.printing import Target, show
from neurosim.expr.tree import Draw, Expr

STEP = "t_in_timesteps"  # Brian 2's name of the number of the step


def word(name: str) -> str:
    """Return a name that Brian 2 takes, made of one of ours; suffixes keep such names apart."""
    name = name.lstrip("_").replace("@", "_")
    # Brian 2 takes any name that begins with xi for noise.
    return f"own_{name}" if name.startswith("xi") else name


def target(name: Callable[[str], str], draw: Callable[[Draw], str]) -> Target:
    """Return the target for printing: comparisons are 1 or 0, functions our own."""
    return Target(
        name=name,
        number=lambda n: repr(float(n.value)),
        call=lambda f, arguments: f"{f}_fn({', '.join(arguments)})",
        draw=draw,
        lookup=name,
        # The language defines whole powers as products; pow() would round otherwise.
        expand_powers=True,
        condition=lambda text: f"int({text})",
        true=lambda text: f"({text} != 0)",
        logic=("and", "or"),
    )


def draw_at(seed: int, stream: str, number: str) -> Callable[[Draw], str]:
    """Return the function that prints a draw, for the neuron or edge and step of a statement.

    Parameters
    ----------
    seed : int
    stream : str
        Name of the population or projection.
    number : str
        Local name of the numbers of the neurons or edges.
    """

    def print_draw(node: Draw) -> str:
        high, low = key_of(seed, f"{stream}/draw{node.key}")
        return f"{node.kind}_at({high}, {low}, {number}, {STEP})"

    return print_draw


def line(tree: Expr, name: Callable[[str], str], draw: Callable[[Draw], str]) -> str:
    """Print one expression.

    Parameters
    ----------
    tree : Expr
    name, draw : function
        Print a name and a draw.
    """
    return show(tree, target(name, draw))


def functions(replica: int, repeat: Callable[[], int]) -> dict[str, Function]:
    """Return the functions of the language, draws, and ``pick``, which keeps integers.

    Parameters
    ----------
    replica : int
        Replica word of the random numbers.
    repeat : function
        Returns how often the signal whose handlers run was emitted before at this step.
    """

    # Brian 2 passes numbers alone, so the key of a stream is two arguments.
    def at(distribution: str) -> Callable[..., Any]:
        body = getattr(random, distribution)
        return lambda high, low, number, step: body(
            random.repeated((int(high), int(low)), repeat()),
            np.asarray(number),
            int(step),
            replica=replica,
        )

    def counts(
        high: Any,
        low: Any,
        number: Any,
        step: Any,
        mean: Any,
    ) -> Any:
        return random.poisson_counts(
            (high, low), np.asarray(number), int(step), mean=mean, replica=replica
        )

    library = {
        f"{name}_fn": function(body, ARITY[name])
        for name, body in FUNCTIONS.items()
        if name in ARITY
    }
    library |= {
        "uniform_at": function(at("uniform"), 4),
        "normal_at": function(at("normal"), 4),
        "poisson_at": function(counts, 5),
    }
    return library | {
        "pick": function(
            lambda condition, a, b: np.where(condition, a, b),
            3,
            "highest",
            ["boolean", "any", "any"],
        )
    }


def function(
    body: Callable[..., Any],
    arity: int,
    returns: str = "float",
    takes: list[str] | None = None,
) -> Function:
    """Return a function that code of Brian 2 may call.

    Parameters
    ----------
    body : function of arrays
    arity : int
        Number of its arguments.
    returns : str
        Type of the result in Brian 2's words; "highest" is that of its arguments.
    takes : list of str, optional
        Types of the arguments; "any" each unless given.
    """

    # The body may be a ufunc; Brian 2 rebuilds a function from its code, which a ufunc lacks.
    def call(*arguments: Any) -> Any:
        return body(*arguments)

    result = Function(
        call,
        arg_units=[1] * arity,
        return_unit=1,
        return_type=returns,
        arg_types=takes or ["any"] * arity,
    )
    result.implementations.add_numpy_implementation(call, discard_units=True)
    return result

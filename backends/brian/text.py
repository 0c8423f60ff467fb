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

STEP = "t_in_timesteps"  # Brian 2's name for k


def word(name: str) -> str:
    """Return a name that Brian 2 takes, made of one of ours; suffixes keep such names apart."""
    name = name.lstrip("_").replace("@", "_")
    return f"own_{name}" if name.startswith("xi") else name  # which Brian 2 would take for noise


def target(name: Callable[[str], str], draw: Callable[[Draw], str]) -> Target:
    """Return how expressions are printed: comparisons are 1 or 0, functions our own."""
    return Target(
        name=name,
        number=lambda n: repr(float(n.value)),
        call=lambda f, arguments: f"{f}_fn({', '.join(arguments)})",
        draw=draw,
        lookup=name,
        expand_powers=True,
        condition=lambda text: f"int({text})",
        true=lambda text: f"({text} != 0)",
        logic=("and", "or"),
    )


def draw_at(seed: int, stream: str, place: str) -> Callable[[Draw], str]:
    """Return how draws are printed: for the neuron or edge and the step of the statement."""

    def printed(node: Draw) -> str:
        high, low = key_of(seed, f"{stream}/draw{node.key}")
        return f"{node.kind}_at({high}, {low}, {place}, {STEP})"

    return printed


def line(tree: Expr, name: Callable[[str], str], draw: Callable[[Draw], str]) -> str:
    """Print one expression."""
    return show(tree, target(name, draw))


def functions(replica: int) -> dict[str, Function]:
    """Return the functions of the language, draws, and ``pick``, which keeps integers."""

    def at(kind: str) -> Callable[..., Any]:
        body = getattr(random, kind)
        return lambda high, low, place, step: body(
            (high, low), np.asarray(place), int(step), replica=replica
        )

    def counts(mean: Any, u: Any) -> Any:
        return random.poisson(mean, u)

    found = {
        f"{name}_fn": function(body, ARITY[name])
        for name, body in FUNCTIONS.items()
        if name in ARITY
    }
    found |= {
        "uniform_at": function(at("uniform"), 4),
        "normal_at": function(at("normal"), 4),
        "poisson_fn": function(counts, 2),
    }
    return found | {
        "pick": function(
            lambda condition, a, b: np.where(condition, a, b),
            3,
            "highest",
            ["boolean", "any", "any"],
        )
    }


def function(
    body: Callable[..., Any], arity: int, kind: str = "float", takes: list[str] | None = None
) -> Function:
    def called(*arguments: Any) -> Any:
        return body(*arguments)

    made = Function(
        called,
        arg_units=[1] * arity,
        return_unit=1,
        return_type=kind,
        arg_types=takes or ["any"] * arity,
    )
    made.implementations.add_numpy_implementation(called, discard_units=True)
    return made

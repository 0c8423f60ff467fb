"""Graded projections: rules that only send a number times a weight in every step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from neurosim.errors import NetworkError
from neurosim.expr.tree import Binary, Expr, Name, names
from neurosim.ir.program import PlasticProjection

from ..tensors.printing import words
from .connections import Signal
from .constants import compile_expression
from .gradients.derivatives import differentiable


def signal_of(projection: PlasticProjection, dtype: torch.dtype) -> Signal:
    """Return what the sources of a projection send, as a function of their values.

    Parameters
    ----------
    projection : PlasticProjection
    dtype : torch.dtype

    Raises
    ------
    NetworkError
        If its rule does anything but ``out += w * signal`` in a "step" handler, the signal being
        an expression over states and parameters of the source.
    """
    tree = _signal_tree(projection)
    if tree is None:
        raise NetworkError(
            f"Trainer: found projection {projection.name!r} with the rule "
            f"{projection.code.name!r}, expected none, or a rule with the single handler "
            "('step', 'out += w * x_pre'): training does not run rules that change or react to "
            "spikes. Leave the rule out, or run the network on a backend."
        )
    origins = {
        name: projection.symbols[name].origin for name in names(tree) if name in projection.symbols
    }
    evaluate = compile_expression(tree, differentiable(words(dtype)))

    def signal(values: dict[str, Any]) -> Tensor:
        by_name = {name: values[origin] for name, origin in origins.items()}
        return evaluate({**values, **by_name})

    return signal


def _signal_tree(projection: PlasticProjection) -> Expr | None:
    """Return the factor of the weight, None if the rule is another one."""
    if len(projection.code.handlers) != 1 or projection.code.integrate:
        return None
    trigger, body = projection.code.handlers[0]
    weight = projection.symbols.get("w")
    if trigger != "step" or len(body) != 1 or body[0].action != "deliver":
        return None
    if weight is None or weight.role != "variable" or weight.side != "edge" or weight.decay:
        return None
    value = body[0].value
    if not isinstance(value, Binary) or value.op != "*":
        return None
    # A product in either order.
    for factor, signal in ((value.left, value.right), (value.right, value.left)):
        if factor == Name("w") and all(_is_of_source(projection, name) for name in names(signal)):
            return signal
    return None


def _is_of_source(projection: PlasticProjection, name: str) -> bool:
    symbol = projection.symbols.get(name)
    return symbol is not None and symbol.role == "cell" and symbol.side == "pre"

"""Feedback: the matrices that send errors backward, by projection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from neurosim.draws.streams import Stream
from neurosim.errors import NetworkError, describe, describe_unknown

from .operations import Feedback, sign_concordant

NAMED = ("none", "random", "same", "sign-concordant")


def read_feedback(
    feedback: object, connections: Mapping[str, Any], *, seed: int
) -> dict[str, Feedback]:
    """Return the backward weight of each projection that has one of its own.

    Parameters
    ----------
    feedback : mapping of projection -> name, tensor or function; or None
        ``"same"``: the weight itself. ``"random"``: fixed random numbers of the weight's standard
        deviation, or of its size if all are equal (feedback alignment). ``"sign-concordant"``:
        `sign_concordant`. ``"none"``: no error passes. Or a tensor shaped like the weight, or a
        function of the weight.
    connections : mapping of projection -> (matrix that is multiplied)
    seed : int
        Of the network.

    Raises
    ------
    NetworkError
        If there is no such projection or word, or a tensor has another shape.
    """
    if feedback is None:
        return {}
    if not isinstance(feedback, Mapping):
        raise NetworkError(
            f"Trainer, feedback: found {describe(feedback)}, expected a dictionary by projection. "
            "Correct it."
        )
    result: dict[str, Feedback] = {}
    for name, value in feedback.items():
        if name not in connections:
            raise NetworkError(
                f"Trainer, feedback: {describe_unknown('projection', name, connections)}"
            )
        result[name] = _read(name, value, connections[name], seed)
    return result


def _read(
    name: str,
    value: object,
    weight: Tensor,
    seed: int,
) -> Feedback:
    where = f"Trainer, feedback of {name!r}"
    if isinstance(value, Tensor):
        if value.shape != weight.shape:
            raise NetworkError(
                f"{where}: found a tensor of shape {tuple(value.shape)}, expected that of the "
                f"weight, {tuple(weight.shape)}. Reshape it."
            )
        # Feedback is fixed: no gradient passes into it.
        return value.detach().to(weight)
    if value in ("same", "none"):
        return "same" if value == "same" else "none"
    if value == "random":
        return _random(name, weight, seed)
    if value == "sign-concordant":
        return sign_concordant
    if callable(value):
        return cast("Callable[[Tensor], Tensor]", value)
    raise NetworkError(
        f"{where}: found {describe(value)}, expected {', '.join(map(repr, NAMED))}, a tensor, or a "
        "function of the weight. Give one of these."
    )


def _random(name: str, weight: Tensor, seed: int) -> Tensor:
    # Of the project's own streams: another version of torch draws the same.
    stream = Stream(seed, f"{name}/feedback")
    numbers = stream.normal(np.arange(weight.numel()), 0).reshape(weight.shape)
    # Pairs without an edge have a weight of 0, and send nothing back.
    present = weight.detach() != 0
    # As large as the weights, so that errors keep their size from layer to layer.
    deviation = _deviation(weight.detach()[present])
    return torch.from_numpy(numbers).to(weight) * deviation * present


def _deviation(weights: Tensor) -> Tensor | float:
    """Return the standard deviation of weights; of equal ones, which have none, their size."""
    if weights.numel() == 0:
        return 0.0
    # The deviation of a single number is NaN, and that of equal ones would send nothing back.
    if bool((weights == weights[0]).all()):
        return weights[0].abs()
    return weights.std()

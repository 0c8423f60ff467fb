"""The language's functions with their derivatives, for autograd.

A value comes from the function's own body, bit by bit that of every engine. Bodies made of bits
hide derivatives, so each stands here beside its value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import factorial
from typing import Any

import torch
from torch import Tensor

Function = Callable[..., Tensor]
Partials = Callable[..., tuple[Tensor, ...]]
"""From the result and the arguments to one derivative for each argument."""

# Below it the closed form of the derivative of `expm1_ratio` cancels; the series is then exact.
_SMALL = 0.05
_SERIES = [(k + 1) / factorial(k + 2) for k in range(9)]
_LN10 = 2.302585092994046


def _expm1_ratio(y: Tensor, z: Tensor) -> tuple[Tensor]:
    series = torch.zeros_like(z)
    for coefficient in reversed(_SERIES):
        series = series * z + coefficient
    small = z.abs() < _SMALL
    # Both branches are computed: a division by 0 would give NaN, even in the one not taken.
    safe = torch.where(small, torch.ones_like(z), z)
    closed = (torch.exp(z) - y) / safe
    return (torch.where(small, series, closed),)


def _pow(y: Tensor, x: Tensor, exponent: Tensor) -> tuple[Tensor, Tensor]:
    positive = torch.where(x > 0, x, torch.ones_like(x))
    # At x = 0 the value is 0 whatever the exponent, if that is positive.
    log = torch.where(x > 0, torch.log(positive), torch.zeros_like(x))
    return exponent * torch.pow(x, exponent - 1), y * log


PARTIALS: dict[str, Partials] = {
    "exp": lambda y, x: (y,),
    "log": lambda y, x: (1 / x,),
    "log10": lambda y, x: (1 / (x * _LN10),),
    "pow": _pow,
    "sqrt": lambda y, x: (0.5 / y,),
    "sin": lambda y, x: (torch.cos(x),),
    "cos": lambda y, x: (-torch.sin(x),),
    "tanh": lambda y, x: (1 - y * y,),
    "arctan": lambda y, x: (1 / (1 + x * x),),
    "expm1_ratio": _expm1_ratio,
    "exprel": _expm1_ratio,
    "abs": lambda y, x: (torch.sign(x),),
    "mod": lambda y, x, by: (torch.ones_like(x), -torch.floor(x / by)),
}

STEPS = ("floor", "ceil", "round", "int", "sign", "quotient")
"""Functions that are constant between jumps: their derivative is 0, and nothing learns through
them."""


class _Smooth(torch.autograd.Function):
    """A function of the language forward, its derivatives backward."""

    @staticmethod
    def forward(
        ctx: Any,
        value: Function,
        partials: Partials,
        *arguments: Tensor,
    ) -> Tensor:
        result = value(*arguments)
        ctx.save_for_backward(result, *arguments)
        ctx.partials = partials
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        result, *arguments = ctx.saved_tensors
        # In float64, as the values are computed.
        factors = ctx.partials(result.double(), *(argument.double() for argument in arguments))
        needed = ctx.needs_input_grad[2:]
        # None for the two functions in front of the arguments.
        results: list[Tensor | None] = [None, None]
        for factor, argument, need in zip(factors, arguments, needed, strict=True):
            gradient = None
            if need:
                product = gradients[0] * factor
                # Arguments broadcast: a shared one gets the sum over all that read it.
                gradient = product.sum_to_size(argument.shape).to(argument.dtype)
            results.append(gradient)
        return tuple(results)


def differentiable(functions: Mapping[str, Any]) -> dict[str, Any]:
    """Return functions of the language whose derivatives autograd knows.

    Parameters
    ----------
    functions : name -> function
        With values alone. Other names are returned as they are.

    Notes
    -----
    ``min``, ``max``, ``clip`` and ``where`` select, and autograd knows the derivative of that.
    """
    result = dict(functions)
    for name in PARTIALS.keys() & functions.keys():
        result[name] = _smooth(functions[name], PARTIALS[name])
    return result


def _smooth(value: Function, partials: Partials) -> Function:
    def function(*arguments: Any) -> Tensor:
        example = next((argument for argument in arguments if isinstance(argument, Tensor)), None)
        if example is None:
            return value(*arguments)
        tensors = []
        for argument in arguments:
            if not isinstance(argument, Tensor):
                # Literals have the precision of the run, as on `cpu`.
                argument = torch.as_tensor(argument, dtype=example.dtype, device=example.device)
            tensors.append(argument)
        if not torch.is_grad_enabled():
            return value(*tensors)
        return _Smooth.apply(value, partials, *tensors)  # type: ignore[return-value]

    return function

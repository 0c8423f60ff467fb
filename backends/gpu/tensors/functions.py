"""The language's functions over tensors: code objects of `expr.functions` over torch operations.

In float64 they give the bits of `neurosim.expr.functions`. In float32 all are computed in float64
and rounded once. Arguments are tensors or numbers that broadcast; results are tensors.

Bits hide derivatives from autograd: whoever differentiates gives the derivatives of all functions
but ``min``, ``max``, ``clip`` and ``where``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from neurosim.expr.functions import bind

Function = Callable[..., Tensor]

# Beyond them the square of a root, or the error of that square, would overflow or underflow.
_SMALL = 2.0**-500
_LARGE = 2.0**500
_SHIFT = 2.0**600
_ROOT_OF_SHIFT = 2.0**300
_SPLIT = 134217729.0  # 2**27 + 1


def number(x: Any) -> Tensor:
    """Return a number or tensor as a tensor of float64."""
    if not isinstance(x, Tensor):
        return torch.tensor(x, dtype=torch.float64)
    return x if x.dtype == torch.float64 else x.to(torch.float64)


def select(condition: Any, a: Any, b: Any) -> Tensor:
    """Return a where a condition holds, else b; any number but 0 is true.

    Parameters
    ----------
    condition : tensor or number
    a, b : tensor or number
    """
    if not isinstance(condition, Tensor):
        condition = torch.tensor(bool(condition))
    elif condition.dtype != torch.bool:
        condition = condition != 0
    # Of two Python numbers torch would make float32.
    return torch.where(condition, a if isinstance(b, Tensor) else number(a), b)


def rounded_root(x: Tensor) -> Tensor:
    """Return the square root as IEEE 754 has it, (...) float64.

    Notes
    -----
    On the CPU `torch.sqrt` is one unit in the last place off for 1 % of all numbers. Its error is
    found exactly (Dekker 1971, Numer. Math. 18, eqs. 5.5-5.7): the root is below or above the
    middle between two neighbours if x is below or above the square of that middle.
    """
    small = x < _SMALL
    large = x > _LARGE
    scaled = torch.where(small, x * _SHIFT, torch.where(large, x / _SHIFT, x))
    root = torch.sqrt(scaled)
    bits = root.view(torch.int64)
    below = (bits - 1).view(torch.float64)
    above = (bits + 1).view(torch.float64)
    square, error = _square(root)
    rest = (scaled - square) - error
    # The middle's square differs from these bounds by less than x differs from its neighbours.
    root = torch.where(rest > root * (above - root), above, root)
    root = torch.where(rest <= -root * (root - below), below, root)
    root = torch.where(
        small, root / _ROOT_OF_SHIFT, torch.where(large, root * _ROOT_OF_SHIFT, root)
    )
    return torch.where((x > 0.0) & (x < float("inf")), root, torch.sqrt(x))


def _square(a: Tensor) -> tuple[Tensor, Tensor]:
    """Return a * a rounded, and the error of that rounding."""
    square = a * a
    t = a * _SPLIT
    high = t - (t - a)
    low = a - high
    return square, ((high * high - square) + high * low + low * high) + low * low


PRIMITIVES: dict[str, Callable[..., Any]] = {
    "_float": number,
    "_bits": lambda x: x.view(torch.int64),
    "_from_bits": lambda i: i.view(torch.float64),
    "_where": select,
    "_floor": torch.floor,
    "_sqrt": rounded_root,
}

FUNCTIONS: dict[str, Function] = bind(PRIMITIVES)
"""The functions by name in float64: tensors or numbers that broadcast in, float64 out."""


def _rounded(function: Function) -> Function:
    def single(*arguments: Any) -> Tensor:
        return function(*arguments).to(torch.float32)

    return single


SINGLE: dict[str, Function] = {name: _rounded(body) for name, body in FUNCTIONS.items()}
"""The functions by name in float32: computed in float64, rounded once."""


def functions_of(dtype: torch.dtype) -> dict[str, Function]:
    """Return the functions by name for ``torch.float64`` or ``torch.float32``."""
    return FUNCTIONS if dtype == torch.float64 else SINGLE

"""Surrogates: the derivative of a spike with respect to the distance from its threshold.

The forward pass is always the condition of the cell. A surrogate acts in the backward pass alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from neurosim.errors import NetworkError, describe, describe_unknown

# Of snnTorch 1.0.0, found out by trying; the reason stands in the message.
BROKEN = {
    "SFS": "its gradient is 0 up to a distance of B above the threshold, so hardly anything learns",
    "LSO": "it hands its arguments to another function, which raises a TypeError",
}


@dataclass(frozen=True)
class Surrogate:
    """A derivative that stands in for that of a spike.

    Parameters
    ----------
    name : str
    derivative : function of a tensor
        From (difference of both sides of the condition) / width to the derivative, element by
        element and of the same type.
    """

    name: str
    derivative: Callable[[Tensor], Tensor]


def fast_sigmoid(slope: float = 25.0) -> Surrogate:
    """Return 1 / (1 + slope * abs(x))**2.

    Source: Zenke and Ganguli 2018, Neural Computation 30:1514.

    Parameters
    ----------
    slope : float (1)
    """
    slope = _read_positive("fast_sigmoid: slope", slope)

    def derivative(x: Tensor) -> Tensor:
        # In place after the first operation: it stays in the cache.
        return x.abs().mul_(slope).add_(1.0).square_().reciprocal_()

    return Surrogate("fast_sigmoid", derivative)


def atan(alpha: float = 2.0) -> Surrogate:
    """Return alpha / 2 / (1 + (pi / 2 * alpha * x)**2).

    Source: Fang et al. 2021, ICCV, eq. 13.

    Parameters
    ----------
    alpha : float (1)
    """
    alpha = _read_positive("atan: alpha", alpha)
    return Surrogate("atan", lambda x: alpha / 2 / (1 + (torch.pi / 2 * alpha * x) ** 2))


def sigmoid(slope: float = 25.0) -> Surrogate:
    """Return slope * s * (1 - s) with s = 1 / (1 + exp(-slope * x)).

    Source: Neftci et al. 2019, IEEE Signal Processing Magazine 36:51.

    Parameters
    ----------
    slope : float (1)
    """
    slope = _read_positive("sigmoid: slope", slope)

    def derivative(x: Tensor) -> Tensor:
        above = torch.sigmoid(slope * x)
        # 1 - s is the sigmoid of -x, without the cancellation.
        below = torch.sigmoid(-slope * x)
        return slope * above * below

    return Surrogate("sigmoid", derivative)


def triangle(half_width: float = 1.0) -> Surrogate:
    """Return max(0, 1 - abs(x) / half_width) / half_width.

    Source: Bellec et al. 2018, NeurIPS, eq. 3.

    Parameters
    ----------
    half_width : float (1)
    """
    half_width = _read_positive("triangle: half_width", half_width)

    def derivative(x: Tensor) -> Tensor:
        height = 1 - x.abs() / half_width
        # The area is 1 whatever the width.
        return torch.clamp(height, min=0) / half_width

    return Surrogate("triangle", derivative)


NAMED: dict[str, Callable[..., Surrogate]] = {
    "fast_sigmoid": fast_sigmoid,
    "atan": atan,
    "sigmoid": sigmoid,
    "triangle": triangle,
}


def read_surrogate(surrogate: object) -> Surrogate:
    """Return a surrogate: a name, one of this file, or a function such as those of snnTorch.

    Parameters
    ----------
    surrogate : str, Surrogate, or function of a tensor
        A function returns spikes, and autograd its derivative.

    Raises
    ------
    NetworkError
        If it is none, or known to be broken, or gives no usable derivative.
    """
    if isinstance(surrogate, str):
        if surrogate not in NAMED:
            raise NetworkError(f"surrogate: {describe_unknown('surrogate', surrogate, NAMED)}")
        return NAMED[surrogate]()
    if not isinstance(surrogate, Surrogate):
        if not callable(surrogate):
            raise NetworkError(
                f"surrogate: found {describe(surrogate)}, expected a name "
                f"({', '.join(sorted(NAMED))}), one of neurosim.gpu.surrogates, or a function such "
                "as snntorch.surrogate.fast_sigmoid(). Give one of these."
            )
        surrogate = _read_function(surrogate)
    _require_usable(surrogate)
    return surrogate


def _read_function(function: Callable[..., Any]) -> Surrogate:
    qualified = getattr(function, "__qualname__", "")
    # Functions of snnTorch are closures: "SFS.<locals>.inner".
    name = qualified.partition(".")[0] or type(function).__name__
    from_snntorch = getattr(function, "__module__", "") == "snntorch.surrogate"
    if from_snntorch and name in BROKEN:
        raise NetworkError(
            f"surrogate: found snntorch.surrogate.{name}, which is known to be broken: "
            f"{BROKEN[name]}. Use another, such as snntorch.surrogate.fast_sigmoid()."
        )

    def derivative(x: Tensor) -> Tensor:
        with torch.enable_grad():
            point = x.detach().requires_grad_(True)
            spikes = function(point)
            # The ones are exact in any precision: the derivative itself is float64, although
            # snnTorch returns spikes of float32.
            (gradient,) = torch.autograd.grad(spikes, point, torch.ones_like(spikes))
        # Far from the threshold snnTorch's sigmoid divides infinity by infinity.
        far = torch.isnan(gradient) & (x.abs() > 1)
        return torch.where(far, torch.zeros_like(x), gradient.to(x.dtype))

    return Surrogate(name, derivative)


def _require_usable(surrogate: Surrogate) -> None:
    """Raise unless the derivative can be computed, is finite, and not 0 around the threshold."""
    near = torch.linspace(-10, 10, 21, dtype=torch.float64) / 20  # with 0 itself
    where = f"surrogate {surrogate.name!r}"
    try:
        values = surrogate.derivative(near)
    except (TypeError, ValueError, RuntimeError) as error:
        raise NetworkError(
            f"{where}: its derivative raised {type(error).__name__} ({error}), expected a number "
            "for each distance from the threshold. Use another."
        ) from error
    if values.shape != near.shape or not bool(torch.isfinite(values).all()):
        raise NetworkError(
            f"{where}: found a derivative that is not one finite number for each distance from "
            "the threshold. Use another."
        )
    if not bool((values != 0).any()):
        raise NetworkError(
            f"{where}: found a derivative of 0 for all distances up to half a width from the "
            "threshold, so nothing would learn. Use another, such as 'fast_sigmoid'."
        )


def _read_positive(where: str, number: object) -> float:
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 < number < 1e300:
        raise NetworkError(
            f"surrogate {where}: found {describe(number)}, expected a number above 0. Correct it."
        )
    return float(number)


class _Spike(torch.autograd.Function):
    """Spikes forward, a surrogate backward."""

    @staticmethod
    def forward(
        ctx: Any,
        difference: Tensor,
        spiking: Tensor,
        active: Tensor | None,
        settings: Any,
    ) -> Tensor:
        ctx.save_for_backward(difference, active)
        ctx.settings = settings
        return spiking.to(difference.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        difference, active = ctx.saved_tensors
        surrogate, width = ctx.settings
        slope = surrogate.derivative(difference / width) / width
        gradient = gradients[0] * slope.to(difference.dtype)
        # A neuron that must not spike does not, wherever its voltage is.
        if active is not None:
            gradient = gradient * active
        return gradient, None, None, None


def spike(
    difference: Tensor,
    spiking: Tensor,
    *,
    active: Tensor | None,
    surrogate: Surrogate,
    width: float | Tensor,
) -> Tensor:
    """Return spikes, 1 or 0, whose derivative with respect to ``difference`` is a surrogate's.

    Parameters
    ----------
    difference : (B, N)
        Of both sides of the spike condition, positive if it holds.
    spiking : (B, N) bool
        The condition itself, and not refractory.
    active : (B, N) bool, optional
        Neurons that may spike.
    surrogate : Surrogate
    width : float or (N,)
        Unit of the surrogate's distance.
    """
    spikes: Tensor = _Spike.apply(  # type: ignore[assignment]
        difference, spiking, active, (surrogate, width)
    )
    return spikes

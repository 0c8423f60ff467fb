"""Differentiation on spike representation: a layer as a function of weighted firing rates.

With decay beta per step, gain kappa, drift c and a reset by theta, the weighted mean of spikes over
T steps is nearly ``clip((kappa * a(I) + c) / theta, 0, 1)``, where a(I) is the mean of the input
with weights ``beta**(T - t)``.

Source: Meng et al. 2022, CVPR, eqs. 5 to 12; Xiao et al. 2024, ICLR, for the even distribution of
a gradient over the steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from neurosim.errors import NetworkError

from .responses import Affine


@dataclass(frozen=True)
class RateCurve:
    """The weighted firing rate of a population as a function of its weighted mean input.

    Attributes
    ----------
    decay : (N,)
        beta.
    gain, drift, reset : (N,)
        kappa, c and theta.
    most : (N,) or float
        The largest rate, spikes per step.
    """

    decay: Tensor
    gain: Tensor
    drift: Tensor
    reset: Tensor
    most: Tensor | float

    def weights(self, steps: int) -> Tensor:
        """Return the weights of the steps, (T, 1, N), of sum 1."""
        # The last step has decayed least.
        past = torch.arange(steps - 1, -1, -1, device=self.decay.device)
        powers = self.decay.detach() ** past.to(self.decay).view(-1, 1, 1)
        return powers / powers.sum(0)

    def differentiate(self, currents: Tensor, spikes: Tensor) -> Tensor:
        """Return the spikes, as a function of the input in the graph.

        Parameters
        ----------
        currents : (T, B, N)
            Sums at the port in each step.
        spikes : (T, B, N)
        """
        weights = self.weights(spikes.shape[0])
        mean: Tensor = _WeightedMean.apply(currents, weights)  # type: ignore[assignment]
        rate = (self.gain * mean + self.drift) / self.reset
        most = torch.as_tensor(self.most).to(rate)
        # `clamp` takes numbers or tensors for both limits, not one of each.
        rate = torch.minimum(rate.clamp(min=0), most)
        return _Spikes.apply(rate, spikes, weights)  # type: ignore[return-value]


def rate_curve(
    affine: Affine | None,
    *,
    start: Tensor,
    before: Tensor,
    after: Tensor,
    slope: Tensor,
    pause: Tensor | None,
    where: str,
) -> RateCurve:
    """Return the rate curve of a population.

    Parameters
    ----------
    affine : Affine or None
        Its step.
    start : (N,)
        The state at the start.
    before, after : (N,)
        A state before and after a reset.
    slope : (N,)
        Derivative of the state after a reset with respect to the one before.
    pause : (1,) or (N,) int64, or None
        Refractory steps.
    where : str
        Begins messages.

    Raises
    ------
    NetworkError
        If its step is not linear in one state and its input, or a reset does not subtract.
    """
    if affine is None or affine.matrix.shape[0] != 1:
        raise NetworkError(
            f"{where}: found a step that is not linear in one state and its input, expected one "
            "that is, such as that of a leaky integrator. Use 'bptt'."
        )
    theta = before - after
    if bool((slope - 1).abs().max() > 1e-5) or not bool((theta > 0).all()):
        raise NetworkError(
            f"{where}: found a reset that does not subtract a positive number, expected "
            "after_spike='v -= threshold' or the like: a rate is what resets take away. Change "
            "the reset, or use 'bptt'."
        )
    # A refractory neuron spikes at most once in its pause and the step of the spike.
    decay = affine.matrix[0, 0]
    # Around the state at the start, which is usually the rest.
    drift = affine.constant[0] + decay * start - start
    most: Tensor | float = 1.0 if pause is None else 1.0 / (1.0 + pause.to(decay))
    return RateCurve(decay, affine.gain[0], drift, theta, most)


class _WeightedMean(torch.autograd.Function):
    """A weighted mean over steps, whose gradient is spread evenly over the steps."""

    @staticmethod
    def forward(ctx: Any, series: Tensor, weights: Tensor) -> Tensor:
        ctx.shape = series.shape
        return (series * weights).sum(0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        steps = ctx.shape[0]
        return (gradients[0] / steps).expand(ctx.shape), None


class _Spikes(torch.autograd.Function):
    """Spikes forward; backward, the weighted mean of the gradients of all steps, T times."""

    @staticmethod
    def forward(
        ctx: Any,
        rate: Tensor,
        spikes: Tensor,
        weights: Tensor,
    ) -> Tensor:
        ctx.save_for_backward(weights)
        return spikes.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (weights,) = ctx.saved_tensors
        steps = weights.shape[0]
        return steps * (gradients[0] * weights).sum(0), None, None

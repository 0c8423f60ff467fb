"""The linear response of a population to its input: what online traces and firing rates need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from neurosim.errors import NetworkError

Step = Callable[[Mapping[str, Tensor], Tensor], dict[str, Tensor]]
"""From states (R, N) and the sum at a port (R, N) to the states after phase 2."""

# Of the largest number: what is linear differs by rounding alone.
_ROUNDING = 1e-5


@dataclass(frozen=True)
class Affine:
    """The step of a population as ``M v + m x + c``.

    Attributes
    ----------
    matrix : (n, n, N)
        M: state j to state i.
    gain : (n, N)
        m.
    constant : (n, N)
        c.
    """

    matrix: Tensor
    gain: Tensor
    constant: Tensor


def affine_step(step: Step, start: Mapping[str, Tensor]) -> Affine | None:
    """Return the step of a population if it is affine in states and input, else None.

    Parameters
    ----------
    step : Step
    start : state -> (N,)
        Around which it is probed: far from it a clip may hide that a step is not linear.
    """
    states = list(start)
    n = len(states)
    like = start[states[0]]
    size = like.numel()
    # Rows: the start, each state and the input one further, and a mixture to test.
    rows = torch.zeros(n + 3, n + 1, dtype=like.dtype, device=like.device)
    rows[1 : n + 2] = torch.eye(n + 1, dtype=like.dtype, device=like.device)
    rows[n + 2] = torch.linspace(-1.5, 2.5, n + 1, dtype=like.dtype, device=like.device)
    states_before = {state: start[state] + rows[:, j : j + 1] for j, state in enumerate(states)}
    result = step(states_before, rows[:, n : n + 1].expand(n + 3, size))
    after = torch.stack([result[state].expand(n + 3, size) for state in states])  # (n, rows, N)
    slopes = after[:, 1 : n + 2] - after[:, :1]
    mixture = rows[n + 2][None, :, None]
    expected = after[:, 0] + (slopes * mixture).sum(1)
    error = (after[:, n + 2] - expected).abs().max()
    allowed = _ROUNDING * (1 + after.abs().max())
    # Not `error > allowed`: an error of NaN is no linear step either.
    if not bool(error <= allowed):
        return None
    matrix = slopes[:, :n]
    beginning = torch.stack([start[state] for state in states])
    constant = after[:, 0] - (matrix * beginning[None]).sum(1)
    return Affine(matrix, slopes[:, n], constant)


@dataclass(frozen=True)
class Response:
    """How a spike moves the distance of a target from its threshold in the following steps.

    The trace of a source is the effect of its past spikes on that distance, divided by the effect
    of a spike that arrives now.

    Attributes
    ----------
    matrix : (n, n)
    gain : (n,)
    reading : (n,)
        Derivative of the distance with respect to each state, divided by that of a spike now.
    """

    matrix: Tensor
    gain: Tensor
    reading: Tensor

    def follow(self, trace: Tensor | None, spikes: Tensor) -> Tensor:
        """Return the trace of all states, (B, N, n), after further spikes, (B, N)."""
        new = spikes.detach().unsqueeze(-1) * self.gain
        return new if trace is None else trace @ self.matrix.T + new

    def read(self, trace: Tensor) -> Tensor:
        """Return what multiplies the error, (B, N)."""
        return trace @ self.reading

    def over(self, spikes: Tensor) -> Tensor:
        """Return traces for all steps, (T, B, N)."""
        trace: Tensor | None = None
        read = []
        for now in spikes:
            trace = self.follow(trace, now)
            read.append(self.read(trace))
        return torch.stack(read) if read else spikes


def response_of(affine: Affine | None, direction: Tensor, *, where: str) -> Response:
    """Return the response of a population.

    Parameters
    ----------
    affine : Affine or None
    direction : (n, N)
        Derivative of the distance from threshold, or of a trace, with respect to each state.
    where : str
        Begins the message.

    Raises
    ------
    NetworkError
        If its step is not linear, its neurons differ, or a spike has no effect at once.
    """
    if affine is None or not _are_shared(affine.matrix, affine.gain, direction):
        raise NetworkError(
            f"{where}: found a step that is not linear in states and input, or not the same for "
            "all neurons; expected one that is, since one trace serves all targets. Use 'e-prop' "
            "or 'bptt'."
        )
    gain = affine.gain[:, 0].detach()
    along = direction[:, 0].detach()
    at_once = along @ gain
    if not bool(at_once != 0):
        raise NetworkError(
            f"{where}: found a spike that does not move the distance from the threshold in the "
            "step in which it arrives, expected one that does. Use 'e-prop' or 'bptt'."
        )
    return Response(affine.matrix[:, :, 0].detach(), gain, along / at_once)


def _are_shared(*coefficients: Tensor) -> bool:
    """Return whether all neurons, along the last axis, have the same coefficients."""
    for coefficient in coefficients:
        spread = (coefficient - coefficient[..., :1]).abs().max()
        if not bool(spread <= _ROUNDING * (1 + coefficient.abs().max())):
            return False
    return True

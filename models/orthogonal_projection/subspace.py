"""Subspace: lateral neurons whose connections learn the main directions of a layer's input.

Source: Xiao et al. 2024, ICLR, arXiv 2402.11984, with the values of the authors' published code;
the rule itself is Oja's subspace rule (Oja 1989, International Journal of Neural Systems 1:61).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurosim.draws.streams import Stream
from neurosim.errors import NetworkError

_GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Learning:
    """How lateral connections learn.

    Attributes
    ----------
    rate : float (1)
        eta of the rule; its speed is that times the variance of the input.
    momentum : float (1)
    iterations : int
        Steps of the rule for each minibatch.
    limit : float
        Bound of each entry of a step before it is multiplied by the rate.
    levels : int
        Of spiking lateral neurons, between 0 and the largest response; 0: linear ones.
    largest : float
        Response at which spiking lateral neurons saturate.
    scale : float (1)
        Input is multiplied by it: the height of a spike.
    most : int
        Rows of input that a minibatch teaches at most, spread evenly over it; 0: all. Patches of
        convolutions are many.
    complement : bool
        Whether new rows start orthogonal to old ones; in the published code they do not.
    """

    rate: float = 0.01
    momentum: float = 0.9
    iterations: int = 5
    limit: float = 10.0
    levels: int = 0
    largest: float = 20.0
    scale: float = 1.0
    complement: bool = False
    most: int = 0

    def __post_init__(self) -> None:
        wrong = {
            "rate": not self.rate > 0,
            "momentum": not 0 <= self.momentum < 1,
            "iterations": self.iterations < 1,
            "limit": not self.limit > 0,
            "levels": self.levels < 0,
            "largest": not self.largest > 0,
            "scale": not self.scale > 0,
            "most": self.most < 0,
        }
        for name, is_wrong in wrong.items():
            if is_wrong:
                raise NetworkError(
                    f"lateral learning, {name}: found {getattr(self, name)}, expected a number "
                    "above 0 (levels and most from 0 on, momentum from 0 to below 1). Correct it."
                )


class Subspace:
    """Rows of a lateral matrix: old ones, which are frozen and project, and new ones, which learn.

    Parameters
    ----------
    size : int
        N, of the input.
    learning : Learning
    like : Tensor
        Of whose type and device all rows are.

    Attributes
    ----------
    old : (M_old, N)
    new : (M_new, N)
    """

    def __init__(self, size: int, learning: Learning, *, like: Tensor) -> None:
        self.size = size
        self.learning = learning
        self.old = like.new_zeros(0, size).detach()
        self.new = self.old.clone()
        self._step = self.old.clone()

    @property
    def rows(self) -> Tensor:
        """All rows, (M, N)."""
        return torch.cat([self.old, self.new])

    def add(self, count: int, *, seed: int, name: str) -> None:
        """Add rows that will learn, orthonormal among themselves.

        Parameters
        ----------
        count : int
        seed : int
        name : str
            Of their draws.

        Raises
        ------
        NetworkError
            If there would be more rows than dimensions.
        """
        total = self.old.shape[0] + self.new.shape[0] + count
        if total > self.size:
            raise NetworkError(
                f"subspace {name!r}: found {total} rows in all, expected at most {self.size}, as "
                "many as its input has dimensions. Use fewer rows per task."
            )
        numbers = np.arange(count * self.size)
        draws = Stream(seed, name).normal(numbers, 0).reshape(count, self.size)
        if self.learning.complement:
            # Outside all rows there are already, so that nothing is learned twice.
            rows = self.rows.double().cpu().numpy()
            draws = draws - (draws @ rows.T) @ rows
        basis, _ = np.linalg.qr(draws.T)
        orthonormal = torch.from_numpy(basis.T).to(self.old)
        self.new = torch.cat([self.new, orthonormal])
        self._step = torch.zeros_like(self.new)

    def merge(self) -> None:
        """End a task: rows that learned are old ones from now on."""
        # Without orthonormalising: the rule itself keeps rows near orthonormal.
        self.old = self.rows
        self.new = self.old[:0].clone()
        self._step = self.new.clone()

    def respond(self, y: Tensor) -> Tensor:
        """Return the responses of lateral neurons to their input, (R, M)."""
        levels, largest = self.learning.levels, self.learning.largest
        if not levels:
            return y
        unit = largest / levels
        # Both signs: a spiking neuron stands for a pair of them.
        bounded = y.clamp(-largest, largest)
        return torch.round(bounded / unit) * unit

    def project(self, x: Tensor) -> Tensor:
        """Return input without its part in the old subspace.

        Parameters
        ----------
        x : (R, N)
        """
        scale = self.learning.scale
        responses = self.respond(scale * x @ self.old.T)
        return x - responses @ self.old / scale

    def learn(self, x: Tensor) -> None:
        """Take the steps of one minibatch: Hebbian by the input, anti-Hebbian by its feedback.

        Parameters
        ----------
        x : (R, N)
            Presynaptic activity.
        """
        learning = self.learning
        if not self.new.shape[0]:
            return
        x = self._choose_rows(x) * learning.scale
        correlation = self._correlation(x)
        momentum = learning.momentum
        for _ in range(learning.iterations):
            step = self._rule(x, correlation).clamp(-learning.limit, learning.limit)
            self._step = momentum * self._step + (1 - momentum) * step
            self.new = self.new + learning.rate * self._step

    def _choose_rows(self, x: Tensor) -> Tensor:
        count = x.shape[0]
        if not self.learning.most or count <= self.learning.most:
            return x
        # Golden steps meet all positions of an image alike, whatever its width.
        fractions = torch.arange(self.learning.most, dtype=torch.float64) * _GOLDEN % 1.0
        positions = (fractions * count).long()
        return x[positions.to(x.device)]

    def _correlation(self, x: Tensor) -> Tensor | None:
        """Return the correlation of the input if that is cheaper than its rows."""
        rows = x.shape[0]
        iterations = self.learning.iterations
        new = self.new.shape[0]
        # Multiplications per input dimension of both ways.
        by_rows = 2 * iterations * rows * new
        by_correlation = (rows + iterations * new) * self.size
        if self.learning.levels or by_rows <= by_correlation:
            return None
        return x.T @ x / rows

    def _rule(self, x: Tensor, correlation: Tensor | None) -> Tensor:
        """Return the change of the new rows by one step of the rule, (M_new, N)."""
        rows = self.rows
        if self.learning.levels:
            responses = self.respond(x @ rows.T)
            new = responses[:, self.old.shape[0] :]
            return new.T @ (x - responses @ rows) / x.shape[0]
        # For linear neurons the anti-Hebbian part is the Hebbian one, projected.
        if correlation is None:
            hebbian = (x @ self.new.T).T @ x / x.shape[0]
        else:
            hebbian = self.new @ correlation
        return hebbian - (hebbian @ rows.T) @ rows

    def deviation(self) -> float:
        """Return the largest entry of abs(H H^T - I), 1."""
        return orthonormality(self.rows)

    def state(self) -> dict[str, Any]:
        """Return everything that its future depends on."""
        return {"old": self.old, "new": self.new, "step": self._step}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a state of `state`."""
        self.old, self.new, self._step = (
            state[name].to(self.old) for name in ("old", "new", "step")
        )


def orthonormality(rows: Tensor) -> float:
    """Return the largest entry of abs(H H^T - I), 1.

    Parameters
    ----------
    rows : (M, N)
        H.
    """
    if not rows.shape[0]:
        return 0.0
    identity = torch.eye(rows.shape[0], dtype=rows.dtype, device=rows.device)
    return float((rows @ rows.T - identity).abs().max())

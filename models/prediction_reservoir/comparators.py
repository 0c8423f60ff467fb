"""Comparators of experiment X5: other readouts, no feedback, no gate, stronger noise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from .experiment import SWITCHES, Result, blocks, switches, tested
from .network import DEFAULTS, Settings
from .trials import Learner, Scheme, Truth, begin_trial

MERGED = Scheme(attends_all=True, outcome_height=True, factorised=False)
UNGATED = Scheme(attends_all=True)


class LeastSquares:
    """Recursive least squares on a merged readout (as in FORCE: Sussillo & Abbott 2009, Neuron
    63:544; no forgetting).

    Parameters
    ----------
    learner : Learner
        Its own rule has rate 0; its network computes readout and feedback in every step with the
        weights set here.
    every : int
        Steps from one update to the next; a divisor of the trial.
    """

    def __init__(self, learner: Learner, *, every: int = 10) -> None:
        self.learner, self.every = learner, every
        size = learner.settings.size
        self.inverse = np.eye(size) * 10.0 / learner.calibration.power
        self.weights = np.zeros((size, 2))

    def train(self, truth: Truth, outcome: int) -> None:
        """Run one trial; the target is the bump of the delivered event and 0 for the other, at all
        times.
        """
        run = self.learner.trainer
        targets = truth.bumps(self.learner.settings) * np.eye(2)[outcome]
        begin_trial(run, self.learner.settings, latencies=truth.latencies)
        for wanted in targets[self.every - 1 :: self.every]:
            run.run(float(self.every), progress=False)
            self.update(run.get("when", "x"), wanted)
            run.set("when", w=self.weights.ravel())

    def update(self, x: np.ndarray, wanted: np.ndarray) -> None:
        """Move the weights (N, 2) towards the targets (2,) at the activity x (N,).

        Without BLAS, whose threads wait for one another where several experiments share the cores:
        16 ms instead of 1.
        """
        error = wanted - np.einsum("i,ik->k", x, self.weights)
        px = np.einsum("ij,j->i", self.inverse, x)
        gain = px / (1.0 + (x * px).sum())
        for rows in (
            slice(first, first + 50) for first in range(0, len(x), 50)
        ):  # blocks that stay in the cache
            self.inverse[rows] -= np.multiply.outer(gain[rows], px)
        self.weights += np.multiply.outer(gain, error)


def least_squares(
    backend: str,
    *,
    seed: int,
    settings: Settings = DEFAULTS,
    every: int = 10,
    truths: tuple[Truth, ...] = SWITCHES,
) -> Result:
    """X5 (i): the blocks of X2 with global least squares."""
    learner = Learner(backend, settings=replace(settings, rate_when=0.0), seed=seed, scheme=MERGED)
    found = list(blocks(learner, truths, train=LeastSquares(learner, every=every).train))
    return {"blocks": found, "tested": tested(settings)}


def merged(backend: str, *, seed: int, settings: Settings = DEFAULTS, **options: Any) -> Result:
    """X5 (ii): the local rule on one readout per channel, whose target is flat in trials that
    deliver the other event.
    """
    return switches(backend, seed=seed, settings=settings, scheme=MERGED, **options)


def without_feedback(
    backend: str, *, seed: int, settings: Settings = DEFAULTS, **options: Any
) -> Result:
    """X5 (iii)."""
    return switches(backend, seed=seed, settings=replace(settings, feedback=0.0), **options)


def without_gate(
    backend: str, *, seed: int, settings: Settings = DEFAULTS, **options: Any
) -> Result:
    """X5 (iv): both channels learn at all times of every trial."""
    return switches(
        backend,
        seed=seed,
        settings=replace(settings, reach=settings.trial),
        scheme=UNGATED,
        **options,
    )


def noisy(backend: str, *, seed: int, settings: Settings = DEFAULTS, **options: Any) -> Result:
    """X2 with three times the noise."""
    return switches(backend, seed=seed, settings=replace(settings, noise=0.3), **options)

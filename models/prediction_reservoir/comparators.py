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
    """Recursive least squares on a merged readout, without forgetting.

    Source: Sussillo & Abbott 2009, Neuron 63:544 (FORCE).

    Parameters
    ----------
    learner : Learner
        Its own rule has rate 0; its network computes readout and feedback in every step with the
        weights set here.
    every : int
        Steps from one update to the next; a divisor of the trial.
    """

    def __init__(self, learner: Learner, *, every: int = 10) -> None:
        self.learner = learner
        self.every = every
        size = learner.settings.size
        # In units of the activity, so that the first steps have the same size for all settings.
        self.inverse = np.eye(size) * 10.0 / learner.calibration.power
        self.weights = np.zeros((size, 2))

    def train(self, truth: Truth, outcome: int) -> None:
        """Run one trial; the target is the bump of the delivered event, and 0 for the other."""
        run = self.learner.trainer
        settings = self.learner.settings
        is_delivered = np.eye(2)[outcome]
        targets = truth.bumps(settings) * is_delivered
        begin_trial(run, settings, latencies=truth.latencies)
        # Row k is for the end of step k, at which the run stands.
        for wanted in targets[self.every - 1 :: self.every]:
            run.run(float(self.every), progress=False)
            self.update(run.get("when", "x"), wanted)
            run.set("when", w=self.weights.ravel())

    def update(self, x: np.ndarray, wanted: np.ndarray) -> None:
        """Move the weights (N, 2) towards the targets (2,) at the activity x (N,)."""
        # Without BLAS, whose threads wait for each other if several experiments share the cores:
        # 16 ms instead of 1.
        error = wanted - np.einsum("i,ik->k", x, self.weights)
        px = np.einsum("ij,j->i", self.inverse, x)
        gain = px / (1.0 + (x * px).sum())
        # In blocks that stay in the cache.
        for first in range(0, len(x), 50):
            rows = slice(first, first + 50)
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
    """Return X5 (i): the blocks of X2 with global least squares.

    Parameters
    ----------
    backend : str
    seed : int
    settings : Settings
    every : int
        Steps from one update to the next.
    truths : tuple of Truth
        Of the blocks.
    """
    # Rate 0: the rule of the network reads out and feeds back, and least squares alone learns.
    still = replace(settings, rate_when=0.0)
    learner = Learner(backend, settings=still, seed=seed, scheme=MERGED)
    trainer = LeastSquares(learner, every=every)
    by_block = list(blocks(learner, truths, train=trainer.train))
    return {"blocks": by_block, "tested": tested(settings)}


def merged(
    backend: str,
    *,
    seed: int,
    settings: Settings = DEFAULTS,
    **options: Any,
) -> Result:
    """Return X5 (ii): the local rule on one readout per channel.

    Its target is flat in trials that deliver the other event.

    Parameters
    ----------
    backend : str
    seed : int
    settings : Settings
    **options
        Of `switches`.
    """
    return switches(backend, seed=seed, settings=settings, scheme=MERGED, **options)


def without_feedback(
    backend: str,
    *,
    seed: int,
    settings: Settings = DEFAULTS,
    **options: Any,
) -> Result:
    """Return X5 (iii): X2 without the feedback of the readouts.

    Parameters
    ----------
    backend : str
    seed : int
    settings : Settings
    **options
        Of `switches`.
    """
    open_loop = replace(settings, feedback=0.0)
    return switches(backend, seed=seed, settings=open_loop, **options)


def without_gate(
    backend: str,
    *,
    seed: int,
    settings: Settings = DEFAULTS,
    **options: Any,
) -> Result:
    """Return X5 (iv): both channels learn at all times of every trial.

    Parameters
    ----------
    backend : str
    seed : int
    settings : Settings
    **options
        Of `switches`.
    """
    # A window as long as the trial is always open.
    always = replace(settings, reach=settings.trial)
    return switches(
        backend,
        seed=seed,
        settings=always,
        scheme=UNGATED,
        **options,
    )


def noisy(
    backend: str,
    *,
    seed: int,
    settings: Settings = DEFAULTS,
    **options: Any,
) -> Result:
    """Return X2 with three times the noise.

    Parameters
    ----------
    backend : str
    seed : int
    settings : Settings
    **options
        Of `switches`.
    """
    loud = replace(settings, noise=0.3)
    return switches(backend, seed=seed, settings=loud, **options)

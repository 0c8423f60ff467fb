"""Learners: networks of this model with their losses, for a course of tasks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

import neurosim as ns
from neurosim.gpu import Trainer, surrogates

from ..continual_learning.learner import Learner
from .lateral import LateralCircuits, Rows, protect
from .network import build
from .settings import HEIGHT, STEP, Settings
from .strategy import Projected
from .subspace import Learning

SLOPE = 4.0  # of the sigmoid surrogate: its derivative is 1 at the threshold
RATE_OF_PIXELS = 0.001  # of lateral learning at the input, whose norm is large
RATE = 0.01


def make_learner(
    settings: Settings,
    seed: int,
    *,
    net: ns.Network | None = None,
    device: str | None = None,
) -> Learner:
    """Return the learner of a network.

    Parameters
    ----------
    settings : Settings
    seed : int
        Of weights at the start.
    net : Network, optional
        With the populations and projections of `build`, such as one of convolutions.
    device : "cuda", "cuda:N" or "cpu", optional
    """
    net = net or build(settings, seed)
    heads = tuple(f"output{number}.v" for number in range(1, settings.heads + 1))
    layers = [name for name in net.projections if name.startswith(("layer", "head"))]
    feedback = {}
    if settings.feedback != "same":
        feedback = dict.fromkeys(layers, settings.feedback)
    trainer = Trainer(
        net,
        inputs="pixels.value",
        outputs=list(heads) or "output.v",
        train=layers,
        method=settings.way,
        surrogate=surrogates.sigmoid(SLOPE),
        width=_widths(net, settings),
        feedback=feedback,
        device=device,
        # On CUDA devices compiling would take minutes for each size of a batch.
        compiled=device == "cpu" or not torch.cuda.is_available(),
    )
    # Values reach the first layer one step after they are set.
    steps = settings.duration + 1
    weights = step_weights(settings).to(trainer.device)
    loss = partial(_loss_of_mean, weights=weights)
    if settings.way == "ottt":
        loss = _loss_of_steps

    def hold(values: Tensor) -> Tensor:
        """Repeat pixels in each step: (B, N) -> (T + 1, B, N)."""
        return values.unsqueeze(0).expand(steps, -1, -1)

    def make_optimizer(trainer: Trainer) -> torch.optim.Optimizer:
        learned = [value for value in trainer.parameters() if value.requires_grad]
        return torch.optim.SGD(learned, lr=settings.rate, momentum=settings.momentum)

    return Learner(
        trainer,
        encode=hold,
        loss=loss,
        answer=partial(_mean, weights=weights),
        optimizer=make_optimizer,
        epochs=settings.epochs,
        batch=settings.batch,
        heads=heads,
    )


def _widths(net: ns.Network, settings: Settings) -> dict[str, float] | None:
    """Return the widths of surrogates: one threshold, so that they depend on v as published."""
    if settings.way == "dsr":
        return None
    spiking = [
        name for name, population in net.populations.items() if population.cell.spike is not None
    ]
    return dict.fromkeys(spiking, 1.0)


def step_weights(settings: Settings) -> Tensor:
    """Return the weights of the T steps in an answer, of sum 1: later ones count more for DSR.

    Parameters
    ----------
    settings : Settings
    """
    steps = settings.duration
    weights = torch.ones(steps)
    if settings.way == "dsr":
        # Steps from each to the last one.
        past = torch.arange(steps - 1, -1, -1)
        weights = torch.exp(-past * STEP)
    return weights / weights.sum()


def projected(
    learner: Learner,
    settings: Settings,
    rows: Mapping[str, Rows],
    *,
    seed: int,
    share: float | None = None,
    most: int = 0,
) -> Projected:
    """Put lateral circuits around layers of a learner, and return them as a strategy.

    Parameters
    ----------
    learner : Learner
        Of `make_learner`.
    settings : Settings
    rows : mapping of projection -> int or list of int
        New rows of each task.
    seed : int
    share : float (1), optional
        See `Projected`.
    most : int
        See `Learning`.
    """
    circuits = _circuits(learner.trainer, settings, rows, seed=seed, most=most)
    return Projected(circuits, share=share)


def _circuits(
    trainer: Trainer,
    settings: Settings,
    rows: Mapping[str, Rows],
    *,
    seed: int,
    most: int,
) -> LateralCircuits:
    learning = {}
    for name in rows:
        reads_pixels = name == "layer1"
        rate = RATE
        # Whole images have a large norm; patches of them do not.
        if reads_pixels and trainer[name].ndim == 2:
            rate = RATE_OF_PIXELS
        scale = 1.0
        # Spikes for DSR have a height, which the network has moved behind the synapse.
        if settings.way == "dsr" and not reads_pixels:
            scale = HEIGHT
        learning[name] = Learning(rate=rate, levels=settings.levels, scale=scale, most=most)
    return protect(trainer, rows, learning=learning, seed=seed)


def _mean(output: Tensor, weights: Tensor) -> Tensor:
    # The first step has no input yet.
    steps = output[1:]
    weighted = steps * weights.to(output)[:, None, None]
    return weighted.sum(0)


def _loss_of_mean(output: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    return cross_entropy(_mean(output, weights), labels)


def _loss_of_steps(output: Tensor, labels: Tensor) -> Tensor:
    """Return the mean over steps of each step's own loss, as online learning needs it."""
    steps = output[1:]
    return cross_entropy(steps.flatten(0, 1), labels.repeat(steps.shape[0]))

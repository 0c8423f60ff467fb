"""A long course: 1000 steps of Izhikevich neurons there and back, step by step and compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

import neurosim as ns
from neurosim.gpu import Trainer
from neurosim.models import cells

from ..report import spread
from .layers import clock_of

INPUTS, NEURONS = 70, 256


def network() -> ns.Network:
    """Return 256 regular spiking neurons that 70 inputs reach within a step."""
    net = ns.Network("course", dt="1 ms", seed=1)
    inputs = net.spike_source("inputs", INPUTS)
    neurons = net.population("neurons", NEURONS, cells.izhikevich(synapse="delta"))
    net.project(
        inputs,
        neurons,
        ns.all_to_all(),
        weight=ns.normal("1 mV", "3 mV"),
        port="synaptic",
        same_step=True,
        name="layer",
    )
    return net


def time_course(*, steps: int, batch: int, repetitions: int) -> dict[str, Any]:
    """Time forward and backward passes in turn, on the processor.

    Parameters
    ----------
    steps, batch : int
    repetitions : int
        After one that does not count, in which loops are compiled.

    Raises
    ------
    ValueError
        If the neurons are silent, or spikes or gradients of both ways differ.
    """
    generator = torch.Generator().manual_seed(1)
    spikes = (torch.rand(steps, batch, INPUTS, generator=generator) < 0.05).float()
    trainers = {
        name: Trainer(
            network(),
            inputs="inputs",
            outputs="neurons",
            train=["layer"],
            device="cpu",
            compiled=name == "compiled",
        )
        for name in ("eager", "compiled")
    }
    seconds: dict[str, list[float]] = {name: [] for name in trainers}
    results: dict[str, tuple[Tensor, Tensor]] = {}
    for turn in range(repetitions + 1):
        for name, trainer in trainers.items():
            passed, results[name] = _pass(trainer, spikes)
            if turn:
                seconds[name].append(passed)
    _require_equal(results)
    ratios = np.divide(seconds["eager"], seconds["compiled"])
    return {
        "work": f"{NEURONS} Izhikevich neurons, T {steps}, batch {batch}",
        "seconds": {name: spread(times) for name, times in seconds.items()},
        "eager in times of compiled": spread(ratios.tolist()),
        "seconds of compiling": trainers["compiled"].compile_seconds,
        "spikes per neuron": float(results["eager"][0].sum()) / batch / NEURONS,
    }


def _pass(trainer: Trainer, spikes: Tensor) -> tuple[float, tuple[Tensor, Tensor]]:
    """Return the seconds of a pass there and back, and its spikes and gradient.

    Its graph ends with it: no other pass may pay for that.
    """
    trainer.zero_grad()
    clock = clock_of(spikes.device)
    began = clock()
    output = trainer(spikes)
    output.sum().backward()
    seconds = clock() - began
    gradient = trainer["layer"].grad
    if gradient is None:
        raise ValueError("expected a gradient, found none")
    return seconds, (output.detach(), gradient.clone())


def _require_equal(results: dict[str, tuple[Tensor, Tensor]]) -> None:
    (spikes, gradient), (other, measured) = results["eager"], results["compiled"]
    if not spikes.any():
        raise ValueError("no neuron spikes")
    if not torch.equal(spikes, other):
        raise ValueError("expected the same spikes of both ways, found others")
    difference = float((gradient - measured).norm() / gradient.norm())
    if not difference < 1e-3:
        raise ValueError(f"expected the same gradients, found a difference of {difference:.2g}")

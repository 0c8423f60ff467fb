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


def network(*, recurrent: bool = False) -> ns.Network:
    """Return 256 regular spiking neurons that 70 inputs reach within a step.

    Parameters
    ----------
    recurrent : bool
        Whether they also reach each other, a step later.
    """
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
    if recurrent:
        weight = ns.normal("0 mV", "0.5 mV")
        net.project(
            neurons, neurons, ns.all_to_all(), weight=weight, port="synaptic", name="recurrent"
        )
    return net


def time_course(
    *,
    steps: int,
    batch: int,
    repetitions: int,
    recurrent: bool = False,
) -> dict[str, Any]:
    """Time forward and backward passes in turn, on the processor.

    Parameters
    ----------
    steps, batch : int
    repetitions : int
        After one that does not count, in which loops are compiled.
    recurrent : bool
        Whether the neurons reach each other; then these weights learn, too.

    Raises
    ------
    ValueError
        If the neurons are silent, or spikes or gradients of both ways differ.
    """
    generator = torch.Generator().manual_seed(1)
    spikes = (torch.rand(steps, batch, INPUTS, generator=generator) < 0.05).float()
    trainers = {
        name: Trainer(
            network(recurrent=recurrent),
            inputs="inputs",
            outputs="neurons",
            train=["layer", "recurrent"] if recurrent else ["layer"],
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
    adjective = "recurrent " if recurrent else ""
    return {
        "work": f"{NEURONS} {adjective}Izhikevich neurons, T {steps}, batch {batch}",
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
    gradients = [trainer[name].grad for name in trainer.learns]
    flat = torch.cat([g.flatten() for g in gradients if g is not None])
    if len(gradients) > sum(g is not None for g in gradients):
        raise ValueError("expected a gradient of each name that learns, found none of some")
    return seconds, (output.detach(), flat)


def _require_equal(results: dict[str, tuple[Tensor, Tensor]]) -> None:
    (spikes, gradient), (other, measured) = results["eager"], results["compiled"]
    if not spikes.any():
        raise ValueError("no neuron spikes")
    if not torch.equal(spikes, other):
        raise ValueError("expected the same spikes of both ways, found others")
    difference = float((gradient - measured).norm() / gradient.norm())
    if not difference < 1e-3:
        raise ValueError(f"expected the same gradients, found a difference of {difference:.2g}")

"""The organised liquid with fixed weights, of parts that other simulators have as well."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

import neurosim as ns
from neurosim.recording.samples import Spikes

from .. import cells
from .samples import Liquid

PERIOD = 500  # ms from sample to sample, the half of it silent, after which 2 % of v are left
# The published current decays step by step from its full weight: the sum of exp(-k) is felt in all,
# where an exact exponential current of 1 ms brings 1.
GAIN = 1 / (1 - math.exp(-1))


def frozen(liquid: Liquid, spikes: Sequence[ArrayLike] | None = None) -> ns.Network:
    """Return a network of library cells and static edges with the weights that a liquid has now.

    It runs on simulators that have neither this cell nor this rule. It is another model: weights do
    not change within a sample, currents of several spikes of a source add up, a refractory neuron
    holds its potential, and steps are exact instead of Euler's.

    Parameters
    ----------
    liquid : Liquid
    spikes : 784 arrays of steps, optional
        Of each input, such as `input_spikes` returns. None: no spikes.

    Returns
    -------
    Network
        With the populations ``input`` and ``liquid``, recording spikes of the latter.
    """
    settings = liquid.settings
    size = settings.side**3
    steps: list[ArrayLike] = [[]] * settings.inputs
    if spikes is not None:
        steps = list(spikes)
    net = ns.Network("frozen_liquid", dt="1 ms", seed=liquid.seed)
    source = net.spike_source("input", settings.inputs, steps=steps)
    cell = cells.lif_exponential(
        tau="64 ms",
        tau_exc="1 ms",
        tau_inh="1 ms",
        rest="0 mV",
        threshold="20 mV",
        refractory="2 ms",
        capacity="1 nF",
    )
    target = net.population("liquid", size, cell)
    for name, weights in liquid.weights().items():
        edges = liquid.run.network.projections[name]
        start = source if edges.source == "input" else target
        # Ports take sizes of weights; the sign says which port.
        for port, chosen in (("excitatory", weights > 0), ("inhibitory", weights < 0)):
            if chosen.any():
                net.project(
                    start,
                    target,
                    ns.from_arrays(edges.sources[chosen], edges.targets[chosen]),
                    weight=GAIN * np.abs(weights[chosen]),
                    port=port,
                    delay="1 ms",
                    name=f"{name}.{port}",
                )
    net.record(target, "spikes")
    return net


def input_spikes(
    liquid: Liquid, images: Sequence[ArrayLike], *, first: int = 0
) -> list[NDArray[np.int64]]:
    """Return the steps in which each input spikes while images are shown one after another.

    Sample n begins at n times 500 ms and lasts 250 ms; events are those of `Liquid.present`.

    Parameters
    ----------
    liquid : Liquid
    images : B images
        As `Liquid` takes them.
    first : int
        Number of the first one.
    """
    raster = liquid.input_rasters(images, first=first)
    sample, step, index = np.nonzero(raster)
    steps = sample * PERIOD + step
    return [steps[index == number] for number in range(raster.shape[2])]


def counts_of_samples(spikes: Spikes, *, samples: int) -> NDArray[np.int64]:
    """Return the spikes of each neuron in each sample, (B, N).

    Parameters
    ----------
    spikes : Spikes
        Of a run over `input_spikes`.
    samples : int
    """
    sample, step = np.divmod(spikes.step, PERIOD)
    inside = (sample < samples) & (step < PERIOD // 2)
    counts = np.zeros((samples, spikes.size), np.int64)
    np.add.at(counts, (sample[inside], spikes.index[inside]), 1)
    return counts

"""Networks that tests train, and their samples run one by one on a backend."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

import neurosim as ns
from neurosim.models import cells


def run_samples(
    net: ns.Network, inputs: Mapping[str, np.ndarray], *, populations: list[str], backend: str
) -> dict[str, np.ndarray]:
    """Return the spikes of populations for samples of input spikes, run one after the other.

    Parameters
    ----------
    net : Network
        Its recordings are replaced.
    inputs : source -> (T, B, N)
    populations : names
    backend : str

    Returns
    -------
    dict
        Population -> (T, B, N), 0 or 1.
    """
    net.probes.clear()
    for name in populations:
        net.record(net.populations[name], "spikes")
    steps, samples, _ = next(iter(inputs.values())).shape
    run = ns.prepare(net, backend=backend)
    start = run.snapshot()
    result = {name: np.zeros((steps, samples, net.populations[name].size)) for name in populations}
    for b in range(samples):
        run.restore(start, clock=True)
        for name, spikes in inputs.items():
            when, index = np.nonzero(spikes[:, b])
            run.set(name, steps=(index, when))
        run.run(steps * net.dt)
        recording = run.result()
        for name in populations:
            train = recording[name].spikes
            result[name][train.step, b, train.index] = 1.0
    return result


def layered(*, seed: int = 1, same_step: bool = False) -> ns.Network:
    """Return a network of two layers of LIF neurons, 50-40-10."""
    net = ns.Network("layers", dt="1 ms", seed=seed)
    source = net.spike_source("inputs", 50)
    hidden = net.population("hidden", 40, cells.lif_delta(tau="10 ms", refractory="2 ms"))
    output = net.population("output", 10, cells.lif_delta(tau="10 ms", refractory="0 ms"))
    everyone = ns.all_to_all()
    net.project(
        source,
        hidden,
        everyone,
        weight=ns.normal("2 mV", "4 mV"),
        name="first",
        same_step=same_step,
    )
    net.project(
        hidden,
        output,
        everyone,
        weight=ns.normal("4 mV", "4 mV"),
        name="second",
        same_step=same_step,
    )
    return net

"""Networks that tests train, and their samples run one by one on a backend."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

import neurosim as ns
from neurosim.models import cells

# A current that makes each cell spike, the weight of an input spike, and dt.
CELLS = {
    "lif": (cells.lif(current="0.25 nA"), "0.1 nA", 0.5),
    "lif_delta": (cells.lif_delta(current="0.25 nA"), "3 mV", 0.5),
    "lif_exponential": (cells.lif_exponential(current="1 nA"), "0.3 nA", 0.5),
    "lif_conductance": (cells.lif_conductance(current="0.2 nA"), "0.01 uS", 0.5),
    "lif_alpha": (cells.lif_alpha(current="0.5 nA"), "0.3 nA", 0.5),
    "lif_conductance_alpha": (cells.lif_conductance_alpha(current="0.4 nA"), "0.01 uS", 0.1),
    "adex_exponential": (cells.adex_exponential(current="1.2 nA"), "0.3 nA", 0.1),
    "adex_conductance": (cells.adex_conductance(current="1.2 nA"), "0.01 uS", 0.1),
    "izhikevich": (cells.izhikevich(synapse="delta", current="10 mV/ms"), "2 mV", 1.0),
    "izhikevich exponential": (
        cells.izhikevich(synapse="exponential", current="8 mV/ms"),
        "2 mV/ms",
        1.0,
    ),
    "izhikevich noise": (
        cells.izhikevich(synapse="delta", current="4 mV/ms", noise="5 mV/ms"),
        "2 mV",
        1.0,
    ),
    "izhikevich_2007": (cells.izhikevich_2007(current="0.3 nA"), "0.05 nA", 0.5),
    "hodgkin_huxley": (cells.hodgkin_huxley(current="2 nA"), "0.01 uS", 0.05),
}
SAMPLES, SIZE = 2, 3


def driven(name: str) -> ns.Network:
    """Return a few neurons that a source drives."""
    cell, weight, dt = CELLS[name]
    net = ns.Network("driven", dt=f"{dt} ms", seed=7)
    source = net.spike_source("inputs", 4)
    neurons = net.population("neurons", SIZE, cell)
    port = next(name for name, _ in cell.receives if name in ("synaptic", "excitatory"))
    net.project(source, neurons, ns.all_to_all(), weight=weight, port=port, name="layer")
    return net


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

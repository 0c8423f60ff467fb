"""
The window of pair STDP
=======================

One pair of spikes per synapse, at distances from -60 to 60 ms, shows how a rule changes a weight.
The rule has four dependences on the weight, after Morrison, Diesmann & Gerstner (2008).
"""

import matplotlib.pyplot as plt
import numpy as np

import neurosim as ns
from neurosim.models import plasticity

# %%
# Source neuron i fires at 100 ms, target neuron i fires ``distances[i]`` later. The target is a
# cell that fires one step after a spike arrives at its port ``kick``, so the script decides when
# it fires. Synapses arrive at another port, which does nothing.

distances = np.arange(-60, 61, 2)  # ms
pairs = len(distances)
relay = ns.Cell(
    "kick : 1; ignored : nA",
    receives={"kick": ns.Port("1", into="kick"), "ignored": ns.Port("nA", into="ignored")},
    spike="kick > 0",
    after_spike="kick = 0",
    name="relay",
)


def changes(dependence: str, weight: float) -> np.ndarray:
    """Return the change of the weight (nA) at each distance."""
    net = ns.Network("window", dt="0.1 ms")
    source = net.spike_source("source", pairs, times=[[100.0]] * pairs)
    command = net.spike_source("command", pairs, times=[[99.9 + d] for d in distances])
    target = net.population("target", pairs, relay)
    net.project(command, target, ns.one_to_one(), weight=1.0, port="kick")
    synapses = net.project(
        source,
        target,
        ns.one_to_one(),
        rule=plasticity.stdp(dependence=dependence, relative=True, w_max="1 nA"),
        weight=weight,
        port="ignored",
        name="synapses",
    )
    run = ns.prepare(net)
    run.run("200 ms")
    return run.get(synapses, "w") - weight


# %%
# An additive rule changes every weight by the same amount. The others change a strong synapse
# less, or more, than a weak one.

figure, panels = plt.subplots(1, 4, figsize=(11, 2.8), sharey=True, layout="constrained")
dependences = ("additive", "multiplicative", "power-law", "guetig")
for panel, dependence in zip(panels, dependences, strict=True):
    for weight in (0.2, 0.5, 0.8):
        panel.plot(distances, 1000 * changes(dependence, weight), label=f"w = {weight} nA")
    panel.axhline(0, color="0.7", linewidth=0.8, zorder=0)
    panel.set(title=dependence, xlabel="target after source (ms)")
panels[0].set_ylabel("change of weight (pA)")
panels[0].legend(frameon=False, fontsize="small")

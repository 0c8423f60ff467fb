"""
Pairs at different rates
========================

Sixty pairs of spikes, target 10 ms after source or before it, weaken or strengthen a synapse
depending on how fast they follow each other. A rule of pairs cannot show this; a rule of triplets
does. After Pfister & Gerstner (2006), who explain data of Sjostrom, Turrigiano & Nelson (2001).
"""

import matplotlib.pyplot as plt
import numpy as np

import neurosim as ns
from neurosim.models import plasticity

# %%
# The target fires one step after a spike arrives at its port "kick": the script decides when.

relay = ns.Cell(
    "kick : 1; ignored : nA",
    receives={"kick": ns.Port("1", into="kick"), "ignored": ns.Port("nA", into="ignored")},
    spike="kick > 0",
    after_spike="kick = 0",
    name="relay",
)
frequencies = np.array([1, 5, 10, 20, 30, 40, 50])  # Hz


def changes(distance: float) -> np.ndarray:
    """Return the relative change of each weight; the target fires ``distance`` ms later."""
    net = ns.Network("triplets", dt="0.1 ms")
    times = [100 + 1000 / f * np.arange(60) for f in frequencies]
    number = len(frequencies)
    source = net.spike_source("source", number, times=[np.round(t, 1) for t in times])
    command = net.spike_source(
        "command", number, times=[np.round(t + distance - 0.1, 1) for t in times]
    )
    target = net.population("target", number, relay)
    net.project(command, target, ns.one_to_one(), weight=1, port="kick")
    synapses = net.project(
        source,
        target,
        ns.one_to_one(),
        rule=plasticity.triplet_stdp(relative=True, w_max="2 nA"),
        weight="1 nA",
        port="ignored",
        name="synapses",
    )
    run = ns.prepare(net)
    run.run("61 s")
    return run.get(synapses, "w") - 1


figure, panel = plt.subplots(figsize=(6, 3.5), layout="constrained")
for distance in (10, -10):
    panel.plot(frequencies, 100 * changes(distance), "o-", label=f"target {distance:+d} ms")
panel.axhline(0, color="0.7", linewidth=0.8, zorder=0)
panel.set(xlabel="pairs each second (Hz)", ylabel="change of weight (%)")
panel.legend(frameon=False)

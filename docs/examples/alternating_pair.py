"""
Taking turns
============

Two neurons that inhibit each other, and tire while they fire, take turns: the smallest circuit
that makes a rhythm. After the half-centre oscillator of Brown (1911), as Wang & Rinzel (1992)
analyse it, with adaptive exponential neurons.
"""

import matplotlib.pyplot as plt

import neurosim as ns
from neurosim.models import cells

neuron = cells.adex_exponential(
    a="4 nS", b="60 pA", tau_w="400 ms", current="0.9 nA", tau_inh="20 ms", reset="-58 mV"
)
net = ns.Network("turns", dt="0.1 ms", seed=1)
pair = net.population("pair", 2, neuron, v=[-60, -70])
other = ns.all_to_all(autapses=False)
net.project(pair, pair, other, weight="0.6 nA", delay="1 ms", port="inhibitory")
net.record(pair, "v", "w", every="0.5 ms")
net.record(pair, "spikes")

result = ns.simulate(net, "3 s")

# %%
# Voltages, and the adaptation currents that end each turn.

figure, (top, bottom) = plt.subplots(2, 1, figsize=(9, 5), sharex=True, layout="constrained")
ns.plot.traces(result["pair"], "v", ax=top)
ns.plot.traces(result["pair"], "w", ax=bottom)

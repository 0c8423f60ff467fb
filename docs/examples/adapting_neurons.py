"""
One neuron, many patterns
=========================

An exponential integrate-and-fire neuron with an adaptation current fires regularly, adapts, bursts
or fires a first burst and then single spikes, depending on four parameters. After Naud, Marcille,
Clopath & Gerstner (2008), table 1.
"""

import matplotlib.pyplot as plt

import neurosim as ns
from neurosim.models import cells

# %%
# Capacity (pF), leak (nS), rest (mV), slope (mV), a (nS), tau_w (ms), b (pA), reset (mV) and
# input (pA).

patterns = {
    "tonic": (200, 10, -70, 2, 2, 30, 0, -58, 500),
    "adapting": (200, 12, -70, 2, 2, 300, 60, -58, 500),
    "initial burst": (130, 18, -58, 2, 4, 150, 120, -50, 400),
    "regular bursts": (200, 10, -58, 2, 2, 120, 100, -46, 210),
    "delayed": (200, 12, -70, 2, -10, 300, 0, -58, 300),
    "irregular": (100, 12, -60, 2, -11, 130, 30, -48, 160),
}
capacity, leak, rest, slope, a, tau_w, b, reset, current = map(
    list, zip(*patterns.values(), strict=True)
)
net = ns.Network("adapting", dt="0.05 ms")
neurons = net.population(
    "neurons",
    len(patterns),
    cells.adex_exponential(refractory="0 ms", peak="0 mV", threshold="-50 mV"),
    capacity=[c / 1000 for c in capacity],  # nF
    leak=[g / 1000 for g in leak],  # uS
    rest=rest,
    slope=slope,
    a=[g / 1000 for g in a],  # uS
    tau_w=tau_w,
    b=[i / 1000 for i in b],  # nA
    reset=reset,
    current=[i / 1000 for i in current],  # nA
    v=rest,
)
net.record(neurons, "v", every="0.2 ms")
net.record(neurons, "spikes")

result = ns.simulate(net, "500 ms")
trace = result["neurons"].trace("v")

# %%
# The voltage of each, with a line where it fired.

figure, panels = plt.subplots(3, 2, figsize=(10, 6), sharex=True, layout="constrained")
for k, (name, panel) in enumerate(zip(patterns, panels.flat, strict=True)):
    panel.plot(trace.times(), trace.of(k), linewidth=0.8)
    panel.vlines(result["neurons"].spikes.of(k), -40, 0, linewidth=0.8)
    panel.set(title=name, ylabel="v (mV)")
for panel in panels[-1]:
    panel.set_xlabel("time (ms)")

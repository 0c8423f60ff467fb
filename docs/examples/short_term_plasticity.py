"""
Depression and facilitation
===========================

One train of spikes through three synapses: with fixed weights, with resources that are used up, and
with a use that grows with each spike. After Tsodyks, Pawelzik & Markram (1998).
"""

import matplotlib.pyplot as plt
import numpy as np

import neurosim as ns
from neurosim.models import cells, plasticity

# %%
# Eight spikes at 20 Hz, and one more after the synapses have had half a second to recover.

times = [*np.arange(50.0, 450.0, 50.0), 950.0]
rules = {
    "fixed": None,
    "depressing": plasticity.short_term(U=0.5, tau_rec="500 ms"),
    "facilitating": plasticity.short_term(U=0.1, tau_rec="50 ms", tau_facil="800 ms"),
}

net = ns.Network("short-term", dt="0.1 ms")
source = net.spike_source("source", 1, times=[times])
neuron = cells.lif(tau="15 ms", tau_syn="3 ms")
for name, rule in rules.items():
    target = net.population(name, 1, neuron, v="rest")
    net.project(source, target, ns.all_to_all(), rule=rule, weight="0.2 nA", port="synaptic")
    net.record(target, "v")

result = ns.simulate(net, "1.1 s")

# %%
# Voltages of the three targets.

figure, panels = plt.subplots(3, 1, figsize=(8, 5), sharex=True, sharey=True, layout="constrained")
for panel, name in zip(panels, rules, strict=True):
    ns.plot.traces(result[name], "v", ax=panel)
    panel.set(title=name, ylabel="v (mV)")
    panel.label_outer()

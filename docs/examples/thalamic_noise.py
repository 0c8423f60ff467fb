"""
A thousand simple neurons
=========================

Neurons of two equations, each with a firing pattern of its own, are wired at random and driven by
noise. They fire together, in rhythms of about 10 and 40 Hz. After Izhikevich (2003), whose program
of twenty lines this is.
"""

import matplotlib.pyplot as plt

import neurosim as ns
from neurosim.models import cells

net = ns.Network("izhikevich", dt="1 ms", seed=3)

# %%
# One draw for each neuron shapes its recovery: text over a name that is drawn in the same call.

neuron = cells.izhikevich(synapse="delta", noise=5)
excitatory = net.population(
    "excitatory",
    800,
    neuron,
    c="-65 * mV + 15 * mV * draw**2",
    d="(8 - 6 * draw**2) * mV/ms",
    draw=ns.uniform(0, 1),
)
inhibitory = net.population(
    "inhibitory",
    200,
    neuron,
    a="(0.02 + 0.08 * draw) / ms",
    b="0.25 / ms - 0.05 / ms * draw",
    d=2,
    draw=ns.uniform(0, 1),
    noise=2,
)
for source, weight in ((excitatory, ns.uniform(0, 0.5)), (inhibitory, ns.uniform(-1, 0))):
    for target in (excitatory, inhibitory):
        net.project(source, target, ns.all_to_all(), weight=weight, port="synaptic")
net.record(excitatory, "spikes")
net.record(inhibitory, "spikes")

result = ns.simulate(net, "1 s")

# %%
# Spikes of both populations, and the rate of all excitatory neurons in bins of 5 ms.

figure, (top, middle, bottom) = plt.subplots(
    3, 1, figsize=(9, 6.5), sharex=True, layout="constrained", height_ratios=(3, 1, 1)
)
ns.plot.raster(result["excitatory"], top)
ns.plot.raster(result["inhibitory"], middle)
ns.plot.rates(result["excitatory"], bottom, bin=5)

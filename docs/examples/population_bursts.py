"""
Bursts of a population
======================

Synapses between excitatory neurons tire when they are used. The network is quiet while they
recover; then a few spikes are enough for all to fire within 30 ms. After Tsodyks, Uziel & Markram
(2000), in a simpler form; NEST has it as its example tsodyks_shortterm_bursts.
"""

import matplotlib.pyplot as plt

import neurosim as ns
from neurosim.models import cells, plasticity

net = ns.Network("bursts", dt="0.1 ms", seed=2)
neuron = cells.lif_exponential(
    tau="30 ms",
    tau_exc="3 ms",
    tau_inh="3 ms",
    rest="0 mV",
    reset="13.5 mV",
    threshold="15 mV",
    refractory="3 ms",
    capacity="30 pF",
)
currents = ns.uniform("14.6 pA", "15.1 pA")
neurons = net.population("neurons", 500, neuron, current=currents, v=ns.uniform("5 mV", "15 mV"))
excitatory, inhibitory = neurons[:400], neurons[400:]

# %%
# Depressing synapses leave excitatory neurons; those of inhibitory neurons do not change.

tiring = plasticity.short_term(U=0.5, tau_rec="800 ms", tau_facil="1 ms")
net.project(
    excitatory,
    neurons,
    ns.fixed_probability(0.1),
    rule=tiring,
    weight=ns.normal("60 pA", "30 pA", low=0),
    delay="0.5 ms",
    port="excitatory",
    name="tiring",
)
net.project(
    inhibitory,
    neurons,
    ns.fixed_probability(0.1),
    weight=ns.normal("40 pA", "20 pA", low=0),
    delay="0.5 ms",
    port="inhibitory",
    name="inhibition",
)
net.record(neurons, "spikes")

result = ns.simulate(net, "4 s")

# %%
# All spikes, and the rate of the network in bins of 5 ms.

figure, (top, bottom) = plt.subplots(
    2, 1, figsize=(9, 5.5), sharex=True, layout="constrained", height_ratios=(2, 1)
)
ns.plot.raster(result["neurons"], top)
ns.plot.rates(result["neurons"], bottom, bin=5)

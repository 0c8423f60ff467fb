"""
A network of Hodgkin-Huxley neurons
===================================

Conductance-based synapses and action potentials with ionic channels: benchmark 3 of Brette et al.
(2007), after Traub & Miles (1991) and Vogels & Abbott (2005). A quarter of the benchmark's
neurons receive as many inputs as there.
"""

import matplotlib.pyplot as plt

import neurosim as ns
from neurosim.models import cells

net = ns.Network("cobahh", dt="0.1 ms", seed=2)
neurons = net.population("neurons", 1000, cells.hodgkin_huxley(), v=ns.normal("-65 mV", "5 mV"))
excitatory, inhibitory = neurons[:800], neurons[800:]
wiring = ns.fixed_probability(0.08)
net.project(excitatory, neurons, wiring, weight="6 nS", port="excitatory", name="excitation")
net.project(inhibitory, neurons, wiring, weight="67 nS", port="inhibitory", name="inhibition")
# A short push from outside starts the activity; the network then keeps it up by itself.
push = net.poisson("push", 200, rate=ns.table([300.0, 0.0], every="50 ms"))
net.project(push, neurons, ns.fixed_probability(0.1), weight="6 nS", port="excitatory")
net.record(neurons, "spikes")
net.record(neurons[:2], "v", every="0.2 ms")

result = ns.simulate(net, "400 ms")
spikes = result["neurons"].spikes
print(f"mean rate {ns.measure.rate(spikes, start=100):.1f} Hz")

# %%
# Spikes of all neurons, and the action potentials of two.

figure, (top, bottom) = plt.subplots(2, 1, figsize=(9, 5.5), sharex=True, layout="constrained")
ns.plot.raster(result["neurons"], top)
ns.plot.traces(result["neurons"], "v", ax=bottom)

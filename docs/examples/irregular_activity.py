"""
Irregular activity
==================

Inhibition that outweighs excitation keeps voltages below the threshold; fluctuations alone take
them over it. So neurons fire at low rates and irregularly. The network is that of Brunel (2000), in
its asynchronous irregular state, with 1250 neurons.
"""

import matplotlib.pyplot as plt

import neurosim as ns
from neurosim.models import cells

net = ns.Network("brunel", dt="0.1 ms", seed=3)
neuron = cells.lif_delta(rest="0 mV", reset="10 mV", threshold="20 mV", tau="20 ms")
neurons = net.population("neurons", 1250, neuron, v=ns.uniform("0 mV", "20 mV"))
excitatory, inhibitory = neurons[:1000], neurons[1000:]
for name, sources, inputs, weight in (
    ("excitation", excitatory, 100, "0.2 mV"),
    ("inhibition", inhibitory, 25, "-1.4 mV"),
):
    wiring = ns.fixed_indegree(inputs)
    net.project(sources, neurons, wiring, weight=weight, delay="1.5 ms", name=name)
net.poisson_drive(neurons, n=1000, rate=5.5, weight="0.2 mV")
net.record(neurons, "spikes")
net.record(neurons[:3], "v", every="0.5 ms")

result = ns.simulate(net, "1 s")
print(result)

# %%
# Spikes of all neurons, and the voltages of three of them.

figure, (top, bottom) = plt.subplots(2, 1, figsize=(9, 5.5), sharex=True, layout="constrained")
ns.plot.raster(result["neurons"], top, start=200, stop=600)
ns.plot.traces(result["neurons"], "v", ax=bottom, start=200, stop=600)

# %%
# The coefficient of variation of the intervals is 1 for a Poisson process and 0 for a clock.

spikes = result["neurons"].spikes
variation = ns.measure.cv_intervals(spikes, start=100)
print(f"mean rate {ns.measure.rate(spikes, start=100):.1f} Hz")

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
ns.plot.isi_histogram(result["neurons"], left, start=100)
right.hist(variation[variation >= 0], bins=30)
right.set(xlabel="coefficient of variation of the intervals", ylabel="neurons")

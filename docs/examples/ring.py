"""
A bump of activity on a ring
============================

Neurons on a ring excite their neighbours and inhibit all others. A short stimulus leaves a bump of
activity that stays where the stimulus was: a memory of a direction. After Ben-Yishai, Bar-Or &
Sompolinsky (1995) and Compte et al. (2000), in their simplest form.
"""

import matplotlib.pyplot as plt
import numpy as np

import neurosim as ns
from neurosim.models import cells

# %%
# A weight depends on the distance between two neurons: wiring and weights are one matrix.

size = 200
angle = 2 * np.pi * np.arange(size) / size
weights = 0.006 * (np.exp(8 * (np.cos(angle[:, None] - angle) - 1)) - 0.35)  # nA
np.fill_diagonal(weights, 0)

# %%
# The stimulus is a current over time, one column per neuron: background, 200 ms of stimulus at
# neuron 60, background again.

background, stimulus = np.full(size, 0.13), 0.15 * np.exp(20 * (np.cos(angle - angle[60]) - 1))
current = ns.table([background, background + stimulus, background], every="200 ms", unit="nA")

net = ns.Network("ring", dt="0.1 ms", seed=5)
neuron = cells.lif(tau="20 ms", tau_syn="50 ms")
ring = net.population("ring", size, neuron, current=current, v=ns.uniform("-70 mV", "-52 mV"))
sources, targets = np.indices((size, size)).reshape(2, -1)
net.project(ring, ring, ns.from_arrays(sources, targets), weight=weights.ravel(), delay="1 ms")
net.poisson_drive(ring, n=1, rate=100, weight="10 pA", port="synaptic")
net.record(ring, "spikes")

result = ns.simulate(net, "1.2 s")
ns.plot.raster(result["ring"])

# %%
# The direction that the activity encodes: the angle of the mean vector of all spikes.

spikes = result["ring"].spikes
starts = np.arange(0, 1200, 50)
decoded = [
    np.angle(np.exp(1j * angle[spikes.window(start, start + 50).index]).sum()) for start in starts
]
figure, panel = plt.subplots(figsize=(7, 2.8), layout="constrained")
panel.plot(starts + 25, np.degrees(decoded), "o-", markersize=3)
panel.axhline(np.degrees(angle[60]), color="0.7", zorder=0)
panel.set(xlabel="time (ms)", ylabel="decoded direction (°)", ylim=(-180, 180))

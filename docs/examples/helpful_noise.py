"""
Noise that helps
================

A signal too weak to reach the threshold is not transmitted. With some noise the neuron fires at
its peaks; with too much it fires at any time. The best noise lies between. After Longtin (1993),
on stochastic resonance.
"""

import matplotlib.pyplot as plt
import numpy as np

import neurosim as ns

# %%
# Many neurons for each strength of noise, all with the same signal, whose peaks stay below 1.

neuron = ns.Cell(
    "dv/dt = (0.75 + 0.15 * sin(2 * pi * t / period) - v) / tau + sigma * sqrt(2 / tau) * xi : 1",
    parameters={"tau": "10 ms", "period": "200 ms", "sigma": 0.1},
    spike="v > 1",
    after_spike="v = 0",
    name="weak",
)
strengths = np.geomspace(0.03, 1.0, 16)
copies = 50
net = ns.Network("resonance", dt="0.1 ms", seed=4)
neurons = net.population("neurons", 16 * copies, neuron, sigma=np.repeat(strengths, copies))
net.record(neurons, "spikes")

result = ns.simulate(net, "4 s")
spikes = result["neurons"].spikes

# %%
# How much the rate follows the signal: the Fourier component of all spikes at its frequency, over
# the square root of their number.

phase = np.exp(2j * np.pi * spikes.times() / 200)
group = spikes.index // copies
followed = np.bincount(group, phase.real, 16) + 1j * np.bincount(group, phase.imag, 16)
number = np.maximum(np.bincount(group, minlength=16), 1)
figure, panel = plt.subplots(figsize=(6, 3.5), layout="constrained")
panel.semilogx(strengths, abs(followed) / np.sqrt(number), "o-")
panel.set(xlabel="strength of the noise, in thresholds", ylabel="signal in the spikes")

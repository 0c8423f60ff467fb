"""
How fast for which input
========================

The rate of a leaky neuron against its input, without noise and with it. Without noise the neuron is
silent below a rheobase, and a closed form gives its rate above; noise makes it fire below as well.
Brian 2 has the first as its example IF_curve_LIF; after Gerstner, Kistler, Naud & Paninski
(2014), section 8.3.
"""

import matplotlib.pyplot as plt
import numpy as np

import neurosim as ns

neuron = ns.Cell(
    "dv/dt = (drive - v) / tau + sigma * sqrt(2 / tau) * xi : 1",
    parameters={"tau": "10 ms", "drive": 0.0, "sigma": 0.0},
    spike="v > 1",
    after_spike="v = 0",
    refractory=ns.Refractory("5 ms", freezes="v"),
    name="leaky",
)
drives = np.linspace(0, 3, 121)
net = ns.Network("curve", dt="0.1 ms", seed=1)
noises = {"without noise": 0.0, "sigma = 0.2": 0.2, "sigma = 0.5": 0.5}
populations = [
    net.population(f"noise{k}", len(drives), neuron, drive=drives, sigma=sigma)
    for k, sigma in enumerate(noises.values())
]
for population in populations:
    net.record(population, "spikes")

result = ns.simulate(net, "5 s")

# %%
# The line is the closed form: an interval is the refractory time and the time to the threshold.

figure, panel = plt.subplots(figsize=(7, 4), layout="constrained")
for population, label in zip(populations, noises, strict=True):
    rates = result[population.name].spikes.count() / 5
    panel.plot(drives, rates, ".", markersize=3, label=label)
above = drives[drives > 1]
panel.plot(above, 1000 / (5 + 10 * np.log(above / (above - 1))), "k", linewidth=0.8)
panel.set(xlabel="input, in thresholds", ylabel="rate (Hz)")
panel.legend(frameon=False)

"""
Rate against current, with and without noise
============================================

One network is prepared once. Each point of the curve starts from the same snapshot with another
current: no equation is translated again.
"""

import matplotlib.pyplot as plt
import numpy as np

import neurosim as ns

neuron = ns.Cell(
    "dv/dt = (rest - v + resistance * current) / tau + sigma * xi : mV",
    parameters={
        "rest": "-70 mV",
        "threshold": "-50 mV",
        "tau": "20 ms",
        "resistance": "100 Mohm",
        "current": "0 nA",
        "sigma": ns.Parameter("mV/ms**0.5", 0.0),
    },
    spike="v >= threshold",
    after_spike="v = rest",
    refractory=ns.Refractory("2 ms", freezes="v"),
    initial={"v": "-70 mV"},
)

net = ns.Network("sweep", dt="0.1 ms", seed=2)
neurons = net.population("neurons", 50, neuron)
net.record(neurons, "spikes")
run = ns.prepare(net)
start = run.snapshot()

# %%
# ``restore(start, clock=True)`` goes back to the start and drops what was recorded since.

currents = np.linspace(0.1, 0.5, 17)  # nA
curves = {}
for sigma in (0.0, 0.5, 1.5):
    rates = []
    for current in currents:
        run.restore(start, clock=True)
        run.set(neurons, current=current, sigma=sigma)
        run.run("500 ms")
        rates.append(ns.measure.rate(run.result()["neurons"].spikes, start=100))
    curves[sigma] = rates

# %%
# Without noise the rate is known: 1 / (refractory + tau log(RI / (RI - 20 mV))).

drive = 100 * currents
with np.errstate(divide="ignore", invalid="ignore"):
    theory = np.where(drive > 20, 1000 / (2 + 20 * np.log(drive / (drive - 20))), 0)
figure, panel = plt.subplots(figsize=(6.5, 4), layout="constrained")
panel.plot(currents, theory, color="0.6", linewidth=4, label="theory, no noise")
for sigma, rates in curves.items():
    panel.plot(currents, rates, "o-", markersize=3, label=f"sigma = {sigma} mV/ms$^{{1/2}}$")
panel.set(xlabel="current (nA)", ylabel="rate (Hz)")
panel.legend(frameon=False)

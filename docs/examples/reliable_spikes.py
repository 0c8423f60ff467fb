"""
Reliable and unreliable spikes
==============================

A neuron that receives a constant current fires at other times in each trial, because noise adds
up. The same neuron repeats its spikes when the current fluctuates, even though the noise is as
strong. After Mainen & Sejnowski (1995); Brian 2 has both as examples of reliability.
"""

import matplotlib.pyplot as plt
import numpy as np

import neurosim as ns

# %%
# Twenty-five trials are twenty-five neurons: the drive is common, the noise is each neuron's own.

neuron = ns.Cell(
    "dv/dt = (drive(t) - v) / tau + 0.07 * sqrt(2 / tau) * xi : 1",
    parameters={"tau": "10 ms", "drive": ns.Parameter("1", 1.0)},
    spike="v > 1",
    after_spike="v = 0",
    name="trial",
)
steps = 2000  # of 0.5 ms
wave = np.zeros(steps)
draws = np.random.default_rng(3).standard_normal(steps)
for k in range(1, steps):  # an Ornstein-Uhlenbeck process with a time constant of 5 ms
    wave[k] = wave[k - 1] * np.exp(-0.1) + np.sqrt(1 - np.exp(-0.2)) * draws[k]

figure, panels = plt.subplots(2, 1, figsize=(9, 5), sharex=True, layout="constrained")
for panel, title, drive in zip(
    panels,
    ("constant drive", "fluctuating drive"),
    (np.full(steps, 1.2), 0.9 + 0.5 * wave),
    strict=True,
):
    net = ns.Network("reliability", dt="0.1 ms", seed=1)
    trials = net.population("trials", 25, neuron, drive=ns.table(drive, every="0.5 ms"))
    net.record(trials, "spikes")
    ns.plot.raster(ns.simulate(net, "1 s")["trials"], panel)
    panel.set_title(title)

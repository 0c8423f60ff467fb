"""
Waves on a sheet
================

Neurons on a square sheet excite their neighbours. A few spikes in a corner start a wave, which runs
over the sheet and ends at its edges, because neurons that have fired need time to recover. After
the networks with local wiring of Mehring, Hehl, Kubo, Diesmann & Aertsen (2003); Brian 2 and NEST
have such wiring among their spatial examples.
"""

import matplotlib.pyplot as plt
import numpy as np

import neurosim as ns

# %%
# Wiring, weights and delays are text over the two neurons of a pair.

side = 40
grid = 50.0 * np.stack(np.indices((side, side, 1)).reshape(3, -1), axis=1)  # um
neuron = ns.Cell(
    """dv/dt = -(v + a) / tau : mV
       da/dt = -a / tau_a : mV""",
    parameters={"tau": "10 ms", "tau_a": "100 ms"},
    receives={"v": ns.Port("mV", into="v")},
    spike="v > 10 * mV",
    after_spike="v = 0 * mV; a += 60 * mV",
    refractory=ns.Refractory("3 ms", freezes="v"),
    name="tiring",
)
net = ns.Network("sheet", dt="0.1 ms", seed=8)
sheet = net.population("sheet", side**2, neuron, positions=grid)
net.project(
    sheet,
    sheet,
    ns.where("i != j and distance < 250 * um", p="0.6 * exp(-distance / (200 * um))"),
    weight="5 * mV * exp(-distance / (300 * um))",
    delay="0.5 * ms + distance / (300 * um / ms)",
    round_delays=True,
)
corner = net.spike_source("corner", 1, times=[[5.0]])
near = np.flatnonzero((grid[:, 0] < 300) & (grid[:, 1] < 300))
net.project(corner, sheet[near], ns.all_to_all(), weight="20 mV")
net.record(sheet, "spikes")

result = ns.simulate(net, "100 ms")
spikes = result["sheet"].spikes

# %%
# Where neurons fired, in windows of two milliseconds.

figure, panels = plt.subplots(1, 4, figsize=(11, 3.2), sharey=True, layout="constrained")
for panel, start in zip(panels, (6, 10, 14, 18), strict=True):
    counts = np.bincount(spikes.window(start, start + 2).index, minlength=side**2)
    panel.imshow(counts.reshape(side, side), origin="lower", vmax=1, cmap="Blues")
    panel.set_title(f"{start} to {start + 2} ms")

"""
Fireflies
=========

A hundred oscillators charge up, fire, and push all others a little. Whatever their phases at the
start, they end by firing together. After Mirollo & Strogatz (1990).
"""

import matplotlib.pyplot as plt

import neurosim as ns

# %%
# The push arrives in the step of the spike, so that an oscillator that is pushed across the
# threshold fires in the next step. A short pause keeps that from answering its own push.

oscillator = ns.Cell(
    "dv/dt = (1.05 - v) / tau : 1",
    parameters={"tau": "100 ms"},
    receives={"push": ns.Port("1", into="v")},
    spike="v >= 1",
    after_spike="v = 0",
    refractory=ns.Refractory("1 ms", freezes="v"),
    name="oscillator",
)
net = ns.Network("fireflies", dt="0.1 ms", seed=2)
neurons = net.population("neurons", 100, oscillator, v=ns.uniform(0, 1))
net.project(neurons, neurons, ns.all_to_all(autapses=False), weight=0.001)
net.record(neurons, "spikes")

result = ns.simulate(net, "8 s")

# %%
# The first and the last second, and how closely all of them agree.

figure, panels = plt.subplots(1, 2, figsize=(9, 3.5), sharey=True, layout="constrained")
ns.plot.raster(result["neurons"], panels[0], stop=1000)
ns.plot.raster(result["neurons"], panels[1], start=7000)
for panel, title in zip(panels, ("the first second", "the last second"), strict=True):
    panel.set_title(title)

"""
A threshold that moves
======================

Each spike raises the threshold of a neuron, which falls back in 15 ms. Under random input the
neuron so becomes a detector of what is sudden. After Brette (2012) and Platkiewicz & Brette (2010);
Brian 2 has it as its example adaptive_threshold.
"""

import matplotlib.pyplot as plt

import neurosim as ns

neuron = ns.Cell(
    """dv/dt = -v / tau : mV
       dthreshold/dt = (10 * mV - threshold) / tau_threshold : mV""",
    parameters={"tau": "10 ms", "tau_threshold": "15 ms"},
    receives={"v": ns.Port("mV", into="v")},
    spike="v > threshold",
    after_spike="v = 0 * mV; threshold += 3 * mV",
    initial={"threshold": "10 mV"},
    name="adaptive",
)
net = ns.Network("moving", dt="0.1 ms", seed=5)
inputs = net.poisson("inputs", 500, rate=5)
cell = net.population("cell", 1, neuron)
net.project(inputs, cell, ns.all_to_all(), weight="0.8 mV")
net.record(cell, "v", "threshold")
net.record(cell, "spikes")

result = ns.simulate(net, "500 ms")

# %%
# The voltage, below the threshold that it chases.

figure, panel = plt.subplots(figsize=(9, 3.2), layout="constrained")
for name in ("v", "threshold"):
    trace = result["cell"].trace(name)
    panel.plot(trace.times(), trace.of(0), label=name, linewidth=0.9)
panel.vlines(result["cell"].spikes.of(0), 20, 22, color="k", linewidth=0.8)
panel.set(xlabel="time (ms)", ylabel="mV")
panel.legend(frameon=False, ncols=2, loc="lower right")

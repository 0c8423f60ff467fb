"""
Two neurons that touch
======================

Neurons that exchange current through a gap junction, in proportion to the difference of their
voltages, do not always fall into step: leaky neurons that fire slowly settle at opposite phases.
After Lewis & Rinzel (2003); Brian 2 has such a pair as its example gapjunctions.
"""

import matplotlib.pyplot as plt
import numpy as np

import neurosim as ns

neuron = ns.Cell(
    "dv/dt = (drive - v + coupling) / tau : 1",
    parameters={"tau": "10 ms", "drive": 1.1},
    receives={"coupling": ns.Port("1")},
    spike="v > 1",
    after_spike="v = 0",
    name="leaky",
)

# %%
# A junction sends in every step; it is a rule without spikes. Five pairs differ in their start:
# neuron 2 k touches neuron 2 k + 1.

junction = ns.Rule(
    handlers=[("step", "out += strength * (v_pre - v_post)")], parameters={"strength": 0.05}
)
starts = np.linspace(0.1, 0.95, 5)
net = ns.Network("junctions", dt="0.02 ms")
pairs = net.population("pairs", 10, neuron, v=np.stack([0 * starts, starts], axis=1).ravel())
net.project(pairs[::2], pairs[1::2], ns.one_to_one(), rule=junction, name="forth")
net.project(pairs[1::2], pairs[::2], ns.one_to_one(), rule=junction, name="back")
net.record(pairs, "spikes")

result = ns.simulate(net, "1 s")
spikes = result["pairs"].spikes

# %%
# The phase of one neuron in the cycle of the other, whatever it was at the start, becomes a half.

figure, panel = plt.subplots(figsize=(7, 3.5), layout="constrained")
for k in range(5):
    ours, others = spikes.of(2 * k), spikes.of(2 * k + 1)
    begin = np.searchsorted(ours, others, "right") - 1
    inside = (begin >= 0) & (begin < len(ours) - 1)
    begin, others = begin[inside], others[inside]
    panel.plot(others, (others - ours[begin]) / np.diff(ours)[begin], ".-", markersize=3)
panel.set(xlabel="time (ms)", ylabel="phase (cycles)", ylim=(0, 1))

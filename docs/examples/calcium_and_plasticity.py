"""
Plasticity by calcium
=====================

A synapse has two stable states. Calcium above one level drives it to the lower, above another to
the upper one, and each spike of either neuron adds calcium. Which of them wins depends on the time
between the spikes. After Graupner & Brunel (2012), figure 2, their DP curve; Brian 2 has it among
its examples from papers.
"""

import matplotlib.pyplot as plt
import numpy as np

import neurosim as ns

# %%
# The efficacy has a potential with wells at 0 and 1. Noise acts while calcium is above a level.

synapse = ns.Rule(
    edge="""dcalcium/dt = -calcium / (20*ms) : 1
            defficacy/dt = (-efficacy * (1 - efficacy) * (0.5 - efficacy)
                            + 321.808 * up * (1 - efficacy) - 200 * down * efficacy
                            + 2.8284 * sqrt(tau * (up + down)) * xi) / tau : 1""",
    definitions="up = int(calcium > 1.3) : 1; down = int(calcium > 1) : 1",
    handlers=[("pre", "calcium += 1"), ("post", "calcium += 2")],
    parameters={"tau": "150 s"},
    name="calcium",
)

# %%
# One source fires at 200 ms and once a second from then on. Each of its targets fires at a distance
# of its own. Half of the synapses begin in the lower state.

repeats, pairs = 40, 60
distances = np.repeat(np.arange(-100, 101, 20), 2 * repeats)  # ms
upper = np.tile(np.repeat([0, 1], repeats), len(distances) // (2 * repeats))
clock = ns.Cell(
    "x : 1",
    parameters={"first": "200 ms"},
    receives={"x": ns.Port("1", into="x")},
    spike="t >= first",
    refractory="999 ms",
    name="clock",
)
net = ns.Network("calcium", dt="1 ms", seed=1)
source = net.population("source", 1, clock)
targets = net.population("targets", len(distances), clock, first=200 + distances)
edges = net.project(
    source,
    targets,
    ns.all_to_all(),
    rule=synapse,
    efficacy=upper,
    delay="14 ms",
    dendritic_fraction=0,
    name="synapses",
)
run = ns.prepare(net)
run.run(f"{pairs} s")

# %%
# The change of the mean strength, if the upper state is five times as strong as the lower one.

strong = (run.get(edges, "efficacy") > 0.5).reshape(-1, 2, repeats)
change = (1 + 4 * strong.mean(axis=(1, 2))) / 3

figure, panel = plt.subplots(figsize=(6, 4), layout="constrained")
panel.plot(np.unique(distances), change, "o")
panel.axhline(1, color="grey", linewidth=0.5)
panel.set(xlabel="target after source (ms)", ylabel="strength, after / before", ylim=(0.5, 1.5))

"""
Locked to a rhythm
==================

Leaky neurons whose input swings at 20 Hz fire at fixed phases of it: in every second cycle, once or
twice in each, depending on the constant part of the input. Between these plateaus phases change.
After Keener, Hoppensteadt & Rinzel (1981); Brian 2 has such neurons as its example
phase_locking.
"""

import matplotlib.pyplot as plt
import numpy as np

import neurosim as ns

neuron = ns.Cell(
    "dv/dt = (constant + 0.6 * sin(2 * pi * t / period) - v) / tau : 1",
    parameters={"tau": "20 ms", "period": "50 ms", "constant": 1.0},
    spike="v > 1",
    after_spike="v = 0",
    name="driven",
)
constants = np.linspace(0.6, 2.6, 400)
net = ns.Network("locking", dt="0.1 ms", seed=1)
neurons = net.population("neurons", 400, neuron, constant=constants, v=ns.uniform(0, 1))
net.record(neurons, "spikes")

result = ns.simulate(net, "3 s")
spikes = result["neurons"].spikes

# %%
# Each dot is a spike in the last second: its phase in the cycle, over the constant input. Below,
# the number of spikes for each cycle: its steps are plateaus of locking.

last = spikes.window(2000, 3000)
figure, (top, bottom) = plt.subplots(2, 1, figsize=(8, 5.5), sharex=True, layout="constrained")
top.plot(constants[last.index], last.times() % 50 / 50, ".", markersize=2)
top.set_ylabel("phase of spikes (cycles)")
bottom.plot(constants, last.count() / 20)
bottom.set(xlabel="constant input", ylabel="spikes in a cycle")

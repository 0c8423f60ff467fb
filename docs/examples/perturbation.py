"""
One spike too many
==================

The same network runs twice, from the same state and with the same random numbers. The second time
one neuron receives one more spike. Where synapses are weak nearly nothing changes; where they are
strong, all neurons soon fire at other times. After Sompolinsky, Crisanti & Sommers (1988) and
van Vreeswijk & Sompolinsky (1996); NEST has it as its example sensitivity_to_perturbation.
"""

import matplotlib.pyplot as plt
import numpy as np

import neurosim as ns
from neurosim.models import cells

size, moment = 500, 200  # ms
neuron = cells.lif_delta(
    tau="10 ms", rest="-70 mV", reset="-70 mV", threshold="-55 mV", refractory="2 ms"
)


def network(strength: float) -> ns.Network:
    """Return a balanced network, and a source that can send one spike to each neuron."""
    net = ns.Network("twice", dt="0.1 ms", seed=30)
    neurons = net.population("neurons", size, neuron, v=ns.uniform("-70 mV", "-55 mV"))
    excitatory, inhibitory = neurons[: 4 * size // 5], neurons[4 * size // 5 :]
    few, many = ns.fixed_indegree(20), ns.fixed_indegree(80)
    net.project(excitatory, neurons, many, weight=strength, delay="1.5 ms", name="excitation")
    net.project(inhibitory, neurons, few, weight=-6 * strength, delay="1.5 ms", name="inhibition")
    net.poisson_drive(neurons, rate=6500, weight="0.2 mV")
    extra = net.spike_source("extra", size)
    net.project(extra, neurons, ns.one_to_one(), weight="1 mV", name="perturbation")
    net.record(neurons, "spikes")
    return net


# %%
# The spike goes to the neuron that fires next, which it makes fire a little earlier.

figure, panels = plt.subplots(2, 1, figsize=(9, 6), sharex=True, layout="constrained")
for panel, strength in zip(panels, (0.3, 1.0), strict=True):
    run = ns.prepare(network(strength))
    start = run.snapshot()
    run.run("500 ms")
    first = run.result()["neurons"].spikes
    times = [[] for _ in range(size)]
    times[first.window(moment + 0.1, 500).index[0]] = [moment]

    run.restore(start, clock=True)
    run.set("extra", times=times)
    run.run("500 ms")
    second = run.result()["neurons"].spikes

    before, after = ({*zip(s.step, s.index, strict=True)} for s in (first, second))
    for spikes, colour in ((before & after, "lightgrey"), (before ^ after, "crimson")):
        step, index = np.array(sorted(spikes)).reshape(-1, 2).T
        panel.plot(0.1 * step, index, ".", markersize=2, color=colour)
    count = len(before ^ after)
    panel.set(ylabel="neuron", title=f"synapses of {strength} mV: {count} spikes differ")
panels[-1].set_xlabel("time (ms)")

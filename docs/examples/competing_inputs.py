"""
Competition between synapses
============================

A thousand inputs with plastic synapses drive one neuron at random. Pair STDP makes them compete:
after a while some are strong, most are weak, and few lie between. After Song, Miller & Abbott
(2000); Brian 2 has it as its example STDP.
"""

import matplotlib.pyplot as plt

import neurosim as ns

most = 0.01  # uS, the largest conductance

neuron = ns.Cell(
    """dv/dt = (excitation * (0 * mV - v) + rest - v) / tau : mV
       dexcitation/dt = -excitation / tau_exc : 1""",
    parameters={"rest": "-74 mV", "tau": "10 ms", "tau_exc": "5 ms"},
    receives={"excitation": ns.Port("1", into="excitation")},
    spike="v > -54 * mV",
    after_spike="v = -60 * mV",
    initial={"v": "-74 mV"},
    name="song",
)
stdp = ns.Rule(
    edge="w : 1",
    pre="dx/dt = -x / tau : 1",
    post="dy/dt = -y / tau : 1",
    handlers=[
        ("pre", "out += w; x += potentiation; w = clip(w + y, 0, most)"),
        ("post", "y -= depression; w = clip(w + x, 0, most)"),
    ],
    parameters={
        "tau": "20 ms",
        "most": most,
        "potentiation": 0.01 * most,
        "depression": 1.05 * 0.01 * most,
    },
    name="song",
)
net = ns.Network("competition", dt="0.1 ms", seed=7)
inputs = net.poisson("inputs", 1000, rate=15)
cell = net.population("cell", 1, neuron)
synapses = net.project(
    inputs, cell, ns.all_to_all(), rule=stdp, weight=ns.uniform(0, most), name="synapses"
)
net.record(synapses, "w", every="1 s")
net.record(cell, "spikes")

result = ns.simulate(net, "100 s")
trace = result["synapses"].trace("w")

# %%
# Weights of two synapses over time, and of all at the end.

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
left.plot(trace.times() / 1000, trace.values[:, :2] / most)
left.set(xlabel="time (s)", ylabel="weight / largest", ylim=(0, 1))
right.hist(trace.values[-1] / most, bins=20)
right.set(xlabel="weight / largest, at the end", ylabel="synapses")

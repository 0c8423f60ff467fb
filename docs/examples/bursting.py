"""
Bursts of three equations
=========================

A slow third variable takes a spiking neuron into and out of its rest: it bursts. How often depends
on the input, and at some inputs the bursts are chaotic. After Hindmarsh & Rose (1984).
"""

import matplotlib.pyplot as plt

import neurosim as ns

# %%
# The equations have no units but time. Spikes are crossings of a level, one for each peak.

neuron = ns.Cell(
    """dx/dt = (y - x**3 + 3 * x**2 - z + current) / ms : 1
       dy/dt = (1 - 5 * x**2 - y) / ms : 1
       dz/dt = 0.006 * (4 * (x + 1.6) - z) / ms : 1""",
    parameters={"current": 3.0},
    spike="x > 1",
    refractory="3 ms",
    initial={"x": -1.6, "y": -12},
    method="rk4",
    name="hindmarsh_rose",
)
currents = [1.5, 2.5, 3.25, 4.0]
net = ns.Network("bursts", dt="0.05 ms")
neurons = net.population("neurons", len(currents), neuron, current=currents)
net.record(neurons, "x", every="0.5 ms")
net.record(neurons, "spikes")

result = ns.simulate(net, "2 s")
trace = result["neurons"].trace("x")

# %%
# From silence with single bursts to spikes without end.

figure, panels = plt.subplots(4, 1, figsize=(9, 6.5), sharex=True, layout="constrained")
for k, panel in enumerate(panels):
    panel.plot(trace.times(), trace.of(k), linewidth=0.8)
    panel.set(ylabel="x", title=f"input {currents[k]}", xlim=(1000, 2000))
panels[-1].set_xlabel("time (ms)")

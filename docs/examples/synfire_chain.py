"""
A synfire chain
===============

Ten groups of a hundred neurons, each group feeding the next. A volley of spikes that is strong and
sharp enough travels down the chain and sharpens; a weak one dies out. After Diesmann, Gewaltig &
Aertsen (1999); Brian 2 has the network as its example of that name.
"""

import matplotlib.pyplot as plt
import numpy as np

import neurosim as ns

groups, size, volley = 10, 100, 85

# %%
# An incoming spike raises the voltage along an alpha function; background input is noise around a
# mean that leaves the neuron below its threshold.

neuron = ns.Cell(
    """dv/dt = (rest - v + x) / tau : mV
       dx/dt = (y - x) / tau_syn : mV
       dy/dt = -y / tau_syn + background + sigma * xi : mV""",
    parameters={
        "rest": "-70 mV",
        "tau": "10 ms",
        "tau_syn": "0.325 ms",
        "background": "25.27 mV/ms",
        "sigma": "39.24 mV / ms**0.5",
    },
    receives={"y": ns.Port("mV", into="y")},
    spike="v > -55 * mV",
    after_spike="v = rest",
    refractory=ns.Refractory("1 ms", freezes="v"),
    initial={"v": "rest + background * tau_syn"},
    name="diesmann",
)


def chain(spread: float) -> ns.Recording:
    """Send one volley with a spread of arrival times (ms) into the first group."""
    net = ns.Network("chain", dt="0.1 ms", seed=4)
    neurons = net.population("neurons", groups * size, neuron, v=ns.uniform("-67 mV", "-57 mV"))
    times = 50 + spread * np.random.default_rng(6).standard_normal(volley)
    volleys = net.spike_source("volley", volley, times=[[round(t, 1)] for t in times])
    # The peak of the response to one spike is 0.14 mV.
    net.project(volleys, neurons[:size], ns.all_to_all(), weight="4.86 mV")
    for k in range(groups - 1):
        source = neurons[k * size : (k + 1) * size]
        target = neurons[(k + 1) * size : (k + 2) * size]
        net.project(
            source, target, ns.all_to_all(), weight="4.86 mV", delay="5 ms", name=f"link{k}"
        )
    net.record(neurons, "spikes")
    return ns.simulate(net, "120 ms")


# %%
# A sharp volley and a broad one of the same number of spikes.

figure, panels = plt.subplots(1, 2, figsize=(9, 4), sharey=True, layout="constrained")
for panel, spread in zip(panels, (1.0, 6.0), strict=True):
    ns.plot.raster(chain(spread)["neurons"], panel)
    panel.set_title(f"85 spikes, spread {spread:g} ms")

"""
A rhythm of inhibitory neurons
==============================

A hundred interneurons that inhibit each other fire in step, at about 40 Hz: the more of their
neighbours they hear, the better. After Wang & Buzsaki (1996); Brian 2 has their neuron as an
example.
"""

import matplotlib.pyplot as plt

import neurosim as ns

# %%
# Sodium channels open at once, so that m is an expression of v. The synapse decays in 10 ms.

neuron = ns.Cell(
    """dv/dt = (current - leak - sodium - potassium - synapse) / capacity : mV
       leak = 0.1 * mS/cm**2 * (v + 65 * mV) : uA/cm**2
       sodium = 35 * mS/cm**2 * m**3 * h * (v - 55 * mV) : uA/cm**2
       potassium = 9 * mS/cm**2 * n**4 * (v + 90 * mV) : uA/cm**2
       synapse = inhibition * (v + 75 * mV) : uA/cm**2
       m = am / (am + bm) : 1
       am = -0.1 * (v / mV + 35) / (exp(-0.1 * (v / mV + 35)) - 1) : 1
       bm = 4 * exp(-(v / mV + 60) / 18) : 1
       dh/dt = 5 / ms * (ah * (1 - h) - bh * h) : 1
       ah = 0.07 * exp(-(v / mV + 58) / 20) : 1
       bh = 1 / (exp(-0.1 * (v / mV + 28)) + 1) : 1
       dn/dt = 5 / ms * (an * (1 - n) - bn * n) : 1
       an = -0.01 * (v / mV + 34) / (exp(-0.1 * (v / mV + 34)) - 1) : 1
       bn = 0.125 * exp(-(v / mV + 44) / 80) : 1
       dinhibition/dt = -inhibition / tau_syn : mS/cm**2""",
    parameters={
        "capacity": "1 uF/cm**2",
        "current": ns.Parameter("uA/cm**2", 1.2),
        "tau_syn": "10 ms",
    },
    receives={"inhibition": ns.Port("mS/cm**2", into="inhibition")},
    spike="v > 0 * mV",
    refractory="4 ms",
    method="rk4",
    name="wang_buzsaki",
)


def rhythm(inputs: int) -> ns.Recording:
    """Return a run of neurons that hear ``inputs`` of the others."""
    net = ns.Network("gamma", dt="0.02 ms", seed=1)
    currents = ns.normal("1.2 uA/cm**2", "0.03 uA/cm**2")
    neurons = net.population("neurons", 100, neuron, current=currents, v=ns.uniform(-70, -50))
    weight = 0.1 / inputs  # mS/cm**2, the sum stays the same
    net.project(
        neurons,
        neurons,
        ns.fixed_indegree(inputs, autapses=False),
        weight=f"{weight} mS/cm**2",
        delay="0.5 ms",
    )
    net.record(neurons, "spikes")
    return ns.simulate(net, "400 ms")


figure, panels = plt.subplots(1, 2, figsize=(10, 3.8), sharey=True, layout="constrained")
for panel, inputs in zip(panels, (5, 60), strict=True):
    ns.plot.raster(rhythm(inputs)["neurons"], panel, start=100)
    panel.set_title(f"{inputs} inputs for each neuron")

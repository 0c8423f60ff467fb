"""
Interneurons in step
====================

Inhibitory neurons that fire irregularly fire together as soon as gap junctions between them are
strong enough. After Hahne et al. (2015), whose neurons are those of Mancilla, Lewis, Pinto, Rinzel
& Connors (2007); NEST has the network as its example gap_junctions_inhibitory_network.
"""

import matplotlib.pyplot as plt
import numpy as np

import neurosim as ns


def gate(name: str, opening: str, closing: str) -> str:
    """Return the equation of a gate with rates in 1/ms over u = v/mV, which begins at rest."""
    return f"d{name}/dt = (({opening}) * (1 - {name}) - ({closing}) * {name}) / ms : 1\n"


def linear(slope: float, half: float, width: float) -> str:
    """Return slope * (u - half) / (1 - exp(-(u - half) / width)), right near u = half."""
    return f"{slope * width} / exprel(-(u - {half}) / {width})"


neuron = ns.Cell(
    """dv/dt = (sodium + potassium + 10*nS * (-70*mV - v) + excitation - inhibition + junctions)
               / (40*pF) : mV
       u = v / mV : 1
       sodium = 4500*nS * m**3 * h * (74*mV - v) : nA
       potassium = (9*nS * n**4 + 9000*nS * p**2) * (-90*mV - v) : nA
       dexcitation/dt = (exp(1) * x - excitation) / (0.2*ms) : nA
       dx/dt = -x / (0.2*ms) : nA
       dinhibition/dt = (exp(1) * y - inhibition) / (2*ms) : nA
       dy/dt = -y / (2*ms) : nA
    """
    + gate("m", linear(40, 75.5, 13.5), "1.2262 * exp(-u / 42.248)")
    + gate("h", "0.0035 * exp(-u / 24.186)", linear(0.017, -51.25, 5.2))
    + gate("n", linear(0.014, -44, 2.3), "0.0043 * exp(-(u + 44) / 34)")
    + gate("p", linear(1, 95, 11.8), "0.025 * exp(-u / 22.222)"),
    receives={
        "excitatory": ns.Port("nA", into="x"),
        "inhibitory": ns.Port("nA", into="y"),
        "junctions": ns.Port("nA"),
    },
    spike="crossing(v > 0*mV)",
    initial={"m": 0.0192, "h": 0.868, "n": 0.000574, "p": 0.000251},
    name="interneuron",
)


# %%
# Each junction is two edges, one in each direction, which send a current in every step.

size, indegree, junctions = 200, 20, 24


def simulate(strength: str) -> ns.Recording:
    """Return 400 ms of the network with junctions of a strength."""
    net = ns.Network("interneurons", dt="0.05 ms", seed=1)
    neurons = net.population("neurons", size, neuron, v=ns.uniform("-80 mV", "-40 mV"))
    net.project(
        neurons,
        neurons,
        ns.fixed_indegree(indegree, autapses=False),
        weight="50 pA",
        delay="1 ms",
        port="inhibitory",
        name="inhibition",
    )
    net.poisson_drive(neurons, rate=500, weight="300 pA", port="excitatory")
    ends = np.random.default_rng(1).integers(0, size, (2, size * junctions // 2))
    both = np.concatenate([ends, ends[::-1]], axis=1)
    junction = ns.Rule(
        handlers=[("step", "out += g * (v_pre - v_post)")], parameters={"g": strength}
    )
    net.project(
        neurons, neurons, ns.from_arrays(*both), rule=junction, port="junctions", name="gap"
    )
    net.record(neurons, "spikes")
    return ns.simulate(net, "400 ms")


# %%

figure, panels = plt.subplots(2, 1, figsize=(9, 6), sharex=True, layout="constrained")
for panel, strength in zip(panels, ("0 nS", "1.75 nS"), strict=True):
    ns.plot.raster(simulate(strength)["neurons"], panel)
    panel.set_title(f"gap junctions of {strength}")

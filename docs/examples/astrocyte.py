"""
An astrocyte that guides learning
=================================

An astrocyte is a population that does not spike: here its level rises with the activity of a group
of neurons, and a rule that reads the level makes their synapses weaker when it is high.
"""

import matplotlib.pyplot as plt

import neurosim as ns
from neurosim.models import cells, plasticity

astrocyte = ns.Cell(
    "dlevel/dt = -level / tau : 1",
    parameters={"tau": "500 ms"},
    receives={"level": ns.Port("1", into="level")},
    name="astrocyte",
)


def network(*, guided: bool) -> ns.Network:
    """Return neurons with a Poisson input whose synapses learn, guided by the astrocyte or not."""
    net = ns.Network("guided" if guided else "unguided", dt="0.1 ms", seed=4)
    inputs = net.poisson("inputs", 200, rate=10)
    neurons = net.population("neurons", 50, cells.lif(), v=ns.uniform("-70 mV", "-50 mV"))
    glia = net.population("glia", 1, astrocyte)
    net.project(neurons, glia, ns.all_to_all(), weight=0.0015, port="level")
    rule = plasticity.stdp(a_plus=0.02, a_minus=0.005, w_max="0.2 nA", relative=True)
    if guided:
        rule = rule.reading(a_minus=glia["level"])  # in place of 0.005
    synapses = net.project(
        inputs,
        neurons,
        ns.fixed_indegree(50),
        rule=rule,
        weight="60 pA",
        port="synaptic",
        name="synapses",
    )
    net.record(neurons, "spikes")
    net.record(glia, "level", every="5 ms")
    net.record(synapses, "w", every="50 ms")
    return net


# %%
# Left alone, potentiation runs away. The astrocyte stops it: the more the neurons fire, the more
# their synapses are depressed.

results = {guided: ns.simulate(network(guided=guided), "4 s") for guided in (False, True)}

figure, panels = plt.subplots(3, 1, figsize=(8, 6.5), sharex=True, layout="constrained")
for guided, result in results.items():
    label = "with astrocyte" if guided else "without"
    ns.plot.rates(result["neurons"], panels[0], bin=50, colour="C1" if guided else "C0")
    weights = result["synapses"].trace("w")
    panels[1].plot(
        weights.times(),
        1000 * weights.values.mean(axis=1),
        label=label,
        color="C1" if guided else "C0",
    )
level = results[True]["glia"].trace("level")
panels[2].plot(level.times(), level.values[:, 0], color="C1")
panels[1].set_ylabel("mean weight (pA)")
panels[1].legend(frameon=False)
panels[2].set(ylabel="level", xlabel="time (ms)")

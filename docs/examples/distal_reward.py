"""
A reward that comes later
=========================

Spike timing leaves a mark on a synapse, which fades within a second; only a reward that arrives
before it has faded turns the mark into a change of the weight. After Izhikevich (2007); Brian 2 has
this experiment among its examples from papers.
"""

import matplotlib.pyplot as plt

import neurosim as ns

# %%
# The mark takes what pair STDP would add to the weight. Dopamine, a signal, opens the way from the
# mark to the weight for a fifth of a second.

rule = ns.Rule(
    edge="""w : nA
            dmark/dt = -mark / (1*second) : nA
            ddopamine/dt = -dopamine / (200*ms) : 1""",
    pre="dx/dt = -x / (20*ms) : 1",
    post="dy/dt = -y / (20*ms) : 1",
    handlers=[
        ("pre", "out += w; mark -= 1.05 * step_size * y; x += 1"),
        ("post", "mark += step_size * x; y += 1"),
        ("reward", "dopamine += 0.5"),
        ("step", "w += mark * dopamine * dt / (200*ms)"),
    ],
    parameters={"step_size": "10 pA"},
    name="rewarded",
)
neuron = ns.Cell(
    """dv/dt = (rest - v + 100*Mohm * synaptic) / tau : mV
       dsynaptic/dt = -synaptic / (5*ms) : nA""",
    parameters={"rest": "-70 mV", "tau": "10 ms"},
    receives={"kick": ns.Port("mV", into="v"), "synaptic": ns.Port("nA", into="synaptic")},
    spike="v > -54*mV",
    after_spike="v = -60*mV",
    initial={"v": "rest"},
    name="neuron",
)

# %%
# The second neuron fires 10 ms after the first, three times without a reward and three times with
# one half a second later. Then it fires 10 ms before the first, with the same reward.

first = [100.0, 1100, 2100, 4100, 5100, 6100, 8110, 9110, 10110]
second = [110.0, 1110, 2110, 4110, 5110, 6110, 8100, 9100, 10100]
rewards = [time + 500 for time in first[3:]]
net = ns.Network("distal reward", dt="0.1 ms")
pair = net.population("pair", 2, neuron)
script = net.spike_source("script", 2, times=[first, second])
net.project(script, pair, ns.one_to_one(), weight="100 mV", port="kick")
synapse = net.project(
    pair[:1], pair[1:], ns.all_to_all(), rule=rule, weight="50 pA", port="synaptic", name="synapse"
)
net.signal("reward", net.spike_source("dopamine", 1, times=[rewards]))
net.record(pair, "spikes")
net.record(synapse, "w", "mark", "dopamine", every="5 ms")

result = ns.simulate(net, "12 s")

# %%

figure, panels = plt.subplots(4, 1, figsize=(9, 6), sharex=True, layout="constrained")
ns.plot.raster(result["pair"], panels[0])
panels[0].set(yticks=[0, 1], yticklabels=["first", "second"])
for panel, name in zip(panels[1:], ("dopamine", "mark", "w"), strict=True):
    trace = result["synapse"].trace(name)
    unit = "" if trace.unit == "1" else f" ({trace.unit})"
    panel.plot(trace.times(), trace.values[:, 0])
    panel.set(ylabel=name + unit)
panels[0].set_xlabel("")
panels[-1].set_xlabel("time (s)")

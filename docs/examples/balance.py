"""
Balance by inhibitory learning
==============================

Inhibitory synapses learn to hold a network at 5 Hz, after Vogels et al. (2011). This is the example
of the README.
"""

import neurosim as ns

neuron = ns.Cell(
    """dv/dt = (rest - v + resistance * (excitation - inhibition)) / tau : mV
       dexcitation/dt = -excitation / tau_e : nA
       dinhibition/dt = -inhibition / tau_i : nA""",
    parameters={
        "rest": "-65 mV",
        "threshold": "-50 mV",
        "tau": "20 ms",
        "tau_e": "5 ms",
        "tau_i": "10 ms",
        "resistance": "100 Mohm",
    },
    receives={
        "excitation": ns.Port("nA", into="excitation"),
        "inhibition": ns.Port("nA", into="inhibition"),
    },
    spike="v >= threshold",
    after_spike="v = rest",
    refractory=ns.Refractory("5 ms", freezes="v"),
)
balancing = ns.Rule(
    edge="w : nA",  # one value per synapse
    pre="dx/dt = -x / trace : 1",  # one per source neuron
    post="dy/dt = -y / trace : 1",  # one per target neuron
    handlers=[
        ("pre", "w = clip(w + eta * (y - 2 * target * trace), 0, w_max); out += w; x += 1"),
        ("post", "w = clip(w + eta * x, 0, w_max); y += 1"),
    ],
    parameters={"trace": "20 ms", "eta": "0.5 pA", "target": "5 Hz", "w_max": "1 nA"},
)

net = ns.Network("balance", dt="0.1 ms", seed=1)
excitatory = net.population("excitatory", 800, neuron, v=ns.uniform("-65 mV", "-50 mV"))
inhibitory = net.population("inhibitory", 200, neuron, v=ns.uniform("-65 mV", "-50 mV"))
for cells in (excitatory, inhibitory):
    net.poisson_drive(cells, n=100, rate=30, weight="20 pA", port="excitation")
    net.project(
        excitatory,
        cells,
        ns.fixed_probability(0.05),
        weight="5 pA",
        delay="1.5 ms",
        port="excitation",
    )
    net.record(cells, "spikes")
learned = net.project(
    inhibitory,
    excitatory,
    ns.fixed_indegree(20),
    rule=balancing,
    weight="5 pA",
    delay="1 ms",
    port="inhibition",
    name="learned",
)
net.record(learned, "w", every="100 ms")

result = ns.simulate(net, "2 s")
print(result)
ns.plot.summary(result).savefig("example.png", dpi=100)

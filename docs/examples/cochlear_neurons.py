"""
Neurons of the cochlear nucleus
===============================

The same channels in other numbers make neurons that fire as long as the current lasts, and neurons
that fire at its onset alone. These keep the time of a sound. After Rothman & Manis (2003); Brian 2
has them among its examples from papers.
"""

import matplotlib.pyplot as plt

import neurosim as ns


def gate(name: str, steady: str, time: str) -> str:
    """Return the equation of a gate that goes to ``steady`` within ``time`` ms, over u = v/mV."""
    return f"d{name}/dt = ({steady} - {name}) / (ms * ({time})) : 1\n"


# %%
# Sodium, three kinds of potassium (high threshold, low threshold, transient), the cation current
# that is activated by hyperpolarisation, and a leak.

gates = (
    gate("m", "1 / (1 + exp(-(u + 38) / 7))", "10 / (5*exp(s/18) + 36*exp(-s/25)) + 0.04")
    + gate("h", "1 / (1 + exp((u + 65) / 6))", "100 / (7*exp(s/11) + 10*exp(-s/25)) + 0.6")
    + gate("n", "(1 + exp(-(u + 15) / 5))**-0.5", "100 / (11*exp(s/24) + 21*exp(-s/23)) + 0.7")
    + gate("p", "1 / (1 + exp(-(u + 23) / 6))", "100 / (4*exp(s/32) + 5*exp(-s/22)) + 5")
    + gate("w", "(1 + exp(-(u + 48) / 6))**-0.25", "100 / (6*exp(s/6) + 16*exp(-s/45)) + 1.5")
    + gate("z", "0.5 + 0.5 / (1 + exp((u + 71) / 10))", "1000 / (exp(s/20) + exp(-s/8)) + 50")
    + gate("a", "(1 + exp(-(u + 31) / 6))**-0.25", "100 / (7*exp(s/14) + 29*exp(-s/24)) + 0.1")
    + gate("b", "(1 + exp((u + 66) / 7))**-0.5", "1000 / (14*exp(s/27) + 29*exp(-s/24)) + 1")
    + gate("c", "(1 + exp((u + 66) / 7))**-0.5", "90 / (1 + exp((-66 - u) / 17)) + 10")
    + gate("r", "1 / (1 + exp((u + 76) / 7))", "1e5 / (237*exp(s/12) + 17*exp(-s/14)) + 25")
)
neuron = ns.Cell(
    """dv/dt = (sodium + potassium + cation + 2*nS * (-65*mV - v) + current) / (12*pF) : mV
       u = v / mV : 1
       s = u + 60 : 1
       sodium = 1000*nS * m**3 * h * (50*mV - v) : nA
       potassium = (high * (0.85 * n**2 + 0.15 * p) + low * w**4 * z + transient * a**4 * b * c)
                   * (-70*mV - v) : nA
       cation = mixed * r * (-43*mV - v) : nA
    """
    + gates,
    parameters={
        "high": "150 nS",
        "low": "0 nS",
        "transient": "0 nS",
        "mixed": "0.5 nS",
        "current": "0 pA",
    },
    spike="crossing(v > -20*mV)",
    initial={"v": "-64 mV"},
    name="cochlear",
)

# %%
# Five types differ in these conductances alone. They rest for 50 ms before the current begins.

types = {
    "I-c": {"high": 150, "low": 0, "transient": 0, "mixed": 0.5},
    "I-t": {"high": 80, "low": 0, "transient": 65, "mixed": 0.5},
    "I-II": {"high": 150, "low": 20, "transient": 0, "mixed": 2},
    "II-I": {"high": 150, "low": 35, "transient": 0, "mixed": 3.5},
    "II": {"high": 150, "low": 200, "transient": 0, "mixed": 20},
}
conductances = {
    name: [maxima[name] for maxima in types.values()]
    for name in ("high", "low", "transient", "mixed")
}
net = ns.Network("cochlear nucleus", dt="0.02 ms")
neurons = net.population(
    "neurons",
    len(types),
    neuron,
    current=ns.table([0, 0.25, 0.25, 0], every="50 ms", unit="nA"),
    **conductances,
)
net.record(neurons, "v", every="0.1 ms")
result = ns.simulate(net, "175 ms")

# %%

trace = result["neurons"].trace("v")
figure, panels = plt.subplots(
    len(types), 1, figsize=(8, 7), sharex=True, sharey=True, layout="constrained"
)
for k, (panel, name) in enumerate(zip(panels, types, strict=True)):
    panel.plot(trace.times(), trace.of(k))
    panel.set(ylabel="v (mV)", title=f"type {name}")
panels[-1].set_xlabel("time (ms)")

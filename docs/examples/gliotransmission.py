"""
Synapses under an astrocyte
===========================

Transmitter that leaves a synapse wakes an astrocyte, whose calcium then rises until it releases a
transmitter of its own. This one binds to the synapse and lowers its release: the loop is closed.
After De Pitta et al. (2011) and Stimberg, Goodman, Brette & De Pitta (2019); Brian 2 has it among
its examples from papers.
"""

import matplotlib.pyplot as plt

import neurosim as ns

# %%
# IP3 is made on the signal of the transmitter, and opens the stores of calcium. The astrocyte
# "spikes" when calcium rises above 0.5 uM: it releases six tenths of its transmitter.

astrocyte = ns.Cell(
    """dbound/dt = 0.3/umolar/second * transmitter * (1 - bound)
                   - 0.5/second * (1 + 10 * C / (C + 0.5*umolar)) * bound : 1
       dI/dt = produced - degraded - 0.05/second * I + exchanged : umolar
       produced = 3.2*umolar/second * bound
              + 0.6*umolar/second / (1 + I / (1.5*umolar)) * C**2 / (C**2 + (0.1*umolar)**2)
              : umolar/second
       degraded = 4.5*umolar/second * C**4 / (C**4 + (0.7*umolar)**4) * I / (I + 1*umolar)
                  : umolar/second
       exchanged = -1*umolar/second * (1 + tanh((abs(I - I_other) - 0.3*umolar) / (0.05*umolar)))
                   * sign(I - I_other) : umolar/second
       dC/dt = (6/second * open**3 * h**3 + 0.1/second) * (2*umolar - 1.18 * C)
               - 0.9*umolar/second * C**2 / (C**2 + (0.05*umolar)**2) : umolar
       open = I / (I + 0.13*umolar) * C / (C + 0.08*umolar) : 1
       dh/dt = 0.2/umolar/second * (Q * (1 - h) - C * h) : 1
       Q = 1.05*umolar * (I + 0.13*umolar) / (I + 0.9434*umolar) : umolar
       dstore/dt = 0.6/second * (1 - store) : 1
       drelease/dt = -60/second * release : umolar""",
    parameters={"I_other": "0 umolar"},
    receives={"transmitter": ns.Port("umolar")},
    spike="C > 0.5*umolar",
    refractory="C > 0.5*umolar",
    after_spike="release += 130*umolar * 0.6 * store; store -= 0.6 * store",
    initial={"h": 0.9, "store": 1},
    method="rk4",
    name="astrocyte",
)

# %%
# Three kinds of synapse: in the closed loop the astrocyte hears its synapse; in the open loop it is
# kept awake by IP3 from outside; without a loop nothing binds to the synapse.

synapse = ns.Rule(
    edge="""dcleft/dt = -40/second * cleft : umolar
            dbound/dt = 1.5/umolar/second * glia * (1 - bound) - bound / (120*second) : 1
            du/dt = -3.33/second * u : 1
            dx/dt = 2/second * (1 - x) : 1""",
    definitions="glia = modulated * release_post : umolar",
    handlers=[
        ("pre", "u += 0.6 * (1 - bound) * (1 - u); cleft += 2500*umolar * u * x; x -= u * x"),
        ("step", "out += heard * cleft"),
    ],
    parameters={"modulated": 1, "heard": 1},
    name="synapse",
)
size = 100
net = ns.Network("gliotransmission", dt="1 ms", seed=1)
source = net.poisson("source", size, rate=ns.table([0.011, 0.11, 1.1, 11], every="5 s"))
variants = {
    "no-loop": ("0 umolar", {"modulated": 0, "heard": 0}),
    "open-loop": ("1 umolar", {"modulated": 1, "heard": 0}),
    "closed-loop": ("0 umolar", {"modulated": 1, "heard": 1}),
}
for name, (other, switches) in variants.items():
    cells = net.population(f"astrocytes-{name}", size, astrocyte, I_other=other)
    net.project(source, cells, ns.one_to_one(), rule=synapse, x=1, name=name, **switches)
    net.record(net[name], "cleft", every="20 ms")
result = ns.simulate(net, "20 s")

# %%

figure, panels = plt.subplots(3, 1, figsize=(8, 6), sharex=True, layout="constrained")
for panel, name in zip(panels, variants, strict=True):
    trace = result[name].trace("cleft")
    panel.plot(trace.times() / 1000, trace.values.mean(axis=1))
    panel.set(ylabel="transmitter (uM)", title=name.replace("-", " "))
panels[-1].set_xlabel("time (s), rate 0.011, 0.11, 1.1 and 11 Hz")

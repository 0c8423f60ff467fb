"""
Rhythms of a cortical column
============================

Three populations, each described by its mean potential alone: pyramidal cells, and the excitatory
and inhibitory cells that they drive. With stronger coupling their noisy activity becomes a rhythm
like that of the EEG, and then a sharp wave as in epilepsy. After Jansen & Rit (1995), figure 3;
Brian 2 has it among its examples from papers.
"""

import matplotlib.pyplot as plt

import neurosim as ns

# %%
# A synapse turns a rate into a potential by an alpha function, which is a pair of equations. A
# population turns a potential into a rate by a sigmoid function. The input is a new number from
# 120 to 320 Hz every 2 ms.

column = ns.Cell(
    """pyramidal = most / (1 + exp(slope * (half - (excitation - inhibition)))) : Hz
       exciting = most / (1 + exp(slope * (half - coupling * drive))) : Hz
       inhibiting = most / (1 + exp(slope * (half - 0.25 * coupling * drive))) : Hz
       ddrive/dt = x : mV
       dx/dt = (gain_e * pyramidal - 2 * x - drive / tau_e) / tau_e : mV/ms
       dexcitation/dt = y : mV
       dy/dt = (gain_e * (input + 0.8 * coupling * exciting) - 2 * y - excitation / tau_e)
               / tau_e : mV/ms
       dinhibition/dt = z : mV
       dz/dt = (gain_i * 0.25 * coupling * inhibiting - 2 * z - inhibition / tau_i)
               / tau_i : mV/ms
       input : Hz""",
    parameters={
        "most": "5 Hz",
        "slope": "0.56 1/mV",
        "half": "6 mV",
        "gain_e": "3.25 mV",
        "gain_i": "22 mV",
        "tau_e": "10 ms",
        "tau_i": "20 ms",
        "coupling": 135,
    },
    name="column",
)
couplings = [68, 128, 135, 270]
net = ns.Network("columns", dt="0.1 ms", seed=1)
columns = net.population("columns", len(couplings), column, coupling=couplings)
net.every("2 ms", columns, "input = (120 + 200 * uniform()) * Hz")
net.record(columns, "excitation", "inhibition", every="1 ms")
result = ns.simulate(net, "5 s")

# %%
# The difference of excitation and inhibition is what an electrode would record.

excitation, inhibition = (result["columns"].trace(name) for name in ("excitation", "inhibition"))
figure, panels = plt.subplots(
    len(couplings), 1, figsize=(9, 6.5), sharex=True, layout="constrained"
)
for k, (panel, coupling) in enumerate(zip(panels, couplings, strict=True)):
    panel.plot(excitation.times()[2000:] / 1000, (excitation.of(k) - inhibition.of(k))[2000:])
    panel.set(ylabel="mV", title=f"coupling {coupling}")
panels[-1].set_xlabel("time (s)")

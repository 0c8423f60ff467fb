"""
A current-based network in the balance
======================================

Four thousand neurons, a tenth of them in contact with each other, keep one another active after a
random start: excitation and inhibition nearly cancel. The network is that of Vogels & Abbott
(2005), as benchmark 2 of Brette et al. (2007) defines it; Brian 2 has it as its example CUBA.
"""

import matplotlib.pyplot as plt

import neurosim as ns

# %%
# Synapses jump a current that decays; currents are written as the voltage that they would reach.

neuron = ns.Cell(
    """dv/dt = (rest - v + excitation + inhibition) / tau : mV
       dexcitation/dt = -excitation / tau_exc : mV
       dinhibition/dt = -inhibition / tau_inh : mV""",
    parameters={"rest": "-49 mV", "tau": "20 ms", "tau_exc": "5 ms", "tau_inh": "10 ms"},
    receives={
        "excitation": ns.Port("mV", into="excitation"),
        "inhibition": ns.Port("mV", into="inhibition"),
    },
    spike="v > -50 * mV",
    after_spike="v = -60 * mV",
    refractory=ns.Refractory("5 ms", freezes="v"),
    name="vogels_abbott",
)
net = ns.Network("cuba", dt="0.1 ms", seed=1)
neurons = net.population("neurons", 4000, neuron, v=ns.uniform("-60 mV", "-50 mV"))
excitatory, inhibitory = neurons[:3200], neurons[3200:]
wiring = ns.fixed_probability(0.02)
net.project(excitatory, neurons, wiring, weight="1.62 mV", port="excitation", name="excitation")
net.project(inhibitory, neurons, wiring, weight="-9 mV", port="inhibition", name="inhibition")
net.record(neurons, "spikes")
net.record(neurons[:3], "v", every="0.5 ms")

result = ns.simulate(net, "1 s")
spikes = result["neurons"].spikes
print(f"mean rate {ns.measure.rate(spikes, start=200):.1f} Hz")

# %%
# Spikes of all neurons, and the voltages of three.

figure, (top, bottom) = plt.subplots(2, 1, figsize=(9, 5.5), sharex=True, layout="constrained")
ns.plot.raster(result["neurons"], top, start=500, stop=1000)
ns.plot.traces(result["neurons"], "v", ax=bottom, start=500, stop=1000)

"""
The pitch of a sound
====================

A neuron that hears the same sound twice, once a little later, fires when the delay is the period of
the sound, or several. A row of such neurons with delays from 1 to 20 ms shows the pitch. After
Licklider (1951); Brian 2 has it as its example licklider.
"""

import matplotlib.pyplot as plt
import numpy as np

import neurosim as ns

# %%
# The tone rises from 200 to 400 Hz within the run: its phase is that of 200 t + 200 t**2, t in s.

ear = ns.Cell(
    """dx/dt = (sound - x) / tau + 0.1 * sqrt(2 / tau) * xi : 1 (unless refractory)
       sound = 5 * sin(2 * pi * t * (200*Hz + 200*Hz * t / second))**3 : 1""",
    parameters={"tau": "1 ms"},
    spike="x > 1",
    after_spike="x = 0",
    refractory="2 ms",
    name="ear",
)
detector = ns.Cell(
    "dv/dt = -v / tau + 0.1 * sqrt(2 / tau) * xi : 1",
    parameters={"tau": "1 ms"},
    receives={"v": ns.Port("1", into="v")},
    spike="v > 1",
    after_spike="v = 0",
    name="detector",
)

# %%
# The first ear is heard at once, the second over a delay that is the period of 50 to 1000 Hz.

duration = 400  # ms
net = ns.Network("pitch", dt="0.02 ms", seed=1)
ears = net.population("ears", 2, ear)
detectors = net.population("detectors", 200, detector)
net.project(
    ears,
    detectors,
    ns.all_to_all(),
    weight=0.5,
    delay="i * 20*ms * 20**(-j / (N_post - 1))",
    round_delays=True,
    name="delayed",
)
net.record(detectors, "spikes")

spikes = ns.simulate(net, f"{duration} ms")["detectors"].spikes

# %%
# The frequency of the tone is the derivative of its phase. Halves and thirds of it answer too,
# whose periods are two or three of its own.

figure, panel = plt.subplots(figsize=(7, 4.5), layout="constrained")
panel.plot(spikes.times(), 50 * 20 ** (spikes.index / 199), ".", markersize=2, color="black")
times = np.linspace(0, duration, 50)
for part in (1, 2, 3):
    panel.plot(times, (200 + 0.4 * times) / part, label=f"1/{part} of the tone", alpha=0.5)
panel.set(xlabel="time (ms)", ylabel="best frequency (Hz)", yscale="log")
panel.legend(loc="upper left")

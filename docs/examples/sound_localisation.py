"""
Where a sound comes from
========================

A sound reaches the two ears at different times. Neurons that receive both ears over delays of
different length fire most where the delays make up for the difference: a map of directions. After
Jeffress (1948); Brian 2 has it as its example of that name.
"""

import matplotlib.pyplot as plt
import numpy as np

import neurosim as ns

# %%
# The sound is white noise. It moves around the head once, and the ears hear it up to 0.67 ms apart.

dt, duration, furthest = 0.02, 1000, 0.67  # ms
steps = round(duration / dt)
noise = 10 * np.random.default_rng(2).standard_normal(steps + 100)
shift = np.round(furthest / 2 * np.sin(2 * np.pi * np.arange(steps) / steps) / dt).astype(int)
heard = np.stack([noise[np.arange(steps) + 50 + sign * shift] for sign in (1, -1)], axis=1)

ear = ns.Cell(
    "dv/dt = (sound(t) - v) / tau + 0.1 * sqrt(2 / tau) * xi : 1",
    parameters={"tau": "1 ms", "sound": ns.Parameter("1", 0.0)},
    spike="v > 1",
    after_spike="v = 0",
    refractory="2.5 ms",
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
# Thirty detectors for each of the two ears: the longer the delay of one ear, the shorter that of
# the other.

number = 30
net = ns.Network("jeffress", dt=dt, seed=1)
ears = net.population("ears", 2, ear, sound=ns.table(heard, every=dt))
detectors = net.population("detectors", number, detector)
delay = np.linspace(0, 1.1 * furthest, number)
for k, values in enumerate((delay, delay[::-1])):
    net.project(
        ears[[k]],
        detectors,
        ns.all_to_all(),
        weight=0.5,
        delay=values,
        round_delays=True,
        name=f"ear{k}",
    )
net.record(detectors, "spikes")

result = ns.simulate(net, duration)
spikes = result["detectors"].spikes

# %%
# The activity follows the direction of the sound.

figure, panel = plt.subplots(figsize=(8, 3.5), layout="constrained")
counts, _, _ = np.histogram2d(
    spikes.times(), spikes.index, bins=(40, number), range=((0, duration), (0, number))
)
panel.imshow(counts.T, aspect="auto", origin="lower", extent=(0, duration, 0, number))
panel.set(xlabel="time (ms)", ylabel="detector")

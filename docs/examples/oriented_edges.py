"""
Cells that see edges
====================

Layers of grids as in the first stages of vision: pixels, simple cells that respond to edges of one
orientation at one place, and complex cells that respond to the orientation wherever it is nearby.
After Hubel & Wiesel (1962). A kernel is stored once and shared by all places; spikes run through
all layers within a step.
"""

import matplotlib.pyplot as plt
import numpy as np

import neurosim as ns

# %%
# A picture of 40 by 40 pixels: the outlines of a square and a circle.

y, x = np.indices((40, 40))
radius = np.hypot(x - 26, y - 25)
square = np.maximum(abs(x - 10), abs(y - 10))
picture = (abs(radius - 10) < 0.8) | (abs(square - 6) < 0.8)

# %%
# One kernel for each of four orientations: a wave across the edge that fades with distance.

angles = np.deg2rad([0, 45, 90, 135])
dy, dx = np.indices((7, 7)) - 3
across = dx * np.sin(angles)[:, None, None] + dy * np.cos(angles)[:, None, None]
kernels = np.cos(2 * np.pi * across / 5) * np.exp(-(dx**2 + dy**2) / 8)
kernels -= kernels.mean((1, 2), keepdims=True)
simple = ns.convolution(0.16 * kernels[:, None], shape=(1, 40, 40))
pooled = ns.average_pooling(4, shape=simple.target_shape, stride=3, weight=6.0)

neuron = ns.Cell(
    "dv/dt = -v / tau : 1",
    parameters={"tau": "5 ms"},
    receives={"v": ns.Port("1", into="v")},
    spike="v >= 1",
    after_spike="v = 0",
    name="leaky",
)
net = ns.Network("edges", dt="1 ms", seed=1)
pixels = net.bernoulli("pixels", picture.size, p=np.where(picture, 0.3, 0.01).ravel())
layers = [
    net.population("simple", simple.target_size, neuron),
    net.population("complex", pooled.target_size, neuron),
]
net.project(pixels, layers[0], simple, same_step=True)
net.project(layers[0], layers[1], pooled, same_step=True)
for layer in layers:
    net.record(layer, "spikes")

result = ns.simulate(net, "1 s")

# %%
# The picture, and the rates (Hz) of both layers: a row for each, a column for each orientation.

figure, panels = plt.subplots(2, 5, figsize=(11, 4.6), layout="constrained")
panels[0, 0].imshow(picture, cmap="gray_r")
panels[0, 0].set_title("picture")
panels[1, 0].imshow(np.hstack(kernels), cmap="RdBu_r")
panels[1, 0].set_title("kernels")
for row, (name, shape) in enumerate(
    (("simple", simple.target_shape), ("complex", pooled.target_shape))
):
    rates = result[name].spikes.count().reshape(shape)  # per second, of a run of one second
    for panel, rate, angle in zip(panels[row, 1:], rates, (0, 45, 90, 135), strict=True):
        image = panel.imshow(rate, vmin=0, vmax=rates.max(), cmap="magma")
        panel.set_title(f"{name}, {angle}°")
    figure.colorbar(image, ax=panels[row, 1:], label="rate (Hz)")
for panel in panels.flat:
    panel.set(xticks=[], yticks=[])

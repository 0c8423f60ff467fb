"""MNIST by two spiking convolutions with shared weights, and a dense layer; 25 steps.

Run with ``python -m benchmarks.accuracy.convolution --data DIR``.
"""

from __future__ import annotations

import numpy as np

import neurosim as ns
from neurosim.draws.streams import Stream
from neurosim.models import cells

from .digits import read_words, run


def network(*, seed: int = 0) -> ns.Network:
    """Return the network: 28 x 28, 8 x 12 x 12, 16 x 5 x 5, 10.

    Parameters
    ----------
    seed : int
    """
    net = ns.Network("convolution", dt="1 ms", seed=seed)
    neuron = cells.lif_delta(
        tau="10 ms", rest="0 mV", threshold="1 mV", reset="rest", refractory="0 ms"
    )
    first = ns.convolution(kernel("first", (8, 1, 5, 5), seed=seed), shape=(1, 28, 28), stride=2)
    second = ns.convolution(
        kernel("second", (16, 8, 3, 3), seed=seed), shape=first.target_shape, stride=2
    )
    pixels = net.spike_source("pixels", 784)
    maps = net.population("maps", first.target_size, neuron)
    features = net.population("features", second.target_size, neuron)
    output = net.population("output", 10, neuron)
    net.project(pixels, maps, first, same_step=True, name="first")
    net.project(maps, features, second, same_step=True, name="second")
    size = second.target_size**-0.5
    dense = ns.uniform(f"{-size} mV", f"{size} mV")
    net.project(features, output, ns.all_to_all(), weight=dense, same_step=True, name="dense")
    return net


def kernel(name: str, shape: tuple[int, ...], *, seed: int) -> np.ndarray:
    """Return a kernel of uniform numbers of the size at which a layer answers from the start."""
    size = float(np.prod(shape[1:])) ** -0.5
    draws = Stream(seed, f"convolution/{name}").uniform(np.arange(np.prod(shape)))
    return (2 * draws.reshape(shape) - 1) * size


if __name__ == "__main__":
    options = read_words(__doc__, samples=20_000)
    run(
        network(seed=options.seed),
        ["first", "second", "dense"],
        name="accuracy_convolution",
        description="28 x 28, 8 x 12 x 12, 16 x 5 x 5, 10; LIF, shared kernels, 25 steps",
        asked=None,
        words=options,
    )

"""The networks: images as constant currents, layers of integrate-and-fire neurons, readouts.

Source: Xiao et al. 2024, ICLR, arXiv 2402.11984, with the values of the authors' published code.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

import neurosim as ns
from neurosim.draws.streams import Stream

from .settings import HEIGHT, STEP, THRESHOLD, Settings

TAU = 2.0  # steps, of neurons for BPTT and OTTT
ALPHA = 0.3  # of the threshold of neurons for DSR, at which they spike


def rate_neuron() -> ns.Cell:
    """Return the neuron for differentiation on spike representation.

    A spike takes ``threshold`` away, and begins at a part ``alpha`` of it. ``height`` is that of
    the spikes that it receives.
    """
    return ns.Cell(
        "u : 1",
        parameters={
            "tau": "1 ms",
            "threshold": THRESHOLD,
            "alpha": ALPHA,
            "height": 1.0,
            "current": 0.0,
        },
        receives={"x": ns.Port("1")},
        step="""u = exp(-dt / tau) * u + (1 - exp(-dt / tau)) * (height * x + current)""",
        spike="u >= alpha * threshold",
        after_spike="u -= threshold",
        name="rate_neuron",
    )


def neuron() -> ns.Cell:
    """Return the leaky integrate-and-fire neuron for BPTT and OTTT, reset by subtraction."""
    return ns.Cell(
        "u : 1",
        parameters={"tau": TAU, "threshold": 1.0},
        receives={"x": ns.Port("1")},
        step="u = (1 - 1 / tau) * u + x",
        spike="u >= threshold",
        after_spike="u -= threshold",
        name="neuron",
    )


def readout() -> ns.Cell:
    """Return an output without memory: ``v`` is the weighted sum of the spikes of a step."""
    return ns.Cell(
        "v : 1",
        parameters={"height": 1.0},
        receives={"x": ns.Port("1")},
        step="v = height * x",
        name="readout",
    )


def graded() -> ns.Rule:
    """Return the rule by which an image enters: its weight times the value of a pixel."""
    return ns.Rule(edge="w : 1", handlers=[("step", "out += w * value_pre")], name="graded")


def pixels() -> ns.Cell:
    """Return an input, whose ``value`` is constant during a sample."""
    return ns.Cell(parameters={"value": 0.0}, name="pixel")


def network(seed: int = 0, **settings: Any) -> ns.Network:
    """Return the network of some settings.

    Parameters
    ----------
    seed : int
    **settings
        Of `SETTINGS`.

    Returns
    -------
    Network
        Populations ``pixels``, ``hidden1`` ..., ``output`` (or ``output1`` ... of heads);
        projections ``layer1`` ... and ``head`` (or ``head1`` ...).
    """
    return build(_select_settings(settings), seed)


def episode(seed: int = 0, **settings: Any) -> ns.Network:
    """Return the network of some settings, to which stripes are shown, recording all spikes.

    Parameters
    ----------
    seed : int
    **settings
        As for `network`.
    """
    net = build(_select_settings(settings), seed, image="where(i // 4 % 2 == 0, 1, 0)")
    for population in net.populations.values():
        if population.cell.spike is not None:
            net.record(population, "spikes")
    return net


def _select_settings(settings: Mapping[str, Any]) -> Settings:
    """Return those of the settings that are about the network."""
    fields = Settings.__dataclass_fields__
    return Settings(**{name: settings[name] for name in settings if name in fields})


def build(settings: Settings, seed: int, *, image: Any = 0.0) -> ns.Network:
    """Return a network of layers that are all joined.

    Parameters
    ----------
    settings : Settings
    seed : int
    image : number, (M,) or text
        Values of the pixels.
    """
    is_dsr = settings.way == "dsr"
    dt = f"{STEP} ms" if is_dsr else "1 ms"
    net = ns.Network("orthogonal projection", dt=dt, seed=seed)
    source = net.population("pixels", settings.inputs, pixels(), value=image)
    for number in range(1, settings.layers + 1):
        name = f"hidden{number}"
        if is_dsr:
            # Pixels are values; spikes of neurons for DSR have a height.
            height = HEIGHT if number > 1 else 1.0
            target = net.population(name, settings.hidden, rate_neuron(), height=height)
        else:
            target = net.population(name, settings.hidden, neuron())
        _join(net, source, target, name=f"layer{number}", first=number == 1)
        source = target
    _add_readouts(net, source, settings)
    return net


def build_convolutional(
    settings: Settings,
    seed: int,
    *,
    shape: tuple[int, int, int] = (3, 32, 32),
    channels: tuple[int, ...] = (64, 128, 256),
) -> ns.Network:
    """Return a network of convolutions, each of which halves height and width, and readouts.

    Parameters
    ----------
    settings : Settings
        Its ``heads`` and ``classes``; sizes follow from the shape.
    seed : int
    shape : (channels, height, width)
        Of images.
    channels : tuple of int
        Of the convolutions, of 3 x 3.

    Notes
    -----
    The published network has average pooling and batch normalisation after each convolution; here
    a stride of 2 takes their place, so that spikes and not means of spikes pass between layers.
    """
    net = ns.Network("convolutions", dt="1 ms", seed=seed)
    source = net.population("pixels", math.prod(shape), pixels())
    for number, count in enumerate(channels, start=1):
        kernel = _kernel(f"layer{number}", (count, shape[0], 3, 3), seed=seed)
        edges = ns.convolution(kernel, shape=shape, stride=2, padding=1)
        target = net.population(f"hidden{number}", edges.target_size, neuron())
        if number == 1:
            net.project(source, target, edges, rule=graded(), name="layer1")
        else:
            net.project(source, target, edges, same_step=True, name=f"layer{number}")
        source = target
        shape = edges.target_shape
    _add_readouts(net, source, settings)
    return net


def _kernel(name: str, shape: tuple[int, int, int, int], *, seed: int) -> np.ndarray:
    draws = Stream(seed, f"{name}/kernel").normal(np.arange(math.prod(shape)))
    # Of the inputs of a neuron; by its outputs, as published, deep layers would stay silent.
    inputs = math.prod(shape[1:])
    return draws.reshape(shape) * math.sqrt(2 / inputs)


def _add_readouts(net: ns.Network, source: ns.Population, settings: Settings) -> None:
    height = HEIGHT if settings.way == "dsr" else 1.0
    # Without heads one readout serves all tasks.
    suffixes = [str(number) for number in range(1, settings.heads + 1)] or [""]
    for suffix in suffixes:
        output = net.population(f"output{suffix}", settings.classes, readout(), height=height)
        _join(net, source, output, name=f"head{suffix}", first=False)


def _join(
    net: ns.Network,
    source: ns.Population,
    target: ns.Population,
    *,
    name: str,
    first: bool,
) -> None:
    bound = source.size**-0.5
    weight = ns.uniform(-bound, bound)
    if first:
        net.project(source, target, ns.all_to_all(), rule=graded(), weight=weight, name=name)
    else:
        net.project(source, target, ns.all_to_all(), weight=weight, same_step=True, name=name)

"""A balanced network with learning synapses: after Brunel (2000), with additive pair STDP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from neurosim.draws.values import uniform
from neurosim.errors import NetworkError, describe
from neurosim.network.network import Network
from neurosim.network.wiring import connectors as connect

from .cells import lif_delta
from .plasticity import stdp


@dataclass(frozen=True)
class Settings:
    """Numbers of the network, in mV, ms and Hz; those without a source are our choice.

    Attributes
    ----------
    size : int
        Neurons; four in five excite.
    connectivity : 1
        Each neuron has this share of the excitatory and of the inhibitory neurons as inputs (Brunel
        2000: 0.1).
    jump, relative : mV, 1
        Excitatory weight, and how much larger the inhibitory one is (Brunel 2000: 0.1 mV; g = 5 is
        his asynchronous irregular regime).
    delay, dendritic : ms, 1
        Of all edges, and the share of it that lies behind the synapse: none, the default of Brian
        2, or all, as in NEST always. It decides which spikes count as causes, and so the rates.
    drive : Hz
        Of the Poisson train that each neuron has for itself, with weight ``jump``. 10 kHz would
        just reach the threshold.
    rate, ratio : 1
        Of learning: a pair at no distance adds ``rate * most`` and takes ``rate * ratio * most``
        (Song, Miller & Abbott 2000: 0.005 and 1.05; four times as fast here, so that the weights
        spread within a second).
    most : mV
        Largest weight: three times the first.
    """

    size: int = 11_250
    connectivity: float = 0.1
    jump: float = 0.1
    relative: float = 5.0
    delay: float = 1.5
    dendritic: float = 0.0
    drive: float = 15_000.0
    rate: float = 0.02
    ratio: float = 1.05
    most: float = 0.3


def plastic_balanced_network(
    settings: Settings | None = None, *, seed: int = 0, **values: Any
) -> Network:
    """Return the network, recording all spikes of ``excitatory`` and ``inhibitory``.

    Parameters
    ----------
    settings : Settings, optional
        At its size of 11 250 projection ``plastic`` has 8.1 million edges.
    seed : int
        Of all draws.
    **values
        Fields of Settings, as an alternative to it.

    Raises
    ------
    NetworkError
        If the size is too small.

    Notes
    -----
    dt 0.1 ms; tau 20 ms, threshold 20 mV, reset 10 mV, 2 ms refractory; voltages begin between 0
    and 20 mV. STDP of 20 ms either way, all pairs.

    Source: after Brunel 2000, with STDP of Song, Miller & Abbott 2000.
    """
    s = settings or Settings(**values)
    if not isinstance(s.size, int) or s.size * s.connectivity < 50:
        raise NetworkError(
            f"plastic balanced network, size: found {describe(s.size)}, expected a whole number "
            "of at least "
            f"{50 / s.connectivity:.0f} neurons. The size that others are measured at is 11250."
        )
    sizes = {"excitatory": s.size * 4 // 5, "inhibitory": s.size - s.size * 4 // 5}
    net = Network("plastic_balanced_network", dt="0.1 ms", seed=seed)
    cell = lif_delta(tau="20 ms", rest="0 mV", reset="10 mV", threshold="20 mV", refractory="2 ms")
    both = [
        net.population(name, size, cell, v=uniform("0 mV", "20 mV")) for name, size in sizes.items()
    ]
    rule = stdp(relative=True, a_plus=s.rate, a_minus=s.rate * s.ratio, w_max=f"{s.most} mV")
    for source, sign in zip(both, (1.0, -s.relative), strict=True):
        # Exactly, not on average, as in Brunel 2000: all neurons have as many inputs.
        wiring = connect.fixed_indegree(round(source.size * s.connectivity))
        for target in both:
            # Only excitatory edges between excitatory neurons learn.
            learns = source is target is both[0]
            net.project(
                source,
                target,
                wiring,
                weight=sign * s.jump,
                delay=s.delay,
                dendritic_fraction=s.dendritic,
                port="synaptic",
                rule=rule if learns else None,
                name="plastic" if learns else f"{source.name}_{target.name}",
            )
    for population in both:
        net.poisson_drive(
            population,
            n=1,
            rate=s.drive,
            weight=s.jump,
            port="synaptic",
            name=f"drive_{population.name}",
        )
        net.record(population, "spikes")
    return net


def network_of_size(size: int = Settings.size, *, seed: int = 0) -> Network:
    """Return the plastic balanced network of some size, with the other settings as published.

    Parameters
    ----------
    size : int
        Number of neurons.
    seed : int
        Of all draws.
    """
    return plastic_balanced_network(size=size, seed=seed)

"""A balanced network with learning synapses: after Brunel (2000), with additive pair STDP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from neurosim.draws.values import uniform
from neurosim.errors import NetworkError, describe
from neurosim.network import connectors as connect
from neurosim.network.network import Network

from .cells import lif_delta
from .plasticity import stdp


@dataclass(frozen=True)
class Settings:
    """Numbers of Brunel (2000) and, where no source is named, of our choice; plain ones in mV, ms
    and Hz.

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
        Of all edges, and the share of it that lies behind the synapse: none, as in Brian 2 unless
        told, or all, as always in NEST. It shifts which spikes count as cause, and with it the
        rates.
    drive : Hz
        Of the Poisson train that each neuron has for itself, with weight ``jump``. 15 kHz are 1.5
        times what reaches the threshold.
    rate, ratio : 1
        Of learning: a pair at no distance adds ``rate * most`` and takes ``rate * ratio * most``
        (Song, Miller & Abbott 2000: 0.005 and
        1.05; four times as fast here, so that the weights spread within a second).
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
    """Return the network; all spikes of populations ``excitatory`` and ``inhibitory`` are recorded.

    Parameters
    ----------
    settings : Settings, optional
        At its size of 11 250 projection ``plastic`` has 8.1 million edges.
    **values
        Of Settings, as an alternative to it.

    Notes
    -----
    dt 0.1 ms; tau 20 ms, threshold 20 mV, reset 10 mV, 2 ms refractory; voltages begin between 0
    and 20 mV. STDP of 20 ms either way, all
    pairs.
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
        wiring = connect.fixed_indegree(round(source.size * s.connectivity))
        for target in both:
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
    for each in both:
        net.poisson_drive(
            each, n=1, rate=s.drive, weight=s.jump, port="synaptic", name=f"drive_{each.name}"
        )
        net.record(each, "spikes")
    return net
